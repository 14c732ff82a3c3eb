//! The tables of messages and of what customers do not want to be told.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::Value;

use super::compose::Letter;
use super::notice::{Notice, Told};
use crate::domains::crm::port::{CustomerId, ListMessages, MessageId, MessageState, MessageView, Template};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
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

/// Writes the message. False: the fact was told already.
pub(super) async fn insert(tx: &Tx, cx: &Context, id: &MessageId, told: &Told) -> Result<bool> {
    let notice = json(&told.notice)?;
    let statement = sql!(
        "insert into crm.communication_message (id, tenant_id, customer_id, subscription_id, template, business_key, notice, requested_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, template, business_key) do nothing",
        id,
        cx.tenant.as_ref(),
        &told.customer_id,
        told.subscription_id.as_ref().map(|line| line.as_str().to_owned()),
        told.notice.template().as_str(),
        told.business_key.as_str(),
        notice,
        cx.now
    );
    Ok(execute(&**tx, statement).await? == 1)
}

fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::Internal(format!("a message cannot be serialised: {e}")))
}

/// Whether a message can be worked on now.
pub(super) enum Claim {
    /// This sending has ended.
    Settled,
    /// Another process has it.
    Busy,
    /// It is ours.
    Taken(Box<Message>),
}

/// Takes the message for one attempt; one whose process is gone is taken over.
pub(super) async fn claim(platform: &Platform, cx: &Context, id: &MessageId, send_number: i32) -> Result<Claim> {
    let statement = sql!(
        format!(
            "update crm.communication_message m
             set leased_by = $1, lease_until = clock_timestamp() + make_interval(secs => $2), attempts = m.attempts + 1,
                 version = m.version + 1, updated_at = clock_timestamp()
             where m.id = $3 and m.tenant_id = $4 and m.state = 'pending' and m.send_number = $5
               and (m.leased_by is null or m.lease_until <= clock_timestamp() or not exists (
                   select from platform.replica r where r.boot_id = m.leased_by and r.lease_until > clock_timestamp()))
             returning {COLUMNS}"
        ),
        platform.boot_id,
        LEASE_SECONDS,
        id,
        cx.tenant.as_ref(),
        send_number
    );
    if let Some(message) = one(platform.db.connection(), statement).await? {
        return Ok(Claim::Taken(Box::new(message)));
    }
    let message = find(&platform.db, cx, id).await?.ok_or_else(|| Error::not_found("message", id))?;
    let waits = message.state == MessageState::Pending && message.send_number == send_number;
    Ok(if waits { Claim::Busy } else { Claim::Settled })
}

/// Gives the message back for the next attempt.
pub(super) async fn let_go(platform: &Platform, cx: &Context, id: &MessageId) -> Result<()> {
    let statement = sql!(
        "update crm.communication_message set leased_by = null, lease_until = null, updated_at = clock_timestamp()
         where id = $1 and tenant_id = $2 and leased_by = $3",
        id,
        cx.tenant.as_ref(),
        platform.boot_id
    );
    execute(platform.db.connection(), statement).await.map(drop)
}

/// Keeps what the message says, before it is said for the first time.
pub(super) async fn keep_letter(
    platform: &Platform,
    cx: &Context,
    id: &MessageId,
    letter: &Letter,
    hash: &str,
) -> Result<()> {
    let letter = json(letter)?;
    let statement = sql!(
        "update crm.communication_message set letter = $1, content_hash = $2, updated_at = clock_timestamp()
         where id = $3 and tenant_id = $4 and leased_by = $5",
        letter,
        hash,
        id,
        cx.tenant.as_ref(),
        platform.boot_id
    );
    if execute(platform.db.connection(), statement).await? == 1 {
        return Ok(());
    }
    Err(Error::Conflict(format!("{id} was taken over by another process")))
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
    pub(super) content_hash: Option<String>,
    pub(super) version: i64,
}

/// Writes the end of a sending. None when the lease was taken over meanwhile.
pub(super) async fn end(
    tx: &Tx,
    platform: &Platform,
    cx: &Context,
    message: &Message,
    ending: &Ending,
) -> Result<Option<Ended>> {
    let statement = sql!(
        "update crm.communication_message
         set state = $1, state_reason = $2, recipient_domain = $3, provider = $4, provider_message_id = $5, completed_at = $6,
             leased_by = null, lease_until = null, version = version + 1, updated_at = clock_timestamp()
         where id = $7 and tenant_id = $8 and state = 'pending' and send_number = $9 and leased_by = $10
         returning content_hash, version",
        ending.state.as_str(),
        ending.reason.as_deref(),
        ending.recipient_domain.as_deref(),
        ending.provider,
        ending.provider_message_id.as_deref(),
        cx.now,
        &message.id,
        cx.tenant.as_ref(),
        message.send_number,
        platform.boot_id
    );
    Ok(Ended::find_by_statement(statement).one(&**tx).await?)
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
    let text = format!(
        "select {COLUMNS} from crm.communication_message m
         where m.tenant_id = $1 and ($2::text is null or m.customer_id = $2) and ($3::text is null or m.subscription_id = $3)
           and ($4::text is null or m.template = $4) and ($5::text is null or m.state = $5)
         order by m.requested_at desc, m.id limit $6"
    );
    let statement = sql!(
        text,
        cx.tenant.as_ref(),
        filter.customer_id.as_ref().map(|id| id.as_str().to_owned()),
        filter.subscription_id.as_ref().map(|id| id.as_str().to_owned()),
        filter.template.map(Template::as_str),
        filter.state.map(MessageState::as_str),
        i64::from(filter.limit)
    );
    MessageRow::find_by_statement(statement).all(db.connection()).await?.into_iter().map(Message::try_from).collect()
}

/// A page of TMF681, and how many messages fit in all.
pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Message>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let from = "crm.communication_message m where m.tenant_id = $1";
    let (total, rows) = db::list::<MessageRow>(db.connection(), COLUMNS, from, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Message::try_from).collect::<Result<_>>()?))
}

/// Whether the customer does not want messages of this kind.
pub(super) async fn opted_out(db: &Db, cx: &Context, id: &CustomerId, template: Template) -> Result<bool> {
    Ok(opt_outs(db, cx, id).await?.contains(&template))
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
