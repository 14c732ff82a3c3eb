//! The books, damaged on purpose: for every check that `bss audit verify` has, something is broken behind the product's
//! back, and the check names it. A check that no damage here trips fails the test, so a new one comes with its damage.

use std::collections::BTreeSet;

use bss::app::compose;
use bss::platform::audit::{self, Check};
use bss::platform::context::Context;
use bss::platform::scheduler::Scheduler;
use bss::platform::{Platform, clock};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::cluster;

/// What is broken.
struct Damage {
    /// The check that must notice.
    check: &'static str,
    /// Breaks it. Some of it the schema itself would refuse, so the guard goes first.
    sql: &'static str,
    /// Selects a text that stands in the id of an offender.
    offender: &'static str,
}

const fn damage(check: &'static str, sql: &'static str, offender: &'static str) -> Damage {
    Damage { check, sql, offender }
}

const ADA: &str = "select 'SUB-0001'";
const ADAS_ORDER: &str = "select 'ORD-0001'";
const ADAS_CUSTOMER: &str = "select customer_id from subscription.subscription where id = 'SUB-0001'";
const FIRST_CHARGE: &str = "select payment_attempt_id from order_mgmt.order_item where order_id = 'ORD-0001'";
const OPEN_ORDER: &str = "select id from order_mgmt.product_order where state = 'in_progress'";
const OPEN_SERVICE_ORDER: &str = "select id from service_inventory.service_order where state = 'in_progress'";
const USAGE: &str = "select 'UE-000001'";

const CLAIM: &str = "select id from catalog.entitlement where order_id = 'ORD-0001'";

const BENS_SERVICE: &str = "select cfs_service_id from subscription.subscription where id = 'SUB-0002'";

