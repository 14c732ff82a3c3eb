-- Queries whose tables grow with every block, number and unpaid line.

-- The service orders of a commercial order, of every kind: an activation has one, and a line adds one with every block.
create index ix_service_order_commercial on service_inventory.service_order (tenant_id, commercial_order_id);

-- What a sweep renews, and nothing else: a line that is blocked for payment, by request or for fraud is overdue for as long
-- as it stays so, and each step of each sweep would pass over all of them. The predicate is that of the sweep.
create index ix_subscription_renewable on subscription.subscription (next_renewal_at)
    where renewal_attempt_id is null and (state = 'active' or state = 'blocked' and block_reasons <@ '{exhausted}');
-- What a sweep says of the others, once per boundary.
create index ix_subscription_to_be_skipped on subscription.subscription (next_renewal_at)
    where state = 'blocked' and renewal_attempt_id is null and renewal_attempted_for is distinct from next_renewal_at
      and not (state = 'active' or state = 'blocked' and block_reasons <@ '{exhausted}');
drop index subscription.ix_subscription_due;
