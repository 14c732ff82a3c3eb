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
               or (state in ('failed', 'stuck') and last_error is null)
               or (state in ('running', 'failed', 'completed') and attempts = 0)",
    },
    Check {
        name: "provisioning.task_end_was_told",
        description: "A task that has ended said so in the event log.",
        offenders: "
            select t.id, t.state || ' but no event says so'
            from provisioning.provisioning_task t
            where t.state in ('completed', 'failed', 'stuck')
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
            select id, state || ' since ' || next_attempt_at
            from provisioning.provisioning_task
            where state in ('pending', 'running')
              and greatest(next_attempt_at, coalesce(lease_until, next_attempt_at)) < clock_timestamp() - interval '1 minute'",
    },
];
