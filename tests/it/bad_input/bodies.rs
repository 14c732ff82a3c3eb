//! Bodies that no route may accept: broken as JSON, or broken against the schema of the arguments. For TMF resources the
//! official definitions say what is broken.

use serde_json::{Map, Value, json};

use super::rng::Rng;
use crate::support::routes::Route;
use crate::support::samples;
use crate::support::tmf_gate::{Api, validate_request};

pub(super) struct Body {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) must_be_refused: bool,
}

fn refused(kind: &'static str, bytes: impl Into<Vec<u8>>) -> Body {
    Body { kind, bytes: bytes.into(), must_be_refused: true }
}

/// Identifiers that name nothing, as they stand in a body.
const FOREIGN: &[&str] = &[
    "CUST-000000000000",
    "ORD-999999",
    "SUB-9999999",
    "PAY-999999",
    "PM-9999",
    "SVC-99999",
    "PTK-9999",
    "PLAN_NONE",
    "none",
    "",
    " ",
    "..",
    "' or 1=1--",
    "\u{1f600}",
    "\u{202e}DROC",
    "a/b",
    "null",
    "0",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "{{7*7}}",
    "%00",
];

const HUGE_NUMBERS: &[&str] = &[
    "-1",
    "-9223372036854775808",
    "-9223372036854775809",
    "9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e30",
    "1e400",
    "-1e400",
    "1.5",
    "-0.5",
    "1E-400",
    "0x10",
    "NaN",
    "Infinity",
    "+1",
    "01",
    "1_000",
];

/// A use of a number that nobody has is a fact that is recorded; plans and prices are called what the caller likes.
const TAKES_ANY_ID: &[&str] = &["usage.simulate", "catalog.add_offering", "catalog.add_price", "catalog.add_vas"];

/// A body of a bad kind for the route.
pub(super) fn bad(document: &Value, route: &Route, rng: &mut Rng) -> Body {
    let base = if route.operation_name().is_some() {
        route.operation["requestBody"]["content"]["application/json"]["example"].clone()
    } else {
        official(route).and_then(|_| samples::request(route)).unwrap_or_else(|| json!({}))
    };
    match rng.below(9) {
        0 => broken(&base, rng),
        1 => refused("not an object", rng.word(&["[]", "1", "\"text\"", "true", "[{}]", "-0.0", "\"\""])),
        2 => unknown_field(base, rng),
        3 => deep(&base, rng),
        4 if rng.below(8) == 0 => large(rng),
        _ if route.operation_name().is_some() => against_schema(document, route, base, rng),
        _ => against_definition(route, base, rng),
    }
}

/// No JSON, or no JSON in UTF-8.
fn broken(base: &Value, rng: &mut Rng) -> Body {
    let whole = base.to_string();
    let cut = rng.below(whole.len());
    let mut bytes = whole.clone().into_bytes();
    match rng.below(8) {
        0 if cut > 0 => refused("truncated", &bytes[..cut]),
        1 => refused(
            "trailing text",
            [whole.as_bytes(), rng.word(&["}", "{}", " x", ",", "\u{feff}"]).as_bytes()].concat(),
        ),
        2 => {
            let length = 1 + rng.below(2_000);
            // Never by chance an empty body, which means no arguments.
            refused("random bytes", [&[0xff][..], &rng.bytes(length)].concat())
        }
        3 => {
            bytes.splice(1..1, b"\"a\":\"\xff\xfe\",".iter().copied());
            refused("invalid UTF-8", bytes)
        }
        4 => refused("NUL", format!("{{\"a\":\"\\u0000\",{}", &whole[1..])),
        5 => refused("lone surrogate", format!("{{\"\\ud800\":1,{}", &whole[1..])),
        6 => refused("byte order mark", [&b"\xef\xbb\xbf"[..], whole.as_bytes()].concat()),
        _ => refused(
            "no JSON",
            rng.word(&[
                "{",
                "nul",
                "{'a':1}",
                "{\"a\":}",
                "{,}",
                "<xml/>",
                "a=1&b=2",
                "{\"a\":1 \"b\":2}",
                "\u{0}",
                "{\"a\" 1}",
            ]),
        ),
    }
}

