//! What `bss audit verify` proves of network tasks. Each holds at any moment between two transactions.

use crate::platform::audit::Check;

pub const CHECKS: &[Check] = &[
    Check {
        name: "provisioning.task_tells_its_state",
        description: "A running task has a lease, a completed one the date of it, a failed or stuck one the reason.",
        offenders: "
            select id, state || ', attempts ' || attempts || ', error ' || coalesce(last_error, 'none')
            from provisioning.provisioning_task
            where (state = 'running') <> (lease_until is not null)
               or (state = 'completed') <> (completed_at is not null)
               or (state in ('failed', 'stuck', 'withdrawn', 'abandoned') and last_error is null)
               or (state in ('running', 'failed', 'completed') and attempts = 0)",
    },
    Check {
        name: "provisioning.task_end_was_told",
        description: "A task that has ended said so in the event log.",
        offenders: "
            select t.id, t.state || ' but no event says so'
            from provisioning.provisioning_task t
            where t.state in ('completed', 'failed', 'stuck', 'abandoned')
              -- Older events than the oldest one are gone by retention.
              and t.updated_at > (select e.recorded_at from audit.domain_event e order by e.id limit 1)
              and not exists (
                  select 1 from audit.domain_event e
                  where e.aggregate_id = t.id and e.event_type = 'provisioning.task.' || t.state)",
    },
    Check {
        name: "provisioning.task_is_not_forgotten",
        description: "A task that is due is run: it is not overdue by more than a minute.",
        offenders: "
            select t.id, t.state || ' since ' || t.next_attempt_at
            from provisioning.provisioning_task t
            where t.state in ('pending', 'running')
              and greatest(t.next_attempt_at, coalesce(t.lease_until, t.next_attempt_at)) < clock_timestamp() - interval '1 minute'
              and not exists (
                  select 1 from provisioning.provisioning_task e
                  where e.service_id = t.service_id and e.position < t.position and e.service_order_id <> t.service_order_id
                    and (e.state in ('failed', 'stuck') or e.updated_at > clock_timestamp() - interval '1 minute'))",
    },
    Check {
        name: "provisioning.tasks_of_a_service_keep_their_order",
        description: "No task was begun while an earlier one of its service was not settled for good.",
        offenders: "
            select t.id, t.state || ' although ' || e.id || ' of the same service, booked before it, is ' || e.state
            from provisioning.provisioning_task t
            join provisioning.provisioning_task e
                on e.service_id = t.service_id and e.position < t.position and e.service_order_id <> t.service_order_id
            where t.started_at is not null and e.state in ('pending', 'running', 'failed', 'stuck')",
    },
    Check {
        name: "provisioning.ended_service_order_has_no_task_to_run",
        description: "No task of a service order that failed or was cancelled is still to be tried.",
        offenders: "
            select t.id, t.state || ' for ' || o.id || ', which is ' || o.state
            from provisioning.provisioning_task t
            join service_inventory.service_order o on o.id = t.service_order_id
            where o.state in ('failed', 'cancelled') and not t.withdrawal_wanted
              and t.state in ('pending', 'running', 'failed', 'stuck')",
    },
];
