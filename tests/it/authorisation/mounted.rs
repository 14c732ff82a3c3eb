//! What the router of the API really has, as it prints itself: the document and the sources could both forget a route.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use regex::Regex;

/// Method and path of everything that is mounted, with `{id}` where a parameter stands.
pub(super) fn routes(router: &Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    // Behind it stand the answers to paths that are not there.
    let printed = printed.split("fallback_router").next().expect("a text has a beginning");
    let pattern = |text: &str| Regex::new(text).expect("the pattern is right");
    let names = ["get", "head", "delete", "options", "patch", "post", "put", "trace", "connect"];
    let methods = names.map(|name| format!(r"{name}: (\w+)")).join(", ");
    let endpoint = pattern(&format!(r"RouteId\((\d+)\): MethodRouter\(MethodRouter \{{ {methods},"));
    let path = pattern(r#"RouteId\((\d+)\): "([^"]+)""#);
    let parameter = pattern(r"\{[^}]*\}");
    let mut methods_of: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for hit in endpoint.captures_iter(printed) {
        let served = names.iter().enumerate().filter(|(n, _)| &hit[n + 2] != "None").map(|(_, name)| *name);
        methods_of.insert(hit[1].to_owned(), served.collect());
    }
    let mut found = BTreeSet::new();
    for hit in path.captures_iter(printed) {
        let methods = methods_of.remove(&hit[1]);
        let methods = methods.unwrap_or_else(|| panic!("{} is mounted whole: say which methods it has", &hit[2]));
        let path = parameter.replace_all(&hit[2], "{id}");
        found.extend(methods.iter().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(methods_of.is_empty() && found.len() > 60, "the router prints itself otherwise than it did: {found:?}");
    found
}