fn unknown_field(base: Value, rng: &mut Rng) -> Body {
    let long = "k".repeat(10_000);
    let weird = rng.text(8);
    let names = [
        "unexpected",
        "__proto__",
        "constructor",
        "",
        " ",
        "id ",
        "CustomerId",
        "customer-id",
        "@none",
        "$ref",
        long.as_str(),
        weird.as_str(),
    ];
    let values = [json!(1), json!(null), json!("x"), json!({"a": []}), json!([[]])];
    let mut body = base.as_object().cloned().unwrap_or_default();
    body.insert((*rng.pick(&names)).to_owned(), rng.pick(&values).clone());
    refused("unknown field", Value::Object(body).to_string())
}

fn deep(base: &Value, rng: &mut Rng) -> Body {
    let levels = 200 + rng.below(20_000);
    let (open, close) = *rng.pick(&[("[", "]"), ("{\"a\":", "}")]);
    let nest = format!("{}1{}", open.repeat(levels), close.repeat(levels));
    let names: Vec<&str> =
        base.as_object().into_iter().flat_map(Map::keys).map(String::as_str).chain(["deep"]).collect();
    refused("deep nesting", format!("{{\"{}\":{nest}}}", rng.pick(&names)))
}

fn large(rng: &mut Rng) -> Body {
    let length = *rng.pick(&[256 * 1024 + 1, 1_000_000, 10 * 1024 * 1024, 17 * 1024 * 1024]);
    let filler = *rng.pick(&[b'a', b' ', b'[', 0]);
    refused("large", [&b"{\"a\":\""[..], &vec![filler; length], &b"\"}"[..]].concat())
}

/// One argument of an operation made wrong, or left out.
fn against_schema(document: &Value, route: &Route, base: Value, rng: &mut Rng) -> Body {
    let schema = resolved(document, &route.operation["requestBody"]["content"]["application/json"]["schema"]);
    let reads = route.operation["x-bss-effect"] == "read";
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut body = base.as_object().cloned().unwrap_or_default();
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return unknown_field(base, rng);
    };
    let names: Vec<&String> = properties.keys().collect();
    let name = (*rng.pick(&names)).as_str();
    let property = &properties[name];
    let types = types(document, property);
    match rng.below(5) {
        0 if !required.is_empty() => {
            body.remove(*rng.pick(&required));
            refused("missing argument", Value::Object(body).to_string())
        }
        1 if types.contains(&"string") && !reads => {
            let long =
                *rng.pick(&[("x", 20_000), ("\u{e9}", 50_000), ("\u{1f600}", 30_000), (" ", 100_000), ("9", 200_000)]);
            body.insert(name.to_owned(), long.0.repeat(long.1).into());
            refused("huge text", Value::Object(body).to_string())
        }
        1 if types.contains(&"string") => {
            let text = if rng.below(2) == 0 { rng.text(40) } else { "x".repeat(100_000) };
            body.insert(name.to_owned(), text.into());
            Body { kind: "odd text", bytes: Value::Object(body).to_string().into(), must_be_refused: false }
        }
        2 if types.contains(&"integer") || types.contains(&"number") => {
            // Text in the place of a number that JSON could not carry otherwise.
            body.insert(name.to_owned(), json!("@@"));
            let word = rng.word(HUGE_NUMBERS);
            // Some quantities know -1: without limit.
            let word = if word == "-1" && property["minimum"] == -1 { "-2" } else { word };
            // The nearest fraction is zero, which is a good one.
            let word = if word == "1E-400" && types.contains(&"number") { "1E400" } else { word };
            let bytes = Value::Object(body).to_string().replace("\"@@\"", word);
            Body { kind: "huge number", bytes: bytes.into(), must_be_refused: !reads }
        }
        3 if !required.is_empty() && !TAKES_ANY_ID.contains(&route.operation_name().unwrap_or_default()) => {
            let ids: Vec<&str> = required
                .iter()
                .copied()
                .filter(|name| name.ends_with("Id") || *name == "msisdn" || *name == "iccid")
                .collect();
            if ids.is_empty() {
                return unknown_field(base, rng);
            }
            body.insert((*rng.pick(&ids)).to_owned(), json!(rng.word(FOREIGN)));
            Body { kind: "foreign id", bytes: Value::Object(body).to_string().into(), must_be_refused: !reads }
        }
        _ => {
            let values =
                [json!(null), json!(true), json!(7), json!(1.25), json!("@@"), json!([]), json!({}), json!([{"a": 1}])];
            let wrong: Vec<&Value> = values.iter().filter(|value| !fits(value, &types)).collect();
            if wrong.is_empty() {
                return unknown_field(base, rng);
            }
            body.insert(name.to_owned(), (*rng.pick(&wrong)).clone());
            refused("wrong type", Value::Object(body).to_string())
        }
    }
}

