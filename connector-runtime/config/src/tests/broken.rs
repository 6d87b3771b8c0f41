//! One broken file a line of the table. Each snapshot holds the file and what is said about it.

use super::*;

/// Checks `file` among a good schema, a bad one and a folder of migrations; the snapshot is named after the case.
fn check(name: &str, file: &str) {
    let folder = Folder::new(&[
        ("connectors.d/a.toml", file),
        (
            "schemas/good.json",
            "{\"type\": \"object\", \"properties\": {\"id\": {}}, \"additionalProperties\": false}",
        ),
        (
            "schemas/typo.json",
            "{\n  \"properties\": { \"at\": { \"format\": \"datetime\" } }\n}",
        ),
        ("schemas/bad.json", "{\n  \"type\": \"objekt\"\n}"),
        ("schemas/cut.json", "{\n  \"type\": \"object\""),
        ("migrations/1.sql", ""),
    ]);
    let drawn = folder.drawn(Mode::Run);
    assert!(!drawn.is_empty(), "{name}: nothing was found");
    assert!(
        !drawn.contains("hunter2"),
        "{name}: a secret is shown\n{drawn}"
    );
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, format!("{}\n\n{drawn}", file.trim()));
    });
}

fn check_all(cases: &[(&str, &str)]) {
    for (name, file) in cases {
        check(name, file);
    }
}

/// A good connector with `line` in its sink.
fn warehouse(name: &str, line: &str) {
    let sink = "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\n";
    let url = if line.contains("url") {
        ""
    } else {
        "url = \"${env:DATABASE_URL}\"\n"
    };
    let tables = if line.contains("tables") {
        ""
    } else {
        "[[sinks.tables]]\ntable = \"t\"\ncolumns = { id = \"$.id\" }\n"
    };
    check(name, &format!("{sink}{url}{line}\n{tables}"));
}

#[test]
fn nothing_misleading_beside_the_mistake() {
    check_all(&[
        (
            "list-for-table",
            "topics = [\"a\"]\nvalue = [\"json\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "placeholder-in-a-number",
            "topics = [\"a\"]\ntasks = \"1${env:DATABASE_PORT:-2}\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "placeholder-for-a-list",
            "topics = \"${env:TOPICS:-sales}\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "placeholder-in-a-placeholder",
            "topics = [\"${env:TOPIC:-${env:OTHER}}\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "number-for-a-word",
            "topics = [\"a\"]\n[errors]\ntolerance = 1\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "literal-infinite",
            "topics = [\"a\"]\n[[transforms]]\ntype = \"set\"\nfield = \"$.a\"\nvalue = inf\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "reference-words",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\nurl = \"${env:DATABASE_URL}\"\n[[sinks.tables]]\ntable = \"t\"\n[sinks.tables.columns]\na = \"#headr.trace\"\nb = \"#keys.id\"\nc = \"#header\"\nd = \"#colour\"\ne = \"$.a-b\"\nf = \"$.a.\"\n",
        ),
    ]);
}

#[test]
fn syntax() {
    check_all(&[
        (
            "syntax-unquoted",
            "topics = [orders]\n[[sinks]]\ntype = print\n",
        ),
        ("syntax-yaml", "name: orders\ntopics: [a]\n"),
        (
            "syntax-no-value",
            "topics = [\"a\"]\ntasks =\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-python-boolean",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\npooler = True\n",
        ),
        (
            "syntax-null",
            "topics = [\"a\"]\nname = null\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-open-string",
            "topics = [\"a]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-open-list",
            "topics = [\"a\"\n\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-open-header",
            "topics = [\"a\"]\n[[sinks]\ntype = \"print\"\n",
        ),
        (
            "syntax-two-on-a-line",
            "topics = [\"a\"] tasks = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-twice",
            "topics = [\"a\"]\ntasks = 1\ntasks = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-table-twice",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n[batch]\n[batch]\n",
        ),
        (
            "syntax-sinks-once-as-table",
            "topics = [\"a\"]\n[sinks]\ntype = \"print\"\n[sinks]\ntype = \"print\"\n",
        ),
        (
            "syntax-escape",
            "topics_regex = \"a\\d\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-several",
            "topics = [a]\ntasks = two\n[[sinks]]\ntype = \"print\"\n[batch]\nlinger = 5ms\n",
        ),
        (
            "syntax-beside-others",
            "topics = [\"a\"]\ntasks = two\ntaks = 2\n[[sinks]]\ntype = \"prnt\"\n",
        ),
        (
            "syntax-secret",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\npassword = \"hunter2\n",
        ),
        (
            "syntax-large-number",
            "topics = [\"a\"]\ntasks = 99999999999999999999\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "syntax-infinite",
            "topic = \"a\"\n[source]\ntype = \"clock\"\nevery = \"1s\"\nrate = inf\n",
        ),
        ("syntax-garbage", "}{\n"),
    ]);
}

