//! Letting customers use a targeted promotion, and taking it back. Nothing is deleted: who could when stays on record.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Service;
use super::events::{PromotionAssigned, PromotionUnassigned};
use super::policy::{self, CUSTOMERS_MAX, rule};
use super::store;
use crate::domains::catalog::policy as catalog;
use crate::domains::catalog::port::{AssignPromotion, Assigned, UnassignPromotion, Unassigned};
use crate::domains::crm::port::CustomerId;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    /// See [`Promotions::assign`](crate::domains::catalog::port::Promotions::assign).
    pub(super) async fn assign_to(&self, cx: &Context, command: AssignPromotion) -> Result<Assigned> {
        catalog::admin(cx)?;
        let customers = distinct(command.customer_ids)?;
        let id = command.promotion_id;
        // Asked of another domain before the lock; the promotion is looked at first, so that its rule comes first.
        policy::assignable(&id, store::find(self.platform.db.connection(), cx, &id).await?)?;
        self.customers_exist(cx, &customers).await?;

        let tx = self.platform.db.begin().await?;
        let mut promotion = policy::assignable(&id, store::lock(&tx, cx, &id).await?)?;
        let fresh: BTreeSet<CustomerId> = store::assign(&tx, cx, &id, &customers).await?.into_iter().collect();
        let (eligible, already): (Vec<_>, Vec<_>) = customers.into_iter().partition(|one| fresh.contains(one));
        if !eligible.is_empty() {
            promotion.version += 1;
            promotion.updated_at = cx.now;
            store::save_state(&tx, cx, &promotion).await?;
            let event = PromotionAssigned {
                id: id.clone(),
                before: Value::Null,
                after: json!({ "customerIds": eligible }),
                version: promotion.version,
            };
            outbox::stage(&tx, cx, &event).await?;
        }
        tx.commit().await?;
        Ok(Assigned { promotion_id: id, code: promotion.code.as_str().to_owned(), eligible, already })
    }

    /// See [`Promotions::unassign`](crate::domains::catalog::port::Promotions::unassign).
    pub(super) async fn unassign_from(&self, cx: &Context, command: UnassignPromotion) -> Result<Unassigned> {
        catalog::admin(cx)?;
        let customers = distinct(command.customer_ids)?;
        let id = command.promotion_id;
        let tx = self.platform.db.begin().await?;
        let mut promotion = policy::targeted(&id, store::lock(&tx, cx, &id).await?)?;
        let gone: BTreeSet<CustomerId> = store::unassign(&tx, cx, &id, &customers).await?.into_iter().collect();
        let (removed, not_eligible): (Vec<_>, Vec<_>) = customers.into_iter().partition(|one| gone.contains(one));
        if !removed.is_empty() {
            promotion.version += 1;
            promotion.updated_at = cx.now;
            store::save_state(&tx, cx, &promotion).await?;
            let event = PromotionUnassigned {
                id: id.clone(),
                before: json!({ "customerIds": removed }),
                after: Value::Null,
                version: promotion.version,
            };
            outbox::stage(&tx, cx, &event).await?;
        }
        tx.commit().await?;
        Ok(Unassigned { promotion_id: id, code: promotion.code.as_str().to_owned(), removed, not_eligible })
    }

    async fn customers_exist(&self, cx: &Context, customers: &[CustomerId]) -> Result<()> {
        let asked = customers.iter().map(|id| self.customers.standing(cx, id));
        let standings = futures::future::try_join_all(asked).await?;
        let missing: Vec<&CustomerId> =
            customers.iter().zip(&standings).filter(|(_, standing)| standing.is_none()).map(|(id, _)| id).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let violation = rule::CUSTOMER_NOT_FOUND.violated("There is no such customer; nobody was assigned");
        Err(violation.with("customerIds", missing).into())
    }
}

/// Each once, in their order.
fn distinct(customers: Vec<CustomerId>) -> Result<Vec<CustomerId>> {
    if customers.is_empty() || customers.len() > CUSTOMERS_MAX {
        return Err(Error::invalid("/customerIds", format!("must be 1 to {CUSTOMERS_MAX} customers")));
    }
    let mut seen = BTreeSet::new();
    Ok(customers.into_iter().filter(|id| seen.insert(id.clone())).collect())
}
