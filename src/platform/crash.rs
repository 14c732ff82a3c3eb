//! Named crash points: the process dies on the spot where a test asks for it, so that recovery is proven, not assumed.
//!
//! Armed by `BSS_CRASH_POINT=<name>[@<subscriber>][:<hit>]`, refused in production. Unarmed, a point is one relaxed load. The
//! points that the workers pass for every subscriber can be armed for one of them: what an order's line, a payment or a service
//! order comes to is committed by the workers, under the subscriber's name.

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
    "order.cancel.before_commit",
    "order.cancel.after_commit",
    "order.hold.before_commit",
    "order.hold.after_commit",
    "order.expire.before_commit",
    "order.expire.after_commit",
    "order.flag.before_commit",
    "order.flag.after_commit",
    "order.carry_on.before_commit",
    "order.carry_on.after_commit",
    "payment.card.before_commit",
    "payment.card.after_commit",
    "payment.manual.before_commit",
    "payment.manual.after_commit",
    "payment.charge.before_call",
    "payment.charge.after_call",
    "payment.charge.before_commit",
    "payment.charge.after_commit",
    "payment.refund_wish.before_commit",
    "payment.refund_wish.after_commit",
    "payment.refund.before_call",
    "payment.refund.after_call",
    "payment.refund.before_commit",
    "payment.refund.after_commit",
    "provisioning.task.before_call",
    "provisioning.task.after_call",
    "provisioning.task.before_commit",
    "provisioning.task.after_commit",
    "provisioning.restart.before_commit",
    "provisioning.restart.after_commit",
    "provisioning.abandon.before_commit",
    "provisioning.abandon.after_commit",
    "renewal.begin.before_commit",
    "renewal.begin.after_commit",
    "renewal.skip.before_commit",
    "renewal.skip.after_commit",
    "renewal.postpone.before_commit",
    "renewal.postpone.after_commit",
    "renewal.remind.before_commit",
    "renewal.remind.after_commit",
    "vas.begin.before_commit",
    "vas.begin.after_commit",
    "communication.send.before_call",
    "communication.send.after_call",
    "communication.send.before_commit",
    "communication.send.after_commit",
    "usage.at_once.before_commit",
    "usage.at_once.after_commit",
    "usage.batch.before_commit",
    "usage.batch.after_commit",
];

/// Where a process is to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// One of [`POINTS`].
    pub name: String,
    /// Whose delivery it must be; None: any, or none at all.
    pub subscriber: Option<String>,
    /// How often it is reached until then, and then.
    pub hit: u32,
}

struct Armed {
    place: Place,
    hits_left: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Why a crash point cannot be armed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0} is not a crash point; write <name>, <name>:<hit> or <name>@<subscriber>:<hit> with one of: {list}",
    list = POINTS.join(", ")
)]
pub struct UnknownPoint(String);

/// Checks `name[@subscriber][:hit]`, the text of `BSS_CRASH_POINT`. Whether there is such a subscriber is asked by whoever
/// knows them.
pub fn parse(text: &str) -> Result<Place, UnknownPoint> {
    let (place, hit) = text.split_once(':').unwrap_or((text, "1"));
    let (name, subscriber) = match place.split_once('@') {
        Some((name, subscriber)) => (name, Some(subscriber)),
        None => (place, None),
    };
    match hit.parse() {
        Ok(hit) if hit > 0 && POINTS.contains(&name) && (subscriber.is_none() || is_of_deliveries(name)) => {
            Ok(Place { name: name.to_owned(), subscriber: subscriber.map(str::to_owned), hit })
        }
        _ => Err(UnknownPoint(text.to_owned())),
    }
}

/// Whether the workers pass the point for each delivery.
fn is_of_deliveries(name: &str) -> bool {
    ["consumer.", "consumer_set.", "effect.", "effect_set."].iter().any(|prefix| name.starts_with(prefix))
}

/// The process dies when the place is reached for the `hit`-th time.
pub fn arm(place: Place) {
    let hits_left = AtomicU32::new(place.hit);
    // A second arming is a programming error of the start-up code; the first one stays.
    let _ = ARMED.set(Armed { place, hits_left });
}

/// Dies here when armed. `name` must be in [`POINTS`].
pub fn point(name: &'static str) {
    reach(name, None);
}

/// [`point`], passed with a delivery to the subscriber.
pub fn point_of(name: &'static str, subscriber: &str) {
    debug_assert!(is_of_deliveries(name), "{name} is passed without a delivery");
    reach(name, Some(subscriber));
}

fn reach(name: &'static str, subscriber: Option<&str>) {
    debug_assert!(POINTS.contains(&name), "{name} is missing in crash::POINTS");
    let Some(armed) = ARMED.get() else { return };
    let is_meant =
        armed.place.name == name && armed.place.subscriber.as_deref().is_none_or(|meant| Some(meant) == subscriber);
    if is_meant && armed.hits_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        tracing::error!(point = name, subscriber, "crash point reached");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_points_can_be_armed() {
        let place = |name: &str, subscriber: Option<&str>, hit| {
            Ok(Place { name: name.to_owned(), subscriber: subscriber.map(str::to_owned), hit })
        };
        assert_eq!(parse("usage.batch.after_commit:3"), place("usage.batch.after_commit", None, 3));
        assert_eq!(parse("order.create.before_commit"), place("order.create.before_commit", None, 1));
        let of_one = place("consumer.before_commit", Some("som.decompose"), 2);
        assert_eq!(parse("consumer.before_commit@som.decompose:2"), of_one);
        let bad = [
            "",
            "nowhere",
            "usage.batch.after_commit:0",
            "usage.batch.after_commit:x",
            "nowhere@som.decompose",
            "usage.batch.after_commit@som.decompose",
        ];
        for bad in bad {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
