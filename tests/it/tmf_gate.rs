//! The gate for TMF payloads guards what it says it guards: it lets the documented payloads pass, and goes red for
//! every single change to them that a caller must not see.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::tmf_gate::{
    Api, Mode, closed, is_official, must_haves, official_paths, validate, validate_extended, validate_request,
    validate_selection, words,
};

const PAGE: &str = include_str!("../../docs/TMF.md");

/// A JSON block of the page: its API, method (requests) and resource, and the JSON itself.
struct Sample {
    api: Api,
    method: Option<&'static str>,
    resource: &'static str,
    value: Value,
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for block in PAGE.split("\n```json ").skip(1) {
        let (head, rest) = block.split_once('\n').expect("a block has lines");
        let (text, _) = rest.split_once("\n```").expect("a block ends");
        let words: Vec<&str> = head.split(' ').collect();
        let api = Api::named(words[0]).expect("a block names its API");
        let (method, resource) = match words[1..] {
            [resource] => (None, resource),
            [method, resource] => (Some(method), resource),
            _ => panic!("a block is `json API [METHOD] Resource`: {head}"),
        };
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{head}: {error}"));
        samples.push(Sample { api, method, resource, value });
    }
    samples
}

fn resources() -> impl Iterator<Item = Sample> {
    samples().into_iter().filter(|sample| sample.method.is_none())
}

/// Changes a sample one way and counts that the gate noticed.
struct Mutations {
    sample: Sample,
    tried: usize,
    passed: Vec<String>,
}

impl Mutations {
    fn of(sample: Sample) -> Self {
        Self { sample, tried: 0, passed: Vec::new() }
    }

    fn try_one(&mut self, what: &str, pointer: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.sample.value.clone();
        change(value.pointer_mut(pointer).expect("the pointer leads somewhere"));
        assert_ne!(value, self.sample.value, "{what} at {pointer} changed nothing");
        self.tried += 1;
        if validate(self.sample.api, self.sample.resource, &value).is_ok() {
            self.passed.push(format!("{what} at {pointer}"));
        }
    }

    #[track_caller]
    fn all_red(self, least: usize) {
        let name = format!("{:?} {}", self.sample.api, self.sample.resource);
        assert!(self.passed.is_empty(), "{name} passes with: {:#?}", self.passed);
        assert!(self.tried >= least, "{name}: only {} mutations", self.tried);
    }
}

/// Pointers of everything in the value but the value itself.
fn pointers(value: &Value) -> Vec<String> {
    fn below(value: &Value, pointer: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(attributes) => attributes.iter().map(|(name, v)| (name.clone(), v)).collect(),
            Value::Array(elements) => elements.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            let pointer = format!("{pointer}/{name}");
            found.push(pointer.clone());
            below(child, &pointer, found);
        }
    }
    let mut found = Vec::new();
    below(value, "", &mut found);
    found
}

fn split(pointer: &str) -> (&str, &str) {
    pointer.rsplit_once('/').expect("a pointer has a last step")
}

fn objects(value: &Value) -> Vec<String> {
    let inner = pointers(value).into_iter().filter(|pointer| value.pointer(pointer).is_some_and(Value::is_object));
    // Official free-form object: the context of an error.
    [String::new()].into_iter().chain(inner).filter(|pointer| pointer != "/context").collect()
}

/// Officially of any type: the value of a characteristic, and what is in an error's context.
fn is_any(value: &Value, pointer: &str) -> bool {
    let (parent, name) = split(pointer);
    let parent = value.pointer(parent).expect("a parent");
    (name == "value" && parent.get("unit").is_none()) || pointer.starts_with("/context/")
}

/// A value of another type, that no schema of the same place allows.
fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(7),
        Value::Number(_) | Value::Bool(_) | Value::Object(_) => json!("other"),
        Value::Array(_) => json!({}),
        Value::Null => json!(true),
    }
}

