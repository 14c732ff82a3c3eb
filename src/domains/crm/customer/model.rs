//! A customer and what is checked before one is made: pure.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domains::crm::port::{
    ContactMediumView, CreateCustomer, CustomerId, CustomerStatus, CustomerView, IndividualView, KycStatus, MediumType,
};
use crate::platform::error::{Error, Result};

const NAME_CHARS_MAX: usize = 100;
const EMAIL_BYTES_MAX: usize = 254;
const ADDRESS_CHARS_MAX: usize = 300;

/// A customer with person and live contact media. What a repeated request is answered with is kept in this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::domains::crm) struct Customer {
    pub(super) id: CustomerId,
    pub(super) party_id: String,
    pub(super) account_id: String,
    pub(super) status: CustomerStatus,
    pub(super) status_reason: Option<String>,
    pub(super) since: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) kyc_status: KycStatus,
    pub(super) kyc_verified_at: Option<DateTime<Utc>>,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) date_of_birth: Option<NaiveDate>,
    /// Sorted as [`Medium::order`] says.
    pub(super) media: Vec<Medium>,
    /// Official TMF629 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
    pub(super) version: i64,
}

/// A live contact medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Medium {
    pub(super) id: String,
    pub(super) kind: MediumType,
    pub(super) value: String,
    pub(super) is_primary: bool,
    pub(super) valid_from: DateTime<Utc>,
    /// Official TMF629 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
}

impl Customer {
    pub(super) fn full_name(&self) -> String {
        full_name(&self.given_name, &self.family_name)
    }
}

impl Medium {
    /// By type, the primary one first; the store sorts likewise.
    pub(super) fn order(&self) -> (MediumType, bool, DateTime<Utc>, &str) {
        (self.kind, !self.is_primary, self.valid_from, &self.id)
    }
}

/// A customer that is to be made, checked.
#[derive(Debug, PartialEq)]
pub(super) struct NewCustomer {
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) date_of_birth: Option<NaiveDate>,
    pub(super) media: Vec<NewMedium>,
    pub(super) attributes: Map<String, Value>,
}

/// A contact medium that is to be made, checked.
#[derive(Debug, PartialEq)]
pub(super) struct NewMedium {
    pub(super) kind: MediumType,
    pub(super) value: String,
    pub(super) is_primary: bool,
    /// From now on when None.
    pub(super) valid_from: Option<DateTime<Utc>>,
    pub(super) attributes: Map<String, Value>,
}

impl NewMedium {
    fn plain(kind: MediumType, value: String, is_primary: bool) -> Self {
        Self { kind, value, is_primary, valid_from: None, attributes: Map::new() }
    }
}

impl NewCustomer {
    /// Of the flat command. `placeholder` is a text that no other customer has: it makes the address of one who gave none.
    pub(super) fn of(command: CreateCustomer, today: NaiveDate, placeholder: &str) -> Result<Self> {
        let (given_name, family_name) = match (command.name, command.given_name, command.family_name) {
            (Some(name), None, None) => split_name(&name).map_err(|m| Error::invalid("/name", m))?,
            (None, Some(given), Some(family)) => (
                name_part(&given).map_err(|m| Error::invalid("/givenName", m))?,
                name_part(&family).map_err(|m| Error::invalid("/familyName", m))?,
            ),
            _ => return Err(Error::invalid("/name", "give name, or givenName and familyName")),
        };
        let date_of_birth = command.date_of_birth.map(|date| birth_date(date, today)).transpose();
        let date_of_birth = date_of_birth.map_err(|m| Error::invalid("/dateOfBirth", m))?;
        let mut media = Vec::with_capacity(2);
        if let Some(email) = command.email {
            let email = contact_value(MediumType::Email, &email).map_err(|m| Error::invalid("/email", m))?;
            media.push(NewMedium::plain(MediumType::Email, email, true));
        }
        if let Some(phone) = command.phone {
            let phone = contact_value(MediumType::Mobile, &phone).map_err(|m| Error::invalid("/phone", m))?;
            let is_primary = media.is_empty();
            media.push(NewMedium::plain(MediumType::Mobile, phone, is_primary));
        }
        if media.is_empty() {
            let name: String = given_name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
            let address = format!("{}.{placeholder}@local", name.to_ascii_lowercase());
            media.push(NewMedium::plain(MediumType::Email, address.trim_start_matches('.').to_owned(), true));
        }
        Ok(Self { given_name, family_name, date_of_birth, media, attributes: Map::new() })
    }
}

