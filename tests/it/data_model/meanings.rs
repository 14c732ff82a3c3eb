//! What schemas, tables and columns mean: the comments of the migrations, and a short list for what they do not say.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;

use super::tables::Table;

/// Schema, the domain that owns it, what it holds.
pub(super) const SCHEMAS: &[(&str, &str, &str)] = &[
    ("platform", "`src/platform`", "The clock, the processes, idempotency keys, ticks, listeners."),
    ("audit", "`src/platform`", "The event log with its deliveries, findings of the nightly check, stored traces."),
    ("catalog", "`src/domains/catalog`", "What can be sold, at which price, when, with which allowances and services."),
    (
        "crm",
        "`src/domains/crm`",
        "Who the customer is, how to reach them, what was said and done, what they were told.",
    ),
    ("inventory", "`src/domains/crm`, `inventory`", "The numbers and eSIM profiles that can be handed out."),
    ("payment", "`src/domains/payment`", "Cards on file, charge attempts, refunds, the journal of every money move."),
    (
        "mock_gateway",
        "`src/integrations`",
        "The own books of the mock gateway, as a real one would have them elsewhere.",
    ),
    ("order_mgmt", "`src/domains/com`", "Commercial orders (TMF622)."),
    ("service_inventory", "`src/domains/som`", "Service orders (TMF641), what they wait for, and services (TMF638)."),
    (
        "provisioning",
        "`src/domains/provisioning`",
        "What the network is to do, one row each, and the simulator's faults.",
    ),
    (
        "subscription",
        "`src/domains/subscription`",
        "The customer's line: contract, periods, balances and their ledger.",
    ),
    ("mediation", "`src/domains/mediation`", "Usage: one row per event with its answer."),
];

/// Table, column, and the table whose row the column names: the main ones, within and across schemas.
pub(super) const RELATIONS: &[(&str, &str, &str)] = &[
    ("crm.individual", "party_id", "crm.party"),
    ("crm.contact_medium", "party_id", "crm.party"),
    ("crm.customer", "party_id", "crm.party"),
    ("crm.customer_identity", "customer_id", "crm.customer"),
    ("crm.interaction", "customer_id", "crm.customer"),
    ("crm.communication_message", "customer_id", "crm.customer"),
    ("catalog.product_offering", "spec_id", "catalog.product_specification"),
    ("catalog.product_offering_price", "offering_id", "catalog.product_offering"),
    ("catalog.bundle_allowance", "offering_id", "catalog.product_offering"),
    ("catalog.promotion_eligibility", "promotion_id", "catalog.promotion"),
    ("catalog.promotion_eligibility", "customer_id", "crm.customer"),
    ("catalog.entitlement", "promotion_id", "catalog.promotion"),
    ("catalog.entitlement", "order_id", "order_mgmt.product_order"),
    ("payment.payment_method", "customer_id", "crm.customer"),
    ("payment.payment_attempt", "payment_method_id", "payment.payment_method"),
    ("payment.refund", "attempt_id", "payment.payment_attempt"),
    ("order_mgmt.product_order", "customer_id", "crm.customer"),
    ("order_mgmt.order_item", "order_id", "order_mgmt.product_order"),
    ("order_mgmt.order_item", "offering_id", "catalog.product_offering"),
    ("service_inventory.service_order", "commercial_order_id", "order_mgmt.product_order"),
    ("service_inventory.service", "service_order_id", "service_inventory.service_order"),
    ("service_inventory.service_order_task", "service_order_id", "service_inventory.service_order"),
    ("provisioning.provisioning_task", "service_order_id", "service_inventory.service_order"),
    ("subscription.subscription", "commercial_order_id", "order_mgmt.product_order"),
    ("subscription.subscription", "msisdn", "inventory.msisdn_pool"),
    ("subscription.subscription", "iccid", "inventory.esim_profile"),
    ("subscription.period", "subscription_id", "subscription.subscription"),
    ("subscription.period", "payment_attempt_id", "payment.payment_attempt"),
    ("subscription.bundle_balance", "subscription_id", "subscription.subscription"),
    ("subscription.quota_entry", "subscription_id", "subscription.subscription"),
    ("subscription.vas_purchase", "subscription_id", "subscription.subscription"),
    ("mediation.usage_event", "subscription_id", "subscription.subscription"),
    ("audit.delivery", "event_id", "audit.domain_event"),
];