#[test]
fn every_documented_payload_passes() {
    let samples = samples();
    for Sample { api, method, resource, value } in &samples {
        let verdict = match method {
            None => validate(*api, resource, value),
            Some(method) => validate_request(*api, method, resource, value),
        };
        assert!(verdict.is_ok(), "{api:?} {method:?} {resource}: {:#?}", verdict.unwrap_err());
    }
    let served: BTreeSet<&str> = samples.iter().map(|sample| sample.resource).collect();
    let all = [
        "Bucket",
        "Category",
        "CommunicationMessage",
        "Customer",
        "Error",
        "Individual",
        "Monitor",
        "PartyInteraction",
        "Payment",
        "PaymentMethod",
        "Product",
        "ProductOffering",
        "ProductOfferingPrice",
        "ProductOrder",
        "ProductSpecification",
        "Promotion",
        "QueryUsageConsumption",
        "Refund",
        "Resource",
        "Service",
        "ServiceOrder",
        "TopupBalance",
        "Usage",
        "UsageSpecification",
    ];
    assert_eq!(served.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn dropping_anything_promised_is_noticed() {
    for sample in resources() {
        let promised: Vec<String> = must_haves(sample.api, sample.resource, &sample.value)
            .iter()
            .flat_map(|path| pointers(&sample.value).into_iter().filter(move |pointer| fits(path, pointer)))
            .collect();
        let mut mutations = Mutations::of(sample);
        for pointer in promised {
            let (parent, name) = split(&pointer);
            mutations.try_one("dropped", parent, |object| {
                object.as_object_mut().expect("an object").shift_remove(name);
            });
            mutations.try_one("emptied", &pointer, |value| {
                *value = match value {
                    Value::Array(_) => json!([]),
                    Value::Object(_) => json!({}),
                    _ => json!(""),
                };
            });
        }
        mutations.all_red(8);
    }
}

fn fits(path: &str, pointer: &str) -> bool {
    let (path, pointer): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pointer.split('/').collect());
    path.len() == pointer.len() && path.iter().zip(&pointer).all(|(p, q)| *p == "*" || p == q)
}

#[test]
fn an_unknown_attribute_or_schema_location_in_any_object_is_noticed() {
    for sample in resources() {
        let objects = objects(&sample.value);
        let mut mutations = Mutations::of(sample);
        for pointer in objects {
            for (name, value) in
                [("bundleAllowance", json!([])), ("@schemaLocation", json!("https://example.com/x.json"))]
            {
                mutations.try_one(name, &pointer, |object| {
                    object.as_object_mut().expect("an object").insert(name.to_owned(), value);
                });
            }
        }
        mutations.all_red(2);
    }
}

#[test]
fn a_null_or_a_wrong_type_anywhere_is_noticed() {
    for sample in resources() {
        let (value, everything) = (sample.value.clone(), pointers(&sample.value));
        let mut mutations = Mutations::of(sample);
        for pointer in everything {
            mutations.try_one("null", &pointer, |value| *value = Value::Null);
            if !is_any(&value, &pointer) {
                mutations.try_one("wrong type", &pointer, |value| *value = of_another_type(value));
            }
        }
        mutations.all_red(10);
    }
}

#[test]
fn another_way_to_write_a_time_a_state_a_type_or_a_link_is_noticed() {
    for sample in resources() {
        let value = sample.value.clone();
        let closed_lists = words(sample.api, sample.resource);
        let mut mutations = Mutations::of(sample);
        for pointer in pointers(&value) {
            let Some(text) = value.pointer(&pointer).and_then(Value::as_str) else { continue };
            let (_, name) = split(&pointer);
            if is_any(&value, &pointer) {
                continue;
            }
            if text.contains(".000Z") {
                mutations.try_one("time without milliseconds", &pointer, |v| *v = json!(text.replace(".000Z", "Z")));
                mutations.try_one("time with offset", &pointer, |v| *v = json!(text.replace('Z', "+00:00")));
                mutations.try_one("time in microseconds", &pointer, |v| *v = json!(text.replace(".000Z", ".000000Z")));
            }
            let listed = closed_lists.iter().any(|(path, _)| fits(path, &pointer));
            if listed || ["state", "action", "itemAction"].contains(&name) {
                mutations.try_one("our own word", &pointer, |v| *v = json!("in_progress"));
            }
            if name == "@type" {
                mutations.try_one("another type", &pointer, |v| *v = json!("Thing"));
            }
            if name == "href" || name.ends_with("Href") {
                mutations.try_one("link to another id", &pointer, |v| *v = json!(format!("{text}0")));
                if !text.starts_with("urn:") {
                    mutations.try_one("link to an old path", &pointer, |v| *v = json!(text.replace("/v4/", "/v1/")));
                }
            }
        }
        if mutations.sample.resource != "Error" {
            mutations.all_red(10);
        }
    }
}

#[test]
fn a_state_brings_its_promises() {
    let order = resources().find(|sample| sample.resource == "ProductOrder").expect("a sample").value;
    let mut failed = order.clone();
    failed["state"] = json!("failed");
    failed.as_object_mut().expect("an object").shift_remove("note");
    let faults = validate(Api::Tmf622, "ProductOrder", &failed).expect_err("a failed order says why");
    assert_eq!(faults, ["/note: is missing, our product promises it"]);
}

#[test]
fn faults_point_at_what_is_wrong() {
    let mut order = resources().find(|sample| sample.resource == "ProductOrder").expect("a sample").value;
    order["productOrderItem"][0]["offeringId"] = json!("PLAN_M");
    order["productOrderItem"][0]["state"] = json!("in_progress");
    order["orderDate"] = json!("2026-05-10T09:00:00Z");
    let mut faults = validate(Api::Tmf622, "ProductOrder", &order).expect_err("three faults");
    faults.sort();
    let starts = ["/orderDate: ", "/productOrderItem/0/offeringId: ", "/productOrderItem/0/state: "];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault}");
    }
}

