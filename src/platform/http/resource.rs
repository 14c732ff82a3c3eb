//! Answers of TMF resources: one resource with its `ETag`, a created one with its Location, a page of a list.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::platform::error::Error;
use crate::platform::http::ApiError;
use crate::platform::tmf::page;
use crate::platform::tmf::query::{ListQuery, item_fields};

/// One resource, cut down to the `fields` of the query, with its version as `ETag`.
pub fn item(pairs: &[(String, String)], mut body: Value, version: Option<i64>) -> Result<Response, ApiError> {
    if let Some(fields) = item_fields(pairs).map_err(Error::from)? {
        fields.apply(&mut body);
    }
    Ok(tagged(StatusCode::OK, body, version))
}

/// A resource that was just created: 201 with its `href` as `Location`.
pub fn created(body: Value, version: Option<i64>) -> Response {
    let location = body.get("href").and_then(Value::as_str).and_then(|href| HeaderValue::from_str(href).ok());
    let mut response = tagged(StatusCode::CREATED, body, version);
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A resource that was just changed.
pub fn changed(body: Value, version: i64) -> Response {
    tagged(StatusCode::OK, body, Some(version))
}

fn tagged(status: StatusCode, body: Value, version: Option<i64>) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A page of a list: counts and links in headers, 206 where a page was asked for and more follows. `path` is the route.
pub fn listed(
    path: &str,
    pairs: &[(String, String)],
    query: &ListQuery,
    total: u64,
    mut items: Vec<Value>,
) -> Response {
    if let Some(fields) = &query.fields {
        for resource in &mut items {
            fields.apply(resource);
        }
    }
    let head = page::head(path, pairs, query, total, items.len() as u64);
    let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Json(items)).into_response();
    for (name, value) in head.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The version that `If-Match` names; None without the header or for `*`.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
    version
        .map(Some)
        .ok_or_else(|| ApiError::invalid("If-Match", "must be an ETag that this server gave, such as \"3\""))
}
