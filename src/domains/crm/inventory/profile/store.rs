//! The table of eSIM profiles. The pointer to the HSM slot is written, never read.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use super::model::Profile;
use crate::domains::crm::port::{Iccid, ListProfiles, Msisdn, ProfileState};
use crate::platform::config::Profile as Operator;
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};

const SELECT: &str = "select iccid, imsi, smdp_server, matching_id, activation_code, profile_state, assigned_msisdn,
    assigned_to_subscription_id, reserved_for, reserved_at, reserved_until, downloaded_at, activated_at, version
    from inventory.esim_profile";

#[derive(FromQueryResult)]
struct ProfileRow {
    iccid: String,
    imsi: String,
    smdp_server: String,
    matching_id: String,
    activation_code: String,
    profile_state: String,
    assigned_msisdn: Option<String>,
    assigned_to_subscription_id: Option<String>,
    reserved_for: Option<String>,
    reserved_at: Option<DateTime<Utc>>,
    reserved_until: Option<DateTime<Utc>>,
    downloaded_at: Option<DateTime<Utc>>,
    activated_at: Option<DateTime<Utc>>,
    version: i64,
}

impl TryFrom<ProfileRow> for Profile {
    type Error = Error;
    fn try_from(row: ProfileRow) -> Result<Self> {
        let state = ProfileState::parse(&row.profile_state);
        Ok(Self {
            state: state
                .ok_or_else(|| Error::Internal(format!("an eSIM profile has the state {}", row.profile_state)))?,
            iccid: row.iccid.into(),
            imsi: row.imsi,
            smdp_server: row.smdp_server,
            matching_id: row.matching_id,
            activation_code: row.activation_code,
            assigned_msisdn: row.assigned_msisdn.map(Msisdn::from),
            assigned_to_subscription_id: row.assigned_to_subscription_id,
            reserved_for: row.reserved_for,
            reserved_at: row.reserved_at,
            reserved_until: row.reserved_until,
            downloaded_at: row.downloaded_at,
            activated_at: row.activated_at,
            version: row.version,
        })
    }
}

/// Who holds a reservation.
#[derive(FromQueryResult)]
struct HolderRow {
    order_id: String,
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Profile>> {
    ProfileRow::find_by_statement(statement).one(connection).await?.map(Profile::try_from).transpose()
}

async fn all(connection: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Profile>> {
    ProfileRow::find_by_statement(statement).all(connection).await?.into_iter().map(Profile::try_from).collect()
}

pub(crate) async fn profile(db: &Db, cx: &Context, iccid: &Iccid) -> Result<Option<Profile>> {
    let query = format!("{SELECT} where tenant_id = $1 and iccid = $2");
    one(db.connection(), sql!(query, cx.tenant.as_ref(), iccid)).await
}

pub(crate) async fn list(db: &Db, cx: &Context, filter: &ListProfiles) -> Result<Vec<Profile>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and ($2::text is null or profile_state = $2) order by iccid limit $3 offset $4"
    );
    let state = filter.state.map(ProfileState::as_str);
    let (limit, offset) = (i64::from(filter.limit), i64::from(filter.offset));
    all(db.connection(), sql!(query, cx.tenant.as_ref(), state, limit, offset)).await
}

/// The lowest profile that is available and that nobody else is taking.
pub(crate) async fn lock_lowest_free(tx: &Tx, cx: &Context) -> Result<Option<Profile>> {
    let query = format!(
        "{SELECT} where tenant_id = $1 and profile_state = 'available' order by iccid limit 1 for update skip locked"
    );
    one(&**tx, sql!(query, cx.tenant.as_ref())).await
}

