//! What others may ask the service order management, and the events they may react to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::subscription::port::SubscriptionId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox::Event;
use crate::platform::page;

pub use crate::domains::som::policy::rule;

id_type!(pub ServiceOrderId, "service order, SO-…");
id_type!(pub ServiceId, "service, SVC-…");

/// What a service order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOrderKind {
    /// Makes the services of a new line.
    Activation,
    /// Changes the services of a line.
    Change,
    /// Takes the services of a line out of the network.
    Cessation,
}

impl ServiceOrderKind {
    pub const ALL: [Self; 3] = [Self::Activation, Self::Change, Self::Cessation];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Change => "change",
            Self::Cessation => "cessation",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a service order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOrderState {
    Acknowledged,
    /// Its network tasks are under way.
    InProgress,
    /// All its network tasks are done.
    Completed,
    /// A network task failed for good.
    Failed,
    /// The commercial order was called off.
    Cancelled,
}

impl ServiceOrderState {
    pub const ALL: [Self; 5] = [Self::Acknowledged, Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    FeasibilityChecked,
    Designed,
    /// Number and eSIM are reserved for it; the network is being prepared.
    Reserved,
    Activated,
    /// It was never given.
    Failed,
    Terminated,
}

impl ServiceState {
    pub const ALL: [Self; 6] =
        [Self::FeasibilityChecked, Self::Designed, Self::Reserved, Self::Activated, Self::Failed, Self::Terminated];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeasibilityChecked => "feasibility_checked",
            Self::Designed => "designed",
            Self::Reserved => "reserved",
            Self::Activated => "activated",
            Self::Failed => "failed",
            Self::Terminated => "terminated",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What the network is to do with a service, or has confirmed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkState {
    InService,
    /// Known to the network, and out of service.
    Suspended,
    /// The network does not know it any more.
    Removed,
}

impl NetworkState {
    pub const ALL: [Self; 3] = [Self::InService, Self::Suspended, Self::Removed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Read one service order with its items and the network tasks it waits for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetServiceOrder {
    pub service_order_id: ServiceOrderId,
}

/// List the service orders of a commercial order, oldest first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListServiceOrders {
    pub order_id: OrderId,
}

/// Read one service with the services below it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetService {
    pub service_id: ServiceId,
}

/// List the services of a line: the customer-facing one, then the resource-facing ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListServices {
    pub subscription_id: SubscriptionId,
}

/// List the services of which the network has not confirmed what it was asked for, longest waiting first: lines that should be
/// suspended and may not be, should be in service again and may not be, or have another plan's policy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListUnconfirmed {
    /// Only those that are to be in this state.
    pub wanted: Option<NetworkState>,
    /// How many at most, 1 to 200.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    /// How many to leave out.
    #[serde(default)]
    pub offset: u32,
}

/// A service order as every surface shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderView {
    pub id: ServiceOrderId,
    pub commercial_order_id: OrderId,
    pub customer_id: CustomerId,
    pub subscription_id: Option<SubscriptionId>,
    pub kind: ServiceOrderKind,
    pub state: ServiceOrderState,
    /// Why it failed or was cancelled.
    pub state_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, whichever way.
    pub completed_at: Option<DateTime<Utc>>,
    pub items: Vec<ServiceOrderItemView>,
    pub tasks: Vec<ServiceOrderTaskView>,
    /// Official attributes that it came with and that are only kept.
    #[serde(skip)]
    pub attributes: serde_json::Value,
    pub version: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderItemView {
    pub id: String,
    /// `add`, `modify`, `delete` or `noChange`.
    pub action: String,
    pub service_spec_id: String,
    pub target_service_id: ServiceId,
}

/// A network task that a service order waits for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderTaskView {
    pub task_type: String,
    /// `pending`, `completed`, `failed`, `stuck`, `withdrawn` or `abandoned`.
    pub state: String,
    pub task_id: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// A service as every surface shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    pub id: ServiceId,
    pub subscription_id: Option<SubscriptionId>,
    pub customer_id: CustomerId,
    /// The service order that made it, and its item.
    pub service_order_id: Option<ServiceOrderId>,
    pub service_order_item_id: Option<String>,
    pub spec_id: String,
    pub name: String,
    /// `CFS` (customer-facing) or `RFS` (resource-facing).
    #[serde(rename = "type")]
    pub kind: String,
    pub parent_service_id: Option<ServiceId>,
    pub state: ServiceState,
    /// Of the customer-facing one: number and last four digits of the eSIM profile.
    pub msisdn: Option<Msisdn>,
    pub iccid_last4: Option<String>,
    /// Of the customer-facing one: what the network is to do with it.
    pub network_wanted: Option<NetworkState>,
    /// Of the customer-facing one: what the network has confirmed. Differs from `networkWanted` while a task is under way,
    /// failed or stuck.
    pub network_confirmed: Option<NetworkState>,
    /// Of the customer-facing one: the plan whose policy the network is to apply.
    pub policy_wanted: Option<OfferingId>,
    /// Of the customer-facing one: the plan whose policy the network has confirmed.
    pub policy_confirmed: Option<OfferingId>,
    pub created_at: DateTime<Utc>,
    pub activated_at: Option<DateTime<Utc>>,
    pub terminated_at: Option<DateTime<Utc>>,
    /// The services below this one.
    pub children: Vec<ServiceView>,
    /// Oldest first.
    pub history: Vec<ServiceHistoryView>,
    pub version: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHistoryView {
    /// Null for the first line.
    pub from_state: Option<ServiceState>,
    pub to_state: ServiceState,
    pub changed_by: String,
    pub reason: Option<String>,
    pub event_time: DateTime<Utc>,
}

/// Service orders and services.
#[async_trait]
pub trait ServiceOrders: Send + Sync {
    async fn service_order(&self, cx: &Context, query: GetServiceOrder) -> Result<ServiceOrderView>;

