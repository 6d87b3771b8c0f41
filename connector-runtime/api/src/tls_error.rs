//! Extracts the reason of a failed TLS handshake from the errors that HTTP clients and drivers wrap it in.

use std::error::Error;

/// OpenSSL's message, such as `TLS: certificate verify failed (certificate has expired)`; `None` if this is another error.
/// Only the outermost error that quotes OpenSSL holds the verdict on the certificate; those inside it leave it out.
pub fn tls_error(error: &(dyn Error + 'static)) -> Option<String> {
    let mut chain = std::iter::successors(Some(error), |&error| error.source());
    chain.find_map(|error| of_openssl(&error.to_string()))
}

/// From `error:CODE:library:function:reason:file:line:data (verdict)`, where further errors may follow the first.
fn of_openssl(text: &str) -> Option<String> {
    let fields = text.strip_prefix("error:")?;
    let reason = fields.split(':').nth(3)?;
    let verdict = text
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once(" ("));
    Some(match verdict {
        Some((_, verdict)) => format!("TLS: {reason} ({verdict})"),
        None => format!("TLS: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl std::fmt::Display for Link {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|inner| inner as _)
        }
    }

    #[test]
    fn the_reason_and_the_verdict_of_a_handshake_are_found() {
        const VERIFY: &str = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:ssl/statem/statem_clnt.c:2125:";
        const EXPIRED: &str = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:ssl/statem/statem_clnt.c:2125: (certificate has expired)";
        const ALERT: &str = "error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:ssl/record/rec_layer_s3.c:911:SSL alert number 70";
        let cases: [(&[&'static str], Option<&str>); 5] = [
            (&["cannot connect", "no route to host"], None),
            (
                &["cannot connect", EXPIRED, VERIFY],
                Some("TLS: certificate verify failed (certificate has expired)"),
            ),
            (&[VERIFY], Some("TLS: certificate verify failed")),
            (
                &["cannot connect", ALERT],
                Some("TLS: tlsv1 alert protocol version"),
            ),
            (&["error: a word"], None),
        ];
        for (texts, expected) in cases {
            let chain = texts
                .iter()
                .rev()
                .fold(None, |inner, text| Some(Box::new(Link(text, inner))));
            assert_eq!(tls_error(&*chain.expect("a chain")).as_deref(), expected);
        }
    }
}
