-- Technical orders (TMF641 POST): they tell the network again what it should know of a service.

alter table service_inventory.service_order
    add column attributes jsonb not null default '{}'; -- official attributes we only store and echo
alter table service_inventory.service_order_item
    drop constraint service_order_item_action_check,
    add constraint service_order_item_action_check check (action in ('add', 'modify', 'delete', 'noChange'));
