//! Calling operations of a running server: `POST /ops/v1/{name}`, and what can come back.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use reqwest::{Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The names of the operations that a server knows.
pub type Operations = BTreeSet<String>;

/// Something that can call operations of one server.
pub trait Caller: Sync {
    /// Calls an operation with JSON arguments.
    fn call(
        &self,
        speaker: Speaker<'_>,
        operation: &str,
        args: &Value,
    ) -> impl Future<Output = Result<Value, CallError>> + Send;

    /// Asks the server what it can do.
    fn operations(&self) -> impl Future<Output = Result<Operations, CallError>> + Send;

    /// Where the server answers.
    fn base_url(&self) -> &Url;

    /// Whether a token for this identity is at hand.
    fn holds(&self, identity: Identity) -> bool;
}

/// On whose behalf a call is made.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Whose token it carries; the server takes the identity from the token alone.
    pub identity: Identity,
    /// Who acts, for the record.
    pub actor: &'a str,
    /// The surface, for the record.
    pub channel: &'a str,
}

/// An identity of the perimeter, each with a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The operator's.
    Default,
    /// The self-serve portal's.
    PortalSelfServe,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    /// The HTTP status; 0 when no answer came.
    pub status: u16,
    /// The kind of error, e.g. `POLICY_VIOLATION`; `UNREACHABLE` and `TIMEOUT` are our own, for no answer.
    pub code: String,
    /// The rule that was broken, or the part of the request that is wrong; may be empty.
    pub reason: String,
    /// For people.
    pub message: String,
    /// What the server adds.
    pub context: Box<Value>,
    /// By which the server's log knows the request; empty when no answer came.
    pub request_id: String,
}

/// [`Caller`] over HTTP.
#[derive(Debug, Clone)]
pub struct OpsClient {
    http: reqwest::Client,
    base_url: Url,
    tokens: BTreeMap<Identity, Token>,
}

/// The limit of one call. Longer than the longest wait that an operation offers.
const CALL_TIMEOUT: Duration = Duration::from_mins(3);
/// The limit for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl OpsClient {
    /// A client of the server at `base_url` with the token of each identity.
    pub fn new(base_url: Url, tokens: BTreeMap<Identity, String>) -> Result<Self, reqwest::Error> {
        let http = builder(&base_url).timeout(CALL_TIMEOUT).build()?;
        let tokens = tokens.into_iter().map(|(identity, token)| (identity, Token(token))).collect();
        Ok(Self { http, base_url, tokens })
    }

    fn address(&self, operation: Option<&str>) -> Url {
        let mut address = self.base_url.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(["ops", "v1"]).extend(operation);
        }
        address
    }

    fn token(&self, identity: Identity) -> Result<&str, CallError> {
        let token = self.tokens.get(&identity).ok_or_else(|| CallError {
            status: StatusCode::UNAUTHORIZED.as_u16(),
            code: "AUTH_MISSING_TOKEN".to_owned(),
            message: format!("no token of the identity {identity} is at hand"),
            ..CallError::blank()
        })?;
        Ok(&token.0)
    }

    fn failed(&self, error: &reqwest::Error) -> CallError {
        let (code, what) = match error {
            error if error.is_timeout() => ("TIMEOUT", "no answer in time from"),
            error if error.is_connect() => ("UNREACHABLE", "cannot reach"),
            _ => ("UNREACHABLE", "no answer from"),
        };
        CallError {
            code: code.to_owned(),
            message: format!("{what} {}: {}", self.base_url, root_cause(error)),
            ..CallError::blank()
        }
    }
}

impl Caller for OpsClient {
    async fn call(&self, speaker: Speaker<'_>, operation: &str, args: &Value) -> Result<Value, CallError> {
        let request = self
            .http
            .post(self.address(Some(operation)))
            .header("x-bss-api-token", self.token(speaker.identity)?)
            .header("x-bss-actor", speaker.actor)
            .header("x-bss-channel", speaker.channel)
            .header("x-request-id", new_request_id())
            .json(args);
        answer(request.send().await.map_err(|error| self.failed(&error))?).await
    }

