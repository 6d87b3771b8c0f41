//! Parents and children in one batch: deletes and writes in an order that foreign keys allow, and that ends as the records do.

use crate::support::*;

/// `d` deletes, `w` writes; `p` is the parent table, `c` the child. Every case must end at once: a foreign key that fails is
/// waited for (`missing_parent`).
fn toml(tables: [&str; 2]) -> String {
    let entry = |table: &str, mode: &str, op: &str| {
        let columns = match (table, mode) {
            (_, "delete") => "id = \"$.id\"",
            ("p", _) => "id = \"$.id\", v = \"$.v\"",
            _ => "id = \"$.id\", parent = \"$.parent\", v = \"$.v\"",
        };
        format!(
            "[[tables]]\ntable = \"{table}\"\nmode = \"{mode}\"\nkey = [\"id\"]\nwhen = \"value.t == '{table}' && value.op == '{op}'\"\ncolumns = {{ {columns} }}\n"
        )
    };
    let both = |table| entry(table, "upsert", "w") + &entry(table, "delete", "d");
    tables.map(both).join("")
}

fn p(op: &str, id: i32) -> String {
    format!(r#"{{"t":"p","op":"{op}","id":{id},"v":1}}"#)
}

fn c(op: &str, id: i32, parent: i32) -> String {
    format!(r#"{{"t":"c","op":"{op}","id":{id},"parent":{parent},"v":1}}"#)
}

#[tokio::test]
async fn parents_and_children_of_one_batch() {
    let mut database = Database::new("CREATE TABLE nothing ()").await;
    // Over parents 1 and 9, and child 10 of parent 1.
    // Name, actions of the foreign key, records, parents and children afterwards.
    type Case<'a> = (&'a str, &'a [&'a str], Vec<String>, &'a str, &'a str);
    let cases: [Case<'_>; 10] = [
        (
            "child, then parent deleted",
            &["", "RESTRICT", "CASCADE", "SET NULL"],
            vec![c("d", 10, 1), p("d", 1), p("w", 2), c("w", 20, 2)],
            "2 9",
            "(20,2)",
        ),
        (
            "parent, then child deleted",
            &["", "CASCADE"],
            vec![p("d", 1), c("d", 10, 1)],
            "9",
            "",
        ),
        (
            "child moved, then its old parent deleted",
            &["", "RESTRICT", "CASCADE", "SET NULL"],
            vec![p("w", 2), c("w", 10, 2), p("d", 1)],
            "2 9",
            "(10,2)",
        ),
        (
            "child written without its parent, which is then deleted",
            &["CASCADE"],
            vec![r#"{"t":"c","op":"w","id":10,"v":1}"#.into(), p("d", 1)],
            "9",
            "",
        ),
        (
            "child written, then its parent deleted",
            &["CASCADE"],
            vec![c("w", 11, 1), p("d", 1)],
            "9",
            "",
        ),
        (
            "child written, then its parent deleted",
            &["SET NULL"],
            vec![c("w", 11, 1), p("d", 1)],
            "9",
            "(10,) (11,)",
        ),
        (
            "parent deleted and written, then its child",
            &["CASCADE"],
            vec![p("d", 1), p("w", 1), c("w", 11, 1)],
            "1 9",
            "(11,1)",
        ),
        (
            "child, then its parent written",
            &["", "CASCADE"],
            vec![c("w", 20, 2), p("w", 2)],
            "1 2 9",
            "(10,1) (20,2)",
        ),
        (
            "back and forth",
            &["", "CASCADE"],
            vec![
                c("w", 10, 9),
                p("d", 1),
                p("w", 1),
                c("w", 10, 1),
                p("d", 9),
            ],
            "1",
            "(10,1)",
        ),
        (
            "child and parent written, then both deleted",
            &["", "CASCADE"],
            vec![p("w", 2), c("w", 20, 2), c("d", 20, 2), p("d", 2)],
            "1 9",
            "(10,1)",
        ),
    ];
    for (name, actions, values, parents, children) in cases {
        for action in actions {
            for tables in [["p", "c"], ["c", "p"]] {
                let on_delete = if action.is_empty() {
                    String::new()
                } else {
                    format!("ON DELETE {action}")
                };
                database
                    .run(&format!(
                        "DROP TABLE IF EXISTS c, p, connect_progress;
                         CREATE TABLE p (id int PRIMARY KEY, v int);
                         CREATE TABLE c (id int PRIMARY KEY, parent int REFERENCES p {on_delete}, v int);
                         INSERT INTO p VALUES (1, 0), (9, 0); INSERT INTO c VALUES (10, 1, 0)"
                    ))
                    .await;
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let case = format!("{name}, {action}, {tables:?}");
                write_all(&database.url(), &toml(tables), &values)
                    .await
                    .unwrap_or_else(|failure| panic!("{case}: {failure}"));
                let found = database
                    .text("SELECT string_agg(id::text, ' ' ORDER BY id) FROM p")
                    .await;
                assert_eq!(
                    found,
                    format!(
                        "({})",
                        if parents.contains(' ') {
                            format!("\"{parents}\"")
                        } else {
                            parents.to_owned()
                        }
                    ),
                    "{case}"
                );
                assert_eq!(
                    database
                        .lines("SELECT id, parent FROM c ORDER BY id")
                        .await
                        .join(" "),
                    children,
                    "{case}"
                );
            }
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_refers_to_itself() {
    let mut database =
        Database::new("CREATE TABLE c (id int PRIMARY KEY, parent int REFERENCES c, v int)").await;
    let cases = [
        (
            "child before its parent",
            vec![c("w", 2, 1), c("w", 1, 1)],
            "(1,1) (2,1)",
        ),
        (
            "child moved, then its old parent deleted",
            vec![c("w", 2, 2), c("d", 1, 0)],
            "(2,2)",
        ),
        (
            "both deleted, the parent first",
            vec![c("w", 3, 2), c("d", 2, 0), c("d", 3, 0)],
            "",
        ),
    ];
    let toml = toml(["c", "p"]);
    let toml = &toml[..toml.find("[[tables]]\ntable = \"p\"").unwrap()];
    for (name, values, expected) in cases {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        write_all(&database.url(), toml, &values)
            .await
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(
            database
                .lines("SELECT id, parent FROM c ORDER BY id")
                .await
                .join(" "),
            expected,
            "{name}"
        );
    }
    database.drop().await;
}
