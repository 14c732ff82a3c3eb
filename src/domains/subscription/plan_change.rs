//! Booking a plan for the coming renewal, and taking the booking back. It begins in `renewal_outcome`.

use super::Service;
use super::events::{PlanChangeCancelled, PreviousPending};
use super::model::Line;
use super::policy;
use super::port::{PlanChangeScheduled, SubscriptionId, SubscriptionView, Subscriptions as _};
use super::store;
use super::store::change::{Ended, Kind};
use super::terms::{PendingPlan, Pivot};
use crate::domains::catalog::port::{OfferingId, PriceView};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    /// See [`Subscriptions::schedule_plan_change`](super::port::Subscriptions::schedule_plan_change). Nothing is charged
    /// today; the price is the one in force now, whatever the catalog says when the renewal comes.
    pub(super) async fn change_plan(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        to: &OfferingId,
    ) -> Result<SubscriptionView> {
        // Before the lock: another domain answers here, and the line's row is a busy one.
        let price = self.check_plan_change(cx, id, to).await?;
        let tx = self.platform.db.begin().await?;
        self.change_plan_within(&tx, cx, id, price).await?;
        tx.commit().await?;
        self.line(cx, id).await
    }

    /// Books the plan that the price is of.
    pub(super) async fn change_plan_within(
        &self,
        tx: &Tx,
        cx: &Context,
        id: &SubscriptionId,
        price: PriceView,
    ) -> Result<()> {
        let to = price.offering_id.clone();
        let mut line = store::lock(tx, cx, id).await?;
        policy::plan_change_of_line(&line, &to)?;
        let effective_at = line.next_renewal_at().ok_or_else(|| Error::Internal(format!("{id} has no renewal")))?;
        let pending = PendingPlan::new(to.clone(), price, effective_at);
        line.pending_plan = Some(pending.clone());
        store::save(tx, cx, &mut line, None).await?;
        store::contract::save(tx, cx, &line).await?;
        store::change::schedule(tx, cx, &line, &pending).await?;
        let day = self.platform.config.profile.day_of(effective_at);
        let summary = format!("Line {id} changes to {to} for {} on {day}", pending.price);
        self.note(tx, cx, &line.customer_id, &summary).await?;
        outbox::stage(tx, cx, &scheduled(&line, pending)).await.map(drop)
    }

    /// The rules of [`policy::plan_change`] for the line as it is; answers the price that it would pay.
    pub(super) async fn check_plan_change(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        to: &OfferingId,
    ) -> Result<PriceView> {
        let line = self.show(cx, id).await?.line;
        policy::plan_change_of_line(&line, to)?;
        let (is_on_sale, price) = self.on_sale(cx, to).await?;
        Ok(policy::plan_change(&line, to, is_on_sale, price)?)
    }

    /// Whether a plan is sold now, and for how much. One that is sold but for its price is told apart.
    async fn on_sale(&self, cx: &Context, id: &OfferingId) -> Result<(bool, Option<PriceView>)> {
        let on_sale = self.catalog.offerings_on_sale(cx, cx.now).await?;
        if let Some(offering) = on_sale.into_iter().find(|offering| offering.id == *id) {
            return Ok((true, offering.active_price));
        }
        match self.catalog.offering(cx, id).await {
            Ok(offering) => {
                let active = offering.is_sellable && offering.lifecycle_status == "active";
                Ok((active && offering.active_price.is_none(), None))
            }
            Err(Error::NotFound { .. }) => Ok((false, None)),
            Err(error) => Err(error),
        }
    }

    /// See [`Subscriptions::cancel_plan_change`](super::port::Subscriptions::cancel_plan_change).
    pub(super) async fn cancel_booked_change(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        let tx = self.platform.db.begin().await?;
        let mut line = store::lock(&tx, cx, id).await?;
        let Some(pending) = line.pending_plan.clone() else {
            drop(tx);
            return self.line(cx, id).await;
        };
        if line.renewal_attempt_id.is_some() {
            // What is being charged may be the new plan already: its outcome decides.
            let charged = store::contract::of_period(&tx, cx, id, line.period_index + 1).await?;
            if charged.is_some_and(|(terms, _)| terms.pivot == Some(Pivot::PlanChange)) {
                return Err(Error::Conflict(
                    "The renewal that begins the new plan is being charged; look again".into(),
                ));
            }
        }
        line.pending_plan = None;
        store::save(&tx, cx, &mut line, None).await?;
        store::contract::save(&tx, cx, &line).await?;
        store::change::end(&tx, cx, id, Kind::PlanChange, Ended::Cancelled, None).await?;
        let summary =
            format!("Line {id} stays on {}: the change to {} is cancelled", line.offering_id, pending.offering_id);
        self.note(&tx, cx, &line.customer_id, &summary).await?;
        let cancelled = PlanChangeCancelled {
            subscription_id: line.id,
            customer_id: line.customer_id,
            previous_pending: PreviousPending {
                offering_id: pending.offering_id,
                offering_price_id: pending.price_id,
                effective_at: pending.effective_at,
            },
            version: line.version,
        };
        outbox::stage(&tx, cx, &cancelled).await?;
        tx.commit().await?;
        self.line(cx, id).await
    }
}

fn scheduled(line: &Line, to: PendingPlan) -> PlanChangeScheduled {
    PlanChangeScheduled {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        msisdn: line.msisdn.clone(),
        current_offering_id: line.offering_id.clone(),
        new_offering_id: to.offering_id,
        new_price_amount: to.price.decimal(),
        new_price_currency: to.price.currency.to_string(),
        effective_at: to.effective_at,
        ends_discount: line.discount.is_some() && line.discount_periods_remaining != 0,
        version: line.version,
    }
}
