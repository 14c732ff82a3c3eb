-- What a renewal writes, with fewer index entries; and a sweep that does not look again at what it has begun.

-- A line whose charge is under way leaves the index: of 100,000 that are due at once, each step of the sweep would else pass
-- over all those that came before it.
create index ix_subscription_due on subscription.subscription (next_renewal_at)
    where state in ('active', 'blocked') and renewal_attempt_id is null;
drop index subscription.ix_subscription_renewal;

-- The events of an aggregate are found by its id, in their order: ix_domain_event_aggregate_id. Nothing needed the other.
drop index audit.ix_domain_event_aggregate;

-- Room on the page for the lease, which changes no indexed column: without it each lease is nine new index entries.
alter table payment.payment_attempt set (fillfactor = 50);
