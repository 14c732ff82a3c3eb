//! Answers of TMF resources: one resource with its `ETag`, a created one with its Location, a page of a list.
//!
//! A resource is anything that can be written as JSON. It is made a tree only when the caller asked for some of its fields:
//! otherwise it is written straight into the answer.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::platform::error::Error;
use crate::platform::http::ApiError;
use crate::platform::tmf::page;
use crate::platform::tmf::query::{ListQuery, item_fields};

/// Where a resource is found: written straight into the answer.
#[derive(Debug, Clone, Copy)]
pub struct Href<'a> {
    pub collection: &'static str,
    pub id: &'a str,
}

impl fmt::Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.id)
    }
}

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Room for a resource of usual size.
const BODY_BYTES: usize = 2048;

/// One resource, cut down to the `fields` of the query, with its version as `ETag`.
pub fn item(pairs: &[(String, String)], body: impl Serialize, version: Option<i64>) -> Result<Response, ApiError> {
    match item_fields(pairs).map_err(Error::from)? {
        None => tagged(StatusCode::OK, &body, version),
        Some(fields) => {
            let mut body = tree(&body)?;
            fields.apply(&mut body);
            tagged(StatusCode::OK, &body, version)
        }
    }
}

/// A resource that was just created: 201 with its `href` as `Location`.
pub fn created(body: impl Serialize, version: Option<i64>) -> Result<Response, ApiError> {
    let body = tree(&body)?;
    let mut response = tagged(StatusCode::CREATED, &body, version)?;
    let location = body.get("href").and_then(Value::as_str).and_then(|href| HeaderValue::from_str(href).ok());
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A resource that was just changed.
pub fn changed(body: impl Serialize, version: i64) -> Result<Response, ApiError> {
    tagged(StatusCode::OK, &body, Some(version))
}

fn tagged(status: StatusCode, body: &impl Serialize, version: Option<i64>) -> Result<Response, ApiError> {
    let mut response = written(status, body)?;
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn written(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let mut json = Vec::with_capacity(BODY_BYTES);
    serde_json::to_writer(&mut json, body).map_err(unwritable)?;
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((status, [content_type], json).into_response())
}

fn tree(body: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(body).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> ApiError {
    Error::Internal(format!("a resource cannot be written as JSON: {error}")).into()
}

/// A page of a list: counts and links in headers, 206 where a page was asked for and more follows. `path` is the route.
pub fn listed(
    path: &str,
    pairs: &[(String, String)],
    query: &ListQuery,
    total: u64,
    items: Vec<impl Serialize>,
) -> Result<Response, ApiError> {
    let head = page::head(path, pairs, query, total, items.len() as u64);
    let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::OK);
    let mut response = match &query.fields {
        None => written(status, &items)?,
        Some(fields) => {
            let mut trees = items.iter().map(tree).collect::<Result<Vec<_>, _>>()?;
            for resource in &mut trees {
                fields.apply(resource);
            }
            written(status, &trees)?
        }
    };
    for (name, value) in head.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
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
