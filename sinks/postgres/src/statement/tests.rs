#![allow(clippy::unwrap_used)]

use super::*;
use crate::catalog::testing::table;
use crate::config::Config;
use crate::mapping::plan;

/// The target of this table entry, over the table that the catalog's tests have.
fn target(entry: &str) -> Target {
    let text = format!("url = \"x\"\n[[tables]]\ntable = \"sales\"\n{entry}");
    let parsed: serde_json::Value = toml::from_str(&text).unwrap();
    let config: Config = serde_json::from_value(parsed).unwrap();
    let mut table = table();
    for column in &mut table.columns {
        if column.name == "note" {
            column.has_default = true;
            column.default_sql = Some("'none'::text".into());
        }
    }
    plan(&config, &[table]).ok().unwrap().targets.remove(0)
}

/// The statement for rows with all columns, and that for rows of which some lack some.
fn written(target: &Target) -> [String; 2] {
    let positions: Vec<usize> = (0..target.columns.len()).collect();
    [false, true].map(|is_sparse| {
        let shape = Shape {
            positions: positions.clone(),
            is_sparse,
        };
        write_statement(target, &shape)
    })
}

const COLUMNS: &str = "columns = { id = \"$.a\", note = \"$.b\" }";

#[test]
fn appending() {
    let mut copied = target(COLUMNS);
    assert_eq!(
        written(&copied)[0],
        r#"COPY "shop"."Sales" ("id", "note") FROM STDIN (FORMAT binary)"#
    );
    copied.write = WriteMethod::Insert;
    assert_eq!(
        written(&copied),
        [
            r#"INSERT INTO "shop"."Sales" AS target ("id", "note") SELECT batch.c1, batch.c2 FROM (SELECT unnest($1) AS c1, unnest($2) AS c2) AS batch"#,
            r#"INSERT INTO "shop"."Sales" AS target ("id", "note") SELECT batch.c1, CASE WHEN batch.p1 & 2 <> 0 THEN batch.c2 ELSE ('none'::text)::"pg_catalog"."text" END FROM (SELECT unnest($1) AS c1, unnest($2) AS c2, unnest($3) AS p1) AS batch"#,
        ]
    );
    let with_text = "on_conflict = \"nothing\"\ncolumns = { address = \"$.a\", id = \"$.b\" }";
    assert_eq!(
        written(&target(with_text))[0],
        r#"INSERT INTO "shop"."Sales" AS target ("address", "id") SELECT batch.c1::"pg_catalog"."inet", batch.c2 FROM (SELECT unnest($1) AS c1, unnest($2) AS c2) AS batch ON CONFLICT DO NOTHING"#
    );
}

#[test]
fn upserting() {
    let target = target(&format!("mode = \"upsert\"\nkey = [\"id\"]\n{COLUMNS}"));
    assert_eq!(
        written(&target),
        [
            r#"INSERT INTO "shop"."Sales" AS target ("id", "note") SELECT batch.c1, batch.c2 FROM (SELECT unnest($1) AS c1, unnest($2) AS c2) AS batch ON CONFLICT ("id") DO UPDATE SET "note" = excluded."note""#,
            r#"WITH presence (k1, p1) AS (SELECT batch.c1, p1 FROM unnest($1, $3) AS batch (c1, p1)) INSERT INTO "shop"."Sales" AS target ("id", "note") SELECT batch.c1, CASE WHEN batch.p1 & 2 <> 0 THEN batch.c2 ELSE ('none'::text)::"pg_catalog"."text" END FROM (SELECT unnest($1) AS c1, unnest($2) AS c2, unnest($3) AS p1) AS batch ON CONFLICT ("id") DO UPDATE SET "note" = CASE WHEN (excluded."id") IN (SELECT presence.k1 FROM presence WHERE presence.p1 & 2 <> 0) THEN excluded."note" ELSE target."note" END"#,
        ]
    );
    assert_eq!(
        delete_statement(&target),
        r#"DELETE FROM "shop"."Sales" AS target USING unnest($1) AS batch (c1) WHERE target."id" = batch.c1"#
    );
}

#[test]
fn updating() {
    let target = target(&format!("mode = \"update\"\nkey = [\"id\"]\n{COLUMNS}"));
    assert_eq!(
        written(&target),
        [
            r#"UPDATE "shop"."Sales" AS target SET "note" = batch.c2 FROM unnest($1, $2) AS batch (c1, c2) WHERE target."id" = batch.c1"#,
            r#"UPDATE "shop"."Sales" AS target SET "note" = CASE WHEN batch.p1 & 2 <> 0 THEN batch.c2 ELSE target."note" END FROM unnest($1, $2, $3) AS batch (c1, c2, p1) WHERE target."id" = batch.c1"#,
        ]
    );
    assert_eq!(
        missing_statement(&target),
        r#"SELECT batch.row_number FROM unnest($1) WITH ORDINALITY AS batch (c1, row_number) WHERE NOT EXISTS (SELECT FROM "shop"."Sales" AS target WHERE target."id" = batch.c1)"#
    );
}

#[test]
fn keys_whose_bytes_do_not_tell_are_compared_by_the_server() {
    let target = target(
        "mode = \"upsert\"\nkey = [\"address\"]\ncolumns = { address = \"$.a\", tags = \"$.b\" }",
    );
    assert_eq!(
        equal_keys_statement(&target, &[0]),
        r#"SELECT array_agg(batch.row_number) FROM unnest($1) WITH ORDINALITY AS batch (c1, row_number) GROUP BY batch.c1::"pg_catalog"."inet" HAVING count(*) > 1"#
    );
    assert_eq!(
        written(&target)[0],
        r#"INSERT INTO "shop"."Sales" AS target ("address", "tags") SELECT batch.c1::"pg_catalog"."inet", batch.c2::"pg_catalog"."_text" FROM (SELECT unnest($1) AS c1, unnest($2) AS c2) AS batch ORDER BY batch.c1::"pg_catalog"."inet" ON CONFLICT ("address") DO UPDATE SET "tags" = excluded."tags""#
    );
}
