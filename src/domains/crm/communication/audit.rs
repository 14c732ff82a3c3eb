//! What `audit verify` proves of messages.

use crate::platform::audit::Check;

/// See the module.
pub const CHECKS: &[Check] = &[
    Check {
        name: "communication.pending_message_is_on_its_way",
        description: "Every message that is not at its end has a delivery that waits, or is parked",
        offenders: "select m.id, m.template || ' for ' || m.customer_id || ', requested at ' || m.requested_at
            from crm.communication_message m
            where m.state = 'pending' and not exists (
                select from audit.delivery d where d.aggregate_id = m.id and d.state in ('pending', 'parked'))",
    },
    Check {
        name: "communication.owed_message_is_not_opted_out",
        description: "Nobody has opted out of a message that is owed to the customer",
        offenders: "select o.customer_id || '/' || o.template, 'opted out at ' || o.opted_out_at
            from crm.communication_opt_out o
            where o.template not in ('low_balance', 'renewal_reminder')
            union all
            select m.id, m.template || ' was not sent although it is owed'
            from crm.communication_message m
            where m.state = 'suppressed' and m.state_reason = 'opted_out'
              and (m.template not in ('low_balance', 'renewal_reminder') or m.notice -> 'coming' ->> 'costs_more' = 'true')",
    },
];
