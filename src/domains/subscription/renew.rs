//! Beginning a renewal: the charge for the next period is booked with the contract that it pays for. The outcome is in
//! `renewal_outcome`.

use serde::{Deserialize, Serialize};

use super::Service;
use super::model::Line;
use super::policy;
use super::port::{SubscriptionId, SubscriptionView, Subscriptions as _};
use super::store;
use super::wait::payment_pending;
use crate::domains::catalog::port::AllowanceView;
use crate::domains::payment::port::AttemptId;
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::idempotency;

/// What a repetition with the same `Idempotency-Key` goes on waiting for.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    /// None: somebody else's renewal was settled while this one was about to begin.
    payment_attempt_id: Option<AttemptId>,
}

impl Service {
    /// See [`Subscriptions::renew_now`](super::port::Subscriptions::renew_now).
    pub(super) async fn renew_at_once(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        if let Some(begun) = idempotency::replayed::<Begun>(&self.platform.db, cx).await? {
            return self.renewal_settled(cx, id, begun).await;
        }
        let seen = store::show(&self.platform.db, cx, id).await?.line;
        policy::renewable(&seen)?;
        if !seen.effective_price().is_zero() && !self.payments.has_method(cx, &seen.customer_id).await? {
            return Err(policy::renewal_without_card(&seen.customer_id).into());
        }
        let plan = self.catalog.offering(cx, &seen.offering_id).await?;

        let tx = self.platform.db.begin().await?;
        let line = store::lock(&tx, cx, id).await?;
        policy::renewable(&line)?;
        // Two at once mean one renewal: the slower one joins the other's charge, or finds the period that it bought.
        let payment_attempt_id = match line.renewal_attempt_id.clone() {
            Some(in_flight) => Some(in_flight),
            None if line.period_index != seen.period_index => None,
            None => Some(self.begin_renewal(&tx, cx, &line, &plan.bundle_allowance).await?),
        };
        let begun = Begun { payment_attempt_id };
        idempotency::keep(&tx, cx, id.as_str(), &begun).await?;
        crash::point("renewal.begin.before_commit");
        tx.commit().await?;
        crash::point("renewal.begin.after_commit");
        self.renewal_settled(cx, id, begun).await
    }

    async fn begin_renewal(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        allowances: &[AllowanceView],
    ) -> Result<AttemptId> {
        let attempt_id = self.payments.request_charge(tx, cx, line.renewal_charge()).await.map_err(|error| {
            if policy::is_no_method(&error) { policy::renewal_without_card(&line.customer_id).into() } else { error }
        })?;
        let offered = store::quota::Offered { line: &line.id, period_index: line.period_index + 1, allowances };
        store::quota::offer(tx, cx, &[offered]).await?;
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
