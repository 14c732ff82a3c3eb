//! The table of listeners.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::HubView;
use crate::platform::context::Context;
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::Result;

const COLUMNS: &str = "id, api, callback, query, event_types, secret, created_by, created_at";

#[derive(FromQueryResult)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) api: String,
    pub(super) callback: String,
    pub(super) query: Option<String>,
    pub(super) event_types: Vec<String>,
    pub(super) secret: String,
    pub(super) created_by: String,
    pub(super) created_at: DateTime<Utc>,
}

impl Row {
    pub(super) fn view(self) -> HubView {
        HubView {
            id: self.id,
            api: self.api,
            callback: self.callback,
            query: self.query,
            created_by: self.created_by,
            created_at: self.created_at,
        }
    }
}

/// False when there are `max` listeners already. Two callers at once may both fit under it, which harms nobody.
pub(super) async fn insert(db: &Db, cx: &Context, hub: &Row, max: i64) -> Result<bool> {
    let statement = sql!(
        "insert into platform.hub (id, tenant_id, api, callback, query, event_types, secret, created_by, created_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9
         where (select count(*) from platform.hub where tenant_id = $2) < $10",
        hub.id.as_str(),
        cx.tenant.as_ref(),
        hub.api.as_str(),
        hub.callback.as_str(),
        hub.query.as_deref(),
        hub.event_types.clone(),
        hub.secret.as_str(),
        hub.created_by.as_str(),
        hub.created_at,
        max
    );
    Ok(execute(db.connection(), statement).await? == 1)
}

pub(super) async fn delete(db: &Db, cx: &Context, api: &str, id: &str) -> Result<u64> {
    let statement =
        sql!("delete from platform.hub where tenant_id = $1 and api = $2 and id = $3", cx.tenant.as_ref(), api, id);
    execute(db.connection(), statement).await
}

pub(super) async fn all(db: &Db, cx: &Context) -> Result<Vec<Row>> {
    let query = format!("select {COLUMNS} from platform.hub where tenant_id = $1 order by id limit 1000");
    Ok(Row::find_by_statement(sql!(query, cx.tenant.as_ref())).all(db.connection()).await?)
}

pub(super) async fn find(db: &Db, cx: &Context, id: &str) -> Result<Option<Row>> {
    let query = format!("select {COLUMNS} from platform.hub where tenant_id = $1 and id = $2");
    Ok(Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?)
}
