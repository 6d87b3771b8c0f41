//! Changes of a table.

/// A change of the table, and a record that it matters to.
pub(super) struct Change {
    pub(super) name: &'static str,
    /// Columns behind the key `id int8`.
    pub(super) columns: &'static str,
    /// Fields of the record that is written before the change, and of the rows that are there for update and delete.
    pub(super) first: &'static str,
    pub(super) sql: &'static str,
    /// Fields of the record that is written after the change, behind its `id`.
    pub(super) fields: &'static str,
    /// What a COPY by a sink that is opened after the change brings: the row, or a part of the refusal.
    pub(super) expected: &'static str,
    /// Whether the columns as they were would refuse the record: before the change is committed, that is right.
    pub(super) widens: bool,
}

const NARROWER: Change = Change {
    name: "",
    columns: "v int4",
    first: r#""v":1"#,
    sql: "",
    fields: "",
    expected: "",
    widens: false,
};

const WIDER: Change = Change {
    widens: true,
    ..NARROWER
};

pub(super) const CHANGES: [Change; 26] = [
    Change {
        name: "a column is added",
        sql: "ALTER TABLE t ADD extra int4",
        fields: r#""v":5,"extra":9"#,
        expected: "(2,5,9)",
        ..NARROWER
    },
    Change {
        name: "a column with a default is added",
        sql: "ALTER TABLE t ADD extra int4 NOT NULL DEFAULT 1",
        fields: r#""v":5,"extra":9"#,
        expected: "(2,5,9)",
        ..NARROWER
    },
    Change {
        name: "a column is dropped",
        sql: "ALTER TABLE t DROP v",
        fields: r#""v":5,"w":6"#,
        columns: "v int4, w int4",
        expected: "(2,6)",
        ..NARROWER
    },
    Change {
        name: "a column is renamed",
        sql: "ALTER TABLE t RENAME v TO w",
        fields: r#""v":5,"w":6"#,
        expected: "(2,6)",
        ..NARROWER
    },
    Change {
        name: "two columns exchange their names",
        columns: "v int4, w int4",
        sql: "ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; ALTER TABLE t RENAME x TO w",
        fields: r#""v":5,"w":6"#,
        expected: "(2,6,5)",
        ..NARROWER
    },
    Change {
        name: "int4 becomes int8",
        sql: "ALTER TABLE t ALTER v TYPE int8",
        fields: r#""v":3000000000"#,
        expected: "(2,3000000000)",
        ..WIDER
    },
    Change {
        name: "varchar grows",
        columns: "v varchar(3)",
        first: r#""v":"abc""#,
        sql: "ALTER TABLE t ALTER v TYPE varchar(10)",
        fields: r#""v":"abcdefg""#,
        expected: "(2,abcdefg)",
        ..WIDER
    },
    Change {
        name: "an enum gets a value",
        columns: "v mood",
        first: r#""v":"sad""#,
        sql: "ALTER TYPE mood ADD VALUE 'glad'",
        fields: r#""v":"glad""#,
        expected: "(2,glad)",
        ..WIDER
    },
    Change {
        name: "a value of an enum is renamed",
        columns: "v mood",
        first: r#""v":"sad""#,
        sql: "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        fields: r#""v":"sad""#,
        expected: "does not fit column `v`",
        ..NARROWER
    },
    Change {
        name: "numeric loses digits",
        columns: "v numeric(10,4)",
        sql: "ALTER TABLE t ALTER v TYPE numeric(10,2)",
        fields: r#""v":1.2345"#,
        expected: "does not fit column `v`",
        ..NARROWER
    },
    Change {
        name: "numeric gets a scale",
        columns: "v numeric",
        sql: "ALTER TABLE t ALTER v TYPE numeric(10,1)",
        fields: r#""v":1.25"#,
        expected: "does not fit column `v`",
        ..NARROWER
    },
    Change {
        // As long as an int8, so that COPY itself would notice nothing.
        name: "int8 becomes float8",
        columns: "v int8",
        sql: "ALTER TABLE t ALTER v TYPE float8",
        fields: r#""v":200"#,
        expected: "(2,200)",
        ..NARROWER
    },
    Change {
        name: "another table takes the name",
        columns: "v int8",
        sql: "CREATE TABLE n (LIKE t INCLUDING ALL); ALTER TABLE n ALTER v TYPE float8; INSERT INTO n SELECT * FROM t;
              ALTER TABLE t RENAME TO old; ALTER TABLE n RENAME TO t",
        fields: r#""v":200"#,
        expected: "(2,200)",
        ..NARROWER
    },
    Change {
        name: "the table becomes partitioned",
        columns: "v int8",
        sql: "ALTER TABLE t RENAME TO old;
              CREATE TABLE t (LIKE old INCLUDING ALL) PARTITION BY RANGE (id); ALTER TABLE t ALTER v TYPE float8;
              CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (10); INSERT INTO t SELECT * FROM old",
        fields: r#""v":200"#,
        expected: "(2,200)",
        ..NARROWER
    },
    Change {
        name: "a view takes the name",
        sql: "ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT * FROM old",
        fields: r#""v":5"#,
        expected: "(2,5)",
        ..NARROWER
    },
    Change {
        name: "NOT NULL is set",
        sql: "ALTER TABLE t ALTER v SET NOT NULL",
        fields: "",
        expected: "is NOT NULL without a default",
        ..NARROWER
    },
    Change {
        name: "NOT NULL is dropped",
        columns: "v int4 NOT NULL, w int4",
        sql: "ALTER TABLE t ALTER v DROP NOT NULL",
        fields: r#""w":6"#,
        expected: "(2,,6)",
        ..WIDER
    },
    Change {
        name: "a default is set",
        columns: "v int4, w int4",
        sql: "ALTER TABLE t ALTER v SET DEFAULT 7",
        fields: r#""w":6"#,
        expected: "(2,7,6)",
        ..NARROWER
    },
    Change {
        name: "a default is dropped, and NULL is not taken",
        columns: "v int4 NOT NULL DEFAULT 7, w int4",
        sql: "ALTER TABLE t ALTER v DROP DEFAULT",
        fields: r#""w":6"#,
        expected: "is NOT NULL without a default",
        ..NARROWER
    },
    Change {
        name: "a column becomes GENERATED ALWAYS",
        sql: "ALTER TABLE t DROP v; ALTER TABLE t ADD v int4 GENERATED ALWAYS AS (-id) STORED",
        fields: r#""v":5"#,
        expected: "(2,-2)",
        ..NARROWER
    },
    Change {
        name: "the key becomes GENERATED ALWAYS AS IDENTITY",
        sql: "ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        fields: r#""v":5"#,
        expected: "(2,5)",
        ..NARROWER
    },
    Change {
        name: "a domain stops taking NULL",
        columns: "v must, w int4",
        sql: "ALTER DOMAIN must SET NOT NULL",
        fields: r#""v":null,"w":6"#,
        expected: "the column is NOT NULL",
        ..NARROWER
    },
    Change {
        name: "the primary key becomes another one",
        sql: "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD UNIQUE (id, v)",
        fields: r#""v":5"#,
        expected: "(2,5)",
        ..NARROWER
    },
    Change {
        name: "another schema takes the name",
        columns: "v int8",
        sql: "CREATE SCHEMA next; CREATE TABLE next.t (LIKE t INCLUDING ALL); ALTER TABLE next.t ALTER v TYPE float8;
              INSERT INTO next.t SELECT * FROM t; ALTER SCHEMA shop RENAME TO gone; ALTER SCHEMA next RENAME TO shop",
        fields: r#""v":200"#,
        expected: "(2,200)",
        ..NARROWER
    },
    Change {
        name: "the search path finds another table first",
        columns: "v int8",
        sql: "CREATE SCHEMA first; CREATE TABLE first.t (LIKE t INCLUDING ALL); ALTER TABLE first.t ALTER v TYPE float8;
              INSERT INTO first.t SELECT * FROM shop.t",
        fields: r#""v":200"#,
        expected: "(2,200)",
        ..NARROWER
    },
    Change {
        name: "a trigger comes that changes rows",
        sql: "CREATE FUNCTION shop.more() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN NEW.v := NEW.v + 1; RETURN NEW; END $$;
              CREATE TRIGGER more BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shop.more()",
        fields: r#""v":5"#,
        expected: "(2,6)",
        ..NARROWER
    },
];
