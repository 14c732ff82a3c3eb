//! A collector of OTLP over HTTP that keeps what it is sent.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A collector that listens; what it is sent comes out of `exports` as path and body.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    pub(crate) exports: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

impl Collector {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let (sender, exports) = mpsc::unbounded_channel();
        tokio::spawn(collect(listener, sender));
        Self { endpoint, exports }
    }
}

/// Takes exports and answers "thank you"; hands out the path and the body of each.
async fn collect(listener: TcpListener, exports: mpsc::UnboundedSender<(String, Vec<u8>)>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, exports.clone()));
    }
}

async fn serve(mut stream: TcpStream, exports: mpsc::UnboundedSender<(String, Vec<u8>)>) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        while bytes.len() < head + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let rest = bytes.split_off(head + length);
        exports.send((path, bytes.split_off(head))).ok();
        bytes = rest;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}
