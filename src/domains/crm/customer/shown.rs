//! A customer as TMF629 shows it: ours, then what the caller sent and we only keep.

use std::borrow::Cow;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::body::{self, VALUE_KEYS};
use super::individual;
use super::model::{Customer, Medium};
use crate::domains::crm::port::CustomerId;
use crate::platform::http::resource::Href;
use crate::platform::tmf::merge::Kept;
use crate::platform::tmf::{shape, time};

pub(super) const COLLECTION: &str = "/tmf-api/customerManagement/v4/customer";

/// Names of [`Resource`].
const SHOWN: &[&str] = &[
    "id",
    "href",
    "name",
    "status",
    "statusReason",
    "validFor",
    "engagedParty",
    "account",
    "characteristic",
    "contactMedium",
    "@type",
];

/// Names of [`MediumResource`].
const MEDIUM_SHOWN: &[&str] = &["mediumType", "preferred", "characteristic", "validFor", "@type"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    id: &'a str,
    href: Href<'a>,
    name: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'a str>,
    valid_for: Option<time::Period>,
    engaged_party: EngagedParty<'a>,
    account: [Account<'a>; 1],
    characteristic: Vec<Characteristic<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact_medium: Vec<MediumResource<'a>>,
    #[serde(flatten)]
    kept: Kept<'a>,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EngagedParty<'a> {
    id: &'a str,
    href: Href<'a>,
    name: String,
    role: &'static str,
    #[serde(rename = "@type")]
    at_type: &'static str,
    #[serde(rename = "@referredType")]
    referred_type: &'static str,
}

#[derive(Debug, Serialize)]
struct Account<'a> {
    id: &'a str,
    name: &'static str,
    #[serde(rename = "@type")]
    at_type: &'static str,
    #[serde(rename = "@referredType")]
    referred_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Characteristic<'a> {
    Ours(OurCharacteristic),
    Theirs(Cow<'a, Value>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OurCharacteristic {
    name: &'static str,
    value_type: &'static str,
    value: Cow<'static, str>,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

/// The resource of a customer.
pub(super) fn resource_of(customer: &Customer) -> Resource<'_> {
    let engaged_party = EngagedParty {
        id: &customer.party_id,
        href: Href { collection: individual::COLLECTION, id: &customer.party_id },
        name: customer.full_name(),
        role: "customer",
        at_type: "RelatedParty",
        referred_type: "Individual",
    };
    let account = Account {
        id: &customer.account_id,
        name: "Prepaid account",
        at_type: "AccountRef",
        referred_type: "PartyAccount",
    };
    Resource {
        id: customer.id.as_str(),
        href: href_of(&customer.id),
        name: customer.full_name(),
        status: customer.status.as_str(),
        status_reason: customer.status_reason.as_deref(),
        valid_for: time::Period::of(Some(customer.since), customer.closed_at),
        engaged_party,
        account: [account],
        characteristic: characteristics(customer),
        contact_medium: customer.media.iter().map(medium).collect(),
        kept: Kept::beside(SHOWN, &customer.attributes),
        at_type: "Customer",
    }
}

/// Where a customer is found.
pub(super) fn href_of(id: &CustomerId) -> Href<'_> {
    Href { collection: COLLECTION, id: id.as_str() }
}

fn characteristics(customer: &Customer) -> Vec<Characteristic<'_>> {
    let ours = |name, value_type, value| {
        Characteristic::Ours(OurCharacteristic { name, value_type, value, at_type: "Characteristic" })
    };
    let mut all = vec![ours(body::KYC_STATUS, "string", customer.kyc_status.as_str().into())];
    if let Some(verified_at) = customer.kyc_verified_at {
        all.push(ours(body::KYC_VERIFIED_AT, "dateTime", time::format(verified_at).into()));
    }
    let theirs = customer.attributes.get("characteristic").and_then(Value::as_array);
    all.extend(theirs.into_iter().flatten().map(|characteristic| Characteristic::Theirs(typed(characteristic))));
    all
}

/// With the type of its value, which the caller need not say.
fn typed(characteristic: &Value) -> Cow<'_, Value> {
    if characteristic.get("valueType").is_some() {
        return Cow::Borrowed(characteristic);
    }
    let mut typed = characteristic.clone();
    typed["valueType"] = shape::value_type(&characteristic["value"]);
    Cow::Owned(typed)
}

