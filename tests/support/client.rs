//! A client of the operations API that takes a lost answer for what it is: an outcome that is not known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::app::Answer;
use super::record;

/// Longer than any answer may take, so that a late one is seen as late and not as lost.
const PATIENCE: Duration = Duration::from_secs(90);

/// Speaks as the identity `default`. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// The servers, which are asked in turn.
    bases: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    token: Arc<str>,
}

impl Client {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        Self { http: Self::plain(), bases: [base.to_owned()].into(), turn: Arc::default(), token: token.into() }
    }

    /// Asks several servers of one installation in turn.
    pub(crate) fn of_many(clients: &[&Self]) -> Self {
        let bases = clients.iter().flat_map(|client| client.bases.iter().cloned()).collect();
        Self { bases, ..clients[0].clone() }
    }

    /// A client of HTTP alone, that never asks a proxy.
    pub(crate) fn plain() -> reqwest::Client {
        // The first client of the process installs it; for the others it is there.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(PATIENCE).build().expect("a plain client")
    }

    /// Runs an operation once. An error: no answer came, and nobody knows whether it was carried out.
    pub(crate) async fn try_op(&self, name: &str, arguments: &Value, key: Option<&str>) -> Result<Answer, String> {
        self.try_post(&format!("/ops/v1/{name}"), arguments, key).await
    }

    /// Sends one POST, as [`Self::try_op`] does.
    pub(crate) async fn try_post(&self, path: &str, arguments: &Value, key: Option<&str>) -> Result<Answer, String> {
        let base = &self.bases[self.turn.fetch_add(1, Ordering::Relaxed) % self.bases.len()];
        let mut request = self.http.post(format!("{base}{path}")).header("x-bss-api-token", &*self.token);
        request = request.header("x-bss-actor", "tester");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.json(arguments).send().await.map_err(|error| error.to_string())?;
        let (status, headers) = (response.status(), response.headers().clone());
        record::request("POST", path, status.as_u16());
        let text = response.text().await.map_err(|error| error.to_string())?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }

    /// Runs an operation on a server that is known to be there.
    pub(crate) async fn op(&self, name: &str, arguments: Value) -> Answer {
        self.try_op(name, &arguments, None).await.expect("the server answers")
    }
}
