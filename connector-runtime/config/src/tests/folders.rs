//! What is found about files and folders, and across files.

use connect_api::Severity;

use super::*;

const GOOD: &str = "topics = [\"a\"]\n[[sinks]]\ntype = \"print\"\n";

/// A valid connector with these settings of the process.
fn with_process(process: &str) -> Folder {
    Folder::new(&[("connectors.d/a.toml", GOOD), ("connect.toml", process)])
}

fn check(name: &str, folder: &Folder) {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("folder-{name}"), folder.drawn(Mode::Run));
    });
}

#[test]
fn two_connectors_of_one_name() {
    let one = format!("name = \"orders\"\n{GOOD}");
    check(
        "equal-names",
        &Folder::new(&[
            ("connectors.d/a.toml", &one),
            ("connectors.d/b.toml", &one),
            ("connectors.d/orders.toml", GOOD),
        ]),
    );
}

#[test]
fn names_of_files_that_are_no_names_of_connectors() {
    check(
        "bad-name",
        &Folder::new(&[("connectors.d/my orders.toml", GOOD)]),
    );
}

#[test]
fn an_empty_folder() {
    let files = [
        ("connectors.d/connect.toml", ""),
        ("connectors.d/a.test.toml", "x"),
        ("connectors.d/a.yaml", "x"),
        ("connectors.d/.a.toml", "x"),
    ];
    check("empty", &Folder::new(&files));
}

#[test]
fn a_folder_that_is_not_there() {
    let folder = Folder::new(&[]);
    let loaded = folder.load_dir(&folder.path("conectors.d"), Mode::Run);
    assert!(loaded.findings.has_errors());
    assert_eq!(
        loaded.findings.iter().next().unwrap().finding.code,
        "files.no-folder"
    );
}

#[test]
fn lines_of_files_outside_the_folder_are_not_shown() {
    let folder = Folder::new(&[
        ("private/shadow", "root:canary:19000:0:99999:7:::\n"),
        (
            "private/credentials.toml",
            "[registry]\ntoken = \"canary\"\n",
        ),
        (
            "private/connect.toml",
            "[kafka]\n\"ssl.key.pasword\" = \"canary\"\n",
        ),
        ("connectors.d/good.toml", GOOD),
    ]);
    let link = |to: &str, name: &str| {
        let name = folder.path("connectors.d").join(name);
        std::os::unix::fs::symlink(folder.path("private").join(to), name).unwrap();
    };
    link("shadow", "a.toml");
    link("", "linked");
    link("connect.toml", "connect.toml");
    check("outside", &folder);
    assert!(!folder.drawn(Mode::Run).contains("canary"));
}