pub(crate) async fn lock_reserved(tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Profile>> {
    let query =
        format!("{SELECT} where tenant_id = $1 and reserved_for = $2 and profile_state = 'reserved' for update");
    one(&**tx, sql!(query, cx.tenant.as_ref(), order_id)).await
}

/// The condition of the unique index: a line's profile that is not history yet.
const HELD_BY_LINE: &str = "profile_state in ('downloaded', 'activated', 'suspended')";

pub(crate) async fn lock_of_line(tx: &Tx, cx: &Context, subscription_id: &str) -> Result<Option<Profile>> {
    let query =
        format!("{SELECT} where tenant_id = $1 and assigned_to_subscription_id = $2 and {HELD_BY_LINE} for update");
    one(&**tx, sql!(query, cx.tenant.as_ref(), subscription_id)).await
}

/// The profile of a line, kept as it is until the caller's unit of work ends.
pub(crate) async fn share_of_line(tx: &Tx, cx: &Context, subscription_id: &str) -> Result<Option<Profile>> {
    let query =
        format!("{SELECT} where tenant_id = $1 and assigned_to_subscription_id = $2 and {HELD_BY_LINE} for share");
    one(&**tx, sql!(query, cx.tenant.as_ref(), subscription_id)).await
}

/// Orders whose profile's reservation has run out, the longest first.
pub(crate) async fn expired(db: &Db, cx: &Context, limit: i64) -> Result<Vec<String>> {
    let statement = sql!(
        "select reserved_for as order_id from inventory.esim_profile
         where tenant_id = $1 and profile_state = 'reserved' and reserved_until <= $2 order by reserved_until limit $3",
        cx.tenant.as_ref(),
        cx.now,
        limit
    );
    let rows = HolderRow::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

/// Writes a locked profile back, one version on.
pub(crate) async fn save(tx: &Tx, cx: &Context, profile: &mut Profile) -> Result<()> {
    let statement = sql!(
        "update inventory.esim_profile set profile_state = $3, assigned_msisdn = $4, assigned_to_subscription_id = $5,
             reserved_for = $6, reserved_at = $7, reserved_until = $8, activated_at = $9, version = version + 1, updated_at = now()
         where tenant_id = $1 and iccid = $2 and version = $10",
        cx.tenant.as_ref(),
        &profile.iccid,
        profile.state.as_str(),
        profile.assigned_msisdn.as_ref().map(Msisdn::as_str),
        profile.assigned_to_subscription_id.as_deref(),
        profile.reserved_for.as_deref(),
        profile.reserved_at,
        profile.reserved_until,
        profile.activated_at,
        profile.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!(
            "eSIM profile {} changed under its lock",
            super::model::masked(&profile.iccid)
        )));
    }
    profile.version += 1;
    Ok(())
}

/// The secrets of a profile that is to be made.
pub(crate) struct NewProfile {
    /// Names the HSM slot of its key.
    pub(crate) key_slot: Uuid,
    pub(crate) matching_id: String,
}

/// The highest running number: an IMSI has nine digits behind its operator's six (3GPP TS 23.003, section 2.2).
const NUMBER_MAX: i64 = 999_999_999;

/// Inserts new profiles behind the highest of ours. Two callers at once take turns.
///
/// # Errors
/// Invalid `count` where so many do not fit under the operator's prefixes any more.
pub(crate) async fn add(tx: &Tx, cx: &Context, operator: &Operator, new: &[NewProfile]) -> Result<u32> {
    execute(&**tx, sql!("select pg_advisory_xact_lock(hashtext('inventory.esim_profile.add'))")).await?;
    let slots: Vec<String> = new.iter().map(|profile| profile.key_slot.to_string()).collect();
    let matching_ids: Vec<String> = new.iter().map(|profile| profile.matching_id.clone()).collect();
    // The running number is the operator's, not the tenant's: ICCID and IMSI are unique in the world.
    let highest = sql!(
        "select coalesce(max(substr(iccid, 8)::bigint), -1) as number from inventory.esim_profile
         where iccid like $1 || '%' and length(iccid) = 19",
        operator.iccid_prefix.as_str()
    );
    let highest = HighestRow::find_by_statement(highest).one(&**tx).await?.map_or(-1, |row| row.number);
    let left = (NUMBER_MAX - highest).max(0);
    if !i64::try_from(new.len()).is_ok_and(|wanted| wanted <= left) {
        return Err(Error::invalid(
            "/count",
            format!(
                "only {left} more profiles fit under the operator's prefixes; begin new ones with \
                 BSS_OPERATOR_ICCID_PREFIX and BSS_OPERATOR_IMSI_PREFIX"
            ),
        ));
    }
    let statement = sql!(
        "with made as (
             select $7 + n.position as number, n.slot, n.matching_id
             from unnest($2::text[], $3::text[]) with ordinality as n (slot, matching_id, position))
         insert into inventory.esim_profile (iccid, tenant_id, imsi, ki_ref, smdp_server, matching_id, activation_code)
         select $5 || lpad(number::text, 12, '0'), $1, $6 || lpad(number::text, 9, '0'), 'hsm://ref/' || slot, $4,
                matching_id, 'LPA:1$' || $4 || '$' || matching_id
         from made",
        cx.tenant.as_ref(),
        slots,
        matching_ids,
        operator.smdp_server.as_str(),
        operator.iccid_prefix.as_str(),
        operator.imsi_prefix.as_str(),
        highest
    );
    let inserted = execute(&**tx, statement).await?;
    u32::try_from(inserted).map_err(|_| Error::Internal("more profiles than asked for".into()))
}

#[derive(FromQueryResult)]
struct HighestRow {
    number: i64,
}

pub(crate) async fn count_available(tx: &Tx, cx: &Context) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct CountRow {
        available: i64,
    }
    let query =
        "select count(*) as available from inventory.esim_profile where tenant_id = $1 and profile_state = 'available'";
    let row = CountRow::find_by_statement(sql!(query, cx.tenant.as_ref())).one(&**tx).await?;
    Ok(row.map_or(0, |row| row.available))
}
