//! The table of `docs/TMF.md`: every official operation of every API that we serve, and of those that we do not serve, why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bss::app::{compose, openapi};

use crate::support::page::is_committed;
use crate::support::tmf_gate::{Api, official_paths};

const BEGIN: &str = "<!-- operations: made by tests/it/tmf_table.rs -->\n";
const END: &str = "<!-- end of operations -->\n";

/// API, resource (the first step of the path), methods, and why they are not served.
const DEVIATIONS: &[(&str, &str, &[&str], &str)] = &[
    ("TMF620", "catalog", &["GET", "POST", "PATCH", "DELETE"], "there is one catalog; plans are filed in categories"),
    ("TMF620", "category", &["DELETE"], "categories are retired (`lifecycleStatus`), so that history keeps its words"),
    ("TMF620", "productOffering", &["DELETE"], "lines refer to it for ever; it is retired (`lifecycleStatus`)"),
    ("TMF620", "productOfferingPrice", &["DELETE"], "contracts refer to it for ever; it is ended (`validFor`)"),
    ("TMF620", "productSpecification", &["DELETE"], "plans refer to it; it is retired (`lifecycleStatus`)"),
    ("TMF620", "importJob", &["GET", "POST", "DELETE"], "a catalog of a dozen plans needs no bulk transfer"),
    ("TMF620", "exportJob", &["GET", "POST", "DELETE"], "a catalog of a dozen plans needs no bulk transfer"),
    ("TMF622", "productOrder", &["DELETE"], "an order is evidence; it is cancelled (`PATCH`)"),
    ("TMF622", "cancelProductOrder", &["GET", "POST"], "cancelling is one step: `PATCH` with `state: cancelled`"),
    ("TMF629", "customer", &["DELETE"], "a customer is closed (`PATCH` with `status: closed`), the books keep them"),
    ("TMF632", "individual", &["POST", "PATCH", "DELETE"], "a person is made and changed with the customer (TMF629)"),
    ("TMF632", "organization", &["GET", "POST", "PATCH", "DELETE"], "only persons are customers here"),
    (
        "TMF635",
        "usage",
        &["PATCH", "DELETE"],
        "a usage event is the entry of a ledger: it is stored once, with its answer",
    ),
    (
        "TMF635",
        "usageSpecification",
        &["POST", "PATCH", "DELETE"],
        "the three kinds of usage are fixed: what can be rated is code",
    ),
    ("TMF637", "product", &["POST", "PATCH", "DELETE"], "a line comes from a product order and ends by operation"),
    ("TMF638", "service", &["POST", "PATCH", "DELETE"], "services come from service orders"),
    (
        "TMF639",
        "resource",
        &["POST", "PATCH", "DELETE"],
        "numbers and profiles move with orders and lines, and by operation",
    ),
    (
        "TMF640",
        "service",
        &["POST", "PATCH", "DELETE"],
        "services are configured by service orders, and told again by TMF641",
    ),
    (
        "TMF641",
        "serviceOrder",
        &["PATCH", "DELETE"],
        "a service order goes its own way; it is cancelled with its product order",
    ),
    ("TMF641", "cancelServiceOrder", &["GET", "POST"], "a service order is cancelled with its product order"),
    ("TMF654", "topupBalance", &["PATCH", "DELETE"], "a top-up is bought and settled in one step"),
    ("TMF654", "adjustBalance", &["GET", "POST", "PATCH", "DELETE"], "quota is never corrected by hand"),
    ("TMF654", "transferBalance", &["GET", "POST", "PATCH", "DELETE"], "quota belongs to its line"),
    ("TMF654", "reserveBalance", &["GET", "POST", "PATCH", "DELETE"], "usage is online: nothing is reserved ahead"),
    ("TMF654", "accumulatedBalance", &["GET"], "a line has one bucket of a kind: nothing is accumulated"),
    ("TMF654", "balanceActionHistory", &["GET"], "top-ups are listed as `topupBalance`, uses as TMF635 `usage`"),
    ("TMF670", "paymentMethod", &["POST"], "cards come by `payment.add_card`: no card number in a TMF payload"),
    (
        "TMF671",
        "promotion",
        &["PATCH", "DELETE"],
        "orders were promised its terms: it is ended by `promo.exhaust`, and assigned by `promo.assign`",
    ),
    ("TMF677", "queryUsageConsumption", &["POST", "DELETE"], "the answer for a line is always there, under its id"),
    ("TMF677", "hub", &["POST", "DELETE"], "no query is posted, so none has an outcome to tell"),
    (
        "TMF681",
        "communicationMessage",
        &["POST", "PATCH", "DELETE"],
        "messages come from what happens, and what was sent is history",
    ),
    ("TMF681", "hub", &["POST", "DELETE"], "the official file knows no event of this API"),
    ("TMF683", "partyInteraction", &["PATCH", "DELETE"], "a line of the timeline is history"),
    ("TMF688", "topic", &["GET", "POST", "DELETE"], "topics are fixed; the log is read with `events.list`"),
];

