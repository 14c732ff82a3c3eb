//! Beginning a renewal: the charge for the next period is booked with the contract that it pays for. The outcome is in
//! `renewal_outcome`.

use serde::{Deserialize, Serialize};

use super::Service;
use super::model::Line;
use super::policy;
use super::port::{SubscriptionId, SubscriptionView, Subscriptions as _};
use super::store;
use super::store::contract::Offer;
use super::terms::{Pivot, Terms};
use super::wait::payment_pending;
use crate::domains::catalog::port::OfferingView;
use crate::domains::payment::port::{AttemptId, ChargeRequest, Purpose};
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result, Violation};
use crate::platform::idempotency;

/// What a repetition with the same `Idempotency-Key` goes on waiting for.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    /// None: somebody else's renewal was settled while this one was about to begin.
    payment_attempt_id: Option<AttemptId>,
}

/// Says of a line, as it is looked at and again when it is locked, whether its next period may be charged.
type May = fn(&Line) -> Result<(), Violation>;

/// How often a renewal is begun anew because the line's plan change was booked or cancelled meanwhile.
const TRIES: usize = 3;

/// What is kept with the charge. A line that stays on its plan goes on counting its periods as they were sold.
pub(super) fn offer<'a>(line: &'a Line, terms: &'a Terms, plan: &'a OfferingView) -> Offer<'a> {
    Offer {
        line: &line.id,
        period_index: line.period_index + 1,
        terms,
        period: (terms.pivot == Some(Pivot::PlanChange)).then_some(plan.period_kind),
        allowances: &plan.bundle_allowance,
    }
}

impl Service {
    /// See [`Subscriptions::renew_now`](super::port::Subscriptions::renew_now).
    pub(super) async fn renew_at_once(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.renew_where(cx, id, policy::renewable).await
    }

    /// See [`Subscriptions::pay_now`](super::port::Subscriptions::pay_now).
    pub(super) async fn pay_at_once(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.renew_where(cx, id, policy::payable).await
    }

    async fn renew_where(&self, cx: &Context, id: &SubscriptionId, may: May) -> Result<SubscriptionView> {
        if let Some(begun) = idempotency::replayed::<Begun>(&self.platform.db, cx).await? {
            return self.renewal_settled(cx, id, begun).await;
        }
        for _ in 0..TRIES {
            if let Some(begun) = self.try_to_begin(cx, id, may).await? {
                return self.renewal_settled(cx, id, begun).await;
            }
        }
        Err(Error::Conflict("The line's plan is being changed by somebody else; try again".into()))
    }

    /// None when the plan that the next period is charged by changed between the look and the lock.
    async fn try_to_begin(&self, cx: &Context, id: &SubscriptionId, may: May) -> Result<Option<Begun>> {
        let seen = self.show(cx, id).await?.line;
        may(&seen)?;
        let zone = self.platform.config.profile.time_zone;
        let expected = seen.next_terms(cx.now, zone);
        if !expected.amount().is_zero() && !self.payments.has_method(cx, &seen.customer_id).await? {
            return Err(policy::renewal_without_card(&seen.customer_id).into());
        }
        let plan = self.catalog.offering(cx, &expected.offering_id).await?;

        let tx = self.platform.db.begin().await?;
        let line = store::lock(&tx, cx, id).await?;
        policy::renewable(&line)?;
        // Two at once mean one renewal: the slower one joins the other's charge, or finds the period that it bought.
        let payment_attempt_id = match line.renewal_attempt_id.clone() {
            Some(in_flight) => Some(in_flight),
            None if line.period_index != seen.period_index => None,
            None => {
                may(&line)?;
                let terms = line.next_terms(cx.now, zone);
                if terms.offering_id != plan.id {
                    return Ok(None);
                }
                Some(self.begin_renewal(&tx, cx, &line, &terms, &plan).await?)
            }
        };
        let begun = Begun { payment_attempt_id };
        idempotency::keep(&tx, cx, id.as_str(), &begun).await?;
        crash::point("renewal.begin.before_commit");
        tx.commit().await?;
        crash::point("renewal.begin.after_commit");
        Ok(Some(begun))
    }

    async fn begin_renewal(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        terms: &Terms,
        plan: &OfferingView,
    ) -> Result<AttemptId> {
        let attempt_id = self.payments.request_charge(tx, cx, renewal_charge(line, terms)).await.map_err(|error| {
            if policy::is_no_method(&error) { policy::renewal_without_card(&line.customer_id).into() } else { error }
        })?;
        store::contract::offer(tx, cx, &[offer(line, terms, plan)]).await?;
        store::renewal::mark_requested(tx, cx, &[(line.id.clone(), attempt_id.clone())]).await?;
        Ok(attempt_id)
    }

    async fn renewal_settled(&self, cx: &Context, id: &SubscriptionId, begun: Begun) -> Result<SubscriptionView> {
        if let Some(attempt_id) = &begun.payment_attempt_id {
            let settled = self.settled(cx, || async {
                let in_flight = store::renewal::in_flight(&self.platform.db, cx, id).await?;
                Ok::<_, Error>((in_flight.as_ref() != Some(attempt_id)).then_some(()))
            });
            settled.await?.ok_or_else(|| payment_pending(Some(attempt_id)))?;
        }
        self.line(cx, id).await
    }
}

/// The charge for the period after the current one.
pub(super) fn renewal_charge(line: &Line, terms: &Terms) -> ChargeRequest {
    ChargeRequest {
        customer_id: line.customer_id.clone(),
        amount: terms.amount(),
        purpose: Purpose::Renewal,
        subject_id: line.id.to_string(),
        business_key: line.renewal_key(),
    }
}
