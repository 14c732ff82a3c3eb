//! Customers and their timeline on a real database, and TMF629 through the HTTP edge.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::middleware;
use bss::domains::crm::port::{
    AddContactMedium, AttestKyc, CreateCustomer, CustomerId, CustomerView, Customers as _, Direction, KycStatus,
    ListCustomers, ListInteractions, LogInteraction, MediumType, RemoveContactMedium, UpdateContactMedium, rule,
};
use bss::domains::crm::{self, Service};
use bss::platform::Platform;
use bss::platform::context::{Channel, Context};
use bss::platform::error::{Error, Result, Rule};
use bss::platform::http::{Edge, Limits, layers};
use bss::platform::idempotency::IdempotencyRequest;
use bss::platform::perimeter::TokenMap;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::app::TestApp;
use crate::support::cluster;
use crate::support::tmf_gate::{self, Api};

struct Crm {
    platform: Platform,
    service: Arc<Service>,
    cx: Context,
}

impl Crm {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(changes: &[(&str, &str)]) -> Self {
        let platform = cluster::platform(changes).await;
        let now = platform.clock.now().await.expect("the set-up of the test holds");
        let mut cx = Context::system("AGT-001", "test".into(), now);
        cx.channel = Channel::Cli;
        let service = Arc::new(Service::new(platform.clone()));
        let tx = platform.db.begin().await.expect("the set-up of the test holds");
        crm::seed(&tx, &cx, &platform.config.profile).await.expect("the set-up of the test holds");
        tx.commit().await.expect("the set-up of the test holds");
        Self { platform, service, cx }
    }

    async fn create(&self, name: &str, email: &str) -> Result<CustomerView> {
        self.service.create(&self.cx, named(name, Some(email))).await
    }

    async fn attest(&self, id: &CustomerId, number: Option<&str>) -> Result<CustomerView> {
        self.service.attest_kyc(&self.cx, attestation(id, number)).await
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.platform.db.pool()).await.expect("the set-up of the test holds")
    }

    async fn events(&self, id: &CustomerId) -> Vec<String> {
        sqlx::query_scalar("select event_type from audit.domain_event where aggregate_type = 'customer' and aggregate_id = $1 order by id")
            .bind(id.as_str())
            .fetch_all(self.platform.db.pool())
            .await
            .expect("the set-up of the test holds")
    }

    async fn timeline(&self, id: &CustomerId) -> Vec<String> {
        let filter = ListInteractions { customer_id: id.clone(), limit: 50 };
        self.service
            .interactions(&self.cx, filter)
            .await
            .expect("the set-up of the test holds")
            .into_iter()
            .map(|line| line.summary)
            .collect()
    }

    fn api(&self) -> Router {
        let tokens =
            TokenMap::new(&[("BSS_API_TOKEN".to_owned(), "a1".repeat(32))], &[]).expect("the set-up of the test holds");
        let edge = Edge::new(tokens, self.platform.clock.clone(), self.platform.ids.clone(), Limits::default());
        let edge = Arc::new(edge);
        crm::router(Arc::clone(&self.service)).layer(middleware::from_fn_with_state(edge, layers::guard))
    }

    async fn http(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-bss-api-token", "a1".repeat(32));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self
            .api()
            .oneshot(request.body(body).expect("the set-up of the test holds"))
            .await
            .expect("the set-up of the test holds");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("the set-up of the test holds");
        let header = |name: &str| {
            headers.get(name).map(|value| value.to_str().expect("the set-up of the test holds").to_owned())
        };
        Answer {
            status,
            location: header("location"),
            etag: header("etag"),
            total: header("x-total-count"),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn post(&self, body: &Value) -> Answer {
        self.http(Method::POST, COLLECTION, Some(body), &[]).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.http(Method::GET, path, None, &[]).await
    }
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    etag: Option<String>,
    total: Option<String>,
    body: Value,
}

const COLLECTION: &str = "/tmf-api/customerManagement/v4/customer";

fn named(name: &str, email: Option<&str>) -> CreateCustomer {
    CreateCustomer {
        name: Some(name.to_owned()),
        given_name: None,
        family_name: None,
        email: email.map(str::to_owned),
        phone: None,
        date_of_birth: None,
    }
}

fn attestation(id: &CustomerId, number: Option<&str>) -> AttestKyc {
    let mut arguments = json!({ "customerId": id, "attestationToken": "token-1" });
    if let Some(number) = number {
        arguments["documentNumber"] = json!(number);
    }
    serde_json::from_value(arguments).expect("the set-up of the test holds")
}

#[track_caller]
fn violates<T: std::fmt::Debug>(result: Result<T>, rule: Rule) {
    let error = result.expect_err("refused");
    assert_eq!(error.violation().map(|violation| violation.rule), Some(rule), "{error}");
}

#[tokio::test]
async fn a_new_customer_is_active_and_its_birth_is_told_once_everywhere() {
    let crm = Crm::new().await;
    let customer = crm.create("Nadia Ong", "nadia+esim@example.test").await.unwrap();
    assert!(customer.id.as_str().starts_with("CUST-") && customer.account_id.starts_with("ACC-"));
    assert_eq!(customer.kyc_status, KycStatus::NotVerified);
    assert_eq!(crm.service.customer(&crm.cx, &customer.id).await.unwrap(), customer);
    assert_eq!(crm.events(&customer.id).await, ["customer.created"]);
    assert_eq!(crm.timeline(&customer.id).await, ["Customer created: Nadia Ong"]);
    assert_eq!(crm.service.find_by_email(&crm.cx, " NADIA+esim@Example.test").await.unwrap().id, customer.id);
    let payloads =
        "select count(*) from audit.domain_event where payload::text ilike '%nadia%' or payload::text ilike '%ong%'";
    assert_eq!(crm.count(payloads).await, 0, "no names in events");
}

#[tokio::test]
async fn an_address_belongs_to_one_customer_in_whatever_case_and_however_many_ask_at_once() {
    let crm = Crm::new().await;
    let first = crm.create("Ada Lovelace", "ada@example.test").await.unwrap();
    violates(crm.create("Ada Twin", "ADA@example.TEST").await, rule::EMAIL_UNIQUE);
    let racing = (0..8).map(|_| crm.create("Bob Race", "Race@example.test"));
    let outcomes = futures::future::join_all(racing).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        violates(outcome, rule::EMAIL_UNIQUE);
    }
    let bob = crm.service.find_by_email(&crm.cx, "race@example.test").await.unwrap();
    let taken = AddContactMedium {
        customer_id: first.id.clone(),
        medium_type: MediumType::Email,
        value: "race@EXAMPLE.test".into(),
        is_primary: true,
    };
    violates(crm.service.add_contact_medium(&crm.cx, taken).await, rule::EMAIL_UNIQUE);
    assert_eq!(crm.count("select count(*) from crm.party").await, 2, "a refusal leaves nothing behind");
    assert_eq!(bob.individual.given_name, "Bob");
}

