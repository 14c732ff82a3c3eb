//! What others may ask mediation.

use crate::id_type;

id_type!(pub UsageId, "usage event, UE-…");

/// Usage events.
#[async_trait::async_trait]
pub trait Mediation: Send + Sync {}
