//! The database schema of `bss`, forward only. Each migration runs one readable SQL file from `sql/`.
//!
//! Adding one: put `NNNN_name.sql` beside the others and its name at the end of [`STEPS`]. A landed file is never edited.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

/// Name and SQL text of every step, in order. The name is what `seaql_migrations` remembers.
const STEPS: &[(&str, &str)] = &[
    ("0001_platform", include_str!("../sql/0001_platform.sql")),
    ("0002_catalog", include_str!("../sql/0002_catalog.sql")),
    ("0003_crm", include_str!("../sql/0003_crm.sql")),
    ("0004_inventory", include_str!("../sql/0004_inventory.sql")),
    ("0005_payment", include_str!("../sql/0005_payment.sql")),
    ("0006_order_mgmt", include_str!("../sql/0006_order_mgmt.sql")),
    ("0007_service_inventory", include_str!("../sql/0007_service_inventory.sql")),
    ("0008_provisioning", include_str!("../sql/0008_provisioning.sql")),
    ("0009_subscription", include_str!("../sql/0009_subscription.sql")),
    ("0010_mediation", include_str!("../sql/0010_mediation.sql")),
    ("0011_line_contracts", include_str!("../sql/0011_line_contracts.sql")),
    ("0012_price_migration", include_str!("../sql/0012_price_migration.sql")),
    ("0013_quota_grants", include_str!("../sql/0013_quota_grants.sql")),
    ("0015_network_order", include_str!("../sql/0015_network_order.sql")),
    ("0016_network_faults", include_str!("../sql/0016_network_faults.sql")),
    ("0017_technical_orders", include_str!("../sql/0017_technical_orders.sql")),
    ("0018_service_tasks", include_str!("../sql/0018_service_tasks.sql")),
    ("0019_communication", include_str!("../sql/0019_communication.sql")),
    ("0020_closed_usage", include_str!("../sql/0020_closed_usage.sql")),
    ("0023_tmf", include_str!("../sql/0023_tmf.sql")),
    ("0024_tmf_resources", include_str!("../sql/0024_tmf_resources.sql")),
    ("0025_hub", include_str!("../sql/0025_hub.sql")),
    ("0030_audit_finding", include_str!("../sql/0030_audit_finding.sql")),
    ("0031_renewal_indexes", include_str!("../sql/0031_renewal_indexes.sql")),
    ("0040_trace_store", include_str!("../sql/0040_trace_store.sql")),
    ("0050_top_up_of_order", include_str!("../sql/0050_top_up_of_order.sql")),
    ("0051_price_moves", include_str!("../sql/0051_price_moves.sql")),
    ("0052_unsubmitted_orders", include_str!("../sql/0052_unsubmitted_orders.sql")),
    ("0055_told_thresholds", include_str!("../sql/0055_told_thresholds.sql")),
    ("0056_renewal_failures", include_str!("../sql/0056_renewal_failures.sql")),
    ("0058_growing_tables", include_str!("../sql/0058_growing_tables.sql")),
    ("0060_customer_name_search", include_str!("../sql/0060_customer_name_search.sql")),
    ("0065_vas_window", include_str!("../sql/0065_vas_window.sql")),
    ("0066_tmf_refunds", include_str!("../sql/0066_tmf_refunds.sql")),
    ("0070_event_order", include_str!("../sql/0070_event_order.sql")),
    ("0072_task_payload", include_str!("../sql/0072_task_payload.sql")),
    ("0080_promotions", include_str!("../sql/0080_promotions.sql")),
    ("0082_message_lane", include_str!("../sql/0082_message_lane.sql")),
    ("0086_numbers_in_network", include_str!("../sql/0086_numbers_in_network.sql")),
    ("0090_network_policy", include_str!("../sql/0090_network_policy.sql")),
    ("0091_open_work", include_str!("../sql/0091_open_work.sql")),
    ("0092_single_names", include_str!("../sql/0092_single_names.sql")),
    ("0093_usage_at_once", include_str!("../sql/0093_usage_at_once.sql")),
    ("0094_growing_statistics", include_str!("../sql/0094_growing_statistics.sql")),
];

/// Runs the steps that the database has not seen yet.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS.iter().map(|&(name, sql)| Box::new(Step { name, sql }) as Box<dyn MigrationTrait>).collect()
    }
}

/// Names of all steps that this binary knows, oldest first.
pub fn known() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(name, _)| *name)
}

struct Step {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait of sea-orm-migration is written so; a named lifetime does not match it"
)]
#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.sql).await.map(drop)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(format!("{}: the schema moves forward only; restore a backup instead", self.name)))
    }
}
