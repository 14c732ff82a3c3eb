//! x
pub const CHECKS: &[crate::platform::audit::Check] = &[];
