//! A payment gateway for development and tests, as strict as a real one: it keeps its own append-only record in the schema
//! `mock_gateway`, written over connections and in transactions of its own, never in ours. So the record survives the
//! server, is shared by its replicas, and the books can be compared with it row by row.
//!
//! What a card does is decided when it is tokenised and travels in its token:
//!
//! | card | what it does |
//! |---|---|
//! | 4000 0000 0000 0002, 4000 0000 0000 0341 | attaches, every charge is declined: `card_declined` |
//! | 4000 0000 0000 9995 | every charge is declined: `insufficient_funds` |
//! | 4000 0000 0000 6975 | approves, the first answer takes 3 s |
//! | 4000 0000 0000 0119 | charged, but the first answer is a time-out; the same key later tells that it is approved |
//! | 4000 0000 0000 0259 | the first call for a key fails, the next one approves |
//! | any other valid number | approves |

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::domains::payment::port::card::Card;
use crate::domains::payment::port::gateway::{Answer, Gateway, GatewayError, Tokenized};
use crate::platform::db::Db;
use crate::platform::gather::Gather;
use crate::platform::ids::Ids;
use crate::platform::money::Money;

/// How long the slow card's first answer takes.
const SLOW: Duration = Duration::from_secs(3);
/// How long a lost answer is waited for.
const LOST_ANSWER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct MockGateway {
    db: Db,
    ids: Ids,
    /// Charges that come at the same time are recorded by one statement. Each is committed before it is answered.
    records: Gather<Asked, Recorded>,
}

/// What a card does when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Approve,
    Decline(DeclineCode),
    Slow,
    Timeout,
    Flaky,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum DeclineCode {
    CardDeclined,
    InsufficientFunds,
}

impl DeclineCode {
    const ALL: [Self; 2] = [Self::CardDeclined, Self::InsufficientFunds];

    const fn as_str(self) -> &'static str {
        match self {
            Self::CardDeclined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::CardDeclined => "The issuer declined the card",
            Self::InsufficientFunds => "The card has insufficient funds",
        }
    }
}

impl Behaviour {
    fn of_card(digits: &str) -> Self {
        match digits {
            "4000000000000002" | "4000000000000341" => Self::Decline(DeclineCode::CardDeclined),
            "4000000000009995" => Self::Decline(DeclineCode::InsufficientFunds),
            "4000000000006975" => Self::Slow,
            "4000000000000119" => Self::Timeout,
            "4000000000000259" => Self::Flaky,
            _ => Self::Approve,
        }
    }

    fn of_token(token: &str) -> Option<Self> {
        let (kind, _) = token.strip_prefix("tok_")?.rsplit_once('_')?;
        if let Some(code) = kind.strip_prefix("decline_") {
            return DeclineCode::ALL.into_iter().find(|known| known.as_str() == code).map(Self::Decline);
        }
        match kind {
            "approve" => Some(Self::Approve),
            "slow" => Some(Self::Slow),
            "timeout" => Some(Self::Timeout),
            "flaky" => Some(Self::Flaky),
            _ => None,
        }
    }

    fn token(self, id: uuid::Uuid) -> String {
        match self {
            Self::Approve => format!("tok_approve_{id}"),
            Self::Decline(code) => format!("tok_decline_{}_{id}", code.as_str()),
            Self::Slow => format!("tok_slow_{id}"),
            Self::Timeout => format!("tok_timeout_{id}"),
            Self::Flaky => format!("tok_flaky_{id}"),
        }
    }
}

fn brand(digits: &str) -> &'static str {
    match digits.as_bytes() {
        [b'4', ..] => "visa",
        [b'5', b'1'..=b'5', ..] => "mastercard",
        [b'3', b'4' | b'7', ..] => "amex",
        _ => "unknown",
    }
}

/// A charge that one call wants recorded. The reference is the call's own, so that of two with the same key one is first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    key: String,
    gateway_ref: String,
    token: String,
    amount: Money,
    declined: Option<DeclineCode>,
}

/// A charge as the record has it.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Recorded {
    gateway_ref: String,
    token: String,
    amount_minor: i64,
    currency: String,
    decline_code: Option<String>,
    decline_reason: Option<String>,
}

impl Recorded {
    fn answer(self) -> Answer {
        match self.decline_code {
            None => Answer::Approved { gateway_ref: self.gateway_ref },
            Some(code) => Answer::Declined { code, reason: self.decline_reason.unwrap_or_default() },
        }
    }
}

