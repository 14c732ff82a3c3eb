//! The tables of customers: party, individual, customer, identity; contact media as they are read.

mod medium;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value};

use super::model::{Customer, Medium};
use crate::domains::crm::port::{CustomerId, CustomerStatus, KycStatus, ListCustomers};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Json, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::Begins;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

pub(super) use medium::{add_medium, end_medium, save_medium};

/// A customer with person and live media in one row: one round trip per read. Media are in the order of [`Medium::order`].
const SELECT: &str =
    "c.id, c.party_id, c.account_id, c.status, c.status_reason, c.customer_since, c.closed_at, c.kyc_status,
    c.kyc_verified_at, i.given_name, i.family_name, i.date_of_birth, c.attributes, c.version,
    (select coalesce(jsonb_agg(jsonb_build_object('id', m.id, 'kind', m.medium_type, 'value', m.value,
            'is_primary', m.is_primary, 'valid_from', m.valid_from, 'attributes', m.attributes)
            order by m.medium_type, m.is_primary desc, m.valid_from, m.id), '[]')
     from crm.contact_medium m where m.party_id = c.party_id and m.valid_to is null) as media";
const FROM: &str = "crm.customer c join crm.individual i on i.party_id = c.party_id where c.tenant_id = $1";

/// The name as people say it, as [`Customer::full_name`] does; an index has the same expression.
const FULL_NAME: &str =
    "(case when i.given_name = i.family_name then i.given_name else i.given_name || ' ' || i.family_name end)";

/// What most filters need of it: a hundred thousand rows are counted without their persons.
const LEAN: &str = "crm.customer c where c.tenant_id = $1";

/// The persons join only where the filter or the order asks for a name.
fn lean(filter: &SqlFilter) -> &'static str {
    let asks = |text: &str| text.contains("i.given_name") || text.contains("i.family_name");
    if asks(filter.conditions()) || asks(filter.order_by()) { FROM } else { LEAN }
}

const STATUSES: &[(&str, &[&str])] =
    &[("pending", &["pending"]), ("active", &["active"]), ("suspended", &["suspended"]), ("closed", &["closed"])];

/// Path of the filter whose values are compared in lower case, as the unique index has them.
pub(super) const EMAIL_PATH: &str = "contactMedium.characteristic.emailAddress";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("c.id") },
        Attribute { path: "name", column: Column::text(FULL_NAME) },
        Attribute { path: "status", column: Column::text("c.status").named(STATUSES) },
        Attribute { path: "engagedParty.id", column: Column::text("c.party_id") },
        Attribute {
            path: "account.id",
            // An array in the payload, so it is filtered by, not sorted by.
            column: Column::text("a.account_id")
                .found_by("c.id", "select a.id from crm.customer a where a.tenant_id = $1"),
        },
        Attribute {
            path: EMAIL_PATH,
            column: Column::text("lower(m.value)").found_by(
                "c.party_id",
                "select m.party_id from crm.contact_medium m
                 where m.tenant_id = $1 and m.valid_to is null and m.medium_type = 'email'",
            ),
        },
        Attribute {
            path: "contactMedium.characteristic.phoneNumber",
            column: Column::text("m.value").found_by(
                "c.party_id",
                "select m.party_id from crm.contact_medium m
                 where m.tenant_id = $1 and m.valid_to is null and m.medium_type = 'mobile'",
            ),
        },
        Attribute { path: "validFor.startDateTime", column: Column::timestamp("c.customer_since") },
    ],
    default_order: "",
    tiebreak: "c.id",
};

