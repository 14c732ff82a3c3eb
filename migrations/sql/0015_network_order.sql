-- What one service wants of the network happens in the order in which it was asked for, and what is no longer wanted is
-- withdrawn or given up, never forgotten.

alter table provisioning.provisioning_task
    add column position          bigint generated always as identity, -- order of booking: the tasks of a service run by it
    add column withdrawal_wanted boolean not null default false,      -- the attempt under way is the last one
    drop constraint provisioning_task_state_check,
    add constraint provisioning_task_state_check check (state in
        ('pending', 'running', 'completed', 'failed', 'stuck', 'withdrawn', 'abandoned'));
-- Who waits for whom: the unsettled tasks of a service, in their order.
create index ix_task_unsettled on provisioning.provisioning_task (service_id, position)
    where state in ('pending', 'running', 'failed', 'stuck');

alter table service_inventory.service_order_task
    drop constraint service_order_task_state_check,
    add constraint service_order_task_state_check check (state in
        ('pending', 'completed', 'failed', 'stuck', 'withdrawn', 'abandoned'));

-- Of a customer-facing service: what the network is to do with it, what the network has confirmed, and up to which event of
-- its line it was told.
alter table service_inventory.service
    add column network_wanted    text check (network_wanted in ('in_service', 'suspended', 'removed')),
    add column network_confirmed text check (network_confirmed in ('in_service', 'suspended', 'removed')),
    add column line_event_seq    bigint not null default 0;
update service_inventory.service set network_wanted = 'in_service', network_confirmed = 'in_service'
where type = 'CFS' and state = 'activated';
-- Blocks of the past were never told to the network, and are not told now, after the fact.
update service_inventory.service s
set line_event_seq = (
    select coalesce(max(e.id), 0) from audit.domain_event e
    where e.aggregate_id = s.subscription_id and e.event_type in ('subscription.blocked', 'subscription.unblocked'))
where s.type = 'CFS' and s.subscription_id is not null;
create index ix_service_unconfirmed on service_inventory.service (tenant_id, updated_at)
    where network_wanted is distinct from network_confirmed;
create index ix_service_order_item_service on service_inventory.service_order_item (target_service_id);
