-- Promotions: the money terms of a discount, who may use the targeted ones, and what was used of them by which order.

-- Money terms, and the code that stands for them. Written once; only its state changes.
create table catalog.promotion (
    id                      text primary key,
    tenant_id               text           not null default 'DEFAULT',
    name                    text, -- what customers read; null: the discount itself
    code                    text           not null check (code = upper(btrim(code)) and code <> ''), -- codes are compared without case and edges
    code_kind               text           not null check (code_kind in ('single_use_shared', 'single_use_unique_per_customer', 'multi_use')),
    audience                text           not null check (audience in ('public', 'targeted')),
    offer_definition_id     text           not null, -- what entitles to it, in the engine of entitlements
    discount_type           text           not null check (discount_type in ('percent', 'absolute')),
    discount_value          numeric(12, 4) not null check (discount_value > 0),
    currency                text           not null check (currency ~ '^[A-Z]{3}$'),
    applicable_offering_ids text[]         not null default '{}', -- empty: every plan
    duration_kind           text           not null check (duration_kind in ('single', 'multi', 'perpetual')),
    periods_total           smallint, -- set if it is for several
    valid_from              timestamptz,
    valid_to                timestamptz, -- exclusive
    state                   text           not null default 'active' check (state in ('active', 'exhausted')),
    created_by              text           not null,
    attributes              jsonb          not null default '{}', -- official TMF671 attributes we only store and echo
    version                 bigint         not null default 1,
    created_at              timestamptz    not null default now(),
    updated_at              timestamptz    not null default now(),
    check (valid_from < valid_to),
    check (discount_type <> 'percent' or discount_value <= 100),
    check ((duration_kind = 'multi') = (periods_total is not null)),
    check (periods_total >= 2)
);
create unique index ux_promotion_code on catalog.promotion (tenant_id, code);
create index ix_promotion_list on catalog.promotion (tenant_id, id);

-- Who may use a targeted promotion. A row that was taken back stays, with when and by whom.
create table catalog.promotion_eligibility (
    id           bigint generated always as identity primary key,
    tenant_id    text        not null default 'DEFAULT',
    promotion_id text        not null references catalog.promotion,
    customer_id  text        not null,
    assigned_at  timestamptz not null, -- product time
    created_by   text        not null,
    removed_at   timestamptz, -- product time
    removed_by   text,
    check ((removed_at is null) = (removed_by is null))
);
create unique index ux_promotion_eligibility on catalog.promotion_eligibility (tenant_id, promotion_id, customer_id)
    where removed_at is null;
create index ix_promotion_eligibility_customer on catalog.promotion_eligibility (tenant_id, customer_id)
    where removed_at is null;

create sequence catalog.entitlement_id_seq;

-- What an order used of a promotion: claimed before its charge, redeemed when its line is in service, revoked when it ends otherwise.
create table catalog.entitlement (
    id                  text primary key,
    tenant_id           text        not null default 'DEFAULT',
    promotion_id        text        not null references catalog.promotion,
    code_kind           text        not null check (code_kind in ('single_use_shared', 'single_use_unique_per_customer', 'multi_use')), -- the promotion's
    customer_id         text        not null,
    order_id            text        not null,
    state               text        not null default 'claimed' check (state in ('claimed', 'redeemed', 'revoked')),
    revoke_reason       text check (revoke_reason in ('order_cancelled')),
    claimed_at          timestamptz not null, -- product time
    settled_at          timestamptz, -- product time at which it was redeemed or revoked
    version             bigint      not null default 1,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    check ((state = 'revoked') = (revoke_reason is not null)),
    check ((state = 'claimed') = (settled_at is null))
);
-- An order claims once.
create unique index ux_entitlement_order on catalog.entitlement (tenant_id, order_id);
-- One use in all, whoever comes first. What was revoked was not used.
create unique index ux_entitlement_shared on catalog.entitlement (tenant_id, promotion_id)
    where code_kind = 'single_use_shared' and state <> 'revoked';
-- One use for each customer.
create unique index ux_entitlement_per_customer on catalog.entitlement (tenant_id, promotion_id, customer_id)
    where code_kind = 'single_use_unique_per_customer' and state <> 'revoked';
create index ix_entitlement_customer on catalog.entitlement (tenant_id, customer_id, promotion_id);
