//! Every column of every table, searched for what was planted.

use std::collections::BTreeSet;

use sqlx::PgPool;

use super::planted::Planted;

/// Columns that hold a secret of a kind because somebody has to: which, and why.
const KEEPERS: &[(&str, &str, &str)] = &[
    ("inventory.esim_profile.iccid", "an ICCID", "the inventory itself: a profile is found by it"),
    (
        "inventory.esim_profile.activation_code",
        "an activation code",
        "the inventory itself: one audited operation reads it",
    ),
    ("subscription.subscription.iccid", "an ICCID", "names the profile of the line; shown by its last four digits"),
    (
        "provisioning.provisioning_task.payload",
        "an ICCID",
        "what the network is told: it knows a profile by it; never shown",
    ),
];

/// What is found where it should not be; and keepers that keep nothing.
pub(super) async fn search(pool: &PgPool, planted: &Planted) -> Vec<String> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select c.table_schema || '.' || c.table_name, c.column_name::text
         from information_schema.columns c
         join information_schema.tables t using (table_schema, table_name)
         where c.table_schema not in ('pg_catalog', 'information_schema') and t.table_type = 'BASE TABLE'
           and c.data_type not in ('boolean', 'integer', 'smallint', 'date', 'uuid', 'timestamp with time zone')
         order by 1, 2",
    )
    .fetch_all(pool)
    .await
    .expect("the catalog answers");
    assert!(columns.len() > 200, "only {} columns", columns.len());
    let (mut found, mut keeping) = (Vec::new(), BTreeSet::new());
    for (table, column) in columns {
        let query = format!("select distinct {column}::text from {table} where {column} is not null");
        let values: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.expect("a column can be read");
        let place = format!("{table}.{column}");
        let may_keep = |kind: &str| KEEPERS.iter().any(|(keeper, kept, _)| (*keeper, *kept) == (place.as_str(), kind));
        for value in &values {
            let hits = planted.in_text(&place, value);
            let (kept, leaked): (Vec<_>, Vec<_>) =
                hits.into_iter().partition(|hit| hit.split_once(" in ").is_some_and(|(kind, _)| may_keep(kind)));
            found.extend(leaked);
            if !kept.is_empty() {
                keeping.insert(place.clone());
            }
        }
    }
    let idle: Vec<_> = KEEPERS.iter().filter(|(keeper, ..)| !keeping.contains(*keeper)).collect();
    assert!(idle.is_empty(), "these keep nothing and need no exception: {idle:?}");
    found
}
