-- Quota with an end of its own, and unlimited allowances with a fair-use limit.

alter table catalog.bundle_allowance
    add column fair_use_quantity bigint check (fair_use_quantity is null or fair_use_quantity > 0 and quantity = -1); -- null: no limit, or not unlimited
alter table subscription.allowance_snapshot
    add column fair_use_quantity bigint check (fair_use_quantity is null or fair_use_quantity > 0 and quantity = -1);

alter table subscription.bundle_balance
    add column fair_use     boolean not null default false, -- sold as unlimited; total is the fair-use limit of the period
    add column settled_used bigint  not null default 0; -- used in this period when it was last shared out over the grants

alter table subscription.vas_purchase
    add column requested_by text,
    add column grant_left   bigint check (grant_left >= 0), -- null: lasts with the period
    add column expired_at   timestamptz; -- product time at which its end was written into the ledger
update subscription.vas_purchase set expired_at = expires_at where expires_at is not null;

drop index subscription.ix_vas_purchase_expiry;
create index ix_vas_purchase_expiry on subscription.vas_purchase (expires_at)
    where state = 'applied' and expires_at is not null and expired_at is null;
create index ix_vas_purchase_open_grant on subscription.vas_purchase (subscription_id)
    where state = 'applied' and expires_at is not null and expired_at is null;

alter table subscription.quota_entry add column actor text;