/// Tables that no comment of the migrations explains.
const TABLES: &[(&str, &str)] = &[
    (
        "platform.idempotency_key",
        "The stored answer to each request that came with an `Idempotency-Key`; kept for a day.",
    ),
    ("platform.tick", "When each periodic job last ran, and what it reported."),
    ("platform.hub", "Listeners outside, registered by `/hub` (TMF688)."),
    (
        "audit.delivery_history",
        "What happened to a delivery that did not go well at once, and what an operator did about it.",
    ),
    ("audit.nightly_run", "The days on which the nightly check of the books ran."),
    ("audit.trace_segment", "What one request or one delivery did, as spans; bounded in age and size."),
    ("catalog.product_specification", "What a product is, whatever plan it is sold in."),
    ("catalog.product_offering", "A plan that can be sold, within its window."),
    ("catalog.bundle_allowance", "What a plan grants for each period."),
    ("catalog.vas_offering", "A top-up: quota for a line between two renewals."),
    (
        "catalog.service_specification",
        "A kind of service that the network gives: customer-facing, or resource-facing below it.",
    ),
    ("catalog.product_to_service_mapping", "Which services a plan is made of."),
    ("catalog.category", "Where plans are filed (TMF620)."),
    ("catalog.category_offering", "Which plans are filed in a category."),
    ("crm.party", "Somebody, apart from being a customer (TMF632)."),
    ("crm.individual", "The name and birthday of a person."),
    ("crm.contact_medium", "How a person can be reached; an ended row is history."),
    ("crm.customer", "A person as our customer: their account, state and identity check (TMF629)."),
    (
        "crm.customer_identity",
        "The document that an identity was attested with: a keyed hash and four digits, never the number.",
    ),
    ("crm.agent", "People who work for the operator."),
    ("crm.sla_policy", "How fast a case is to be solved; for cases, which come later."),
    ("crm.interaction", "A line of the customer's timeline (TMF683)."),
    ("crm.communication_message", "A message to a customer: the fact it tells, and how sending it went (TMF681)."),
    ("crm.communication_opt_out", "What a customer does not want to be told."),
    ("inventory.msisdn_pool", "Every number, and who holds it."),
    (
        "inventory.esim_profile",
        "Every eSIM profile, and who holds it. The only place of a whole ICCID and activation code.",
    ),
    ("payment.payment_method", "A card on file: the gateway's token, four digits, never the number (TMF670)."),
    ("payment.refund", "Money on its way back, or back."),
    ("mock_gateway.charge", "What the gateway charged, by the key of the attempt."),
    ("mock_gateway.refund", "What the gateway paid back."),
    ("order_mgmt.product_order", "What a customer ordered, and where that stands."),
    ("order_mgmt.order_item", "The one item of an order, with the price of the instant at which it was placed."),
    ("order_mgmt.order_state_history", "Every change of state of an order."),
    ("service_inventory.service_order", "What is to be done in the network for an order, or for an event of a line."),
    ("service_inventory.service", "A service that a line has."),
    ("service_inventory.service_order_item", "Which service a service order acts on."),
    ("service_inventory.service_state_history", "Every change of state of a service."),
    ("provisioning.provisioning_task", "One thing that the network is to do; the row is the work item."),
    ("provisioning.fault_injection", "Faults that the simulated network is told to have."),
    (
        "subscription.subscription",
        "A line: whose, with which number and plan, in which period, in which state, at which price.",
    ),
    ("subscription.vas_purchase", "A top-up that was bought: its charge, and what is left of its quota (TMF654)."),
    ("subscription.subscription_state_history", "Every change of state of a line."),
    ("subscription.price_migration", "Moving the lines of a plan to a new price, booked once."),
    ("mediation.usage_event", "A usage event of a known line with its answer; an entry of the quota ledger (TMF635)."),
];

