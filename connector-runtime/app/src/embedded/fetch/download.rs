//! Downloads a file with a known digest.

use std::time::Duration;

use connect_api::Cause;
use reqwest::redirect;
use sha2::{Digest, Sha256};

/// Twice the size of the largest archive.
const LARGEST: usize = 64 << 20;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The longest wait between two parts of the response.
const SILENT_WITHIN: Duration = Duration::from_secs(30);

/// The content of `url`, which must have this digest. Sends no credentials and follows no redirect.
pub(super) async fn download(url: &str, sha256: &str) -> Result<Vec<u8>, Cause> {
    let failed = |error: reqwest::Error| {
        let reason = connect_api::tls_error(&error).unwrap_or_else(|| error.to_string());
        Cause::new(format!("{url}: {reason}"))
    };
    let client = reqwest::Client::builder()
        .user_agent(concat!("connect/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_WITHIN)
        .build()
        .map_err(failed)?;
    let mut response = client.get(url).send().await.map_err(failed)?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(Cause::new(format!("{url}: the server responded {status}")));
    }
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if content.len() + chunk.len() > LARGEST {
            let limit = LARGEST >> 20;
            return Err(Cause::new(format!("{url}: more than {limit} MiB")));
        }
        content.extend_from_slice(&chunk);
    }
    let found = digest(&content);
    if found != sha256 {
        return Err(Cause::new(format!(
            "{url}: found sha-256 {found}, expected {sha256}; the file is discarded"
        )));
    }
    Ok(content)
}

/// In lower case, as digests are published.
fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    const CONTENT: &str = "an archive";
    const SHA256: &str = "2ebf1cf9e9ec9c2c4a4cb4cdc3d72a07f1b2c0d0ee3f1bb2fe3e1c0c1b8cdb7c";

    /// A server that sends one response, and the head of the request it received.
    fn serve(answer: String) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://{}/a.jar",
            listener.local_addr().expect("an address")
        );
        let head = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut head = [0; 4096];
            let length = stream.read(&mut head).expect("a request");
            stream.write_all(answer.as_bytes()).expect("an answer");
            String::from_utf8_lossy(head.get(..length).expect("read")).into_owned()
        });
        (url, head)
    }

    #[tokio::test]
    async fn only_the_file_of_the_digest_is_taken_and_no_other_host_asked() {
        let sha256 = digest(CONTENT.as_bytes());
        let ok =
            |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{CONTENT}");
        let elsewhere =
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        let cases = [
            (ok(CONTENT.len()), sha256.as_str(), None),
            (ok(CONTENT.len()), SHA256, Some("expected 2ebf")),
            (ok(CONTENT.len() - 1), &sha256, Some("found sha-256")),
            (ok(CONTENT.len() + 1), &sha256, Some("error")),
            (elsewhere.to_owned(), &sha256, Some("302")),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                &sha256,
                Some("404"),
            ),
        ];
        for (answer, sha256, expected) in cases {
            let (url, head) = serve(answer.clone());
            let found = download(&url, sha256).await;
            match (found, expected) {
                (Ok(content), None) => assert_eq!(content, CONTENT.as_bytes()),
                (Err(cause), Some(words)) => assert!(cause.message.contains(words), "{cause}"),
                (found, expected) => unreachable!("{answer}: {found:?}, not {expected:?}"),
            }
            let head = head.join().expect("a server").to_lowercase();
            assert!(
                !head.contains("authorization") && !head.contains("cookie"),
                "{head}"
            );
        }
    }
}