#[test]
fn kinds() {
    check_all(&[
        ("kind-empty", ""),
        ("kind-only-name", "name = \"orders\"\n"),
        (
            "kind-near-miss",
            "name = \"orders\"\n[[sink]]\ntype = \"print\"\n",
        ),
        (
            "kind-both",
            "topic = \"a\"\n[source]\ntype = \"clock\"\nevery = \"1s\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "kind-no-topics",
            "name = \"orders\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        ("kind-no-sink", "topics = [\"a\"]\n"),
        (
            "kind-no-topic",
            "[source]\ntype = \"clock\"\nevery = \"1s\"\n",
        ),
        (
            "kind-topic-of-a-sink",
            "topic = \"a\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "kind-topics-twice",
            "topics = [\"a\"]\ntopics_regex = \"a.*\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "kind-two-sinks",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "kind-single-bracket",
            "topics = [\"a\"]\n[sinks]\ntype = \"print\"\n",
        ),
        (
            "kind-double-bracket",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n[[value]]\nformat = \"json\"\n",
        ),
        (
            "kind-tasks-of-a-source",
            "topic = \"a\"\ntasks = 2\n[source]\ntype = \"clock\"\nevery = \"1s\"\n",
        ),
        (
            "kind-create-by-regex",
            "topics_regex = \"a.*\"\n[create_topics]\npartitions = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
    ]);
}

#[test]
fn keys_of_the_connector() {
    check_all(&[
        (
            "key-misspelt",
            "topics = [\"a\"]\ntaks = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-unknown",
            "topics = [\"a\"]\ncolour = \"red\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-in-the-wrong-table",
            "topics = [\"a\"]\n[value]\nformat = \"json\"\ntasks = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-camel-case",
            "topics = [\"a\"]\n[batch]\nmaxRecords = 5\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-kafka-connect",
            "topics = [\"a\"]\ntasks.max = 2\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "type-string-for-integer",
            "topics = [\"a\"]\ntasks = \"2\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "type-string-for-list",
            "topics = \"a\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "type-float-for-integer",
            "topics = [\"a\"]\ntasks = 1.5\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "range-no-tasks",
            "topics = [\"a\"]\ntasks = 0\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "range-negative-tasks",
            "topics = [\"a\"]\ntasks = -1\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "range-no-topics",
            "topics = []\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "repeated-topic",
            "topics = [\"a\", \"b\", \"a\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "name-of-topic",
            "topics = [\"a b\", \"ok\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "name-of-connector",
            "name = \"orders/eu\"\ntopics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "name-empty",
            "name = \"\"\ntopics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "start-word",
            "topics = [\"a\"]\nstart = \"begin\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "start-without-offset",
            "topics = [\"a\"]\nstart = 2026-11-20T00:00:00\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "regex",
            "topics_regex = \"a(\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "format-word",
            "topics = [\"a\"]\n[value]\nformat = \"jsn\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "format-avro-without-registry",
            "topics = [\"a\"]\n[value]\nformat = \"avro\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "duration-number",
            "topics = [\"a\"]\n[batch]\nlinger = 200\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "duration-without-unit",
            "topics = [\"a\"]\n[batch]\nlinger = \"200\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "size-without-unit",
            "topics = [\"a\"]\n[batch]\nmax_bytes = \"4096\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "size-zero",
            "topics = [\"a\"]\n[batch]\nmax_bytes = \"0B\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "batch-does-not-fit",
            "topics = [\"a\"]\n[batch]\nmax_bytes = \"16MiB\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-format-for-source",
            "topic = \"a\"\n[source]\ntype = \"clock\"\nevery = \"1s\"\n[key]\nformat = \"string\"\n",
        ),
        (
            "key-reference-for-sink",
            "topics = [\"a\"]\nkey = \"$.id\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "key-reference-bad",
            "topic = \"a\"\nkey = \"id\"\n[source]\ntype = \"clock\"\nevery = \"1s\"\n",
        ),
    ]);
}

#[test]
fn errors() {
    check_all(&[
        (
            "errors-no-dead-letter",
            "topics = [\"a\"]\n[errors]\ntolerance = \"all\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-unused",
            "topics = [\"a\"]\n[errors]\ndead_letter_topic = \"a.dlq\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-unused-discard",
            "topics = [\"a\"]\n[errors]\ntolerance = \"none\"\ndead_letter = \"discard\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-two",
            "topics = [\"a\"]\n[errors]\ntolerance = \"all\"\ndead_letter_topic = \"b\"\ndead_letter = \"discard\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-loop",
            "topics = [\"a\"]\n[errors]\ntolerance = \"all\"\ndead_letter_topic = \"a\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-loop-by-regex",
            "topics_regex = \"orders.*\"\n[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-loop-of-source",
            "topic = \"a\"\n[errors]\ntolerance = \"all\"\ndead_letter_topic = \"a\"\n[source]\ntype = \"clock\"\nevery = \"1s\"\n",
        ),
        (
            "errors-breaker",
            "topics = [\"a\"]\n[errors]\nstop_after = { rejects = 10, in_last = 5 }\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-breaker-incomplete",
            "topics = [\"a\"]\n[errors]\nstop_after = { rejects = 0 }\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-breaker-word",
            "topics = [\"a\"]\n[errors]\nstop_after = \"nevr\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-breaker-type",
            "topics = [\"a\"]\n[errors]\nstop_after = 100\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-tolerance",
            "topics = [\"a\"]\n[errors]\ntolerance = \"some\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "errors-kafka-connect",
            "topics = [\"a\"]\nerrors.deadletterqueue.topic.name = \"b\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "loop-of-sink",
            "topics = [\"a\", \"b\"]\n[[sinks]]\ntype = \"copy\"\ntopic = \"b\"\n",
        ),
        (
            "loop-of-sink-by-regex",
            "topics_regex = \"or.*\"\n[[sinks]]\ntype = \"copy\"\ntopic = \"orders\"\n",
        ),
    ]);
}

#[test]
fn plugins() {
    check_all(&[
        (
            "plugin-unknown",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehose\"\nurl = \"x\"\n",
        ),
        (
            "plugin-far-off",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"elasticsearch\"\n",
        ),
        (
            "plugin-elsewhere",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"clock\"\n",
        ),
        (
            "plugin-no-type",
            "topics = [\"a\"]\n[[sinks]]\nurl = \"x\"\n",
        ),
        (
            "plugin-type-misspelt",
            "topics = [\"a\"]\n[[sinks]]\ntpye = \"print\"\n",
        ),
        (
            "plugin-type-number",
            "topics = [\"a\"]\n[[sinks]]\ntype = 1\n",
        ),
        (
            "plugin-no-keys",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"print\"\ncolour = true\n",
        ),
        (
            "plugin-source-key",
            "topic = \"a\"\n[source]\ntype = \"clock\"\nevry = \"1s\"\n",
        ),
        (
            "plugin-transform",
            "topics = [\"a\"]\n[[transforms]]\ntype = \"set\"\nfeild = \"$.a\"\nfrom = \"#timstamp\"\nwhen = 5\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "plugin-transform-build",
            "topics = [\"a\"]\n[[transforms]]\ntype = \"set\"\nfield = \"$.a\"\nfrom = \"#now\"\nvalue = 1\n[[transforms]]\ntype = \"set\"\nfield = \"$.a\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "condition-of-tombstone",
            "topics = [\"a\"]\n[value]\ntombstone = \"delete\"\n[[transforms]]\ntype = \"set\"\nfield = \"$.a\"\nvalue = 1\nwhen = \"value.total <= 0\"\n[[transforms]]\ntype = \"set\"\nfield = \"$.b\"\nvalue = 1\nwhen = \"value != null && value.total <= 0\"\n[[sinks]]\ntype = \"print\"\nwhen = \"offset > 5 || value['odd name'].x == 1\"\n",
        ),
        (
            "plugin-path-to-many",
            "topics = [\"a\"]\n[[transforms]]\ntype = \"set\"\nfield = \"$.a[*]\"\nvalue = 1\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "plugin-columns",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\nurl = \"${env:DATABASE_URL}\"\n[[sinks.tables]]\ntable = \"t\"\n[sinks.tables.columns]\na = \"a\"\nb = 1\nc = { pth = \"$.c\" }\nd = { path = \"$.d\", unit = \"min\" }\ne = \"#offst\"\n",
        ),
    ]);
    warehouse(
        "plugin-missing-url",
        "password = \"${env:PASSWORD}\"\n# no url",
    );
    warehouse("plugin-missing-tables", "port = 5432\n# no tables");
    warehouse("plugin-key", "pool = true");
    warehouse("plugin-boolean", "pooler = \"true\"");
    warehouse("plugin-port", "port = 70000");
    warehouse("plugin-url-number", "url = 5432");
    warehouse("plugin-duration", "timeout = \"half an hour\"");
    warehouse(
        "plugin-mode",
        "[[sinks.tables]]\ntable = \"t\"\nmode = \"updat\"\ncolumns = { id = \"$.id\" }",
    );
    warehouse(
        "plugin-several-in-tables",
        "[[sinks.tables]]\ntabel = \"t\"\nmode = \"upsert\"\nkey = \"id\"\neach = \"$.items\"\ncolumns = {}\n[[sinks.tables]]\ncolumns = { id = \"@.id\" }",
    );
    warehouse(
        "plugin-check",
        "[[sinks.tables]]\ntable = \"t\"\ncolumns = { id = \"$.id\", sku = \"@.sku\" }",
    );
    warehouse("plugin-empty-tables", "tables = []");
    warehouse(
        "plugin-long-value",
        "timeout = \"a very long text that goes on and on and says nothing that a duration would say at all\"",
    );
}

#[test]
fn secrets_and_placeholders() {
    warehouse(
        "placeholder-unset",
        "password = \"${env:NO_SUCH_PASSWORD}\"",
    );
    warehouse("placeholder-form", "password = \"${PASSWORD}\"");
    warehouse("placeholder-open", "password = \"${env:PASSWORD\"");
    warehouse("placeholder-name", "password = \"${env:MY-PASSWORD}\"");
    warehouse(
        "placeholder-file",
        "password = \"${file:/nowhere/password}\"",
    );
    warehouse("placeholder-not-a-number", "port = \"${env:WORD}\"");
    warehouse("placeholder-not-a-duration", "timeout = \"${env:WORD}\"");
    warehouse("placeholder-part", "timeout = \"5${env:WORD}s\"");
    warehouse(
        "placeholder-default-is-wrong",
        "port = \"${env:NO_SUCH_PORT:-many}\"",
    );
    warehouse(
        "secret-literal",
        "password = \"hunter2\" # a secret\npassword2 = 5",
    );
    warehouse("secret-misspelt", "pasword = \"hunter2\"");
    warehouse(
        "secret-on-the-line",
        "tables = [{ table = \"t\", columns = {}, url = \"postgres://app:hunter2@db/shop\", secret = \"hunter2\" }]",
    );
    warehouse(
        "secret-in-url",
        "url = \"postgres://app:hunter2@db/shop\"\nurll = \"postgres://app:hunter2@db/shop\"",
    );
    warehouse("secret-of-another-type", "password = [\"hunter2\"]");
}

#[test]
fn files() {
    check_all(&[
        (
            "file-schema-missing",
            "topics = [\"a\"]\n[value]\nschema = \"../shemas/good.json\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "file-schema-bad",
            "topics = [\"a\"]\n[value]\nschema = \"../schemas/bad.json\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "file-schema-unknown-format",
            "topics = [\"a\"]\n[value]\nschema = \"../schemas/typo.json\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "file-schema-cut",
            "topics = [\"a\"]\n[value]\nschema = \"../schemas/cut.json\"\n[[sinks]]\ntype = \"print\"\n",
        ),
        (
            "file-schema-of-plugin",
            "topics = [\"a\"]\n[[sinks]]\ntype = \"copy\"\ntopic = \"b\"\nschema = \"../schemas/bad.json\"\n",
        ),
        (
            "file-contract-has-no-field",
            "topics = [\"a\"]\n[value]\nschema = \"../schemas/good.json\"\n[[sinks]]\ntype = \"warehouse\"\nurl = \"${env:DATABASE_URL}\"\n[[sinks.tables]]\ntable = \"t\"\ncolumns = { id = \"$.id\", total = \"$.total\" }\n",
        ),
    ]);
    warehouse("file-migrations", "migrations = \"migrations\"");
}

#[test]
fn eleven_problems_are_eleven_findings() {
    check(
        "eleven-problems",
        "name = \"a b\"\ntopics = [\"x\", \"x\"]\ntasks = 0\ntaks = 2\nstart = \"now\"\n[batch]\nlinger = 200\nmax_byte = \"4MiB\"\n[errors]\ntolerance = \"all\"\n[[transforms]]\ntype = \"st\"\n[[sinks]]\ntype = \"warehouse\"\n[[sinks.tables]]\ntable = \"t\"\nmode = \"merge\"\ncolumns = { id = \"id\" }\n",
    );
}