fn api_name(api: Api) -> String {
    format!("{api:?}").to_uppercase()
}

/// Everything official but the listeners' side, by resource: `(path, method)`.
fn official(api: Api) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut by_resource: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (method, path) in official_paths(api) {
        let below = path.trim_start_matches(api.base_path()).trim_start_matches('/');
        let resource = below.split('/').next().unwrap_or_default().to_owned();
        if resource != "listener" {
            by_resource.entry(resource).or_default().insert((path, method));
        }
    }
    by_resource
}

fn with_id(path: &str) -> String {
    path.split('/').map(|step| if step.starts_with('{') { "{id}" } else { step }).collect::<Vec<_>>().join("/")
}

fn table() -> String {
    let document = openapi::document(&compose::registry());
    let served = |path: &str, method: &str| document["paths"][with_id(path)].get(method.to_lowercase()).is_some();
    let mut table = "| API | resource | served | not served, and why |\n|---|---|---|---|\n".to_owned();
    for api in Api::ALL {
        for (resource, operations) in official(api) {
            let shown = |path: &str, method: &str| {
                if path.contains('{') { format!("{method} `/{{id}}`") } else { method.to_owned() }
            };
            let (yes, no): (Vec<_>, Vec<_>) = operations.iter().partition(|(path, method)| served(path, method));
            let yes: Vec<String> = yes.into_iter().map(|(path, method)| shown(path, method)).collect();
            let methods: BTreeSet<&str> = no.iter().map(|(_, method)| method.as_str()).collect();
            let reason = DEVIATIONS.iter().find(|(of, name, ..)| *of == api_name(api) && *name == resource);
            let absent = match (methods.is_empty(), reason) {
                (true, None) => String::new(),
                (true, Some(_)) => panic!("{api:?} {resource} is served whole: its deviation is stale"),
                (false, None) => panic!("{api:?} {resource}: {methods:?} are not served, and nobody says why"),
                (false, Some((_, _, declared, reason))) => {
                    let declared: BTreeSet<&str> = declared.iter().copied().collect();
                    assert_eq!(declared, methods, "{api:?} {resource}");
                    format!("{}: {reason}", methods.into_iter().collect::<Vec<_>>().join(", "))
                }
            };
            let yes = if yes.is_empty() { "—".to_owned() } else { yes.join(", ") };
            table.push_str(&format!("| {} | `{resource}` | {yes} | {absent} |\n", api_name(api)));
        }
    }
    table
}

#[test]
fn the_table_of_operations_is_made_from_the_official_files_and_our_document() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TMF.md");
    let page = std::fs::read_to_string(&file).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has the table's beginning");
    let (_, after) = rest.split_once(END).expect("the page has the table's end");
    let made = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    is_committed("docs/TMF.md", &made, "tmf_table::");
    for (api, resource, ..) in DEVIATIONS {
        let known = Api::ALL.into_iter().any(|one| api_name(one) == *api && official(one).contains_key(*resource));
        assert!(known, "{api} {resource} is not official: its deviation is stale");
    }
}
