//! Operations of crm: customers and their timeline.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::crm::port::{
    AddContactMedium, AttestKyc, CloseCustomer, ContactMediumView, CreateCustomer, CustomerId, CustomerView,
    InteractionView, ListCustomers, ListInteractions, LogInteraction, Msisdn, RemoveContactMedium, UpdateContactMedium,
    rule,
};
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<CreateCustomer>()
        .with::<GetCustomer>()
        .with::<ListCustomers>()
        .with::<FindCustomerByEmail>()
        .with::<FindCustomerByMsisdn>()
        .with::<AddContactMedium>()
        .with::<UpdateContactMedium>()
        .with::<RemoveContactMedium>()
        .with::<AttestKyc>()
        .with::<CloseCustomer>()
        .with::<LogInteraction>()
        .with::<ListInteractions>()
}

impl Operation<Services> for CreateCustomer {
    const NAME: &'static str = "customer.create";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::EMAIL_UNIQUE];
    const EXAMPLE: &'static str = r#"{"name": "Ada Lovelace", "email": "ada@example.test", "phone": "+6591234567"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.create(cx, self).await
    }
}

/// Show one customer with person, contact media and KYC status.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetCustomer {
    pub customer_id: CustomerId,
}

impl Operation<Services> for GetCustomer {
    const NAME: &'static str = "customer.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.customer(cx, &self.customer_id).await
    }
}

impl Operation<Services> for ListCustomers {
    const NAME: &'static str = "customer.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"name": "lovelace", "status": "active"}"#;
    type Output = Vec<CustomerView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.customers(cx, self).await
    }
}

/// Find the customer who has an e-mail address, in whatever case it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindCustomerByEmail {
    pub email: String,
}

impl Operation<Services> for FindCustomerByEmail {
    const NAME: &'static str = "customer.find_by_email";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"email": "ada@example.test"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.find_by_email(cx, &self.email).await
    }
}

/// Find the customer whose line has a number now. Not found when no line has it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindCustomerByMsisdn {
    /// Digits without the calling code.
    pub msisdn: Msisdn,
}

impl Operation<Services> for FindCustomerByMsisdn {
    const NAME: &'static str = "customer.find_by_msisdn";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"msisdn": "90000042"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let line = services.subscriptions.line_by_number(cx, &self.msisdn).await?;
        // A number that rests or is free leads to nobody, whoever had it last.
        if line.terminated_at.is_some() {
            return Err(Error::not_found("line with number", &self.msisdn));
        }
        services.customers.customer(cx, &line.customer_id).await
    }
}

impl Operation<Services> for AddContactMedium {
    const NAME: &'static str = "customer.add_contact_medium";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::EMAIL_UNIQUE, rule::UPDATE_CLOSED];
    const EXAMPLE: &'static str =
        r#"{"customerId": "CUST-4be1709c0d2f", "mediumType": "mobile", "value": "+6591234567"}"#;
    type Output = ContactMediumView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.add_contact_medium(cx, self).await
    }
}

impl Operation<Services> for UpdateContactMedium {
    const NAME: &'static str = "customer.update_contact_medium";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::MEDIUM_UNKNOWN, rule::EMAIL_CHANGE_FLOW, rule::UPDATE_CLOSED];
    const EXAMPLE: &'static str =
        r#"{"customerId": "CUST-4be1709c0d2f", "contactMediumId": "CM-0d2f6a11", "value": "+6591234568"}"#;
    type Output = ContactMediumView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.update_contact_medium(cx, self).await
    }
}

impl Operation<Services> for RemoveContactMedium {
    const NAME: &'static str = "customer.remove_contact_medium";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::MEDIUM_NOT_FOUND, rule::LAST_MEDIUM, rule::LOGIN_EMAIL, rule::UPDATE_CLOSED];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "contactMediumId": "CM-0d2f6a11"}"#;
    type Output = ContactMediumView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.remove_contact_medium(cx, self).await
    }
}

impl Operation<Services> for AttestKyc {
    const NAME: &'static str = "customer.attest_kyc";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[
        rule::UNCORROBORATED,
        rule::SIGNATURE_INVALID,
        rule::DOCUMENT_REQUIRED,
        rule::DOCUMENT_UNIQUE,
        rule::UPDATE_CLOSED,
    ];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "attestationToken": "prebaked-1"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.attest_kyc(cx, self).await
    }
}

impl Operation<Services> for CloseCustomer {
    const NAME: &'static str = "customer.close";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::ALREADY_CLOSED, rule::NO_ACTIVE_SUBSCRIPTIONS];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "reason": "moved away"}"#;
    type Output = CustomerView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.close(cx, self).await
    }
}

impl Operation<Services> for LogInteraction {
    const NAME: &'static str = "interaction.log";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{"customerId": "CUST-4be1709c0d2f", "summary": "Asked for the price of roaming", "direction": "inbound"}"#;
    type Output = InteractionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.log_interaction(cx, self).await
    }
}

impl Operation<Services> for ListInteractions {
    const NAME: &'static str = "interaction.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f"}"#;
    type Output = Vec<InteractionView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.customers.interactions(cx, self).await
    }
}
