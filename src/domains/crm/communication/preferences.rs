//! What a customer does not want to be told.

use super::Service;
use super::events::PreferenceChanged;
use super::{policy, store};
use crate::domains::crm::port::{CustomerId, PreferenceView, SetPreference, Template};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    pub(super) async fn prefer(&self, cx: &Context, command: SetPreference) -> Result<Vec<PreferenceView>> {
        let SetPreference { customer_id, template, wanted } = command;
        policy::can_choose(template, wanted)?;
        let tx = self.platform.db.begin().await?;
        self.customers.hold_open(&tx, cx, &customer_id).await?;
        // Wanting what one gets already changes nothing, and is no event.
        if store::set_preference(&tx, cx, &customer_id, template, wanted).await? {
            outbox::stage(&tx, cx, &PreferenceChanged { customer_id: customer_id.clone(), template, wanted }).await?;
        }
        tx.commit().await?;
        self.preferred(cx, &customer_id).await
    }

    pub(super) async fn preferred(&self, cx: &Context, id: &CustomerId) -> Result<Vec<PreferenceView>> {
        let unwanted = store::opt_outs(&self.platform.db, cx, id).await?;
        if unwanted.is_empty() && self.customers.standing(cx, id).await?.is_none() {
            return Err(Error::not_found("customer", id));
        }
        let view = |template: Template| PreferenceView {
            template,
            wanted: !unwanted.contains(&template),
            optional: template.is_optional(),
        };
        Ok(Template::ALL.into_iter().map(view).collect())
    }
}
