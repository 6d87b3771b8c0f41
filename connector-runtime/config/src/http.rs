//! `[http]`: the address of metrics, health and status, and who may use it.

use std::net::SocketAddr;
use std::path::Path;

use connect_api::{Cause, FilePath, Leaf};
use schemars::JsonSchema;
use serde::Deserialize;

use super::codes;
use super::file::ConfigFile;

/// Metrics, health and status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to listen, or "off". Default: 127.0.0.1:8083, or the next free port.
    #[schemars(with = "Option<String>", extend("format" = HttpAddress::FORMAT))]
    pub address: HttpAddress,
    /// A file with the token that requests carry as `Authorization: Bearer …`; health probes need none. Read at start.
    pub token_file: Option<FilePath>,
    /// A PEM file with the certificate and its chain, for https.
    pub certificate: Option<FilePath>,
    /// A PEM file with the key of the certificate (PKCS 8).
    pub key: Option<FilePath>,
    /// Answers other machines although everyone there can send requests and everyone on the network can read the responses.
    pub insecure: bool,
}

/// The PEM files of a server.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    pub certificate: &'a Path,
    pub key: &'a Path,
}

impl HttpConfig {
    /// `None`: HTTP without encryption.
    pub fn tls(&self) -> Option<TlsFiles<'_>> {
        Some(TlsFiles {
            certificate: self.certificate.as_ref()?.as_path(),
            key: self.key.as_ref()?.as_path(),
        })
    }

    /// Whether other machines are answered without a token or unencrypted.
    pub fn is_open(&self) -> bool {
        self.address.is_for_others() && (self.token_file.is_none() || self.tls().is_none())
    }

    /// Refuses an open address unless `insecure` is set.
    pub fn check(&self) -> Result<(), Cause> {
        if !self.is_open() || self.insecure {
            return Ok(());
        }
        Err(Cause::new(
            "other machines could send requests without a token and encryption",
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
    /// Exactly this one.
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

/// Reports what is wrong with the table.
pub(super) fn check(config: &HttpConfig, file: &mut ConfigFile) {
    let unpaired = match (&config.certificate, &config.key) {
        (Some(_), None) => Some(("certificate", "key")),
        (None, Some(_)) => Some(("key", "certificate")),
        _ => None,
    };
    if let Some((present, missing)) = unpaired {
        let message = format!("`{present}` needs `{missing}`, too");
        file.add_at_key(codes::HTTP_TLS_PAIR.error(format!("/http/{present}"), message));
    }
    if let Err(cause) = config.check() {
        let help = cause.help.expect("a refusal has a help");
        let finding = codes::HTTP_OPEN.error("/http/address", cause.message);
        file.add(finding.with_help(help));
    } else if config.is_open() {
        let message = "everyone who reaches this address can send requests, and everyone on the network can read the responses";
        file.add_at_key(codes::HTTP_INSECURE.warning("/http/insecure", message));
    }
}
