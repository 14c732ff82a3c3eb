-- Commercial orders (TMF622).

create schema order_mgmt;
create sequence order_mgmt.product_order_id_seq;
create sequence order_mgmt.order_item_id_seq;

create table order_mgmt.product_order (
    id                        text primary key,
    tenant_id                 text        not null default 'DEFAULT',
    customer_id               text        not null,
    state                     text        not null default 'acknowledged'
        check (state in ('acknowledged', 'in_progress', 'held', 'completed', 'failed', 'cancelled')),
    state_reason              text,
    order_date                timestamptz not null,
    submitted_at              timestamptz,
    requested_completion_date timestamptz,
    completed_date            timestamptz,
    msisdn_preference         text,
    notes                     text,
    stuck_flagged_at          timestamptz,
    attributes                jsonb       not null default '{}', -- official TMF622 attributes we only store and echo
    version                   bigint      not null default 1,
    created_at                timestamptz not null default now(),
    updated_at                timestamptz not null default now()
);
create index ix_product_order_customer on order_mgmt.product_order (customer_id, created_at desc, id);
create index ix_product_order_open on order_mgmt.product_order (submitted_at) where state = 'in_progress';
create index ix_product_order_list on order_mgmt.product_order (tenant_id, created_at desc, id);

create table order_mgmt.order_item (
    id                        text primary key,
    tenant_id                 text        not null default 'DEFAULT',
    order_id                  text        not null references order_mgmt.product_order,
    action                    text        not null check (action in ('add', 'modify', 'delete')),
    offering_id               text        not null,
    state                     text        not null,
    target_subscription_id    text,
    payment_attempt_id        text,
    refund_id                 text,
    price_amount_minor        bigint      not null,
    price_currency            text        not null,
    price_offering_price_id   text        not null,
    discount_code             text,
    promo_offer_definition_id text,
    discount_type             text check (discount_type in ('percent', 'absolute')),
    discount_value            numeric(12, 4),
    discount_periods_total    integer,
    promo_offer_id            text,
    created_at                timestamptz not null default now(),
    updated_at                timestamptz not null default now()
);
create index ix_order_item_order on order_mgmt.order_item (order_id);
create index ix_order_item_subscription on order_mgmt.order_item (target_subscription_id)
    where target_subscription_id is not null;

create table order_mgmt.order_state_history (
    id         bigint generated always as identity primary key,
    tenant_id  text        not null default 'DEFAULT',
    order_id   text        not null references order_mgmt.product_order,
    from_state text,
    to_state   text        not null,
    changed_by text        not null,
    reason     text,
    event_time timestamptz not null
);
create index ix_order_state_history on order_mgmt.order_state_history (order_id, id);
