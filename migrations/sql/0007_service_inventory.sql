-- Service orders (TMF641), their tasks, and the services they make (TMF638).

create schema service_inventory;
create sequence service_inventory.service_order_id_seq;
create sequence service_inventory.service_order_item_id_seq;
create sequence service_inventory.service_id_seq;

create table service_inventory.service_order (
    id                  text primary key,
    tenant_id           text        not null default 'DEFAULT',
    commercial_order_id text        not null,
    subscription_id     text,
    customer_id         text        not null,
    kind                text        not null default 'activation' check (kind in ('activation', 'change', 'cessation')),
    state               text        not null default 'acknowledged'
        check (state in ('acknowledged', 'in_progress', 'completed', 'failed', 'cancelled')),
    state_reason        text,
    started_at          timestamptz,
    completed_at        timestamptz,
    version             bigint      not null default 1,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now()
);
-- One activation per commercial order: a second decomposition finds the first.
create unique index uq_service_order_activation on service_inventory.service_order (tenant_id, commercial_order_id)
    where kind = 'activation';
create index ix_service_order_subscription on service_inventory.service_order (subscription_id);
create index ix_service_order_list on service_inventory.service_order (tenant_id, created_at desc, id);

create table service_inventory.service (
    id                text primary key,
    tenant_id         text        not null default 'DEFAULT',
    subscription_id   text,
    customer_id       text        not null,
    service_order_id  text references service_inventory.service_order,
    spec_id           text        not null,
    name              text        not null,
    type              text        not null check (type in ('CFS', 'RFS')),
    parent_service_id text references service_inventory.service,
    state             text        not null default 'designed'
        check (state in ('feasibility_checked', 'designed', 'reserved', 'activated', 'failed', 'terminated')),
    characteristics   jsonb       not null default '{}',
    activated_at      timestamptz,
    terminated_at     timestamptz,
    version           bigint      not null default 1,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now()
);
create index ix_service_subscription on service_inventory.service (subscription_id);
create index ix_service_order on service_inventory.service (service_order_id);
create index ix_service_parent on service_inventory.service (parent_service_id);
create index ix_service_list on service_inventory.service (tenant_id, created_at desc, id);

create table service_inventory.service_order_item (
    id                text primary key,
    tenant_id         text not null default 'DEFAULT',
    service_order_id  text not null references service_inventory.service_order,
    action            text not null check (action in ('add', 'modify', 'delete')),
    service_spec_id   text not null,
    target_service_id text not null references service_inventory.service
);
create index ix_service_order_item on service_inventory.service_order_item (service_order_id);

-- What the service order waits for: one row per network task, so that four answers at once cannot overwrite each other.
create table service_inventory.service_order_task (
    service_order_id text        not null references service_inventory.service_order,
    task_type        text        not null,
    tenant_id        text        not null default 'DEFAULT',
    service_id       text        not null references service_inventory.service,
    state            text        not null default 'pending' check (state in ('pending', 'completed', 'failed', 'stuck')),
    task_id          text,
    updated_at       timestamptz not null default now(),
    primary key (service_order_id, task_type)
);

create table service_inventory.service_state_history (
    id         bigint generated always as identity primary key,
    tenant_id  text        not null default 'DEFAULT',
    service_id text        not null references service_inventory.service,
    from_state text,
    to_state   text        not null,
    changed_by text        not null,
    reason     text,
    event_time timestamptz not null
);
create index ix_service_state_history on service_inventory.service_state_history (service_id, id);