/// The same rows as persons: each has one customer.
const INDIVIDUALS: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("c.party_id") },
        Attribute { path: "givenName", column: Column::text("i.given_name") },
        Attribute { path: "familyName", column: Column::text("i.family_name") },
        Attribute { path: "fullName", column: Column::text(FULL_NAME) },
        Attribute {
            path: "status",
            column: Column::text("(case c.kyc_status when 'verified' then 'validated' else 'initialized' end)")
                .named(&[("initialized", &["initialized"]), ("validated", &["validated"])]),
        },
        Attribute {
            path: "relatedParty.id",
            column: Column::text("r.id").found_by("c.id", "select r.id from crm.customer r where r.tenant_id = $1"),
        },
        Attribute {
            path: EMAIL_PATH,
            column: Column::text("lower(m.value)").found_by(
                "c.party_id",
                "select m.party_id from crm.contact_medium m
                 where m.tenant_id = $1 and m.valid_to is null and m.medium_type = 'email'",
            ),
        },
        Attribute {
            path: "contactMedium.characteristic.phoneNumber",
            column: Column::text("m.value").found_by(
                "c.party_id",
                "select m.party_id from crm.contact_medium m
                 where m.tenant_id = $1 and m.valid_to is null and m.medium_type = 'mobile'",
            ),
        },
    ],
    default_order: "",
    tiebreak: "c.party_id",
};

#[derive(Debug, FromQueryResult)]
struct CustomerRow {
    id: String,
    party_id: String,
    account_id: String,
    status: String,
    status_reason: Option<String>,
    customer_since: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    kyc_status: String,
    kyc_verified_at: Option<DateTime<Utc>>,
    given_name: String,
    family_name: String,
    date_of_birth: Option<NaiveDate>,
    attributes: Json<Map<String, Value>>,
    version: i64,
    media: Json<Vec<Medium>>,
}

impl TryFrom<CustomerRow> for Customer {
    type Error = Error;
    fn try_from(row: CustomerRow) -> Result<Self> {
        let unreadable = |what: &str| Error::Internal(format!("customer {} has an unreadable {what}", row.id));
        Ok(Self {
            status: CustomerStatus::parse(&row.status).ok_or_else(|| unreadable("status"))?,
            kyc_status: KycStatus::parse(&row.kyc_status).ok_or_else(|| unreadable("kyc status"))?,
            media: row.media.0,
            attributes: row.attributes.0,
            id: row.id.into(),
            party_id: row.party_id,
            account_id: row.account_id,
            status_reason: row.status_reason,
            since: row.customer_since,
            closed_at: row.closed_at,
            kyc_verified_at: row.kyc_verified_at,
            given_name: row.given_name,
            family_name: row.family_name,
            date_of_birth: row.date_of_birth,
            version: row.version,
        })
    }
}

async fn one(connection: &impl ConnectionTrait, statement: sea_orm::Statement) -> Result<Option<Customer>> {
    CustomerRow::find_by_statement(statement).one(connection).await?.map(Customer::try_from).transpose()
}

/// Customers that were asked for at the same time.
pub(super) async fn customers(db: Db, tenant: Arc<str>, ids: Vec<CustomerId>) -> Result<Vec<(CustomerId, Customer)>> {
    let query = format!("select {SELECT} from {FROM} and c.id = any($2)");
    let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
    let rows = CustomerRow::find_by_statement(sql!(query, tenant.as_ref(), ids)).all(db.keyed()).await?;
    let with_id = |row| Customer::try_from(row).map(|customer| (customer.id.clone(), customer));
    rows.into_iter().map(with_id).collect()
}