#[test]
fn a_file_that_is_not_text() {
    let folder = Folder::new(&[]);
    std::fs::write(folder.path("connectors.d/a.toml"), b"name = \"caf\xe9\"\n").unwrap();
    check("not-utf-8", &folder);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back() {
    let folder = Folder::new(&[("connectors.d/a.toml", GOOD)]);
    std::os::unix::fs::symlink("..", folder.path("connectors.d/all")).unwrap();
    check("symlink-loop", &folder);
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_read_once() {
    let folder = Folder::new(&[("connectors.d/..2026/a.toml", GOOD)]);
    std::os::unix::fs::symlink("..2026", folder.path("connectors.d/..data")).unwrap();
    std::os::unix::fs::symlink("..data/a.toml", folder.path("connectors.d/a.toml")).unwrap();
    let loaded = folder.load(Mode::Run);
    assert!(
        loaded.findings.is_empty(),
        "{}",
        loaded.findings.draw(false)
    );
    assert_eq!(loaded.connectors.len(), 1);
}

#[test]
fn a_dangling_link_is_said() {
    let folder = Folder::new(&[("connectors.d/a.toml", GOOD)]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere.toml", folder.path("connectors.d/b.toml")).unwrap();
    check("dangling-link", &folder);
}

#[test]
fn one_broken_file_leaves_the_others() {
    let folder = Folder::new(&[
        ("connectors.d/a.toml", "taks = 1"),
        ("connectors.d/below/b.toml", GOOD),
    ]);
    let loaded = folder.load(Mode::Run);
    assert_eq!(loaded.connectors.len(), 1);
    assert_eq!(&*loaded.connectors[0].name, "b");
    assert_eq!(&*loaded.broken[0].name, "a");
}

#[test]
fn findings_come_in_the_order_of_files_and_lines() {
    let broken = "taks = 1\ntopics = []\n[[sinks]]\ntype = \"prnt\"\n[batch]\nlinger = \"x\"\n";
    let folder = Folder::new(&[
        ("connectors.d/b.toml", broken),
        ("connectors.d/a.toml", broken),
        ("connect.toml", "nonsense = 1"),
    ]);
    let found = folder.load(Mode::Run);
    let places: Vec<_> = found
        .findings
        .iter()
        .map(|one| (one.place.file().to_owned(), one.place.line()))
        .collect();
    let mut sorted = places.clone();
    sorted.sort();
    assert_eq!(places, sorted);
    assert_eq!(places.len(), 9, "{places:?}");
}

#[test]
fn broken_process_settings() {
    let process = "bootstrap = 1\n[kafka]\nbootstrap_servers = \"a:9092\"\nbootstrap.servers = \"b:9092\"\n\"enable.auto.commit\" = true\nsasl.password = \"hunter2\"\nssl.ca.location = [1]\n[registry]\npassword = \"hunter2\"\nurl = \"nowhere\"\n[http]\naddress = \"8083\"\n[defaults.batch]\nmax_record = 7\n[defaults.errors]\ntolerance = \"al\"\n";
    check("process", &with_process(process));
}

#[test]
fn an_inherited_tolerance_is_told_as_such() {
    let process = "[defaults.errors]\ntolerance = \"all\"\n";
    check("inherited-tolerance", &with_process(process));
}

#[test]
fn answering_other_machines() {
    let cases = [
        ("http-open", "address = \"0.0.0.0:8083\""),
        (
            "http-open-half",
            "address = \"[::]:8083\"\ntoken_file = \"token\"",
        ),
        (
            "http-insecure",
            "address = \"0.0.0.0:8083\"\ninsecure = true",
        ),
        ("http-tls-pair", "certificate = \"tls.crt\""),
    ];
    for (name, keys) in cases {
        let settings = format!("[http]\n{keys}\n");
        let files = [
            ("connectors.d/a.toml", GOOD),
            ("connectors.d/connect.toml", &*settings),
            ("connectors.d/token", ""),
            ("connectors.d/tls.crt", ""),
        ];
        check(name, &Folder::new(&files));
    }
}

#[test]
fn settings_that_let_others_read_or_pretend() {
    let settings = "[kafka]\nbootstrap_servers = \"kafka.example:9092\"\n\
        \"security.protocol\" = \"sasl_plaintext\"\n\
        \"enable.ssl.certificate.verification\" = false\n\
        \"ssl.endpoint.identification.algorithm\" = \"none\"\n";
    let files = [
        ("connectors.d/a.toml", GOOD),
        ("connectors.d/connect.toml", settings),
    ];
    check("kafka-exposed", &Folder::new(&files));
    let here = settings.replace("kafka.example", "localhost");
    let files = [
        ("connectors.d/a.toml", GOOD),
        ("connectors.d/connect.toml", &*here),
    ];
    assert!(
        !Folder::new(&files)
            .drawn(Mode::Run)
            .contains("can read the credentials")
    );
}

#[test]
fn settings_of_the_client_that_are_almost_right() {
    let process = "[kafka]\n\"bootstrap.server\" = \"a:9092\"\n\"security.protocol\" = \"SLL\"\n\"sasl.mechansm\" = \"PLAIN\"\n\"ssl.truststore.location\" = \"ca.jks\"\n\"colour\" = 1\n";
    check("process-client", &with_process(process));
}

/// What can be known without the variables is found without them.
#[test]
fn names_of_settings_whose_values_are_not_known() {
    let process = "[kafka]\n\"sasl.passwd\" = \"${env:UNSET_PASSWORD}\"\n\"group.id\" = \"${env:UNSET_GROUP}\"\n\"sasl.username\" = \"${env:UNSET_USER}\"\n";
    let folder = with_process(process);
    let found: Vec<_> = folder
        .load(Mode::Check)
        .findings
        .iter()
        .filter(|one| one.finding.severity == Severity::Error)
        .map(|one| (one.finding.code, one.place.line()))
        .collect();
    assert_eq!(found, [("kafka.setting", 2), ("kafka.setting", 3)]);
}

#[test]
fn files_of_the_client_that_are_missing() {
    let folder = |path: &str| {
        let process = format!("[kafka]\n\"ssl.ca.location\" = \"{path}\"\n");
        with_process(&process)
    };
    let missing = folder("/nowhere/ca.pem");
    check("kafka-file", &missing);
    let notes = missing.load(Mode::Check).findings;
    let count = notes.count(Severity::Note);
    assert_eq!((count, notes.has_errors()), (1, false));
    // A folder of certificates, and librdkafka's word for looking itself.
    for path in ["/", "probe"] {
        assert_eq!(folder(path).drawn(Mode::Run), "", "{path}");
    }
}

#[test]
fn a_variable_that_is_empty_is_said_to_be() {
    let sink = |url: &str| {
        let file = format!(
            "topics = [\"a\"]\n[[sinks]]\ntype = \"warehouse\"\nurl = \"{url}\"\n[[sinks.tables]]\ntable = \"t\"\ncolumns = {{ a = \"@.a\" }}\n"
        );
        Folder::new(&[("connectors.d/a.toml", &file)]).drawn(Mode::Run)
    };
    let empty = sink("${env:EMPTY}");
    assert!(
        empty.contains("the environment variable EMPTY is empty"),
        "{empty}"
    );
    assert!(empty.contains("connectors.d/a.toml:4:8"), "{empty}");
    for meant in ["${env:EMPTY:-}", "postgres://${env:EMPTY}localhost"] {
        assert!(!sink(meant).contains("is empty"), "{meant}");
    }
}

#[test]
fn it_is_known_whether_anything_says_where_kafka_is() {
    let cases = [
        ("", None, "localhost:9092", true),
        ("", Some(""), "localhost:9092", true),
        ("", Some("a:1"), "a:1", false),
        ("[kafka]\nbootstrap_servers = \"b:1\"\n", None, "b:1", false),
    ];
    for (process, variable, servers, is_default) in cases {
        let folder = with_process(process);
        let environment = |name: &str| {
            variable
                .filter(|_| name == "KAFKA_BOOTSTRAP_SERVERS")
                .map(str::to_owned)
        };
        let dir = folder.path("connectors.d");
        let loaded = load_with(&dir, None, &fakes::plugins(), Mode::Run, &environment).process;
        assert_eq!(
            (&*loaded.bootstrap_servers, loaded.servers_are_default),
            (servers, is_default),
            "{process:?} {variable:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read_to_its_end() {
    let folder = Folder::new(&[("connectors.d/a.toml", GOOD)]);
    std::os::unix::fs::symlink("/dev/zero", folder.path("connectors.d/b.toml")).unwrap();
    assert!(
        folder
            .drawn(Mode::Run)
            .contains("neither a file nor a link"),
        "{}",
        folder.drawn(Mode::Run)
    );
}

#[test]
fn the_registry_has_to_be_said() {
    let file = format!("{GOOD}[value]\nformat = \"avro\"\nregistry = {{ subject = \"a\" }}\n");
    check(
        "no-registry",
        &Folder::new(&[("connectors.d/a.toml", &file)]),
    );
    let folder = Folder::new(&[
        ("connectors.d/a.toml", &file),
        (
            "connect.toml",
            "[registry]\nurl = \"http://127.0.0.1:8081\"\n",
        ),
    ]);
    assert_eq!(folder.drawn(Mode::Run), "");
}

#[test]
fn check_without_env_only_notes_what_is_not_here() {
    let file = "topics = [\"a\"]\ntasks = \"${env:UNSET_TASKS}\"\n[[sinks]]\ntype = \"warehouse\"\nurl = \"${env:UNSET_URL}\"\ntimeout = \"${env:UNSET_TIMEOUT}\"\npassword = \"${file:/nowhere/password}\"\n[[sinks.tables]]\ntable = \"t\"\ncolumns = { a = \"@.a\" }\n";
    let folder = Folder::new(&[("connectors.d/a.toml", file)]);
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("folder-unset-check", folder.drawn(Mode::Check));
        insta::assert_snapshot!("folder-unset-run", folder.drawn(Mode::Run));
    });
}
