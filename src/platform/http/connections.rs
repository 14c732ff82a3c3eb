//! The connections of one listener: how many there may be, and how long one may keep its place without asking anything or
//! without reading what it was told. What is asked on them is not looked at here.
//!
//! A caller who is nobody yet costs a place and a few kilobytes, and both come back by themselves.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::platform::http::gates::Gates;

/// How long to wait when no connection can be taken, as with no file descriptor left: others end meanwhile.
const BACKOFF: Duration = Duration::from_millis(200);

/// Bounds of the connections of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once. Whoever comes beyond it waits in the system's queue until another one ends.
    pub connections_max: usize,
    /// A connection ends when the head of its next request is not there after this long: a slow one, or none at all.
    pub head_timeout: Duration,
    /// A connection ends when its caller reads nothing of an answer for this long.
    pub stall_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let patience = Duration::from_secs(30);
        Self { connections_max: 2_048, head_timeout: patience, stall_timeout: patience }
    }
}

/// Serves `routes` on all connections of the listener until `stop`, but for what `gates` turn away; then no new ones are
/// taken, what is asked on the others is answered, and they end.
pub async fn serve(listener: TcpListener, routes: Router, gates: Gates, bounds: Bounds, stop: CancellationToken) {
    // Made ready once: all connections share it, and a copy of it is the copy of a pointer.
    let (routes, gates) = (routes.with_state(()), Arc::new(gates));
    let (places, open) = (Arc::new(Semaphore::new(bounds.connections_max)), TaskTracker::new());
    let next = async || {
        if places.available_permits() == 0 {
            metrics::counter!("bss_http_connections_full_total").increment(1);
        }
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the places");
        let (stream, caller) = accept(&listener).await;
        (place, stream, caller)
    };
    while let Some((place, stream, caller)) = stop.run_until_cancelled(next()).await {
        open.spawn(connection(stream, caller, routes.clone(), Arc::clone(&gates), bounds, place, stop.clone()));
    }
    // Who connects from here on is told so at once, instead of waiting for a process that ends.
    drop(listener);
    open.close();
    open.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The caller went away while it waited: that is no fault of ours, and the next one waits already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken now; trying again");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// One connection, from its first request to its end.
async fn connection(
    stream: TcpStream,
    caller: SocketAddr,
    routes: Router,
    gates: Arc<Gates>,
    bounds: Bounds,
    place: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let refusal = gates.refuse(&request);
        request.extensions_mut().insert(ConnectInfo(caller));
        let mut routes = routes.clone();
        async move {
            let Some(refusal) = refusal else {
                return Ok::<_, Infallible>(routes.call(request).await.unwrap_or_else(|never| match never {}));
            };
            Ok(refusal)
        }
    });
    let io = TokioIo::new(Stalling { stream, timeout: bounds.stall_timeout, stalled: None });
    let mut http = http1::Builder::new();
    let connection =
        http.timer(TokioTimer::new()).header_read_timeout(bounds.head_timeout).serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
    drop(place);
}

/// A stream that gives up when nothing can be written to it for a while. While all goes well, no timer is touched.
struct Stalling {
    stream: TcpStream,
    timeout: Duration,
    /// Set from the moment on at which the caller's side was full.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    /// Hands on what a write came to, unless it has been waited for too long.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
