//! What a response means for the records that were sent.

use std::time::Duration;

use connect_api::{Cause, Dependency, Found};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest time that a server can make the sink wait by `Retry-After`. Afterwards it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A response, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Delivered,
    /// Not the record's fault: sent again, no earlier than after this time.
    Later(Cause, Option<Duration>),
    /// The record's fault.
    Rejected(Cause),
    /// Too large for one request.
    TooLarge(Cause),
    /// The URL is wrong.
    Redirected(Cause),
}

impl Answer {
    /// `body` is the beginning of the response's body, which often says why.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        let cause = || {
            let said = String::from_utf8_lossy(body);
            Cause::new(format!("the server responds with {status}"))
                .with_code(status.as_str())
                .about(Found::new("").with_value(&said))
        };
        match status.as_u16() {
            200..=299 => Answer::Delivered,
            300..=399 => Answer::Redirected(
                cause().with_help("redirects are not followed: write the final URL in `url`"),
            ),
            401 | 403 | 407 => {
                let cause = cause().with_dependency(Dependency::Credentials);
                Answer::Later(cause, None)
            }
            413 => Answer::TooLarge(cause()),
            408 | 425 | 429 | 500..=599 => Answer::Later(cause(), retry_after(headers)),
            _ => Answer::Rejected(cause()),
        }
    }
}

/// The time that `Retry-After` names in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at_ms = connect_api::time::parse_http_date_ms(text)?;
            let wait_ms = at_ms - connect_api::time::now_ms();
            Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn statuses_are_judged() {
        for (statuses, expected) in [
            (&[200, 201, 202, 204][..], "Delivered"),
            (&[301, 302, 304, 308], "Redirected"),
            (&[401, 403, 407, 408, 425, 429, 500, 502, 503, 504], "Later"),
            (&[400, 404, 405, 409, 410, 415, 422, 451], "Rejected"),
            (&[413], "TooLarge"),
        ] {
            for status in statuses {
                let status = StatusCode::from_u16(*status).unwrap();
                let answer = format!("{:?}", Answer::of(status, &HeaderMap::new(), b"why"));
                assert!(answer.starts_with(expected), "{status}: {answer}");
            }
        }
    }

    #[test]
    fn the_wait_that_a_server_asks_for_is_bounded() {
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("86400"), Some(60));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert_eq!(wait("Mon, 21 Oct 2115 07:28:00 GMT"), Some(60));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }
}
