//! The tables of messages and of what customers do not want to be told.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::Value;

use super::compose::Letter;
use super::events::MessageRequested;
use super::in_hand::Sending;
use super::notice::{Notice, Told};
use crate::domains::crm::port::{CustomerId, ListMessages, MessageId, MessageState, MessageView, Template};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::Begins;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// How long a process may keep a message: longer than a mail server may take.
const LEASE_SECONDS: f64 = 20.0;

/// `state` as TMF681 writes it.
pub(super) const STATES: &[(&str, &[&str])] =
    &[("inProgress", &["pending"]), ("completed", &["sent"]), ("cancelled", &["suppressed"]), ("failed", &["failed"])];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("m.id") },
        Attribute { path: "state", column: Column::text("m.state").named(STATES) },
        Attribute { path: "receiver.id", column: Column::text("m.customer_id") },
        Attribute { path: "receiver.party.id", column: Column::text("m.customer_id") },
        Attribute { path: "characteristic.template", column: Column::text("m.template") },
        Attribute { path: "characteristic.subscriptionId", column: Column::text("m.subscription_id") },
        Attribute { path: "sendTime", column: Column::timestamp("m.requested_at") },
        Attribute { path: "sendTimeComplete", column: Column::timestamp("m.completed_at") },
    ],
    default_order: "m.requested_at desc",
    tiebreak: "m.id",
};

const COLUMNS: &str = "m.id, m.customer_id, m.subscription_id, m.template, m.state, m.state_reason, m.notice, m.letter,
    m.content_hash, m.recipient_domain, m.send_number, m.attempts, m.requested_at, m.completed_at, m.version";

/// A stored message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: MessageId,
    pub(super) customer_id: CustomerId,
    pub(super) subscription_id: Option<SubscriptionId>,
    pub(super) template: Template,
    pub(super) state: MessageState,
    pub(super) state_reason: Option<String>,
    pub(super) notice: Notice,
    /// None until it was composed.
    pub(super) letter: Option<Letter>,
    pub(super) content_hash: Option<String>,
    pub(super) recipient_domain: Option<String>,
    pub(super) send_number: i32,
    pub(super) attempts: i32,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl Message {
    pub(super) fn view(self, subject: Option<String>, text: Option<String>) -> MessageView {
        MessageView {
            id: self.id,
            customer_id: self.customer_id,
            subscription_id: self.subscription_id,
            template: self.template,
            state: self.state,
            state_reason: self.state_reason,
            subject,
            text,
            content_hash: self.content_hash,
            recipient_domain: self.recipient_domain,
            send_number: self.send_number,
            attempts: self.attempts,
            requested_at: self.requested_at,
            completed_at: self.completed_at,
            version: self.version,
        }
    }
}

#[derive(Debug, FromQueryResult)]
struct MessageRow {
    id: String,
    customer_id: String,
    subscription_id: Option<String>,
    template: String,
    state: String,
    state_reason: Option<String>,
    notice: Value,
    letter: Option<Value>,
    content_hash: Option<String>,
    recipient_domain: Option<String>,
    send_number: i32,
    attempts: i32,
    requested_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    version: i64,
}

impl TryFrom<MessageRow> for Message {
    type Error = Error;

