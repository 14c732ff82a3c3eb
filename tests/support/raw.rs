//! HTTP/1.1 written by hand: it sends what no client library would, and always looks up for the answer while it sends.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::record;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None }
    }

    /// As the identity `default` of the test configuration.
    pub(crate) fn authenticated(self) -> Self {
        self.header("X-BSS-API-Token", "a1".repeat(32))
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A JSON body, announced as such.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    fn head(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: bss\r\nConnection: close\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            head.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Sends it on a connection of its own.
    pub(crate) async fn send(&self, address: &str) -> Response {
        let bytes = [self.head(), self.body.clone().unwrap_or_default()].concat();
        let response = exchange(address, bytes).await;
        record::request(self.method.as_str(), &self.target, response.status);
        response
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What is wrong with it as an answer to a bad request: the documented error body, and nothing else.
    pub(crate) fn fault_as_error(&self) -> Option<String> {
        const KNOWN: [&str; 7] = ["code", "reason", "message", "status", "context", "requestId", "@type"];
        let body = self.json();
        let Some(members) = body.as_object() else { return Some("the body is no JSON object".to_owned()) };
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let code = text("code");
        let well_formed = !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            Some("it is not announced as JSON".to_owned())
        } else if let Some(unknown) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            Some(format!("{unknown} is no member of an error body"))
        } else if !well_formed || text("message").is_empty() || text("@type") != "Error" || !body["reason"].is_string()
        {
            Some("code, reason, message or @type are not right".to_owned())
        } else if text("status") != self.status.to_string() {
            Some("status is not the status".to_owned())
        } else if text("requestId").is_empty() || self.header("x-request-id") != Some(text("requestId")) {
            Some("requestId is not that of the header".to_owned())
        } else if self.body.len() > 4_096 {
            Some(format!("it has {} bytes: it repeats what it was sent", self.body.len()))
        } else {
            None
        }
    }
}

/// Sends bytes and reads one answer, both at once: a server may answer before it has read everything.
pub(crate) async fn exchange(address: &str, bytes: Vec<u8>) -> Response {
    let work = async {
        let stream = TcpStream::connect(address).await.expect("the product listens");
        let (mut reader, mut writer) = stream.into_split();
        let writing = tokio::spawn(async move {
            // Refused before its end, the rest of a body finds no reader: that is the server's right.
            let _ = writer.write_all(&bytes).await;
            writer
        });
        let mut answer = Vec::new();
        // A connection that is reset after the answer has still answered.
        let _ = reader.read_to_end(&mut answer).await;
        drop(writing.await);
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, work).await.expect("an answer within its time");
    parse(&answer)
}

fn parse(answer: &[u8]) -> Response {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else { panic!("no answer but {:?}", String::from_utf8_lossy(answer)) };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Response { status: status.expect("a status line"), headers: headers.collect(), body: answer[end + 4..].to_vec() }
}
