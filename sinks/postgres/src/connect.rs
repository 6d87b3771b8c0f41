//! Opens connections by the configuration.
//!
//! A task has one connection, because it writes one batch at a time in one transaction. So `tasks` bounds the connections of a
//! connector.

use std::time::Duration;

use connect_api::{Cause, Failure, Secret};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use crate::config::{Config, SslMode};
use crate::failure::WriteError;
use crate::transaction::within;

const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Opens a session. Its time zone is UTC, which the driver sets in the startup message.
pub(crate) async fn open(options: &PgConnectOptions) -> Result<PgConnection, WriteError> {
    within("connect", CONNECT_LIMIT, async {
        Ok(options.connect().await?)
    })
    .await
}

/// The connection options of a configuration.
pub(crate) fn options(config: &Config, connector: &str) -> Result<PgConnectOptions, Failure> {
    let options = match &config.url {
        Some(url) => of_url(url, config)?,
        None => of_keys(config)?,
    };
    finished(options, config, connector)
}

/// The connection options for migrations, if they differ.
pub(crate) fn migration_options(
    config: &Config,
    connector: &str,
) -> Result<Option<PgConnectOptions>, Failure> {
    config
        .migrations_url
        .as_ref()
        .map(|url| finished(of_url(url, config)?, config, connector))
        .transpose()
}

fn finished(
    options: PgConnectOptions,
    config: &Config,
    connector: &str,
) -> Result<PgConnectOptions, Failure> {
    let options = match config
        .ca
        .as_ref()
        .map(|ca| (ca, std::fs::metadata(ca.as_path())))
    {
        None => options,
        Some((ca, Ok(_))) => options.ssl_root_cert(ca.as_path()),
        // The driver would report a broken connection, which is retried.
        Some((ca, Err(error))) => {
            let message = format!("`ca` {} cannot be read: {error}", ca.as_path().display());
            return Err(Failure::Fatal(Cause::new(message)));
        }
    };
    Ok(options
        .application_name(&format!("connect/{connector}"))
        // Poolers refuse startup parameters that they do not know.
        .extra_float_digits(None)
        .disable_statement_logging())
}

fn of_url(url: &Secret, config: &Config) -> Result<PgConnectOptions, Failure> {
    let text = url.expose();
    let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let parsed = text
        .parse::<PgConnectOptions>()
        .ok()
        .filter(|_| is_postgres);
    let options = parsed.ok_or_else(|| {
        // The parser's message could contain a part of the password.
        let cause = Cause::new("the database's URL cannot be read").with_help(
            "write it like postgres://user:password@host:5432/database, with special characters percent-encoded; `host`, `user` and `password` as separate keys need no encoding",
        );
        Failure::Fatal(cause)
    })?;
    Ok(match (config.sslmode, says_sslmode(text)) {
        (Some(mode), _) => options.ssl_mode(driver_mode(mode)),
        (None, true) => options,
        (None, false) => with_default_mode(options),
    })
}

/// The separate keys are taken verbatim: a password may contain `%`.
fn of_keys(config: &Config) -> Result<PgConnectOptions, Failure> {
    let host = config
        .host
        .as_deref()
        .ok_or_else(|| Failure::Fatal(Cause::new("neither `url` nor `host` is set")))?;
    let options = PgConnectOptions::new_without_pgpass().port(config.port.unwrap_or(5432));
    let mut options = if host.starts_with('/') {
        options.socket(host)
    } else {
        options.host(host)
    };
    if let Some(user) = &config.user {
        options = options.username(user);
    }
    if let Some(password) = &config.password {
        options = options.password(password.expose());
    }
    if let Some(database) = config.database.as_ref().or(config.user.as_ref()) {
        options = options.database(database);
    }
    Ok(match config.sslmode {
        Some(mode) => options.ssl_mode(driver_mode(mode)),
        None => with_default_mode(options),
    })
}

/// Whether the URL's query sets the encryption.
fn says_sslmode(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .any(|pair| pair.starts_with("sslmode=") || pair.starts_with("ssl-mode="))
}

/// Verified encryption, except on this machine. There it is off, and not "if the server offers it": any local account can listen
/// on a free port, so that would only look like protection.
fn with_default_mode(options: PgConnectOptions) -> PgConnectOptions {
    let mode = if is_local(&options) {
        PgSslMode::Disable
    } else {
        PgSslMode::VerifyFull
    };
    options.ssl_mode(mode)
}

fn is_local(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || is_loopback(options.get_host())
}

/// The SSL mode, if with it another machine could impersonate the database or read the traffic.
pub(crate) fn unverified(options: &PgConnectOptions) -> Option<&'static str> {
    if is_local(options) {
        return None;
    }
    match options.get_ssl_mode() {
        PgSslMode::Disable => Some("disable"),
        PgSslMode::Allow => Some("allow"),
        PgSslMode::Prefer => Some("prefer"),
        PgSslMode::Require => Some("require"),
        PgSslMode::VerifyCa => Some("verify-ca"),
        PgSslMode::VerifyFull => None,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

fn driver_mode(mode: SslMode) -> PgSslMode {
    match mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(keys: serde_json::Value) -> Config {
        let mut table = serde_json::json!({ "tables": [{ "table": "t" }] });
        let own = table.as_object_mut().unwrap();
        own.extend(keys.as_object().unwrap().clone());
        serde_json::from_value(table).unwrap()
    }

    #[test]
    fn encryption_is_verified_except_on_loopback() {
        let cases = [
            (
                serde_json::json!({ "url": "postgres://u@db.example/d" }),
                "VerifyFull",
            ),
            (
                serde_json::json!({ "url": "postgres://u@db.example/d?sslmode=require" }),
                "Require",
            ),
            (
                serde_json::json!({ "url": "postgres://u@localhost/d" }),
                "Disable",
            ),
            (
                serde_json::json!({ "url": "postgres://u@127.0.0.1/d" }),
                "Disable",
            ),
            (
                serde_json::json!({ "url": "postgres://u@[::1]/d" }),
                "Disable",
            ),
            (
                serde_json::json!({ "url": "postgres://u@%2Frun%2Fpg/d" }),
                "Disable",
            ),
            (
                serde_json::json!({ "url": "postgres://u@localhost/d", "sslmode": "verify-ca" }),
                "VerifyCa",
            ),
            (serde_json::json!({ "host": "10.0.0.1" }), "VerifyFull"),
            (serde_json::json!({ "host": "/run/pg" }), "Disable"),
            (
                serde_json::json!({ "host": "10.0.0.1", "sslmode": "disable" }),
                "Disable",
            ),
        ];
        for (keys, expected) in cases {
            let options = options(&config(keys.clone()), "c").unwrap();
            assert_eq!(format!("{:?}", options.get_ssl_mode()), expected, "{keys}");
        }
    }

    #[test]
    fn a_broken_url_is_not_repeated() {
        for url in [
            "postgres://u:hunter#2@h/d:x",
            "mysql://u:hunter2@h/d",
            "hunter2",
            "postgres://u:hunter2@h:port/d",
        ] {
            let failure = options(&config(serde_json::json!({ "url": url })), "c").unwrap_err();
            assert!(!failure.to_string().contains("hunter"), "{failure}");
        }
    }
}
