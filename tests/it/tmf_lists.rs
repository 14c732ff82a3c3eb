//! Every list of every TM Forum API, as `docs/TMF.md` promises it: each documented filter finds what it is about, paging
//! counts and links, and a resource has its version where it can be changed.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::tmf_gate::Api;

const PAGE: &str = include_str!("../../docs/TMF.md");

/// A collection and what it can be filtered by.
struct Promise {
    path: String,
    filters: Vec<&'static str>,
    is_whole: bool,
}

/// What the sections of the page promise.
fn promises() -> Vec<Promise> {
    let sections = PAGE.split("\n## ").filter_map(|section| section.strip_prefix("TMF").map(|rest| (rest, section)));
    let promise = |(rest, section): (&'static str, &'static str)| {
        let (api, resource) = rest.lines().next()?.split_once(' ')?;
        let filters = &section[section.find("\nFilters")?..];
        // The attributes stand before the order, each in its own quotes.
        let end = filters.find("rder: ").unwrap_or(filters.len());
        let names = filters[..end].split('`').skip(1).step_by(2).collect();
        let (first, others) = resource.split_at(1);
        let path = format!("{}/{}{others}", Api::named(&format!("TMF{api}"))?.base_path(), first.to_lowercase());
        Some(Promise { path, filters: names, is_whole: !filters.starts_with("\nFilters, of which one must") })
    };
    sections.filter_map(promise).collect()
}

/// What stands at a dotted path, the first of it where there are several.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match (value, path.split_once('.')) {
        (Value::Array(many), _) => many.iter().find_map(|one| at(one, path)),
        (one, Some((name, rest))) => at(one.get(name)?, rest),
        (one, None) => one.get(path).filter(|found| !found.is_object() && !found.is_array()),
    }
}

fn encoded(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether the list can be filtered so: by some value of some type, or by a word that the refusal names.
async fn takes_something(app: &TestApp, path: &str, filter: &str) -> bool {
    let mut tries = ["x", "2026-01-01T00:00:00Z", "true", "1"].map(|value| json!(value)).to_vec();
    while let Some(value) = tries.pop() {
        let answer = app.get(&format!("{path}?{filter}={}", encoded(&value))).await;
        if answer.status.is_success() {
            return true;
        }
        let message = answer.body["message"].as_str().unwrap_or_default();
        if let Some(word) = message.strip_prefix("must be one of ").and_then(|words| words.split(", ").next())
            && value != word
        {
            tries.push(json!(word));
        }
    }
    false
}

/// A shop in which something of everything has happened.
async fn busy() -> TestApp {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    let (id, customer) = (&line["id"], &line["customerId"]);
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    app.op("usage.simulate", json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 9})).await.ok();
    app.op("interaction.log", json!({"customerId": customer, "summary": "asked for a receipt"})).await.ok();
    let attempts = app.op("payment.list_attempts", json!({"customerId": customer})).await.ok();
    app.op("payment.refund", json!({"paymentAttemptId": attempts[0]["id"], "reason": "goodwill"})).await.ok();
    app.settle().await;
    app
}

#[tokio::test]
async fn every_documented_filter_finds_what_it_is_about() {
    let app = busy().await;
    let promises = promises();
    assert_eq!(promises.len(), 24, "sections with filters");
    let (mut asked, mut matched) = (0, 0);
    for Promise { path, filters, is_whole } in promises {
        let all = if is_whole { app.get(&path).await.ok() } else { Value::Null };
        for filter in filters {
            // The first thing that says it; what nothing says is tried with any value.
            let sample = all.as_array().into_iter().flatten().find_map(|one| Some((one, at(one, filter)?)));
            asked += 1;
            let Some((one, value)) = sample else {
                assert!(takes_something(&app, &path, filter).await, "{path}?{filter}=… takes nothing");
                continue;
            };
            matched += 1;
            let found = app.get(&format!("{path}?{filter}={}", encoded(value))).await;
            assert!(found.status.is_success(), "{path}?{filter}={value}: {:#}", found.body);
            let ids: Vec<&Value> = found.body.as_array().expect("a list").iter().map(|one| &one["id"]).collect();
            assert!(ids.contains(&&one["id"]), "{path}?{filter}={value} does not find {}: {ids:?}", one["id"]);
        }
    }
    assert!(matched * 10 > asked * 7, "only {matched} of {asked} filters were tried with a value that is there");
    app.finish().await;
}

#[tokio::test]
async fn every_list_counts_links_and_cuts() {
    let app = busy().await;
    for Promise { path, .. } in promises().into_iter().filter(|promise| promise.is_whole) {
        let whole = app.get(&path).await;
        let listed = whole.body.as_array().expect("a list").clone();
        let count = |answer: &crate::support::app::Answer, name: &str| {
            answer.headers.get(name).and_then(|count| count.to_str().ok()?.parse::<usize>().ok())
        };
        assert_eq!(count(&whole, "x-result-count"), Some(listed.len()), "{path}");
        let total = count(&whole, "x-total-count").unwrap_or_else(|| panic!("{path} has no total"));
        let Some(first) = listed.first() else { continue };
        let one = app.get(&format!("{path}?limit=1&fields=id")).await;
        assert_eq!((count(&one, "x-total-count"), count(&one, "x-result-count")), (Some(total), Some(1)), "{path}");
        assert_eq!(one.status, if total > 1 { 206 } else { 200 }, "{path}");
        assert_eq!(one.headers.contains_key("link"), total > 1, "{path}: {:?}", one.headers);
        let kept: Vec<&str> = one.body[0].as_object().expect("an object").keys().map(String::as_str).collect();
        assert!(kept.iter().all(|name| ["id", "href", "@type"].contains(name)), "{path}: {kept:?}");
        for wrong in ["nothing=1", "limit=0", "limit=1001", "offset=-1", "sort=nothing", "limit=x"] {
            let refused = app.get(&format!("{path}?{wrong}")).await;
            assert_eq!(refused.status, 400, "{path}?{wrong}: {:#}", refused.body);
        }
        let href = first["href"].as_str().unwrap_or_else(|| panic!("{path}: {first:#}"));
        let read = app.get(href).await;
        assert!(read.headers.contains_key("etag"), "{href} has no version");
        let cut = app.get(&format!("{href}?fields=id")).await;
        assert_eq!((cut.status.as_u16(), &cut.body["id"]), (200, &first["id"]), "{href}");
        assert_eq!(app.get(&format!("{path}/NOTHING-0001")).await.status, 404, "{path}");
    }
    app.finish().await;
}
