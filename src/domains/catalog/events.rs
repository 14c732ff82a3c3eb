//! What happens to the catalog, with what was before and what is after: an audit trail of every price.

use serde::Serialize;
use serde_json::Value;

use crate::platform::outbox::Event;

macro_rules! catalog_event {
    ($name:ident, $type:literal, $aggregate:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) id: String,
            /// Null where there was nothing.
            pub(super) before: Value,
            pub(super) after: Value,
            pub(super) version: i64,
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = $aggregate;
            fn aggregate_id(&self) -> &str {
                &self.id
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

catalog_event!(OfferingAdded, "catalog.offering.added", "product_offering", "A plan is new.");
catalog_event!(OfferingChanged, "catalog.offering.changed", "product_offering", "A plan has changed.");
catalog_event!(OfferingWindowed, "catalog.offering.windowed", "product_offering", "A plan is on sale at other times.");
catalog_event!(OfferingRetired, "catalog.offering.retired", "product_offering", "A plan is off sale for good.");
catalog_event!(PriceAdded, "catalog.price.added", "product_offering_price", "A price is new.");
catalog_event!(PriceChanged, "catalog.price.changed", "product_offering_price", "A price is called otherwise.");
catalog_event!(PriceRetired, "catalog.price.retired", "product_offering_price", "A price has an end.");
catalog_event!(SpecificationAdded, "catalog.specification.added", "product_specification", "A specification is new.");
catalog_event!(
    SpecificationChanged,
    "catalog.specification.changed",
    "product_specification",
    "A specification has changed."
);
catalog_event!(CategoryAdded, "catalog.category.added", "product_category", "A category is new.");
catalog_event!(CategoryChanged, "catalog.category.changed", "product_category", "A category has changed.");
catalog_event!(VasAdded, "catalog.vas.added", "vas_offering", "A top-up is new.");
catalog_event!(VasWindowed, "catalog.vas.windowed", "vas_offering", "A top-up is on sale at other times.");
