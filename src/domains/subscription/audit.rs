//! What `audit verify` proves of the lines. Each holds at any moment between two transactions.

use crate::platform::audit::Check;

/// All statements about lines, their periods and their quota.
pub const CHECKS: &[Check] = &[
    Check {
        name: "subscription.balance_is_sum_of_entries",
        description: "What is left of an allowance is the sum of its entries less what was used in the period.",
        offenders: "
            select b.subscription_id || '/' || b.allowance_type,
                   b.remaining || ' left; entries ' || coalesce(e.amount, 0) || ', used ' || coalesce(u.applied, 0)
            from subscription.bundle_balance b
            left join (select subscription_id, allowance_type, period_index, sum(amount) as amount
                       from subscription.quota_entry group by 1, 2, 3) e using (subscription_id, allowance_type, period_index)
            left join (select subscription_id, allowance_type, period_index, sum(applied) as applied
                       from mediation.usage_event group by 1, 2, 3) u using (subscription_id, allowance_type, period_index)
            where not b.unlimited and b.remaining <> coalesce(e.amount, 0) - coalesce(u.applied, 0)",
    },
    Check {
        name: "subscription.balance_is_of_the_period",
        description: "Every balance belongs to the period that its line is in.",
        offenders: "
            select b.subscription_id || '/' || b.allowance_type, 'of period ' || b.period_index || ', the line is in ' || s.period_index
            from subscription.bundle_balance b join subscription.subscription s on s.id = b.subscription_id
            where (b.period_index, b.period_start, b.period_end)
                is distinct from (s.period_index, s.current_period_start, s.current_period_end)",
    },
    Check {
        name: "subscription.every_period_is_paid",
        description: "Every period of every line was paid by an approved charge of its amount for that line, or cost nothing.",
        offenders: "
            select p.subscription_id || '/' || p.period_index,
                   p.amount_minor || ' ' || p.currency || ' by ' || coalesce(p.payment_attempt_id, 'nothing') || ': '
                   || coalesce(a.status || ' ' || a.purpose || ' of ' || a.amount_minor || ' ' || a.currency || ' for ' || a.subject_id,
                               'no such charge')
            from subscription.period p left join payment.payment_attempt a on a.id = p.payment_attempt_id
            where not (p.payment_attempt_id is null and p.amount_minor = 0)
              and (a.status, a.amount_minor, a.currency, a.purpose, a.subject_id) is distinct from
                  ('approved', p.amount_minor, p.currency, case when p.period_index = 1 then 'activation' else 'renewal' end,
                   p.subscription_id)",
    },
    Check {
        name: "subscription.state_follows_quota",
        description: "A line whose data is used up is blocked for it unless a pass runs, and one that is blocked for it has none left.",
        offenders: "
            select s.id, 'active, and nothing is left of ' || b.total || ' ' || b.unit || ' of data'
            from subscription.subscription s
            join subscription.bundle_balance b on b.subscription_id = s.id and b.allowance_type = 'data'
            -- What ends a pass clears it, and blocks the line with it.
            where s.state = 'active' and b.total > 0 and b.remaining <= 0 and not b.unlimited and not b.fair_use
              and b.unlimited_until is null
            union all
            select s.id, 'blocked as exhausted, and ' || case when b.remaining > 0 then b.remaining || ' ' || b.unit else 'unlimited data' end
                   || ' left'
            from subscription.subscription s
            join subscription.bundle_balance b on b.subscription_id = s.id and b.allowance_type = 'data'
            where s.state = 'blocked' and 'exhausted' = any(s.block_reasons)
              and (b.remaining > 0 or b.unlimited or b.unlimited_until is not null)",
    },
    Check {
        name: "subscription.periods_are_contiguous",
        description: "The periods of a line are numbered without a hole, do not overlap, and leave a gap only where whole periods \
                      were missed or the line was blocked for payment; the line is in the last one.",
        offenders: "
            select s.id, 'in period ' || s.period_index || ', has ' || count(p.*) || ' up to ' || coalesce(max(p.period_index), 0)
            from subscription.subscription s left join subscription.period p on p.subscription_id = s.id
            group by s.id
            having s.period_index <> count(p.*) or s.period_index <> coalesce(max(p.period_index), 0)
            union all
            select s.id, 'says ' || s.current_period_start || ' to ' || s.current_period_end || ', the period is another one'
            from subscription.subscription s
            join subscription.period p on p.subscription_id = s.id and p.period_index = s.period_index
            where (p.period_start, p.period_end) is distinct from (s.current_period_start, s.current_period_end)
            union all
            select n.subscription_id || '/' || n.period_index, 'starts ' || n.period_start || ', the one before ends ' || p.period_end
            from subscription.period n
            join subscription.period p on p.subscription_id = n.subscription_id and p.period_index = n.period_index - 1
            join subscription.subscription s on s.id = n.subscription_id
            where n.period_start < p.period_end
               or (n.period_start = p.period_end and n.gap is not null)
               or (n.period_start > p.period_end and not (
                   (n.gap is distinct from 'paid_late'
                    and (mod(extract(epoch from n.period_start - p.period_end), 2592000) = 0
                         or ((s.period_kind = 'calendar_month'
                              or exists (select 1 from subscription.period_contract c
                                         where c.subscription_id = s.id and c.period_kind = 'calendar_month'))
                             -- The last day of a month moves by three days at most, a clock change by hours.
                             and exists (select 1 from generate_series(1, 240) m
                                         where abs(extract(epoch from n.period_start - (p.period_end + m * interval '1 month')))
                                               < 4 * 86400))))
                   or (n.gap is distinct from 'missed'
                       and exists (select 1 from subscription.subscription_state_history h
                                   where h.subscription_id = n.subscription_id and 'payment' = any(h.block_reasons)))))",
    },
    Check {
        name: "subscription.period_is_what_was_charged_for",
        description: "Every period cost what its contract says, and a line is on the plan and at the price of the period it is in.",
        offenders: "
            select p.subscription_id || '/' || p.period_index,
                   'cost ' || p.amount_minor || ' ' || p.currency || ', the contract says ' || c.amount_minor || ' ' || c.price_currency
            from subscription.period p
            join subscription.period_contract c on c.subscription_id = p.subscription_id and c.period_index = p.period_index
            where (p.amount_minor, p.currency) is distinct from (c.amount_minor, c.price_currency)
            union all
            select s.id, 'is on ' || s.offering_id || ' at ' || s.price_offering_price_id || ', period ' || c.period_index
                   || ' is on ' || c.offering_id || ' at ' || c.price_offering_price_id
            from subscription.subscription s
            join subscription.period_contract c on c.subscription_id = s.id and c.period_index = s.period_index
            where (s.offering_id, s.price_offering_price_id, s.price_amount_minor, s.price_currency) is distinct from
                  (c.offering_id, c.price_offering_price_id, c.price_amount_minor, c.price_currency)",
    },
    Check {
        name: "subscription.discount_counts_down",
        description: "A discount is left for as many charges as its contract has periods to come; a charge is lowered only while it \
                      lasts, and by exactly what it says. A plan change ends it.",
        offenders: "
            select s.id, s.discount_periods_remaining || ' discounted charges left in period ' || s.period_index || ', the last is '
                   || coalesce(s.discount_last_period::text, 'not set')
            from subscription.subscription s
            where case
                when s.discount_type is null then s.discount_periods_remaining <> 0
                when s.discount_last_period is null then s.discount_periods_remaining not in (-1, 0)
                else s.discount_periods_remaining <> greatest(0, s.discount_last_period - s.period_index) end
            union all
            select c.subscription_id || '/' || c.period_index, 'is charged ' || c.amount_minor || ' of ' || c.price_amount_minor
                   || ' without a discount'
            from subscription.period_contract c where not c.discounted and c.amount_minor <> c.price_amount_minor
            union all
            select c.subscription_id || '/' || c.period_index, 'is charged ' || c.amount_minor || ' of ' || c.price_amount_minor || ', '
                   || case when c.kind is null then 'the line has no discount'
                           when c.is_over then 'the discount was over'
                           else 'the discount is ' || c.value || ' (' || c.kind || ')' end
            from (
                select c.subscription_id, c.period_index, c.amount_minor, c.price_amount_minor,
                       d.kind, d.value, c.period_index > d.last_period
                           or exists (select 1 from subscription.period_contract e
                                      where e.subscription_id = c.subscription_id and e.period_index <= c.period_index
                                        and e.pivot = 'plan_change') as is_over
                from subscription.period_contract c
                join subscription.subscription s on s.id = c.subscription_id
                left join order_mgmt.order_item i on i.order_id = s.commercial_order_id
                -- A plan change leaves it with the order alone.
                cross join lateral (
                    select coalesce(s.discount_type, i.discount_type) as kind,
                           case when s.discount_type is null then i.discount_value else s.discount_value end as value,
                           case when s.discount_type is null then nullif(i.discount_periods_total, -1)
                                else s.discount_last_period end as last_period) d
                where c.discounted) c
            where c.kind is null or c.is_over
               or case
                    when c.kind = 'percent' then c.amount_minor <> round(c.price_amount_minor * (100 - c.value) / 100)
                    -- In the currency's units, which have none, two or three decimals.
                    when c.amount_minor = 0 then c.price_amount_minor > c.value * 1000
                    else c.price_amount_minor - c.amount_minor not in (c.value, c.value * 100, c.value * 1000) end",
    },
    Check {
        name: "subscription.pending_change_is_booked",
        description: "What a line says will change at a renewal is booked, what is booked is what it says, and only a line that \
                      lives waits for something.",
        offenders: "
            select s.id, 'pending ' || coalesce(s.pending_offering_id, 'nothing') || ', booked ' || coalesce(c.offering_id, 'nothing')
            from subscription.subscription s
            full join (select * from subscription.contract_change where kind = 'plan_change' and state = 'scheduled') c
              on c.subscription_id = s.id
            where (s.pending_offering_id, s.pending_offering_price_id, s.pending_price_amount_minor)
                  is distinct from (c.offering_id, c.price_offering_price_id, c.price_amount_minor)
            union all
            select s.id, 'moves by ' || coalesce(s.migration_id, 'nothing') || ', booked ' || coalesce(c.migration_id, 'nothing')
            from subscription.subscription s
            full join (select * from subscription.contract_change where kind = 'price_migration' and state = 'scheduled') c
              on c.subscription_id = s.id
            where (s.migration_id, s.migration_price_id, s.migration_amount_minor, s.migration_effective_at)
                  is distinct from (c.migration_id, c.price_offering_price_id, c.price_amount_minor, c.effective_at)
            union all
            select s.id, s.state || ' and waits for a change'
            from subscription.subscription s
            where s.state in ('pending', 'terminated') and (s.pending_offering_id is not null or s.migration_id is not null)",
    },
    Check {
        name: "subscription.change_begins_with_its_period",
        description: "A plan change or price migration that is applied began with the period that was charged for it, and one that \
                      was due when a period began in time is not left waiting.",
        offenders: "
            select c.subscription_id || '/' || c.id, c.kind || ' is applied, period ' || coalesce(c.period_index::text, '?') || ' is not its'
            from subscription.contract_change c
            where c.state = 'applied' and not exists (
                select 1 from subscription.period_contract p
                join subscription.period q on q.subscription_id = p.subscription_id and q.period_index = p.period_index
                where p.subscription_id = c.subscription_id and p.period_index = c.period_index and p.pivot = c.kind
                  and p.migration_id is not distinct from c.migration_id)
            union all
            select s.id, 'the price of ' || s.migration_id || ' was due at ' || s.migration_effective_at || ', the period began '
                   || s.current_period_start
            from subscription.subscription s
            join subscription.period p on p.subscription_id = s.id and p.period_index = s.period_index
            where s.state in ('active', 'blocked') and s.migration_effective_at <= s.current_period_start
              and p.entered_at is not null and p.gap is distinct from 'paid_late'",
    },
    Check {
        name: "subscription.grants_end",
        description: "What is left of grants with an end of their own lives in the line's balance, nothing is left of one that has \
                      ended, and an allowance is unlimited for a time only by a pass that runs.",
        offenders: "
            select v.id, 'has ended and ' || v.grant_left || ' are left'
            from subscription.vas_purchase v where v.expired_at is not null and v.grant_left > 0
            union all
            select b.subscription_id || '/' || b.allowance_type, g.rest || ' left of grants, ' || (b.total - b.settled_used) || ' in the balance'
            from subscription.bundle_balance b
            join (select subscription_id, allowance_type, sum(grant_left) as rest from subscription.vas_purchase
                  where state = 'applied' and expires_at is not null and expired_at is null group by 1, 2) g
              using (subscription_id, allowance_type)
            where g.rest > b.total - b.settled_used
            union all
            select b.subscription_id || '/' || b.allowance_type, 'unlimited until ' || b.unlimited_until || ' without a pass'
            from subscription.bundle_balance b
            where b.unlimited_until is not null and not exists (
                select 1 from subscription.vas_purchase v
                where v.subscription_id = b.subscription_id and v.allowance_type = b.allowance_type and v.state = 'applied'
                  and v.allowance_added = -1 and v.expires_at = b.unlimited_until and v.expired_at is null)
            union all
            select b.subscription_id || '/' || b.allowance_type, b.total || ' granted, the entries say ' || coalesce(e.amount, 0)
            from subscription.bundle_balance b
            left join (select subscription_id, allowance_type, period_index, sum(amount) as amount from subscription.quota_entry
                       where kind = 'grant' or source like 'vas:%' group by 1, 2, 3) e
              using (subscription_id, allowance_type, period_index)
            where not b.unlimited and b.total <> coalesce(e.amount, 0)",
    },
    Check {
        name: "subscription.renewal_comes_to_an_end",
        description: "A line that waits for a renewal charge waits for one that is under way; an active line whose renewal was \
                      attempted waits for it.",
        offenders: "
            select s.id, 'waits for ' || s.renewal_attempt_id || ', which is ' || coalesce(a.status, 'unknown')
            from subscription.subscription s left join payment.payment_attempt a on a.id = s.renewal_attempt_id
            where s.renewal_attempt_id is not null and a.status is distinct from 'pending'
              and not exists (select 1 from audit.open_work d where d.aggregate_id = s.renewal_attempt_id)
            union all
            select s.id, 'active after ' || s.next_renewal_at || ', attempted and not settled'
            from subscription.subscription s
            where s.state = 'active' and s.renewal_attempt_id is null and s.renewal_attempted_for = s.next_renewal_at
              and not exists (select 1 from subscription.subscription_state_history h
                              where h.subscription_id = s.id and h.from_state = 'blocked' and h.event_time >= s.next_renewal_at)",
    },
    Check {
        name: "subscription.due_line_is_renewed",
        description: "The renewal of a line that is due can be begun, and where product time is wall time no line that is to be \
                      renewed by itself is overdue by more than a day.",
        offenders: "
            select s.id, 'due since ' || s.next_renewal_at || ', its renewal could not be begun ' || s.renewal_failures || ' times'
            from subscription.subscription s
            where (s.state = 'active' or s.state = 'blocked' and s.block_reasons <@ '{exhausted}')
              and s.renewal_attempt_id is null and s.renewal_failures >= 5
              and s.next_renewal_at <= coalesce(
                  (select coalesce(c.frozen_at, clock_timestamp() + c.offset_ms * interval '1 millisecond') from platform.product_clock c),
                  clock_timestamp())
            union all
            select s.id, 'due since ' || s.next_renewal_at || ' and nobody renews it'
            from subscription.subscription s
            where (s.state = 'active' or s.state = 'blocked' and s.block_reasons <@ '{exhausted}')
              and s.renewal_attempt_id is null and s.renewal_failures < 5
              and s.next_renewal_at < clock_timestamp() - interval '1 day'
              and not exists (select 1 from platform.product_clock)",
    },
    Check {
        name: "subscription.renewal_date_is_period_end",
        description: "A line is renewed at the end of its period, and only while it is active or blocked.",
        offenders: "
            select s.id, s.state || ', renewal ' || coalesce(s.next_renewal_at::text, 'never')
            from subscription.subscription s
            where s.next_renewal_at is distinct from case when s.state in ('active', 'blocked') then s.current_period_end end",
    },
    Check {
        name: "subscription.history_tells_the_state",
        description: "The last step of a line's history says its state and its block reasons; it is blocked exactly with a reason.",
        offenders: "
            select s.id, s.state || ' ' || s.block_reasons::text || ', the history says ' || coalesce(h.to_state || ' ' || h.block_reasons::text, 'nothing')
            from subscription.subscription s
            left join lateral (select to_state, block_reasons from subscription.subscription_state_history h
                               where h.subscription_id = s.id order by h.id desc limit 1) h on true
            where (s.state, s.block_reasons) is distinct from (h.to_state, h.block_reasons)
               or (s.state = 'blocked') <> (cardinality(s.block_reasons) > 0)",
    },
    Check {
        name: "subscription.booked_line_is_being_paid",
        description: "A line that is not active yet has its first charge under way.",
        offenders: "
            select s.id, 'pending without a charge for ' || s.commercial_order_id
            from subscription.subscription s
            where s.state = 'pending' and not exists (
                select 1 from payment.payment_attempt a
                where a.subject_id = s.id and a.purpose = 'activation'
                  and (a.status = 'pending'
                       or exists (select 1 from audit.open_work d where d.aggregate_id = a.id)))",
    },
    Check {
        name: "subscription.every_charge_bought_something",
        description: "Every approved charge for a line bought a period or a top-up, is paid back, or is about to be either.",
        offenders: "
            select a.id, a.purpose || ' of ' || a.subject_id || ' was paid and nothing was given'
            from payment.payment_attempt a
            where a.status = 'approved' and a.purpose in ('activation', 'renewal', 'vas') and a.amount_minor > 0
              and not exists (select 1 from subscription.period p where p.payment_attempt_id = a.id)
              and not exists (select 1 from subscription.vas_purchase v
                              where v.id = a.subject_id and v.payment_attempt_id = a.id and v.state = 'applied')
              and not exists (select 1 from payment.refund r where r.attempt_id = a.id)
              and not exists (select 1 from audit.open_work d where d.aggregate_id = a.id)",
    },
    Check {
        name: "subscription.top_up_is_what_was_paid",
        description: "A top-up is applied exactly when its charge was approved, and then it is an entry of its line; \
                      one that waits has its charge under way.",
        offenders: "
            select v.id, v.state || ', its charge is ' || coalesce(a.status, 'unknown')
            from subscription.vas_purchase v left join payment.payment_attempt a on a.id = v.payment_attempt_id
            where not case v.state
                when 'applied' then coalesce(a.status = 'approved', false)
                when 'declined' then coalesce(a.status in ('declined', 'errored'), false)
                when 'refunded' then coalesce(a.status = 'approved', false)
                    and (a.amount_minor = 0 or exists (select 1 from payment.refund r where r.attempt_id = a.id))
                else coalesce(a.status = 'pending', false)
                    or exists (select 1 from audit.open_work d where d.aggregate_id = a.id) end
            union all
            select v.id, 'applied without an entry of ' || v.allowance_added
            from subscription.vas_purchase v
            where v.state = 'applied' and not exists (
                select 1 from subscription.quota_entry e
                where e.subscription_id = v.subscription_id and e.allowance_type = v.allowance_type and e.kind = 'grant'
                  and e.source = 'vas:' || v.id and e.amount in (v.allowance_added, 0))
            union all
            select e.source, 'an entry of ' || e.subscription_id || ' without an applied purchase'
            from subscription.quota_entry e
            where e.source like 'vas:%' and not exists (
                select 1 from subscription.vas_purchase v
                where 'vas:' || v.id = e.source and v.subscription_id = e.subscription_id and v.state = 'applied')",
    },
];
