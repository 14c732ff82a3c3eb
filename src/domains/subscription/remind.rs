//! The reminder sweep: whoever is charged soon is told so, once per boundary. The mail is somebody else's; what it says is
//! in the event.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::Service;
use super::model::Line;
use super::port::{RenewalReminderDue, SubscriptionId};
use super::store;
use super::terms::Pivot;
use super::worker::BATCH;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::{crash, outbox};

impl Service {
    /// States of every line that is renewed within the look-ahead that it will be. Mark and event are one unit of work.
    pub(super) async fn remind(&self, cx: &Context) -> Result<u64> {
        let lookahead = self.platform.config.renewal_reminder_lookahead;
        let mut reminded = 0;
        if lookahead <= TimeDelta::zero() {
            return Ok(reminded);
        }
        loop {
            let tx = self.platform.db.begin().await?;
            let lines = store::renewal::lock_remindable(&tx, cx, cx.now + lookahead, BATCH).await?;
            if lines.is_empty() {
                return Ok(reminded);
            }
            let ids: Vec<SubscriptionId> = lines.iter().map(|line| line.id.clone()).collect();
            let paid = store::renewal::mark_reminded(&tx, cx, &ids).await?;
            for line in &lines {
                let Some(event) = reminder(line, &paid, cx, self.platform.config.profile.time_zone) else { continue };
                outbox::stage(&tx, cx, &event).await?;
            }
            crash::point("renewal.remind.before_commit");
            tx.commit().await?;
            crash::point("renewal.remind.after_commit");
            reminded += lines.len() as u64;
        }
    }
}

fn reminder(line: &Line, paid: &BTreeMap<String, i64>, cx: &Context, zone: Tz) -> Option<RenewalReminderDue> {
    let terms = line.coming_terms(cx.now, zone);
    let former = paid.get(line.id.as_str()).map_or(line.price, |minor| Money::new(*minor, line.price.currency));
    Some(RenewalReminderDue {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        msisdn: line.msisdn.clone(),
        renews_at: line.next_renewal_at()?,
        amount: terms.amount().decimal(),
        currency: terms.price.currency.to_string(),
        full_amount: terms.price.decimal(),
        previous_amount: former.decimal(),
        changes_plan: terms.pivot == Some(Pivot::PlanChange),
        current_offering_id: Some(line.offering_id.clone()),
        ends_discount: Some(line.is_discounted() && terms.discount.is_none()),
        offering_id: terms.offering_id,
        version: line.version + 1,
    })
}
