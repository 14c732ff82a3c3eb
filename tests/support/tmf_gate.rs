//! The gate for TMF payloads: official definitions, closed.
//!
//! The official files forbid nothing: none of their schemas sets `additionalProperties`, and few attributes are
//! required. So a payload passes here only if it
//!
//! - fits the official schema of its resource (types, required attributes, enumerations, array sizes);
//! - has no attribute beyond the official ones and the declared extensions ([`promises::EXTENSIONS`]), at any depth;
//! - has what our product promises for it ([`promises::RULES`]), which may depend on its state;
//! - has no null anywhere, writes every date-time in our one format, names its `@type` rightly, carries no
//!   `@schemaLocation` that was not agreed on, and links only to resources that exist, by their right id.
//!
//! What a caller sends is checked with [`validate_request`] against the `_Create` and `_Update` definitions.

mod links;
mod promises;
mod rules;
mod schema;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use bss::platform::tmf::time;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

pub(crate) use links::{is_official, official_paths};
pub(crate) use rules::{must_haves, words};
pub(crate) use schema::closed;

/// The official definitions of the APIs that we serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    /// Product Catalog Management
    Tmf620,
    /// Product Ordering Management
    Tmf622,
    /// Customer Management
    Tmf629,
    /// Party Management
    Tmf632,
    /// Usage Management
    Tmf635,
    /// Product Inventory Management
    Tmf637,
    /// Service Inventory Management
    Tmf638,
    /// Resource Inventory Management
    Tmf639,
    /// Service Activation and Configuration
    Tmf640,
    /// Service Ordering Management
    Tmf641,
    /// Prepay Balance Management
    Tmf654,
    /// Payment Method Management
    Tmf670,
    /// Promotion Management
    Tmf671,
    /// Payment Management
    Tmf676,
    /// Usage Consumption Management
    Tmf677,
    /// Communication Management
    Tmf681,
    /// Party Interaction Management
    Tmf683,
    /// Event Management
    Tmf688,
}

impl Api {
    pub(crate) const ALL: [Self; 18] = [
        Self::Tmf620,
        Self::Tmf622,
        Self::Tmf629,
        Self::Tmf632,
        Self::Tmf635,
        Self::Tmf637,
        Self::Tmf638,
        Self::Tmf639,
        Self::Tmf640,
        Self::Tmf641,
        Self::Tmf654,
        Self::Tmf670,
        Self::Tmf671,
        Self::Tmf676,
        Self::Tmf677,
        Self::Tmf681,
        Self::Tmf683,
        Self::Tmf688,
    ];

    /// `TMF620` and so on, as the documents name it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| format!("{api:?}").eq_ignore_ascii_case(name))
    }

    /// The official file, parsed.
    pub(crate) fn definition(self) -> &'static Value {
        static DEFINITIONS: LazyLock<[Value; 18]> = LazyLock::new(|| {
            Api::ALL.map(|api| serde_json::from_str(api.text()).expect("the official definition is JSON"))
        });
        &DEFINITIONS[self as usize]
    }

    /// `basePath` of the official file, without a slash at the end.
    pub(crate) fn base_path(self) -> &'static str {
        self.definition()["basePath"].as_str().expect("the official definition has a basePath").trim_end_matches('/')
    }

    fn text(self) -> &'static str {
        match self {
            Self::Tmf620 => include_str!("../tmf/TMF620-ProductCatalog-v4.1.0.swagger.json"),
            Self::Tmf622 => include_str!("../tmf/TMF622-ProductOrdering-v4.0.0.swagger.json"),
            Self::Tmf629 => include_str!("../tmf/TMF629-Customer-v4.0.0.swagger.json"),
            Self::Tmf632 => include_str!("../tmf/TMF632-Party-v4.0.0.swagger.json"),
            Self::Tmf635 => include_str!("../tmf/TMF635-Usage-v4.0.0.swagger.json"),
            Self::Tmf637 => include_str!("../tmf/TMF637-ProductInventory-v4.0.0.swagger.json"),
            Self::Tmf638 => include_str!("../tmf/TMF638-ServiceInventory-v4.0.0.swagger.json"),
            Self::Tmf639 => include_str!("../tmf/TMF639-ResourceInventory-v4.0.0.swagger.json"),
            Self::Tmf640 => include_str!("../tmf/TMF640-ServiceActivation-v4.0.0.swagger.json"),
            Self::Tmf641 => include_str!("../tmf/TMF641-ServiceOrdering-v4.1.0.swagger.json"),
            Self::Tmf654 => include_str!("../tmf/TMF654-PrepayBalance-v4.0.0.swagger.json"),
            Self::Tmf670 => include_str!("../tmf/TMF670-PaymentMethod-v4.0.0.swagger.json"),
            Self::Tmf671 => include_str!("../tmf/TMF671-Promotion-v4.1.0.swagger.json"),
            Self::Tmf676 => include_str!("../tmf/TMF676-Payment-v4.0.0.swagger.json"),
            Self::Tmf677 => include_str!("../tmf/TMF677-UsageConsumption-v4.0.0.swagger.json"),
            Self::Tmf681 => include_str!("../tmf/TMF681-Communication-v4.0.0.swagger.json"),
            Self::Tmf683 => include_str!("../tmf/TMF683-PartyInteraction-v4.0.0.swagger.json"),
            Self::Tmf688 => include_str!("../tmf/TMF688-Event-v4.0.0.swagger.json"),
        }
    }
}

