//! `GET /openapi.json` is a valid document, and says the truth about the running product.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::raw::Request;
use crate::support::routes::{Route, document, routes};
use crate::support::tmf_gate::{Api, is_official, official_paths};

/// What the router says of a path that it does not have.
const NOTHING_HERE: &str = "There is nothing at this path";

/// The document as the only schema there is, so that its references lead somewhere.
fn within(document: &Value, schema: &Value) -> Value {
    json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"], "allOf": [schema] })
}

fn each_reference<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| each_reference(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| each_reference(element, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_is_valid_in_itself() {
    let mut app = TestApp::new().await;
    let document = document(&app).await;
    assert_eq!(document["openapi"], "3.1.0");

    let mut references = BTreeSet::new();
    each_reference(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("references stay inside the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name} is no component name");
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let mut ids = BTreeSet::new();
    for route in routes(&document) {
        let name = format!("{} {}", route.method, route.path);
        assert!(route.operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no summary");
        if let Some(id) = route.operation["operationId"].as_str() {
            assert!(ids.insert(id.to_owned()), "two routes are called {id}");
        }
        let parameters = route.operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let names_id = parameters.iter().any(|parameter| parameter["$ref"] == "#/components/parameters/Id");
        assert_eq!(names_id, route.path.contains("{id}"), "{name} and its path parameter");
        let answers = route.operation["responses"].as_object().expect("responses");
        assert!(
            answers.values().all(|answer| answer.get("$ref").is_some() || answer["description"].is_string()),
            "{name}"
        );
        let bodies = ["requestBody/content/application~1json/schema", "responses/200/content/application~1json/schema"];
        for schema in bodies.iter().filter_map(|pointer| route.operation.pointer(&format!("/{pointer}"))) {
            jsonschema::validator_for(&within(&document, schema)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn every_example_fits_the_schema_of_its_arguments() {
    let mut app = TestApp::new().await;
    let document = document(&app).await;
    let mut seen = 0;
    for route in routes(&document) {
        let Some(content) = route.operation.pointer("/requestBody/content/application~1json") else { continue };
        if route.operation_name().is_none() {
            continue;
        }
        let validator = jsonschema::validator_for(&within(&document, &content["schema"])).expect("a valid schema");
        let faults: Vec<String> = validator.iter_errors(&content["example"]).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", route.path);
        seen += 1;
    }
    assert!(seen > 50, "only {seen} operations");
    app.stop().await;
}

#[tokio::test]
async fn tmf_routes_are_official() {
    let mut app = TestApp::new().await;
    let routes = routes(&document(&app).await);
    let ours = |path: &str| {
        path.starts_with("/ops/") || path.starts_with("/health") || matches!(path, "/metrics" | "/openapi.json")
    };
    let tmf: Vec<&Route> = routes.iter().filter(|route| !ours(&route.path)).collect();
    for route in &tmf {
        assert!(is_official(route.method.as_str(), &route.path), "{} {} is not official", route.method, route.path);
    }
    assert!(tmf.len() > 60, "the table of docs/TMF.md is made from them: {}", tmf.len());
    app.stop().await;
}

#[tokio::test]
async fn what_is_documented_is_served_and_nothing_else() {
    let mut app = TestApp::new().await;
    let address = app.address();
    let mut documented: BTreeMap<String, BTreeSet<Method>> = BTreeMap::new();
    for route in routes(&document(&app).await) {
        documented.entry(route.path.clone()).or_default().insert(route.method.clone());
        // Malformed on purpose where it would act: all that matters is that a handler answers.
        let request = Request::new(route.method.clone(), route.target("none")).authenticated();
        let request = if route.method == Method::GET {
            request
        } else {
            request.header("Content-Type", "application/json").body("{")
        };
        let answer = request.send(&address).await;
        let nothing = answer.status == 405 || answer.json()["message"] == NOTHING_HERE;
        assert!(!nothing, "{} {} is documented but not served", route.method, route.path);
    }
    // The universe of paths: what is documented, what is official, what the sources route.
    let official = Api::ALL.into_iter().flat_map(official_paths).map(|(_, path)| path);
    let sources = crate::tidy::routed_paths();
    assert!(sources.len() > 15, "the sources route more than {sources:?}");
    let universe: BTreeSet<String> = documented.keys().cloned().chain(official).chain(sources).collect();
    for path in universe.iter().filter(|path| *path != "/ops/v1/{name}") {
        let known = documented.get(path).cloned().unwrap_or_default();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(&method) {
                continue;
            }
            let target = path
                .split('/')
                .map(|step| if step.starts_with('{') { "none" } else { step })
                .collect::<Vec<_>>()
                .join("/");
            let answer = Request::new(method.clone(), target).authenticated().send(&address).await;
            let expected = if known.is_empty() { 404 } else { 405 };
            assert_eq!(answer.status, expected, "{method} {path}: {}", answer.json());
            assert_eq!(answer.fault_as_error(), None, "{method} {path}");
            if expected == 405 {
                let allowed: BTreeSet<Method> = answer
                    .header("allow")
                    .expect("Allow")
                    .split(',')
                    .map(|m| m.trim().parse().expect("a method"))
                    .collect();
                let head = known.contains(&Method::GET).then_some(Method::HEAD);
                assert_eq!(allowed, known.iter().cloned().chain(head).collect(), "{path}");
            }
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn every_operation_is_a_documented_path() {
    let mut app = TestApp::new().await;
    let document = document(&app).await;
    let listed = app.get("/ops/v1").await.ok();
    let listed: BTreeSet<String> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| format!("/ops/v1/{}", entry["name"].as_str().expect("a name")))
        .collect();
    let documented: BTreeSet<String> = routes(&document)
        .into_iter()
        .filter(|route| route.operation_name().is_some())
        .map(|route| route.path)
        .collect();
    assert_eq!(listed, documented);
    app.stop().await;
}

#[tokio::test]
async fn results_are_as_their_schemas_say() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    let (customer, msisdn) = (line["customerId"].clone(), line["msisdn"].clone());
    let subscription = line["id"].clone();
    app.op("usage.simulate", json!({ "msisdn": msisdn, "eventType": "data", "quantity": 5 })).await.ok();
    app.settle().await;
    let document = document(&app).await;
    let known = json!({
        "customerId": customer, "msisdn": msisdn, "subscriptionId": subscription,
        "orderId": line["commercialOrderId"], "offeringId": "PLAN_M", "vasOfferingId": "VAS_DATA_1GB",
        "serviceIdentity": "default",
    });
    let mut seen = BTreeSet::new();
    for route in routes(&document) {
        let Some(name) = route.operation_name().filter(|_| route.operation["x-bss-effect"] == "read") else { continue };
        let schema = &route.operation["requestBody"]["content"]["application/json"]["schema"];
        let schema = schema["$ref"].as_str().and_then(|at| document.pointer(&at[1..])).unwrap_or(schema);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !required.iter().all(|name| known.get(*name).is_some()) {
            continue;
        }
        let arguments: Value = required.iter().map(|name| ((*name).to_owned(), known[*name].clone())).collect();
        let answer = app.op(name, arguments).await;
        if !answer.status.is_success() {
            continue;
        }
        let result = &route.operation["responses"]["200"]["content"]["application/json"]["schema"];
        let validator = jsonschema::validator_for(&within(&document, result)).expect("a valid schema");
        let faults: Vec<String> =
            validator.iter_errors(&answer.body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}\n{:#}", answer.body);
        seen.insert(name.to_owned());
    }
    assert!(seen.len() > 25, "only {seen:?} answered");
    app.finish().await;
}