    fn try_from(row: MessageRow) -> Result<Self> {
        let unreadable = |what: &str| Error::Internal(format!("message {} has an unreadable {what}", row.id));
        let letter = row.letter.map(serde_json::from_value).transpose();
        Ok(Self {
            template: Template::parse(&row.template).ok_or_else(|| unreadable("template"))?,
            state: MessageState::parse(&row.state).ok_or_else(|| unreadable("state"))?,
            notice: serde_json::from_value(row.notice).map_err(|_| unreadable("notice"))?,
            letter: letter.map_err(|_| unreadable("letter"))?,
            id: row.id.into(),
            customer_id: row.customer_id.into(),
            subscription_id: row.subscription_id.map(SubscriptionId::from),
            state_reason: row.state_reason,
            content_hash: row.content_hash,
            recipient_domain: row.recipient_domain,
            send_number: row.send_number,
            attempts: row.attempts,
            requested_at: row.requested_at,
            completed_at: row.completed_at,
            version: row.version,
        })
    }
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Message>> {
    MessageRow::find_by_statement(statement).one(connection).await?.map(Message::try_from).transpose()
}

/// Writes messages; answers those whose fact was not told already.
pub(super) async fn insert(tx: &Tx, cx: &Context, messages: &[(MessageId, Told)]) -> Result<BTreeSet<MessageId>> {
    if messages.is_empty() {
        return Ok(BTreeSet::new());
    }
    let texts = |read: fn(&Told) -> String| messages.iter().map(|(_, told)| read(told)).collect::<Vec<_>>();
    let notices: Vec<Value> = messages.iter().map(|(_, told)| json(&told.notice)).collect::<Result<_>>()?;
    let statement = sql!(
        "insert into crm.communication_message (id, tenant_id, customer_id, subscription_id, template, business_key, notice, requested_at)
         select m.id, $1, m.customer_id, nullif(m.subscription_id, ''), m.template, m.business_key, m.notice::jsonb, $2
         from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
             as m (id, customer_id, subscription_id, template, business_key, notice)
         on conflict (tenant_id, template, business_key) do nothing returning id",
        cx.tenant.as_ref(),
        cx.now,
        messages.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        texts(|told| told.customer_id.to_string()),
        texts(|told| told.subscription_id.as_ref().map(ToString::to_string).unwrap_or_default()),
        texts(|told| told.notice.template().as_str().to_owned()),
        texts(|told| told.business_key.clone()),
        notices.iter().map(Value::to_string).collect::<Vec<_>>()
    );
    Ok(ids(IdRow::find_by_statement(statement).all(&**tx).await?))
}

#[derive(Debug, FromQueryResult)]
struct IdRow {
    id: String,
}

fn ids(rows: Vec<IdRow>) -> BTreeSet<MessageId> {
    rows.into_iter().map(|row| MessageId::from(row.id)).collect()
}

fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::Internal(format!("a message cannot be serialised: {e}")))
}

/// Why a message cannot be worked on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// This sending has ended.
    Settled,
    /// Another process has it.
    Busy,
}

/// Takes messages for one attempt each; one whose process is gone is taken over. Nobody in this process is at one of them.
pub(super) async fn claim(platform: &Platform, cx: &Context, sendings: &[Sending]) -> Result<Vec<Message>> {
    let statement = sql!(
        format!(
            "update crm.communication_message m
             set leased_by = $2, lease_until = clock_timestamp() + make_interval(secs => $3), attempts = m.attempts + 1,
                 version = m.version + 1, updated_at = clock_timestamp()
             from unnest($4::text[], $5::int[]) as q (id, send_number)
             where m.id = q.id and m.tenant_id = $1 and m.state = 'pending' and m.send_number = q.send_number
               and (m.leased_by is null or m.leased_by = $2 or m.lease_until <= clock_timestamp() or not exists (
                   select from platform.replica r where r.boot_id = m.leased_by and r.lease_until > clock_timestamp()))
             returning {COLUMNS}"
        ),
        cx.tenant.as_ref(),
        platform.boot_id,
        LEASE_SECONDS,
        sendings.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        sendings.iter().map(|(_, number)| *number).collect::<Vec<_>>()
    );
    MessageRow::find_by_statement(statement)
        .all(platform.db.keyed())
        .await?
        .into_iter()
        .map(Message::try_from)
        .collect()
}

/// Why [`claim`] did not take this one.
pub(super) async fn not_taken(db: &Db, cx: &Context, request: &MessageRequested) -> Result<NotTaken> {
    let message = find(db, cx, &request.message_id).await?;
    let message = message.ok_or_else(|| Error::not_found("message", &request.message_id))?;
    let waits = message.state == MessageState::Pending && message.send_number == request.send_number;
    Ok(if waits { NotTaken::Busy } else { NotTaken::Settled })
}

/// Gives messages back for the next attempt.
pub(super) async fn let_go(platform: &Platform, cx: &Context, messages: &[&MessageId]) -> Result<()> {
    let statement = sql!(
        "update crm.communication_message set leased_by = null, lease_until = null, updated_at = clock_timestamp()
         where id = any($1) and tenant_id = $2 and leased_by = $3",
        messages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        cx.tenant.as_ref(),
        platform.boot_id
    );
    execute(platform.db.keyed(), statement).await.map(drop)
}

