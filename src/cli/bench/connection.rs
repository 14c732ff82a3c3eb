//! One keep-alive HTTP/1.1 connection with one request at a time.

use std::fmt::Write as _;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::meter::Meter;

/// Why a step did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Address(String),
    #[error("the server does not answer: {0}")]
    Unavailable(String),
    #[error("{status}: {body}")]
    Refused { status: u16, body: String },
    #[error("the answer cannot be understood: {0}")]
    Answer(String),
}

impl Fault {
    /// As everywhere on the command line.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Address(_) => 2,
            Self::Refused { status: 401 | 403, .. } => 4,
            Self::Unavailable(_) | Self::Refused { status: 503, .. } => 7,
            Self::Refused { .. } | Self::Answer(_) => 1,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A server and how to call it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    authority: String,
    token: String,
    meter: Option<Meter>,
}

impl Target {
    pub(super) fn new(base_url: &str, token: &str, meter: Option<Meter>) -> Result<Self, Fault> {
        let url = Url::parse(base_url).map_err(|error| Fault::Address(format!("{base_url}: {error}")))?;
        let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
            return Err(Fault::Address(format!("{base_url}: the bench speaks plain http only, to the server itself")));
        };
        Ok(Self { authority: format!("{host}:{port}"), token: token.to_owned(), meter })
    }

    /// Where the server's processor time is read, if that was asked for.
    pub(super) const fn meter(&self) -> Option<Meter> {
        self.meter
    }

    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { target: self.clone(), stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// A request as it goes over the wire.
    pub(super) fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut head = String::with_capacity(256 + body.len());
        let _ = write!(
            head,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nx-bss-api-token: {}\r\nx-bss-actor: bench\r\nx-bss-channel: cli\r\n",
            self.authority, self.token
        );
        if !body.is_empty() {
            let _ = write!(head, "content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        request
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, still in the connection's buffer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    status: u16,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The body of a success.
    pub(super) fn ok(self) -> Result<&'a [u8], Fault> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let body = String::from_utf8_lossy(self.body).chars().take(500).collect();
        Err(Fault::Refused { status: self.status, body })
    }
}

impl Connection {
    /// Sends a request that [`Target::request`] made and waits for its answer.
    pub(super) async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>, Fault> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break Head::parse(&self.buffer[..end], end + 4)?;
            }
            self.read_more().await?;
        };
        while self.buffer.len() < head.total {
            self.read_more().await?;
        }
        Ok(Answer { status: head.status, body: &self.buffer[head.length..head.total] })
    }

    async fn read_more(&mut self) -> Result<(), Fault> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(Fault::Unavailable("the connection was closed".to_owned()));
        }
        Ok(())
    }

    /// Runs an operation.
    pub(super) async fn op(&mut self, name: &str, arguments: &Value) -> Result<Value, Fault> {
        let request = self.target.request("POST", &format!("/ops/v1/{name}"), arguments.to_string().as_bytes());
        let body = self.send(&request).await?.ok().map_err(|fault| match fault {
            Fault::Refused { status, body } => Fault::Refused { status, body: format!("{name}: {body}") },
            other => other,
        })?;
        serde_json::from_slice(body).map_err(|error| Fault::Answer(error.to_string()))
    }
}

struct Head {
    status: u16,
    /// Bytes of the head, and of head and body.
    length: usize,
    total: usize,
}

impl Head {
    fn parse(head: &[u8], length: usize) -> Result<Self, Fault> {
        let text = std::str::from_utf8(head).map_err(|error| Fault::Answer(error.to_string()))?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let body = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        match (status, body) {
            (Some(status), Some(body)) => Ok(Self { status, length, total: length + body }),
            _ => Err(Fault::Answer(format!(
                "no status or no content-length in: {}",
                text.lines().next().unwrap_or_default()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_and_odd_ones_refused() {
        let text = b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 17";
        let head = Head::parse(text, text.len() + 4).unwrap();
        assert_eq!((head.status, head.total - head.length), (201, 17));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", 40).is_err());
        assert!(Head::parse(b"nonsense", 8).is_err());
    }

    #[test]
    fn only_plain_http_is_spoken() {
        assert_eq!(Target::new("http://127.0.0.1:8000/", "t", None).unwrap().authority, "127.0.0.1:8000");
        assert_eq!(Target::new("http://localhost", "t", None).unwrap().authority, "localhost:80");
        assert!(matches!(Target::new("https://localhost", "t", None), Err(Fault::Address(_))));
        let request =
            String::from_utf8(Target::new("http://localhost", "t", None).unwrap().request("POST", "/x", b"{}"))
                .unwrap();
        assert!(request.ends_with("content-length: 2\r\n\r\n{}"), "{request}");
    }
}
