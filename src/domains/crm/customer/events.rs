//! What happens to customers. No names, addresses or document numbers.

use serde::{Deserialize, Serialize};

use crate::domains::crm::port::{CustomerId, KycStatus, MediumType};
use crate::platform::outbox::Event;

macro_rules! customer_event {
    ($name:ident, $type:literal) => {
        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "customer";
            fn aggregate_id(&self) -> &str {
                self.customer_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::domains::crm) struct CustomerCreated {
    pub(in crate::domains::crm) customer_id: CustomerId,
    pub(in crate::domains::crm) account_id: String,
    /// The person behind the customer. Empty in events of versions that did not tell.
    #[serde(default)]
    pub(in crate::domains::crm) party_id: String,
    pub(in crate::domains::crm) contact_medium_types: Vec<MediumType>,
    pub(in crate::domains::crm) version: i64,
}
customer_event!(CustomerCreated, "customer.created");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactMediumAdded {
    pub(super) customer_id: CustomerId,
    /// The person behind the customer. Empty in events of versions that did not tell.
    #[serde(default)]
    pub(super) party_id: String,
    pub(super) contact_medium_id: String,
    pub(super) medium_type: MediumType,
    pub(super) is_primary: bool,
    pub(super) version: i64,
}
customer_event!(ContactMediumAdded, "customer.contact_medium_added");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactMediumUpdated {
    pub(super) customer_id: CustomerId,
    /// The person behind the customer. Empty in events of versions that did not tell.
    #[serde(default)]
    pub(super) party_id: String,
    pub(super) contact_medium_id: String,
    pub(super) medium_type: MediumType,
    pub(super) is_primary: bool,
    pub(super) version: i64,
}
customer_event!(ContactMediumUpdated, "customer.contact_medium_updated");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContactMediumRemoved {
    pub(super) customer_id: CustomerId,
    /// The person behind the customer. Empty in events of versions that did not tell.
    #[serde(default)]
    pub(super) party_id: String,
    pub(super) contact_medium_id: String,
    pub(super) medium_type: MediumType,
    pub(super) version: i64,
}
customer_event!(ContactMediumRemoved, "customer.contact_medium_removed");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KycAttested {
    pub(super) customer_id: CustomerId,
    /// The person behind the customer. Empty in events of versions that did not tell.
    #[serde(default)]
    pub(super) party_id: String,
    pub(super) provider: String,
    pub(super) document_type: String,
    pub(super) document_country: String,
    pub(super) kyc_status: KycStatus,
    pub(super) version: i64,
}
customer_event!(KycAttested, "customer.kyc_attested");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerClosed {
    pub(super) customer_id: CustomerId,
    pub(super) version: i64,
}
customer_event!(CustomerClosed, "customer.closed");

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerUpdated {
    pub(super) customer_id: CustomerId,
    /// The person behind the customer.
    pub(super) party_id: String,
    /// Names of what was changed, never what it holds.
    pub(super) fields_updated: Vec<&'static str>,
    pub(super) version: i64,
}
customer_event!(CustomerUpdated, "customer.updated");