/// Keeps what messages say, with its hash, before it is said for the first time. Answers those that are still ours.
pub(super) async fn keep_letters(
    platform: &Platform,
    cx: &Context,
    letters: &[(&MessageId, &Letter, &str)],
) -> Result<BTreeSet<MessageId>> {
    if letters.is_empty() {
        return Ok(BTreeSet::new());
    }
    let written: Vec<Value> = letters.iter().map(|(_, letter, _)| json(letter)).collect::<Result<_>>()?;
    let statement = sql!(
        "update crm.communication_message m
         set letter = l.letter::jsonb, content_hash = l.hash, updated_at = clock_timestamp()
         from unnest($3::text[], $4::text[], $5::text[]) as l (id, letter, hash)
         where m.id = l.id and m.tenant_id = $1 and m.leased_by = $2 returning m.id",
        cx.tenant.as_ref(),
        platform.boot_id,
        letters.iter().map(|(id, ..)| id.to_string()).collect::<Vec<_>>(),
        written.iter().map(Value::to_string).collect::<Vec<_>>(),
        letters.iter().map(|(.., hash)| (*hash).to_owned()).collect::<Vec<_>>()
    );
    Ok(ids(IdRow::find_by_statement(statement).all(platform.db.keyed()).await?))
}

/// How a sending ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) state: MessageState,
    pub(super) reason: Option<String>,
    pub(super) recipient_domain: Option<String>,
    pub(super) provider: Option<&'static str>,
    pub(super) provider_message_id: Option<String>,
}

impl Ending {
    pub(super) fn suppressed(reason: &str) -> Self {
        Self {
            state: MessageState::Suppressed,
            reason: Some(reason.to_owned()),
            recipient_domain: None,
            provider: None,
            provider_message_id: None,
        }
    }
}

/// What the row says after its end.
#[derive(Debug, FromQueryResult)]
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) content_hash: Option<String>,
    pub(super) version: i64,
}

/// Writes the ends of sendings. Those whose lease was taken over meanwhile are missing in the answer.
pub(super) async fn end(
    tx: &Tx,
    platform: &Platform,
    cx: &Context,
    endings: &[(&Message, Ending)],
) -> Result<BTreeMap<MessageId, Ended>> {
    // Arrays hold no nulls: what is not there is an empty text.
    let texts = |read: fn(&Ending) -> Option<&str>| {
        endings.iter().map(|(_, ending)| read(ending).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let statement = sql!(
        "update crm.communication_message m
         set state = e.state, state_reason = nullif(e.reason, ''), recipient_domain = nullif(e.recipient_domain, ''),
             provider = nullif(e.provider, ''), provider_message_id = nullif(e.provider_message_id, ''), completed_at = $3,
             leased_by = null, lease_until = null, version = m.version + 1, updated_at = clock_timestamp()
         from unnest($4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
             as e (id, send_number, state, reason, recipient_domain, provider, provider_message_id)
         where m.id = e.id and m.tenant_id = $1 and m.state = 'pending' and m.send_number = e.send_number and m.leased_by = $2
         returning m.id, m.content_hash, m.version",
        cx.tenant.as_ref(),
        platform.boot_id,
        cx.now,
        endings.iter().map(|(message, _)| message.id.to_string()).collect::<Vec<_>>(),
        endings.iter().map(|(message, _)| message.send_number).collect::<Vec<_>>(),
        texts(|ending| Some(ending.state.as_str())),
        texts(|ending| ending.reason.as_deref()),
        texts(|ending| ending.recipient_domain.as_deref()),
        texts(|ending| ending.provider),
        texts(|ending| ending.provider_message_id.as_deref())
    );
    let rows = Ended::find_by_statement(statement).all(&**tx).await?;
    Ok(rows.into_iter().map(|ended| (MessageId::from(ended.id.clone()), ended)).collect())
}

pub(super) async fn find(db: &Db, cx: &Context, id: &MessageId) -> Result<Option<Message>> {
    let text = format!("select {COLUMNS} from crm.communication_message m where m.id = $1 and m.tenant_id = $2");
    one(db.connection(), sql!(text, id, cx.tenant.as_ref())).await
}

pub(super) async fn lock(tx: &Tx, cx: &Context, id: &MessageId) -> Result<Option<Message>> {
    let text =
        format!("select {COLUMNS} from crm.communication_message m where m.id = $1 and m.tenant_id = $2 for update");
    one(&**tx, sql!(text, id, cx.tenant.as_ref())).await
}

/// Opens a message that has ended for its next sending.
pub(super) async fn reopen(tx: &Tx, cx: &Context, id: &MessageId) -> Result<Message> {
    let text = format!(
        "update crm.communication_message m
         set state = 'pending', state_reason = null, completed_at = null, send_number = m.send_number + 1,
             version = m.version + 1, updated_at = clock_timestamp()
         where m.id = $1 and m.tenant_id = $2 returning {COLUMNS}"
    );
    one(&**tx, sql!(text, id, cx.tenant.as_ref())).await?.ok_or_else(|| Error::not_found("message", id))
}

/// Messages, newest first.
pub(super) async fn list(db: &Db, cx: &Context, filter: &ListMessages) -> Result<Vec<Message>> {
    let Begins { condition, order_by } =
        Begins::with("m.id", "$7", filter.id_prefix.as_deref(), "m.requested_at desc, m.id");
    let text = format!(
        "select {COLUMNS} from crm.communication_message m
         where m.tenant_id = $1 and ($2::text is null or m.customer_id = $2) and ($3::text is null or m.subscription_id = $3)
           and ($4::text is null or m.template = $4) and ($5::text is null or m.state = $5) {condition}
         order by {order_by} limit $6 offset $8"
    );
    let statement = sql!(
        text,
        cx.tenant.as_ref(),
        filter.customer_id.as_ref().map(|id| id.as_str().to_owned()),
        filter.subscription_id.as_ref().map(|id| id.as_str().to_owned()),
        filter.template.map(Template::as_str),
        filter.state.map(MessageState::as_str),
        i64::from(filter.limit),
        filter.id_prefix.as_deref(),
        i64::from(filter.offset)
    );
    MessageRow::find_by_statement(statement).all(db.connection()).await?.into_iter().map(Message::try_from).collect()
}

/// A page of TMF681, and how many messages fit in all.
pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Message>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let from = "crm.communication_message m where m.tenant_id = $1";
    let (total, rows) = db::list::<MessageRow>(db, COLUMNS, from, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Message::try_from).collect::<Result<_>>()?))
}