/// Locks the customer's row against every other change.
pub(super) async fn lock(tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Option<Customer>> {
    // The lock by a statement of its own: person and media are read after it was waited for.
    let lock = "select 1 from crm.customer where tenant_id = $1 and id = $2 for no key update";
    if tx.query_one_raw(sql!(lock, cx.tenant.as_ref(), id)).await?.is_none() {
        return Ok(None);
    }
    let query = format!("select {SELECT} from {FROM} and c.id = $2");
    one(&**tx, sql!(query, cx.tenant.as_ref(), id)).await
}

/// Status and whether the identity is verified.
pub(super) struct Facts {
    pub(super) status: CustomerStatus,
    pub(super) kyc_verified: bool,
}

#[derive(FromQueryResult)]
struct FactsRow {
    status: String,
    kyc_verified: bool,
}

async fn facts(connection: &impl ConnectionTrait, cx: &Context, id: &CustomerId, lock: &str) -> Result<Option<Facts>> {
    let query = format!(
        "select status, kyc_status = 'verified' as kyc_verified from crm.customer where tenant_id = $1 and id = $2 {lock}"
    );
    let row = FactsRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?;
    row.map(|row| {
        let status = CustomerStatus::parse(&row.status);
        let status = status.ok_or_else(|| Error::Internal(format!("customer {id} has the status {}", row.status)))?;
        Ok(Facts { status, kyc_verified: row.kyc_verified })
    })
    .transpose()
}

pub(super) async fn standing(db: &Db, cx: &Context, id: &CustomerId) -> Result<Option<Facts>> {
    facts(db.connection(), cx, id, "").await
}

/// Locks the customer's row against changes; others may hold it, too.
pub(super) async fn share(tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Option<Facts>> {
    facts(&**tx, cx, id, "for share").await
}

pub(super) async fn by_email(db: &Db, cx: &Context, email: &str) -> Result<Option<Customer>> {
    let query = format!(
        "select {SELECT} from {FROM} and c.party_id = (
             select e.party_id from crm.contact_medium e
             where e.tenant_id = $1 and lower(e.value) = lower($2) and e.valid_to is null and e.medium_type = 'email')"
    );
    one(db.connection(), sql!(query, cx.tenant.as_ref(), email)).await
}

pub(super) async fn named(db: &Db, cx: &Context, filter: &ListCustomers) -> Result<Vec<Customer>> {
    let name = filter.name.as_deref().map(|name| name.trim().to_owned());
    // The bounds of what begins so are stated as such: the pattern of a `like` would have to be known when it is planned.
    let begins = match name {
        None => "and $3::text is null",
        Some(_) => {
            "and i.party_id in (
                 select party_id from crm.individual where lower(given_name || ' ' || family_name) ~>=~ lower($3)
                     and lower(given_name || ' ' || family_name) ~<~ (lower($3) || chr(1114111))
                 union all
                 select party_id from crm.individual where lower(family_name) ~>=~ lower($3)
                     and lower(family_name) ~<~ (lower($3) || chr(1114111)))"
        }
    };
    let Begins { condition, order_by } = Begins::with("c.id", "$6", filter.id_prefix.as_deref(), "c.id");
    let query = format!(
        "select {SELECT} from {FROM} and ($2::text is null or c.status = $2) {begins} {condition}
         order by {order_by} limit $4 offset $5"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        filter.status.map(CustomerStatus::as_str),
        name,
        i64::from(filter.limit),
        i64::from(filter.offset),
        filter.id_prefix.as_deref()
    );
    let rows = CustomerRow::find_by_statement(statement).all(db.connection()).await?;
    rows.into_iter().map(Customer::try_from).collect()
}

pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Customer>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) =
        db::list_wide::<CustomerRow>(db, SELECT, FROM, lean(&filter), "c.id", &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Customer::try_from).collect::<Result<_>>()?))
}

/// The same address in whatever case it is written, as everywhere.
pub(super) fn lower_addresses(query: &mut ListQuery) {
    for filter in query.filters.iter_mut().filter(|filter| filter.path.join(".") == EMAIL_PATH) {
        filter.values.iter_mut().for_each(|value| *value = value.to_lowercase());
    }
}

/// A page of customers as persons.
pub(super) async fn individuals(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Customer>)> {
    let filter = SqlFilter::new(query, &INDIVIDUALS, 2)?;
    let (total, rows) =
        db::list_wide::<CustomerRow>(db, SELECT, FROM, lean(&filter), "c.id", &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Customer::try_from).collect::<Result<_>>()?))
}

/// The customer that a person is.
pub(super) async fn individual(db: &Db, cx: &Context, party_id: &str) -> Result<Option<Customer>> {
    let query = format!("select {SELECT} from {FROM} and c.party_id = $2");
    one(db.connection(), sql!(query, cx.tenant.as_ref(), party_id)).await
}

/// Writes back what a patch changes beside the customer's standing: the person's name and what we only keep.
pub(super) async fn save_person(tx: &Tx, cx: &Context, customer: &Customer) -> Result<()> {
    let person = sql!(
        "update crm.individual set given_name = $3, family_name = $4, updated_at = now()
         where tenant_id = $1 and party_id = $2",
        cx.tenant.as_ref(),
        customer.party_id.as_str(),
        customer.given_name.as_str(),
        customer.family_name.as_str()
    );
    execute(&**tx, person).await?;
    let kept = sql!(
        "update crm.customer set attributes = $3 where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        &customer.id,
        Value::Object(customer.attributes.clone())
    );
    execute(&**tx, kept).await.map(drop)
}