/// An attribute of an official body replaced or removed, kept only when the official definition refuses the outcome.
fn against_definition(route: &Route, base: Value, rng: &mut Rng) -> Body {
    const TRIES: usize = 30;
    let Some((api, resource)) = official(route) else { return unknown_field(base, rng) };
    let values = [
        json!(null),
        json!(true),
        json!(-7),
        json!(1.25e30),
        json!("@@"),
        json!([]),
        json!({}),
        json!([[1]]),
        json!("9".repeat(20_000)),
    ];
    for _ in 0..TRIES {
        let mut body = base.clone();
        let places = places(&body);
        let place = rng.pick(&places).clone();
        if let Some(target) = body.pointer_mut(&place) {
            *target = rng.pick(&values).clone();
        }
        let method = route.method.as_str();
        if body.is_object() && body != base && validate_request(api, method, resource, &body).is_err() {
            // A merge patch that says null removes; PATCH goes to a resource that is not there anyway.
            return refused("officially wrong", body.to_string());
        }
    }
    unknown_field(base, rng)
}

/// The official definition of a route's body, for the resources of which `docs/TMF.md` shows one.
fn official(route: &Route) -> Option<(Api, &'static str)> {
    let samples: &[(Api, &str)] =
        &[(Api::Tmf622, "ProductOrder"), (Api::Tmf629, "Customer"), (Api::Tmf635, "Usage"), (Api::Tmf676, "Payment")];
    let id = route.operation["operationId"].as_str()?;
    let resource = id.strip_prefix("create").or_else(|| id.strip_prefix("patch"))?;
    let is_of = |api: Api| route.path.starts_with(&format!("{}/", api.base_path()));
    samples.iter().copied().find(|(api, name)| *name == resource && is_of(*api))
}

fn places(value: &Value) -> Vec<String> {
    fn below(value: &Value, at: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member)).collect()
            }
            Value::Array(elements) => {
                elements.iter().enumerate().map(|(n, element)| (n.to_string(), element)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (step, child) in children {
            let place = format!("{at}/{step}");
            below(child, &place, found);
            found.push(place);
        }
    }
    let mut found = Vec::new();
    below(value, "", &mut found);
    found
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(&reference[1..]).expect("references lead somewhere")),
        None => schema,
    }
}

/// The JSON types that a schema lets through; none: any.
fn types<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    let schema = resolved(document, schema);
    let mut found: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for kind in ["anyOf", "oneOf", "allOf"] {
        for variant in schema[kind].as_array().into_iter().flatten() {
            found.extend(types(document, variant));
        }
    }
    if found.is_empty() && (schema["enum"].is_array() || schema["const"].is_string()) {
        found.push("string");
    }
    found
}

/// Whether a value may be right for these types.
fn fits(value: &Value, types: &[&str]) -> bool {
    let kinds: &[&str] = match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.is_f64() => &["number"],
        Value::Number(_) => &["integer", "number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    };
    types.is_empty() || kinds.iter().any(|kind| types.contains(kind))
}