/// What a payload is checked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// A whole resource that we serve.
    Resource,
    /// A resource cut down by `fields`: nothing is required, everything else holds.
    Selection,
    /// The body of a POST.
    Create,
    /// The body of a PATCH, a JSON merge patch: nothing is required at the top, null removes.
    Merge,
}

/// Checks a resource (or `Error`) as we serve it. The messages begin with a JSON pointer.
pub(crate) fn validate(api: Api, resource: &str, value: &Value) -> Result<(), Vec<String>> {
    validate_extended(api, resource, value, &[])
}

/// The same where a caller extended the resource: objects that carry one of these `@schemaLocation`s are open.
pub(crate) fn validate_extended(
    api: Api,
    resource: &str,
    value: &Value,
    schema_locations: &[&str],
) -> Result<(), Vec<String>> {
    let mut faults = faults_against_schema(api, resource, Mode::Resource, schema_locations, value);
    find_nulls(value, "", &mut faults);
    rules::check(api, resource, value, &mut faults);
    links::check(api, resource, value, &mut faults);
    verdict(faults)
}

/// Checks a resource that was cut down with `fields=…`.
pub(crate) fn validate_selection(api: Api, resource: &str, value: &Value) -> Result<(), Vec<String>> {
    let mut faults = faults_against_schema(api, resource, Mode::Selection, &[], value);
    find_nulls(value, "", &mut faults);
    links::check(api, resource, value, &mut faults);
    verdict(faults)
}

/// Checks what a caller sends with `POST` or `PATCH`. Objects that carry `@schemaLocation` may have any attribute.
pub(crate) fn validate_request(api: Api, method: &str, resource: &str, value: &Value) -> Result<(), Vec<String>> {
    let mut value = value.clone();
    let (mode, definition) = match method {
        "POST" => (Mode::Create, format!("{resource}_Create")),
        "PATCH" => (Mode::Merge, format!("{resource}_Update")),
        _ => return Err(vec![format!("a {method} has no body")]),
    };
    if let (Mode::Merge, Value::Object(attributes)) = (mode, &mut value) {
        attributes.retain(|_, value| !value.is_null());
    }
    let mut faults = faults_against_schema(api, &definition, mode, &[], &value);
    find_nulls(&value, "", &mut faults);
    verdict(faults)
}

fn verdict(faults: Vec<String>) -> Result<(), Vec<String>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn faults_against_schema(
    api: Api,
    definition: &str,
    mode: Mode,
    schema_locations: &[&str],
    value: &Value,
) -> Vec<String> {
    let Some(validator) = validator(api, definition, mode, schema_locations) else {
        return vec![format!("{api:?} has no definition {definition}")];
    };
    validator.iter_errors(value).flat_map(|error| describe(&error)).collect()
}

fn describe(error: &jsonschema::ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| format!("{pointer}/{name}: is not an official attribute")).collect()
        }
        ValidationErrorKind::FalseSchema => vec![format!("{pointer}: is not allowed here")],
        ValidationErrorKind::Format { format } if format == "date-time" => {
            vec![format!("{pointer}: is not a date-time in our format")]
        }
        _ => vec![format!("{pointer}: {error}")],
    }
}

/// Compiled once per definition and mode; the tests ask thousands of times.
fn validator(api: Api, definition: &str, mode: Mode, schema_locations: &[&str]) -> Option<Arc<Validator>> {
    type Key = (Api, String, Mode, String);
    static COMPILED: LazyLock<Mutex<HashMap<Key, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let key = (api, definition.to_owned(), mode, schema_locations.join(" "));
    let mut compiled = COMPILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = compiled.get(&key) {
        return Some(Arc::clone(found));
    }
    let definitions = api.definition()["definitions"].as_object().expect("the official definition has definitions");
    let extensions = |name: &str| rules::extensions(api, name);
    let schema = closed(definitions, definition, mode, schema_locations, &extensions)?;
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .with_format("date-time", move |text: &str| is_date_time(text, mode))
        // The files say `uri`, TMF630 says that a href may be relative.
        .with_format("uri", |text: &str| !text.is_empty() && !text.contains(char::is_whitespace))
        .build(&schema)
        .unwrap_or_else(|error| panic!("{api:?} {definition}: {error}"));
    let validator = Arc::new(validator);
    compiled.insert(key, Arc::clone(&validator));
    Some(validator)
}

/// We write one form; callers may send any RFC 3339 date-time.
fn is_date_time(text: &str, mode: Mode) -> bool {
    let read = time::parse(text);
    match mode {
        Mode::Create | Mode::Merge => read.is_ok(),
        Mode::Resource | Mode::Selection => read.is_ok_and(|at| time::format(at) == text),
    }
}

fn find_nulls(value: &Value, pointer: &str, faults: &mut Vec<String>) {
    match value {
        Value::Null => faults.push(format!("{pointer}: is null")),
        Value::Object(attributes) => {
            attributes.iter().for_each(|(name, value)| find_nulls(value, &format!("{pointer}/{name}"), faults));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(i, value)| find_nulls(value, &format!("{pointer}/{i}"), faults));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
