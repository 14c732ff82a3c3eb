//! The HTTP client of the operations API: one call, one answer, every failure sorted.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, redirect};
use serde_json::Value;
use url::Url;

use super::error::{CliError, Refusal};
use super::target::Target;
use super::tokens::{self, Token};

const ACTOR: &str = "cli-user";
const CHANNEL: &str = "cli";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than any deadline of the server, so that its own answer is the one the reader sees.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A caller of the operations of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
}

impl Client {
    /// A client of one server. Nothing is sent yet.
    pub(crate) fn new(target: &Target) -> Result<Self, CliError> {
        // The first caller of the process decides which provider TLS uses; that it is already set is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // A redirect would carry the token to another host.
            .redirect(redirect::Policy::none())
            .default_headers(context_headers());
        if target.url.scheme() == "http" {
            // Reading the machine's certificates takes longer than the call itself, and fails where there are none.
            builder = builder.tls_certs_only([]);
        }
        if tokens::is_local(&target.url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| CliError::Failed(format!("cannot set up HTTP: {error}")))?;
        Ok(Self { http, base: target.url.clone(), token: target.token.clone() })
    }

    /// Runs an operation with exactly these arguments. With a `key` it is done once, however often it is asked for with it.
    pub(crate) async fn call(
        &self,
        operation: &str,
        arguments: &Value,
        timeout: Duration,
        key: Option<String>,
    ) -> Result<Value, CliError> {
        let url = self.url(&["ops", "v1", operation])?;
        let mut request = self.http.post(url).json(arguments).timeout(timeout);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request).await
    }

    /// What the server can do: the registry with schemas.
    pub(crate) async fn operations(&self) -> Result<Value, CliError> {
        let url = self.url(&["ops", "v1"])?;
        self.send(self.http.get(url)).await
    }

    fn url(&self, segments: &[&str]) -> Result<Url, CliError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| CliError::Usage(format!("{} cannot be the address of a server", self.base)))?
            .pop_if_empty()
            .extend(segments);
        Ok(url)
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Value, CliError> {
        request = request.header("x-request-id", request_id());
        if let Some(token) = &self.token {
            request = request.header("x-bss-api-token", secret(token)?);
        }
        let response = request.send().await.map_err(|error| self.not_answered(&error))?;
        let status = response.status();
        let retry_after_seconds = retry_after(&response);
        let body = response.bytes().await.map_err(|error| self.not_answered(&error))?;
        if !status.is_success() {
            let refusal = Refusal { retry_after_seconds, ..Refusal::from_answer(status.as_u16(), &body) };
            return Err(CliError::Refused(Box::new(refusal)));
        }
        serde_json::from_slice(&body)
            .map_err(|_| CliError::Unexpected(format!("{} answered with something that is not JSON", self.address())))
    }

    fn not_answered(&self, error: &reqwest::Error) -> CliError {
        let address = self.address();
        if error.is_connect() {
            CliError::Unreachable { address }
        } else {
            // Cut off in the middle or too slow: in both cases the work may have been done.
            CliError::NotAnswered { address, key: None }
        }
    }

    /// The server's address without what a URL may carry beside it (user, password, query).
    fn address(&self) -> String {
        self.base.origin().ascii_serialization()
    }
}

fn context_headers() -> HeaderMap {
    let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    HeaderMap::from_iter([header("x-bss-actor", ACTOR), header("x-bss-channel", CHANNEL)])
}

fn secret(token: &Token) -> Result<HeaderValue, CliError> {
    let mut value = HeaderValue::from_str(token.reveal())
        .map_err(|_| CliError::Usage("the token has characters that no token has".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client draws its request ids itself; nothing of the server depends on them"
)]
pub(super) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn retry_after(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}
