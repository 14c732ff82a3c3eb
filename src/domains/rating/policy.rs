//! The rules of rating.

use crate::platform::error::Rule;

/// Voice or SMS with nothing left or no such allowance; home data whose allowance is used up.
pub const ALLOWANCE_EXHAUSTED: Rule = Rule::new("usage.allowance_exhausted");
/// Home data on a line that has no data allowance.
pub const NO_ALLOWANCE: Rule = Rule::new("rating.no_allowance");
/// Data abroad on a line whose plan and top-ups gave it no such allowance, not even an empty one.
pub const NO_ROAMING_ALLOWANCE: Rule = Rule::new("rating.no_roaming_allowance");
/// Data abroad on a line with no roaming data left.
pub const ROAMING_BALANCE_REQUIRED: Rule = Rule::new("subscription.usage_rated.roaming_balance_required");
/// A type of usage that nobody knows.
pub(super) const UNKNOWN_EVENT_TYPE: Rule = Rule::new("rating.unknown_event_type");
/// A unit that the type is not counted in.
pub(super) const UNIT_MISMATCH: Rule = Rule::new("rating.unit_mismatch");
/// An unlimited allowance beyond its fair-use limit.
pub const FAIR_USE_EXCEEDED: Rule = Rule::new("usage.fair_use_exceeded");
