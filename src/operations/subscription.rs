//! Operations of lines.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::catalog::port::{OfferingId, PriceId, VasId};
use crate::domains::crm::port::{CustomerId, EsimActivation, Msisdn};
use crate::domains::subscription::port::{
    BalanceView, HoldReason, ListLines, MigratePrice, PriceMigrationView, RenewalProgress, RenewalReport,
    StateChangeView, SubscriptionId, SubscriptionView, TimelineEntry, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Reach, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<Get>()
        .with::<ListForCustomer>()
        .with::<ListLines>()
        .with::<FindByMsisdn>()
        .with::<GetBalance>()
        .with::<History>()
        .with::<GetEsimActivation>()
        .with::<ShowRenewalProgress>()
        .with::<PurchaseVas>()
        .with::<RenewNow>()
        .with::<PayNow>()
        .with::<TickRenewalsNow>()
        .with::<Block>()
        .with::<Unblock>()
        .with::<SchedulePlanChange>()
        .with::<CancelPendingPlanChange>()
        .with::<MigrateToNewPrice>()
        .with::<Timeline>()
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

impl Operation<Services> for ListLines {
    const NAME: &'static str = "subscription.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"state": "blocked"}"#;
    type Output = Vec<SubscriptionView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.lines(cx, self).await
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
    // It records the look; and who may only read must not be able to take over a line.
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = LINE;
    type Output = EsimActivation;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.esim_activation(cx, &self.subscription_id).await
    }
}

/// Buy a top-up for a line and charge it to the customer's default card.
///
/// Data brings a line back that is blocked because its data is used up; it does not lift a block for payment. Top-ups end
/// with the period, or after their hours; a pass makes the allowance unlimited for its hours, and two passes run one after
/// the other. When the payment is not settled in time the answer is 503 "payment pending": the top-up follows as soon
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

/// Charge the next period of a line now and start it, whether or not the line owes one; to bring a line back that is blocked for
/// payment, use `subscription.pay_now`.
///
/// An overdue line pays what it owed at the boundary: the discount, plan change and price migration that were due then count.
/// Before the end of the current period it starts the next one at once: what is left of the allowances is lost, no paid day
/// is. A declined card is no error: the answer shows the line, blocked for payment when its period is over. When the payment is not settled in time
/// the answer is 503 "payment pending"; asking again joins the same payment while it lasts, and begins one period more when it
/// is over, unless it comes with the same Idempotency-Key.
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

/// Pay what a line owes that is blocked for payment: its overdue period is charged, and a whole new one begins.
///
/// The discount, plan change and price migration that were due at the boundary count. A line that owes nothing is refused and
/// nothing is charged, so asking again is always safe. Other blocks stay: a line that is blocked for fraud as well is paid and
/// still blocked. A declined card is no error: the answer shows the line, as blocked as before. When the payment is not settled
/// in time the answer is 503 "payment pending"; asking again joins the same payment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayNow {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for PayNow {
    const NAME: &'static str = "subscription.pay_now";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::RENEW_STATE, rule::RENEW_NOT_BLOCKED, rule::RENEW_NO_METHOD];
    const EXAMPLE: &'static str = LINE;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.pay_now(cx, &self.subscription_id).await
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
    const REACH: Reach = Reach::Installation;
    /// It waits on purpose, for as many renewals as are due.
    const TIMEOUT: Duration = Duration::from_mins(1);
    type Output = RenewalReport;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.renew_due(cx).await
    }
}

/// How far the renewals are, over all servers: lines that are due, and charges that are under way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowRenewalProgress {}

impl Operation<Services> for ShowRenewalProgress {
    const NAME: &'static str = "subscription.renewal_progress";
    const EFFECT: Effect = Effect::Read;
    type Output = RenewalProgress;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.renewal_progress(cx).await
    }
}

/// Take a line out of service: the phone is lost or stolen (`requested`), or the operator suspects abuse (`fraud`).
///
/// Only `subscription.unblock` lifts it; no top-up or renewal does, and the line is not renewed while it lasts. Doing it
/// twice changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Block {
    pub subscription_id: SubscriptionId,
    pub reason: HoldReason,
    /// What happened, for the record; at most 500 characters.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub note: Option<String>,
}

impl Operation<Services> for Block {
    const NAME: &'static str = "subscription.block";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::BLOCK_STATE, rule::BLOCK_FRAUD_OPERATOR];
    const EXAMPLE: &'static str =
        r#"{"subscriptionId": "SUB-0042", "reason": "requested", "note": "phone left in a taxi"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.block(cx, &self.subscription_id, self.reason, self.note.as_deref()).await
    }
}

