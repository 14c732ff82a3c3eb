//! The prices of a run: when the operator puts a plan at a new price and moves its lines there, drawn from the seed alone. What
//! that means for a line is the model's to say.

use chrono::{Days, NaiveDate};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::catalog::Plan;
use super::plan::date;

/// Sets the prices apart from the years.
const PRICES: u64 = 0x7072_6963;

/// Days from one move of a plan to the next. The shorter ones come while the former move is open, and end it.
const APART: std::ops::RangeInclusive<u32> = 4..=60;

/// A plan is sold at a new price from a day on, and its lines are moved there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub plan: String,
    /// Identifies the price.
    pub price_id: String,
    /// In hundredths.
    pub price: i64,
    /// The day on which it is decided, and from which on it is sold.
    pub on: NaiveDate,
    pub day: u32,
    /// No line pays it before this and the notice.
    pub from: NaiveDate,
    pub notice_days: u32,
}

impl Move {
    /// From then on nobody is moved any more who was not told.
    pub fn over(&self) -> NaiveDate {
        self.from + Days::new(self.notice_days.into())
    }

    /// When a line that is told today pays it, at the earliest.
    pub fn reaches(&self, today: NaiveDate) -> NaiveDate {
        self.from.max(today) + Days::new(self.notice_days.into())
    }
}

/// All moves of a run of `days` days, in the order in which they are made.
pub fn draw(seed: u64, days: u32, plans: &[Plan]) -> Vec<Move> {
    let mut random = StdRng::seed_from_u64(seed ^ PRICES);
    let mut moves = Vec::new();
    for plan in plans {
        let mut day = random.random_range(3..=25);
        while day <= days {
            let off = random.random_range(1..=8) * 50;
            moves.push(Move {
                plan: plan.id.clone(),
                price_id: format!("{}_{day}", plan.id),
                price: if random.random_bool(0.3) { (plan.price - off).max(50) } else { plan.price + off },
                on: date(day),
                day,
                from: date(day + random.random_range(0..=8)),
                notice_days: random.random_range(1..=20),
            });
            day += random.random_range(APART);
        }
    }
    moves.sort_by_key(|one| one.day);
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::catalog::tests::catalog;

    #[test]
    fn moves_follow_from_the_seed_and_some_end_others() {
        let plans = catalog().plans;
        let moves = draw(1, 365, &plans);
        assert_eq!(moves, draw(1, 365, &plans));
        assert_ne!(moves, draw(2, 365, &plans));
        for plan in &plans {
            let own: Vec<&Move> = moves.iter().filter(|one| one.plan == plan.id).collect();
            assert!(own.is_sorted_by(|one, next| one.on < next.on), "one a day");
            assert!(own.windows(2).any(|pair| pair[1].on < pair[0].over()), "{own:?}");
            assert!(own.windows(2).any(|pair| pair[1].on >= pair[0].over()), "{own:?}");
        }
    }
}
