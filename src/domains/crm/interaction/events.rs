//! What is told of a timeline: the lines that somebody wrote. A line that accompanies a change is told by that change.

use serde::Serialize;

use crate::domains::crm::port::{CustomerId, Direction, InteractionView};
use crate::platform::outbox::Event;

/// Somebody wrote a line into a customer's timeline. What it says is not in the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InteractionLogged {
    interaction_id: String,
    customer_id: CustomerId,
    channel: String,
    direction: Direction,
}

impl InteractionLogged {
    pub(super) fn of(view: &InteractionView) -> Self {
        Self {
            interaction_id: view.id.clone(),
            customer_id: view.customer_id.clone(),
            channel: view.channel.clone(),
            direction: view.direction,
        }
    }
}

impl Event for InteractionLogged {
    const TYPE: &'static str = "interaction.logged";
    const AGGREGATE: &'static str = "interaction";
    fn aggregate_id(&self) -> &str {
        &self.interaction_id
    }
}
