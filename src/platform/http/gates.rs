//! Paths that take nothing more while too much waits behind them: who comes then is told so before a route is looked for, a
//! token is checked or a body is read. A refusal has to cost less than what it saves.
//!
//! Not here: when a path is full (its domain knows), and the bound on all requests together (the guard around the routes).

use std::fmt;

use axum::http::{Method, Request};
use axum::response::{IntoResponse as _, Response};

use crate::platform::http::ApiError;
use crate::platform::http::layers::{name, render_error, request_id};
use crate::platform::ids::Ids;

type IsFull = dyn Fn() -> bool + Send + Sync;

/// One path that may be full.
pub struct Gate {
    method: Method,
    path: &'static str,
    is_full: Box<IsFull>,
}

impl Gate {
    /// `is_full` is asked for each request and must not wait for anything.
    pub fn new(method: Method, path: &'static str, is_full: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { method, path, is_full: Box::new(is_full) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The gates of one listener.
#[derive(Debug)]
pub struct Gates {
    gates: Vec<Gate>,
    ids: Ids,
}

impl Gates {
    pub const fn new(gates: Vec<Gate>, ids: Ids) -> Self {
        Self { gates, ids }
    }

    /// The answer to a request whose path is full: 503 with `Retry-After`.
    pub fn refuse<B>(&self, request: &Request<B>) -> Option<Response> {
        let here = |gate: &&Gate| gate.path == request.uri().path() && gate.method == *request.method();
        let gate = self.gates.iter().find(here)?;
        if !(gate.is_full)() {
            return None;
        }
        metrics::counter!("bss_http_shed_total").increment(1);
        let request_id = request_id(request.headers(), &self.ids);
        let refusal = ApiError::unavailable("Too much of this waits; try again shortly").into_response();
        let mut response = render_error(refusal, &request_id);
        name(&mut response, &request_id);
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn only_what_is_full_is_refused_and_only_while_it_is() {
        let full = Arc::new(AtomicBool::new(true));
        let says = Arc::clone(&full);
        let gate = Gate::new(Method::POST, "/usage", move || says.load(Ordering::Relaxed));
        let gates = Gates::new(vec![gate], Ids::default());
        let refused = |method: Method, target: &str| {
            let request = Request::builder().method(method).uri(target).header("x-request-id", "r-1").body(()).unwrap();
            gates.refuse(&request)
        };
        let answer = refused(Method::POST, "/usage?a=b").expect("it is full");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (&answer.headers()["retry-after"], &answer.headers()["x-request-id"]),
            (&"1".parse().unwrap(), &"r-1".parse().unwrap())
        );
        assert!(refused(Method::GET, "/usage").is_none() && refused(Method::POST, "/usage/1").is_none());
        full.store(false, Ordering::Relaxed);
        assert!(refused(Method::POST, "/usage").is_none());
    }
}
