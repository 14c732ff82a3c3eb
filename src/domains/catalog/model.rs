//! What is written into the catalog, checked: pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::policy;
use super::port::{AllowanceType, CategoryId, OfferingId, PriceId, SpecificationId, VasId};
use crate::platform::error::Violation;
use crate::platform::money::Money;

/// Where something stands in its life, in the words of TMF620.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifecycle {
    InStudy,
    InDesign,
    InTest,
    /// The only one that sells.
    Active,
    Launched,
    Retired,
    Obsolete,
    Rejected,
}

impl Lifecycle {
    pub(super) const ALL: [Self; 8] = [
        Self::InStudy,
        Self::InDesign,
        Self::InTest,
        Self::Active,
        Self::Launched,
        Self::Retired,
        Self::Obsolete,
        Self::Rejected,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InStudy => "in_study",
            Self::InDesign => "in_design",
            Self::InTest => "in_test",
            Self::Active => "active",
            Self::Launched => "launched",
            Self::Retired => "retired",
            Self::Obsolete => "obsolete",
            Self::Rejected => "rejected",
        }
    }

    pub(super) const fn official(self) -> &'static str {
        match self {
            Self::InStudy => "In study",
            Self::InDesign => "In design",
            Self::InTest => "In test",
            Self::Active => "Active",
            Self::Launched => "Launched",
            Self::Retired => "Retired",
            Self::Obsolete => "Obsolete",
            Self::Rejected => "Rejected",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub(super) fn named(official: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.official() == official)
    }

    /// The next state: what was retired, made obsolete or rejected does not come back.
    pub(super) fn to(self, next: Self) -> Result<Self, Violation> {
        match (self, next) {
            _ if self == next => Ok(next),
            (Self::InStudy | Self::InDesign | Self::InTest | Self::Active | Self::Launched, _)
            | (Self::Retired, Self::Obsolete) => Ok(next),
            (Self::Retired | Self::Obsolete | Self::Rejected, _) => Err(policy::rule::LIFECYCLE
                .violated("What was retired, made obsolete or rejected does not come back; add a new one")
                .with("from", self.official())
                .with("to", next.official())),
        }
    }
}

/// From inclusive, to exclusive, open where there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window {
    pub(super) valid_from: Option<DateTime<Utc>>,
    pub(super) valid_to: Option<DateTime<Utc>>,
}

impl Window {
    pub(super) fn holds(&self, at: DateTime<Utc>) -> bool {
        policy::in_window(self.valid_from, self.valid_to, at)
    }
}

/// New bounds: None stays, `Some(None)` opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WindowChange {
    pub(super) valid_from: Option<Option<DateTime<Utc>>>,
    pub(super) valid_to: Option<Option<DateTime<Utc>>>,
}

impl WindowChange {
    pub(super) fn applied_to(self, window: Window) -> Window {
        Window {
            valid_from: self.valid_from.unwrap_or(window.valid_from),
            valid_to: self.valid_to.unwrap_or(window.valid_to),
        }
    }
}

/// An offering that is to be made.
#[derive(Debug, Clone)]
pub(super) struct NewOffering {
    pub(super) id: OfferingId,
    pub(super) name: String,
    pub(super) spec_id: SpecificationId,
    pub(super) is_sellable: bool,
    pub(super) lifecycle: Lifecycle,
    pub(super) window: Window,
    pub(super) allowances: Vec<(AllowanceType, i64)>,
    pub(super) prices: Vec<PriceEntry>,
    pub(super) categories: Vec<CategoryId>,
    /// Official TMF620 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
}

/// What changes about an offering; what is None stays.
#[derive(Debug, Clone, Default)]
pub(super) struct OfferingChange {
    pub(super) name: Option<String>,
    pub(super) is_sellable: Option<bool>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) window: WindowChange,
    pub(super) allowances: Option<Vec<(AllowanceType, i64)>>,
    pub(super) prices: Option<Vec<PriceEntry>>,
    pub(super) categories: Option<Vec<CategoryId>>,
    /// A merge patch of the attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
}

/// A price of an offering, as a caller lists it.
#[derive(Debug, Clone)]
pub(super) enum PriceEntry {
    /// One that exists; what the entry repeats of it must be so.
    Known {
        id: PriceId,
        money: Option<Money>,
        window: Option<Window>,
    },
    New(NewPrice),
}

/// A price that is to be made.
#[derive(Debug, Clone)]
pub(super) struct NewPrice {
    pub(super) id: PriceId,
    pub(super) name: Option<String>,
    pub(super) is_recurring: bool,
    pub(super) money: Money,
    pub(super) window: Window,
    pub(super) attributes: Map<String, Value>,
}

/// A top-up that is to be made.
#[derive(Debug, Clone)]
pub(super) struct NewVas {
    pub(super) id: VasId,
    pub(super) name: String,
    pub(super) money: Money,
    pub(super) allowance_type: AllowanceType,
    /// In the unit of the allowance; -1 is without limit for its hours.
    pub(super) quantity: i64,
    pub(super) expiry_hours: Option<i32>,
    pub(super) window: Window,
}

/// What may change about a price: everything but what a contract refers to.
#[derive(Debug, Clone, Default)]
pub(super) struct PriceChange {
    pub(super) name: Option<Option<String>>,
    pub(super) valid_to: Option<Option<DateTime<Utc>>>,
    /// Must be what it is, where it is given.
    pub(super) valid_from: Option<Option<DateTime<Utc>>>,
    pub(super) money: Option<Money>,
    pub(super) attributes: Map<String, Value>,
}

/// A specification that is to be made, or the change of one.
#[derive(Debug, Clone, Default)]
pub(super) struct SpecificationChange {
    pub(super) name: Option<String>,
    pub(super) description: Option<Option<String>>,
    pub(super) brand: Option<Option<String>>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) window: WindowChange,
    pub(super) attributes: Map<String, Value>,
}

/// A category that is to be made, or the change of one.
#[derive(Debug, Clone, Default)]
pub(super) struct CategoryChange {
    pub(super) name: Option<String>,
    pub(super) description: Option<Option<String>>,
    pub(super) parent_id: Option<Option<CategoryId>>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) window: WindowChange,
    pub(super) offerings: Option<Vec<OfferingId>>,
    pub(super) attributes: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_not_ended_moves_freely() {
        for from in Lifecycle::ALL {
            for to in Lifecycle::ALL {
                let ended = matches!(from, Lifecycle::Retired | Lifecycle::Obsolete | Lifecycle::Rejected);
                let allowed = from == to || !ended || (from, to) == (Lifecycle::Retired, Lifecycle::Obsolete);
                assert_eq!(from.to(to).is_ok(), allowed, "{from:?} to {to:?}");
            }
            assert_eq!(Lifecycle::parse(from.as_str()), Some(from));
            assert_eq!(Lifecycle::named(from.official()), Some(from));
        }
    }

    #[test]
    fn a_bound_that_is_not_given_stays_and_null_opens_it() {
        let at = |days: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::days(days);
        let window = Window { valid_from: Some(at(1)), valid_to: Some(at(5)) };
        let later = WindowChange { valid_from: None, valid_to: Some(Some(at(9))) };
        assert_eq!(later.applied_to(window), Window { valid_from: Some(at(1)), valid_to: Some(at(9)) });
        let open = WindowChange { valid_from: Some(None), valid_to: None };
        assert_eq!(open.applied_to(window), Window { valid_from: None, valid_to: Some(at(5)) });
        assert!(window.holds(at(1)) && !window.holds(at(5)));
    }
}