impl From<sqlx::Error> for GatewayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl MockGateway {
    pub fn new(db: Db, ids: Ids) -> Self {
        let record = db.clone();
        let records = Gather::new(move |asked| record_all(record.clone(), asked));
        Self { db, ids, records }
    }

    async fn recorded(&self, key: &str) -> Result<Option<Recorded>, GatewayError> {
        let query = "select gateway_ref, token, amount_minor, currency, decline_code, decline_reason
                     from mock_gateway.charge where idempotency_key = $1";
        Ok(sqlx::query_as(query).bind(key).fetch_optional(self.db.pool()).await?)
    }

    /// What this call recorded; None when an earlier one with the same key did.
    async fn record(
        &self,
        key: &str,
        token: &str,
        amount: Money,
        declined: Option<DeclineCode>,
    ) -> Result<Option<Recorded>, GatewayError> {
        let asked = Asked {
            key: key.to_owned(),
            gateway_ref: format!("mock_ch_{}", self.ids.uuid().simple()),
            token: token.to_owned(),
            amount,
            declined,
        };
        self.records.ask(asked).await.map_err(|error| GatewayError::Unavailable(error.to_string()))
    }

    /// True for the first call with this key.
    async fn lose_call(&self, key: &str) -> Result<bool, GatewayError> {
        let inserted =
            sqlx::query("insert into mock_gateway.lost_call (idempotency_key) values ($1) on conflict do nothing")
                .bind(key)
                .execute(self.db.pool())
                .await?;
        Ok(inserted.rows_affected() == 1)
    }
}

/// Records charges; answers those whose key was new.
async fn record_all(db: Db, asked: Vec<Asked>) -> crate::platform::error::Result<HashMap<Asked, Recorded>> {
    let texts = |read: fn(&Asked) -> String| asked.iter().map(read).collect::<Vec<_>>();
    let amounts: Vec<i64> = asked.iter().map(|asked| asked.amount.minor).collect();
    let codes: Vec<_> = asked.iter().map(|asked| asked.declined.map(DeclineCode::as_str)).collect();
    let reasons: Vec<_> = asked.iter().map(|asked| asked.declined.map(DeclineCode::reason)).collect();
    let rows: Vec<Recorded> = sqlx::query_as(
        "insert into mock_gateway.charge
             (idempotency_key, gateway_ref, token, amount_minor, currency, outcome, decline_code, decline_reason)
         select key, gateway_ref, token, amount_minor, currency, case when code is null then 'approved' else 'declined' end,
                code, reason
         from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
             as a (key, gateway_ref, token, amount_minor, currency, code, reason)
         order by key
         on conflict (idempotency_key) do nothing
         returning gateway_ref, token, amount_minor, currency, decline_code, decline_reason",
    )
    .bind(texts(|asked| asked.key.clone()))
    .bind(texts(|asked| asked.gateway_ref.clone()))
    .bind(texts(|asked| asked.token.clone()))
    .bind(amounts)
    .bind(texts(|asked| asked.amount.currency.to_string()))
    .bind(codes)
    .bind(reasons)
    .fetch_all(db.keyed_pool())
    .await?;
    let mut by_ref: HashMap<String, Recorded> =
        rows.into_iter().map(|recorded| (recorded.gateway_ref.clone(), recorded)).collect();
    let answers =
        asked.into_iter().filter_map(|asked| by_ref.remove(&asked.gateway_ref).map(|recorded| (asked, recorded)));
    Ok(answers.collect())
}

