//! The reference catalog: three plans, four top-ups, their services. What exists stays as it is.

use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;

struct Plan {
    short: &'static str,
    name: &'static str,
    price: &'static str,
    data_mb: i64,
    voice_minutes: i64,
    sms: i64,
    roaming_mb: i64,
}

const PLANS: [Plan; 3] = [
    Plan { short: "S", name: "Lite", price: "10", data_mb: 5_120, voice_minutes: 100, sms: 100, roaming_mb: 0 },
    Plan { short: "M", name: "Standard", price: "25", data_mb: 30_720, voice_minutes: -1, sms: -1, roaming_mb: 500 },
    Plan { short: "L", name: "Max", price: "45", data_mb: 153_600, voice_minutes: -1, sms: -1, roaming_mb: 2_048 },
];

/// Id, name, price, allowance, megabytes, hours of validity.
type TopUp = (&'static str, &'static str, &'static str, &'static str, i64, Option<i32>);

const TOP_UPS: [TopUp; 4] = [
    ("VAS_DATA_1GB", "Data Top-Up 1GB", "3", "data", 1_024, None),
    ("VAS_DATA_5GB", "Data Top-Up 5GB", "12", "data", 5_120, None),
    ("VAS_UNLIMITED_DAY", "Unlimited Data Day Pass", "5", "data", -1, Some(24)),
    ("VAS_ROAMING_1GB", "Roaming Data 1GB", "8", "data_roaming", 1_024, None),
];

/// Id, name, type, the network tasks that bring it up.
type Specification = (&'static str, &'static str, &'static str, &'static [&'static str]);

const SERVICES: [Specification; 3] = [
    ("SSPEC_CFS_MOBILE_BROADBAND", "Mobile Broadband CFS", "CFS", &["HLR_PROVISION", "ESIM_PROFILE_PREPARE"]),
    ("SSPEC_RFS_DATA_BEARER", "Data Bearer RFS", "RFS", &["PCRF_POLICY_PUSH", "OCS_BALANCE_INIT"]),
    ("SSPEC_RFS_VOICE_BEARER", "Voice Bearer RFS", "RFS", &[]),
];

/// Inserts the reference rows that are missing.
pub async fn seed(tx: &Tx, cx: &Context, profile: &Profile) -> Result<()> {
    let tenant = cx.tenant.as_ref();
    let specification = sql!(
        "insert into catalog.product_specification (id, tenant_id, name, description, brand)
         values ('SPEC_MOBILE_PREPAID', $1, 'Mobile Prepaid Bundle', 'Bundled prepaid mobile plan', $2) on conflict do nothing",
        tenant,
        profile.name.as_str()
    );
    execute(&**tx, specification).await?;
    for (id, name, kind, tasks) in SERVICES {
        let tasks: Vec<String> = tasks.iter().map(ToString::to_string).collect();
        let service = sql!(
            "insert into catalog.service_specification (id, tenant_id, name, type, activation_tasks)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
            id,
            tenant,
            name,
            kind,
            tasks
        );
        execute(&**tx, service).await?;
    }
    for plan in &PLANS {
        seed_plan(tx, tenant, profile, plan).await?;
    }
    for (id, name, price, allowance_type, quantity, expiry_hours) in TOP_UPS {
        let top_up = sql!(
            "insert into catalog.vas_offering (id, tenant_id, name, amount_minor, currency, allowance_type, allowance_quantity,
                 allowance_unit, expiry_hours)
             values ($1, $2, $3, $4, $5, $6, $7, 'mb', $8) on conflict do nothing",
            id,
            tenant,
            name,
            amount(price, profile),
            profile.currency.as_str(),
            allowance_type,
            quantity,
            expiry_hours
        );
        execute(&**tx, top_up).await?;
    }
    Ok(())
}

fn amount(price: &str, profile: &Profile) -> i64 {
    Money::parse(price, profile.currency).expect("whole amounts exist in every currency").minor
}

async fn seed_plan(tx: &Tx, tenant: &str, profile: &Profile, plan: &Plan) -> Result<()> {
    let id = format!("PLAN_{}", plan.short);
    let offering = sql!(
        "insert into catalog.product_offering (id, tenant_id, name, spec_id) values ($1, $2, $3, 'SPEC_MOBILE_PREPAID')
         on conflict do nothing",
        id.as_str(),
        tenant,
        plan.name
    );
    execute(&**tx, offering).await?;
    let price = sql!(
        "insert into catalog.product_offering_price (id, tenant_id, offering_id, amount_minor, currency)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
        format!("PRICE_{id}"),
        tenant,
        id.as_str(),
        amount(plan.price, profile),
        profile.currency.as_str()
    );
    execute(&**tx, price).await?;
    let allowances = [
        ("DATA", "data", plan.data_mb, "mb"),
        ("VOICE", "voice", plan.voice_minutes, "minutes"),
        ("SMS", "sms", plan.sms, "count"),
        ("ROAM", "data_roaming", plan.roaming_mb, "mb"),
    ];
    for (suffix, kind, quantity, unit) in allowances {
        let allowance = sql!(
            "insert into catalog.bundle_allowance (id, tenant_id, offering_id, allowance_type, quantity, unit)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            format!("BA_{}_{suffix}", plan.short),
            tenant,
            id.as_str(),
            kind,
            quantity,
            unit
        );
        execute(&**tx, allowance).await?;
    }
    let mapping = sql!(
        "insert into catalog.product_to_service_mapping (offering_id, tenant_id, cfs_spec_id, rfs_spec_ids)
         values ($1, $2, 'SSPEC_CFS_MOBILE_BROADBAND', '{SSPEC_RFS_DATA_BEARER,SSPEC_RFS_VOICE_BEARER}') on conflict do nothing",
        id.as_str(),
        tenant
    );
    execute(&**tx, mapping).await.map(drop)
}
