//! `[kafka]`: settings of the Kafka client.

use std::collections::BTreeMap;
use std::ops::Range;

use connect_api::{Secret, Severity, pointer};
use serde_json::Value as Json;

use super::code;
use super::loading::Mode;
use super::places::Places;
use super::report::{Draft, Report};
use super::resolve::ProcessConfig;
use super::suggest::nearest;

/// The two ways to write the cluster's address: as this project writes keys, and as Kafka does.
const SERVERS_KEYS: [&str; 2] = ["bootstrap_servers", "bootstrap.servers"];

/// Reads the table into the settings of the process.
pub(super) fn read(
    table: Option<&Json>,
    mode: Mode,
    places: &Places,
    report: &mut Report,
    process: &mut ProcessConfig,
) {
    let mut settings = BTreeMap::new();
    if let Some(table) = table {
        flatten(table, String::new(), "/kafka".to_owned(), &mut settings);
    }
    let mut servers: Option<String> = None;
    let mut pointers = BTreeMap::new();
    for (name, (pointer, value)) in settings {
        let Some(text) = scalar(value) else {
            if report.has_errors_in(&pointer) {
                continue;
            }
            report.add(
                Draft::error(
                    code::WRONG_TYPE,
                    places.value(&pointer),
                    format!("`{name}` must be a string, a number, true or false"),
                )
                .label("not a setting's value")
                .at(pointer),
            );
            continue;
        };
        if SERVERS_KEYS.contains(&name.as_str()) {
            if servers.replace(text).is_some() {
                report.add(
                    Draft::error(
                        code::BOOTSTRAP_TWICE,
                        places.key(&pointer),
                        "the address of the cluster is written under two names",
                    )
                    .label("one of the two")
                    .help("leave `bootstrap_servers`")
                    .at(pointer),
                );
            }
            continue;
        }
        let is_unknown = report.is_unknown(&pointer);
        let checked = if is_unknown {
            connect_kafka::check_setting_name(&name)
        } else {
            connect_kafka::check_setting(&name, &text)
        };
        if let Err(cause) = checked {
            let of_java = connect_kafka::of_java(&name).is_some();
            let draft = if connect_kafka::is_setting(&name) && !of_java && cause.help.is_none() {
                Draft::error(code::KAFKA_SETTING, places.value(&pointer), cause.message)
                    .label("not a value of this setting")
            } else {
                Draft::error(code::KAFKA_SETTING, places.key(&pointer), cause.message)
                    .label("not a setting for [kafka]")
            };
            let help = cause.help.or_else(|| meant_setting(&name));
            report.add(match help {
                Some(help) => draft.help(help).at(pointer),
                None => draft.at(pointer),
            });
            continue;
        }
        if is_unknown {
            continue;
        }
        if let Some(draft) = missing_file(&name, &text, mode) {
            report.add(draft(places.value(&pointer)).at(pointer.clone()));
        }
        if let Ok(secret) = Secret::parse(&text) {
            pointers.insert(name.clone(), pointer);
            process.kafka.insert(name, secret);
        }
    }
    if let Some(servers) = servers {
        process.bootstrap_servers = servers;
        process.servers_are_default = false;
    }
    for Exposure {
        setting,
        message,
        help,
    } in exposures(process)
    {
        let pointer = pointers
            .get(setting)
            .expect("an exposure is of a setting that was read");
        let draft = Draft::error(code::KAFKA_EXPOSED, places.value(pointer), message);
        let draft = draft.severity(Severity::Warning).help(help);
        report.add(draft.at(pointer));
    }
}

/// What is wrong with the file that a setting names, to be put at its place. CI does not have the files of the machines where
/// connectors run: `check` only notes it.
fn missing_file(name: &str, path: &str, mode: Mode) -> Option<impl Fn(Range<usize>) -> Draft> {
    // librdkafka looks for the authorities itself where it is told to probe.
    let names_file = name.ends_with(".location") || name.ends_with(".file");
    if !names_file || path == "probe" {
        return None;
    }
    // Not opened: `check` runs on files before they are reviewed, and a named pipe would hold it.
    let error = std::fs::metadata(path).err()?;
    let message = format!("the file of `{name}` is not there: {error}");
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let label = format!("looked for {}", absolute.display());
    let severity = if mode == Mode::Check {
        Severity::Note
    } else {
        Severity::Error
    };
    Some(move |span| {
        Draft::error(code::KAFKA_FILE, span, message.clone())
            .severity(severity)
            .label(label.clone())
            .help("the path is relative to the folder where connect is started; write an absolute one")
    })
}

