//! The table of numbers.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::model::{Number, Range};
use crate::domains::crm::port::{ListNumbers, Msisdn, NumberCount, NumberStatus};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};

const SELECT: &str = "select msisdn, status, reserved_for, reserved_at, reserved_until, assigned_to_subscription_id,
    quarantine_until, version from inventory.msisdn_pool";

#[derive(FromQueryResult)]
struct NumberRow {
    msisdn: String,
    status: String,
    reserved_for: Option<String>,
    reserved_at: Option<DateTime<Utc>>,
    reserved_until: Option<DateTime<Utc>>,
    assigned_to_subscription_id: Option<String>,
    quarantine_until: Option<DateTime<Utc>>,
    version: i64,
}

impl TryFrom<NumberRow> for Number {
    type Error = Error;
    fn try_from(row: NumberRow) -> Result<Self> {
        let status = NumberStatus::parse(&row.status);
        Ok(Self {
            status: status
                .ok_or_else(|| Error::Internal(format!("number {} has the status {}", row.msisdn, row.status)))?,
            msisdn: row.msisdn.into(),
            reserved_for: row.reserved_for,
            reserved_at: row.reserved_at,
            reserved_until: row.reserved_until,
            assigned_to_subscription_id: row.assigned_to_subscription_id,
            quarantine_until: row.quarantine_until,
            version: row.version,
        })
    }
}

/// Who holds a reservation.
#[derive(FromQueryResult)]
struct HolderRow {
    order_id: String,
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Number>> {
    NumberRow::find_by_statement(statement).one(connection).await?.map(Number::try_from).transpose()
}

async fn all(connection: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Number>> {
    NumberRow::find_by_statement(statement).all(connection).await?.into_iter().map(Number::try_from).collect()
}

pub(crate) async fn number(db: &Db, cx: &Context, msisdn: &Msisdn) -> Result<Option<Number>> {
    let query = format!("{SELECT} where tenant_id = $1 and msisdn = $2");
    one(db.connection(), sql!(query, cx.tenant.as_ref(), msisdn)).await
}

/// A prefix is the range from itself to itself followed by nines: of digits no other text lies between, whatever the collation.
pub(crate) async fn list(db: &Db, cx: &Context, filter: &ListNumbers) -> Result<Vec<Number>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and ($2::text is null or status = $2)
           and ($3::text is null or msisdn between $3 and rpad($3, 15, '9'))
         order by msisdn limit $4 offset $5"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        filter.status.map(NumberStatus::as_str),
        filter.prefix.as_deref(),
        i64::from(filter.limit),
        i64::from(filter.offset)
    );
    all(db.connection(), statement).await
}

pub(crate) async fn count(db: &Db, cx: &Context, prefix: Option<String>) -> Result<NumberCount> {
    #[derive(FromQueryResult)]
    struct CountRow {
        status: String,
        numbers: i64,
    }
    let statement = sql!(
        "select status, count(*) as numbers from inventory.msisdn_pool
         where tenant_id = $1 and ($2::text is null or msisdn between $2 and rpad($2, 15, '9')) group by status",
        cx.tenant.as_ref(),
        prefix.as_deref()
    );
    let rows = CountRow::find_by_statement(statement).all(db.connection()).await?;
    let of = |status: NumberStatus| rows.iter().find(|row| row.status == status.as_str()).map_or(0, |row| row.numbers);
    Ok(NumberCount {
        available: of(NumberStatus::Available),
        reserved: of(NumberStatus::Reserved),
        assigned: of(NumberStatus::Assigned),
        quarantine: of(NumberStatus::Quarantine),
        ported_out: of(NumberStatus::PortedOut),
        total: rows.iter().map(|row| row.numbers).sum(),
        prefix,
    })
}

pub(crate) async fn lock(tx: &Tx, cx: &Context, msisdn: &Msisdn) -> Result<Option<Number>> {
    let query = format!("{SELECT} where tenant_id = $1 and msisdn = $2 for update");
    one(&**tx, sql!(query, cx.tenant.as_ref(), msisdn)).await
}

/// The given number if it is available and nobody else is taking it.
pub(crate) async fn lock_free(tx: &Tx, cx: &Context, msisdn: &Msisdn) -> Result<Option<Number>> {
    let query =
        format!("{SELECT} where tenant_id = $1 and msisdn = $2 and status = 'available' for update skip locked");
    one(&**tx, sql!(query, cx.tenant.as_ref(), msisdn)).await
}

/// The lowest number that is available and that nobody else is taking.
pub(crate) async fn lock_lowest_free(tx: &Tx, cx: &Context) -> Result<Option<Number>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and status = 'available' order by msisdn limit 1 for update skip locked"
    );
    one(&**tx, sql!(query, cx.tenant.as_ref())).await
}

