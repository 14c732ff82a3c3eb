//! Extractors: bodies, queries and path segments are parsed here, once, and every fault names its place.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use futures::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::platform::context::{Context, DEADLINE, Scope};
use crate::platform::error::Error;
use crate::platform::http::ApiError;
use crate::platform::http::layers::Caller;
use crate::platform::idempotency::IdempotencyRequest;
use crate::platform::ids::MalformedId;
use crate::platform::tmf::query::{self, ListQuery, Paging};

/// Largest body that is read. The biggest legitimate one is a product order of a few kilobytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A context for reading: its `now` is the wall clock, since no fact is written and no date decides.
#[derive(Debug)]
pub struct Reader(pub Context);

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        unclocked(parts, Scope::Read).map(Self)
    }
}

/// As [`Reader`], of an identity that may write: for what reads product time itself, once for many.
#[derive(Debug)]
pub struct Recorder(pub Context);

impl<S: Sync> FromRequestParts<S> for Recorder {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        unclocked(parts, Scope::Write).map(Self)
    }
}

fn unclocked(parts: &Parts, needed: Scope) -> Result<Context, ApiError> {
    let cx = caller(parts)?.context(crate::platform::clock::wall(), DEADLINE);
    cx.require(needed)?;
    Ok(cx)
}

/// A context for writing: as [`Context`], of an identity that may write. It stands before the other extractors of a handler, so
/// that who may not is told so before anything that was sent is looked at.
#[derive(Debug)]
pub struct Writer(pub Context);

impl<S: Sync> FromRequestParts<S> for Writer {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        permitted(parts, Scope::Write).await.map(Self)
    }
}

/// As [`Writer`], of an identity that may administer.
#[derive(Debug)]
pub struct Administrator(pub Context);

impl<S: Sync> FromRequestParts<S> for Administrator {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        permitted(parts, Scope::Admin).await.map(Self)
    }
}

async fn permitted(parts: &mut Parts, needed: Scope) -> Result<Context, ApiError> {
    let cx = Context::from_request_parts(parts, &()).await?;
    cx.require(needed)?;
    Ok(cx)
}

/// A context for acting: product time is read here, once.
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = caller(parts)?;
        Ok(caller.context(caller.edge().clock.now().await?, DEADLINE))
    }
}

fn caller(parts: &Parts) -> Result<Arc<Caller>, ApiError> {
    let caller = parts.extensions.get::<Arc<Caller>>().cloned();
    caller.ok_or_else(|| ApiError::from(Error::Internal("a route outside the perimeter asked for a context".into())))
}

/// A POST that creates something: who acts, with the `Idempotency-Key` bound to the very bytes that were sent, and the body.
#[derive(Debug)]
pub struct Submission<T> {
    pub cx: Context,
    pub body: T,
}

impl<T: DeserializeOwned> Submission<T> {
    /// Reads a request of an identity that may write. `operation` names the route: the same key on another one is another key.
    pub async fn of(operation: &str, request: Request) -> Result<Self, ApiError> {
        Self::needing(Scope::Write, operation, request).await
    }

    /// As [`Self::of`], of an identity with another scope.
    pub async fn needing(scope: Scope, operation: &str, request: Request) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let mut cx = permitted(&mut parts, scope).await?;
        let key = parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
        let bytes = read_body(Request::from_parts(parts, body)).await?;
        if let Some(key) = key {
            cx.idempotency = Some(Arc::new(IdempotencyRequest::new(&key, operation, &bytes)?));
        }
        Ok(Self { cx, body: parse_json(&bytes)? })
    }
}

/// A JSON body. UTF-8, bounded, no NUL characters; unknown fields are the business of `T`.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parse_json(&read_body(request).await?).map(Self)
    }
}

/// How much of a body that is too large is still taken and thrown away: a sender that never looks up before it is done
/// would otherwise find its connection reset instead of the answer.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a body up to [`BODY_BYTES_MAX`].
pub async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let json = request.headers().get(header::CONTENT_TYPE).is_none_or(is_json);
    let mut body = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    let mut taken = 0_usize;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ApiError::invalid("body", "The body ended early"))?;
        taken = taken.saturating_add(chunk.len());
        if taken > DISCARDED_BYTES_MAX {
            break;
        }
        if json && taken <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&chunk);
        }
    }
    if !json {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID_REQUEST",
            "Content-Type",
            "Send application/json",
        ));
    }
    if taken > BODY_BYTES_MAX {
        let message = format!("The body is larger than {BODY_BYTES_MAX} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_REQUEST", "body", message));
    }
    Ok(bytes.into())
}

