//! From a fact to a letter: names, number and plan are looked up, once. The letter is kept, so that every repetition says the
//! same.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Service;
use super::notice::{Charge, Notice, PlanChange, Reminder, RenewalFailed};
use super::store::Message;
use crate::domains::catalog::port::{OfferingId, VasId};
use crate::domains::crm::port::{CustomerView, MediumType};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

/// The domain of the addresses that customers without one were given.
const PLACEHOLDER_DOMAIN: &str = "local";

/// Everything that a template may say. Attributes that it asks for and that are not there are an error, not an empty place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) brand: String,
    pub(super) support_email: String,
    /// Where customers look after their lines and cards.
    pub(super) portal_url: String,
    pub(super) tax_label: String,
    /// Given name.
    pub(super) name: String,
    /// None for what is about the customer as such.
    pub(super) line: Option<LineFacts>,
    /// The name of what was bought, of the former plan, or of the one that is to be paid.
    pub(super) product: Option<String>,
    #[serde(flatten)]
    pub(super) notice: Notice,
}

/// A line, as its customer knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LineFacts {
    pub(super) number: String,
    /// Name of the plan that it was on when it happened.
    pub(super) plan: String,
    /// What the contract charges per period now, decimal text; told where the notice says nothing of money.
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) renews_at: Option<DateTime<Utc>>,
}

impl Service {
    /// Looks up what the message's template needs.
    pub(super) async fn compose(&self, cx: &Context, message: &Message, customer: &CustomerView) -> Result<Letter> {
        let line = match &message.subscription_id {
            Some(id) => Some(self.line_facts(cx, id, &message.notice).await?),
            None => None,
        };
        let config = &self.platform.config;
        Ok(Letter {
            brand: config.profile.name.clone(),
            support_email: config.profile.support_email.clone(),
            portal_url: config.mail.public_url.as_str().trim_end_matches('/').to_owned(),
            tax_label: config.profile.tax_label.clone(),
            name: customer.individual.given_name.clone(),
            line,
            product: self.product(cx, &message.notice).await?,
            notice: message.notice.clone(),
        })
    }

    async fn line_facts(&self, cx: &Context, id: &SubscriptionId, notice: &Notice) -> Result<LineFacts> {
        let line = self.subscriptions.line(cx, id).await?;
        let plan = match notice.plan() {
            Some(plan) => plan.parse().map_err(malformed)?,
            None => line.offering_id,
        };
        let plan = self.catalog.offering(cx, &plan).await?;
        Ok(LineFacts {
            number: line.msisdn.to_string(),
            plan: plan.name,
            amount: line.effective_amount,
            currency: line.price_currency,
            renews_at: line.next_renewal_at,
        })
    }

    async fn product(&self, cx: &Context, notice: &Notice) -> Result<Option<String>> {
        match notice {
            Notice::TopUpReceipt(bought) => {
                let id: VasId = bought.offering.parse().map_err(malformed)?;
                Ok(Some(self.catalog.vas_on_record(cx, &id).await?.name))
            }
            Notice::PlanChange(PlanChange { offering, .. })
            | Notice::RenewalReminder(Reminder { coming: Some(Charge { offering, .. }), .. })
            | Notice::RenewalFailed(RenewalFailed { owed: Some(Charge { offering, .. }), .. }) => {
                let id: OfferingId = offering.parse().map_err(malformed)?;
                Ok(Some(self.catalog.offering(cx, &id).await?.name))
            }
            _ => Ok(None),
        }
    }
}

fn malformed<E>(_: E) -> Error {
    Error::Internal("a message names a product that cannot be one".into())
}

/// The live address that mail goes to: the primary one, else the oldest.
pub(super) fn address_of(customer: &CustomerView) -> Option<&str> {
    let addresses = customer.contact_medium.iter().filter(|medium| medium.medium_type == MediumType::Email);
    let best = addresses.min_by_key(|medium| (!medium.is_primary, medium.valid_from));
    best.map(|medium| medium.value.as_str()).filter(|address| domain_of(address) != PLACEHOLDER_DOMAIN)
}

/// What of an address may be logged.
pub(super) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}
