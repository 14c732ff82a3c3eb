//! The double-entry journal: append-only, one row per line.

use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domains::payment::model::{Attempt, Entry, EntryKind};
use crate::domains::payment::port::AttemptId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;

/// Books an entry over the whole amount of a locked attempt. A second one of the same kind breaks the unique index.
pub(in crate::domains::payment) async fn book(
    tx: &Tx,
    cx: &Context,
    entry_id: Uuid,
    attempt: &Attempt,
    entry: Entry,
) -> Result<()> {
    book_all(tx, cx, &[Booked { entry_id, attempt, entry }], &[]).await
}

/// An entry over the whole amount of a locked attempt.
#[derive(Debug)]
pub(in crate::domains::payment) struct Booked<'a> {
    pub(in crate::domains::payment) entry_id: Uuid,
    pub(in crate::domains::payment) attempt: &'a Attempt,
    pub(in crate::domains::payment) entry: Entry,
}

/// [`book`] of many, each where its attempt has no entry of the kinds `unless`.
pub(in crate::domains::payment) async fn book_all(
    tx: &Tx,
    cx: &Context,
    booked: &[Booked<'_>],
    unless: &[EntryKind],
) -> Result<()> {
    let lines = booked.iter().flat_map(|booked| {
        let lines = booked.entry.lines(booked.attempt.amount);
        lines.into_iter().map(move |(account, minor)| (booked, account, minor))
    });
    let lines: Vec<_> = lines.collect();
    let texts = |read: fn(&Booked<'_>) -> String| lines.iter().map(|(booked, ..)| read(booked)).collect::<Vec<_>>();
    let statement = sql!(
        "insert into payment.journal_line
             (tenant_id, entry_id, entry_kind, account, amount_minor, currency, customer_id, attempt_id, booked_at)
         select $1, l.entry_id, l.kind, l.account, l.amount_minor, l.currency, l.customer_id, l.attempt_id, $2
         from unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[])
             as l (entry_id, kind, account, amount_minor, currency, customer_id, attempt_id)
         where not exists (select 1 from payment.journal_line j
             where j.tenant_id = $1 and j.attempt_id = l.attempt_id and j.entry_kind = any($10))",
        cx.tenant.as_ref(),
        cx.now,
        lines.iter().map(|(booked, ..)| booked.entry_id).collect::<Vec<_>>(),
        texts(|booked| booked.entry.kind.as_str().to_owned()),
        lines.iter().map(|(_, account, _)| account.as_str().to_owned()).collect::<Vec<_>>(),
        lines.iter().map(|(.., minor)| *minor).collect::<Vec<_>>(),
        texts(|booked| booked.attempt.amount.currency.to_string()),
        texts(|booked| booked.attempt.customer_id.to_string()),
        texts(|booked| booked.attempt.id.to_string()),
        unless.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>()
    );
    execute(&**tx, statement).await.map(drop)
}

/// Whether a locked attempt has an entry of this kind.
pub(in crate::domains::payment) async fn has(
    tx: &Tx,
    cx: &Context,
    attempt_id: &AttemptId,
    kind: EntryKind,
) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Found {
        found: bool,
    }
    let statement = sql!(
        "select exists (select 1 from payment.journal_line where tenant_id = $1 and attempt_id = $2 and entry_kind = $3) as found",
        cx.tenant.as_ref(),
        attempt_id,
        kind.as_str()
    );
    Ok(Found::find_by_statement(statement).one(&**tx).await?.is_some_and(|row| row.found))
}
