//! The finding codes of the engine with their explanations. Findings are created from entries of this table, so each has an
//! explanation.

use connect_api::Explanation;

macro_rules! codes {
    ($($name:ident = $code:literal { why: $why:literal, example: $example:literal, fix: $fix:literal })*) => {
        $(pub(super) const $name: &Explanation =
            &Explanation { code: $code, why: $why, example: $example, fix: $fix };)*

        /// The engine's codes.
        pub(super) const ALL: &[&Explanation] = &[$($name),*];
    };
}

codes! {
    NO_FOLDER = "files.no-folder" {
        why: "The folder or file named on the command line does not exist, so there is nothing to check or run.",
        example: "connect check conectors.d/",
        fix: "connect check connectors.d/"
    }
    NO_CONNECTORS = "files.no-connectors" {
        why: "No file below the folder is a connector. `connect.toml`, `*.test.toml`, hidden files and files that do not end in `.toml` are not.",
        example: "connectors.d/orders.yaml",
        fix: "connectors.d/orders.toml"
    }
    UNREADABLE = "files.unreadable" {
        why: "A file that cannot be read may be a connector that you expect to run, so it is not skipped silently.",
        example: "a connector with mode 0600 that belongs to another user",
        fix: "chmod 0644 connectors.d/orders.toml"
    }
    SYMLINK_LOOP = "files.symlink-loop" {
        why: "A symbolic link leads to a folder above it, so following it would never end.",
        example: "ln -s .. connectors.d/all",
        fix: "rm connectors.d/all"
    }
    ENCODING = "files.encoding" {
        why: "TOML is UTF-8. In another encoding, names and passwords would silently become other text.",
        example: "a file saved as Latin-1 or UTF-16",
        fix: "iconv -f latin1 -t utf-8 old.toml > new.toml"
    }
    MISSING_FILE = "files.missing" {
        why: "A file or folder that a key names does not exist. Relative paths start at the folder of the file that names them, not at the current folder.",
        example: "migrations = \"migrations/pos\"",
        fix: "migrations = \"../migrations/pos\""
    }
    SYNTAX = "config.syntax" {
        why: "The text is not TOML, so its meaning is unknown.",
        example: "topics = [PointOfSale]",
        fix: "topics = [\"PointOfSale\"]"
    }
    DUPLICATE_KEY = "config.duplicate-key" {
        why: "A table has the same key twice, and one of the two values would be ignored.",
        example: "tasks = 2\ntasks = 4",
        fix: "tasks = 4"
    }
    UNKNOWN_KEY = "config.unknown-key" {
        why: "The table has no such key. If it were ignored, a setting that you rely on would have no effect.",
        example: "taks = 2",
        fix: "tasks = 2"
    }
    MISSING_KEY = "config.missing-key" {
        why: "The table requires this key, and no default would be right for everyone.",
        example: "[[sinks]]\nurl = \"${env:DATABASE_URL}\"",
        fix: "[[sinks]]\ntype = \"postgres\"\nurl = \"${env:DATABASE_URL}\""
    }
    WRONG_TYPE = "config.wrong-type" {
        why: "The value does not have the type of the key. Values are not converted, because that would be a guess.",
        example: "tasks = \"2\"",
        fix: "tasks = 2"
    }
    UNKNOWN_WORD = "config.unknown-word" {
        why: "The key takes one of a few words, and the value is none of them.",
        example: "[value]\nformat = \"jsn\"",
        fix: "[value]\nformat = \"json\""
    }
    BAD_VALUE = "config.bad-value" {
        why: "The text does not parse as the value of this key: a duration, a size, a path into the record, a condition, a regular expression, a name.",
        example: "linger = \"200\"",
        fix: "linger = \"200ms\""
    }
    OUT_OF_RANGE = "config.out-of-range" {
        why: "The number is too small or too large, or a list has too few or too many elements.",
        example: "tasks = 0",
        fix: "tasks = 1"
    }
    REPEATED = "config.repeated" {
        why: "A list of distinct elements has an element twice; the second has no effect and was probably meant to be another.",
        example: "topics = [\"orders\", \"orders\"]",
        fix: "topics = [\"orders\", \"returns\"]"
    }
    PLACEHOLDER = "config.placeholder" {
        why: "`${` always starts a placeholder, so that a misspelt placeholder is not used as text.",
        example: "url = \"${DATABASE_URL}\"",
        fix: "url = \"${env:DATABASE_URL}\""
    }
    UNSET_VARIABLE = "config.unset-variable" {
        why: "An environment variable that a file names has no value. `connect check` only notes it, because CI has no secrets; for `connect run` and `connect check --env` it is an error.",
        example: "url = \"${env:DATABASE_URL}\"   # with DATABASE_URL unset",
        fix: "export DATABASE_URL=postgres://localhost/shop"
    }
    PLACEHOLDER_FILE = "config.placeholder-file" {
        why: "The file that a placeholder names cannot be read.",
        example: "password = \"${file:/run/secrets/pasword}\"",
        fix: "password = \"${file:/run/secrets/password}\""
    }
    UNKNOWN_PLUGIN = "config.unknown-type" {
        why: "This program has no plugin of this kind and name; `connect plugins` lists its plugins.",
        example: "[[sinks]]\ntype = \"postgresql\"",
        fix: "[[sinks]]\ntype = \"postgres\""
    }
    REJECTED = "config.rejected" {
        why: "Each key is valid by itself, but the plugin cannot use them together.",
        example: "two keys that exclude each other",
        fix: "follow the message; `connect plugins NAME` shows the keys and an example"
    }
    PLUGIN_SCHEMA = "config.plugin-schema" {
        why: "The schema of the plugin is invalid. This is a bug of the plugin, not of your file.",
        example: "a schema attribute with a regular expression that does not compile",
        fix: "report it to the plugin's author"
    }
    NO_KIND = "connector.no-kind" {
        why: "A connector either reads topics and has a sink, or has a source and writes to a topic. This file has neither.",
        example: "name = \"orders\"",
        fix: "name = \"orders\"\ntopics = [\"orders\"]\n[[sinks]]\ntype = \"stdout\""
    }
    TWO_KINDS = "connector.two-kinds" {
        why: "One connector has one direction: from topics to a sink, or from a source to a topic. Two files do both, with a topic between them that others can read as well.",
        example: "[source]\ntype = \"random_user\"\n[[sinks]]\ntype = \"postgres\"",
        fix: "write two files: one with [source] and topic, one with topics and [[sinks]]"
    }
    NO_TOPICS = "connector.no-topics" {
        why: "A sink connector reads topics, and the file names none.",
        example: "[[sinks]]\ntype = \"stdout\"",
        fix: "topics = [\"orders\"]\n[[sinks]]\ntype = \"stdout\""
    }
    TOPICS_TWICE = "connector.topics-twice" {
        why: "`topics` and `topics_regex` exclude each other; choosing one of the two would be a guess.",
        example: "topics = [\"orders\"]\ntopics_regex = \"orders.*\"",
        fix: "topics_regex = \"orders.*\""
    }
    SINK_NAME_TWICE = "connector.sink-name-twice" {
        why: "A sink's name is part of the identity of its progress, and metrics and dead letters carry it. Two sinks with the same name could not be distinguished.",
        example: "[[sinks]]\ntype = \"postgres\"\n[[sinks]]\ntype = \"postgres\"",
        fix: "[[sinks]]\ntype = \"postgres\"\n[[sinks]]\nname = \"archive\"\ntype = \"postgres\""
    }
    TOO_MANY_SINKS = "connector.too-many-sinks" {
        why: "The positions of the sinks are stored in the metadata of the group's offset, which has at most 4096 bytes.",
        example: "17 tables [[sinks]] in one file",
        fix: "write two connectors: a file for some of the sinks each, with the same topics"
    }
    LONG_SINK_NAME = "connector.long-sink-name" {
        why: "The names of the sinks are stored in the metadata of the group's offset, which has at most 4096 bytes.",
        example: "name = \"a name of more than 100 bytes…\"",
        fix: "name = \"archive\""
    }
    DUPLICATE_NAME = "connector.duplicate-name" {
        why: "The name is the identity of the consumer group and of stored progress. Two connectors with the same name would take records from each other.",
        example: "name = \"orders\" in two files",
        fix: "name = \"orders-archive\" in one of them"
    }
    BAD_NAME = "connector.bad-name" {
        why: "A connector without `name` has the name of its file, which becomes part of the name of its consumer group.",
        example: "connectors.d/my orders.toml",
        fix: "name = \"my-orders\""
    }
    LOOP = "connector.endless-loop" {
        why: "The connector would read the records or dead letters that it writes, and process them again and again.",
        example: "topics_regex = \"orders.*\"\n[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\"",
        fix: "topics_regex = \"orders\\\\.(eu|us)\""
    }
    NO_DEAD_LETTER = "errors.no-dead-letter" {
        why: "With tolerance = \"all\" the connector continues after bad records. Their destination is required, so that none is lost by accident.",
        example: "[errors]\ntolerance = \"all\"",
        fix: "[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\""
    }
    UNUSED_DEAD_LETTER = "errors.unused-dead-letter" {
        why: "With tolerance = \"none\" (the default) the connector stops at the first bad record, and no dead letter is ever written.",
        example: "[errors]\ndead_letter_topic = \"orders.dlq\"",
        fix: "[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\""
    }
    TWO_DEAD_LETTERS = "errors.two-dead-letters" {
        why: "Bad records are either kept in a topic or discarded.",
        example: "[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\"\ndead_letter = \"discard\"",
        fix: "[errors]\ntolerance = \"all\"\ndead_letter_topic = \"orders.dlq\""
    }
    STOP_AFTER = "errors.stop-after" {
        why: "There are never more rejects than records, so the connector would never stop.",
        example: "stop_after = { rejects = 1000, in_last = 100 }",
        fix: "stop_after = { rejects = 100, in_last = 1000 }"
    }
    BATCH_MEMORY = "batch.memory" {
        why: "`in_flight` is what a task holds: half of it is the client's queue, half are the three batches that are read, waiting and written. With batches larger than a sixth of it, the task would hold more.",
        example: "[batch]\nmax_bytes = \"64MiB\"\nin_flight = \"32MiB\"",
        fix: "[batch]\nmax_bytes = \"64MiB\"\nin_flight = \"384MiB\""
    }
    CREATE_BY_REGEX = "connector.create-by-regex" {
        why: "A regular expression does not name topics that could be created.",
        example: "topics_regex = \"orders.*\"\n[create_topics]\npartitions = 6",
        fix: "topics = [\"orders.eu\", \"orders.us\"]\n[create_topics]\npartitions = 6"
    }
    KAFKA_SETTING = "kafka.setting" {
        why: "The engine's promises depend on this setting, or the Kafka client does not know the setting or the value.",
        example: "[kafka]\n\"enable.auto.commit\" = true",
        fix: "leave the key out"
    }
    KAFKA_FILE = "kafka.file" {
        why: "The Kafka client reads a certificate, a key or a token from the file that a setting names.",
        example: "[kafka]\n\"ssl.ca.location\" = \"ca.pme\"",
        fix: "[kafka]\n\"ssl.ca.location\" = \"/etc/connect/ca.pem\""
    }
    KAFKA_EXPOSED = "kafka.exposed" {
        why: "With this setting, others on the network can read credentials or impersonate the cluster.",
        example: "[kafka]\nbootstrap_servers = \"kafka.example:9092\"\n\"security.protocol\" = \"SASL_PLAINTEXT\"",
        fix: "[kafka]\nbootstrap_servers = \"kafka.example:9093\"\n\"security.protocol\" = \"SASL_SSL\""
    }
    SECRET_LITERAL = "secret.literal" {
        why: "A secret in a file is in every copy of the file: in version control, backups and tickets.",
        example: "password = \"hunter2\"",
        fix: "password = \"${env:PASSWORD}\""
    }
    SECRET_READABLE = "secret.readable" {
        why: "The file contains a secret, and every account of the machine can read it.",
        example: "password = \"hunter2\"   # in a file of mode 0644",
        fix: "chmod 0600 connectors.d/connect.toml"
    }
    BOOTSTRAP_TWICE = "kafka.bootstrap-twice" {
        why: "The address of the cluster is written under two names; choosing one of the two would be a guess.",
        example: "[kafka]\nbootstrap_servers = \"a:9092\"\n\"bootstrap.servers\" = \"b:9092\"",
        fix: "[kafka]\nbootstrap_servers = \"a:9092\""
    }
    HTTP_OPEN = "http.open" {
        why: "Every machine that reaches the address could read the names of connectors and what they wait for, and exhaust the connections.",
        example: "[http]\naddress = \"0.0.0.0:8083\"",
        fix: "[http]\naddress = \"0.0.0.0:8083\"\ntoken_file = \"/run/secrets/connect-token\"\ncertificate = \"/etc/connect/tls.crt\"\nkey = \"/etc/connect/tls.key\""
    }
    HTTP_INSECURE = "http.insecure" {
        why: "`insecure = true` answers other machines without a token or unencrypted. That is safe only behind a proxy or in a network of trusted machines.",
        example: "[http]\naddress = \"0.0.0.0:8083\"\ninsecure = true",
        fix: "[http]\naddress = \"0.0.0.0:8083\"\ntoken_file = \"/run/secrets/connect-token\"\ncertificate = \"/etc/connect/tls.crt\"\nkey = \"/etc/connect/tls.key\""
    }
    HTTP_TLS_PAIR = "http.tls-pair" {
        why: "A server needs both a certificate and its key.",
        example: "[http]\ncertificate = \"tls.crt\"",
        fix: "[http]\ncertificate = \"tls.crt\"\nkey = \"tls.key\""
    }
    NO_REGISTRY = "contract.no-registry" {
        why: "The contract is in the schema registry, and connect.toml does not configure a registry.",
        example: "[value]\nregistry = { subject = \"orders-value\" }   # without [registry] in connect.toml",
        fix: "[registry]\nurl = \"https://registry.example.com\""
    }
    NEEDS_REGISTRY = "contract.needs-registry" {
        why: "Avro bytes can only be read with the schema that wrote them, and the message contains only the id of that schema, so a schema registry is required. The same is true of every format whose bytes do not name fields.",
        example: "[value]\nformat = \"avro\"",
        fix: "[value]\nformat = \"avro\"\nregistry = {}"
    }
    REGISTRY_UNUSED = "contract.registry-unused" {
        why: "Text and bytes have no schema, so a registry would never be used.",
        example: "[value]\nformat = \"string\"\nregistry = {}",
        fix: "[value]\nformat = \"string\""
    }
    SCHEMA_UNUSED = "contract.schema-unused" {
        why: "Bytes have no fields that a JSON Schema could describe.",
        example: "[value]\nformat = \"bytes\"\nschema = \"../schemas/orders/schema.json\"",
        fix: "[value]\nformat = \"json\"\nschema = \"../schemas/orders/schema.json\""
    }
    FORMAT_UNUSED = "contract.format-unused" {
        why: "`key_format` and `value_format` are the formats of the messages that a sink writes, and this sink writes none.",
        example: "[[sinks]]\ntype = \"postgres\"\nvalue_format = { format = \"avro\" }",
        fix: "[[sinks]]\ntype = \"kafka\"\ntopic = \"orders\"\nvalue_format = { format = \"avro\", registry = {} }"
    }
    WRITE_ONLY = "contract.write-only" {
        why: "Where messages are read, each names the schema that wrote it. A schema to write with, a subject strategy and registering belong to the table that says how messages are written.",
        example: "topics = [\"orders\"]\n[value]\nformat = \"avro\"\nregistry = { auto_register = true }",
        fix: "topics = [\"orders\"]\n[value]\nformat = \"avro\"\nregistry = {}"
    }
    WRITE_SCHEMA = "contract.write-schema" {
        why: "`write_schema` names the file of the schema to write with. Registering it, and a subject that follows from its record's name, need the file; a format that is written without a schema does not take one.",
        example: "[value]\nformat = \"avro\"\nregistry = { auto_register = true }",
        fix: "[value]\nformat = \"avro\"\nwrite_schema = \"../schemas/order.avsc\"\nregistry = { auto_register = true }"
    }
    VERSION_UNUSED = "contract.version-unused" {
        why: "`version` chooses a schema of the subject. Where Avro is read each message names its own, and where `write_schema` is set that file is written with.",
        example: "[value]\nformat = \"avro\"\nregistry = { version = 3 }   # read",
        fix: "[value]\nformat = \"avro\"\nregistry = {}"
    }
    REGISTRY_URL = "registry.url" {
        why: "The registry is reached by HTTP, and its address is shown in messages: it carries no user and no password.",
        example: "[registry]\nurl = \"registry.example.com:8081\"",
        fix: "[registry]\nurl = \"https://registry.example.com:8081\""
    }
    REGISTRY_EXPOSED = "registry.exposed" {
        why: "Over http, everyone on the network between this machine and the registry can read the user and the password.",
        example: "[registry]\nurl = \"http://registry.example.com\"\nusername = \"app\"\npassword = \"${env:REGISTRY_PASSWORD}\"",
        fix: "[registry]\nurl = \"https://registry.example.com\"\nusername = \"app\"\npassword = \"${env:REGISTRY_PASSWORD}\""
    }
    REGISTRY_USERNAME = "registry.username" {
        why: "Basic authentication sends a user and a password together.",
        example: "[registry]\npassword = \"${env:REGISTRY_PASSWORD}\"",
        fix: "[registry]\nusername = \"connect\"\npassword = \"${env:REGISTRY_PASSWORD}\""
    }
    CONDITION_OF_TOMBSTONE = "condition.tombstone" {
        why: "A tombstone has no value, so a condition that reads a field of it cannot be evaluated. The tombstone is rejected, and the row that it should delete remains.",
        example: "[value]\ntombstone = \"delete\"\n[[transforms]]\ntype = \"filter\"\nwhen = \"value.total <= 0\"",
        fix: "when = \"value != null && value.total <= 0\""
    }
    UNKNOWN_FORMAT = "contract.unknown-format" {
        why: "An unknown `format` accepts every text, so a misspelt format checks nothing.",
        example: "{\"type\": \"string\", \"format\": \"datetime\"}",
        fix: "{\"type\": \"string\", \"format\": \"date-time\"}"
    }
    BAD_CONTRACT = "contract.invalid" {
        why: "The file that should be the contract cannot be read or is not a JSON Schema, so no record could be checked against it.",
        example: "[value]\nschema = \"../schemas/orders/schema.json\"   # a file with {\"type\": \"objekt\"}",
        fix: "{\"type\": \"object\"}"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use connect_contracts::{FormatConfig, RegistryConfig, Usage};
    use serde_json::json;

    use super::ALL;

    #[test]
    fn every_code_is_there_once_and_says_something() {
        for (index, one) in ALL.iter().enumerate() {
            let mut others = ALL.iter().skip(index + 1);
            assert!(others.all(|other| other.code != one.code), "{}", one.code);
            assert!(
                one.code.contains('.') && !one.why.is_empty(),
                "{}",
                one.code
            );
            assert!(
                !one.example.is_empty() && !one.fix.is_empty(),
                "{}",
                one.code
            );
        }
    }

    /// The contracts' own checks do not use the entries of the table.
    #[test]
    fn what_contracts_find_is_explained() {
        let formats = [
            (Usage::Read, json!({ "format": "avro" })),
            (Usage::Read, json!({ "format": "string", "registry": {} })),
            (
                Usage::Read,
                json!({ "format": "bytes", "schema": "a.json" }),
            ),
            (
                Usage::Read,
                json!({ "format": "avro", "registry": { "version": 3 } }),
            ),
            (
                Usage::Read,
                json!({ "registry": { "auto_register": true } }),
            ),
            (
                Usage::Write,
                json!({ "registry": { "auto_register": true } }),
            ),
        ];
        let registries = [
            json!({ "url": "ftp://a" }),
            json!({ "url": "http://user:password@a" }),
            json!({ "url": "a" }),
            json!({ "url": "http://a", "password": "secret" }),
        ];
        let formats = formats.map(|(usage, json)| {
            serde_json::from_value::<FormatConfig>(json)
                .unwrap()
                .check(usage)
        });
        let registries = registries.map(|json| {
            serde_json::from_value::<RegistryConfig>(json)
                .unwrap()
                .check()
        });
        for findings in formats.iter().chain(&registries) {
            assert!(!findings.is_empty());
            for finding in findings {
                assert!(
                    ALL.iter().any(|one| one.code == finding.code),
                    "{}",
                    finding.code
                );
            }
        }
    }
}
