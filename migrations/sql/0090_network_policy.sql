-- Which plan's policy the network is to apply to a service, and which it has confirmed: a push that was given up stays visible.

alter table service_inventory.service
    add column policy_wanted    text, -- of a customer-facing service: the plan whose policy was asked for last; null: not kept
    add column policy_confirmed text; -- the plan whose policy the network has confirmed last
alter table service_inventory.service_order_task
    add column policy text; -- of a PCRF_POLICY_PUSH: the plan whose policy it carries

update service_inventory.service_order_task t set policy = p.payload ->> 'offeringId'
from provisioning.provisioning_task p
where p.id = t.task_id and t.task_type = 'PCRF_POLICY_PUSH';

-- Confirmed is the plan of the last push that was done.
update service_inventory.service s
set policy_wanted = s.characteristics ->> 'offeringId',
    policy_confirmed = (
        select t.policy from service_inventory.service_order_item i
        join service_inventory.service_order_task t on t.service_order_id = i.service_order_id
        where i.target_service_id = s.id and t.task_type = 'PCRF_POLICY_PUSH' and t.state = 'completed'
        order by substring(t.service_order_id from '[0-9]+$')::bigint desc limit 1)
where s.type = 'CFS' and s.state = 'activated';
-- One that was activated without a push has nothing to confirm.
update service_inventory.service s set policy_confirmed = s.policy_wanted
where s.policy_confirmed is null and s.policy_wanted is not null and not exists (
    select 1 from service_inventory.service_order_item i
    join service_inventory.service_order_task t on t.service_order_id = i.service_order_id
    where i.target_service_id = s.id and t.task_type = 'PCRF_POLICY_PUSH');

create index ix_service_policy_unconfirmed on service_inventory.service (tenant_id, updated_at)
    where policy_wanted is distinct from policy_confirmed;
