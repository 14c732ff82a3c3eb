//! Creating a promotion with its code, and ending it.

use serde_json::{Map, Value, json};

use super::Service;
use super::events::{PromotionCreated, PromotionExhausted};
use super::model::{Promotion, Terms};
use super::policy::{self, rule};
use super::store;
use crate::domains::catalog::model::Window;
use crate::domains::catalog::policy as catalog;
use crate::domains::catalog::port::{CreatePromotion, OfferingId, PromotionId, PromotionState};
use crate::domains::catalog::price::name;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::money::{Currency, Money};
use crate::platform::{idempotency, outbox};

/// A promotion as a caller brings it, with what only TMF671 can say.
#[derive(Debug)]
pub(super) struct NewPromotion {
    pub(super) command: CreatePromotion,
    pub(super) attributes: Map<String, Value>,
}

impl From<CreatePromotion> for NewPromotion {
    fn from(command: CreatePromotion) -> Self {
        Self { command, attributes: Map::new() }
    }
}

impl Service {
    /// See [`Promotions::create`](crate::domains::catalog::port::Promotions::create).
    pub(super) async fn create_promotion(&self, cx: &Context, new: NewPromotion) -> Result<Promotion> {
        catalog::admin(cx)?;
        if let Some(kept) = idempotency::replayed::<PromotionId>(&self.platform.db, cx).await? {
            return self.found(cx, &kept).await;
        }
        let promotion = self.checked(cx, new)?;
        self.plans_exist(cx, &promotion.applicable).await?;

        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, promotion.id.as_str(), &promotion.id).await?;
        if let Some(taken) = store::find(&*tx, cx, &promotion.id).await? {
            return Err(already_exists(&promotion.id, Some(taken.state)));
        }
        store::insert(&tx, cx, &promotion).await.map_err(|error| taken(error, &promotion))?;
        let event = PromotionCreated {
            id: promotion.id.clone(),
            before: Value::Null,
            after: snapshot(&promotion)?,
            version: promotion.version,
        };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(promotion)
    }

    /// Runs the rules in their order.
    fn checked(&self, cx: &Context, new: NewPromotion) -> Result<Promotion> {
        let NewPromotion { command, attributes } = new;
        let own = self.platform.config.profile.currency;
        let audience = policy::audience(&command.audience)?;
        let currency = own_currency(command.currency.as_deref(), own)?;
        let discount = policy::discount(&command.discount_type, &command.discount_value, currency)?;
        let duration = policy::duration(&command.duration_kind, command.periods_total)?;
        let (code, code_kind) = policy::code(&command, audience)?;
        let window = catalog::window(Window { valid_from: command.valid_from, valid_to: command.valid_to })?;
        let display_name = command.display_name.as_deref().map(|text| name(text, "/displayName")).transpose()?;
        Ok(Promotion {
            id: command.promotion_id,
            name: display_name,
            code,
            code_kind,
            audience,
            terms: Terms { discount, currency, duration },
            applicable: distinct(command.applicable_offering_ids)?,
            window,
            state: PromotionState::Active,
            created_by: cx.actor.to_string(),
            attributes,
            version: 1,
            updated_at: cx.now,
        })
    }

    async fn plans_exist(&self, cx: &Context, plans: &[OfferingId]) -> Result<()> {
        for plan in plans {
            match self.catalog.offering(cx, plan).await {
                Err(Error::NotFound { .. }) => {
                    let violation = catalog::rule::OFFERING_NOT_FOUND.violated("There is no such plan");
                    return Err(violation.with("offeringId", plan).into());
                }
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    /// See [`Promotions::exhaust`](crate::domains::catalog::port::Promotions::exhaust).
    pub(super) async fn end_promotion(&self, cx: &Context, id: &PromotionId) -> Result<Promotion> {
        catalog::admin(cx)?;
        let tx = self.platform.db.begin().await?;
        let found = store::lock(&tx, cx, id).await?;
        let mut promotion = found.ok_or_else(|| Error::not_found("promotion", id))?;
        if promotion.state == PromotionState::Exhausted {
            return Ok(promotion);
        }
        let before = promotion.state;
        promotion.state = PromotionState::Exhausted;
        promotion.version += 1;
        promotion.updated_at = cx.now;
        store::save_state(&tx, cx, &promotion).await?;
        let event = PromotionExhausted {
            id: id.clone(),
            before: json!({ "state": before }),
            after: json!({ "state": promotion.state }),
            version: promotion.version,
        };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(promotion)
    }
}

/// Most plans that a promotion names.
const PLANS_MAX: usize = 100;

fn distinct(mut plans: Vec<OfferingId>) -> Result<Vec<OfferingId>> {
    if plans.len() > PLANS_MAX {
        return Err(Error::invalid("/applicableOfferingIds", format!("must have at most {PLANS_MAX} plans")));
    }
    plans.sort();
    plans.dedup();
    Ok(plans)
}

/// A discount is an amount of the currency in which prices are.
fn own_currency(given: Option<&str>, own: Currency) -> Result<Currency> {
    let Some(text) = given else { return Ok(own) };
    let currency = text.parse().map_err(|e| Error::invalid("/currency", format!("{e}")))?;
    Ok(catalog::amount(Money::new(0, currency), own)?.currency)
}

fn already_exists(id: &PromotionId, state: Option<PromotionState>) -> Error {
    let violation = rule::ALREADY_EXISTS.violated("This id is taken").with("promotionId", id);
    violation.with("state", state).into()
}

/// Which of the two that have to be free was not: seen when two are created at once.
fn taken(error: Error, promotion: &Promotion) -> Error {
    if error.breaks_unique("promotion_pkey") {
        return already_exists(&promotion.id, None);
    }
    if error.breaks_unique("ux_promotion_code") {
        let violation = rule::CODE_IN_USE.violated("Another promotion has this code; take another one");
        return violation.with("code", promotion.code.as_str()).with("promotionId", &promotion.id).into();
    }
    error
}

fn snapshot(promotion: &Promotion) -> Result<Value> {
    serde_json::to_value(promotion.view())
        .map_err(|e| Error::Internal(format!("promotion {} cannot be serialised: {e}", promotion.id)))
}
