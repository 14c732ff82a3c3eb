//! The kinds of usage as a list that is filtered, sorted and paged like every other; there is no table behind it.

use sea_orm::FromQueryResult;

use crate::domains::rating::port::UsageType;
use crate::platform::context::Context;
use crate::platform::db::{self, Db};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("'USPEC_' || upper(s.kind)") },
        Attribute { path: "name", column: Column::text("s.kind") },
        Attribute { path: "lifecycleStatus", column: Column::text("'active'") },
    ],
    default_order: "",
    tiebreak: "s.kind",
};

#[derive(Debug, FromQueryResult)]
struct Row {
    kind: String,
}

/// A page of the kinds of usage, and how many fit in all. Every tenant has the same.
pub(in crate::domains::mediation) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<UsageType>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let kinds = UsageType::ALL.map(|kind| format!("('{}')", kind.as_str())).join(", ");
    let from = format!("(values {kinds}) as s (kind) where $1::text is not null");
    let (total, rows) = db::list::<Row>(db, "s.kind", &from, &cx.tenant, &filter).await?;
    let kind = |row: Row| {
        UsageType::parse(&row.kind).ok_or_else(|| Error::Internal(format!("{} is no kind of usage", row.kind)))
    };
    Ok((total, rows.into_iter().map(kind).collect::<Result<_>>()?))
}
