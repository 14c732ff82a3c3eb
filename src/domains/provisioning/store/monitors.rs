//! Network tasks as TMF640 lists them.

use super::{Row, columns_shown};
use crate::domains::provisioning::model::Task;
use crate::platform::context::Context;
use crate::platform::db::{self, Db};
use crate::platform::error::Result;
use crate::platform::tmf::filter::{Attribute, Column, Listing, Name, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// Our states of a task, and the words of TMF640 for a monitor.
pub(in crate::domains::provisioning) const STATES: &[Name] = &[
    ("InProgress", &["pending", "running"]),
    ("Completed", &["completed"]),
    ("InError", &["failed", "stuck", "withdrawn", "abandoned"]),
];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("t.id") },
        Attribute { path: "state", column: Column::text("t.state").named(STATES) },
        Attribute {
            path: "sourceHref",
            column: Column::text("('/tmf-api/ServiceActivationAndConfiguration/v4/service/' || t.service_id)"),
        },
        Attribute { path: "request.to", column: Column::text("t.task_type") },
    ],
    default_order: "t.created_at desc",
    tiebreak: "t.id",
};

/// One page of tasks and how many there are.
pub(in crate::domains::provisioning) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<Task>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let from = "provisioning.provisioning_task t where t.tenant_id = $1";
    let (total, rows) = db::list::<Row>(db, &columns_shown(), from, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Task::try_from).collect::<Result<_>>()?))
}
