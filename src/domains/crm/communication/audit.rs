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
    Check {
        name: "communication.new_price_was_announced",
        description: "The notice of a new price that a line pays, or is due to, has reached the customer or is on its way. Where it has \
                      not, mend the address and send it again",
        offenders: "
            select c.subscription_id || '/' || c.migration_id, 'due at ' || c.effective_at || ', its notice '
                   || coalesce(m.id || ' is ' || case m.state when 'pending' then 'parked' else m.state end
                               || coalesce(': ' || m.state_reason, ''), 'could not be written')
            from subscription.contract_change c
            join subscription.subscription s on s.id = c.subscription_id
            left join crm.communication_message m on m.subscription_id = c.subscription_id and m.template = 'price_change'
                and (m.business_key = c.subscription_id || ':' || c.migration_id
                     -- As it was named before.
                     or m.business_key like c.subscription_id || ':' || extract(epoch from c.effective_at)::bigint || ':%')
            where c.kind = 'price_migration' and c.state in ('scheduled', 'applied') and s.state in ('active', 'blocked')
              and c.effective_at <= coalesce(
                  (select coalesce(p.frozen_at, clock_timestamp() + p.offset_ms * interval '1 millisecond') from platform.product_clock p),
                  clock_timestamp())
              and case m.state
                  when 'sent' then false
                  when 'pending' then exists (select from audit.delivery d where d.aggregate_id = m.id and d.state = 'parked')
                  when 'suppressed' then true
                  when 'failed' then true
                  else exists (select from audit.delivery d
                               where d.aggregate_id = c.subscription_id and d.consumer = 'crm.tell_price_change'
                                 and d.state = 'parked') end",
    },
];