/// Writes a new customer with party, person and media: one statement.
pub(super) async fn insert(tx: &Tx, cx: &Context, customer: &Customer) -> Result<()> {
    let statement = sql!(
        "with party as (
             insert into crm.party (id, tenant_id, party_type) values ($1, $2, 'individual')),
         individual as (
             insert into crm.individual (party_id, tenant_id, given_name, family_name, date_of_birth) values ($1, $2, $3, $4, $5)),
         medium as (
             insert into crm.contact_medium (id, tenant_id, party_id, medium_type, value, is_primary, valid_from, attributes)
             select m.id, $2, $1, m.kind, m.value, m.is_primary, m.valid_from, m.attributes
             from jsonb_to_recordset($6) as m (id text, kind text, value text, is_primary boolean,
                 valid_from timestamptz, attributes jsonb))
         insert into crm.customer (id, tenant_id, party_id, account_id, status, customer_since, attributes)
         values ($7, $2, $1, $8, $9, $10, $11)",
        customer.party_id.as_str(),
        cx.tenant.as_ref(),
        customer.given_name.as_str(),
        customer.family_name.as_str(),
        customer.date_of_birth,
        media_rows(&customer.media)?,
        &customer.id,
        customer.account_id.as_str(),
        customer.status.as_str(),
        customer.since,
        Value::Object(customer.attributes.clone())
    );
    execute(&**tx, statement).await.map(drop)
}

fn media_rows(media: &[Medium]) -> Result<Value> {
    serde_json::to_value(media).map_err(|e| Error::Internal(format!("contact media cannot be serialised: {e}")))
}

/// Writes back what use cases change on the customer's own row, one version on. The caller holds the lock.
pub(super) async fn save(tx: &Tx, cx: &Context, customer: &mut Customer) -> Result<()> {
    let statement = sql!(
        "update crm.customer set status = $3, status_reason = $4, closed_at = $5, kyc_status = $6, kyc_verified_at = $7,
             version = version + 1, updated_at = now()
         where tenant_id = $1 and id = $2 and version = $8",
        cx.tenant.as_ref(),
        &customer.id,
        customer.status.as_str(),
        customer.status_reason.as_deref(),
        customer.closed_at,
        customer.kyc_status.as_str(),
        customer.kyc_verified_at,
        customer.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("customer {} changed under its lock", customer.id)));
    }
    customer.version += 1;
    Ok(())
}

/// What is kept of an identity document: never its number.
pub(super) struct Identity<'a> {
    pub(super) document_type: &'a str,
    pub(super) document_number_hash: &'a str,
    pub(super) document_number_last4: &'a str,
    pub(super) document_country: &'a str,
    pub(super) date_of_birth: NaiveDate,
    pub(super) nationality: Option<&'a str>,
    pub(super) provider: &'a str,
}

/// Writes the customer's identity over the former one, and which provider attested it.
pub(super) async fn put_identity(tx: &Tx, cx: &Context, id: &CustomerId, identity: &Identity<'_>) -> Result<()> {
    let statement = sql!(
        "insert into crm.customer_identity (customer_id, tenant_id, document_type, document_number_hash, document_number_last4,
             document_country, date_of_birth, nationality, verified_by, verified_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (customer_id) do update set document_type = excluded.document_type,
             document_number_hash = excluded.document_number_hash, document_number_last4 = excluded.document_number_last4,
             document_country = excluded.document_country, date_of_birth = excluded.date_of_birth,
             nationality = excluded.nationality, verified_by = excluded.verified_by, verified_at = excluded.verified_at,
             updated_at = now()",
        id,
        cx.tenant.as_ref(),
        identity.document_type,
        identity.document_number_hash,
        identity.document_number_last4,
        identity.document_country,
        identity.date_of_birth,
        identity.nationality,
        identity.provider,
        cx.now
    );
    execute(&**tx, statement).await?;
    let method = "update crm.customer set kyc_verification_method = $3 where tenant_id = $1 and id = $2";
    execute(&**tx, sql!(method, cx.tenant.as_ref(), id, identity.provider)).await.map(drop)
}
