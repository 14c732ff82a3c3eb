//! Identifiers: one newtype per entity, parsed once at the edge, and the one place that draws random ones.

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::platform::db::sql;
use crate::platform::error::{Error, Result};

/// Longest identifier that any surface accepts.
const LENGTH_MAX: usize = 80;

/// An identifier was empty, too long, or held a character that no identifier of ours has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LENGTH_MAX} characters of A-Z a-z 0-9 _ - . :")]
pub struct MalformedId;

/// Whether `text` may be an identifier: bounded, printable ASCII without quotes, spaces or separators.
pub fn check(text: &str) -> Result<(), MalformedId> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
    if text.is_empty() || text.len() > LENGTH_MAX || !text.bytes().all(allowed) {
        return Err(MalformedId);
    }
    Ok(())
}

/// Declares an identifier newtype over text: `id_type!(pub OrderId, "product order, ORD-…")`.
#[macro_export]
macro_rules! id_type {
    ($(#[$meta:meta])* pub $name:ident, $what:literal) => {
        #[doc = concat!("Identifies one ", $what, ". Opaque: pass it on as it was given.")]
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::platform::ids::MalformedId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::platform::ids::check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// From a row of our own tables, where only checked identifiers are.
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<&$name> for sea_orm::Value {
            fn from(id: &$name) -> Self {
                id.0.clone().into()
            }
        }

        impl From<$name> for sea_orm::Value {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": concat!("Identifies one ", $what, "; opaque, from an earlier answer"),
                    "minLength": 1,
                    "maxLength": 80
                })
            }
        }
    };
}

/// Draws random identifiers: a seed makes them repeatable in tests.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    seeded: Option<std::sync::Arc<std::sync::Mutex<rand::rngs::StdRng>>>,
}

impl Ids {
    pub fn seeded(seed: u64) -> Self {
        use rand::SeedableRng as _;
        Self { seeded: Some(std::sync::Arc::new(std::sync::Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))) }
    }

    fn bits(&self) -> u128 {
        use rand::Rng as _;
        match &self.seeded {
            Some(rng) => rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).random(),
            None => rand::rng().random(),
        }
    }

    /// A random (version 4) UUID, RFC 9562.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bits().to_be_bytes()).into_uuid()
    }

    /// `PREFIX-` and 12 lower-case hexadecimal digits (48 random bits; the primary key catches the rest).
    pub fn short(&self, prefix: &str) -> String {
        format!("{prefix}-{:012x}", self.bits() & 0xffff_ffff_ffff)
    }
}

/// Takes the next number of `sequence` as an identifier: `ORD-0042` for prefix `ORD` and width 4.
pub async fn next(connection: &impl ConnectionTrait, sequence: &str, prefix: &str, width: i32) -> Result<String> {
    #[derive(FromQueryResult)]
    struct Minted {
        id: String,
    }
    let statement: Statement =
        sql!("select platform.mint_id($1, nextval($2::regclass), $3) as id", prefix, sequence, width);
    let minted = Minted::find_by_statement(statement).one(connection).await?;
    minted.map(|m| m.id).ok_or_else(|| Error::Internal(format!("sequence {sequence} gave nothing")))
}

/// What is listed of ids that begin as somebody has typed them: the condition, and in which order.
///
/// The condition has the bounds of what begins so, which the index of the ids finds in any collation (ids are letters, digits
/// and dashes, and behind a prefix none is greater than a row of `z`). Its order is that of the same index, the greatest id
/// first; numbered ids thus come newest first, as the list does without a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begins {
    /// A conjunct: begins with `and`.
    pub condition: String,
    pub order_by: String,
}

impl Begins {
    /// `column` begins with the text in the parameter `place` (`$7`), which is `prefix`; without one the order is `otherwise`.
    pub fn with(column: &str, place: &str, prefix: Option<&str>, otherwise: &str) -> Self {
        match prefix {
            Some(_) => Self {
                condition: format!(
                    "and {column} between {place} and {place} || repeat('z', 32) and starts_with({column}, {place})"
                ),
                order_by: format!("{column} desc"),
            },
            // The parameter has a type, but nothing to say.
            None => Self { condition: format!("and {place}::text is null"), order_by: otherwise.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    id_type!(pub SampleId, "sample");

    #[test]
    fn identifiers_are_checked_where_they_enter() {
        assert_eq!("ORD-0042".parse::<SampleId>().map(|id| id.to_string()), Ok("ORD-0042".to_owned()));
        for bad in ["", "a b", "x'--", "ümlaut", "a/b", "nul\0", &"x".repeat(81)] {
            assert_eq!(bad.parse::<SampleId>(), Err(MalformedId), "{bad:?}");
        }
    }

    #[test]
    fn a_seed_repeats_the_identifiers() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        assert_eq!(one.short("CUST"), two.short("CUST"));
        assert_ne!(one.uuid(), one.uuid());
    }
}