/// Columns of many tables, where the migration says nothing about them.
const COLUMNS: &[(&str, &str)] = &[
    ("leased_by", "the process that works on it: `platform.replica.boot_id`"),
    ("lease_until", "wall clock"),
    ("next_attempt_at", "wall clock"),
    ("last_error", "of the last attempt that failed, without personal data"),
    ("actor", "who acted, as the caller said"),
    ("channel", "the surface through which they acted"),
    ("service_identity", "whose token it was"),
    ("request_id", "of the request that caused it"),
    ("customer_id", "`crm.customer`"),
    ("offering_id", "`catalog.product_offering`"),
    ("subscription_id", "`subscription.subscription`"),
    ("commercial_order_id", "`order_mgmt.product_order`"),
    ("payment_attempt_id", "`payment.payment_attempt`"),
    ("recorded_at", "wall clock"),
    ("changed_by", "who, or which reaction"),
    ("event_time", "product clock"),
    ("currency", "ISO 4217"),
    ("price_currency", "ISO 4217"),
    ("period_index", "counts the periods of a line from 1"),
];

/// What the comments of the migrations say.
pub(super) struct Meanings {
    tables: BTreeMap<String, String>,
    columns: BTreeMap<(String, String), String>,
}

impl Meanings {
    pub(super) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sql");
        let entries = std::fs::read_dir(folder).expect("migrations");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let mut meanings = Self { tables: BTreeMap::new(), columns: BTreeMap::new() };
        for file in files {
            meanings.take(&std::fs::read_to_string(file).expect("a migration is UTF-8"));
        }
        for (table, meaning) in TABLES {
            let former = meanings.tables.insert((*table).to_owned(), (*meaning).to_owned());
            assert!(former.is_none(), "{table} is explained by its migration");
        }
        meanings
    }

    /// Takes a comment before a table for the table's, one at the end of a line for the column's, and one before columns that
    /// are added for theirs.
    fn take(&mut self, sql: &str) {
        let pattern = |text: &str| Regex::new(text).expect("the pattern is right");
        let (create, alter) =
            (pattern(r"^create table ([a-z_]+\.[a-z_0-9]+) \("), pattern(r"^alter table ([a-z_]+\.[a-z_0-9]+)"));
        let column = pattern(r"(?:^\s+(?:add column\s+)?|add column\s+)([a-z_0-9]+)\s+[a-z].*?(?:\s--\s*(.+))?$");
        let (mut above, mut inside, mut of_addition) = (Vec::new(), None, None);
        for line in sql.lines() {
            if let Some(comment) = line.strip_prefix("-- ") {
                above.push(comment.to_owned());
                continue;
            }
            if let Some(hit) = create.captures(line) {
                if !above.is_empty() {
                    self.tables.insert(hit[1].to_owned(), above.join(" "));
                }
                (inside, of_addition) = (Some(hit[1].to_owned()), None);
            } else if let Some(hit) = alter.captures(line) {
                of_addition = (!above.is_empty()).then(|| above.join(" "));
                inside = Some(hit[1].to_owned());
            }
            above.clear();
            let hit = column.captures(line).filter(|_| !line.starts_with("create"));
            if let (Some(table), Some(hit)) = (&inside, hit) {
                let added = of_addition.clone().filter(|_| line.contains("add column"));
                if let Some(meaning) = hit.get(2).map(|text| text.as_str().to_owned()).or(added) {
                    self.columns.insert((table.clone(), hit[1].to_owned()), meaning);
                }
            }
            if line.ends_with(';') || line.starts_with(')') {
                inside = None;
            }
        }
    }

    pub(super) fn table(&self, name: &str) -> &str {
        self.tables.get(name).unwrap_or_else(|| panic!("nobody says what {name} is: in its migration, or in TABLES"))
    }

    pub(super) fn column(&self, table: &str, column: &str) -> Option<&str> {
        let own = self.columns.get(&(table.to_owned(), column.to_owned())).map(String::as_str);
        own.or_else(|| COLUMNS.iter().find(|(name, _)| *name == column).map(|(_, meaning)| *meaning))
    }
}

/// Nothing is explained that there is not.
pub(super) fn are_true(tables: &[Table]) {
    for (name, _) in TABLES {
        assert!(tables.iter().any(|table| table.name == *name), "there is no table {name} to explain");
    }
    for (name, _) in COLUMNS {
        let is_there = tables.iter().any(|table| table.columns.iter().any(|column| column.name == *name));
        assert!(is_there, "no table has a column {name} to explain");
    }
}
