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
    book_unless(tx, cx, entry_id, attempt, entry, &[]).await
}

/// [`book`], where the locked attempt has no entry of these kinds.
pub(in crate::domains::payment) async fn book_unless(
    tx: &Tx,
    cx: &Context,
    entry_id: Uuid,
    attempt: &Attempt,
    entry: Entry,
    kinds: &[EntryKind],
) -> Result<()> {
    let lines = entry.lines(attempt.amount);
    let accounts: Vec<String> = lines.iter().map(|(account, _)| account.as_str().to_owned()).collect();
    let amounts: Vec<i64> = lines.iter().map(|(_, minor)| *minor).collect();
    let statement = sql!(
        "insert into payment.journal_line
             (tenant_id, entry_id, entry_kind, account, amount_minor, currency, customer_id, attempt_id, booked_at)
         select $1, $2, $3, l.account, l.amount_minor, $4, $5, $6, $7
         from unnest($8::text[], $9::bigint[]) as l (account, amount_minor)
         where not exists (select 1 from payment.journal_line j
             where j.tenant_id = $1 and j.attempt_id = $6 and j.entry_kind = any($10))",
        cx.tenant.as_ref(),
        entry_id,
        entry.kind.as_str(),
        attempt.amount.currency.as_str(),
        &attempt.customer_id,
        &attempt.id,
        cx.now,
        accounts,
        amounts,
        kinds.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>()
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
