//! Everything one can do, declared once: name, effect, audience, arguments, rules, example. From this list come
//! `POST /ops/v1/{name}`, `GET /ops/v1`, the command line and the scenario actions.
//!
//! A new operation: its command and view in the domain's `port.rs`, an `impl Operation` in the file of the domain here, and
//! a line in that file's `register`.

pub mod catalog;
pub mod com;
pub mod communication;
pub mod crm;
pub mod document;
pub mod http;
pub mod hub;
pub mod inventory;
pub mod operator;
pub mod payment;
pub mod platform;
pub mod promotion;
pub mod provisioning;
pub mod rating;
pub mod services;
pub mod som;
pub mod subscription;
pub mod trace;
pub mod triage;
pub mod usage;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::platform::context::{Context, Scope};
use crate::platform::error::{Error, Result, Rule};

/// What an operation does to the world; surfaces gate destructive ones behind a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Read,
    Write,
    Destructive,
}

/// Whom an operation is for. Hidden ones are for tests and scenarios, never for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    Operator,
    Admin,
    Hidden,
}

/// How far an operation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// What belongs to the tenant of the caller.
    Tenant,
    /// Clock, ticks, proofs over whole tables: for identities of the operator itself.
    Installation,
}

/// How long an operation may take when it does not wait on purpose.
pub const TIMEOUT: Duration = Duration::from_millis(4_700);

/// One thing one can do. The type itself is the arguments; its doc comment is the description.
pub trait Operation<S>: DeserializeOwned + JsonSchema + Send + 'static {
    /// `<noun>.<verb_phrase>`.
    const NAME: &'static str;
    const EFFECT: Effect;
    const AUDIENCE: Audience = Audience::Operator;
    const REACH: Reach = Reach::Tenant;
    /// The rules that it can break; what a caller should be ready for.
    const RULES: &'static [Rule] = &[];
    /// Arguments as JSON that would work with the seed and plausible ids.
    const EXAMPLE: &'static str = "{}";
    const TIMEOUT: Duration = TIMEOUT;
    type Output: Serialize + JsonSchema;

    fn run(self, services: &S, cx: &Context) -> impl Future<Output = Result<Self::Output>> + Send;
}

type Run<S> = Box<dyn Fn(Arc<S>, Context, Value) -> Pin<Box<dyn Future<Output = Result<Value>> + Send>> + Send + Sync>;

/// An operation without its types.
pub struct Declared<S> {
    pub name: &'static str,
    pub effect: Effect,
    pub audience: Audience,
    pub reach: Reach,
    pub rules: &'static [Rule],
    pub example: &'static str,
    pub timeout: Duration,
    pub arguments: Schema,
    pub result: Schema,
    /// The same two schemas inside a larger document, which keeps the definitions of all of them.
    pub within: fn(&mut SchemaGenerator) -> (Schema, Schema),
    run: Run<S>,
}

impl<S> std::fmt::Debug for Declared<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declared").field("name", &self.name).field("effect", &self.effect).finish_non_exhaustive()
    }
}

impl<S> Declared<S> {
    /// The scope that a caller needs.
    pub fn scope(&self) -> Scope {
        match (self.audience, self.effect) {
            (Audience::Admin | Audience::Hidden, _) => Scope::Admin,
            (Audience::Operator, Effect::Read) => Scope::Read,
            (Audience::Operator, Effect::Write | Effect::Destructive) => Scope::Write,
        }
    }

    /// Whether a run of it is worth a trace: it writes, and not a hundred times a second as usage does.
    pub fn is_traced(&self) -> bool {
        self.effect != Effect::Read && !self.name.starts_with("usage.")
    }

    /// What it does, in the words of its doc comment.
    pub fn description(&self) -> &str {
        self.arguments.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Checks the scope and the tenant, parses the arguments and runs it.
    pub async fn run(&self, services: Arc<S>, cx: Context, arguments: Value) -> Result<Value> {
        cx.require(self.scope())?;
        if self.reach == Reach::Installation {
            cx.require_operator()?;
        }
        (self.run)(services, cx, camel_keys(arguments)?).await
    }
}

/// All operations, by name.
#[derive(Debug)]
pub struct Registry<S> {
    by_name: BTreeMap<&'static str, Declared<S>>,
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new() }
    }
}

impl<S: Send + Sync + 'static> Registry<S> {
    #[must_use]
    pub fn with<O: Operation<S>>(mut self) -> Self {
        let run: Run<S> = Box::new(|services, cx, arguments| {
            Box::pin(async move {
                let operation: O = serde_path_to_error::deserialize(arguments).map_err(|error| {
                    let pointer = crate::platform::http::extract::pointer(error.path());
                    Error::invalid(pointer, crate::platform::http::extract::strip_position(&error.inner().to_string()))
                })?;
                let output = operation.run(&services, &cx).await?;
                serde_json::to_value(output)
                    .map_err(|e| Error::Internal(format!("{} has an unserialisable answer: {e}", O::NAME)))
            })
        });
        let declared = Declared {
            name: O::NAME,
            effect: O::EFFECT,
            audience: O::AUDIENCE,
            reach: O::REACH,
            rules: O::RULES,
            example: O::EXAMPLE,
            timeout: O::TIMEOUT,
            arguments: schema_for!(O),
            result: schema_for!(O::Output),
            within: |document| (document.subschema_for::<O>(), document.subschema_for::<O::Output>()),
            run,
        };
        let former = self.by_name.insert(O::NAME, declared);
        assert!(former.is_none(), "two operations are called {}", O::NAME);
        self
    }

    pub fn get(&self, name: &str) -> Option<&Declared<S>> {
        self.by_name.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Declared<S>> {
        self.by_name.values()
    }
}

/// The operations edge alone also accepts `snake_case` argument names; the answer is always `camelCase`.
fn camel_keys(arguments: Value) -> Result<Value> {
    let Value::Object(members) = arguments else {
        return Err(Error::invalid("", "The arguments must be a JSON object"));
    };
    let mut renamed = serde_json::Map::with_capacity(members.len());
    for (key, value) in members {
        if renamed.insert(camel(&key), value).is_some() {
            return Err(Error::invalid(format!("/{key}"), "The argument is given twice"));
        }
    }
    Ok(Value::Object(renamed))
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn argument_names_may_be_snake_case_but_not_doubled() {
        assert_eq!(
            camel_keys(json!({"customer_id": 1, "offeringId": 2})).unwrap(),
            json!({"customerId": 1, "offeringId": 2})
        );
        assert!(camel_keys(json!({"customer_id": 1, "customerId": 2})).is_err());
        assert!(camel_keys(json!([1])).is_err());
    }
}
