//! The reference data of crm: agents, resolution targets, the first numbers and eSIM profiles. What exists stays as it is.

use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;

/// Id, name, role.
const AGENTS: [(&str, &str, &str); 5] = [
    ("AGT-001", "Alice Tan", "csr"),
    ("AGT-002", "Bob Lim", "csr"),
    ("AGT-003", "Carol Ng", "supervisor"),
    ("AGT-004", "Dave Koh", "engineer"),
    ("AGT-SYS", "System", "system"),
];

/// Kind of ticket, then minutes to resolution for low, medium, high and critical.
const TARGETS: [(&str, [i64; 4]); 3] = [
    ("billing_dispute", [2_880, 1_440, 480, 120]),
    ("service_outage", [480, 240, 60, 30]),
    ("configuration", [2_880, 1_440, 720, 240]),
];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// Numbers and profiles of the first pools.
const POOL: i32 = 1_000;

/// Inserts the reference rows that are missing.
pub async fn seed(tx: &Tx, cx: &Context, profile: &Profile) -> Result<()> {
    seed_agents(tx, cx).await?;
    seed_targets(tx, cx).await?;
    seed_numbers(tx, cx, profile.number_length).await?;
    seed_profiles(tx, cx, profile).await
}

async fn seed_agents(tx: &Tx, cx: &Context) -> Result<()> {
    for (id, name, role) in AGENTS {
        let email = format!("{}@example.test", name.to_ascii_lowercase().replace(' ', "."));
        let agent = sql!(
            "insert into crm.agent (id, tenant_id, name, email, role) values ($1, $2, $3, $4, $5) on conflict do nothing",
            id,
            cx.tenant.as_ref(),
            name,
            email,
            role
        );
        execute(&**tx, agent).await?;
    }
    Ok(())
}

async fn seed_targets(tx: &Tx, cx: &Context) -> Result<()> {
    for (ticket_type, minutes) in TARGETS {
        for (priority, minutes) in PRIORITIES.into_iter().zip(minutes) {
            let target = sql!(
                "insert into crm.sla_policy (id, tenant_id, ticket_type, priority, target_resolution_minutes)
                 values ($1, $2, $3, $4, $5) on conflict do nothing",
                format!("SLA_{ticket_type}_{priority}").to_ascii_uppercase(),
                cx.tenant.as_ref(),
                ticket_type,
                priority,
                minutes
            );
            execute(&**tx, target).await?;
        }
    }
    Ok(())
}

/// A nine, then counted up: 90000000 and on where numbers have eight digits.
async fn seed_numbers(tx: &Tx, cx: &Context, number_length: usize) -> Result<()> {
    let numbers = sql!(
        "insert into inventory.msisdn_pool (msisdn, tenant_id)
         select '9' || lpad(i::text, $2, '0'), $1 from generate_series(0, $3 - 1) as i on conflict do nothing",
        cx.tenant.as_ref(),
        i32::try_from(number_length.saturating_sub(1)).unwrap_or(i32::MAX),
        POOL
    );
    execute(&**tx, numbers).await.map(drop)
}

/// The same profiles in every installation of an operator: matching ids and key slots are derived from the ICCID.
async fn seed_profiles(tx: &Tx, cx: &Context, profile: &Profile) -> Result<()> {
    let profiles = sql!(
        "with numbered as (
             select $3 || lpad(i::text, 12, '0') as iccid, $4 || lpad(i::text, 9, '0') as imsi
             from generate_series(0, $5 - 1) as i),
         derived as (
             select iccid, imsi, md5('key slot of ' || iccid)::uuid as slot,
                    upper(left(encode(sha256(convert_to('matching id of ' || iccid, 'UTF8')), 'hex'), 16)) as matching_id
             from numbered)
         insert into inventory.esim_profile (iccid, tenant_id, imsi, ki_ref, smdp_server, matching_id, activation_code)
         select iccid, $1, imsi, 'hsm://ref/' || slot, $2, matching_id, 'LPA:1$' || $2 || '$' || matching_id from derived
         on conflict do nothing",
        cx.tenant.as_ref(),
        profile.smdp_server.as_str(),
        profile.iccid_prefix.as_str(),
        profile.imsi_prefix.as_str(),
        POOL
    );
    execute(&**tx, profiles).await.map(drop)
}
