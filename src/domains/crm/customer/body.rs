//! The body of a TMF629 `POST customer`: checked against the official definition, split into what we use and what we keep.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::model::{NewCustomer, NewMedium, birth_date, contact_value, name_part, split_name};
use crate::domains::crm::input::line;
use crate::domains::crm::port::{CustomerStatus, MediumType};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::shape::{self, Is, Shape};
use crate::platform::tmf::{merge, official, time};

/// Characteristics that are ours to give.
pub(super) const KYC_STATUS: &str = "kycStatus";
pub(super) const KYC_VERIFIED_AT: &str = "kycVerifiedAt";

/// The attribute of a medium's characteristic that holds its value, in the order of [`MediumType::ALL`].
pub(super) const VALUE_KEYS: [&str; 3] = ["emailAddress", "phoneNumber", "street1"];

const PERIOD: Shape =
    Shape { name: "TimePeriod", attributes: &[("startDateTime", Is::Time), ("endDateTime", Is::Time)], required: &[] };
const RELATED_PARTY: Shape = Shape {
    name: "RelatedParty",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("role", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id", "@referredType"],
};
const ACCOUNT: Shape = Shape {
    name: "AccountRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("description", Is::Text),
        ("name", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["name"],
};
const AGREEMENT: Shape = Shape {
    name: "AgreementRef",
    attributes: &[("id", Is::Text), ("href", Is::Text), ("name", Is::Text), ("@referredType", Is::Text)],
    required: &["id"],
};
const PAYMENT_METHOD: Shape = Shape { name: "PaymentMethodRef", ..AGREEMENT };
const CHARACTERISTIC: Shape = Shape {
    name: "Characteristic",
    attributes: &[("name", Is::Text), ("valueType", Is::Text), ("value", Is::Anything)],
    required: &["name", "value"],
};
const CREDIT_PROFILE: Shape = Shape {
    name: "CreditProfile",
    attributes: &[
        ("creditProfileDate", Is::Time),
        ("creditRiskRating", Is::Whole),
        ("creditScore", Is::Whole),
        ("validFor", Is::One(&PERIOD)),
    ],
    required: &["creditProfileDate", "validFor"],
};
const MEDIUM_CHARACTERISTIC: Shape = Shape {
    name: "MediumCharacteristic",
    attributes: &[
        ("city", Is::Text),
        ("contactType", Is::Text),
        ("country", Is::Text),
        ("emailAddress", Is::Text),
        ("faxNumber", Is::Text),
        ("phoneNumber", Is::Text),
        ("postCode", Is::Text),
        ("socialNetworkId", Is::Text),
        ("stateOrProvince", Is::Text),
        ("street1", Is::Text),
        ("street2", Is::Text),
    ],
    required: &[],
};
const CONTACT_MEDIUM: Shape = Shape {
    name: "ContactMedium",
    attributes: &[
        ("mediumType", Is::Text),
        ("preferred", Is::Flag),
        ("characteristic", Is::One(&MEDIUM_CHARACTERISTIC)),
        ("validFor", Is::One(&PERIOD)),
    ],
    required: &["mediumType", "characteristic"],
};
const CUSTOMER: Shape = Shape {
    name: "Customer",
    attributes: &[
        ("name", Is::Text),
        ("status", Is::Text),
        ("statusReason", Is::Text),
        ("account", Is::Many(&ACCOUNT)),
        ("agreement", Is::Many(&AGREEMENT)),
        ("characteristic", Is::Many(&CHARACTERISTIC)),
        ("contactMedium", Is::Many(&CONTACT_MEDIUM)),
        ("creditProfile", Is::Many(&CREDIT_PROFILE)),
        ("engagedParty", Is::One(&RELATED_PARTY)),
        ("paymentMethod", Is::Many(&PAYMENT_METHOD)),
        ("relatedParty", Is::Many(&RELATED_PARTY)),
        ("validFor", Is::One(&PERIOD)),
    ],
    required: &["engagedParty", "name"],
};

/// Most elements of one list of the body.
const ELEMENTS_MAX: usize = 20;

/// Reads the body of a POST.
pub(super) fn new_customer(mut body: Value, today: NaiveDate) -> Result<NewCustomer> {
    shape::check(&mut body, &CUSTOMER)?;
    let Value::Object(mut attributes) = body else { return Err(Error::invalid("", "must be an object")) };
    for ours in ["id", "href", "status", "statusReason", "account", "validFor"] {
        if attributes.contains_key(ours) {
            return Err(Error::invalid(format!("/{ours}"), "is ours to give"));
        }
    }
    if let Some((name, _)) =
        attributes.iter().find(|(_, value)| value.as_array().is_some_and(|list| list.len() > ELEMENTS_MAX))
    {
        return Err(Error::invalid(format!("/{name}"), format!("may have {ELEMENTS_MAX} elements")));
    }
    let name = attributes.remove("name");
    let party = attributes.remove("engagedParty");
    if party.as_ref().and_then(|party| party["@referredType"].as_str()) != Some("Individual") {
        return Err(Error::invalid(
            "/engagedParty/@referredType",
            "must be Individual: only persons are customers here",
        ));
    }
    let (said, kept) = characteristics(attributes.remove("characteristic"), today)?;
    let (given_name, family_name) = said.names(name.as_ref().and_then(Value::as_str).unwrap_or_default())?;
    let media = media(attributes.remove("contactMedium"))?;
    if !kept.is_empty() {
        attributes.insert("characteristic".to_owned(), Value::Array(kept));
    }
    attributes.remove("@type");
    Ok(NewCustomer { given_name, family_name, date_of_birth: said.date_of_birth, media, attributes })
}

/// What a PATCH changes; what is None stays.
#[derive(Debug, Default)]
pub(super) struct CustomerChange {
    pub(super) name: Option<(String, String)>,
    pub(super) status: Option<CustomerStatus>,
    pub(super) status_reason: Option<Option<String>>,
    /// A merge patch of what we only keep; its `characteristic` replaces the caller's own.
    pub(super) attributes: Map<String, Value>,
}

/// Reads a JSON merge patch.
///
/// Ways to reach the customer are not among it: an address is the customer's identity, and adding, changing and removing
/// one have rules and operations of their own.
pub(super) fn change(body: Value) -> Result<CustomerChange> {
    let mut attributes = official::patch(body, "TMF629.Customer_Update")?;
    merge::refuse(&attributes, &["account", "engagedParty", "validFor"])?;
    attributes.shift_remove("@type");
    if attributes.contains_key("contactMedium") {
        let message = "is changed with the operations customer.add_contact_medium, .update_contact_medium and \
                       .remove_contact_medium";
        return Err(Error::invalid("/contactMedium", message));
    }
    let name = match attributes.shift_remove("name") {
        None => None,
        Some(Value::String(text)) => Some(split_name(&text).map_err(|message| Error::invalid("/name", message))?),
        Some(_) => return Err(Error::invalid("/name", "cannot be removed")),
    };
    let status = match attributes.shift_remove("status") {
        None => None,
        Some(word) => Some(
            word.as_str()
                .and_then(CustomerStatus::parse)
                .ok_or_else(|| Error::invalid("/status", "must be active, suspended or closed"))?,
        ),
    };
    let status_reason = match attributes.shift_remove("statusReason") {
        None => None,
        Some(Value::String(text)) => Some(Some(line(&text, "/statusReason")?)),
        Some(_) => Some(None),
    };
    let ours = |one: &Value| {
        ["givenName", "familyName", "dateOfBirth", KYC_STATUS, KYC_VERIFIED_AT].iter().any(|name| one["name"] == *name)
    };
    if let Some(Value::Array(characteristics)) = attributes.get("characteristic")
        && let Some(index) = characteristics.iter().position(ours)
    {
        return Err(Error::invalid(format!("/characteristic/{index}/name"), "is not changed here"));
    }
    Ok(CustomerChange { name, status, status_reason, attributes })
}

/// What the characteristics say of the person.
#[derive(Default)]
struct Said {
    given_name: Option<String>,
    family_name: Option<String>,
    date_of_birth: Option<NaiveDate>,
}

impl Said {
    /// The parts of the name; what no characteristic says comes from the whole of it.
    fn names(&self, name: &str) -> Result<(String, String)> {
        let (given, family) = split_name(name).map_err(|message| Error::invalid("/name", message))?;
        Ok((self.given_name.clone().unwrap_or(given), self.family_name.clone().unwrap_or(family)))
    }
}

/// Takes out what we use of the characteristics; the others are kept as they are.
fn characteristics(sent: Option<Value>, today: NaiveDate) -> Result<(Said, Vec<Value>)> {
    let (mut said, mut kept) = (Said::default(), Vec::new());
    for (index, mut characteristic) in elements(sent).into_iter().enumerate() {
        let refused = |message: &str| Error::invalid(format!("/characteristic/{index}/value"), message);
        let text = || characteristic["value"].as_str().ok_or_else(|| refused("must be a text"));
        match characteristic["name"].as_str().unwrap_or_default() {
            "givenName" => said.given_name = Some(name_part(text()?).map_err(refused)?),
            "familyName" => said.family_name = Some(name_part(text()?).map_err(refused)?),
            "dateOfBirth" => {
                let date = text()?.parse::<NaiveDate>().map_err(|_| refused("must be a date such as 1991-07-02"))?;
                said.date_of_birth = Some(birth_date(date, today).map_err(refused)?);
            }
            KYC_STATUS | KYC_VERIFIED_AT => {
                return Err(Error::invalid(format!("/characteristic/{index}/name"), "is ours to give"));
            }
            _ => {
                if let Value::Object(attributes) = &mut characteristic {
                    attributes.entry("@type").or_insert_with(|| "Characteristic".into());
                }
                kept.push(characteristic);
            }
        }
    }
    Ok((said, kept))
}

fn media(sent: Option<Value>) -> Result<Vec<NewMedium>> {
    let mut media: Vec<NewMedium> = Vec::new();
    for (index, element) in elements(sent).into_iter().enumerate() {
        let pointer = format!("/contactMedium/{index}");
        let Value::Object(attributes) = element else { continue };
        let medium = medium(attributes, &pointer)?;
        if medium.is_primary && media.iter().any(|other| other.is_primary && other.kind == medium.kind) {
            let message = format!("only one {} can be preferred", medium.kind.as_str());
            return Err(Error::invalid(format!("{pointer}/preferred"), message));
        }
        media.push(medium);
    }
    Ok(media)
}

fn medium(mut attributes: Map<String, Value>, pointer: &str) -> Result<NewMedium> {
    let kind = attributes.remove("mediumType");
    let kind = kind.as_ref().and_then(Value::as_str).and_then(MediumType::parse);
    let kind =
        kind.ok_or_else(|| Error::invalid(format!("{pointer}/mediumType"), "must be email, mobile or postal"))?;
    let key = VALUE_KEYS[kind as usize];
    let mut characteristic = match attributes.remove("characteristic") {
        Some(Value::Object(characteristic)) => characteristic,
        _ => Map::new(),
    };
    let at = || format!("{pointer}/characteristic/{key}");
    let value = characteristic.remove(key).ok_or_else(|| Error::invalid(at(), "is required"))?;
    let value = contact_value(kind, value.as_str().unwrap_or_default()).map_err(|m| Error::invalid(at(), m))?;
    if !characteristic.is_empty() {
        attributes.insert("characteristic".to_owned(), Value::Object(characteristic));
    }
    let valid_for = attributes.remove("validFor").unwrap_or(Value::Null);
    if valid_for.get("endDateTime").is_some() {
        return Err(Error::invalid(format!("{pointer}/validFor/endDateTime"), "a medium that is added has no end"));
    }
    // The shape has checked it.
    let valid_from = valid_for["startDateTime"].as_str().and_then(|text| time::parse(text).ok());
    let is_primary = attributes.remove("preferred").is_some_and(|preferred| preferred == true);
    attributes.remove("@type");
    Ok(NewMedium { kind, value, is_primary, valid_from, attributes })
}

fn elements(list: Option<Value>) -> Vec<Value> {
    match list {
        Some(Value::Array(elements)) => elements,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 5, 10).unwrap()
    }

    fn body(change: impl FnOnce(&mut Value)) -> Value {
        let mut body = json!({
            "name": "Nadia Ong",
            "engagedParty": { "id": "applicant", "@referredType": "Individual" },
            "contactMedium": [{ "mediumType": "email", "preferred": true, "characteristic": { "emailAddress": "a@b.test" } }]
        });
        change(&mut body);
        body
    }

    fn fault(change: impl FnOnce(&mut Value)) -> String {
        match new_customer(body(change), today()).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_we_use_is_taken_out_and_the_rest_is_kept() {
        let new = new_customer(
            body(|body| {
                body["characteristic"] = json!([
                    { "name": "givenName", "value": "Nadia Mei" },
                    { "name": "dateOfBirth", "value": "1991-07-02" },
                    { "name": "segment", "value": 3 }
                ]);
                body["contactMedium"][0]["characteristic"]["contactType"] = json!("home");
                body["agreement"] = json!([{ "id": "AGR-1" }]);
            }),
            today(),
        )
        .unwrap();
        assert_eq!((new.given_name.as_str(), new.family_name.as_str()), ("Nadia Mei", "Ong"));
        assert_eq!(new.date_of_birth, NaiveDate::from_ymd_opt(1991, 7, 2));
        assert_eq!(
            Value::Object(new.attributes),
            json!({
                "agreement": [{ "id": "AGR-1" }],
                "characteristic": [{ "name": "segment", "value": 3, "@type": "Characteristic" }]
            })
        );
        assert_eq!(new.media[0].value, "a@b.test");
        assert_eq!(
            Value::Object(new.media[0].attributes.clone()),
            json!({ "characteristic": { "contactType": "home" } })
        );
    }

    #[test]
    fn a_patch_takes_what_it_may_change_and_keeps_the_rest() {
        let read = change(json!({
            "name": "Nadia Tan", "status": "suspended", "statusReason": null, "agreement": [{ "id": "AGR-2" }],
            "creditProfile": null
        }))
        .unwrap();
        assert_eq!(read.name, Some(("Nadia".to_owned(), "Tan".to_owned())));
        assert_eq!((read.status, read.status_reason), (Some(CustomerStatus::Suspended), Some(None)));
        assert_eq!(Value::Object(read.attributes), json!({ "agreement": [{ "id": "AGR-2" }], "creditProfile": null }));
        let fault = |body: Value| match change(body).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        };
        assert_eq!(fault(json!({ "account": [] })), "/account");
        assert_eq!(fault(json!({ "contactMedium": [] })), "/contactMedium");
        assert_eq!(fault(json!({ "name": null })), "/name");
        assert_eq!(fault(json!({ "status": "gone" })), "/status");
        assert_eq!(fault(json!({ "loyalty": 1 })), "/loyalty");
        let kyc = json!({ "characteristic": [{ "name": "kycStatus", "value": "verified" }] });
        assert_eq!(fault(kyc), "/characteristic/0/name");
    }

    #[test]
    fn what_is_ours_to_give_and_what_is_wrong_is_refused_by_place() {
        assert_eq!(fault(|b| b["status"] = json!("active")), "/status");
        assert_eq!(fault(|b| b["account"] = json!([{ "name": "x" }])), "/account");
        assert_eq!(fault(|b| b["id"] = json!("CUST-1")), "/id");
        assert_eq!(
            fault(|b| b["engagedParty"]["@referredType"] = json!("Organization")),
            "/engagedParty/@referredType"
        );
        assert_eq!(
            fault(|b| b["characteristic"] = json!([{ "name": "kycStatus", "value": "verified" }])),
            "/characteristic/0/name"
        );
        assert_eq!(
            fault(|b| b["characteristic"] = json!([{ "name": "dateOfBirth", "value": "soon" }])),
            "/characteristic/0/value"
        );
        assert_eq!(fault(|b| b["contactMedium"][0]["mediumType"] = json!("fax")), "/contactMedium/0/mediumType");
        assert_eq!(
            fault(|b| b["contactMedium"][0]["characteristic"] = json!({ "phoneNumber": "+6591234567" })),
            "/contactMedium/0/characteristic/emailAddress"
        );
        let twice = |b: &mut Value| {
            let first = b["contactMedium"][0].clone();
            b["contactMedium"].as_array_mut().unwrap().push(first);
        };
        assert_eq!(fault(twice), "/contactMedium/1/preferred");
    }
}
