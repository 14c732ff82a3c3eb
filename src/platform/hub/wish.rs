//! What a listener asks for: the `query` of its registration.
//!
//! `eventType=…` chooses events, `<resource>.id=…`, `<resource>.relatedParty.id=…` and `<resource>.state=…` (or `.status`)
//! choose among their resources, with or without `event.` before them. Values of one name are alternatives, names add up. A
//! filter on one resource says nothing about the events of others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Topic;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::query;

/// Longest name of an event or an attribute that an answer repeats.
const TOLD_CHARS_MAX: usize = 80;

/// A query, read against the events of its API.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// None: all of the API.
    names: Option<BTreeSet<String>>,
    facts: Vec<Fact>,
}

/// One condition on a resource.
#[derive(Debug)]
struct Fact {
    resource: String,
    about: About,
    values: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Id,
    Customer,
    State,
}

impl Wish {
    /// Reads a query; `of_api` are the events that the listener may ask for.
    pub(super) fn read(query: Option<&str>, of_api: &[&Topic]) -> Result<Self> {
        let mut wish = Self::default();
        for (name, value) in query::pairs(query).map_err(|error| Error::invalid("/query", error.to_string()))? {
            let values = value.split(',').map(str::to_owned);
            if name == "eventType" {
                wish.names.get_or_insert_with(BTreeSet::new).extend(values);
                continue;
            }
            let (resource, about) = attribute(&name, of_api)?;
            match wish.facts.iter_mut().find(|fact| fact.resource == resource && fact.about == about) {
                Some(fact) => fact.values.extend(values),
                None => wish.facts.push(Fact { resource, about, values: values.collect() }),
            }
        }
        let is_known = |name: &&String| of_api.iter().any(|topic| topic.name == name.as_str());
        if let Some(unknown) = wish.names.iter().flatten().find(|name| !is_known(name)) {
            let known: BTreeSet<&str> = of_api.iter().map(|topic| topic.name).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::invalid("/query", format!("{} is no event of this API; known: {known}", told(unknown))));
        }
        Ok(wish)
    }

    /// Whether an event of this name is asked for, whatever it is about.
    pub(super) fn names(&self, topic: &Topic) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(topic.name))
    }

    /// Whether an event about this resource is asked for.
    pub(super) fn lets_through(&self, topic: &Topic, id: &str, payload: &Value) -> bool {
        self.facts.iter().filter(|fact| fact.resource == topic.resource).all(|fact| {
            let found = match fact.about {
                About::Id => Some(id),
                About::Customer => payload["customerId"].as_str(),
                About::State => topic.state,
            };
            found.is_some_and(|found| fact.values.contains(found))
        })
    }
}

/// `customer.id`, `event.productOrder.state`
fn attribute(name: &str, of_api: &[&Topic]) -> Result<(String, About)> {
    let unknown = || {
        let message = format!(
            "{} is no attribute to choose by; known: eventType, and of a resource id, relatedParty.id, state",
            told(name)
        );
        Error::invalid("/query", message)
    };
    let (resource, attribute) = name.strip_prefix("event.").unwrap_or(name).split_once('.').ok_or_else(unknown)?;
    let about = match attribute {
        "id" => About::Id,
        "relatedParty.id" => About::Customer,
        "state" | "status" => About::State,
        _ => return Err(unknown()),
    };
    if !of_api.iter().any(|topic| topic.resource == resource) {
        let known: BTreeSet<&str> = of_api.iter().map(|topic| topic.resource).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("{} is no resource of this API's events; known: {known}", told(resource));
        return Err(Error::invalid("/query", message));
    }
    Ok((resource.to_owned(), about))
}

fn told(text: &str) -> String {
    text.chars().take(TOLD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::hub::Named;

    const fn topic(name: &'static str, resource: &'static str, state: Option<&'static str>) -> Topic {
        Topic {
            event_type: "order.completed",
            api: "TMF622",
            name,
            resource,
            collection: "/x",
            named: Named::Aggregate,
            state,
        }
    }

    const COMPLETED: Topic = topic("ProductOrderStateChangeEvent", "productOrder", Some("completed"));
    const CREATED: Topic = topic("ProductOrderCreateEvent", "productOrder", Some("acknowledged"));

    fn wish(query: &str) -> Result<Wish> {
        Wish::read(Some(query), &[&COMPLETED, &CREATED])
    }

    #[test]
    fn names_and_attributes_add_up_and_values_are_alternatives() {
        let payload = json!({ "customerId": "CUST-1" });
        let all = wish("").unwrap();
        assert!(all.names(&CREATED) && all.lets_through(&CREATED, "ORD-1", &payload));
        let one = wish("eventType=ProductOrderStateChangeEvent&productOrder.id=ORD-1,ORD-2").unwrap();
        assert!(one.names(&COMPLETED) && !one.names(&CREATED));
        assert!(one.lets_through(&COMPLETED, "ORD-2", &payload) && !one.lets_through(&COMPLETED, "ORD-3", &payload));
        let theirs = wish("event.productOrder.relatedParty.id=CUST-1&event.productOrder.state=completed").unwrap();
        assert!(
            theirs.lets_through(&COMPLETED, "ORD-1", &payload) && !theirs.lets_through(&CREATED, "ORD-1", &payload)
        );
        assert!(!theirs.lets_through(&COMPLETED, "ORD-1", &json!({})), "nobody knows whose it is");
        let other = topic("CustomerCreateEvent", "customer", None);
        assert!(theirs.lets_through(&other, "CUST-2", &payload), "a filter is about its own resource");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for query in ["eventType=Gone", "productOrder.price=1", "customer.id=CUST-1", "id=ORD-1", "x=y"] {
            assert!(matches!(wish(query), Err(Error::Invalid { pointer, .. }) if pointer == "/query"), "{query}");
        }
    }
}
