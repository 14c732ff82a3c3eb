//! `GET /openapi.json`: one OpenAPI 3.1 document of everything that is served: operations from their registry, TMF routes
//! from the table in [`tmf`], health and metrics. Every route lists every status that it may answer, and in
//! `x-bss-scope` the scope that its caller needs.
//!
//! Made once at the start. That it says the truth is held against the running server by `tests/it/openapi.rs`.

mod operations;
mod parts;
mod tmf;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::operations::Registry;
use crate::platform::context::Scope;
use crate::platform::http::error::ErrorBody;
use crate::platform::http::{ApiError, Reader};

const DESCRIPTION: &str = "\
The whole Business Support System of a small prepaid, eSIM-only mobile operator. Everything that one can do is an \
operation, `POST /ops/v1/{name}` with a JSON object; the resources of the TM Forum Open APIs are served at their official \
paths. Every error has the one body `Error`, every answer the header `x-request-id`. A method that a path does not know is \
answered 405 with `Allow`, a path that is not here 404. Beyond 64 KiB of target, 100 headers or 400 KiB of headers the \
414 or 431 has no body and the connection is closed.";

/// Paths and schemas while they are collected.
struct Draft {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Draft {
    fn add(&mut self, method: &str, path: &str, operation: Value) {
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation;
    }
}

/// The document for a registry of operations.
pub fn document<S>(registry: &Registry<S>) -> Value
where
    S: Send + Sync + 'static,
{
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let error = generator.subschema_for::<ErrorBody>();
    debug_assert_eq!(error.get("$ref"), Some(&json!("#/components/schemas/ErrorBody")));
    let mut draft = Draft { paths: Map::new(), schemas: Map::new() };
    platform_routes(&mut draft);
    operations::add(&mut draft, registry, &mut generator);
    tmf::add(&mut draft);
    draft.schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "bss",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiToken": [] }, { "bearer": [] }],
        "paths": draft.paths,
        "components": {
            "securitySchemes": {
                "apiToken": { "type": "apiKey", "in": "header", "name": "X-BSS-API-Token" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "parameters": parts::parameters(),
            "headers": parts::headers(),
            "responses": parts::error_responses(),
            "schemas": draft.schemas,
        },
    })
}

/// Serves the document to identities that may read.
pub fn router(document: &Value) -> Router {
    let text = document.to_string();
    let answer =
        move |_: Reader| async move { Ok::<_, ApiError>(([(header::CONTENT_TYPE, "application/json")], text)) };
    Router::new().route("/openapi.json", get(answer))
}

fn platform_routes(draft: &mut Draft) {
    let health = json!({
        "type": "object",
        "properties": { "status": { "type": "string" }, "service": { "const": "bss" } },
        "required": ["status", "service"],
    });
    draft.schemas.insert("Health".into(), health);
    let body = parts::json_body("#/components/schemas/Health");
    for (path, summary) in [("/health", "The process answers"), ("/health/live", "The process answers")] {
        draft.add("get", path, open_route(summary, parts::responses(&[(200, "It does", body.clone())], parts::OPEN)));
    }
    let ready = [
        (200, "It can; `degraded` where its workers are stuck or the queue is old", body.clone()),
        (503, "The database is away", body),
    ];
    draft.add("get", "/health/ready", open_route("The process can serve", parts::responses(&ready, parts::OPEN)));
    let text = json!({ "content": { "text/plain": { "schema": { "type": "string" } } } });
    let metrics = parts::responses(&[(200, "The metrics", text)], parts::READ);
    draft.add("get", "/metrics", route("platform", "Metrics in the Prometheus text format", metrics));
    let object = json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
    let own = parts::responses(&[(200, "The document", object)], parts::READ);
    draft.add("get", "/openapi.json", route("platform", "This document", own));
}

/// A route that everybody with the scope read may call.
fn route(tag: &str, summary: &str, responses: Value) -> Value {
    json!({
        "tags": [tag],
        "summary": summary,
        "x-bss-scope": Scope::Read,
        "parameters": parts::caller_parameters(),
        "responses": responses,
    })
}

fn open_route(summary: &str, responses: Value) -> Value {
    json!({ "tags": ["platform"], "summary": summary, "security": [], "responses": responses })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operations::{Registry, catalog, platform};

    fn sample() -> Value {
        document(&catalog::register(platform::register(Registry::default())))
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = sample();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("references stay inside the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn an_operation_shows_its_schemas_rules_and_statuses() {
        let document = sample();
        let operation = &document["paths"]["/ops/v1/catalog.get_active_price"]["post"];
        assert_eq!(operation["operationId"], "catalog.get_active_price");
        assert!(operation["requestBody"]["content"]["application/json"]["example"]["offeringId"].is_string());
        assert_eq!(operation["x-bss-rules"], json!(["catalog.price.no_active_row"]));
        let statuses: Vec<&String> = operation["responses"].as_object().expect("responses").keys().collect();
        assert_eq!(statuses, ["200", "400", "401", "403", "404", "413", "414", "415", "422", "431", "500", "503"]);
    }
}