#[test]
fn a_selection_may_lack_anything_but_may_not_have_more() {
    let href = "/tmf-api/customerManagement/v4/customer/CUST-4be1709c0d2f";
    let cut = json!({"id": "CUST-4be1709c0d2f", "href": href, "@type": "Customer", "status": "active"});
    assert_eq!(validate_selection(Api::Tmf629, "Customer", &cut), Ok(()));
    assert!(validate(Api::Tmf629, "Customer", &cut).is_err());
    let more = json!({"id": "CUST-4be1709c0d2f", "href": href, "@type": "Customer", "kycStatus": "verified"});
    assert!(validate_selection(Api::Tmf629, "Customer", &more).is_err());
}

#[test]
fn requests_are_closed_unless_they_say_where_their_schema_is() {
    for Sample { api, method, resource, value } in samples() {
        let Some(method) = method else { continue };
        for pointer in objects(&value) {
            let mut extended = value.clone();
            let object = extended.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object");
            object.insert("loyaltyTier".to_owned(), json!("gold"));
            let faults = validate_request(api, method, resource, &extended).expect_err("closed");
            assert_eq!(faults, [format!("{pointer}/loyaltyTier: is not an official attribute")]);

            let object = extended.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object");
            object.insert("@schemaLocation".to_owned(), json!("https://example.com/tier.json"));
            assert_eq!(validate_request(api, method, resource, &extended), Ok(()), "{resource} {pointer}");
        }
    }
}

#[test]
fn a_merge_patch_may_remove_and_a_post_may_not_lack() {
    let patch = json!({"description": null, "state": "inProgress"});
    assert_eq!(validate_request(Api::Tmf622, "PATCH", "ProductOrder", &patch), Ok(()));
    assert!(validate_request(Api::Tmf622, "POST", "ProductOrder", &json!({"description": "x"})).is_err());
    assert!(validate_request(Api::Tmf622, "POST", "Nothing", &json!({})).is_err());
}

