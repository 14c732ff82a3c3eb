//! Connections: a caller who asks nothing, or does not read, gives its place back, and nobody is turned away meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Method;
use axum::routing::{get, post};
use bss::platform::http::connections::{self, Bounds};
use bss::platform::http::gates::{Gate, Gates};
use bss::platform::ids::Ids;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::app::PATIENCE;
use crate::support::client::Client;
use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// A time-out that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

/// One that no test sees the end of.
const LONG: Duration = Duration::from_secs(600);

/// Much more than the system keeps for a caller who does not read.
const LARGE: usize = 32 * 1024 * 1024;

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let routes = Router::new()
            .route("/small", get(async || "small"))
            .route("/slow", get(async || tokio::time::sleep(SHORT).await))
            .route("/large", get(async || "x".repeat(LARGE)))
            .route("/full", post(async || "room"));
        let gates = Gates::new(vec![Gate::new(Method::POST, "/full", || true)], Ids::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(connections::serve(listener, routes, gates, bounds, stop.clone()));
        Self { address, stop, task }
    }

    async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(bytes.as_bytes()).await.expect("a new connection takes a few bytes");
        stream
    }

    /// Asks on a connection of its own, and waits for the whole answer.
    async fn ask(&self, path: &str) -> String {
        rest(self.send(&format!("GET {path} HTTP/1.1\r\nHost: bss\r\nConnection: close\r\n\r\n")).await).await
    }
}

/// All that comes until the other side ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    // One that is reset has ended, too.
    let _ended = read.expect("the server ends the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_connection_without_a_whole_head_in_time_is_ended() {
    let server = Server::start(Bounds { head_timeout: SHORT, ..Bounds::default() }).await;
    for begun in ["", "GET /small HTTP/1.1\r\nHost: b", "GET /small HTTP/1.1\r\nHost: bss\r\n\r\n"] {
        // The last one is answered, and then asks nothing any more.
        let answer = rest(server.send(begun).await).await;
        assert_eq!(answer.contains("small"), begun.ends_with("\r\n\r\n"), "{begun:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_that_takes_longer_than_a_head_may_is_answered() {
    let server = Server::start(Bounds { head_timeout: SHORT / 4, ..Bounds::default() }).await;
    assert!(server.ask("/slow").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_caller_who_does_not_read_its_answer_gives_its_place_back() {
    let bounds = Bounds { connections_max: 1, head_timeout: LONG, stall_timeout: SHORT };
    let server = Server::start(bounds).await;
    let deaf = server.send("GET /large HTTP/1.1\r\nHost: bss\r\n\r\n").await;
    assert!(server.ask("/small").await.ends_with("small"), "it waited for the place of the other");
    drop(deaf);
    assert!(server.ask("/large").await.len() > LARGE, "who reads gets all of it");
}

#[tokio::test]
async fn beyond_the_last_place_a_caller_waits_and_is_not_turned_away() {
    let server = Server::start(Bounds { connections_max: 2, head_timeout: LONG, ..Bounds::default() }).await;
    let (first, second) = (server.send("").await, server.send("").await);
    let waiting = server.ask("/small");
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(SHORT, waiting.as_mut()).await;
    assert!(early.is_err(), "there is no place for it yet");
    drop(first);
    assert!(waiting.await.ends_with("small"));
    drop(second);
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_and_ends_what_is_idle() {
    let server = Server::start(Bounds { head_timeout: LONG, ..Bounds::default() }).await;
    let idle = server.send("GET /small HTTP/1.1\r\nHost: bss\r\n\r\n").await;
    let busy = server.send("GET /slow HTTP/1.1\r\nHost: bss\r\n\r\n").await;
    let silent = server.send("").await;
    // Connections are taken in their order: when this one is answered, all of them are.
    server.ask("/small").await;
    let stopped = Instant::now();
    server.stop.cancel();
    assert!(rest(busy).await.starts_with("HTTP/1.1 200"));
    assert!(rest(idle).await.starts_with("HTTP/1.1 200"));
    rest(silent).await;
    server.task.await.expect("it ends");
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_server_says_where_it_listens_when_any_port_would_do() {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let mut server = ServerProcess::prepare(&installation, &[("BSS_API_ADDR", "127.0.0.1:0")]);
    server.spawn(&[]);
    let started = Instant::now();
    let said = loop {
        let log = server.log();
        if let Some((_, said)) = log.split_once("bss api ready on ") {
            break said.split_whitespace().next().expect("an address").to_owned();
        }
        assert!(started.elapsed() < PATIENCE, "{}", server.log_tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let ready = Client::plain().get(format!("{said}/health/ready")).send().await.expect("it answers where it says");
    assert_eq!(ready.status(), 200, "{said}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_full_is_refused_before_its_body_is_read_and_the_connection_goes_on() {
    let server = Server::start(Bounds::default()).await;
    let mut stream = server.send("POST /full HTTP/1.1\r\nHost: bss\r\nContent-Length: 4\r\n\r\n").await;
    let mut answer = vec![0; 32 * 1024];
    let length = stream.read(&mut answer).await.expect("it answers what has not sent its body yet");
    let answer = String::from_utf8_lossy(&answer[..length]).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    assert!(server.ask("/small").await.ends_with("small"), "another path has room");
    let refused = server.send("POST /full HTTP/1.1\r\nHost: bss\r\nContent-Length: 4\r\n\r\nbodyGET /small HTTP/1.1\r\nHost: bss\r\nConnection: close\r\n\r\n").await;
    let both = rest(refused).await;
    assert!(both.contains(" 503 ") && both.ends_with("small"), "the connection serves what comes next: {both}");
}