const DAMAGES: &[Damage] = &[
    damage(
        "platform.deliveries_move",
        "update audit.delivery set state = 'pending', next_attempt_at = now() - interval '1 hour'
         where consumer = 'com.complete_on_activation' and aggregate_id = 'SUB-0001'",
        "select 'com.complete_on_activation'",
    ),
    damage(
        "com.order_is_terminal_or_explained",
        "update order_mgmt.product_order set state = 'in_progress', completed_date = null where id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    // As above, of an order that was flagged as stuck and whose tasks nobody will run.
    damage(
        "com.order_is_terminal_or_explained",
        "update order_mgmt.product_order set state = 'in_progress', completed_date = null, stuck_flagged_at = now() where id = 'ORD-0001';
         update provisioning.provisioning_task set state = 'withdrawn', completed_at = null where commercial_order_id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    // As above, while a listener outside could not be told of it: that moves nothing.
    damage(
        "com.order_is_terminal_or_explained",
        "update order_mgmt.product_order set state = 'in_progress', completed_date = null where id = 'ORD-0001';
         update audit.delivery set kind = 'hub', consumer = 'hub.gone', state = 'parked', finished_at = null
         where (event_id, consumer) = (select event_id, consumer from audit.delivery where aggregate_id = 'ORD-0001' limit 1)",
        ADAS_ORDER,
    ),
    damage(
        "promotion.entitlement_follows_its_order",
        "update catalog.entitlement set state = 'claimed', settled_at = null where order_id = 'ORD-0001'",
        CLAIM,
    ),
    damage(
        "promotion.order_holds_what_it_names",
        "update order_mgmt.order_item set promo_offer_id = 'ENT-9999' where order_id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    damage(
        "promotion.discounted_line_was_entitled",
        "update subscription.subscription set promo_offer_definition_id = 'OD_OTHER' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "promotion.single_use_is_used_once",
        "drop index catalog.ux_entitlement_per_customer;
         insert into catalog.entitlement (id, promotion_id, code_kind, customer_id, order_id, claimed_at)
         select 'ENT-9999', promotion_id, code_kind, customer_id, 'ORD-9999', claimed_at from catalog.entitlement
         where order_id = 'ORD-0001'",
        "select promotion_id from catalog.entitlement where order_id = 'ORD-0001'",
    ),
    damage(
        "com.completed_order_has_its_line",
        "update order_mgmt.order_item set target_subscription_id = null where order_id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    damage(
        "com.top_up_order_has_its_purchase",
        "update order_mgmt.order_item set payment_attempt_id = null where offering_id = 'VAS_DATA_1GB'",
        "select order_id from order_mgmt.order_item where offering_id = 'VAS_DATA_1GB'",
    ),
    damage(
        "com.ended_order_holds_no_inventory",
        "update inventory.msisdn_pool set status = 'reserved', reserved_for = 'ORD-0001', reserved_until = now()
         where msisdn = (select min(msisdn) from inventory.msisdn_pool where status = 'available')",
        ADAS_ORDER,
    ),
    damage(
        "com.lost_order_has_no_line_in_service",
        "update order_mgmt.product_order set state = 'failed', state_reason = 'lost' where id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    damage(
        "com.history_tells_the_state",
        "insert into order_mgmt.order_state_history (order_id, to_state, changed_by, event_time)
         values ('ORD-0001', 'failed', 'nobody', now())",
        ADAS_ORDER,
    ),
    damage(
        "com.ended_order_says_when_and_why",
        "update order_mgmt.product_order set completed_date = null where id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    damage(
        "com.change_names_its_line",
        "update order_mgmt.order_item set action = 'modify', target_subscription_id = null where order_id = 'ORD-0001'",
        ADAS_ORDER,
    ),
    damage(
        "inventory.number_holder_lives",
        "update inventory.msisdn_pool set assigned_to_subscription_id = 'SUB-9999'
         where assigned_to_subscription_id = 'SUB-0001'",
        "select msisdn from subscription.subscription where id = 'SUB-0001'",
    ),
    damage(
        "inventory.profile_holder_lives",
        "update inventory.esim_profile set assigned_to_subscription_id = 'SUB-9999'
         where assigned_to_subscription_id = 'SUB-0001'",
        "select right(iccid, 4) from subscription.subscription where id = 'SUB-0001'",
    ),
    damage(
        "inventory.line_has_its_number",
        "update inventory.msisdn_pool set status = 'available', assigned_to_subscription_id = null
         where assigned_to_subscription_id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "inventory.line_has_its_profile",
        "update inventory.esim_profile set profile_state = 'recycled' where assigned_to_subscription_id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "inventory.reservation_is_a_pair",
        "update inventory.esim_profile set profile_state = 'available', reserved_for = null, assigned_msisdn = null
         where profile_state = 'reserved'",
        OPEN_ORDER,
    ),
    damage(
        "inventory.reservation_has_an_order",
        "update inventory.msisdn_pool set reserved_for = 'ORD-9999' where status = 'reserved'",
        "select msisdn from inventory.msisdn_pool where status = 'reserved'",
    ),
    damage(
        "crm.closed_customer_has_no_line",
        "update crm.customer set status = 'closed', closed_at = now()
         where id = (select customer_id from subscription.subscription where id = 'SUB-0001')",
        ADAS_CUSTOMER,
    ),
    damage(
        "crm.verified_customer_has_identity",
        "delete from crm.customer_identity
         where customer_id = (select customer_id from subscription.subscription where id = 'SUB-0001')",
        ADAS_CUSTOMER,
    ),
    damage(
        "mediation.every_usage_has_its_key",
        "delete from mediation.usage_key where usage_id = 'UE-000001'",
        USAGE,
    ),
    damage("mediation.every_key_has_its_usage", "delete from mediation.usage_event where id = 'UE-000001'", USAGE),
    damage(
        "mediation.answers_add_up",
        "update mediation.usage_event set rated_quantity = rated_quantity + 1 where id = 'UE-000001'",
        USAGE,
    ),
    damage(
        "mediation.every_usage_has_its_line",
        "update mediation.usage_event set tenant_id = 'OTHER' where id = 'UE-000001'",
        USAGE,
    ),
    damage(
        "payment.journal_balances",
        "alter table payment.journal_line disable trigger user;
         update payment.journal_line set amount_minor = amount_minor + 1
         where id = (select min(id) from payment.journal_line)",
        "select entry_id::text from payment.journal_line where id = (select min(id) from payment.journal_line)",
    ),
    damage(
        "payment.charge_booked_once",
        "alter table payment.journal_line disable trigger user;
         delete from payment.journal_line where entry_kind = 'charge' and attempt_id =
             (select payment_attempt_id from order_mgmt.order_item where order_id = 'ORD-0001')",
        FIRST_CHARGE,
    ),
    damage(
        "payment.approved_once",
        "drop index payment.uq_payment_attempt_live;
         update payment.payment_attempt set business_key = 'activation:ORD-0001', attempt_number = 99
         where id = (select payment_attempt_id from subscription.vas_purchase where order_id is null)",
        "select 'activation:ORD-0001'",
    ),
    damage(
        "payment.approved_is_earned_or_returned",
        "alter table payment.journal_line disable trigger user;
         delete from payment.journal_line where entry_kind = 'revenue' and attempt_id =
             (select payment_attempt_id from order_mgmt.order_item where order_id = 'ORD-0001')",
        FIRST_CHARGE,
    ),
    damage(
        "payment.refunds_booked",
        "alter table payment.journal_line disable trigger user;
         delete from payment.journal_line where entry_kind = 'refund_paid'",
        "select id from payment.refund",
    ),
    damage(
        "payment.gateway_has_our_charges",
        "alter table mock_gateway.charge disable trigger user;
         delete from mock_gateway.charge where idempotency_key = 'activation:ORD-0001#1'",
        FIRST_CHARGE,
    ),
    damage(
        "payment.gateway_charged_nothing_else",
        "insert into mock_gateway.charge (idempotency_key, gateway_ref, token, amount_minor, currency, outcome)
         values ('stray#1', 'ref-stray', 'tok', 100, 'SGD', 'approved')",
        "select 'stray#1'",
    ),
    damage(
        "payment.gateway_has_our_refunds",
        "alter table mock_gateway.refund disable trigger user; delete from mock_gateway.refund",
        "select id from payment.refund",
    ),
    damage(
        "payment.one_default_card",
        "update payment.payment_method set is_default = false
         where customer_id = (select customer_id from subscription.subscription where id = 'SUB-0001')",
        ADAS_CUSTOMER,
    ),
    damage(
        "provisioning.task_tells_its_state",
        "update provisioning.provisioning_task set completed_at = null
         where id = (select min(id) from provisioning.provisioning_task where state = 'completed')",
        "select min(id) from provisioning.provisioning_task where state = 'completed'",
    ),
    damage(
        "provisioning.task_end_was_told",
        "update provisioning.provisioning_task set state = 'failed' where state = 'stuck'",
        "select id from provisioning.provisioning_task where state = 'failed'",
    ),
    damage(
        "provisioning.task_is_not_forgotten",
        "update provisioning.provisioning_task set state = 'pending', next_attempt_at = now() - interval '1 hour'
         where state = 'stuck'",
        "select id from provisioning.provisioning_task where state = 'pending'",
    ),
    damage(
        "provisioning.tasks_of_a_service_keep_their_order",
        "update provisioning.provisioning_task set state = 'failed', last_error = 'lost' where id =
             (select id from provisioning.provisioning_task
              where service_id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')
              order by position limit 1)",
        "select id from provisioning.provisioning_task where task_type = 'SERVICE_RESUME'
         and service_id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')",
    ),
    damage(
        "provisioning.ended_service_order_has_no_task_to_run",
        "update service_inventory.service_order set state = 'failed' where state = 'in_progress'",
        "select id from provisioning.provisioning_task where state = 'stuck'",
    ),
    damage(
        "som.order_is_worked_on",
        "update provisioning.provisioning_task set state = 'completed' where state = 'stuck'",
        OPEN_SERVICE_ORDER,
    ),
    damage(
        "som.network_follows_the_line",
        "update service_inventory.service set network_wanted = 'suspended'
         where id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')",
        BENS_SERVICE,
    ),
    damage(
        "som.unconfirmed_is_worked_on",
        "update service_inventory.service set network_confirmed = 'suspended'
         where id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')",
        BENS_SERVICE,
    ),
    // As above: given up, and the line was blocked again after that.
    damage(
        "som.unconfirmed_is_worked_on",
        "update service_inventory.service set network_wanted = 'suspended', network_confirmed = 'in_service'
         where id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002');
         update service_inventory.service_order_task set state = 'abandoned', task_id = 'PTK-9999'
         where task_type = 'SERVICE_RESUME'
           and service_id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002');
         insert into audit.domain_event (event_id, event_type, aggregate_type, aggregate_id, occurred_at, actor, channel,
             service_identity, request_id)
         select gen_random_uuid(), e.type, 'x', e.aggregate, now(), 'nobody', 'x', 'x', 'x'
         from (values (1, 'provisioning.task.abandoned', 'PTK-9999'), (2, 'subscription.blocked', 'SUB-0002'))
             as e (position, type, aggregate) order by e.position",
        BENS_SERVICE,
    ),
    damage(
        "som.policy_follows_the_plan",
        "update service_inventory.service set policy_wanted = 'PLAN_L', policy_confirmed = 'PLAN_L'
         where id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')",
        BENS_SERVICE,
    ),
    damage(
        "som.policy_follows_the_plan",
        "update service_inventory.service set policy_confirmed = 'PLAN_L'
         where id = (select cfs_service_id from subscription.subscription where id = 'SUB-0002')",
        BENS_SERVICE,
    ),
    damage(
        "som.completed_exactly_with_its_tasks",
        "update service_inventory.service_order set state = 'completed' where state = 'in_progress'",
        "select service_order_id from provisioning.provisioning_task where state = 'stuck'",
    ),
    damage(
        "som.order_has_tasks_and_services",
        "delete from service_inventory.service_order_task
         where service_order_id = (select id from service_inventory.service_order where state = 'in_progress')",
        OPEN_SERVICE_ORDER,
    ),
    damage(
        "som.tasks_are_known_to_the_network",
        "delete from provisioning.provisioning_task where state = 'stuck'",
        OPEN_SERVICE_ORDER,
    ),
    damage(
        "som.no_service_under_a_lost_order",
        "update service_inventory.service set state = 'activated'
         where service_order_id = (select id from service_inventory.service_order where state = 'in_progress')",
        "select min(id) from service_inventory.service
         where service_order_id = (select id from service_inventory.service_order where state = 'in_progress')",
    ),
    damage(
        "som.services_of_a_line_move_together",
        "update service_inventory.service set state = 'terminated'
         where id = (select min(id) from service_inventory.service where type = 'RFS' and subscription_id = 'SUB-0001')",
        "select min(id) from service_inventory.service where type = 'RFS' and subscription_id = 'SUB-0001'",
    ),
    damage(
        "som.service_is_wanted",
        "update service_inventory.service set state = 'activated' where state = 'terminated'",
        "select cfs_service_id from subscription.subscription where state = 'terminated' and activated_at is not null",
    ),
    damage(
        "subscription.balance_is_sum_of_entries",
        "update subscription.bundle_balance set remaining = remaining - 1
         where subscription_id = 'SUB-0001' and allowance_type = 'data'",
        "select 'SUB-0001/data'",
    ),
    damage(
        "subscription.balance_is_of_the_period",
        "update subscription.bundle_balance set period_end = period_end + interval '1 day'
         where subscription_id = 'SUB-0001' and allowance_type = 'sms'",
        "select 'SUB-0001/sms'",
    ),
    damage(
        "subscription.every_period_is_paid",
        "update subscription.period set amount_minor = amount_minor + 1
         where subscription_id = 'SUB-0001' and period_index = 1",
        "select 'SUB-0001/1'",
    ),
    damage(
        "subscription.every_period_is_paid",
        "update payment.payment_attempt set subject_id = 'SUB-0002'
         where id = (select payment_attempt_id from order_mgmt.order_item where order_id = 'ORD-0001')",
        "select 'SUB-0001/1'",
    ),
    damage(
        "subscription.state_follows_quota",
        "update subscription.bundle_balance set remaining = 0 where subscription_id = 'SUB-0001' and allowance_type = 'data'",
        ADA,
    ),
    damage(
        "subscription.state_follows_quota",
        "update subscription.subscription set state = 'blocked', block_reasons = '{exhausted}' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.periods_are_contiguous",
        "delete from subscription.period where subscription_id = 'SUB-0001' and period_index = 1",
        ADA,
    ),
    damage(
        "subscription.renewal_comes_to_an_end",
        "update subscription.subscription set renewal_attempt_id =
             (select payment_attempt_id from order_mgmt.order_item where order_id = 'ORD-0001') where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.due_line_is_renewed",
        "update subscription.subscription set renewal_failures = 5,
             next_renewal_at = (select coalesce(frozen_at, now() + offset_ms * interval '1 millisecond') from platform.product_clock)
         where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.due_line_is_renewed",
        "delete from platform.product_clock;
         update subscription.subscription set next_renewal_at = now() - interval '25 hours' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.renewal_date_is_period_end",
        "update subscription.subscription set next_renewal_at = next_renewal_at + interval '1 day' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.history_tells_the_state",
        "insert into subscription.subscription_state_history (subscription_id, to_state, changed_by, event_time)
         values ('SUB-0001', 'terminated', 'nobody', now())",
        ADA,
    ),
    damage(
        "subscription.booked_line_is_being_paid",
        "update subscription.subscription set state = 'pending' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.every_charge_bought_something",
        "update subscription.vas_purchase set payment_attempt_id = null where state = 'applied'",
        "select id from payment.payment_attempt where purpose = 'vas' and business_key like 'vas:VP-%'",
    ),
    damage(
        "subscription.top_up_is_what_was_paid",
        "delete from subscription.quota_entry where source like 'vas:%'",
        "select id from subscription.vas_purchase where order_id is null",
    ),
    damage(
        "subscription.change_begins_with_its_period",
        "insert into subscription.contract_change (subscription_id, kind, state, former_offering_id, former_price_amount_minor,
             offering_id, price_offering_price_id, price_amount_minor, price_currency, effective_at, scheduled_at, scheduled_by,
             ended_at, period_index)
         values ('SUB-0001', 'plan_change', 'applied', 'PLAN_M', 2500, 'PLAN_L', 'PRICE_PLAN_L', 4500, 'SGD', now(), now(),
             'nobody', now(), 2)",
        "select 'SUB-0001/'",
    ),
    damage(
        "subscription.discount_counts_down",
        "update subscription.subscription set discount_periods_remaining = 3 where id = 'SUB-0001'",
        ADA,
    ),
    // Lowered by more than the discount, after its end, after the plan change that ended it, and without any.
    damage(
        "subscription.discount_counts_down",
        "update subscription.period_contract set amount_minor = amount_minor - 1 where subscription_id = 'SUB-0001' and period_index = 2",
        "select 'SUB-0001/2'",
    ),
    damage(
        "subscription.discount_counts_down",
        "update subscription.subscription set discount_last_period = 1, discount_periods_remaining = 0 where id = 'SUB-0001'",
        "select 'SUB-0001/2'",
    ),
    damage(
        "subscription.discount_counts_down",
        "update subscription.period_contract set pivot = 'plan_change' where subscription_id = 'SUB-0001' and period_index = 2",
        "select 'SUB-0001/2'",
    ),
    damage(
        "subscription.discount_counts_down",
        "update subscription.period_contract set discounted = true, amount_minor = price_amount_minor - 1
         where subscription_id = 'SUB-0002' and period_index = 1",
        "select 'SUB-0002/1'",
    ),
    damage(
        "subscription.grants_end",
        "update subscription.bundle_balance set unlimited_until = now() + interval '1 day'
         where subscription_id = 'SUB-0001' and allowance_type = 'sms'",
        "select 'SUB-0001/sms'",
    ),
    damage(
        "subscription.pending_change_is_booked",
        "update subscription.subscription set pending_offering_id = 'PLAN_L' where id = 'SUB-0001'",
        ADA,
    ),
    damage(
        "subscription.period_is_what_was_charged_for",
        "update subscription.period_contract
         set price_amount_minor = price_amount_minor + 1, amount_minor = amount_minor + 1
         where subscription_id = 'SUB-0001' and period_index = 1",
        "select 'SUB-0001/1'",
    ),
    damage(
        "communication.pending_message_is_on_its_way",
        "update crm.communication_message set state = 'pending'
         where id = (select min(id) from crm.communication_message where state = 'sent')",
        "select id from crm.communication_message where state = 'pending'",
    ),
    damage(
        "communication.new_price_was_announced",
        "insert into subscription.contract_change (subscription_id, kind, state, migration_id, former_offering_id,
             former_price_amount_minor, offering_id, price_offering_price_id, price_amount_minor, price_currency, effective_at,
             scheduled_at, scheduled_by, ended_at, period_index)
         values ('SUB-0001', 'price_migration', 'applied', 'MIG-9999', 'PLAN_M', 2500, 'PLAN_M', 'PRICE_PLAN_M', 2600, 'SGD',
             now() - interval '1 day', now(), 'nobody', now(), 2);
         insert into crm.communication_message (id, customer_id, subscription_id, template, business_key, state, state_reason,
             notice, requested_at)
         select 'MSG-9999', customer_id, id, 'price_change', 'SUB-0001:MIG-9999', 'failed', 'no such mailbox', '{}', now()
         from subscription.subscription where id = 'SUB-0001'",
        "select 'SUB-0001/MIG-9999'",
    ),
    damage(
        "communication.owed_message_is_not_opted_out",
        "insert into crm.communication_message (id, customer_id, template, business_key, state, state_reason, notice, requested_at)
         select 'MSG-9999', customer_id, 'renewal_reminder', 'x', 'suppressed', 'opted_out',
                '{\"coming\": {\"costs_more\": true}}', now()
         from subscription.subscription where id = 'SUB-0001'",
        "select 'MSG-9999'",
    ),
    damage(
        "communication.owed_message_is_not_opted_out",
        "insert into crm.communication_opt_out (customer_id, template, opted_out_at)
         select customer_id, 'welcome', now() from subscription.subscription where id = 'SUB-0001'",
        ADAS_CUSTOMER,
    ),
];

