-- Who the customer is, how to reach them, whether their identity is attested, what was said and done.

create schema crm;

create table crm.party (
    id         text primary key,
    tenant_id  text        not null default 'DEFAULT',
    party_type text        not null check (party_type in ('individual', 'organization')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table crm.individual (
    party_id      text primary key references crm.party,
    tenant_id     text        not null default 'DEFAULT',
    given_name    text        not null,
    family_name   text        not null,
    date_of_birth date,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);

create table crm.contact_medium (
    id          text primary key,
    tenant_id   text        not null default 'DEFAULT',
    party_id    text        not null references crm.party,
    medium_type text        not null check (medium_type in ('email', 'mobile', 'postal')),
    value       text        not null,
    is_primary  boolean     not null default false,
    valid_from  timestamptz not null,
    valid_to    timestamptz, -- null: live
    attributes  jsonb       not null default '{}', -- official TMF629 attributes of the medium we only store and echo
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);
create unique index uq_contact_medium_email on crm.contact_medium (tenant_id, lower(value))
    where valid_to is null and medium_type = 'email';
create unique index uq_contact_medium_primary on crm.contact_medium (party_id, medium_type)
    where valid_to is null and is_primary;
create index ix_contact_medium_party on crm.contact_medium (party_id);

create table crm.customer (
    id                      text primary key,
    tenant_id               text        not null default 'DEFAULT',
    party_id                text        not null unique references crm.party,
    account_id              text        not null unique, -- TMF676 wants an account; a customer has exactly one
    status                  text        not null default 'active' check (status in ('pending', 'active', 'suspended', 'closed')),
    status_reason           text,
    customer_since          timestamptz not null,
    closed_at               timestamptz,
    kyc_status              text        not null default 'not_verified'
        check (kyc_status in ('not_verified', 'pending', 'verified', 'rejected', 'expired')),
    kyc_verified_at         timestamptz,
    kyc_verification_method text,
    kyc_reference           text,
    kyc_expires_at          timestamptz,
    attributes              jsonb       not null default '{}', -- official TMF629 attributes we only store and echo
    version                 bigint      not null default 1,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    check ((status = 'closed') = (closed_at is not null))
);
create index ix_customer_list on crm.customer (tenant_id, id);

create table crm.customer_identity (
    customer_id           text primary key references crm.customer,
    tenant_id             text        not null default 'DEFAULT',
    document_type         text        not null,
    document_number_hash  text        not null, -- keyed hash; the number itself is never stored
    document_number_last4 text        not null,
    document_country      text        not null,
    date_of_birth         date        not null,
    nationality           text,
    verified_by           text        not null,
    verified_at           timestamptz not null,
    corroboration_id      uuid,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now(),
    constraint uq_customer_identity_document unique (tenant_id, document_type, document_number_hash)
);

create table crm.agent (
    id         text primary key,
    tenant_id  text        not null default 'DEFAULT',
    name       text        not null,
    email      text unique,
    role       text        not null check (role in ('csr', 'supervisor', 'engineer', 'system')),
    status     text        not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table crm.sla_policy (
    id                        text primary key,
    tenant_id                 text   not null default 'DEFAULT',
    ticket_type               text   not null,
    priority                  text   not null check (priority in ('low', 'medium', 'high', 'critical')),
    target_resolution_minutes bigint not null
);

create table crm.interaction (
    id                text primary key,
    tenant_id         text        not null default 'DEFAULT',
    customer_id       text        not null references crm.customer,
    channel           text        not null,
    direction         text        not null check (direction in ('inbound', 'outbound', 'internal')),
    summary           text        not null,
    body              text,
    actor             text        not null,
    agent_id          text references crm.agent,
    related_entity_id text,
    occurred_at       timestamptz not null,
    created_at        timestamptz not null default now()
);
create index ix_interaction_customer on crm.interaction (customer_id, occurred_at desc, id);
