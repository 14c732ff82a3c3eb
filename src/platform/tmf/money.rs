//! Money as TMF writes it: `{"unit": "SGD", "value": 25.0}`, a JSON number because the official schemas say so. It is made
//! from minor units when it is written and parsed digit by digit when it is read; nothing is ever computed with it.

use serde::{Deserialize, Serialize};

use crate::platform::error::Error;
use crate::platform::money::{Currency, Money};

/// An amount as we write it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Written {
    unit: Currency,
    value: f64,
}

/// Writes an amount.
pub fn write(money: Money) -> Written {
    Written { unit: money.currency, value: money.decimal().parse().unwrap_or_default() }
}

/// An amount as a caller sent it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TmfMoney {
    unit: String,
    value: serde_json::Number,
}

impl TmfMoney {
    /// Reads it; `pointer` names its place in the body.
    pub fn read(&self, pointer: &str) -> Result<Money, Error> {
        let currency = self.unit.parse().map_err(|e: crate::platform::money::MoneyError| {
            Error::invalid(format!("{pointer}/unit"), e.to_string())
        })?;
        Money::parse(&self.value.to_string(), currency)
            .map_err(|e| Error::invalid(format!("{pointer}/value"), e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_round_trip_and_too_many_digits_are_refused() {
        let read = |text: &str| serde_json::from_str::<TmfMoney>(text).unwrap().read("/totalAmount");
        assert_eq!(
            json!(write(read(r#"{"unit":"SGD","value":25.00}"#).unwrap())),
            json!({"unit": "SGD", "value": 25.0})
        );
        assert_eq!(read(r#"{"unit":"SGD","value":0.1}"#).unwrap().minor, 10);
        assert!(read(r#"{"unit":"SGD","value":0.001}"#).is_err());
        assert!(read(r#"{"unit":"sgd","value":1}"#).is_err());
        assert!(read(r#"{"unit":"SGD","value":1e300}"#).is_err());
    }
}