/// A business with a bit of everything, at rest; answers its database.
async fn business() -> String {
    let url = cluster::database().await;
    let mut app = TestApp::on(cluster::replica(&url, &[])).await;
    // Ada: came with a code, used, topped up, renewed.
    let code = json!({"promotionId": "PROMO_1", "discountType": "percent", "discountValue": "20", "durationKind": "multi",
        "periodsTotal": 3, "code": "SUMMER25", "promoCodeKind": "single_use_unique_per_customer"});
    app.op("promo.create", code).await.ok();
    let ada = app.customer("4242424242424242").await;
    let basket = json!({"customerId": ada, "offeringId": "PLAN_M", "discountCode": "SUMMER25"});
    let ordered = app.op("order.create", basket).await.ok();
    let done = app.op("order.wait_until", json!({"orderId": ordered["id"]})).await.ok();
    let ada =
        app.op("subscription.get", json!({"subscriptionId": done["items"][0]["targetSubscriptionId"]})).await.ok();
    app.op("usage.simulate", json!({"msisdn": ada["msisdn"], "eventType": "data", "quantity": 10})).await.ok();
    app.op("subscription.purchase_vas", json!({"subscriptionId": ada["id"], "vasOfferingId": "VAS_DATA_1GB"}))
        .await
        .ok();
    let top_up = json!({"customerId": ada["customerId"], "action": "modify", "subscriptionId": ada["id"],
        "offeringId": "VAS_DATA_1GB"});
    let ordered = app.op("order.create", top_up).await.ok();
    app.op("order.wait_until", json!({"orderId": ordered["id"]})).await.ok();
    // Ben: out of data, and once refused.
    let ben = app.line("PLAN_S").await;
    app.op("usage.simulate", json!({"msisdn": ben["msisdn"], "eventType": "data", "quantity": 5120})).await.ok();
    let refused = app.op("usage.simulate", json!({"msisdn": ben["msisdn"], "eventType": "data", "quantity": 1})).await;
    refused.violates("usage.record.subscription_must_be_active");
    // Cleo: declined. Dan: gone. Eve: given her money back.
    let cleo = app.customer("4000000000000002").await;
    assert_eq!(app.order(&cleo, "PLAN_S").await["state"], "failed");
    let dan = app.line("PLAN_S").await;
    app.op("subscription.terminate", json!({"subscriptionId": dan["id"]})).await.ok();
    let eve = app.line("PLAN_S").await;
    let attempts = app.op("payment.list_attempts", json!({"subjectId": eve["id"]})).await.ok();
    app.op("payment.refund", json!({"paymentAttemptId": attempts[0]["id"], "reason": "goodwill"})).await.ok();
    app.settle().await;
    app.op("clock.advance", json!({"duration": "30d"})).await.ok();
    app.op("worker.tick", json!({"name": "renewal"})).await.ok();
    app.settle().await;
    // Fay: the network does not answer, and her order waits.
    app.op(
        "provisioning.set_fault_injection",
        json!({"taskType": "HLR_PROVISION", "faultType": "stuck", "enabled": true}),
    )
    .await
    .ok();
    let fay = app.customer("4242424242424242").await;
    app.op("order.create", json!({"customerId": fay, "offeringId": "PLAN_S"})).await.ok();
    app.until("a task is stuck", async || {
        let stuck = app.number("select count(*) from provisioning.provisioning_task where state = 'stuck'").await;
        (stuck == 1).then_some(())
    })
    .await;
    app.settle().await;
    app.assert_books().await;
    app.stop().await;
    url
}