/// A setting that lets others read or pretend.
struct Exposure {
    setting: &'static str,
    message: &'static str,
    help: &'static str,
}

fn exposures(process: &ProcessConfig) -> Vec<Exposure> {
    let setting = |name: &str| {
        let text = process.kafka.get(name).map(Secret::expose);
        text.unwrap_or_default().to_ascii_lowercase()
    };
    let mut found = Vec::new();
    let protocol = setting("security.protocol");
    if protocol == "sasl_plaintext" && !is_this_machine(&process.bootstrap_servers) {
        found.push(Exposure {
            setting: "security.protocol",
            message: "the network between here and the brokers can read the credentials and every record",
            help: "write `SASL_SSL` if the brokers have it",
        });
    }
    if setting("enable.ssl.certificate.verification") == "false" {
        found.push(Exposure {
            setting: "enable.ssl.certificate.verification",
            message: "anybody between here and the brokers can pretend to be one",
            help: "name the authority that signed their certificates: \"ssl.ca.location\" = \"ca.pem\"",
        });
    }
    if setting("ssl.endpoint.identification.algorithm") == "none" {
        found.push(Exposure {
            setting: "ssl.endpoint.identification.algorithm",
            message: "a machine with a certificate of the same authority can pretend to be a broker",
            help: "leave the key out: certificates are held against the names of the brokers",
        });
    }
    found
}

/// Whether every server of `a:9092,b:9092` is on the loopback interface.
fn is_this_machine(servers: &str) -> bool {
    let host = |server: &str| {
        let server = server.trim();
        let server = server
            .rsplit_once("://")
            .map_or(server, |(_, server)| server);
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        host.trim_matches(['[', ']']).to_ascii_lowercase()
    };
    servers.split(',').map(host).all(|host| {
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

/// The setting that was probably meant by a name that is none.
fn meant_setting(name: &str) -> Option<String> {
    if let Some(ours) = connect_kafka::of_java(name) {
        return Some(format!("the Java client's `{name}` is here {ours}"));
    }
    if connect_kafka::is_setting(name) {
        return None;
    }
    let near = nearest(name, connect_kafka::allowed_settings())?;
    Some(format!("did you mean `{near}`?"))
}

/// `security.protocol = "SSL"` without quotes is a table in a table for TOML; here it is one name.
fn flatten<'v>(
    table: &'v Json,
    name: String,
    pointer: String,
    settings: &mut BTreeMap<String, (String, &'v Json)>,
) {
    match table {
        Json::Object(members) => {
            for (step, member) in members {
                let name = if name.is_empty() {
                    step.clone()
                } else {
                    format!("{name}.{step}")
                };
                let mut pointer = pointer.clone();
                pointer::push(&mut pointer, step);
                flatten(member, name, pointer, settings);
            }
        }
        other if !name.is_empty() => {
            settings.insert(name, (pointer, other));
        }
        _ => {}
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether the value at this pointer of connect.toml is a password or a key.
pub(super) fn is_secret(pointer: &str) -> bool {
    const SECRET: [&str; 8] = [
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
    ];
    let name = pointer
        .strip_prefix("/kafka/")
        .map(|name| name.replace('/', "."));
    name.is_some_and(|name| SECRET.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines() {
        for servers in [
            "localhost:9092",
            "127.0.0.1:1, [::1]:9092",
            "SASL_SSL://LOCALHOST:9092",
        ] {
            assert!(is_this_machine(servers), "{servers}");
        }
        for servers in [
            "kafka:9092",
            "localhost:9092,kafka:9092",
            "10.0.0.1:9092",
            "localhost.evil:1",
        ] {
            assert!(!is_this_machine(servers), "{servers}");
        }
    }
}