    async fn service_orders_of_order(&self, cx: &Context, query: ListServiceOrders) -> Result<Vec<ServiceOrderView>>;

    async fn service(&self, cx: &Context, query: GetService) -> Result<ServiceView>;

    /// The services of which the network has not confirmed what it was asked for.
    async fn unconfirmed(&self, cx: &Context, query: ListUnconfirmed) -> Result<Vec<ServiceView>>;

    async fn services_of_subscription(&self, cx: &Context, query: ListServices) -> Result<Vec<ServiceView>>;
}

/// All network tasks of a service order are done. Of an activation: the line can be booked and charged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderCompleted {
    pub service_order_id: ServiceOrderId,
    pub kind: ServiceOrderKind,
    pub commercial_order_id: OrderId,
    pub customer_id: CustomerId,
    /// The plan of the line.
    pub offering_id: OfferingId,
    pub msisdn: Msisdn,
    pub cfs_service_id: ServiceId,
    #[serde(skip)]
    pub version: i64,
}

impl Event for ServiceOrderCompleted {
    const TYPE: &'static str = "service_order.completed";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The network cannot do it, or an operator gave it up. Of an activation, what was reserved goes back to the pools.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderFailed {
    /// None when not even a service order could be made (an empty pool).
    pub service_order_id: Option<ServiceOrderId>,
    #[serde(default = "activation")]
    pub kind: ServiceOrderKind,
    pub commercial_order_id: OrderId,
    pub reason: String,
    #[serde(skip)]
    pub version: i64,
}

/// What every event of this type was about before it said so.
const fn activation() -> ServiceOrderKind {
    ServiceOrderKind::Activation
}

impl Event for ServiceOrderFailed {
    const TYPE: &'static str = "service_order.failed";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_ref().map_or(self.commercial_order_id.as_str(), ServiceOrderId::as_str)
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
