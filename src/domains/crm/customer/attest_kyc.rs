//! Recording that a provider has attested a customer's identity.
//!
//! The document number is reduced to a keyed hash and its last four characters before anything else happens, and is then
//! forgotten: it reaches no table, log line or event. The hash is keyed because the numbers of a country are few enough to
//! be tried one by one, and it leaves the provider out so that the same document is recognised whoever attests it.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::events::KycAttested;
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::input::country;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{AttestKyc, CustomerId, CustomerView, KycStatus};
use crate::platform::config::Secret;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// What is left of a document.
struct Document {
    kind: String,
    country: String,
    number_hash: String,
    number_last4: String,
}

impl Service {
    pub(crate) async fn attest(&self, cx: &Context, command: AttestKyc) -> Result<CustomerView> {
        let date_of_birth = super::model::birth_date(command.date_of_birth, cx.now.date_naive());
        let date_of_birth = date_of_birth.map_err(|m| Error::invalid("/dateOfBirth", m))?;
        let nationality = command.nationality.as_deref().map(|text| country(text, "/nationality")).transpose()?;
        provider(&command.provider)?;
        let document = self.reduce(&command)?;

        let tx = self.platform.db.begin().await?;
        let customer = store::lock(&tx, cx, &command.customer_id).await?;
        let mut customer = customer.ok_or_else(|| Error::not_found("customer", &command.customer_id))?;
        policy::changeable(&customer.id, customer.status)?;
        let prebaked_allowed = self.platform.config.kyc_allow_prebaked;
        policy::corroborated(&command.provider, &command.attestation_token, prebaked_allowed)?;
        let identity = store::Identity {
            document_type: &document.kind,
            document_number_hash: &document.number_hash,
            document_number_last4: &document.number_last4,
            document_country: &document.country,
            date_of_birth,
            nationality: nationality.as_deref(),
            provider: &command.provider,
        };
        let put = store::put_identity(&tx, cx, &customer.id, &identity).await;
        put.map_err(|error| policy::document_taken(error, &document.kind))?;
        customer.kyc_status = KycStatus::Verified;
        customer.kyc_verified_at = Some(cx.now);
        store::save(&tx, cx, &mut customer).await?;
        let summary = format!("KYC attested via {}", command.provider);
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let attested = KycAttested {
            customer_id: customer.id.clone(),
            party_id: customer.party_id.clone(),
            provider: command.provider,
            document_type: document.kind,
            document_country: document.country,
            kyc_status: customer.kyc_status,
            version: customer.version,
        };
        outbox::stage(&tx, cx, &attested).await?;
        tx.commit().await?;
        Ok(customer.into())
    }

    fn reduce(&self, command: &AttestKyc) -> Result<Document> {
        let document_type = document_type(&command.document_type)?;
        let home = &self.platform.config.profile.country;
        let country = country(command.document_country.as_deref().unwrap_or(home), "/documentCountry")?;
        let number = match &command.document_number {
            Some(number) => normalised(number)?,
            None if command.provider == policy::PREBAKED => made_up(&command.customer_id),
            None => {
                let violation = policy::DOCUMENT_REQUIRED.violated("The number of the document is missing");
                return Err(violation.with("provider", &command.provider).into());
            }
        };
        let Some(key) = &self.platform.config.kyc_hash_key else {
            return Err(Error::unavailable(
                "Identities cannot be recorded: set BSS_KYC_HASH_KEY to at least 32 random characters",
            ));
        };
        let number_hash = keyed_hash(key, &country, &number);
        let number_last4 = number[number.len() - 4..].to_owned();
        Ok(Document { kind: document_type, country, number_hash, number_last4 })
    }
}

/// Upper case, without the blanks and dashes that people write. ASCII, and longer than what is kept of it.
fn normalised(number: &str) -> Result<String> {
    let number: String = number.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '/')).collect();
    if !(5..=40).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::invalid("/documentNumber", "must be 5 to 40 letters and digits"));
    }
    Ok(number.to_ascii_uppercase())
}

/// The stand-in of a prebaked attestation without a document: two customers never share one.
fn made_up(id: &CustomerId) -> String {
    id.as_str().chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase() + "XXXX"
}

fn document_type(text: &str) -> Result<String> {
    let text = text.trim().to_ascii_lowercase();
    if !(1..=40).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Error::invalid("/documentType", "must be a word such as nric, passport, fin or driving_license"));
    }
    Ok(text)
}

/// Kept, shown and published with the attestation, so it is a word and not a text.
fn provider(text: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !(1..=40).contains(&text.len()) || !text.bytes().all(allowed) {
        return Err(Error::invalid("/provider", "must be a word of at most 40 letters, digits, '_', '-' and '.'"));
    }
    Ok(())
}

fn keyed_hash(key: &Secret, country: &str, number: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(country.as_bytes());
    mac.update(b"|");
    mac.update(number.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_document_is_recognised_however_it_is_written() {
        assert_eq!(normalised(" s-1234 567d ").unwrap(), "S1234567D");
        for bad in ["", "1234", "1-2-3-4", "S12345Ü7", &"1".repeat(41)] {
            assert!(normalised(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hash_depends_on_key_country_and_number() {
        let key = |text: &str| Secret::new(text.to_owned());
        let hash = keyed_hash(&key("k1"), "SG", "S1234567D");
        assert_eq!(hash.len(), 64);
        assert_eq!(hash, keyed_hash(&key("k1"), "SG", "S1234567D"));
        let others = [
            keyed_hash(&key("k2"), "SG", "S1234567D"),
            keyed_hash(&key("k1"), "MY", "S1234567D"),
            keyed_hash(&key("k1"), "SG", "S1234567E"),
        ];
        assert!(others.iter().all(|other| *other != hash));
    }

    #[test]
    fn customers_without_a_document_differ() {
        let one = made_up(&"CUST-0a1b2c3d4e5f".parse().unwrap());
        assert_ne!(one, made_up(&"CUST-0a1b2c3d4e60".parse().unwrap()));
        assert_eq!(normalised(&one).unwrap(), one);
        assert!(one.ends_with("XXXX"), "nothing of the id shows as last four characters");
    }
}