#[tokio::test]
async fn a_customer_without_contact_gets_a_placeholder_of_its_own() {
    let crm = Crm::new().await;
    let (one, two) = tokio::join!(
        crm.service.create(&crm.cx, named("Cher", None)),
        crm.service.create(&crm.cx, named("Cher", None))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.contact_medium[0].value, two.contact_medium[0].value);
    assert!(one.contact_medium[0].value.starts_with("cher.") && one.contact_medium[0].value.ends_with("@local"));
}

#[tokio::test]
async fn the_same_request_sent_twice_makes_one_customer() {
    let crm = Crm::new().await;
    let keyed = |body: &[u8]| {
        let request = IdempotencyRequest::new("key-1", "customer.create", body).unwrap();
        Context { idempotency: Some(Arc::new(request)), ..crm.cx.clone() }
    };
    let cx = keyed(b"1");
    let twins =
        futures::future::join_all((0..4).map(|_| crm.service.create(&cx, named("Ada", Some("ada@example.test")))))
            .await;
    let made = twins.iter().flatten().next().expect("one of them is answered").clone();
    for twin in twins {
        match twin {
            Ok(same) => assert_eq!(same, made),
            Err(error) => assert!(matches!(error, Error::Conflict(_)), "{error}"),
        }
    }
    assert_eq!(crm.service.create(&cx, named("Ada", Some("ada@example.test"))).await.unwrap(), made);
    let other = crm.service.create(&keyed(b"2"), named("Ada", Some("ada2@example.test"))).await;
    assert_eq!(other.unwrap_err().violation().unwrap().rule.id(), "idempotency.key_reused_with_other_body");
    assert_eq!(crm.count("select count(*) from crm.customer").await, 1);
}