/// Which of these customers do not want messages of which kinds.
pub(super) async fn opted_out(
    db: &Db,
    cx: &Context,
    customers: impl Iterator<Item = &CustomerId>,
) -> Result<BTreeSet<(CustomerId, &'static str)>> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: String,
        template: String,
    }
    let statement = sql!(
        "select customer_id, template from crm.communication_opt_out where customer_id = any($1) and tenant_id = $2",
        customers.map(ToString::to_string).collect::<Vec<_>>(),
        cx.tenant.as_ref()
    );
    let rows = Row::find_by_statement(statement).all(db.keyed()).await?;
    let known = |row: Row| Some((row.customer_id.into(), Template::parse(&row.template)?.as_str()));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// What the customer does not want.
pub(super) async fn opt_outs(db: &Db, cx: &Context, id: &CustomerId) -> Result<Vec<Template>> {
    #[derive(FromQueryResult)]
    struct Row {
        template: String,
    }
    let statement = sql!(
        "select template from crm.communication_opt_out where customer_id = $1 and tenant_id = $2",
        id,
        cx.tenant.as_ref()
    );
    let rows = Row::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.iter().filter_map(|row| Template::parse(&row.template)).collect())
}

/// Writes what the customer wants. True: that is something new.
pub(super) async fn set_preference(
    tx: &Tx,
    cx: &Context,
    id: &CustomerId,
    template: Template,
    wanted: bool,
) -> Result<bool> {
    let statement = if wanted {
        sql!(
            "delete from crm.communication_opt_out where customer_id = $1 and template = $2 and tenant_id = $3",
            id,
            template.as_str(),
            cx.tenant.as_ref()
        )
    } else {
        sql!(
            "insert into crm.communication_opt_out (customer_id, template, tenant_id, opted_out_at) values ($1, $2, $3, $4)
             on conflict (customer_id, template) do nothing",
            id,
            template.as_str(),
            cx.tenant.as_ref(),
            cx.now
        )
    };
    Ok(execute(&**tx, statement).await? == 1)
}
