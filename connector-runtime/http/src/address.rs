//! The hosts that may be requested, and the addresses that they may have.
//!
//! A name in a URL can resolve to anything: the metadata service of a cloud, a database on the same network, this
//! machine. So every address is checked after the lookup, for each connection, and the connection goes to the very
//! address that was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The URL of a request, and the addresses that its host may have.
#[derive(Clone, Debug)]
pub struct UrlHost {
    url: Url,
    allowed: Allowed,
}

/// How far a configuration lets requests reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, over `https`. A host that is written as a loopback address or `localhost` is this machine, and
    /// may be requested over `http`: whoever writes that means it.
    Public,
    /// Private networks, too; `http` only there.
    Private,
}

/// The addresses that a host may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Public,
    Loopback,
    /// Addresses that are not public: the request is not encrypted.
    NotPublic,
    Any,
}

impl UrlHost {
    /// `Err` describes the problem. The URL parser has already normalised odd spellings of an address (decimal,
    /// octal, IPv6-mapped).
    pub fn parse(text: &str, reach: Reach) -> Result<UrlHost, String> {
        let url = Url::parse(text).map_err(|error| {
            format!(
                "`url` is not a URL ({error}); expected one such as \"https://api.example.com/\""
            )
        })?;
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || !matches!(url.scheme(), "http" | "https") {
            return Err(format!(
                "`url` starts with `{}:`; expected `https://` and a host",
                url.scheme()
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`url` contains a user name or password, which URLs leak into logs".into());
        }
        let literal = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .ok();
        let names_loopback = literal.map_or(host == "localhost", |address| {
            address.to_canonical().is_loopback()
        });
        let is_encrypted = url.scheme() == "https";
        let allowed = match reach {
            _ if names_loopback => Allowed::Loopback,
            Reach::Public => Allowed::Public,
            Reach::Private if is_encrypted => Allowed::Any,
            Reach::Private => Allowed::NotPublic,
        };
        if let Some(address) = literal.filter(|address| !allowed.allows(*address)) {
            return Err(match reach {
                Reach::Public => format!("`url` names {address}, which is not a public address"),
                Reach::Private => format!(
                    "`url` starts with `http://`, and {address} is a public address; expected `https://`"
                ),
            });
        }
        if allowed == Allowed::Public && !is_encrypted {
            return Err(
                "`url` starts with `http://`; expected `https://`, except for a loopback address"
                    .into(),
            );
        }
        Ok(UrlHost { url, allowed })
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn name(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Resolves names and passes on only addresses that this host may have.
    pub(crate) fn resolver(&self) -> JudgingResolver {
        JudgingResolver {
            allowed: self.allowed,
        }
    }
}

/// A resolver that checks the addresses it finds.
pub(crate) struct JudgingResolver {
    allowed: Allowed,
}

/// The address of a name that must not be requested.
#[derive(Debug)]
pub(crate) struct Denied(pub(crate) IpAddr);

impl std::fmt::Display for Denied {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} is not a public address", self.0)
    }
}

impl std::error::Error for Denied {}

impl Resolve for JudgingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One forbidden address spoils the answer: a mixed answer tries to get the second attempt there.
            if let Some(denied) = found.iter().find(|address| !allowed.allows(address.ip())) {
                return Err(Denied(denied.ip()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Allowed {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Allowed::Public => is_public(address),
            Allowed::Loopback => address.to_canonical().is_loopback(),
            Allowed::NotPublic => !is_public(address),
            Allowed::Any => true,
        }
    }
}

/// Whether an address is on the public internet: not this machine, not a private or link-local network (where clouds
/// have their metadata), not multicast, not reserved by IANA's registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let protocol_assignments = (first, second, third) == (192, 0, 0);
    let benchmarking = first == 198 && (18..20).contains(&second);
    let relay = (first, second, third) == (192, 88, 99);
    !(first == 0
        || first >= 224
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || protocol_assignments
        || benchmarking
        || relay)
}

/// Only 2000::/3 is assigned at all; its documentation and protocol ranges are not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let protocol_assignments = first == 0x2001 && second < 0x0200;
    let documentation = (first, second) == (0x2001, 0x0db8) || first == 0x3fff;
    (0x2000..0x4000).contains(&first) && !protocol_assignments && !documentation
}

/// The IPv4 address to which NAT64 (64:ff9b::/96) or 6to4 (2002::/16) would send a packet.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from =
        |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (a, b) {
        (0x0064, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => from(g, h),
        (0x2002, high) => from(high, c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn addresses_are_judged() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "99.255.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:0808:0808::1",
        ];
        let denied = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:0001::1",
            "2002:a9fe:a9fe::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "4000::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in denied {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_where_they_lead() {
        let lookup = async |allowed| {
            let resolver = JudgingResolver { allowed };
            resolver.resolve("localhost".parse().unwrap()).await
        };
        let refused = lookup(Allowed::Public).await.err().unwrap();
        assert!(refused.downcast_ref::<Denied>().is_some(), "{refused}");
        let mut found = lookup(Allowed::Loopback).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn urls_are_judged_in_every_spelling() {
        let good = [
            "https://randomuser.me/api/",
            "https://randomuser.me:8443/api/1.4/?exc=cell",
            "https://1.1.1.1/",
            "http://localhost:8080/api/",
            "http://127.0.0.1:8080/api/",
            "http://127.1:8080/",
            "http://[::1]:8080/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "https://LOCALHOST/",
        ];
        for url in good {
            assert!(
                UrlHost::parse(url, Reach::Public).is_ok(),
                "{url}: {:?}",
                UrlHost::parse(url, Reach::Public)
            );
        }
        let bad = [
            ("randomuser.me/api/", "not a URL"),
            ("", "not a URL"),
            ("file:///etc/passwd", "`file:`"),
            ("ftp://randomuser.me/", "`ftp:`"),
            ("data:application/json,{}", "`data:`"),
            ("http://randomuser.me/api/", "expected `https://`"),
            (
                "https://user:canary@randomuser.me/",
                "user name or password",
            ),
            (
                "http://169.254.169.254/latest/meta-data/",
                "169.254.169.254",
            ),
            ("https://0xA9FEA9FE/", "169.254.169.254"),
            ("https://2852039166/", "169.254.169.254"),
            ("https://0251.0376.0251.0376/", "169.254.169.254"),
            ("https://169.254.43518/", "169.254.169.254"),
            ("https://[::ffff:a9fe:a9fe]/", "not a public address"),
            ("https://[fd00:ec2::254]/", "not a public address"),
            ("https://[64:ff9b::a9fe:a9fe]/", "not a public address"),
            ("https://10.1.2.3/", "not a public address"),
            ("https://0/", "0.0.0.0"),
            ("https://[::]/", "not a public address"),
            ("https://192.168.0.1:5432/", "not a public address"),
        ];
        for (url, expected) in bad {
            let reason = UrlHost::parse(url, Reach::Public).unwrap_err();
            assert!(reason.contains(expected), "{url}: {reason}");
            assert!(!reason.contains("canary"), "{reason}");
        }
    }

    #[test]
    fn private_networks_are_reached_where_the_file_allows_it() {
        for (url, expected) in [
            ("http://10.1.2.3:8080/", None),
            ("https://10.1.2.3/", None),
            ("https://1.1.1.1/", None),
            ("http://service.internal:8080/", None),
            ("http://localhost/", None),
            ("http://1.1.1.1/", Some("1.1.1.1 is a public address")),
            ("ftp://10.1.2.3/", Some("`ftp:`")),
        ] {
            match (UrlHost::parse(url, Reach::Private), expected) {
                (Ok(_), None) => {}
                (Err(reason), Some(expected)) => assert!(reason.contains(expected), "{reason}"),
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
    }
}
