//! Operational reset: empties what the operation wrote and keeps what it stands on (catalog, agents, pools, the event log).
//!
//! Only where it is allowed and never in production. One transaction: a reset is whole or has not happened. It waits for
//! charges and refunds that are under way: the gateway's answer must find the row that it belongs to, or the gateway's
//! record would hold a charge that nobody made.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sea_orm::{ConnectionTrait as _, FromQueryResult};
use serde::Serialize;

use crate::platform::context::{Context, Scope};
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::{Error, Result, is_contention};
use crate::platform::outbox::{self, Event};

/// Tables that are emptied, by schema. Sequences go on, so that an identifier never means two things.
const EMPTIED: &[(&str, &[&str])] = &[
    ("mediation", &["usage_event", "usage_key"]),
    (
        "subscription",
        &[
            "subscription_state_history",
            "renewal_decline",
            "contract_change",
            "period_contract",
            "price_migration",
            "vas_purchase",
            "quota_entry",
            "bundle_balance",
            "period",
            "allowance_snapshot",
            "subscription",
        ],
    ),
    ("provisioning", &["provisioning_task"]),
    (
        "service_inventory",
        &["service_state_history", "service_order_task", "service_order_item", "service", "service_order"],
    ),
    // Promotions are part of the catalog; who may use and who used them are customers and orders.
    ("catalog", &["entitlement", "promotion_eligibility"]),
    ("order_mgmt", &["order_state_history", "order_item", "product_order"]),
    ("payment", &["journal_line", "refund", "payment_attempt", "payment_method"]),
    ("mock_gateway", &["charge", "refund", "lost_call"]),
    (
        "crm",
        &[
            "communication_message",
            "communication_opt_out",
            "interaction",
            "customer_identity",
            "customer",
            "contact_medium",
            "individual",
            "party",
        ],
    ),
    ("platform", &["idempotency_key", "hub"]),
    ("audit", &["delivery", "delivery_history", "finding", "nightly_run", "trace_segment"]),
];

/// Pools go back to available; a number that was ported out belongs to somebody else for ever.
const FREED: &[&str] = &[
    "update inventory.esim_profile set profile_state = 'available', assigned_msisdn = null, assigned_to_subscription_id = null,
         reserved_for = null, reserved_at = null, reserved_until = null, downloaded_at = null, activated_at = null
     where profile_state <> 'available'",
    "update inventory.msisdn_pool set status = 'available', reserved_for = null, reserved_at = null, reserved_until = null,
         assigned_to_subscription_id = null, quarantine_until = null
     where status not in ('available', 'ported_out')",
    "update provisioning.fault_injection set enabled = false where enabled",
];

/// Whether a living process is asking the payment gateway something.
const UNDER_WAY: &str = "select exists (
    select 1 from (select leased_by, lease_until from payment.payment_attempt where leased_by is not null
                   union all select leased_by, lease_until from payment.refund where leased_by is not null) w
    join platform.replica r on r.boot_id = w.leased_by and r.lease_until > clock_timestamp()
    where w.lease_until > clock_timestamp()) as under_way";

/// How often a reset looks whether the gateway has answered, and how long it waits in between: longer in all than any lease
/// that is not renewed.
const LOOKS_MAX: usize = 300;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What was emptied.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetReport {
    pub schemas: Vec<ResetSchema>,
    pub reset_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ResetSchema {
    pub schema: String,
    pub truncated: Vec<String>,
}

/// The mark that a reset leaves in the log.
#[derive(Debug, Serialize)]
struct OperationalDataReset {
    schemas: Vec<&'static str>,
}

impl Event for OperationalDataReset {
    const TYPE: &'static str = "admin.operational_data_reset";
    const AGGREGATE: &'static str = "service";
    fn aggregate_id(&self) -> &'static str {
        "bss"
    }
}

/// Empties the operational data.
///
/// # Errors
/// Forbidden (`ADMIN_RESET_DISABLED`) where it is not allowed; unavailable when work under way does not end.
pub async fn reset(db: &Db, cx: &Context, allowed: bool) -> Result<ResetReport> {
    cx.require(Scope::Admin)?;
    if !allowed {
        let message =
            "Operational reset is off. Start the server with BSS_ALLOW_ADMIN_RESET=true, never in production.".into();
        return Err(Error::Forbidden { code: "ADMIN_RESET_DISABLED", message });
    }
    for _ in 0..LOOKS_MAX {
        match empty(db, cx).await {
            Ok(true) => {
                tracing::warn!(actor = %cx.actor, "operational data was reset");
                return Ok(report(cx));
            }
            // Work under way locks these tables in an order of its own: whoever lost goes again.
            Err(Error::Database(error)) if is_contention(&error) => {
                tracing::debug!(%error, "the tables are in use, the reset is tried again");
            }
            outcome => _ = outcome?,
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(Error::unavailable("Work is still under way; nothing was emptied. Try again shortly"))
}

/// Empties everything, unless the gateway is being asked something: then nothing, and the answer is false.
async fn empty(db: &Db, cx: &Context) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct UnderWay {
        under_way: bool,
    }
    let tables: Vec<String> = EMPTIED
        .iter()
        .flat_map(|(schema, tables)| tables.iter().map(move |table| format!("{schema}.{table}")))
        .collect();
    let tx = db.begin().await?;
    // Whoever works now finishes first; its next delivery is gone when it looks. From here on nobody begins anything.
    tx.execute_unprepared("set local lock_timeout = '10s'; set local statement_timeout = '30s'").await?;
    tx.execute_unprepared(&format!("lock table {}", tables.join(", "))).await?;
    if UnderWay::find_by_statement(sql!(UNDER_WAY)).one(&*tx).await?.is_none_or(|found| found.under_way) {
        return Ok(false);
    }
    tx.execute_unprepared(&format!("truncate {}", tables.join(", "))).await?;
    for statement in FREED {
        execute(&*tx, sql!(*statement)).await?;
    }
    let reset = OperationalDataReset { schemas: EMPTIED.iter().map(|(schema, _)| *schema).collect() };
    outbox::stage(&tx, cx, &reset).await?;
    tx.commit().await?;
    Ok(true)
}

fn report(cx: &Context) -> ResetReport {
    let schemas = EMPTIED.iter().map(|(schema, tables)| ResetSchema {
        schema: (*schema).to_owned(),
        truncated: tables.iter().map(|table| (*table).to_owned()).collect(),
    });
    ResetReport { schemas: schemas.collect(), reset_at: cx.now }
}