/// The name as people say it: that of somebody with a single one, which is both of them, is said once. The store builds it
/// likewise.
fn full_name(given: &str, family: &str) -> String {
    if given == family { given.to_owned() } else { format!("{given} {family}") }
}

/// The first word is the given name, the rest the family name; a single word is both.
pub(super) fn split_name(name: &str) -> Result<(String, String), &'static str> {
    let name = name.trim();
    let (given, family) = name.split_once(char::is_whitespace).unwrap_or((name, name));
    Ok((name_part(given)?, name_part(family)?))
}

/// One part of a name, trimmed.
pub(super) fn name_part(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
        return Err("must be 1 to 100 characters");
    }
    Ok(text.to_owned())
}

/// A day on which somebody who lives today may have been born.
pub(super) fn birth_date(date: NaiveDate, today: NaiveDate) -> Result<NaiveDate, &'static str> {
    if date > today || date.year() < 1900 {
        return Err("must be a day from 1900-01-01 to today");
    }
    Ok(date)
}

/// The value of a contact medium in the form in which it is stored.
pub(super) fn contact_value(medium_type: MediumType, text: &str) -> Result<String, &'static str> {
    match medium_type {
        MediumType::Email => email(text),
        MediumType::Mobile => phone(text),
        MediumType::Postal => postal(text),
    }
}

/// Trimmed, one `@`, no blanks. Upper case is kept as written: only mail servers know what it means before the `@`.
fn email(text: &str) -> Result<String, &'static str> {
    const MESSAGE: &str = "must be an e-mail address";
    let text = text.trim();
    let (local, domain) = text.split_once('@').ok_or(MESSAGE)?;
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')');
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
    };
    let well_formed = text.len() <= EMAIL_BYTES_MAX
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && domain.split('.').all(label);
    if well_formed { Ok(text.to_owned()) } else { Err(MESSAGE) }
}

/// Digits, with a plus where there was one; what people write between them is left out.
fn phone(text: &str) -> Result<String, &'static str> {
    const MESSAGE: &str = "must be a phone number of 4 to 15 digits, such as +6591234567";
    let text = text.trim();
    let (plus, rest) = text.strip_prefix('+').map_or(("", text), |rest| ("+", rest));
    let digits: String = rest.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')).collect();
    let well_formed = (4..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if well_formed { Ok(format!("{plus}{digits}")) } else { Err(MESSAGE) }
}

fn postal(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let unprintable = |c: char| c.is_control() && c != '\n';
    if text.is_empty() || text.chars().count() > ADDRESS_CHARS_MAX || text.chars().any(unprintable) {
        return Err("must be 1 to 300 characters");
    }
    Ok(text.to_owned())
}

impl From<Customer> for CustomerView {
    fn from(customer: Customer) -> Self {
        Self {
            id: customer.id,
            account_id: customer.account_id,
            status: customer.status,
            status_reason: customer.status_reason,
            kyc_status: customer.kyc_status,
            kyc_verified_at: customer.kyc_verified_at,
            customer_since: customer.since,
            individual: IndividualView {
                given_name: customer.given_name,
                family_name: customer.family_name,
                date_of_birth: customer.date_of_birth,
            },
            contact_medium: customer.media.into_iter().map(ContactMediumView::from).collect(),
            version: customer.version,
        }
    }
}

