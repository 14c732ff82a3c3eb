//! The promotions of a run, as plain data: what each takes off, for how many charges, and who may have it.

use serde_json::{Value, json};

use super::client::{Client, Fault};

/// What is taken off a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// So many hundredths of it; half a hundredth counts as a whole one for the operator.
    Percent(i64),
    /// So much, in hundredths; never more than there is.
    Amount(i64),
}

impl Off {
    /// The price, in hundredths, after it.
    pub const fn price(self, full: i64) -> i64 {
        match self {
            Self::Percent(percent) => (full * (100 - percent) + 50) / 100,
            Self::Amount(off) if off < full => full - off,
            Self::Amount(_) => 0,
        }
    }
}

/// A promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promotion {
    pub id: &'static str,
    /// What is typed; None: it is assigned, and used once by a customer.
    pub code: Option<&'static str>,
    pub off: Off,
    /// Charges that it lowers; None: all, until the plan changes.
    pub periods: Option<u32>,
}

/// For the first three periods.
pub const THREE: Promotion =
    Promotion { id: "PROMO_SOAK_THREE", code: Some("SOAK3"), off: Off::Percent(20), periods: Some(3) };

/// For as long as the line stays on its plan.
pub const ALWAYS: Promotion =
    Promotion { id: "PROMO_SOAK_ALWAYS", code: Some("SOAKALL"), off: Off::Amount(125), periods: None };

/// For chosen customers, once.
pub const CHOSEN: Promotion =
    Promotion { id: "PROMO_SOAK_CHOSEN", code: None, off: Off::Percent(35), periods: Some(1) };

/// What somebody types who misheard it.
pub const MISTYPED: &str = "SOAK-3O";

/// The public promotion of a code, in whatever case it is typed.
pub fn of_code(typed: &str) -> Option<Promotion> {
    [THREE, ALWAYS].into_iter().find(|one| one.code.is_some_and(|code| code.eq_ignore_ascii_case(typed.trim())))
}

/// Creates those that there are not yet.
pub(super) async fn create(client: &Client) -> Result<(), Fault> {
    for promotion in [THREE, ALWAYS, CHOSEN] {
        let answer = client.insist("promo.create", &command(&promotion), None).await?;
        if answer.refusal().is_some_and(|rule| rule != "catalog.promotion.already_exists") {
            return Err(Fault::Answer(format!("a promotion cannot be created: {}", answer.body)));
        }
    }
    Ok(())
}

fn command(promotion: &Promotion) -> Value {
    let (kind, value) = match promotion.off {
        Off::Percent(percent) => ("percent", percent.to_string()),
        Off::Amount(off) => ("absolute", super::catalog::decimal(off)),
    };
    let mut command = json!({"promotionId": promotion.id, "discountType": kind, "discountValue": value});
    command["durationKind"] = json!(match promotion.periods {
        None => "perpetual",
        Some(1) => "single",
        Some(_) => "multi",
    });
    if let Some(periods) = promotion.periods.filter(|periods| *periods > 1) {
        command["periodsTotal"] = json!(periods);
    }
    match promotion.code {
        Some(code) => {
            command["code"] = json!(code);
            command["promoCodeKind"] = json!("multi_use");
        }
        None => command["audience"] = json!("targeted"),
    }
    command
}
