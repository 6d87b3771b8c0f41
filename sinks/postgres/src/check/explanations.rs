//! The explanations of the findings, for `connect explain`.

use connect_api::Explanation;

pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: "postgres.connection",
        why: "A database is specified once: by `url`, or by `host` and the other keys. Of two specifications, one would be silently ignored.",
        example: "url = \"${env:DATABASE_URL}\"\nhost = \"db.example\"",
        fix: "url = \"${env:DATABASE_URL}\"",
    },
    Explanation {
        code: "postgres.url",
        why: "The URL of the database cannot be parsed, so that nothing could be written. URLs of other tools, such as JDBC's, look alike but differ.",
        example: "url = \"jdbc:postgresql://db.example:5432/shop?user=shop\"",
        fix: "url = \"postgres://shop:${env:DATABASE_PASSWORD}@db.example:5432/shop\"",
    },
    Explanation {
        code: "postgres.unverified",
        why: "Without verify-full, another server can impersonate the database and read every row; with `disable`, so can the network. `verify-ca` accepts any server with a certificate of the same authority.",
        example: "url = \"postgres://shop@db.example/shop\"\nsslmode = \"require\"",
        fix: "url = \"postgres://shop@db.example/shop\"\nca = \"/etc/ssl/db-ca.pem\"",
    },
    Explanation {
        code: "postgres.each",
        why: "`each` makes a row of every node that its path selects. A path without `[*]` or a slice selects one: the array as a whole, in which no element's field is found.",
        example: "each = \"$.items\"\ncolumns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\ncolumns = { sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.identifier",
        why: "PostgreSQL truncates names to 63 bytes without an error, so that two tables could become one; invalid names would fail at run time.",
        example: "table = \"a.b.c\"",
        fix: "table = \"shop.sales\"",
    },
    Explanation {
        code: "postgres.key",
        why: "Upsert, update and delete need the columns that identify a row, and each record must contain their values.",
        example: "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { total = \"$.total\" }",
        fix: "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"$.id\", total = \"$.total\" }",
    },
    Explanation {
        code: "postgres.columns",
        why: "A row without any column cannot be written.",
        example: "columns = {}",
        fix: "columns = { id = \"$.id\" }",
    },
    Explanation {
        code: "postgres.column-options",
        why: "`unit` reads numbers as times, `decimal` with `scale` reads base64 as numbers, `parse` reads strings as JSON: only one of them applies to a value, and base64 decimals do not contain their scale.",
        example: "total = { path = \"$.total\", decimal = \"base64\" }",
        fix: "total = { path = \"$.total\", decimal = \"base64\", scale = 2 }",
    },
    Explanation {
        code: "postgres.element-without-each",
        why: "`@…` and `#index` refer to the element of `each`; without `each` there is none, and the column would stay empty.",
        example: "columns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\ncolumns = { sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.conflicting-tables",
        why: "A batch is reduced to the last operation of each key. Between entries of one table with different keys or modes, the order of operations would be undefined.",
        example: "[[sinks.tables]]\ntable = \"sales\"\nmode = \"insert\"\n\n[[sinks.tables]]\ntable = \"sales\"\nmode = \"delete\"\nkey = [\"id\"]",
        fix: "[[sinks.tables]]\ntable = \"sales\"\nmode = \"upsert\"\nkey = [\"id\"]\n\n[[sinks.tables]]\ntable = \"sales\"\nmode = \"delete\"\nkey = [\"id\"]",
    },
    Explanation {
        code: "postgres.orphans",
        why: "Rows of elements that a record no longer has are those with the record's part of the key and another element's part. Without both parts, or if `each` selects only some elements, rows of other records or elements would be deleted.",
        example: "each = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"sku\"]\ncolumns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"sale\", \"sku\"]\ncolumns = { sale = \"#key\", sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.tombstone-key",
        why: "A tombstone has a key and no value. If the columns that identify a row are not read from the key, it is unknown which row the tombstone deletes: it is rejected, or the row stays.",
        example: "[value]\ntombstone = \"delete\"\n\n[[sinks.tables]]\nmode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"$.id\" }",
        fix: "columns = { id = \"#key\" }",
    },
    Explanation {
        code: "postgres.migrations",
        why: "Migrations run in the order of the numbers at the start of their names; a file without a number would be silently skipped.",
        example: "migrations/create_sales.sql",
        fix: "migrations/0001_create_sales.sql",
    },
    Explanation {
        code: "mapping.unknown-path",
        why: "The contract allows no record with this field, so the column would never get a value: usually a typing error.",
        example: "columns = { total = \"$.totl\" }",
        fix: "columns = { total = \"$.total\" }",
    },
    Explanation {
        code: "mapping.optional-key",
        why: "A row cannot be found without its key: records that lack it are rejected, although they are valid by the contract.",
        example: "key = [\"id\"], while `id` is not in the contract's `required`",
        fix: "\"required\": [\"id\"]",
    },
];