/// Lift what `subscription.block` set: one reason, or all of it. The line is active when nothing else blocks it.
///
/// A block for fraud needs a note. What a top-up or a renewal lifts is not lifted here.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unblock {
    pub subscription_id: SubscriptionId,
    /// Null: everything that was blocked by hand.
    #[serde(default)]
    pub reason: Option<HoldReason>,
    /// Why, for the record; at most 500 characters.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub note: Option<String>,
}

impl Operation<Services> for Unblock {
    const NAME: &'static str = "subscription.unblock";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::UNBLOCK_NOTHING, rule::UNBLOCK_FRAUD_OPERATOR, rule::UNBLOCK_FRAUD_NOTE];
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0042", "note": "phone found"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.unblock(cx, &self.subscription_id, self.reason, self.note.as_deref()).await
    }
}

/// Book a plan for the next renewal. Nothing is charged today; the price is the one in force now.
///
/// A discount ends with the change. A renewal before the end of the period keeps the plan, and the change waits for the next
/// boundary; one that is declined keeps the change booked. To choose another plan, cancel first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchedulePlanChange {
    pub subscription_id: SubscriptionId,
    /// The plan to move to.
    pub new_offering_id: OfferingId,
}

impl Operation<Services> for SchedulePlanChange {
    const NAME: &'static str = "subscription.schedule_plan_change";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[
        rule::PLAN_CHANGE_STATE,
        rule::PLAN_CHANGE_SAME,
        rule::PLAN_CHANGE_PENDING,
        rule::PLAN_CHANGE_NOT_SOLD,
        rule::PLAN_CHANGE_NO_PRICE,
    ];
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0042", "newOfferingId": "PLAN_L"}"#;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.schedule_plan_change(cx, &self.subscription_id, &self.new_offering_id).await
    }
}

/// Take a booked plan change back. With nothing booked nothing happens; a new price that the operator has set stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelPendingPlanChange {
    pub subscription_id: SubscriptionId,
}

impl Operation<Services> for CancelPendingPlanChange {
    const NAME: &'static str = "subscription.cancel_pending_plan_change";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = LINE;
    type Output = SubscriptionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.cancel_plan_change(cx, &self.subscription_id).await
    }
}

/// Move every line of a plan to a new price, after a notice to each customer.
///
/// A line pays the new price from its first renewal after the date plus the notice. Its discount and a plan change that its
/// customer has booked stay. Every line is moved once: asking again goes on where a former call stopped. Lines that join the
/// plan meanwhile get their own notice. A move to another price ends this one, and replaces what has not begun of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateToNewPrice {
    pub offering_id: OfferingId,
    /// A price row of that plan.
    pub new_price_id: PriceId,
    pub effective_from: DateTime<Utc>,
    /// 1 to 365.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 365))]
    pub notice_days: i32,
    /// Who decided it, for the record.
    #[serde(default = "ops")]
    #[schemars(length(min = 1, max = 100))]
    pub initiated_by: String,
}

const fn thirty() -> i32 {
    30
}

fn ops() -> String {
    "ops".to_owned()
}

impl Operation<Services> for MigrateToNewPrice {
    const NAME: &'static str = "subscription.migrate_to_new_price";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] =
        &[rule::MIGRATE_UNKNOWN_PRICE, rule::MIGRATE_OTHER_OFFERING, rule::MIGRATE_CURRENCY, rule::MIGRATE_DIFFERS];
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M", "newPriceId": "PRICE_PLAN_M_2027", "effectiveFrom": "2027-01-01T00:00:00Z", "noticeDays": 30}"#;
    /// It tells every line of a plan.
    const TIMEOUT: Duration = Duration::from_mins(1);
    type Output = PriceMigrationView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let command = MigratePrice {
            offering_id: self.offering_id,
            new_price_id: self.new_price_id,
            effective_from: self.effective_from,
            notice_days: self.notice_days,
            initiated_by: self.initiated_by,
        };
        services.subscriptions.migrate_price(cx, command).await
    }
}

/// Tell what happened to a line, oldest first: every block and its way back, every charge, its refusal and its refund, every
/// grant and its end, every change of plan or price, with who did it, why, and in which period.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeline {
    pub subscription_id: SubscriptionId,
    /// The latest so many entries, at most 1000.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    /// Without the latest so many, at most 10000.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub offset: u32,
}

const fn two_hundred() -> u32 {
    200
}

impl Operation<Services> for Timeline {
    const NAME: &'static str = "subscription.timeline";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = LINE;
    type Output = Vec<TimelineEntry>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.subscriptions.timeline(cx, &self.subscription_id, self.limit, self.offset).await
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