#[tokio::test]
async fn a_name_is_looked_up_and_not_searched_for_in_all_rows() {
    let crm = Crm::new().await;
    let plan: Vec<String> = sqlx::query_scalar(
        "explain select party_id from crm.individual
         where lower(given_name || ' ' || family_name) ~>=~ lower('Ad') and lower(given_name || ' ' || family_name) ~<~ 'ae'
         union all select party_id from crm.individual where lower(family_name) ~>=~ lower('Ad') and lower(family_name) ~<~ 'ae'",
    )
    .fetch_all(crm.platform.db.keyed_pool())
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("ix_individual_name_prefix") && plan.contains("ix_individual_family_prefix"), "{plan}");
}

#[tokio::test]
async fn lists_find_both_names_in_any_case_and_never_addresses() {
    let crm = Crm::new().await;
    for (name, email) in
        [("Nadia Ong", "x1@example.test"), ("Bong Tan", "x2@example.test"), ("Per%Cent Lee", "ong@example.test")]
    {
        crm.create(name, email).await.unwrap();
    }
    let find = async |arguments: Value| {
        let filter: ListCustomers = serde_json::from_value(arguments).unwrap();
        let found = crm.service.customers(&crm.cx, filter).await.unwrap();
        let mut names: Vec<String> = found.into_iter().map(|customer| customer.individual.given_name).collect();
        names.sort();
        names
    };
    assert_eq!(find(json!({"name": "ONG"})).await, ["Nadia"], "by the family name");
    assert_eq!(find(json!({"name": " bON"})).await, ["Bong"], "by the whole name");
    assert_eq!(find(json!({"name": "nadia o"})).await, ["Nadia"]);
    assert_eq!(find(json!({"name": "nadia ong"})).await, ["Nadia"]);
    assert_eq!(find(json!({"name": "adia"})).await, [""; 0], "what is in the middle is not searched");
    assert_eq!(find(json!({"name": "%"})).await, [""; 0], "no character stands for others");
    assert_eq!(find(json!({"name": "per%"})).await, ["Per%Cent"]);
    assert_eq!(find(json!({"name": "example.test"})).await, [""; 0]);
    assert_eq!(find(json!({"status": "closed"})).await, [""; 0]);
    assert_eq!(find(json!({"limit": 2})).await.len(), 2);
    let unbounded = serde_json::from_value::<ListCustomers>(json!({"limit": 1_000_000})).unwrap();
    assert!(matches!(crm.service.customers(&crm.cx, unbounded).await, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn a_new_primary_medium_takes_the_place_of_the_former_one_of_its_type() {
    let crm = Crm::new().await;
    let customer = crm.create("Ada Lovelace", "ada@example.test").await.unwrap();
    let add = async |medium_type, value: &str, is_primary| {
        let command =
            AddContactMedium { customer_id: customer.id.clone(), medium_type, value: value.into(), is_primary };
        crm.service.add_contact_medium(&crm.cx, command).await
    };
    add(MediumType::Mobile, "+65 9123 4567", true).await.unwrap();
    add(MediumType::Email, "ada2@example.test", true).await.unwrap();
    assert!(
        matches!(add(MediumType::Email, "nonsense", false).await, Err(Error::Invalid { pointer, .. }) if pointer == "/value")
    );
    let now = crm.service.customer(&crm.cx, &customer.id).await.unwrap();
    let media: Vec<(&str, bool)> =
        now.contact_medium.iter().map(|medium| (medium.value.as_str(), medium.is_primary)).collect();
    assert_eq!(media, [("ada2@example.test", true), ("ada@example.test", false), ("+6591234567", true)]);
    assert_eq!(now.version, 3);
    assert_eq!(crm.events(&customer.id).await[1..], ["customer.contact_medium_added"; 2]);
    assert_eq!(crm.timeline(&customer.id).await[0], "Contact medium added: email");
    let unknown = AddContactMedium {
        customer_id: "CUST-000000000000".parse().unwrap(),
        medium_type: MediumType::Mobile,
        value: "+6591234567".into(),
        is_primary: false,
    };
    assert!(matches!(crm.service.add_contact_medium(&crm.cx, unknown).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn media_change_and_go_but_somebody_can_always_be_reached() {
    let crm = Crm::new().await;
    let customer = crm.create("Ada Lovelace", "ada@example.test").await.unwrap();
    let other = crm.create("Bob Babbage", "bob@example.test").await.unwrap();
    let id = &customer.id;
    let add = async |medium_type, value: &str, is_primary| {
        let command = AddContactMedium { customer_id: id.clone(), medium_type, value: value.into(), is_primary };
        crm.service.add_contact_medium(&crm.cx, command).await.unwrap().id
    };
    let update = async |medium: &str, value: Option<&str>, make_primary| {
        let value = value.map(str::to_owned);
        let contact_medium_id = medium.to_owned();
        let command = UpdateContactMedium { customer_id: id.clone(), contact_medium_id, value, make_primary };
        crm.service.update_contact_medium(&crm.cx, command).await
    };
    let remove = async |medium: &str| {
        let command = RemoveContactMedium { customer_id: id.clone(), contact_medium_id: medium.to_owned() };
        crm.service.remove_contact_medium(&crm.cx, command).await
    };
    let mail = customer.contact_medium[0].id.clone();
    let theirs = other.contact_medium[0].id.clone();
    violates(remove(&mail).await, rule::LAST_MEDIUM);
    violates(remove(&theirs).await, rule::MEDIUM_NOT_FOUND);
    violates(update(&theirs, Some("+6591234567"), false).await, rule::MEDIUM_UNKNOWN);

    let phone = add(MediumType::Mobile, "+65 9123 4567", false).await;
    violates(remove(&mail).await, rule::LOGIN_EMAIL);
    violates(update(&mail, Some("ada2@example.test"), false).await, rule::EMAIL_CHANGE_FLOW);
    assert!(
        matches!(update(&phone, Some("12"), false).await, Err(Error::Invalid { pointer, .. }) if pointer == "/value")
    );
    assert!(matches!(update(&phone, None, false).await, Err(Error::Invalid { .. })));
    let changed = update(&phone, Some("+65 9123 0000"), true).await.unwrap();
    assert_eq!((changed.value.as_str(), changed.is_primary), ("+6591230000", true));
    let version = crm.service.customer(&crm.cx, id).await.unwrap().version;
    update(&phone, Some("+6591230000"), true).await.unwrap();
    assert_eq!(crm.service.customer(&crm.cx, id).await.unwrap().version, version, "what stays as it is is no change");

    // The way to another address: the new one becomes the primary one, then the former one goes.
    let new_mail = add(MediumType::Email, "ada2@example.test", false).await;
    update(&new_mail, None, true).await.unwrap();
    let removed = remove(&mail).await.unwrap();
    assert_eq!((removed.valid_to, removed.value.as_str()), (Some(crm.cx.now), "ada@example.test"));
    violates(remove(&mail).await, rule::MEDIUM_NOT_FOUND);
    violates(remove(&new_mail).await, rule::LOGIN_EMAIL);
    remove(&phone).await.unwrap();
    let live = crm.service.customer(&crm.cx, id).await.unwrap().contact_medium;
    let live: Vec<&str> = live.iter().map(|medium| medium.value.as_str()).collect();
    assert_eq!(live, ["ada2@example.test"]);
    assert_eq!(
        crm.count("select count(*) from crm.contact_medium where valid_to is not null").await,
        2,
        "kept on record"
    );
    let free = AddContactMedium {
        customer_id: other.id.clone(),
        medium_type: MediumType::Email,
        value: "ada@example.test".into(),
        is_primary: false,
    };
    crm.service.add_contact_medium(&crm.cx, free).await.expect("an address that was removed is free");

    assert_eq!(
        crm.events(id).await[1..],
        [
            "customer.contact_medium_added",
            "customer.contact_medium_updated",
            "customer.contact_medium_added",
            "customer.contact_medium_updated",
            "customer.contact_medium_removed",
            "customer.contact_medium_removed",
        ]
    );
    assert_eq!(crm.timeline(id).await[..2], ["Contact medium removed: mobile", "Contact medium removed: email"]);
}

#[tokio::test]
async fn a_document_belongs_to_one_customer_and_its_number_is_nowhere() {
    let crm = Crm::new().await;
    let ada = crm.create("Ada Lovelace", "ada@example.test").await.unwrap().id;
    let bob = crm.create("Bob Babbage", "bob@example.test").await.unwrap().id;
    let verified = crm.attest(&ada, Some("s-7654321 q")).await.unwrap();
    assert_eq!((verified.kyc_status, verified.kyc_verified_at), (KycStatus::Verified, Some(crm.cx.now)));
    violates(crm.attest(&bob, Some("S7654321Q")).await, rule::DOCUMENT_UNIQUE);
    crm.attest(&ada, Some("S7654321Q")).await.expect("the same customer may be attested again");
    crm.attest(&ada, Some("E9999999Z")).await.expect("and with another document");
    crm.attest(&bob, Some("S7654321Q")).await.expect("the former document is free then");
    let standing = crm.service.standing(&crm.cx, &bob).await.unwrap().unwrap();
    assert!(standing.kyc_verified);
    assert_eq!(crm.timeline(&bob).await[0], "KYC attested via prebaked");
    assert_eq!(crm.events(&bob).await[1], "customer.kyc_attested");
    for table in ["crm.customer_identity", "crm.customer", "audit.domain_event", "crm.interaction"] {
        let query = format!("select count(*) from {table} t where to_jsonb(t)::text ~* '(7654321|token-1)'");
        let hits: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(crm.platform.db.pool()).await.unwrap();
        assert_eq!(hits, 0, "{table} holds the number or the token");
    }
    let last4: String =
        sqlx::query_scalar("select document_number_last4 from crm.customer_identity where customer_id = $1")
            .bind(bob.as_str())
            .fetch_one(crm.platform.db.pool())
            .await
            .unwrap();
    assert_eq!(last4, "321Q");
}

#[tokio::test]
async fn attestations_race_for_a_document_and_one_wins() {
    let crm = Crm::new().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(crm.create("Ada Lovelace", &format!("ada{n}@example.test")).await.unwrap().id);
    }
    let outcomes = futures::future::join_all(ids.iter().map(|id| crm.attest(id, Some("S1234567D")))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        violates(outcome, rule::DOCUMENT_UNIQUE);
    }
    // Without a number each customer has a document of its own.
    let outcomes = futures::future::join_all(ids.iter().map(|id| crm.attest(id, None))).await;
    assert!(outcomes.iter().all(Result::is_ok));
}

#[tokio::test]
async fn only_what_may_be_believed_is_recorded() {
    let crm = Crm::with(&[("BSS_KYC_ALLOW_PREBAKED", "false"), ("BSS_KYC_HASH_KEY", "")]).await;
    let ada = crm.create("Ada Lovelace", "ada@example.test").await.unwrap().id;
    let answer = crm.attest(&ada, None).await.unwrap_err();
    assert!(matches!(&answer, Error::Unavailable { message, .. } if message.contains("BSS_KYC_HASH_KEY")), "{answer}");

    let crm = Crm::with(&[("BSS_KYC_ALLOW_PREBAKED", "false")]).await;
    let ada = crm.create("Ada Lovelace", "ada@example.test").await.unwrap().id;
    violates(crm.attest(&ada, None).await, rule::UNCORROBORATED);
    let didit = AttestKyc { provider: "didit".into(), ..attestation(&ada, None) };
    violates(crm.service.attest_kyc(&crm.cx, didit).await, rule::DOCUMENT_REQUIRED);
    let didit = AttestKyc { provider: "didit".into(), ..attestation(&ada, Some("S1234567D")) };
    violates(crm.service.attest_kyc(&crm.cx, didit).await, rule::UNCORROBORATED);
    assert_eq!(crm.service.customer(&crm.cx, &ada).await.unwrap().kyc_status, KycStatus::NotVerified);

    let crm = Crm::new().await;
    let ada = crm.create("Ada Lovelace", "ada@example.test").await.unwrap().id;
    let blank = AttestKyc { attestation_token: " ".into(), ..attestation(&ada, None) };
    violates(crm.service.attest_kyc(&crm.cx, blank).await, rule::SIGNATURE_INVALID);
}

#[tokio::test]
async fn the_timeline_knows_surface_direction_and_agent() {
    let crm = Crm::new().await;
    let mut portal = crm.cx.clone();
    (portal.channel, portal.actor) = (Channel::PortalSelfServe, "CUST-self".into());
    let ada = crm.service.create(&portal, named("Ada Lovelace", Some("ada@example.test"))).await.unwrap().id;
    let call = LogInteraction {
        customer_id: ada.clone(),
        summary: " Asked for roaming ".into(),
        body: None,
        direction: Direction::Inbound,
    };
    crm.service.log_interaction(&crm.cx, call).await.unwrap();
    let filter = ListInteractions { customer_id: ada.clone(), limit: 50 };
    let lines = crm.service.interactions(&crm.cx, filter).await.unwrap();
    let shown: Vec<_> =
        lines.iter().map(|l| (l.summary.as_str(), l.channel.as_str(), l.direction, l.agent_id.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("Asked for roaming", "cli", Direction::Inbound, Some("AGT-001")),
            ("Customer created: Ada Lovelace", "portal-self-serve", Direction::Inbound, None),
        ]
    );
    let nobody: CustomerId = "CUST-000000000000".parse().unwrap();
    let call =
        LogInteraction { customer_id: nobody.clone(), summary: "x".into(), body: None, direction: Direction::Inbound };
    assert!(matches!(crm.service.log_interaction(&crm.cx, call).await, Err(Error::NotFound { .. })));
    let filter = ListInteractions { customer_id: nobody, limit: 50 };
    assert!(matches!(crm.service.interactions(&crm.cx, filter).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn another_tenant_sees_and_blocks_nothing() {
    let crm = Crm::new().await;
    let ada = crm.create("Ada Lovelace", "ada@example.test").await.unwrap();
    let other = Context { tenant: "OTHER".into(), ..crm.cx.clone() };
    assert!(matches!(crm.service.customer(&other, &ada.id).await, Err(Error::NotFound { .. })));
    assert!(matches!(crm.service.find_by_email(&other, "ada@example.test").await, Err(Error::NotFound { .. })));
    assert!(crm.service.standing(&other, &ada.id).await.unwrap().is_none());
    crm.service
        .create(&other, named("Ada Lovelace", Some("ada@example.test")))
        .await
        .expect("addresses are unique per tenant");
}

#[tokio::test]
async fn seeding_twice_changes_nothing() {
    let crm = Crm::new().await;
    let tx = crm.platform.db.begin().await.unwrap();
    crm::seed(&tx, &crm.cx, &crm.platform.config.profile).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(crm.count("select count(*) from crm.agent").await, 5);
    assert_eq!(crm.count("select count(*) from crm.sla_policy").await, 12);
    assert_eq!(
        crm.count("select count(*) from inventory.msisdn_pool where msisdn between '90000000' and '90000999'").await,
        1_000
    );
    let whole = "select count(*) from inventory.esim_profile
                 where iccid ~ '^8910101[0-9]{12}$' and imsi ~ '^525010000[0-9]{6}$' and matching_id ~ '^[0-9A-F]{16}$'
                   and activation_code = 'LPA:1$smdp.example.test$' || matching_id and ki_ref ~ '^hsm://ref/[0-9a-f-]{36}$'";
    assert_eq!(crm.count(whole).await, 1_000);
}

fn documented(heading: &str) -> Value {
    let page = include_str!("../../docs/TMF.md");
    let block = page.split(&format!("```json {heading}\n")).nth(1).expect("the page has the block");
    serde_json::from_str(block.split("\n```").next().expect("the set-up of the test holds"))
        .expect("the set-up of the test holds")
}

#[tokio::test]
async fn the_documented_request_makes_the_documented_resource() {
    let crm = Crm::new().await;
    let body = documented("TMF629 POST Customer");
    tmf_gate::validate_request(Api::Tmf629, "POST", "Customer", &body).unwrap();
    let made = crm.post(&body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:#}", made.body);
    tmf_gate::validate(Api::Tmf629, "Customer", &made.body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(made.location.as_deref(), Some(format!("{COLLECTION}/{id}").as_str()));
    let read = crm.get(&format!("{COLLECTION}/{id}")).await;
    assert_eq!((read.status, read.etag.as_deref()), (StatusCode::OK, Some("\"1\"")));
    assert_eq!(read.body, made.body);
    let (ours, page) =
        (crm.service.customer(&crm.cx, &id.parse().unwrap()).await.unwrap(), documented("TMF629 Customer"));
    assert_eq!(ours.individual.date_of_birth.unwrap().to_string(), "1991-07-02");
    for same in ["name", "status", "contactMedium"] {
        let without_times = |mut value: Value| {
            value.as_array_mut().into_iter().flatten().for_each(|medium| medium["validFor"] = json!({}));
            value
        };
        assert_eq!(without_times(read.body[same].clone()), without_times(page[same].clone()), "{same}");
    }

    crm.attest(&ours.id, None).await.unwrap();
    let attested = crm.get(&format!("{COLLECTION}/{id}")).await;
    tmf_gate::validate(Api::Tmf629, "Customer", &attested.body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(attested.body["characteristic"][0]["value"], "verified");
    assert_eq!(attested.body["characteristic"][1]["name"], "kycVerifiedAt");
    assert_eq!(attested.etag.as_deref(), Some("\"2\""));

    let cut = crm.get(&format!("{COLLECTION}/{id}?fields=status,contactMedium.mediumType")).await;
    tmf_gate::validate_selection(Api::Tmf629, "Customer", &cut.body).unwrap();
    assert_eq!(cut.body.as_object().unwrap().len(), 5, "{:#}", cut.body);
    assert_eq!(crm.get(&format!("{COLLECTION}/CUST-nobody")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        crm.http(Method::DELETE, &format!("{COLLECTION}/{id}"), None, &[]).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn what_we_do_not_use_is_echoed_and_what_is_not_official_is_refused() {
    let crm = Crm::new().await;
    let mut body = documented("TMF629 POST Customer");
    body["agreement"] = json!([{ "id": "AGR-1", "name": "Frame", "@referredType": "Agreement" }]);
    body["creditProfile"] = json!([{ "creditProfileDate": "2026-05-10T17:00:00+08:00", "creditScore": 700, "validFor": { "startDateTime": "2026-01-01T00:00:00Z" } }]);
    body["characteristic"].as_array_mut().unwrap().push(json!({ "name": "segment", "value": { "tier": 3 } }));
    body["contactMedium"].as_array_mut().unwrap().push(json!({
        "mediumType": "postal",
        "characteristic": { "street1": "1 Marina Boulevard", "city": "Singapore", "postCode": "018989", "country": "SG" },
        "validFor": { "startDateTime": "2026-01-01T00:00:00Z" }
    }));
    let made = crm.post(&body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:#}", made.body);
    tmf_gate::validate(Api::Tmf629, "Customer", &made.body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(made.body["agreement"], body["agreement"]);
    assert_eq!(made.body["creditProfile"][0]["creditProfileDate"], "2026-05-10T09:00:00.000Z");
    assert_eq!(made.body["characteristic"][1]["value"], json!({ "tier": 3 }));
    let postal = &made.body["contactMedium"][2];
    assert_eq!(postal["characteristic"]["postCode"], "018989");
    assert_eq!(postal["validFor"]["startDateTime"], "2026-01-01T00:00:00.000Z");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(crm.get(&format!("{COLLECTION}/{id}")).await.body, made.body);

    let mut extended = documented("TMF629 POST Customer");
    extended["contactMedium"] = json!([{ "mediumType": "mobile", "characteristic": { "phoneNumber": "+6598765432" } }]);
    extended["loyaltyTier"] = json!("gold");
    let refused = crm.post(&extended).await;
    assert_eq!((refused.status, refused.body["reason"].as_str()), (StatusCode::BAD_REQUEST, Some("/loyaltyTier")));
    tmf_gate::validate(Api::Tmf629, "Error", &refused.body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    extended["@schemaLocation"] = json!("https://example.test/customer.schema.json");
    let made = crm.post(&extended).await;
    assert_eq!(
        (made.status, made.body["loyaltyTier"].as_str()),
        (StatusCode::CREATED, Some("gold")),
        "{:#}",
        made.body
    );
    let agreed = ["https://example.test/customer.schema.json"];
    tmf_gate::validate_extended(Api::Tmf629, "Customer", &made.body, &agreed)
        .unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[tokio::test]
async fn refusals_over_http_name_rule_or_place() {
    let crm = Crm::new().await;
    let bare = json!({ "name": "Ada Lovelace", "engagedParty": { "id": "x", "@referredType": "Individual" } });
    let refused = crm.post(&bare).await;
    assert_eq!(
        (refused.status, refused.body["reason"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("customer.create.requires_contact_medium"))
    );
    let mut twice = bare.clone();
    let medium = |address: &str| json!({ "mediumType": "email", "characteristic": { "emailAddress": address } });
    twice["contactMedium"] = json!([medium("a@b.test"), medium("A@B.test")]);
    let refused = crm.post(&twice).await;
    assert_eq!(
        (refused.status, refused.body["reason"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("customer.create.email_unique"))
    );
    let mut theirs = bare;
    theirs["account"] = json!([{ "name": "mine" }]);
    let refused = crm.post(&theirs).await;
    assert_eq!((refused.status, refused.body["reason"].as_str()), (StatusCode::BAD_REQUEST, Some("/account")));
    assert_eq!(crm.count("select count(*) from crm.customer").await, 0);
}

#[tokio::test]
async fn lists_over_http_filter_and_count() {
    let crm = Crm::new().await;
    let ada = crm.create("Ada Lovelace", "Ada@Example.test").await.unwrap();
    for n in 0..3 {
        crm.create("Bob Babbage", &format!("bob{n}@example.test")).await.unwrap();
    }
    let ids = async |query: &str| {
        let answer = crm.get(&format!("{COLLECTION}?{query}")).await;
        assert!(answer.status.is_success(), "{query}: {:#}", answer.body);
        let ids: Vec<String> =
            answer.body.as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
        assert!(answer.total.unwrap().parse::<usize>().unwrap() >= ids.len());
        ids
    };
    let only_ada = vec![ada.id.to_string()];
    for query in [
        "contactMedium.characteristic.emailAddress=ADA@example.test".to_owned(),
        "name=Ada%20Lovelace&status=active".to_owned(),
        format!("account.id={}", ada.account_id),
        format!("id={}", ada.id),
    ] {
        assert_eq!(ids(&query).await, only_ada, "{query}");
    }
    assert_eq!(ids("name=Bob%20Babbage&limit=2").await.len(), 2);
    assert_eq!(ids("status=closed").await.len(), 0);
    assert_eq!(ids("validFor.startDateTime.gt=2000-01-01T00:00:00Z&sort=-validFor.startDateTime").await.len(), 4);
    let page = crm.get(&format!("{COLLECTION}?limit=3")).await;
    assert_eq!((page.status, page.total.as_deref()), (StatusCode::PARTIAL_CONTENT, Some("4")));
    for bad in ["status=gone", "secret=1", "limit=0", "contactMedium.characteristic.emailAddress.gt=a"] {
        assert_eq!(crm.get(&format!("{COLLECTION}?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_post_with_a_key_is_answered_once() {
    let crm = Crm::new().await;
    let body = documented("TMF629 POST Customer");
    let key = [("idempotency-key", "k-1")];
    let first = crm.http(Method::POST, COLLECTION, Some(&body), &key).await;
    let second = crm.http(Method::POST, COLLECTION, Some(&body), &key).await;
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!((first.body, first.location), (second.body, second.location));
}

#[tokio::test]
async fn a_number_leads_to_its_owner_who_closes_only_without_lines() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let owner = json!({ "customerId": line["customerId"] });
    let by_number = json!({ "msisdn": line["msisdn"] });
    assert_eq!(app.op("customer.find_by_msisdn", by_number.clone()).await.ok()["id"], line["customerId"]);
    for unassigned in ["90000999", "12345678"] {
        let answer = app.op("customer.find_by_msisdn", json!({ "msisdn": unassigned })).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let refused = app.op("customer.close", owner.clone()).await.violates("customer.close.no_active_subscriptions");
    assert_eq!(refused["context"]["activeSubscriptions"], json!([line["id"]]));
    app.op("subscription.terminate", json!({ "subscriptionId": line["id"] })).await.ok();
    assert_eq!(app.op("customer.find_by_msisdn", by_number).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.op("customer.close", owner.clone()).await.ok()["status"], "closed");
    app.op("customer.close", owner.clone()).await.violates("customer.close.already_closed");
    app.op("customer.attest_kyc", json!({ "customerId": line["customerId"], "attestationToken": "t" }))
        .await
        .violates("customer.update.customer_is_closed");
    let closed = app.get(&format!("{COLLECTION}/{}", line["customerId"].as_str().expect("an id"))).await.ok();
    tmf_gate::validate(Api::Tmf629, "Customer", &closed).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(closed["validFor"]["endDateTime"].is_string());
    app.finish().await;
}

#[tokio::test]
async fn closing_races_with_ordering_and_leaves_no_line_behind() {
    let app = TestApp::new().await;
    let mut buyers = Vec::new();
    for _ in 0..12 {
        buyers.push(app.customer("4242424242424242").await);
    }
    let order = async |id: &str| app.op("order.create", json!({ "customerId": id, "offeringId": "PLAN_S" })).await;
    let close = async |id: &str| app.op("customer.close", json!({ "customerId": id })).await;
    let racing = buyers.iter().map(async |id| tokio::join!(order(id), close(id)));
    let outcomes = futures::future::join_all(racing).await;
    assert!(outcomes.iter().all(|(_, closed)| matches!(closed.status.as_u16(), 200 | 422)));
    app.until("every order ends", async || {
        let open = "select count(*) from order_mgmt.product_order where state in ('acknowledged', 'in_progress')";
        (app.number(open).await == 0).then_some(())
    })
    .await;
    // `crm.closed_customer_has_no_line` is among the books.
    app.finish().await;
}
