//! Binds the port and reads token and certificates, before anything starts that would have to be stopped again.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use connect_api::{Cause, FilePath};
use connect_config::{HttpAddress, HttpConfig, TlsFiles};

const DEFAULT_PORT: u16 = 8083;
/// The number of ports after the default one that are tried.
const NEIGHBOURS: u16 = 100;

/// A bound port, and what is needed to serve on it.
pub(crate) struct BoundPort {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<native_tls::TlsAcceptor>,
    /// The token that requests must carry.
    pub(super) token: Option<Arc<str>>,
    address: SocketAddr,
    wanted: HttpConfig,
}

impl BoundPort {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:8083`
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The default port, if it was in use.
    pub(crate) fn moved_from(&self) -> Option<u16> {
        (self.wanted.address == HttpAddress::Default && self.address.port() != DEFAULT_PORT)
            .then_some(DEFAULT_PORT)
    }

    /// Whether other machines can reach it.
    pub(super) fn is_for_others(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// Whether other machines can use it without a token or without encryption.
    pub(crate) fn is_open(&self) -> bool {
        self.wanted.is_open()
    }
}

/// `None` if it is switched off. If the default port is in use, the next free one is taken; a configured port must be
/// free.
pub(crate) fn bind(wanted: &HttpConfig) -> Result<Option<BoundPort>, Cause> {
    wanted.check()?;
    let Some(listener) = listen(wanted.address)? else {
        return Ok(None);
    };
    let token_file = wanted.token_file.as_ref().map(FilePath::as_path);
    let token = token_file.map(read_token).transpose()?;
    let tls = wanted.tls().map(acceptor).transpose()?;
    let failed = |error| Cause::new(format!("cannot listen for HTTP: {error}"));
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some(BoundPort {
        listener,
        tls,
        token,
        address,
        wanted: wanted.clone(),
    }))
}

fn read_token(file: &Path) -> Result<Arc<str>, Cause> {
    const SHORTEST: usize = 16;
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let token = text.trim();
    if token.len() < SHORTEST || token.contains(char::is_whitespace) {
        return Err(Cause::new(format!(
            "{} does not contain a token for HTTP: expected one word of at least {SHORTEST} characters",
            file.display()
        ))
        .with_help(format!("openssl rand -hex 32 > {}", file.display())));
    }
    Ok(token.into())
}

fn acceptor(files: TlsFiles<'_>) -> Result<native_tls::TlsAcceptor, Cause> {
    let read = |file: &Path| std::fs::read(file).map_err(|error| unreadable(file, &error));
    let (certificate, key) = (read(files.certificate)?, read(files.key)?);
    let refused = |error: native_tls::Error| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        Cause::new(format!(
            "{certificate} and {key} cannot be used for HTTPS: {error}"
        ))
        .with_help("both are PEM files, the key in PKCS 8 (`openssl pkcs8 -topk8 -nocrypt`)")
    };
    let identity = native_tls::Identity::from_pkcs8(&certificate, &key).map_err(refused)?;
    native_tls::TlsAcceptor::builder(identity)
        .min_protocol_version(Some(native_tls::Protocol::Tlsv12))
        .build()
        .map_err(refused)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Cause {
    Cause::new(format!("{} cannot be read: {error}", file.display()))
}

fn listen(wanted: HttpAddress) -> Result<Option<TcpListener>, Cause> {
    let failed = |address: SocketAddr, error: std::io::Error| {
        let cause = Cause::new(format!("cannot listen on http://{address}: {error}"));
        match error.kind() {
            ErrorKind::AddrInUse => {
                cause.with_help("set another `address` in [http] of connect.toml")
            }
            _ => cause,
        }
    };
    match wanted {
        HttpAddress::Off => Ok(None),
        HttpAddress::At(address) => TcpListener::bind(address)
            .map(Some)
            .map_err(|error| failed(address, error)),
        HttpAddress::Default => {
            let mut port = DEFAULT_PORT;
            loop {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                match TcpListener::bind(address) {
                    Ok(listener) => return Ok(Some(listener)),
                    Err(error)
                        if error.kind() == ErrorKind::AddrInUse
                            && port < DEFAULT_PORT + NEIGHBOURS =>
                    {
                        port += 1
                    }
                    Err(error) => return Err(failed(address, error)),
                }
            }
        }
    }
}
