//! The request bodies that `docs/TMF.md` shows.

use reqwest::Method;
use serde_json::Value;

use super::routes::Route;

const PAGE: &str = include_str!("../../docs/TMF.md");

/// The body that the page shows for a route of TMF; None for a route that takes none, or of which the page shows none.
pub(crate) fn request(route: &Route) -> Option<Value> {
    let method = if route.method == Method::PATCH { "PATCH" } else { "POST" };
    let api = route.operation["tags"][0].as_str()?;
    let id = route.operation["operationId"].as_str()?;
    let resource = id.strip_prefix("create").or_else(|| id.strip_prefix("patch"))?;
    let head = format!("\n```json {api} {method} {resource}\n");
    let text = PAGE.split(&head).nth(1)?.split("\n```").next()?;
    Some(serde_json::from_str(text).expect("the sample is JSON"))
}
