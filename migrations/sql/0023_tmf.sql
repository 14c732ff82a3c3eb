-- The surfaces of the TM Forum APIs: attributes that are stored and echoed, the writable catalog, categories.

alter table payment.payment_attempt
    add column attributes jsonb not null default '{}'; -- official TMF676 attributes we only store and echo

-- Null for nearly every event: written only where a caller said more than what is rated.
alter table mediation.usage_event
    add column attributes jsonb; -- official TMF635 attributes we only store and echo

alter table catalog.product_specification
    add column valid_from timestamptz,
    add column valid_to   timestamptz, -- exclusive
    add column version    bigint not null default 1,
    add column attributes jsonb  not null default '{}', -- official TMF620 attributes we only store and echo
    add check (valid_from < valid_to);

alter table catalog.product_offering
    add column attributes jsonb not null default '{}';

-- A price may be made before the offering that will have it (TMF620); once it has one, it keeps it.
alter table catalog.product_offering_price
    alter column offering_id drop not null,
    add column name       text, -- null: shown by its id
    add column version    bigint not null default 1,
    add column attributes jsonb  not null default '{}';

create table catalog.category (
    id               text primary key,
    tenant_id        text        not null default 'DEFAULT',
    name             text        not null,
    description      text,
    parent_id        text references catalog.category, -- null: a root
    lifecycle_status text        not null default 'active',
    valid_from       timestamptz,
    valid_to         timestamptz, -- exclusive
    attributes       jsonb       not null default '{}',
    version          bigint      not null default 1,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    check (valid_from < valid_to),
    check (parent_id <> id)
);
create index ix_category_list on catalog.category (tenant_id, id);
create index ix_category_parent on catalog.category (parent_id) where parent_id is not null;

create table catalog.category_offering (
    category_id text not null references catalog.category,
    offering_id text not null references catalog.product_offering,
    tenant_id   text not null default 'DEFAULT',
    primary key (category_id, offering_id)
);
create index ix_category_offering_offering on catalog.category_offering (offering_id);