fn checks(platform: &Platform) -> Vec<Check> {
    compose::app(platform).expect("the configuration holds").services.books.checks().to_vec()
}

async fn text(platform: &Platform, query: &'static str) -> String {
    sqlx::query_scalar::<_, Option<String>>(query)
        .fetch_one(platform.db.pool())
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"))
        .unwrap_or_else(|| panic!("{query}: null"))
}

#[tokio::test]
async fn every_damage_is_named_by_its_check() {
    let business = business().await;
    let (mut missed, mut tripped) = (Vec::new(), BTreeSet::new());
    let mut all = Vec::new();
    for damage in DAMAGES {
        let url = cluster::copy(&business).await;
        let platform = cluster::replica(&url, &[]);
        sqlx::raw_sql(damage.sql).execute(platform.db.pool()).await.unwrap_or_else(|e| panic!("{}: {e}", damage.check));
        let expected = text(&platform, damage.offender).await;
        all = checks(&platform);
        let report = audit::verify(&platform.db, &all).await.expect("the checks run");
        assert!(!report.ok, "{} is noticed by nothing", damage.check);
        let check = report.checks.iter().find(|check| check.name == damage.check);
        let check = check.unwrap_or_else(|| panic!("there is no check {}", damage.check));
        if check.offenders.iter().any(|offender| offender.id.contains(&expected)) {
            tripped.insert(damage.check);
        } else {
            missed.push(format!("{}: {expected} is not among {:?}", damage.check, check.offenders));
        }
        platform.db.close().await;
        cluster::discard(&url).await;
    }
    println!("{} damages, each named by its check, of {} checks", tripped.len(), all.len());
    assert!(missed.is_empty(), "{missed:#?}");
    let untried: Vec<&str> = all.iter().map(|check| check.name).filter(|name| !tripped.contains(name)).collect();
    assert!(untried.is_empty(), "no damage trips {untried:?}");
    assert!(tripped.len() >= 30);
}

