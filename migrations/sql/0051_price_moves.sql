-- A later move of a plan's lines ends the earlier ones, and a price that was moved to once can be moved to again.
update subscription.price_migration m set state = 'closed', closed_at = now(), updated_at = now()
where m.state = 'open' and exists (
    select 1 from subscription.price_migration n
    where n.tenant_id = m.tenant_id and n.offering_id = m.offering_id and n.state = 'open'
      and (n.requested_at, n.id) > (m.requested_at, m.id));

-- A version from before this cannot open a move any more; what is open it carries on with.
alter table subscription.price_migration drop constraint price_migration_tenant_id_offering_id_price_id_key;
create unique index uq_price_migration_open on subscription.price_migration (tenant_id, offering_id) where state = 'open';
create index ix_price_migration_price on subscription.price_migration (tenant_id, offering_id, price_id);
