//! `Idempotency-Key`: the same request sent twice has one effect and one answer.
//!
//! The key is a row in the transaction of the first effect, in the scope (identity, tenant, operation, key), with a hash of
//! the body. The same body returns the same answer, another body is refused (422), a twin in flight waits, then 409.
//! Refused requests leave no row. Rows are purged after [`WINDOW_HOURS`].

use sea_orm::FromQueryResult;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result, Rule};

/// How long an answer is kept, by the wall clock.
pub const WINDOW_HOURS: i32 = 24;

/// Longest key that is accepted.
pub const KEY_LENGTH_MAX: usize = 255;

pub const KEY_REUSED: Rule = Rule::new("idempotency.key_reused_with_other_body");

/// The key of a request and what it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRequest {
    key: String,
    operation: String,
    body_hash: Vec<u8>,
}

impl IdempotencyRequest {
    /// `operation` is the route or operation name: the same key on another one is another key.
    pub fn new(key: &str, operation: &str, body: &[u8]) -> Result<Self> {
        if key.is_empty() || key.len() > KEY_LENGTH_MAX || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters"));
        }
        let body_hash = Sha256::digest(body).to_vec();
        Ok(Self { key: key.to_owned(), operation: operation.to_owned(), body_hash })
    }

    /// The same request, recognised by `body` instead of what was sent: for bodies that hold what not even a hash may keep.
    #[must_use]
    pub fn over(&self, body: &[u8]) -> Self {
        Self { body_hash: Sha256::digest(body).to_vec(), ..self.clone() }
    }

    /// As the caller sent it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[derive(FromQueryResult)]
struct Kept {
    request_hash: Vec<u8>,
    answer: Value,
}

/// The kept answer, when this request was answered before. Call before locking anything.
///
/// # Errors
/// `idempotency.key_reused_with_other_body` when the key came with another body.
pub async fn replayed<T: DeserializeOwned>(db: &Db, cx: &Context) -> Result<Option<T>> {
    let Some(request) = cx.idempotency.as_deref() else { return Ok(None) };
    let statement = sql!(
        "select request_hash, answer from platform.idempotency_key
         where tenant_id = $1 and service_identity = $2 and operation = $3 and key = $4",
        cx.tenant.as_ref(),
        cx.service_identity.as_ref(),
        request.operation.as_str(),
        request.key.as_str()
    );
    let Some(kept) = Kept::find_by_statement(statement).one(db.connection()).await? else { return Ok(None) };
    if kept.request_hash != request.body_hash {
        return Err(KEY_REUSED.violated("This Idempotency-Key was used with another body; take a new key").into());
    }
    serde_json::from_value(kept.answer)
        .map(Some)
        .map_err(|e| Error::Internal(format!("a kept answer cannot be read: {e}")))
}

/// Keeps the answer in the transaction of the effect. A twin that is under way makes this wait, and then end in a conflict:
/// the transaction is rolled back and the caller's repetition finds the twin's answer.
pub async fn keep(tx: &Tx, cx: &Context, resource_id: &str, answer: &impl Serialize) -> Result<()> {
    insert(tx, cx, resource_id, answer).await
}

/// [`keep`] before anything else is done, for an answer that is not known yet: what a twin has done would otherwise be the
/// reason to refuse this request, and be told instead of the conflict. [`answer`] must follow in the same transaction.
pub async fn claim(tx: &Tx, cx: &Context) -> Result<()> {
    insert(tx, cx, "", &Value::Null).await
}

/// The answer to a key that was claimed before.
pub async fn answer(tx: &Tx, cx: &Context, resource_id: &str, answer: &impl Serialize) -> Result<()> {
    let Some(request) = cx.idempotency.as_deref() else { return Ok(()) };
    let answer = serde_json::to_value(answer).map_err(|e| Error::Internal(e.to_string()))?;
    let statement = sql!(
        "update platform.idempotency_key set resource_id = $5, answer = $6
         where tenant_id = $1 and service_identity = $2 and operation = $3 and key = $4",
        cx.tenant.as_ref(),
        cx.service_identity.as_ref(),
        request.operation.as_str(),
        request.key.as_str(),
        resource_id,
        answer
    );
    if execute(&**tx, statement).await? == 1 { Ok(()) } else { Err(Error::Internal("a key was not claimed".into())) }
}

async fn insert(tx: &Tx, cx: &Context, resource_id: &str, answer: &impl Serialize) -> Result<()> {
    let Some(request) = cx.idempotency.as_deref() else { return Ok(()) };
    let answer = serde_json::to_value(answer).map_err(|e| Error::Internal(e.to_string()))?;
    let inserted = execute(
        &**tx,
        sql!(
            "insert into platform.idempotency_key (tenant_id, service_identity, operation, key, request_hash, resource_id, status, answer)
             values ($1, $2, $3, $4, $5, $6, 200, $7) on conflict do nothing",
            cx.tenant.as_ref(),
            cx.service_identity.as_ref(),
            request.operation.as_str(),
            request.key.as_str(),
            request.body_hash.clone(),
            resource_id,
            answer
        ),
    )
    .await;
    match inserted {
        Ok(1) => Ok(()),
        Ok(_) => Err(twin()),
        Err(Error::Database(error)) if crate::platform::error::is_lock_timeout(&error) => Err(twin()),
        Err(error) => Err(error),
    }
}

fn twin() -> Error {
    Error::Conflict("A request with this Idempotency-Key is being answered; send it again to get its answer".into())
}

/// Forgets the keys that are past the window, at most `limit` of them.
pub(super) async fn purge(db: &Db, limit: i64) -> Result<u64> {
    execute(
        db.connection(),
        sql!(
            "delete from platform.idempotency_key where ctid = any(array(
                 select ctid from platform.idempotency_key
                 where created_at < clock_timestamp() - make_interval(hours => $1) limit $2))",
            WINDOW_HOURS,
            limit
        ),
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_bodies_hashed() {
        let request = IdempotencyRequest::new("k-1", "order.create", b"{}").unwrap();
        assert_eq!(request, IdempotencyRequest::new("k-1", "order.create", b"{}").unwrap());
        assert_ne!(request, IdempotencyRequest::new("k-1", "order.create", b"{ }").unwrap());
        for bad in ["", "with space", "ü", &"k".repeat(256)] {
            assert!(IdempotencyRequest::new(bad, "order.create", b"").is_err(), "{bad}");
        }
    }
}
