-- The order that a top-up was bought for: however often the order is carried out, the top-up is bought once.
alter table subscription.vas_purchase add column order_id text; -- null: bought without an order
create unique index uq_vas_purchase_order on subscription.vas_purchase (tenant_id, order_id) where order_id is not null;

-- What orders have bought until now. Those that may still be under way are known by their keys.
update subscription.vas_purchase p set order_id = k.key
from platform.idempotency_key k
where k.operation = 'order.top_up' and k.resource_id = p.id and k.tenant_id = p.tenant_id;

-- Of those that completed longer ago: the first purchase of the kind on the line while the order was in progress.
do $$
declare
    o record;
begin
    for o in
        select p.id, p.tenant_id, p.submitted_at, p.completed_date, i.target_subscription_id, i.offering_id
        from order_mgmt.product_order p join order_mgmt.order_item i on i.order_id = p.id
        where p.state = 'completed' and i.action = 'modify' and i.price_offering_price_id = i.offering_id
          and not exists (select 1 from subscription.vas_purchase v where v.order_id = p.id and v.tenant_id = p.tenant_id)
        order by p.submitted_at, p.id
    loop
        update subscription.vas_purchase v set order_id = o.id
        where v.id = (select w.id from subscription.vas_purchase w
                      where w.tenant_id = o.tenant_id and w.subscription_id = o.target_subscription_id
                        and w.vas_offering_id = o.offering_id and w.state = 'applied' and w.order_id is null
                        and w.requested_at >= o.submitted_at and w.requested_at <= o.completed_date
                      order by w.requested_at, w.id limit 1);
    end loop;
end $$;

update order_mgmt.order_item i set payment_attempt_id = v.payment_attempt_id, updated_at = clock_timestamp()
from subscription.vas_purchase v
where v.order_id = i.order_id and v.tenant_id = i.tenant_id and i.payment_attempt_id is null;
