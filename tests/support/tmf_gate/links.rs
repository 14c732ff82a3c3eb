//! Paths: which ones are official, and whether the links in a payload lead where they say.

use serde_json::Value;

use super::Api;
use super::promises::RULES;

/// Method (upper case) and path (with `{id}`) of everything the official file of the API has.
pub(crate) fn official_paths(api: Api) -> Vec<(String, String)> {
    let paths = api.definition()["paths"].as_object().expect("the official definition has paths");
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("a path has methods");
            methods.keys().map(move |method| (method.to_uppercase(), format!("{}{path}", api.base_path())))
        })
        .collect()
}

/// Whether any of the official files has this method and path. Parameters may have any name: `{id}`, `{orderId}`.
pub(crate) fn is_official(method: &str, path: &str) -> bool {
    let shape = |path: &str| {
        path.split('/').map(|step| if step.starts_with('{') { "{}" } else { step }).collect::<Vec<_>>().join("/")
    };
    let path = shape(path);
    Api::ALL.into_iter().any(|api| {
        official_paths(api).iter().any(|(official, official_path)| official == method && shape(official_path) == path)
    })
}

/// The resource's own `href`, and every link inside it: `href` beside `id`, `serviceOrderHref` beside
/// `serviceOrderId`. A link that begins with a scheme is somebody else's and only echoed, a `urn:` is a name.
pub(super) fn check(api: Api, resource: &str, value: &Value, faults: &mut Vec<String>) {
    if RULES.iter().any(|rules| rules.api == api && rules.resource == resource) {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let expected = format!("{}/{id}", collection(api, resource));
        if value.get("href").and_then(Value::as_str) != Some(&expected) {
            faults.push(format!("/href: must be {expected}"));
        }
    }
    if resource == "Monitor" {
        monitored(value, faults);
    }
    walk(value, "", faults);
}

/// What a monitor watches has no id beside it: the request says what it was about.
fn monitored(value: &Value, faults: &mut Vec<String>) {
    let Some(link) = value.get("sourceHref").and_then(Value::as_str) else { return };
    let id = link.rsplit('/').next().unwrap_or_default();
    let asked = value.pointer("/request/body").and_then(Value::as_str).unwrap_or_default();
    if !leads_to(link, id) || !asked.contains(&format!("\"serviceId\":\"{id}\"")) {
        faults.push(format!("/sourceHref: {link} is not the service that the request is about"));
    }
}

fn walk(value: &Value, pointer: &str, faults: &mut Vec<String>) {
    match value {
        Value::Object(attributes) => {
            for (name, below) in attributes {
                let at = format!("{pointer}/{name}");
                let beside = name.strip_suffix("Href").map(|of| format!("{of}Id"));
                let beside = beside.filter(|_| name != "sourceHref");
                let beside = if name == "href" { Some("id".to_owned()) } else { beside };
                if let (Some(beside), Value::String(link)) = (beside, below)
                    && !link.contains("://")
                    && !leads_to(link, attributes.get(&beside).and_then(Value::as_str).unwrap_or_default())
                {
                    faults.push(format!("{at}: {link} is not a resource that we serve with the {beside} beside it"));
                }
                walk(below, &at, faults);
            }
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(i, below)| walk(below, &format!("{pointer}/{i}"), faults));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn leads_to(link: &str, id: &str) -> bool {
    if let Some(name) = link.strip_prefix("urn:bss:") {
        return name.split_once(':').is_some_and(|(_, name)| name == id);
    }
    !id.is_empty() && RULES.iter().any(|rules| link == format!("{}/{id}", collection(rules.api, rules.resource)))
}

/// `/tmf-api/…/v4/productOffering`
fn collection(api: Api, resource: &str) -> String {
    let (first, rest) = resource.split_at(1);
    format!("{}/{}{rest}", api.base_path(), first.to_lowercase())
}
