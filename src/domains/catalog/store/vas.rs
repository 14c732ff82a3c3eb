//! Top-ups: read, added, and put on sale at other times. Nothing else of them is ever written.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{allowance_type, money};
use crate::domains::catalog::model::{NewVas, Window};
use crate::domains::catalog::policy;
use crate::domains::catalog::port::{VasId, VasView};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};

const SELECT: &str = "id, name, amount_minor, currency, allowance_type, allowance_quantity, expiry_hours, is_sellable, \
    valid_from, valid_to, version";

/// Most top-ups that one answer holds; an operator of our size has a dozen.
const MAX: usize = 1_000;

/// A top-up, on sale or not.
#[derive(Debug, FromQueryResult)]
pub(in crate::domains::catalog) struct VasRow {
    id: String,
    name: String,
    amount_minor: i64,
    currency: String,
    allowance_type: String,
    allowance_quantity: i64,
    expiry_hours: Option<i32>,
    is_sellable: bool,
    valid_from: Option<DateTime<Utc>>,
    valid_to: Option<DateTime<Utc>>,
    pub(in crate::domains::catalog) version: i64,
}

impl VasRow {
    pub(in crate::domains::catalog) const fn window(&self) -> Window {
        Window { valid_from: self.valid_from, valid_to: self.valid_to }
    }

    pub(in crate::domains::catalog) fn is_on_sale(&self, at: DateTime<Utc>) -> bool {
        self.is_sellable && policy::in_window(self.valid_from, self.valid_to, at)
    }

    pub(in crate::domains::catalog) fn view(self) -> Result<VasView> {
        let allowance_type = allowance_type(&self.allowance_type)?;
        Ok(VasView {
            id: self.id.into(),
            name: self.name,
            money: money(self.amount_minor, &self.currency)?,
            allowance_type,
            allowance_quantity: self.allowance_quantity,
            allowance_unit: allowance_type.unit(),
            expiry_hours: self.expiry_hours,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        })
    }
}

/// Those on sale now, by id.
pub(in crate::domains::catalog) async fn on_sale(db: &Db, cx: &Context) -> Result<Vec<VasView>> {
    let query = format!(
        "select {SELECT} from catalog.vas_offering
         where tenant_id = $1 and is_sellable
           and (valid_from is null or valid_from <= $2) and (valid_to is null or valid_to > $2)
         order by id limit {MAX}"
    );
    let rows = VasRow::find_by_statement(sql!(query, cx.tenant.as_ref(), cx.now)).all(db.connection()).await?;
    rows.into_iter().map(VasRow::view).collect()
}

pub(in crate::domains::catalog) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &VasId,
) -> Result<Option<VasRow>> {
    let query = format!("select {SELECT} from catalog.vas_offering where tenant_id = $1 and id = $2");
    Ok(VasRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?)
}

pub(in crate::domains::catalog) async fn lock(tx: &Tx, cx: &Context, id: &VasId) -> Result<Option<VasRow>> {
    let query = format!("select {SELECT} from catalog.vas_offering where tenant_id = $1 and id = $2 for no key update");
    Ok(VasRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?)
}

pub(in crate::domains::catalog) async fn insert(tx: &Tx, cx: &Context, new: &NewVas) -> Result<()> {
    let statement = sql!(
        "insert into catalog.vas_offering (id, tenant_id, name, amount_minor, currency, allowance_type, allowance_quantity,
             allowance_unit, expiry_hours, valid_from, valid_to)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &new.id,
        cx.tenant.as_ref(),
        new.name.as_str(),
        new.money.minor,
        new.money.currency.as_str(),
        new.allowance_type.as_str(),
        new.quantity,
        new.allowance_type.unit().as_str(),
        new.expiry_hours,
        new.window.valid_from,
        new.window.valid_to
    );
    execute(&**tx, statement).await.map(drop)
}

/// Writes the window of a locked top-up, one version on.
pub(in crate::domains::catalog) async fn save_window(tx: &Tx, cx: &Context, id: &VasId, window: Window) -> Result<()> {
    let statement = sql!(
        "update catalog.vas_offering set valid_from = $3, valid_to = $4, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id,
        window.valid_from,
        window.valid_to
    );
    match execute(&**tx, statement).await? {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("top-up {id} was not there to be saved"))),
    }
}
