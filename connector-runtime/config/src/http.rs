//! `[http]`: where the process answers, and whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use connect_api::{Cause, FilePath, Leaf, Severity};
use schemars::JsonSchema;
use serde::Deserialize;

use super::code;
use super::places::Places;
use super::report::{Draft, Report};

/// Where to listen, and who is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    pub address: HttpAddress,
    pub token_file: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    /// Other machines are answered without both of them.
    pub insecure: bool,
}

/// PEM files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl HttpConfig {
    /// Whether other machines are answered without a token or unencrypted.
    pub fn is_open(&self) -> bool {
        self.address.is_for_others() && (self.token_file.is_none() || self.tls.is_none())
    }

    /// Refuses what is open without saying so.
    pub fn check(&self) -> Result<(), Cause> {
        if !self.is_open() || self.insecure {
            return Ok(());
        }
        Err(Cause::new(
            "other machines could ask here without a token and encryption",
        )
        .with_help(
            "in [http] of connect.toml set `token_file`, `certificate` and `key`, or `insecure = true` where the network \
             is trusted",
        ))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpAddress {
    /// 127.0.0.1:8083, or the next free port.
    #[default]
    Default,
    /// This one and no other.
    At(SocketAddr),
    Off,
}

impl HttpAddress {
    /// Whether other machines reach it.
    pub fn is_for_others(self) -> bool {
        matches!(self, HttpAddress::At(address) if !address.ip().is_loopback())
    }
}

impl Leaf for HttpAddress {
    const FORMAT: &'static str = "listen-address";
    const ABOUT: &'static str = "Where to listen: an address with its port, or \"off\".";
    const EXPECTED: &'static str = "an address such as \"127.0.0.1:8083\", or \"off\"";
    const STAND_IN: Option<&'static str> = Some("off");

    fn parse(text: &str) -> Result<HttpAddress, String> {
        match text {
            "off" => Ok(HttpAddress::Off),
            _ => text.parse().map(HttpAddress::At).map_err(|_| {
                format!("`{text}` is not an address with its port such as \"127.0.0.1:8083\" or \"[::1]:8083\", and not \"off\"")
            }),
        }
    }
}

impl std::str::FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<HttpAddress, String> {
        HttpAddress::parse(text)
    }
}

impl<'de> Deserialize<'de> for HttpAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HttpAddress::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Metrics, health and status.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    /// Where to listen, or "off". Default: 127.0.0.1:8083, or the next free port.
    #[schemars(with = "Option<String>", extend("format" = HttpAddress::FORMAT))]
    pub(super) address: Option<HttpAddress>,
    /// A file with the token that requests bring as `Authorization: Bearer …`; health probes need none. Read at start.
    pub(super) token_file: Option<FilePath>,
    /// A PEM file with the certificate and its chain, for https.
    pub(super) certificate: Option<FilePath>,
    /// A PEM file with the key of the certificate (PKCS 8).
    pub(super) key: Option<FilePath>,
    /// Answers other machines although anybody there may ask and anybody between may read the answers.
    #[serde(default)]
    pub(super) insecure: bool,
}

/// What is meant by the table, and what is wrong with it.
pub(super) fn resolve(written: HttpTable, places: &Places, report: &mut Report) -> HttpConfig {
    let path = |path: FilePath| path.as_path().to_owned();
    let tls = match (written.certificate, written.key) {
        (Some(certificate), Some(key)) => Some(TlsFiles {
            certificate: path(certificate),
            key: path(key),
        }),
        (None, None) => None,
        (one, _) => {
            let (there, missing) = match one {
                Some(_) => ("certificate", "key"),
                None => ("key", "certificate"),
            };
            let pointer = format!("/http/{there}");
            let message = format!("`{there}` needs `{missing}`, too");
            let draft = Draft::error(code::HTTP_TLS_PAIR, places.key(&pointer), message);
            report.add(draft.at(pointer));
            None
        }
    };
    let config = HttpConfig {
        address: written.address.unwrap_or_default(),
        token_file: written.token_file.map(path),
        tls,
        insecure: written.insecure,
    };
    if let Err(cause) = config.check() {
        let pointer = "/http/address";
        let draft = Draft::error(code::HTTP_OPEN, places.value(pointer), cause.message);
        let help = cause.help.expect("a refusal says what to write");
        report.add(draft.help(help).at(pointer));
    } else if config.is_open() {
        let pointer = "/http/insecure";
        let message =
            "anybody who reaches this address may ask, and anybody between may read the answers";
        let draft = Draft::error(code::HTTP_INSECURE, places.key(pointer), message);
        report.add(draft.severity(Severity::Warning).at(pointer));
    }
    config
}