    async fn operations(&self) -> Result<Operations, CallError> {
        #[derive(Deserialize)]
        struct Known {
            name: String,
        }
        let request = self.http.get(self.address(None)).header("x-bss-api-token", self.token(Identity::Default)?);
        let listed = answer(request.send().await.map_err(|error| self.failed(&error))?).await?;
        let known: Vec<Known> = serde_json::from_value(listed).map_err(|error| CallError {
            code: "MALFORMED_ANSWER".to_owned(),
            message: format!("{} does not list its operations: {error}", self.base_url),
            ..CallError::blank()
        })?;
        Ok(known.into_iter().map(|operation| operation.name).collect())
    }

    fn base_url(&self) -> &Url {
        &self.base_url
    }

    fn holds(&self, identity: Identity) -> bool {
        self.tokens.contains_key(&identity)
    }
}

impl CallError {
    /// Whether the server refused by `rule`: the rule of a policy violation, or reason or code of another refusal.
    pub fn is_refusal_by(&self, rule: &str) -> bool {
        let by_code = self.code == rule && self.code != "POLICY_VIOLATION";
        (400..=499).contains(&self.status) && (self.reason == rule || by_code)
    }

    /// Whether the server has no operation of that name.
    pub fn is_unknown_operation(&self) -> bool {
        self.status == 404 && self.reason == "operation.not_found"
    }

    fn blank() -> Self {
        Self {
            status: 0,
            code: String::new(),
            reason: String::new(),
            message: String::new(),
            context: Box::default(),
            request_id: String::new(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, reason, message, request_id, .. } = self;
        match status {
            0 => f.write_str(message),
            400..=499 if code == "POLICY_VIOLATION" => write!(f, "policy violation: {reason}: {message}"),
            400..=499 if reason.is_empty() => write!(f, "client error {status}: {code}: {message}"),
            400..=499 => write!(f, "client error {status}: {code}: {message} ({reason})"),
            _ => write!(f, "server error {status}: {code}: {message} (request {request_id})"),
        }
    }
}

impl Identity {
    /// The name by which the server knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::PortalSelfServe => "portal_self_serve",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A secret, kept out of `Debug`.
#[derive(Clone)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A client builder for a server at `url` that follows no redirects: they could carry a token to another host.
pub(super) fn builder(url: &Url) -> reqwest::ClientBuilder {
    // Fails only when a provider is installed already, and then that one is used.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(redirect::Policy::none());
    if url.scheme() == "http" {
        // Reading the machine's certificates takes longer than a call, and fails where there are none.
        builder = builder.tls_certs_only([]);
    }
    // No proxy stands between us and our own machine.
    if is_local(url) { builder.no_proxy() } else { builder }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// The last cause: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

async fn answer(response: Response) -> Result<Value, CallError> {
    let status = response.status();
    let request_id =
        response.headers().get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = response.bytes().await.map_err(|error| CallError {
        code: "UNREACHABLE".to_owned(),
        message: format!("the answer broke off: {}", root_cause(&error)),
        ..CallError::blank()
    })?;
    if !status.is_success() {
        return Err(refusal(status, &body, request_id));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|error| CallError {
        status: status.as_u16(),
        code: "MALFORMED_ANSWER".to_owned(),
        message: format!("the answer is not JSON: {error}"),
        request_id,
        ..CallError::blank()
    })
}

fn refusal(status: StatusCode, body: &[u8], request_id: String) -> CallError {
    /// The error body of every surface.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        code: String,
        reason: String,
        message: String,
        context: Value,
    }
    let told = serde_json::from_slice::<Body>(body).unwrap_or_else(|_| Body {
        message: String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned(),
        ..Body::default()
    });
    let code = if told.code.is_empty() { status.canonical_reason().unwrap_or("ERROR").to_owned() } else { told.code };
    CallError {
        status: status.as_u16(),
        code,
        reason: told.reason,
        message: told.message,
        context: Box::new(told.context),
        request_id,
    }
}