/// A medium as TMF629 and TMF632 show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediumResource<'a> {
    medium_type: &'static str,
    preferred: bool,
    characteristic: MediumCharacteristic<'a>,
    valid_for: Option<time::Period>,
    #[serde(flatten)]
    kept: Kept<'a>,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

/// The value under the name that its type has, then what the caller sent beside it.
#[derive(Debug)]
struct MediumCharacteristic<'a> {
    key: &'static str,
    value: &'a str,
    theirs: Option<&'a Map<String, Value>>,
}

impl Serialize for MediumCharacteristic<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.key, self.value)?;
        for (name, value) in self.theirs.into_iter().flatten().filter(|(name, _)| name.as_str() != self.key) {
            map.serialize_entry(name, value)?;
        }
        if !self.theirs.is_some_and(|theirs| theirs.contains_key("@type")) {
            map.serialize_entry("@type", "MediumCharacteristic")?;
        }
        map.end()
    }
}

pub(super) fn medium(medium: &Medium) -> MediumResource<'_> {
    MediumResource {
        medium_type: medium.kind.as_str(),
        preferred: medium.is_primary,
        characteristic: MediumCharacteristic {
            key: VALUE_KEYS[medium.kind as usize],
            value: &medium.value,
            theirs: medium.attributes.get("characteristic").and_then(Value::as_object),
        },
        valid_for: time::Period::of(Some(medium.valid_from), None),
        kept: Kept::beside(MEDIUM_SHOWN, &medium.attributes),
        at_type: "ContactMedium",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domains::crm::port::{CustomerStatus, KycStatus, MediumType};

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("{value} is no object") };
        object
    }

    /// With everything that may be there, and what a caller sent under each of our names.
    fn customer() -> Customer {
        let at = time::parse("2026-05-10T09:00:00.000Z").unwrap();
        let theirs = |ours: &[&str]| ours.iter().map(|name| ((*name).to_owned(), json!("theirs"))).collect();
        let mut attributes: Map<String, Value> = theirs(SHOWN);
        attributes.insert("characteristic".to_owned(), json!([{ "name": "shoeSize", "value": 42 }]));
        let mut of_medium: Map<String, Value> = theirs(MEDIUM_SHOWN);
        of_medium.insert("characteristic".to_owned(), json!({ "emailAddress": "theirs", "city": "Bern" }));
        let medium = Medium {
            id: "CM-1".to_owned(),
            kind: MediumType::Email,
            value: "ada@example.test".to_owned(),
            is_primary: true,
            valid_from: at,
            attributes: of_medium,
        };
        Customer {
            id: "CUST-1".to_owned().into(),
            party_id: "PTY-1".to_owned(),
            account_id: "ACC-1".to_owned(),
            status: CustomerStatus::Closed,
            status_reason: Some("moved".to_owned()),
            since: at,
            closed_at: Some(at),
            kyc_status: KycStatus::Verified,
            kyc_verified_at: Some(at),
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            date_of_birth: None,
            media: vec![medium],
            attributes,
            version: 1,
        }
    }

    #[test]
    fn each_of_our_names_is_said_once_and_by_us() {
        let customer = customer();
        let text = serde_json::to_string(&resource_of(&customer)).unwrap();
        let shown = object(serde_json::from_str(&text).unwrap());
        assert_eq!(shown.keys().collect::<Vec<_>>(), SHOWN);
        let medium = object(shown["contactMedium"][0].clone());
        assert_eq!(medium.keys().collect::<Vec<_>>(), MEDIUM_SHOWN);
        assert!(!text.contains("theirs"), "{text}");
    }

    #[test]
    fn what_a_caller_said_of_values_stands_beside_ours() {
        let customer = customer();
        let shown = serde_json::to_value(resource_of(&customer)).unwrap();
        assert_eq!(shown["characteristic"][2], json!({ "name": "shoeSize", "value": 42, "valueType": "integer" }));
        assert_eq!(
            shown["contactMedium"][0]["characteristic"],
            json!({ "emailAddress": "ada@example.test", "city": "Bern", "@type": "MediumCharacteristic" })
        );
    }
}
