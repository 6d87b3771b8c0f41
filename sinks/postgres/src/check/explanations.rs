//! Why the findings matter, for `connect explain`.

use connect_api::Explanation;

pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: "postgres.connection",
        why: "A database is named once: by `url`, or by `host` and the keys beside it. Of two places, one would silently lose.",
        example: "url = \"${env:DATABASE_URL}\"\nhost = \"db.example\"",
        fix: "url = \"${env:DATABASE_URL}\"",
    },
    Explanation {
        code: "postgres.url",
        why: "The address of the database cannot be read, so that nothing could be written. Addresses of other tools, such as JDBC's, look alike and are not the same.",
        example: "url = \"jdbc:postgresql://db.example:5432/shop?user=shop\"",
        fix: "url = \"postgres://shop:${env:DATABASE_PASSWORD}@db.example:5432/shop\"",
    },
    Explanation {
        code: "postgres.unverified",
        why: "Without verify-full a server that is not the database may answer: it reads every row and, with `disable`, so does the network. `verify-ca` takes any server that the same authority vouches for.",
        example: "url = \"postgres://shop@db.example/shop\"\nsslmode = \"require\"",
        fix: "url = \"postgres://shop@db.example/shop\"\nca = \"/etc/ssl/db-ca.pem\"",
    },
    Explanation {
        code: "postgres.each",
        why: "`each` makes a row of every place that its path leads to. A path without `[*]` or a slice leads to one: the array as a whole, in which no element's field is found.",
        example: "each = \"$.items\"\ncolumns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\ncolumns = { sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.identifier",
        why: "PostgreSQL cuts names at 63 bytes without an error, so that two tables could become one; names that it cannot have would fail at run time.",
        example: "table = \"a.b.c\"",
        fix: "table = \"shop.sales\"",
    },
    Explanation {
        code: "postgres.key",
        why: "Upsert, update and delete must know which columns identify a row, and each record must say their values.",
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
        why: "`unit` reads numbers as times, `decimal` with `scale` reads base64 as numbers, `parse` reads strings as JSON: one value has one reading, and base64 decimals carry no scale of their own.",
        example: "total = { path = \"$.total\", decimal = \"base64\" }",
        fix: "total = { path = \"$.total\", decimal = \"base64\", scale = 2 }",
    },
    Explanation {
        code: "postgres.element-without-each",
        why: "`@…` and `#index` speak of the element that `each` is at; without `each` there is none, and the column would stay empty.",
        example: "columns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\ncolumns = { sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.conflicting-tables",
        why: "A batch is reduced to the last operation of each key. Entries that give one table different keys or modes have no common order of operations.",
        example: "[[sinks.tables]]\ntable = \"sales\"\nmode = \"insert\"\n\n[[sinks.tables]]\ntable = \"sales\"\nmode = \"delete\"\nkey = [\"id\"]",
        fix: "[[sinks.tables]]\ntable = \"sales\"\nmode = \"upsert\"\nkey = [\"id\"]\n\n[[sinks.tables]]\ntable = \"sales\"\nmode = \"delete\"\nkey = [\"id\"]",
    },
    Explanation {
        code: "postgres.orphans",
        why: "Rows of elements that a record no longer has are those with the record's part of the key and another element's part. Without both parts, or with only some elements in sight, rows of other records or elements would be deleted.",
        example: "each = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"sku\"]\ncolumns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"sale\", \"sku\"]\ncolumns = { sale = \"#key\", sku = \"@.sku\" }",
    },
    Explanation {
        code: "postgres.tombstone-key",
        why: "A tombstone has a key and no value. Where the columns that identify a row are read from elsewhere, nobody knows which row the tombstone deletes: it is refused, or the row stays.",
        example: "[value]\ntombstone = \"delete\"\n\n[[sinks.tables]]\nmode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"$.id\" }",
        fix: "columns = { id = \"#key\" }",
    },
    Explanation {
        code: "postgres.migrations",
        why: "Migrations run in the order of the numbers in front of their names; a file without one would be passed over in silence.",
        example: "migrations/create_sales.sql",
        fix: "migrations/0001_create_sales.sql",
    },
    Explanation {
        code: "mapping.unknown-path",
        why: "The contract admits no record with this field, so the column would never get a value: mostly a typing error.",
        example: "columns = { total = \"$.totl\" }",
        fix: "columns = { total = \"$.total\" }",
    },
    Explanation {
        code: "mapping.optional-key",
        why: "A row cannot be found without its key: records that lack it are refused, although they are valid by the contract.",
        example: "key = [\"id\"], while `id` is not in the contract's `required`",
        fix: "\"required\": [\"id\"]",
    },
];