pub(crate) async fn lock_reserved(tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Number>> {
    let query = format!("{SELECT} where tenant_id = $1 and reserved_for = $2 and status = 'reserved' for update");
    one(&**tx, sql!(query, cx.tenant.as_ref(), order_id)).await
}

pub(crate) async fn lock_assigned(tx: &Tx, cx: &Context, subscription_id: &str) -> Result<Option<Number>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and assigned_to_subscription_id = $2 and status = 'assigned' for update"
    );
    one(&**tx, sql!(query, cx.tenant.as_ref(), subscription_id)).await
}

/// Orders whose number's reservation has run out, the longest first.
pub(crate) async fn expired(db: &Db, cx: &Context, limit: i64) -> Result<Vec<String>> {
    let statement = sql!(
        "select reserved_for as order_id from inventory.msisdn_pool
         where tenant_id = $1 and status = 'reserved' and reserved_until <= $2 order by reserved_until limit $3",
        cx.tenant.as_ref(),
        cx.now,
        limit
    );
    let rows = HolderRow::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// A number that has rested long enough.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct Rested {
    pub(crate) msisdn: String,
    quarantine_until: DateTime<Utc>,
}

/// Numbers that have rested long enough, the longest first, from behind `after` on.
pub(crate) async fn rested(db: &Db, cx: &Context, after: Option<&Rested>, limit: i64) -> Result<Vec<Rested>> {
    let statement = sql!(
        "select msisdn, quarantine_until from inventory.msisdn_pool
         where tenant_id = $1 and status = 'quarantine' and quarantine_until <= $2
           and (quarantine_until, msisdn) > (coalesce($3::timestamptz, '-infinity'), $4::text)
         order by quarantine_until, msisdn limit $5",
        cx.tenant.as_ref(),
        cx.now,
        after.map(|rested| rested.quarantine_until),
        after.map_or("", |rested| rested.msisdn.as_str()),
        limit
    );
    Ok(Rested::find_by_statement(statement).all(db.connection()).await?)
}

/// Those of the numbers that have rested long enough and that nobody else is freeing.
pub(crate) async fn lock_rested(tx: &Tx, cx: &Context, msisdns: &[Msisdn]) -> Result<Vec<Number>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and msisdn = any($2) and status = 'quarantine' and quarantine_until <= $3
         order by msisdn for update skip locked"
    );
    let msisdns: Vec<String> = msisdns.iter().map(ToString::to_string).collect();
    all(&**tx, sql!(query, cx.tenant.as_ref(), msisdns, cx.now)).await
}

/// Writes locked numbers back that nobody holds any more, one version on.
pub(crate) async fn save_freed(tx: &Tx, cx: &Context, numbers: &mut [Number]) -> Result<()> {
    let statement = sql!(
        "update inventory.msisdn_pool n
         set status = f.status, reserved_for = null, reserved_at = null, reserved_until = null,
             assigned_to_subscription_id = null, quarantine_until = null, version = n.version + 1, updated_at = now()
         from unnest($2::text[], $3::text[], $4::bigint[]) as f (msisdn, status, version)
         where n.tenant_id = $1 and n.msisdn = f.msisdn and n.version = f.version",
        cx.tenant.as_ref(),
        numbers.iter().map(|number| number.msisdn.to_string()).collect::<Vec<_>>(),
        numbers.iter().map(|number| number.status.as_str().to_owned()).collect::<Vec<_>>(),
        numbers.iter().map(|number| number.version).collect::<Vec<_>>()
    );
    if execute(&**tx, statement).await? != numbers.len() as u64 {
        return Err(Error::Internal("numbers changed under their locks".into()));
    }
    for number in numbers {
        number.version += 1;
    }
    Ok(())
}

/// Writes a locked number back, one version on.
pub(crate) async fn save(tx: &Tx, cx: &Context, number: &mut Number) -> Result<()> {
    let statement = sql!(
        "update inventory.msisdn_pool set status = $3, reserved_for = $4, reserved_at = $5, reserved_until = $6,
             assigned_to_subscription_id = $7, quarantine_until = $8, version = version + 1, updated_at = now()
         where tenant_id = $1 and msisdn = $2 and version = $9",
        cx.tenant.as_ref(),
        &number.msisdn,
        number.status.as_str(),
        number.reserved_for.as_deref(),
        number.reserved_at,
        number.reserved_until,
        number.assigned_to_subscription_id.as_deref(),
        number.quarantine_until,
        number.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("number {} changed under its lock", number.msisdn)));
    }
    number.version += 1;
    Ok(())
}

/// Inserts the numbers of the range that are not there, and says how many.
pub(crate) async fn add(tx: &Tx, cx: &Context, range: &Range) -> Result<u32> {
    let statement = sql!(
        "insert into inventory.msisdn_pool (msisdn, tenant_id)
         select $2 || lpad(i::text, $3, '0'), $1 from generate_series(0, $4 - 1) as i on conflict do nothing",
        cx.tenant.as_ref(),
        range.prefix.as_str(),
        i32::try_from(range.counted_digits).unwrap_or(i32::MAX),
        i32::try_from(range.count).unwrap_or(i32::MAX)
    );
    let inserted = execute(&**tx, statement).await?;
    u32::try_from(inserted).map_err(|_| Error::Internal("more numbers than asked for".into()))
}
