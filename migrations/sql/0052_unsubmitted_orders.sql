-- Orders that were placed and never submitted, the oldest first.
create index ix_product_order_acknowledged on order_mgmt.product_order (tenant_id, order_date) where state = 'acknowledged';
