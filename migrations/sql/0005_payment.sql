-- Cards on file, one row per charge attempt, refunds, and the double-entry journal of every money move.

create schema payment;
create sequence payment.payment_method_id_seq;
create sequence payment.payment_attempt_id_seq;
create sequence payment.refund_id_seq;

create table payment.payment_method (
    id             text primary key,
    tenant_id      text        not null default 'DEFAULT',
    customer_id    text        not null,
    type           text        not null default 'card',
    token          text        not null,
    token_provider text        not null,
    last4          text        not null check (length(last4) = 4),
    brand          text        not null,
    exp_month      smallint    not null check (exp_month between 1 and 12),
    exp_year       smallint    not null check (exp_year >= 2000),
    is_default     boolean     not null default false,
    status         text        not null default 'active' check (status in ('active', 'removed', 'expired')),
    version        bigint      not null default 1,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    unique (tenant_id, token_provider, token)
);
create index ix_payment_method_customer on payment.payment_method (customer_id, status);
create unique index uq_payment_method_default on payment.payment_method (customer_id)
    where is_default and status = 'active';

-- The attempt row is the work item: committed as pending before the gateway hears of it.
create table payment.payment_attempt (
    id                text primary key,
    tenant_id         text        not null default 'DEFAULT',
    customer_id       text        not null,
    payment_method_id text references payment.payment_method, -- null: nothing to charge (amount 0)
    amount_minor      bigint      not null check (amount_minor >= 0),
    currency          text        not null,
    purpose           text        not null check (purpose in ('activation', 'renewal', 'vas', 'manual')),
    description       text, -- of a manual payment
    subject_id        text        not null, -- what is paid for: a line, an order, a purchase, an account
    business_key      text        not null, -- activation:<order>, renewal:<line>:<period start>, vas:<purchase>
    attempt_number    integer     not null,
    gateway_key       text        not null unique, -- business key + attempt number: the idempotency key outside
    status            text        not null default 'pending' check (status in ('pending', 'approved', 'declined', 'errored')),
    gateway_ref       text,
    decline_code      text,
    decline_reason    text,
    gateway_calls     integer     not null default 0,
    leased_by         uuid,
    lease_until       timestamptz,
    next_attempt_at   timestamptz not null default clock_timestamp(),
    last_error        text,
    attempted_at      timestamptz not null, -- product clock
    finished_at       timestamptz,
    version           bigint      not null default 1,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    unique (tenant_id, business_key, attempt_number)
);
create unique index uq_payment_attempt_live on payment.payment_attempt (tenant_id, business_key)
    where status in ('pending', 'approved');
create index ix_payment_attempt_customer on payment.payment_attempt (customer_id, attempted_at desc, id desc);
create index ix_payment_attempt_list on payment.payment_attempt (tenant_id, attempted_at desc, id desc);
create index ix_payment_attempt_subject on payment.payment_attempt (subject_id);
create index ix_payment_attempt_pending on payment.payment_attempt (next_attempt_at) where status = 'pending';

create table payment.refund (
    id              text primary key,
    tenant_id       text        not null default 'DEFAULT',
    attempt_id      text        not null references payment.payment_attempt,
    amount_minor    bigint      not null check (amount_minor > 0),
    currency        text        not null,
    reason          text        not null,
    gateway_key     text        not null unique,
    status          text        not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
    gateway_ref     text,
    gateway_calls   integer     not null default 0,
    leased_by       uuid,
    lease_until     timestamptz,
    next_attempt_at timestamptz not null default clock_timestamp(),
    last_error      text,
    requested_at    timestamptz not null,
    finished_at     timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
create unique index uq_refund_attempt on payment.refund (attempt_id) where status <> 'failed';
create index ix_refund_pending on payment.refund (next_attempt_at) where status = 'pending';

-- One row per line of an entry; the lines of one entry add up to zero. Debit is positive, credit negative.
create table payment.journal_line (
    id           bigint generated always as identity primary key,
    tenant_id    text        not null default 'DEFAULT',
    entry_id     uuid        not null,
    entry_kind   text        not null check (entry_kind in ('charge', 'revenue', 'refund_due', 'refund_paid')),
    account      text        not null
        check (account in ('gateway_clearing', 'customer_funds', 'refunds',
                           'revenue:activation', 'revenue:renewal', 'revenue:vas', 'revenue:manual')),
    amount_minor bigint      not null check (amount_minor <> 0),
    currency     text        not null,
    customer_id  text        not null,
    attempt_id   text        not null references payment.payment_attempt,
    booked_at    timestamptz not null, -- product clock
    recorded_at  timestamptz not null default clock_timestamp()
);
create unique index uq_journal_line_entry on payment.journal_line (attempt_id, entry_kind, account);
create index ix_journal_line_entry on payment.journal_line (entry_id);
create trigger journal_line_append_only before update or delete on payment.journal_line
    for each row execute function platform.refuse_change();

-- The mock gateway's own record, written in its own transactions as a bank would: the books are compared with it.
create schema mock_gateway;

create table mock_gateway.charge (
    id              bigint generated always as identity primary key,
    idempotency_key text        not null unique,
    gateway_ref     text        not null unique,
    token           text        not null,
    amount_minor    bigint      not null,
    currency        text        not null,
    outcome         text        not null check (outcome in ('approved', 'declined')),
    decline_code    text,
    decline_reason  text,
    recorded_at     timestamptz not null default clock_timestamp()
);
create table mock_gateway.refund (
    id              bigint generated always as identity primary key,
    idempotency_key text        not null unique,
    gateway_ref     text        not null unique,
    charge_ref      text        not null,
    amount_minor    bigint      not null,
    currency        text        not null,
    recorded_at     timestamptz not null default clock_timestamp()
);
-- Calls that the gateway lost on purpose: the first one for each key of a flaky test card.
create table mock_gateway.lost_call (
    idempotency_key text primary key,
    recorded_at     timestamptz not null default clock_timestamp()
);
create trigger charge_append_only before update or delete on mock_gateway.charge
    for each row execute function platform.refuse_change();
create trigger refund_append_only before update or delete on mock_gateway.refund
    for each row execute function platform.refuse_change();
