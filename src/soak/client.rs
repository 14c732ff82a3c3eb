//! Operations over HTTP, each sent until it is answered: the server may die at any moment, and an answer that is lost says
//! nothing about what was done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;

/// A request that is not answered after this long never will be.
const PATIENCE: Duration = Duration::from_secs(180);

/// Of one try; longer than the longest wait that an operation offers.
const TRY: Duration = Duration::from_secs(310);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(40);

/// Why a run cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Usage(String),
    #[error("the server does not answer: {0}")]
    Unavailable(String),
    #[error("{operation}: {status}: {body}")]
    Refused { operation: String, status: u16, body: String },
    #[error("the answer cannot be understood: {0}")]
    Answer(String),
    #[error("the server that the run started: {0}")]
    Server(String),
}

/// An answer for good: carried out, or refused by a rule.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
    /// An earlier try got no answer, and may have been carried out.
    pub repeated: bool,
}

impl Answer {
    /// The rule that refused it.
    pub fn refusal(&self) -> Option<&str> {
        (!self.status.is_success()).then(|| self.body["reason"].as_str().unwrap_or("?"))
    }
}

/// A caller of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    token: Arc<str>,
    sent: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl Client {
    pub fn new(base: &str, token: &str) -> Result<Self, Fault> {
        let http = plain().timeout(TRY).build().map_err(|error| Fault::Usage(error.to_string()))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').into(),
            token: token.into(),
            sent: Arc::default(),
            lost: Arc::default(),
        })
    }

    /// Requests that were sent until now, each try of them.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Requests whose answer was lost until now.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Runs an operation that no rule refuses.
    pub async fn must(&self, operation: &str, arguments: &Value, key: Option<&str>) -> Result<Value, Fault> {
        let Answer { status, body, .. } = self.insist(operation, arguments, key).await?;
        if status.is_success() { Ok(body) } else { Err(refused(operation, status, &body)) }
    }

    /// Sends an operation, with the same key each time, until there is an answer to it.
    pub async fn insist(&self, operation: &str, arguments: &Value, key: Option<&str>) -> Result<Answer, Fault> {
        let begun = Instant::now();
        let mut repeated = false;
        loop {
            let given_up = match self.send(operation, arguments, key).await {
                Ok((status, body)) if !is_passing(status) => return settled(operation, status, body, repeated),
                Ok((status, body)) => refused(operation, status, &body),
                Err(error) => {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                    Fault::Unavailable(format!("{operation}: {error}"))
                }
            };
            repeated = true;
            if begun.elapsed() > PATIENCE {
                return Err(given_up);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send(
        &self,
        operation: &str,
        arguments: &Value,
        key: Option<&str>,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut request = self
            .http
            .post(format!("{}/ops/v1/{operation}", self.base))
            .header("x-bss-api-token", &*self.token)
            .header("x-bss-actor", "soak")
            .header("x-bss-channel", "cli");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.json(arguments).send().await?;
        let status = response.status();
        let body = response.text().await?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::String(body))))
    }
}

/// A client of plain HTTP that never asks a proxy.
pub(super) fn plain() -> reqwest::ClientBuilder {
    // The first caller of the process decides which provider TLS uses; that it is already set is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy()
}

/// Whether the same request may be answered otherwise later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::CONFLICT || status == StatusCode::TOO_MANY_REQUESTS
}

/// Only a rule is an outcome; anything else that is no success is a mistake of ours.
fn settled(operation: &str, status: StatusCode, body: Value, repeated: bool) -> Result<Answer, Fault> {
    if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
        return Ok(Answer { status, body, repeated });
    }
    Err(refused(operation, status, &body))
}

fn refused(operation: &str, status: StatusCode, body: &Value) -> Fault {
    let body = body.to_string().chars().take(500).collect();
    Fault::Refused { operation: operation.to_owned(), status: status.as_u16(), body }
}
