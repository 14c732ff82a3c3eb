//! What a code or an assignment takes off a plan, for a customer, now. Nothing is used by looking.

use super::Service;
use super::model::{PromoCode, Terms};
use super::policy;
use super::store::{self, Facts};
use crate::domains::catalog::policy::{NO_ACTIVE_PRICE, rule};
use crate::domains::catalog::port::{NoDiscount, Offered, PreviewPromotion, PreviewView, Wish};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;

/// Longest text that is looked at as a code.
const CODE_CHARS_MAX: usize = 80;

impl Service {
    /// See [`Promotions::offer`](crate::domains::catalog::port::Promotions::offer).
    pub(super) async fn offer_for(&self, cx: &Context, wish: &Wish<'_>) -> Result<Offered> {
        let mut refused = None;
        if let Some(typed) = wish.code {
            match self.typed(cx, typed, wish).await? {
                Ok(facts) => return Ok(Offered { promise: Some(facts.promotion.promise()), refused: None }),
                Err(reason) => refused = Some(reason),
            }
        }
        let best = if wish.skip_assigned { None } else { self.best_assigned(cx, wish).await? };
        Ok(Offered { promise: best.map(|facts| facts.promotion.promise()), refused })
    }

    async fn typed(&self, cx: &Context, typed: &str, wish: &Wish<'_>) -> Result<Result<Facts, NoDiscount>> {
        let Some(code) = PromoCode::parse(typed) else { return Ok(Err(NoDiscount::UnknownCode)) };
        let found = store::by_code(self.platform.db.keyed(), cx, &code, Some(wish.customer_id)).await?;
        let Some(facts) = found else { return Ok(Err(NoDiscount::UnknownCode)) };
        Ok(policy::counts(&facts, wish.offering_id, cx.now).map(|()| facts))
    }

    async fn best_assigned(&self, cx: &Context, wish: &Wish<'_>) -> Result<Option<Facts>> {
        let assigned = store::assigned(&self.platform.db, cx, wish.customer_id).await?;
        let counting = assigned.into_iter().filter(|facts| policy::counts(facts, wish.offering_id, cx.now).is_ok());
        Ok(best(counting, wish.base))
    }

    /// See [`Promotions::preview`](crate::domains::catalog::port::Promotions::preview).
    pub(super) async fn preview_code(&self, cx: &Context, query: PreviewPromotion) -> Result<PreviewView> {
        if query.code.chars().count() > CODE_CHARS_MAX {
            return Err(Error::invalid("/code", format!("must have at most {CODE_CHARS_MAX} characters")));
        }
        let base = self.base(cx, &query).await?;
        let code = PromoCode::parse(&query.code);
        let found = match &code {
            Some(code) => store::by_code(self.platform.db.keyed(), cx, code, query.customer_id.as_ref()).await?,
            None => None,
        };
        let verdict = match &found {
            None => Err(NoDiscount::UnknownCode),
            Some(facts) => policy::counts(facts, &query.offering_id, cx.now)
                .and_then(|()| base.map(|_| facts).ok_or(NoDiscount::OfferingNotPriced)),
        };
        let terms = verdict.ok().map(|facts| &facts.promotion.terms);
        Ok(PreviewView {
            valid: verdict.is_ok(),
            reason: verdict.err(),
            code: code.map_or_else(|| query.code.trim().to_owned(), |code| code.as_str().to_owned()),
            offering_id: query.offering_id,
            name: verdict.ok().and_then(|facts| facts.promotion.name.clone()),
            label: terms.map(Terms::label),
            base: base.map(Money::decimal),
            effective: terms.zip(base).map(|(terms, base)| terms.effective(base).decimal()),
            currency: base.map(|base| base.currency.to_string()),
            discount_periods_total: terms.map(|terms| terms.duration.counted()),
        })
    }

    /// The price of the plan now. None where it has none.
    async fn base(&self, cx: &Context, query: &PreviewPromotion) -> Result<Option<Money>> {
        match self.catalog.offering(cx, &query.offering_id).await {
            Err(Error::NotFound { .. }) => {
                let violation = rule::OFFERING_NOT_FOUND.violated("There is no such plan");
                return Err(violation.with("offeringId", &query.offering_id).into());
            }
            answer => drop(answer?),
        }
        match self.catalog.active_price(cx, &query.offering_id, cx.now).await {
            Ok(price) => Ok(Some(price.money)),
            Err(error) if error.violation().is_some_and(|violation| violation.rule == NO_ACTIVE_PRICE) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The one that leaves the lowest price; of equals the lowest id.
fn best(counting: impl Iterator<Item = Facts>, base: Money) -> Option<Facts> {
    counting.min_by_key(|facts| (facts.promotion.terms.effective(base).minor, facts.promotion.id.clone()))
}
