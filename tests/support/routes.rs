//! The routes of the product, as its own OpenAPI document tells them.

use reqwest::Method;
use serde_json::Value;

use super::app::TestApp;

/// One method of one path.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{id}` where it has one.
    pub(crate) path: String,
    pub(crate) statuses: Vec<u16>,
    pub(crate) operation: Value,
}

impl Route {
    /// Whether it answers without a token.
    pub(crate) fn is_open(&self) -> bool {
        self.operation["security"].as_array().is_some_and(Vec::is_empty)
    }

    /// Method and path.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The operation's name, for a route under `/ops/v1/`.
    pub(crate) fn operation_name(&self) -> Option<&str> {
        self.path.strip_prefix("/ops/v1/")
    }

    /// The path with an identifier in the place of its parameter.
    pub(crate) fn target(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }
}

/// The document of a running product.
pub(crate) async fn document(app: &TestApp) -> Value {
    app.get("/openapi.json").await.ok()
}

/// Everything in the document.
pub(crate) fn routes(document: &Value) -> Vec<Route> {
    let paths = document["paths"].as_object().expect("the document has paths");
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            let statuses = operation["responses"].as_object().expect("a method has responses").keys();
            routes.push(Route {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                statuses: statuses.map(|status| status.parse().expect("a status is a number")).collect(),
                operation: operation.clone(),
            });
        }
    }
    routes
}
