//! Telling the network again what it should know of a service: after an outage, a restored element, a task given up.
//!
//! A service comes and goes with a product order; nothing else makes or ends one. What can be asked for here is that the
//! network applies what the service is: its policy, and whether it is in service or suspended.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::domains::provisioning::port::TaskType;
use crate::domains::som::follow::Change;
use crate::domains::som::port::{NetworkState, ServiceId, ServiceOrderView};
use crate::domains::som::store::views;
use crate::domains::som::{Service, policy, store};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::idempotency;

/// What the item of a technical order says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Add,
    Modify,
    Delete,
    NoChange,
}

impl Action {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Delete => "delete",
            Self::NoChange => "noChange",
        }
    }
}

/// A technical order as a caller brings it.
#[derive(Debug)]
pub(super) struct NewServiceOrder {
    pub(super) action: Action,
    pub(super) service_id: Option<ServiceId>,
    pub(super) attributes: Map<String, Value>,
}

impl Service {
    /// Books the order and its network tasks. `answer` is what the caller sees; a repetition with the same idempotency key sees
    /// the same.
    pub(super) async fn resync<T>(
        &self,
        cx: &Context,
        new: NewServiceOrder,
        answer: impl FnOnce(&ServiceOrderView) -> T + Send,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        if let Some(answered) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(answered);
        }
        let id = policy::technical(new.action, new.service_id.as_ref())?;
        let seen = policy::known(id, views::service(self.platform.db.connection(), cx, id).await)?;

        let tx = self.platform.db.begin().await?;
        let origin = store::lock_order_of_service(&tx, cx, id).await?;
        let origin = policy::has_origin(id, origin)?;
        let mut graph = store::lock_graph_of_order(&tx, cx, &origin.id).await?;
        policy::in_network(id, &graph)?;
        graph.cfs.network.policy_wanted.clone_from(&graph.cfs.characteristics.offering_id);
        store::save_network(&tx, cx, &graph.cfs).await?;
        let state = match graph.cfs.network.wanted {
            Some(NetworkState::Suspended) => TaskType::ServiceSuspend,
            _ => TaskType::ServiceResume,
        };
        let change = Change {
            subscription_id: seen.subscription_id.as_ref(),
            action: new.action.as_str(),
            tasks: &[TaskType::PcrfPolicyPush, state],
            details: json!({ "reason": "resync" }),
            attributes: new.attributes,
        };
        let order = self.change(&tx, cx, &origin, &graph, change).await?;
        let view = views::order(&*tx, cx, &order.id).await?;
        let answer = answer(&view);
        idempotency::keep(&tx, cx, order.id.as_str(), &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
