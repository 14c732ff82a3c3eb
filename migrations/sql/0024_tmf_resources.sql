-- What the TM Forum reads need: names that are no secrets, attributes that are echoed, indexes for long lists.

-- The identity of a profile outside: an ICCID is never shown whole, and a hash of one could be guessed back.
alter table inventory.esim_profile
    add column resource_id text not null default 'ESIM-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16);
create unique index uq_esim_resource on inventory.esim_profile (tenant_id, resource_id);
create unique index uq_msisdn_resource on inventory.msisdn_pool (tenant_id, ('MSISDN-' || msisdn));

-- Null for nearly every line of a timeline: only what comes over TMF683 may say more.
alter table crm.interaction
    add column attributes jsonb; -- official TMF683 attributes we only store and echo
create index ix_interaction_list on crm.interaction (tenant_id, occurred_at desc, id desc);

-- Lists over many customers: by status in the order of the list, by number, by name, by the day they came.
create index ix_customer_status on crm.customer (tenant_id, status, id);
create index ix_customer_since on crm.customer (tenant_id, customer_since, id);
create index ix_contact_medium_value on crm.contact_medium (medium_type, value) where valid_to is null;
create index ix_individual_name on crm.individual ((given_name || ' ' || family_name));

create index ix_payment_method_list on payment.payment_method (tenant_id, id);
create index ix_subscription_list on subscription.subscription (tenant_id, created_at desc, id desc);
create index ix_vas_purchase_list on subscription.vas_purchase (tenant_id, requested_at desc, id desc);

-- Null for nearly every purchase: only what comes over TMF654 may say more.
alter table subscription.vas_purchase
    add column attributes jsonb; -- official TMF654 attributes we only store and echo
