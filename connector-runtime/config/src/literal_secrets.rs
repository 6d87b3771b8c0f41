//! Secrets that are written in a file, and files with such secrets that every account of the machine can read.

use std::path::Path;

use connect_api::Finding;

use super::codes;
use super::file::ConfigFile;

/// Whether a text that should be a secret contains one instead of a placeholder. A URL without a password is no secret.
pub(super) fn is_literal(text: &str) -> bool {
    let is_secret = match text.split_once("://") {
        Some((_, rest)) => {
            let user = rest
                .split('/')
                .next()
                .and_then(|host| host.rsplit_once('@'));
            user.is_some_and(|(user, _)| user.contains(':')) || rest.contains("password=")
        }
        None => !text.is_empty(),
    };
    is_secret && !text.contains("${")
}

/// The finding about a secret that is written at this pointer.
pub(super) fn finding(pointer: &str) -> Finding {
    let message = "this file contains a secret, which everyone with a copy of the file can read";
    codes::SECRET_LITERAL
        .warning(pointer, message)
        .with_help("write \"${env:NAME}\" or \"${file:/path}\", and put the secret there")
}

/// Reports a file with a secret that other accounts of this machine can read.
pub(super) fn check_file(file: &mut ConfigFile) {
    let Some(span) = file.span_of(codes::SECRET_LITERAL) else {
        return;
    };
    if is_readable_by_others(file.path()) {
        let message = "other accounts of this machine can read this secret";
        let help = format!("chmod 0600 {}", file.path().display());
        let finding = codes::SECRET_READABLE.warning("", message);
        file.add_at(span, finding.with_help(help));
    }
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let others = 0o004;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & others != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_secrets() {
        for text in [
            "hunter2",
            "postgres://app:hunter2@db/shop",
            "postgres://db/shop?user=app&password=hunter2",
        ] {
            assert!(is_literal(text), "{text}");
        }
        for text in [
            "",
            "${env:PASSWORD}",
            "postgres://app:${file:/run/secrets/password}@db/shop",
            "postgres://db/shop",
            "postgres://app@db/shop",
            "postgres://db:5432/a@b",
        ] {
            assert!(!is_literal(text), "{text}");
        }
    }
}
