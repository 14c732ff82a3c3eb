//! Operations of lines.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::catalog::port::VasId;
use crate::domains::crm::port::{CustomerId, EsimActivation, Msisdn};
use crate::domains::subscription::port::{
    BalanceView, RenewalReport, StateChangeView, SubscriptionId, SubscriptionView, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<Get>()
        .with::<ListForCustomer>()
        .with::<FindByMsisdn>()
        .with::<GetBalance>()
        .with::<History>()
        .with::<GetEsimActivation>()
        .with::<PurchaseVas>()
        .with::<RenewNow>()
        .with::<TickRenewalsNow>()
        .with::<Terminate>()
}

const LINE: &str = r#"{"subscriptionId": "SUB-0042"}"#;

/// Show a line: plan, number, price, period, state and what is left of each allowance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Get {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for Get {
    const NAME: &'static str = "subscription.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = LINE;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.line(cx, &self.subscription_id).await
    }
}

/// List the lines of a customer, newest first, terminated ones included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListForCustomer {
    pub customer_id: CustomerId,
}

impl Operation<Services> for ListForCustomer {
    const NAME: &'static str = "subscription.list_for_customer";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f"}"#;
    type Output = Vec<SubscriptionView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.lines_of(cx, &self.customer_id).await
    }
}

/// Find the line that holds a number; when nobody holds it now, the one that held it last.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindByMsisdn {
    /// Digits without the calling code.
    pub msisdn: Msisdn,
}

impl Operation<Services> for FindByMsisdn {
    const NAME: &'static str = "subscription.find_by_msisdn";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"msisdn": "90000042"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.line_by_number(cx, &self.msisdn).await
    }
}

/// Show what is left of each allowance of a line in its current period.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetBalance {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for GetBalance {
    const NAME: &'static str = "subscription.get_balance";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = LINE;
    type Output = Vec<BalanceView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.balances(cx, &self.subscription_id).await
    }
}

/// Show every change of a line's state and block reasons, oldest first, with who made it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for History {
    const NAME: &'static str = "subscription.history";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = LINE;
    type Output = Vec<StateChangeView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.history(cx, &self.subscription_id).await
    }
}

/// Show what a phone needs to download the line's eSIM. Whoever has it can take over the line: each look is recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetEsimActivation {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for GetEsimActivation {
    const NAME: &'static str = "subscription.get_esim_activation";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = LINE;
    type Output = EsimActivation;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.esim_activation(cx, &self.subscription_id).await
    }
}

/// Buy a top-up for a line and charge it to the customer's default card.
///
/// Data brings a line back that is blocked because its data is used up; it does not lift a block for payment. Top-ups end
/// with the period. When the payment is not settled in time the answer is 503 "payment pending": the top-up follows as soon
/// as it is settled, so look at the line before buying again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PurchaseVas {
    pub subscription_id: SubscriptionId,
    pub vas_offering_id: VasId,
}

impl Operation<Services> for PurchaseVas {
    const NAME: &'static str = "subscription.purchase_vas";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] =
        &[rule::VAS_TERMINATED, rule::VAS_PENDING, rule::VAS_NOT_SOLD, rule::VAS_UNLIMITED, rule::VAS_CARD];
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0042", "vasOfferingId": "VAS_DATA_1GB"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.purchase_vas(cx, &self.subscription_id, &self.vas_offering_id).await
    }
}

/// Charge the next period of a line now and start it; this is how a line blocked for payment pays and comes back.
///
/// Before the end of the current period it starts the next one at once: what is left of the allowances is lost, no paid day
/// is. A declined card is no error: the answer shows the line, blocked for payment. When the payment is not settled in time
/// the answer is 503 "payment pending"; asking again joins the same payment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewNow {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for RenewNow {
    const NAME: &'static str = "subscription.renew_now";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::RENEW_STATE, rule::RENEW_NO_METHOD];
    const EXAMPLE: &'static str = LINE;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.renew_now(cx, &self.subscription_id).await
    }
}

/// Renew every line whose period is over, as the renewal worker does by itself, and wait for the payments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickRenewalsNow {}

impl Operation<Services> for TickRenewalsNow {
    const NAME: &'static str = "subscription.tick_renewals_now";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    /// It waits on purpose, for as many renewals as are due.
    const TIMEOUT: Duration = Duration::from_mins(1);
    type Output = RenewalReport;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.renew_due(cx).await
    }
}

/// End a line for ever: service stops now, what is left is lost, nothing is paid back, the number goes to quarantine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terminate {
    pub subscription_id: SubscriptionId,
    /// Why, for the record; at most 200 characters.
    #[serde(default = "customer_requested")]
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

fn customer_requested() -> String {
    "customer_requested".to_owned()
}

impl Operation<Services> for Terminate {
    const NAME: &'static str = "subscription.terminate";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::TERMINATE_STATE];
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0042", "reason": "customer_requested"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.terminate(cx, &self.subscription_id, &self.reason).await
    }
}
