//! `fields=…`: which attributes of a resource the caller wants to see.

use std::collections::BTreeMap;

use serde_json::Value;

/// Kept at every level whatever is asked for: without them a caller could not tell what the rest belongs to.
const IDENTITY: [&str; 3] = ["id", "href", "@type"];

/// A selection such as `name,relatedParty.id`, as a tree of attribute names.
///
/// A name that the resource does not have selects nothing; so `fields=none` gives the identity alone, as TMF630 has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelection {
    /// `None` below a name: all of it.
    wanted: BTreeMap<String, Option<FieldSelection>>,
}

impl FieldSelection {
    /// Adds one path. `a` wins over `a.b` in either order: the whole contains the part.
    pub(super) fn add(&mut self, path: &[String]) {
        let Some((name, rest)) = path.split_first() else { return };
        let below = self.wanted.entry(name.clone()).or_insert_with(|| Some(Self::default()));
        if rest.is_empty() {
            *below = None;
        } else if let Some(below) = below {
            below.add(rest);
        }
    }

    /// Cuts the resource down to the selection, and to its identity (`id`, `href`, `@type`), at every level.
    pub fn apply(&self, resource: &mut Value) {
        match resource {
            Value::Object(attributes) => {
                attributes.retain(|name, _| IDENTITY.contains(&name.as_str()) || self.wanted.contains_key(name));
                for (name, value) in attributes {
                    if let Some(Some(below)) = self.wanted.get(name) {
                        below.apply(value);
                    }
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.apply(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn selection(fields: &[&str]) -> FieldSelection {
        let mut selection = FieldSelection::default();
        for field in fields {
            selection.add(&field.split('.').map(str::to_owned).collect::<Vec<_>>());
        }
        selection
    }

    fn order() -> Value {
        json!({
            "id": "ORD-0042", "href": "/x/ORD-0042", "@type": "ProductOrder", "state": "completed",
            "relatedParty": [{"id": "CUST-1", "role": "customer", "name": "Nadia"}],
            "productOrderItem": [{"id": "OI-0001", "action": "add", "productOffering": {"id": "PLAN_M", "name": "M"}}]
        })
    }

    fn cut(fields: &[&str]) -> Value {
        let mut resource = order();
        selection(fields).apply(&mut resource);
        resource
    }

    #[test]
    fn identity_always_stays() {
        assert_eq!(cut(&["none"]), json!({"id": "ORD-0042", "href": "/x/ORD-0042", "@type": "ProductOrder"}));
    }

    #[test]
    fn nested_names_select_inside_objects_and_arrays() {
        assert_eq!(
            cut(&["state", "relatedParty.role", "productOrderItem.productOffering.name"]),
            json!({
                "id": "ORD-0042", "href": "/x/ORD-0042", "@type": "ProductOrder", "state": "completed",
                "relatedParty": [{"id": "CUST-1", "role": "customer"}],
                "productOrderItem": [{"id": "OI-0001", "productOffering": {"id": "PLAN_M", "name": "M"}}]
            })
        );
    }

    #[test]
    fn the_whole_contains_the_part_in_either_order() {
        assert_eq!(cut(&["relatedParty", "relatedParty.role"])["relatedParty"], order()["relatedParty"]);
        assert_eq!(cut(&["relatedParty.role", "relatedParty"])["relatedParty"], order()["relatedParty"]);
    }

    proptest! {
        #[test]
        fn selecting_twice_changes_nothing_more(
            fields in prop::collection::vec("(id|state|relatedParty|relatedParty\\.(id|name|x)|productOrderItem\\.productOffering)", 0..6),
        ) {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let once = cut(&fields);
            let mut twice = once.clone();
            selection(&fields).apply(&mut twice);
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(&once["id"], "ORD-0042");
        }
    }
}
