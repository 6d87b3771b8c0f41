//! `[kafka]`: settings of the Kafka client.

use std::collections::BTreeMap;

use connect_api::{Finding, Secret, pointer};
use serde_json::Value as Json;

use super::codes;
use super::file::ConfigFile;
use super::loading::Mode;
use super::resolve::ProcessConfig;
use super::suggest::nearest;

/// The address of the cluster, spelt like this project's keys and like Kafka's.
const SERVERS_KEYS: [&str; 2] = ["bootstrap_servers", "bootstrap.servers"];

/// Checks the table and reads it into the settings of the process.
pub(super) fn read(table: &Json, mode: Mode, file: &mut ConfigFile, process: &mut ProcessConfig) {
    let mut settings = BTreeMap::new();
    flatten(table, String::new(), "/kafka".to_owned(), &mut settings);
    let mut servers: Option<String> = None;
    let mut pointers = BTreeMap::new();
    for (name, (pointer, value)) in settings {
        let Some(text) = scalar(value) else {
            if !file.has_errors_in(&pointer) {
                let message = format!("`{name}` must be a string, a number, true or false");
                let finding = codes::WRONG_TYPE.error(pointer, message);
                file.add(finding.with_label("not the value of a setting"));
            }
            continue;
        };
        if SERVERS_KEYS.contains(&name.as_str()) {
            if servers.replace(text).is_some() {
                file.add_at_key(
                    codes::BOOTSTRAP_TWICE
                        .error(
                            pointer,
                            "the address of the cluster is written under two names",
                        )
                        .with_label("one of the two")
                        .with_help("keep `bootstrap_servers`"),
                );
            }
        } else if is_setting(&name, &text, &pointer, file) && !file.is_unknown(&pointer) {
            if let Some(finding) = missing_file(&name, &text, &pointer, mode) {
                file.add(finding);
            }
            if let Ok(secret) = Secret::parse(&text) {
                pointers.insert(name.clone(), pointer);
                process.kafka.insert(name, secret);
            }
        }
    }
    if let Some(servers) = servers {
        process.bootstrap_servers = servers;
        process.servers_are_default = false;
    }
    for exposure in exposures(process) {
        let pointer = pointers
            .get(exposure.setting)
            .expect("an exposure is of a setting that was read");
        let finding = codes::KAFKA_EXPOSED.warning(pointer, exposure.message);
        file.add(finding.with_help(exposure.help));
    }
}

/// Whether the setting is allowed and has a valid value; reported if not. If the value is not known here, only the name is
/// checked.
fn is_setting(name: &str, text: &str, pointer: &str, file: &mut ConfigFile) -> bool {
    let checked = if file.is_unknown(pointer) {
        connect_kafka::check_setting_name(name)
    } else {
        connect_kafka::check_setting(name, text)
    };
    let Err(cause) = checked else {
        return true;
    };
    let is_value_invalid = connect_kafka::is_setting(name)
        && connect_kafka::of_java(name).is_none()
        && cause.help.is_none();
    let mut finding = codes::KAFKA_SETTING.error(pointer, cause.message);
    finding.help = cause.help.or_else(|| meant_setting(name));
    if is_value_invalid {
        file.add(finding.with_label("not a value of this setting"));
    } else {
        file.add_at_key(finding.with_label("not a setting for [kafka]"));
    }
    false
}

/// Checks the file that a setting names.
fn missing_file(name: &str, path: &str, pointer: &str, mode: Mode) -> Option<Finding> {
    // "probe" makes librdkafka search for the certificate authorities.
    let names_file = name.ends_with(".location") || name.ends_with(".file");
    if !names_file || path == "probe" {
        return None;
    }
    // The file is not opened: `check` runs on files before they are reviewed, and would block on a named pipe.
    let error = std::fs::metadata(path).err()?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let message = format!("the file of `{name}` cannot be found: {error}");
    let finding = codes::KAFKA_FILE
        .error(pointer, message)
        .with_severity(mode.severity_of_missing())
        .with_label(format!("looked for {}", absolute.display()))
        .with_help(
            "the path is relative to the folder where connect is started; write an absolute one",
        );
    Some(finding)
}

/// A setting that lets others read the traffic or impersonate a broker.
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
            message: "everyone on the network between this machine and the brokers can read the credentials and every record",
            help: "write `SASL_SSL` if the brokers have it",
        });
    }
    if setting("enable.ssl.certificate.verification") == "false" {
        found.push(Exposure {
            setting: "enable.ssl.certificate.verification",
            message: "everyone on the network between this machine and the brokers can impersonate a broker",
            help: "name the authority that signed their certificates: \"ssl.ca.location\" = \"ca.pem\"",
        });
    }
    if setting("ssl.endpoint.identification.algorithm") == "none" {
        found.push(Exposure {
            setting: "ssl.endpoint.identification.algorithm",
            message: "a machine with a certificate of the same authority can impersonate a broker",
            help: "remove the key, so that certificates are compared with the names of the brokers",
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

/// The setting that was probably meant by an unknown name.
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

/// Joins the names of nested tables, because TOML reads `security.protocol = "SSL"` as a table in a table.
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
                flatten(member, name, pointer::member(&pointer, step), settings);
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
