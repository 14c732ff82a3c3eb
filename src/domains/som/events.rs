//! What service orders and services say of themselves beside the events of the port: nobody reacts to these, they are the
//! record.

use serde::Serialize;

use crate::domains::com::port::OrderId;
use crate::domains::som::model::{Graph, ServiceOrder};
use crate::domains::som::port::{ServiceId, ServiceOrderId, ServiceOrderKind};
use crate::platform::outbox::Event;

/// A service order's network tasks are booked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceOrderInProgress<'a> {
    service_order_id: &'a ServiceOrderId,
    kind: ServiceOrderKind,
    commercial_order_id: &'a OrderId,
    #[serde(skip)]
    version: i64,
}

impl<'a> From<&'a ServiceOrder> for ServiceOrderInProgress<'a> {
    fn from(order: &'a ServiceOrder) -> Self {
        Self {
            service_order_id: &order.id,
            kind: order.kind,
            commercial_order_id: &order.commercial_order_id,
            version: order.version,
        }
    }
}

impl Event for ServiceOrderInProgress<'_> {
    const TYPE: &'static str = "service_order.in_progress";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// A service order ended because its commercial order was called off.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceOrderCancelled<'a> {
    pub(super) service_order_id: &'a ServiceOrderId,
    pub(super) commercial_order_id: &'a OrderId,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for ServiceOrderCancelled<'_> {
    const TYPE: &'static str = "service_order.cancelled";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

macro_rules! service_event {
    ($(#[$meta:meta])* $name:ident, $type:literal) => {
        $(#[$meta])*
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name<'a> {
            service_id: &'a ServiceId,
            service_order_id: &'a ServiceOrderId,
            commercial_order_id: &'a OrderId,
            spec_id: &'a str,
            /// The resource-facing services that moved with it.
            supporting_service_ids: Vec<&'a ServiceId>,
        }

        impl<'a> $name<'a> {
            pub(super) fn of(order: &'a ServiceOrder, graph: &'a Graph) -> Self {
                Self {
                    service_id: &graph.cfs.id,
                    service_order_id: &order.id,
                    commercial_order_id: &order.commercial_order_id,
                    spec_id: &graph.cfs.spec_id,
                    supporting_service_ids: graph.rfs.iter().map(|node| &node.id).collect(),
                }
            }
        }

        impl Event for $name<'_> {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "service";
            fn aggregate_id(&self) -> &str {
                self.service_id.as_str()
            }
        }
    };
}

service_event!(
    /// The network gives the services of a line.
    ServiceActivated,
    "service.activated"
);
service_event!(
    /// The services of a line have ended.
    ServiceTerminated,
    "service.terminated"
);
