//! TLS servers that a client must refuse, each for a single reason, and one that it must accept.
//!
//! A server only performs the handshake and counts the clients that complete it. In every version of the protocol a
//! client sends its last message of the handshake after it has accepted the certificate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslContextBuilder, SslMethod, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// The certificate and protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presents {
    /// A valid certificate.
    Good,
    /// Signed by an authority that the client does not trust.
    ForeignAuthority,
    /// Issued for another host.
    ForeignHost,
    Expired,
    /// A valid certificate, over TLS 1.1.
    Tls11,
}

/// The protocol before the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    Nothing,
    /// The client first asks whether the server supports TLS.
    Postgres,
}

/// An authority that clients trust, and one that they do not.
pub struct Authorities {
    trusted: Authority,
    foreign: Authority,
    folder: tempfile::TempDir,
}

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authorities {
    pub fn new() -> Authorities {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trusted = Authority::new("trusted");
        let pem = trusted.certificate.to_pem().expect("PEM");
        std::fs::write(folder.path().join("ca.crt"), pem).expect("write");
        let foreign = Authority::new("foreign");
        Authorities {
            trusted,
            foreign,
            folder,
        }
    }

    /// The certificate of the trusted authority.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    pub fn serve(&self, presents: Presents, preface: Preface) -> TlsServer {
        TlsServer::start(self.context(presents).build(), preface)
    }

    fn context(&self, presents: Presents) -> openssl::ssl::SslAcceptorBuilder {
        let (host, days) = match presents {
            Presents::ForeignHost => ("elsewhere.example", [-2, 2]),
            Presents::Expired => ("localhost", [-2, -1]),
            _ => ("localhost", [-2, 2]),
        };
        let authority = match presents {
            Presents::ForeignAuthority => &self.foreign,
            _ => &self.trusted,
        };
        let (certificate, key) = authority.issue(host, days);
        let mut context = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).expect("TLS");
        context.set_certificate(&certificate).expect("certificate");
        context.set_private_key(&key).expect("key");
        if presents == Presents::Tls11 {
            only_tls_1_1(&mut context);
        }
        context
    }
}

impl Default for Authorities {
    fn default() -> Authorities {
        Authorities::new()
    }
}

/// OpenSSL itself has dropped it from its defaults: its signatures are too weak for security level 1.
fn only_tls_1_1(context: &mut SslContextBuilder) {
    context.clear_options(context.options());
    context
        .set_min_proto_version(Some(SslVersion::TLS1_1))
        .expect("TLS 1.1");
    context
        .set_max_proto_version(Some(SslVersion::TLS1_1))
        .expect("TLS 1.1");
    context.set_cipher_list("ALL:@SECLEVEL=0").expect("ciphers");
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = key();
        let mut builder = certificate(name, &key, [-2, 2]);
        let constraints = BasicConstraints::new().critical().ca().build();
        builder
            .append_extension(constraints.expect("extension"))
            .expect("extension");
        let own_name = subject(name);
        builder.set_issuer_name(&own_name).expect("issuer");
        builder.sign(&key, MessageDigest::sha256()).expect("sign");
        Authority {
            certificate: builder.build(),
            key,
        }
    }

    /// A certificate for a host; `days` are its first and last day, counted from now.
    fn issue(&self, host: &str, days: [i64; 2]) -> (X509, PKey<Private>) {
        let key = key();
        let mut builder = certificate(host, &key, days);
        let issuer = self.certificate.subject_name();
        builder.set_issuer_name(issuer).expect("issuer");
        let names = SubjectAlternativeName::new()
            .dns(host)
            .build(&builder.x509v3_context(Some(&self.certificate), None));
        builder
            .append_extension(names.expect("extension"))
            .expect("extension");
        builder
            .sign(&self.key, MessageDigest::sha256())
            .expect("sign");
        (builder.build(), key)
    }
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key")
}

fn subject(name: &str) -> openssl::x509::X509Name {
    let mut builder = X509NameBuilder::new().expect("a name");
    builder.append_entry_by_text("CN", name).expect("a name");
    builder.build()
}

fn certificate(name: &str, key: &PKey<Private>, days: [i64; 2]) -> X509Builder {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_secs()).expect("seconds");
    let [first, last] =
        days.map(|day| Asn1Time::from_unix(now + day * 24 * 60 * 60).expect("a time"));
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version");
    let mut serial = BigNum::new().expect("a number");
    serial
        .rand(127, MsbOption::MAYBE_ZERO, false)
        .expect("a number");
    builder
        .set_serial_number(&serial.to_asn1_integer().expect("a number"))
        .expect("serial");
    builder.set_subject_name(&subject(name)).expect("subject");
    builder.set_pubkey(key).expect("key");
    builder.set_not_before(&first).expect("time");
    builder.set_not_after(&last).expect("time");
    builder
}

/// A server on its own port, until the end of the process.
#[derive(Clone)]
pub struct TlsServer {
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl TlsServer {
    fn start(acceptor: SslAcceptor, preface: Preface) -> TlsServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = accepted.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shake_hands(&acceptor, stream, preface).is_some() {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        TlsServer { port, accepted }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of clients that accepted the server.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// `None`: it was not completed.
fn shake_hands(acceptor: &SslAcceptor, mut stream: TcpStream, preface: Preface) -> Option<()> {
    // A silent client must not block the others.
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    if preface == Preface::Postgres {
        stream.read_exact(&mut [0; 8]).ok()?;
        stream.write_all(b"S").ok()?;
    }
    acceptor.accept(stream).ok().map(drop)
}

/// Whether a client with this authority, or without any, completes the handshake.
#[cfg(test)]
fn client_accepts(server: &TlsServer, authority: Option<&std::path::Path>) -> bool {
    use openssl::ssl::{SslConnector, SslVerifyMode};
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
    match authority {
        Some(file) => builder.set_ca_file(file).expect("authority"),
        None => {
            builder.set_verify(SslVerifyMode::NONE);
            let options = builder.options();
            builder.clear_options(options);
            builder.set_min_proto_version(None).expect("any version");
            builder.set_cipher_list("ALL:@SECLEVEL=0").expect("ciphers");
        }
    }
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("connect");
    let configuration = builder.build().configure().expect("TLS");
    configuration
        .verify_hostname(authority.is_some())
        .connect("localhost", stream)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_refused_by_clients_that_verify_and_accepted_by_others() {
        let authorities = Authorities::new();
        for presents in [
            Presents::Good,
            Presents::ForeignAuthority,
            Presents::ForeignHost,
            Presents::Expired,
            Presents::Tls11,
        ] {
            let server = authorities.serve(presents, Preface::Nothing);
            let file = authorities.file();
            let looks = client_accepts(&server, Some(&file));
            assert_eq!(looks, presents == Presents::Good, "{presents:?}");
            assert!(client_accepts(&server, None), "{presents:?}");
        }
    }
}