/// The nightly tick of a process.
async fn tick(platform: &Platform) -> Value {
    let zone = platform.config.profile.time_zone;
    let ticks = audit::nightly::ticks(&platform.db, &checks(platform), zone);
    let Platform { db, clock, ids, .. } = platform.clone();
    Scheduler::new(db, clock, ids, ticks).run("audit").await.expect("the books are read")
}

#[tokio::test]
async fn the_night_tells_of_each_finding_once_and_of_its_return() {
    let url = business().await;
    let platform = cluster::replica(&url, &[]);
    let told = "select count(*) from audit.domain_event where event_type = 'audit.discrepancy_found'";
    let number = async |query: &'static str| -> i64 {
        sqlx::query_scalar(query).fetch_one(platform.db.pool()).await.expect("the query is right")
    };
    let sql = async |statement: &'static str| {
        sqlx::query(statement).execute(platform.db.pool()).await.expect("the statement is right");
    };
    let cx = Context::system("system:test", String::new(), clock::wall());
    let tomorrow = async || platform.clock.advance(&cx, chrono::TimeDelta::days(1)).await.expect("the clock is ours");
    let (break_it, heal_it) = (
        "update subscription.bundle_balance set remaining = remaining - 1
         where subscription_id = 'SUB-0001' and allowance_type = 'data'",
        "update subscription.bundle_balance set remaining = remaining + 1
         where subscription_id = 'SUB-0001' and allowance_type = 'data'",
    );
    platform.clock.freeze(&cx, Some(clock::wall() + chrono::TimeDelta::days(40))).await.expect("the clock is ours");

    let first = tick(&platform).await;
    assert_eq!((&first["due"], &first["findings"]), (&json!(true), &json!(0)), "{first}");
    assert_eq!(tick(&platform).await["due"], false, "once a night, whoever asks");
    sql(break_it).await;
    tomorrow().await;
    let (one, two) = tokio::join!(tick(&platform), tick(&platform));
    assert_eq!(one["due"] == true, two["due"] == false, "one of two replicas has the night: {one} {two}");
    assert_eq!(number(told).await, 1);
    tomorrow().await;
    let known = tick(&platform).await;
    assert_eq!((&known["findings"], &known["new"]), (&json!(1), &json!(0)), "{known}");
    let open = audit::nightly::open(&platform.db).await.expect("findings");
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].check_name.as_str(), open[0].offender_id.as_str()),
        ("subscription.balance_is_sum_of_entries", "SUB-0001/data")
    );
    sql(heal_it).await;
    tomorrow().await;
    assert_eq!(tick(&platform).await["findings"], 0);
    assert!(audit::nightly::open(&platform.db).await.expect("findings").is_empty(), "healed");
    sql(break_it).await;
    tomorrow().await;
    assert_eq!(tick(&platform).await["new"], 1, "it is back");
    assert_eq!(number(told).await, 2);
    // More than are printed: each is told once, and none is taken for healed because others came before it.
    sql("insert into mediation.usage_key (tenant_id, subscription_id, source, external_id, usage_id, recorded_at)
         select 'DEFAULT', 'SUB-0001', 'night', 'n-' || n, 'UE-NIGHT-' || n, now() - interval '1 hour' from generate_series(1, 150) n")
        .await;
    tomorrow().await;
    assert_eq!(tick(&platform).await["new"], 150);
    tomorrow().await;
    let again = tick(&platform).await;
    assert_eq!((&again["new"], &again["findings"]), (&json!(0), &json!(151)), "{again}");
    let open = "select count(*) from audit.finding where cleared_at is null";
    assert_eq!(number(open).await, 151);
    // A process that died in the middle of its night is taken over by the next one.
    tomorrow().await;
    sql("insert into audit.nightly_run (day, started_at) select max(day) + 1, now() - interval '1 hour' from audit.nightly_run")
        .await;
    assert_eq!(tick(&platform).await["due"], true);
    platform.db.close().await;
}

#[tokio::test]
async fn a_check_that_cannot_be_answered_is_told_and_the_others_are() {
    let platform = cluster::platform(&[]).await;
    let stated = |name, offenders| Check { name, description: "It holds.", offenders };
    let checks = [
        stated("test.holds", "select '1', 'one' where false"),
        stated("test.breaks", "select '1', (1 / count(*))::text from catalog.product_offering where false"),
        stated("test.does_not_hold", "select '2', 'two'"),
    ];
    let report = audit::verify(&platform.db, &checks).await.expect("the others are answered");
    let said: Vec<(bool, usize)> = report.checks.iter().map(|check| (check.ok, check.offenders.len())).collect();
    assert_eq!(said, [(true, 0), (false, 1), (false, 1)]);
    let broken = &report.checks[1].offenders[0];
    assert_eq!(broken.id, "check");
    assert!(
        broken.detail.contains("could not be checked") && broken.detail.contains("division by zero"),
        "{}",
        broken.detail
    );
    platform.db.close().await;
}
