//! Secrets that others can read: written in a file, and in a file that every account of the machine may open.

use std::path::Path;

use connect_api::Severity;

use super::code;
use super::report::{Draft, Report};

/// Whether the text of a secret is one itself, and no placeholder for it. An address without a password is none.
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

/// A secret that is written out at this pointer.
pub(super) fn literal(span: std::ops::Range<usize>, pointer: &str) -> Draft {
    Draft::error(
        code::SECRET_LITERAL,
        span,
        "a secret is written in this file, for everyone who has a copy of it",
    )
    .severity(Severity::Warning)
    .help("write \"${env:NAME}\" or \"${file:/path}\", and put the secret there")
    .at(pointer)
}

/// Points out a file with a secret that other accounts of this machine may read.
pub(super) fn check_file(report: &mut Report) {
    let Some(place) = report.place_of(code::SECRET_LITERAL) else {
        return;
    };
    if is_readable_by_others(&report.path) {
        let message = "other accounts of this machine may read this secret";
        let help = format!("chmod 0600 {}", report.path.display());
        let draft = Draft::error(code::SECRET_READABLE, place, message);
        report.add(draft.severity(Severity::Warning).help(help));
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
