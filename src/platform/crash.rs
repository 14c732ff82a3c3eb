//! Named crash points: the process dies on the spot where a test asks for it, so that recovery is proven, not assumed.
//!
//! Armed by `BSS_CRASH_POINT=<name>[:<hit>]`, refused in production. Unarmed, a point is one relaxed load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Every crash point of the product. The test that visits them reads this list, so none is forgotten.
pub const POINTS: &[&str] = &[
    "consumer.before_commit",
    "consumer.after_commit",
    "consumer_set.before_commit",
    "consumer_set.after_commit",
    "effect.before_done",
    "effect.after_done",
    "effect_set.before_done",
    "effect_set.after_done",
    "order.create.before_commit",
    "order.create.after_commit",
    "order.submit.before_commit",
    "order.submit.after_commit",
    "order.claim.after_claim",
    "order.change.before_commit",
    "order.change.after_commit",
    "order.top_up.before_commit",
    "order.top_up.after_commit",
    "payment.charge.before_call",
    "payment.charge.after_call",
    "payment.charge.before_commit",
    "payment.charge.after_commit",
    "payment.refund.before_call",
    "payment.refund.after_call",
    "payment.refund.before_commit",
    "payment.refund.after_commit",
    "provisioning.task.before_call",
    "provisioning.task.after_call",
    "provisioning.task.before_commit",
    "provisioning.task.after_commit",
    "renewal.begin.before_commit",
    "renewal.begin.after_commit",
    "vas.begin.before_commit",
    "vas.begin.after_commit",
    "communication.send.before_call",
    "communication.send.after_call",
    "communication.send.before_commit",
    "communication.send.after_commit",
    "usage.batch.before_commit",
    "usage.batch.after_commit",
];

struct Armed {
    name: String,
    hits_left: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Why a crash point cannot be armed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is not a crash point; write <name> or <name>:<hit> with one of: {list}", list = POINTS.join(", "))]
pub struct UnknownPoint(String);

/// Checks `name[:hit]`, the text of `BSS_CRASH_POINT`.
pub fn parse(text: &str) -> Result<(String, u32), UnknownPoint> {
    let (name, hit) = text.split_once(':').unwrap_or((text, "1"));
    match hit.parse() {
        Ok(hit) if hit > 0 && POINTS.contains(&name) => Ok((name.to_owned(), hit)),
        _ => Err(UnknownPoint(text.to_owned())),
    }
}

/// The process dies when `name` is reached for the `hit`-th time.
pub fn arm(name: String, hit: u32) {
    // A second arming is a programming error of the start-up code; the first one stays.
    let _ = ARMED.set(Armed { name, hits_left: AtomicU32::new(hit) });
}

/// Dies here when armed. `name` must be in [`POINTS`].
pub fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name), "{name} is missing in crash::POINTS");
    let Some(armed) = ARMED.get() else { return };
    if armed.name == name && armed.hits_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        tracing::error!(point = name, "crash point reached");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_points_can_be_armed() {
        assert_eq!(parse("usage.batch.after_commit:3"), Ok(("usage.batch.after_commit".into(), 3)));
        assert_eq!(parse("order.create.before_commit"), Ok(("order.create.before_commit".into(), 1)));
        for bad in ["", "nowhere", "usage.batch.after_commit:0", "usage.batch.after_commit:x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
