//! Requests to the HTTP server of a running `connect`.

use std::net::TcpListener;

use serde_json::Value;

/// A free port.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The body of a response.
pub async fn get(port: u16, path: &str) -> String {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await;
    let answer = answer.unwrap_or_else(|error| panic!("GET {path}: {error}"));
    answer.text().await.expect("text")
}

/// The named connector in `GET /connectors`; `None` while the server does not respond.
pub async fn connector(port: u16, name: &str) -> Option<Value> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/connectors")).await;
    let connectors: Value = answer.ok()?.json().await.ok()?;
    let named = connectors
        .as_array()?
        .iter()
        .find(|known| known["name"] == name)?;
    Some(named.clone())
}
