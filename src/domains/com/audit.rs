//! What `bss audit verify` proves of orders. Each holds at any moment between two transactions.

use crate::platform::audit::Check;

pub const CHECKS: &[Check] = &[
    Check {
        name: "com.order_is_terminal_or_explained",
        description: "Every order in progress is waited for by a delivery, by a network task that is not settled for good, or by a \
                      pending line or top-up. That it was flagged as stuck moves nothing.",
        offenders: "
            select o.id, 'in progress since ' || o.submitted_at || ' and nothing will move it'
            from order_mgmt.product_order o
            where o.state = 'in_progress'
              and not exists (select 1 from audit.open_work d where d.aggregate_id = o.id)
              and not exists (
                  select 1 from service_inventory.service_order s
                  where s.commercial_order_id = o.id
                    and (exists (select 1 from audit.open_work d where d.aggregate_id = s.id)
                         or exists (
                             select 1 from provisioning.provisioning_task t
                             where t.service_order_id = s.id
                               and (t.state in ('pending', 'running', 'failed', 'stuck')
                                    or exists (select 1 from audit.open_work d where d.aggregate_id = t.id)))))
              and not exists (
                  select 1 from subscription.vas_purchase v
                  where v.order_id = o.id
                    and (v.state = 'pending'
                         or exists (select 1 from audit.open_work d
                                    where d.aggregate_id = v.subscription_id and d.consumer = 'com.end_on_top_up')))
              and not exists (
                  select 1 from subscription.subscription l
                  where l.commercial_order_id = o.id
                    and (l.state = 'pending'
                         or exists (select 1 from audit.open_work d where d.aggregate_id = l.id)))",
    },
    Check {
        name: "com.completed_order_has_its_line",
        description: "Every completed order for a plan has exactly one line, the one it names, and the payment of it.",
        offenders: "
            select o.id, 'completed with ' || count(l.id) || ' lines, names ' || coalesce(min(i.target_subscription_id), 'none')
            from order_mgmt.product_order o
            join order_mgmt.order_item i on i.order_id = o.id
            left join subscription.subscription l on l.commercial_order_id = o.id and l.tenant_id = o.tenant_id
            where o.state = 'completed' and i.action = 'add'
            group by o.id
            having count(l.id) <> 1 or min(l.id) is distinct from min(i.target_subscription_id)
                or min(i.payment_attempt_id) is null",
    },
    Check {
        name: "com.top_up_order_has_its_purchase",
        description: "Every completed order for a top-up has the one purchase that it names the payment of, and it was added; \
                      one that ended otherwise has none that was.",
        offenders: "
            select o.id, o.state || ', paid by ' || coalesce(i.payment_attempt_id, 'nothing') || ', has '
                   || coalesce(v.id || ' ' || v.state || ', paid by ' || v.payment_attempt_id, 'no purchase')
            from order_mgmt.product_order o
            join order_mgmt.order_item i on i.order_id = o.id
            left join subscription.vas_purchase v on v.order_id = o.id and v.tenant_id = o.tenant_id
            where i.action = 'modify' and i.price_offering_price_id = i.offering_id
              and case o.state
                  when 'completed' then (v.state, v.payment_attempt_id, v.subscription_id)
                      is distinct from ('applied', i.payment_attempt_id, i.target_subscription_id)
                  when 'failed' then v.state in ('pending', 'applied')
                  when 'cancelled' then v.id is not null
                  else false end",
    },
    Check {
        name: "com.ended_order_holds_no_inventory",
        description: "An order that has ended reserves no number and no eSIM profile, but for those that the network has yet to forget.",
        offenders: "
            select o.id, o.state || ' but reserves ' || h.what
            from order_mgmt.product_order o
            join (select reserved_for, 'number ' || msisdn as what from inventory.msisdn_pool where status = 'reserved'
                  union all
                  select reserved_for, 'eSIM profile …' || right(iccid, 4) from inventory.esim_profile
                  where profile_state = 'reserved') h on h.reserved_for = o.id
            where o.state in ('completed', 'failed', 'cancelled')
              and not exists (select 1 from audit.open_work d where d.aggregate_id = o.id)
              and not exists (
                  select 1 from service_inventory.service_order s
                  where s.commercial_order_id = o.id and s.kind = 'cessation' and s.state = 'in_progress')",
    },
    Check {
        name: "com.lost_order_has_no_line_in_service",
        description: "An order that failed or was cancelled has no line in service.",
        offenders: "
            select o.id, o.state || ' but line ' || l.id || ' is ' || l.state
            from order_mgmt.product_order o
            join subscription.subscription l on l.commercial_order_id = o.id and l.tenant_id = o.tenant_id
            where o.state in ('failed', 'cancelled') and l.state in ('active', 'blocked')",
    },
    Check {
        name: "com.history_tells_the_state",
        description: "The last line of an order's history, and its item, say the order's state.",
        offenders: "
            select o.id, o.state || ' but its history ends with ' || coalesce(h.to_state, 'nothing') || ' and its item is ' || i.state
            from order_mgmt.product_order o
            join order_mgmt.order_item i on i.order_id = o.id
            left join lateral (
                select to_state from order_mgmt.order_state_history x where x.order_id = o.id order by x.id desc limit 1) h on true
            where h.to_state is distinct from o.state or i.state <> o.state",
    },
    Check {
        name: "com.change_names_its_line",
        description: "An order about a line names a line of its customer; one that has ended it, a line that has ended.",
        offenders: "
            select o.id, i.action || ' of ' || coalesce(i.target_subscription_id, 'no line')
            from order_mgmt.product_order o
            join order_mgmt.order_item i on i.order_id = o.id
            left join subscription.subscription l on l.id = i.target_subscription_id and l.customer_id = o.customer_id
            where i.action <> 'add'
              and (l.id is null or (i.action = 'delete' and o.state = 'completed' and l.state <> 'terminated'))",
    },
    Check {
        name: "com.ended_order_says_when_and_why",
        description: "An order that has ended has the date of it; one that failed has the reason.",
        offenders: "
            select o.id, o.state || ' without date or reason'
            from order_mgmt.product_order o
            where (o.state in ('completed', 'failed', 'cancelled')) <> (o.completed_date is not null)
               or (o.state = 'failed' and coalesce(o.state_reason, '') = '')",
    },
];
