//! What `bss audit verify` proves of service orders and services. Each holds at any moment between two transactions.

use crate::platform::audit::Check;

pub const CHECKS: &[Check] = &[
    Check {
        name: "som.completed_exactly_with_its_tasks",
        description: "A service order is completed exactly when all network tasks that it waits for are done.",
        offenders: "
            select o.id, o.state || ' with ' || count(*) filter (where t.state <> 'completed') || ' of ' || count(*) || ' tasks open'
            from service_inventory.service_order o
            join service_inventory.service_order_task t on t.service_order_id = o.id
            group by o.id
            having (o.state = 'completed') <> (count(*) filter (where t.state <> 'completed') = 0)",
    },
    Check {
        name: "som.order_has_tasks_and_services",
        description: "Every service order waits for network tasks and is about a service.",
        offenders: "
            select o.id, o.kind || ' without tasks or services'
            from service_inventory.service_order o
            where not exists (select 1 from service_inventory.service_order_task t where t.service_order_id = o.id)
               or not exists (select 1 from service_inventory.service_order_item i where i.service_order_id = o.id)",
    },
    Check {
        name: "som.tasks_are_known_to_the_network",
        description: "Every task that a service order waits for is a task of the network, which says the same of it or is about to.",
        offenders: "
            select w.service_order_id, w.task_type || ' is ' || w.state || ' here and ' || coalesce(t.state, 'unknown') || ' there'
            from service_inventory.service_order_task w
            join service_inventory.service_order o on o.id = w.service_order_id
            left join provisioning.provisioning_task t
                on t.service_order_id = w.service_order_id and t.task_type = w.task_type
            where t.id is null
               or (o.state in ('in_progress', 'completed') and (t.state = 'completed') <> (w.state = 'completed')
                   and not exists (select 1 from audit.open_work d where d.aggregate_id = t.id))",
    },
    Check {
        name: "som.no_service_under_a_lost_order",
        description: "No service is active under a service order that failed or was cancelled, nor reserved under one that has ended.",
        offenders: "
            select s.id, s.state || ' under ' || o.id || ', which is ' || o.state
            from service_inventory.service s
            join service_inventory.service_order o on o.id = s.service_order_id
            where (o.state in ('failed', 'cancelled') and s.state not in ('failed', 'terminated'))
               or (o.state = 'completed' and s.state not in ('activated', 'terminated'))
               or (o.state = 'in_progress' and s.state <> 'reserved')",
    },
    Check {
        name: "som.services_of_a_line_move_together",
        description: "The services below a customer-facing service are in its state and belong to its line.",
        offenders: "
            select r.id, r.state || ' below ' || c.id || ', which is ' || c.state
            from service_inventory.service r
            join service_inventory.service c on c.id = r.parent_service_id
            where r.state <> c.state or r.subscription_id is distinct from c.subscription_id",
    },
    Check {
        name: "som.service_is_wanted",
        description: "An active service belongs to a line that has not ended or to an order in progress, or its end is under way.",
        offenders: "
            select s.id, 'active for ' || coalesce(s.subscription_id, o.commercial_order_id)
            from service_inventory.service s
            join service_inventory.service_order o on o.id = s.service_order_id
            join order_mgmt.product_order p on p.id = o.commercial_order_id
            left join subscription.subscription l on l.commercial_order_id = p.id and l.tenant_id = p.tenant_id
            where s.type = 'CFS' and s.state = 'activated' and p.state <> 'in_progress'
              and (l.id is null or l.state = 'terminated')
              and not exists (select 1 from audit.open_work d where d.aggregate_id in (p.id, l.id))
              and not exists (
                  select 1 from service_inventory.service_order_item i
                  join service_inventory.service_order c on c.id = i.service_order_id
                  where i.target_service_id = s.id and c.kind = 'cessation' and c.state in ('acknowledged', 'in_progress'))",
    },
    Check {
        name: "som.order_is_worked_on",
        description: "Every service order in progress waits for a network task that is not done, or hears of it right now.",
        offenders: "
            select o.id, o.kind || ' in progress since ' || o.started_at || ' and nothing will move it'
            from service_inventory.service_order o
            where o.state in ('acknowledged', 'in_progress')
              and not exists (
                  select 1 from provisioning.provisioning_task t
                  where t.service_order_id = o.id
                    and (t.state in ('pending', 'running', 'failed', 'stuck')
                         or exists (select 1 from audit.open_work d where d.aggregate_id = t.id)))
              and not exists (
                  select 1 from audit.open_work d where d.aggregate_id in (o.id, o.commercial_order_id))",
    },
    Check {
        name: "som.network_follows_the_line",
        description: "Of a service in the network is wanted what its line is: suspended when blocked, removed when ended, else in \
                      service; or an event of the line is on its way.",
        offenders: "
            select s.id, l.id || ' is ' || l.state || ', wanted of the network is ' || coalesce(s.network_wanted, 'nothing')
            from service_inventory.service s
            join subscription.subscription l on l.id = s.subscription_id
            where s.type = 'CFS' and s.state = 'activated' and l.state <> 'pending'
              and s.network_wanted is distinct from
                  case l.state when 'blocked' then 'suspended' when 'terminated' then 'removed' else 'in_service' end
              and not exists (select 1 from audit.open_work d where d.aggregate_id = l.id)",
    },
    Check {
        name: "som.unconfirmed_is_worked_on",
        description: "What the network has not confirmed is asked of it: a service order is under way, or an operator gave up the \
                      last one that asked, and the line was not blocked for anything more after that.",
        offenders: "
            select s.id, 'wanted ' || s.network_wanted || ', confirmed ' || coalesce(s.network_confirmed, 'nothing')
            from service_inventory.service s
            where s.network_wanted is distinct from s.network_confirmed
              and not exists (
                  select 1 from service_inventory.service_order_item i
                  join service_inventory.service_order o on o.id = i.service_order_id
                  where i.target_service_id = s.id and o.state = 'in_progress')
              and not exists (select 1 from audit.open_work d where d.aggregate_id = s.subscription_id)
              and not exists (
                  select 1 from service_inventory.service_order_task t
                  where t.state = 'abandoned'
                    and t.service_order_id = (
                        select t.service_order_id from service_inventory.service_order_item i
                        join service_inventory.service_order_task t on t.service_order_id = i.service_order_id
                        where i.target_service_id = s.id and t.task_type in ('SERVICE_SUSPEND', 'SERVICE_RESUME', 'HLR_DEPROVISION')
                        order by substring(t.service_order_id from '[0-9]+$')::bigint desc limit 1)
                    and not (s.network_wanted = 'suspended' and exists (
                        select 1 from audit.domain_event g
                        join audit.domain_event b on b.aggregate_id = s.subscription_id and b.id > g.id
                        where g.aggregate_id = t.task_id and g.event_type = 'provisioning.task.abandoned'
                          and b.event_type = 'subscription.blocked')))",
    },
    Check {
        name: "som.policy_follows_the_plan",
        description: "The policy that is wanted of the network is that of the line's plan, or an event of the line is on its way; \
                      what is not confirmed of it is asked for, or an operator gave up the last push.",
        offenders: "
            select s.id, l.id || ' is on ' || l.offering_id || ', wanted is the policy of ' || s.policy_wanted
            from service_inventory.service s
            join subscription.subscription l on l.id = s.subscription_id
            where s.type = 'CFS' and s.state = 'activated' and l.state in ('active', 'blocked')
              and s.policy_wanted <> l.offering_id
              and not exists (select 1 from audit.open_work d where d.aggregate_id = l.id)
            union all
            select s.id, 'wanted is the policy of ' || coalesce(s.policy_wanted, '?') || ', confirmed that of '
                   || coalesce(s.policy_confirmed, 'no plan')
            from service_inventory.service s
            where s.policy_wanted is distinct from s.policy_confirmed and s.state = 'activated'
              and s.network_wanted is distinct from 'removed'
              and not exists (
                  select 1 from service_inventory.service_order_item i
                  join service_inventory.service_order o on o.id = i.service_order_id
                  where i.target_service_id = s.id and o.state = 'in_progress')
              and not exists (
                  select 1 from service_inventory.service_order_task t
                  where t.state = 'abandoned'
                    and t.service_order_id = (
                        select t.service_order_id from service_inventory.service_order_item i
                        join service_inventory.service_order_task t on t.service_order_id = i.service_order_id
                        where i.target_service_id = s.id and t.task_type = 'PCRF_POLICY_PUSH'
                        order by substring(t.service_order_id from '[0-9]+$')::bigint desc limit 1))",
    },
];
