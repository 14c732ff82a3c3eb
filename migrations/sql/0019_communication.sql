-- What customers are told: one row per message, and what they do not want to be told.

create table crm.communication_message (
    id                  text primary key,
    tenant_id           text        not null default 'DEFAULT',
    customer_id         text        not null references crm.customer,
    subscription_id     text,
    template            text        not null,
    business_key        text        not null, -- of the fact that it tells: a fact is told once
    state               text        not null default 'pending' check (state in ('pending', 'sent', 'suppressed', 'failed')),
    state_reason        text,
    notice              jsonb       not null, -- the fact, without personal data
    letter              jsonb,                -- everything that the templates need; null until it was composed
    content_hash        text,                 -- of what was last composed: SHA-256
    recipient_domain    text,
    send_number         integer     not null default 1 check (send_number > 0), -- grows with every resending
    attempts            integer     not null default 0,
    leased_by           uuid,        -- platform.replica.boot_id
    lease_until         timestamptz, -- wall clock
    provider            text,
    provider_message_id text,
    requested_at        timestamptz not null, -- product clock
    completed_at        timestamptz,
    version             bigint      not null default 1,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    unique (tenant_id, template, business_key),
    check ((state = 'sent') <= (letter is not null and content_hash is not null and completed_at is not null))
);
create index ix_communication_message_customer on crm.communication_message (customer_id, requested_at desc, id);
create index ix_communication_message_line on crm.communication_message (subscription_id, requested_at desc, id)
    where subscription_id is not null;
create index ix_communication_message_requested on crm.communication_message (tenant_id, requested_at desc, id);
create index ix_communication_message_open on crm.communication_message (requested_at) where state in ('pending', 'failed');

create table crm.communication_opt_out (
    customer_id  text        not null references crm.customer,
    template     text        not null,
    tenant_id    text        not null default 'DEFAULT',
    opted_out_at timestamptz not null,
    primary key (customer_id, template)
);