impl From<Medium> for ContactMediumView {
    fn from(medium: Medium) -> Self {
        Self {
            id: medium.id,
            medium_type: medium.kind,
            value: medium.value,
            is_primary: medium.is_primary,
            valid_from: medium.valid_from,
            valid_to: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(name: Option<&str>, email: Option<&str>, phone: Option<&str>) -> CreateCustomer {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        CreateCustomer {
            name: owned(name),
            given_name: None,
            family_name: None,
            email: owned(email),
            phone: owned(phone),
            date_of_birth: None,
        }
    }

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 5, 10).unwrap()
    }

    fn media(email: Option<&str>, phone: Option<&str>) -> Vec<(MediumType, String, bool)> {
        let new = NewCustomer::of(command(Some("Ada Q. Lovelace"), email, phone), today(), "0a1b2c").unwrap();
        assert_eq!((new.given_name.as_str(), new.family_name.as_str()), ("Ada", "Q. Lovelace"));
        new.media.into_iter().map(|m| (m.kind, m.value, m.is_primary)).collect()
    }

    #[test]
    fn the_short_form_makes_media_and_a_placeholder_where_there_are_none() {
        assert_eq!(
            media(Some(" Ada@Example.test "), Some("+65 9123-4567")),
            [(MediumType::Email, "Ada@Example.test".into(), true), (MediumType::Mobile, "+6591234567".into(), false)]
        );
        assert_eq!(media(None, Some("91234567")), [(MediumType::Mobile, "91234567".into(), true)]);
        assert_eq!(media(None, None), [(MediumType::Email, "ada.0a1b2c@local".into(), true)]);
    }

    #[test]
    fn faults_name_their_argument() {
        let pointer = |command| match NewCustomer::of(command, today(), "x").unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        };
        assert_eq!(pointer(command(None, None, None)), "/name");
        assert_eq!(pointer(command(Some("  "), None, None)), "/name");
        assert_eq!(pointer(command(Some("Ada"), Some("ada"), None)), "/email");
        assert_eq!(pointer(command(Some("Ada"), None, Some("12"))), "/phone");
        let unborn = CreateCustomer { date_of_birth: today().succ_opt(), ..command(Some("Ada"), None, None) };
        assert_eq!(pointer(unborn), "/dateOfBirth");
        let both = CreateCustomer { given_name: Some("Ada".into()), ..command(Some("Ada"), None, None) };
        assert_eq!(pointer(both), "/name");
    }

    #[test]
    fn a_single_word_is_both_names() {
        assert_eq!(split_name(" Cher "), Ok(("Cher".into(), "Cher".into())));
        for (name, said) in [(" Cher ", "Cher"), ("Ada  Q. Lovelace", "Ada Q. Lovelace")] {
            let (given, family) = split_name(name).unwrap();
            assert_eq!(full_name(&given, &family), said);
        }
    }

    #[test]
    fn addresses_are_checked() {
        for good in ["a@b", "nadia+esim@example.sg", "ünal@exämple.test", "o'neil@a-b.c.d"] {
            assert_eq!(contact_value(MediumType::Email, good), Ok(good.to_owned()));
        }
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b..c", "a@-b", "<a@b>", &format!("{}@b", "a".repeat(65))]
        {
            assert!(contact_value(MediumType::Email, bad).is_err(), "{bad}");
        }
        for bad in ["", "+", "123", "１２３４５", "1234567890123456", "++6512345"] {
            assert!(contact_value(MediumType::Mobile, bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_is_stored_the_same_way_again(text in ".{0,40}", kind in 0_usize..3) {
            let kind = MediumType::ALL[kind];
            if let Ok(stored) = contact_value(kind, &text) {
                prop_assert_eq!(contact_value(kind, &stored), Ok(stored.clone()));
                prop_assert!(!stored.is_empty() && stored.trim() == stored);
            }
        }
    }
}