#[test]
fn an_extension_that_was_agreed_on_opens_its_object_only() {
    let location = "https://example.com/tier.json";
    let mut customer = resources().find(|sample| sample.resource == "Customer").expect("a sample").value;
    customer["@schemaLocation"] = json!(location);
    customer["loyaltyTier"] = json!("gold");
    assert_eq!(validate_extended(Api::Tmf629, "Customer", &customer, &[location]), Ok(()));
    assert!(validate_extended(Api::Tmf629, "Customer", &customer, &["https://example.com/other.json"]).is_err());
    customer["account"][0]["loyaltyTier"] = json!("gold");
    assert!(validate_extended(Api::Tmf629, "Customer", &customer, &[location]).is_err());
}

#[test]
fn official_paths_come_with_their_base_path() {
    for api in Api::ALL {
        let paths = official_paths(api);
        assert!(paths.iter().all(|(_, path)| path.starts_with(api.base_path()) && !path.contains("//")), "{paths:?}");
    }
    assert!(is_official("GET", "/tmf-api/productCatalogManagement/v4/productOffering/{offeringId}"));
    assert!(is_official("POST", "/payment/v4/payment"));
    assert!(is_official("PATCH", "/tmf-api/productOrderingManagement/v4/productOrder/{id}"));
    assert!(!is_official("POST", "/tmf-api/productOrderingManagement/v4/productOrder/{id}/submit"));
    assert!(!is_official("DELETE", "/payment/v4/payment/{id}"));
    assert!(!is_official("GET", "/tmf-api/paymentManagement/v4/payment"));
}

#[test]
fn the_page_names_every_path_and_promise() {
    for api in Api::ALL {
        assert!(PAGE.contains(&format!("| `{}` |", api.base_path())), "{api:?}");
    }
    for section in PAGE.split("\n## TMF").skip(1) {
        let (head, rest) = section.split_once('\n').expect("a section has lines");
        let (number, resource) = head.split_once(' ').expect("a section is named `TMF000 Resource`");
        let api = Api::named(&format!("TMF{number}")).expect("an API");
        let promised: Vec<String> = must_haves(api, resource, &json!({}))
            .iter()
            .map(|path| format!("`{}`", path[1..].replace("/*", "[]").replace('/', ".")))
            .collect();
        let expected = format!("Always present: {}.", promised.join(", "));
        let paragraph = rest.trim_start().split("\n\n").next().expect("a paragraph").replace('\n', " ");
        assert_eq!(paragraph, expected, "{head}");
    }
}

/// What no official file of ours has, but others do: `allOf`, types built on others, recursion.
#[test]
fn inheritance_is_merged_before_it_is_closed() {
    let definitions: Map<String, Value> = serde_json::from_value(json!({
        "Base": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string"}, "@type": {"type": "string"},
            "part": {"type": "array", "items": {"$ref": "#/definitions/Base"}}
        }},
        "Special": {"allOf": [{"$ref": "#/definitions/Base"}, {"type": "object", "properties": {"extra": {"type": "string"}}}]}
    }))
    .expect("an object");
    let schema = closed(&definitions, "Base", Mode::Resource, &[], &|_| Map::new()).expect("a definition");
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    assert!(validator.is_valid(&json!({"id": "1", "part": [{"id": "2", "@type": "Base"}]})));
    assert!(validator.is_valid(&json!({"id": "1", "part": [{"id": "2", "@type": "Special", "extra": "x"}]})));
    assert!(!validator.is_valid(&json!({"id": "1", "part": [{"id": "2", "extra": "x"}]})));
    assert!(!validator.is_valid(&json!({"id": "1", "part": [{"id": "2", "@type": "Special", "other": "x"}]})));
    assert!(!validator.is_valid(&json!({"@type": "Special", "extra": "x"})));
    assert!(closed(&definitions, "Missing", Mode::Resource, &[], &|_| Map::new()).is_none());
}