/// Whether a `Content-Type` names JSON, whatever its parameters.
pub(super) fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().ok().and_then(|text| text.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json") || essence.eq_ignore_ascii_case("application/merge-patch+json")
    })
}

/// Parses a JSON body; a fault names the JSON pointer of its place.
pub fn parse_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ApiError> {
    // PostgreSQL text cannot hold NUL; JSON can only spell it as this escape.
    if bytes.windows(6).any(|window| window == b"\\u0000") {
        return Err(ApiError::invalid("", "NUL characters are not accepted"));
    }
    // Knowing the place at every moment costs more than reading: the place is looked for when there is a fault.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ApiError::invalid(pointer(error.path()), strip_position(&error.inner().to_string())))?;
    deserializer.end().map_err(|_| ApiError::invalid("", "There is text after the JSON value"))?;
    Ok(value)
}

/// RFC 6901 pointer of a serde path.
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                text.push('/');
                text.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => text.push_str("/?"),
        }
    }
    text.chars().take(200).collect()
}

/// Serde's text without "at line 1 column 2", and bounded: it may repeat the caller's input.
pub fn strip_position(message: &str) -> String {
    let text = message.split(" at line ").next().unwrap_or(message);
    text.chars().take(300).collect()
}

/// One path segment parsed as an identifier; a text that cannot be one was never given out, so it is not found.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<T: FromStr<Err = MalformedId>, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_found = || ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "not_found", "There is no such resource");
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        let (_, segment) = params.iter().next().ok_or_else(not_found)?;
        segment.parse().map(Self).map_err(|_| not_found())
    }
}

/// The query as decoded pairs, bounded; the TMF toolkit gives them meaning.
#[derive(Debug)]
pub struct ApiQuery(pub Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for ApiQuery {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = query::pairs(parts.uri.query()).map_err(Error::from)?;
        // PostgreSQL text cannot hold NUL.
        match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => Err(ApiError::invalid(name.replace('\0', ""), "NUL characters are not accepted")),
            None => Ok(Self(pairs)),
        }
    }
}

/// What a TMF list is asked for: the query, and what it means.
#[derive(Debug)]
pub struct ListRequest {
    /// As they came; the links of the page repeat them.
    pub pairs: Vec<(String, String)>,
    pub query: ListQuery,
}

impl<S: Sync> FromRequestParts<S> for ListRequest {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ApiQuery(pairs) = ApiQuery::from_request_parts(parts, state).await?;
        let query = ListQuery::parse(&pairs, Paging::default()).map_err(Error::from)?;
        Ok(Self { pairs, query })
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        amount: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only parsed")]
        items: Vec<Inner>,
    }

    fn fault(body: &[u8]) -> String {
        format!("{:?}", parse_json::<Body>(body).unwrap_err())
    }

    #[test]
    fn json_is_known_by_its_media_type_alone() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(&HeaderValue::from_static(json)), "{json}");
        }
        for other in
            ["", "text/plain", "application/jsonp", "application/json-seq", "json", "text/plain; application/json"]
        {
            assert!(!is_json(&HeaderValue::from_static(other)), "{other}");
        }
    }

    #[test]
    fn a_fault_names_its_place() {
        assert!(fault(br#"{"items":[{"amount":1},{"amount":"x"}]}"#).contains("/items/1/amount"));
        assert!(fault(br#"{"items":[],"more":1}"#).contains("unknown field `more`"));
        assert!(fault(br#"{"items":[]} tail"#).contains("after the JSON value"));
        assert!(fault(br#"{"items":["\u0000"]}"#).contains("NUL"));
        let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
        assert_eq!(
            parse_json::<serde_json::Value>(&deep).unwrap_err().into_response().status(),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(parse_json::<Body>(b"\xff\xfe").unwrap_err().into_response().status(), StatusCode::BAD_REQUEST);
    }
}