#[async_trait]
impl Gateway for MockGateway {
    fn provider(&self) -> &'static str {
        "mock"
    }

    async fn tokenize(&self, card: &Card) -> Result<Tokenized, GatewayError> {
        if !card.number.is_valid() {
            return Err(GatewayError::Refused("the card number is not valid".into()));
        }
        let digits = card.number.reveal();
        let token = Behaviour::of_card(digits).token(self.ids.uuid());
        Ok(Tokenized { token, last4: card.number.last4().to_owned(), brand: brand(digits).to_owned() })
    }

    async fn charge(&self, key: &str, token: &str, amount: Money) -> Result<Answer, GatewayError> {
        if amount.minor <= 0 {
            return Err(GatewayError::Refused("the amount must be positive".into()));
        }
        let Some(behaviour) = Behaviour::of_token(token) else {
            return Err(GatewayError::Refused("there is no such token".into()));
        };
        if behaviour == Behaviour::Flaky && self.lose_call(key).await? {
            return Err(GatewayError::Unavailable("500 internal server error".into()));
        }
        let declined = if let Behaviour::Decline(code) = behaviour { Some(code) } else { None };
        let first = self.record(key, token, amount, declined).await?;
        // Only the answer is late or lost: as with a real gateway, the money has moved by then.
        match behaviour {
            Behaviour::Slow if first.is_some() => tokio::time::sleep(SLOW).await,
            Behaviour::Timeout if first.is_some() => {
                tokio::time::sleep(LOST_ANSWER).await;
                return Err(GatewayError::Timeout);
            }
            Behaviour::Approve | Behaviour::Decline(_) | Behaviour::Slow | Behaviour::Timeout | Behaviour::Flaky => {}
        }
        let recorded = match first {
            Some(recorded) => Some(recorded),
            None => self.recorded(key).await?,
        };
        let recorded = recorded.ok_or_else(|| GatewayError::Unavailable("the record is gone".into()))?;
        let same = recorded.token == token
            && recorded.amount_minor == amount.minor
            && recorded.currency == amount.currency.as_str();
        if !same {
            return Err(GatewayError::Refused("this key was used for another charge".into()));
        }
        Ok(recorded.answer())
    }

    async fn refund(&self, key: &str, charge_ref: &str, amount: Money) -> Result<String, GatewayError> {
        let mut tx = self.db.pool().begin().await?;
        // The lock keeps two refunds with different keys from giving back more than was taken.
        sqlx::query("select 1 from mock_gateway.charge where gateway_ref = $1 for update")
            .bind(charge_ref)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "insert into mock_gateway.refund (idempotency_key, gateway_ref, charge_ref, amount_minor, currency)
             select $1, $2, c.gateway_ref, $4, $5 from mock_gateway.charge c
             where c.gateway_ref = $3 and c.outcome = 'approved' and c.currency = $5 and $4 > 0
               and $4 + (select coalesce(sum(r.amount_minor), 0) from mock_gateway.refund r
                         where r.charge_ref = c.gateway_ref and r.idempotency_key <> $1) <= c.amount_minor
             on conflict (idempotency_key) do nothing",
        )
        .bind(key)
        .bind(format!("mock_re_{}", self.ids.uuid().simple()))
        .bind(charge_ref)
        .bind(amount.minor)
        .bind(amount.currency.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let query = "select gateway_ref, charge_ref = $2 and amount_minor = $3 and currency = $4
                     from mock_gateway.refund where idempotency_key = $1";
        let recorded: Option<(String, bool)> = sqlx::query_as(query)
            .bind(key)
            .bind(charge_ref)
            .bind(amount.minor)
            .bind(amount.currency.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        match recorded {
            Some((gateway_ref, true)) => Ok(gateway_ref),
            Some((_, false)) => Err(GatewayError::Refused("this key was used for another refund".into())),
            None => Err(GatewayError::Refused("there is no such charge, or not that much left of it".into())),
        }
    }

    async fn lookup(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        Ok(self.recorded(key).await?.map(Recorded::answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::payment::port::card::CardNumber;

    #[test]
    fn every_test_card_is_a_valid_number_and_its_token_remembers_what_it_does() {
        let cards = [
            ("4242424242424242", Behaviour::Approve, "visa"),
            ("5555555555554444", Behaviour::Approve, "mastercard"),
            ("378282246310005", Behaviour::Approve, "amex"),
            ("6011111111111117", Behaviour::Approve, "unknown"),
            ("4000000000000002", Behaviour::Decline(DeclineCode::CardDeclined), "visa"),
            ("4000000000009995", Behaviour::Decline(DeclineCode::InsufficientFunds), "visa"),
            ("4000000000000341", Behaviour::Decline(DeclineCode::CardDeclined), "visa"),
            ("4000000000006975", Behaviour::Slow, "visa"),
            ("4000000000000119", Behaviour::Timeout, "visa"),
            ("4000000000000259", Behaviour::Flaky, "visa"),
        ];
        for (digits, behaviour, name) in cards {
            assert!(CardNumber::entered(digits).is_valid(), "{digits}");
            assert_eq!(Behaviour::of_card(digits), behaviour, "{digits}");
            let token = behaviour.token(uuid::Uuid::from_u128(0x1234));
            assert_eq!(Behaviour::of_token(&token), Some(behaviour), "{token}");
            assert_eq!(brand(digits), name, "{digits}");
        }
    }

    #[test]
    fn foreign_tokens_are_unknown() {
        for token in ["", "tok_", "tok_approve", "pm_123", "tok_decline_broke_1", "tok_dance_1"] {
            assert_eq!(Behaviour::of_token(token), None, "{token}");
        }
    }
}
