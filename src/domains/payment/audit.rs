//! What `bss audit verify` proves of payment. True at every moment between two transactions: a pending attempt is no error.

use crate::platform::audit::Check;

/// All statements about payment's books.
pub const CHECKS: &[Check] = &[
    Check {
        name: "payment.journal_balances",
        description: "Every journal entry has two lines in one currency that add up to zero.",
        offenders: "select entry_id::text, format('%s of %s: %s lines, sum %s', min(entry_kind), min(attempt_id), count(*), sum(amount_minor))
            from payment.journal_line group by entry_id
            having count(*) <> 2 or sum(amount_minor) <> 0 or count(distinct (currency, attempt_id, entry_kind)) <> 1",
    },
    Check {
        name: "payment.charge_booked_once",
        description: "An approved attempt over an amount has exactly one charge entry over it; no other attempt has one.",
        offenders: "select a.id, format('%s over %s %s, charge lines: %s', a.status, a.amount_minor, a.currency, j.lines)
            from payment.payment_attempt a
            cross join lateral (
                select count(*) as lines,
                       count(*) filter (where l.currency = a.currency and
                           ((l.account = 'gateway_clearing' and l.amount_minor = a.amount_minor)
                            or (l.account = 'customer_funds' and l.amount_minor = -a.amount_minor))) as right_lines
                from payment.journal_line l where l.attempt_id = a.id and l.entry_kind = 'charge') j
            where case when a.status = 'approved' and a.amount_minor > 0 then j.lines <> 2 or j.right_lines <> 2
                       else j.lines <> 0 end",
    },
    Check {
        name: "payment.approved_once",
        description: "No business key was charged twice, in the books or at the gateway.",
        offenders: "select business_key, format('%s approved attempts', count(*)) from payment.payment_attempt
            where status = 'approved' group by tenant_id, business_key having count(*) > 1
            union all
            select min(a.business_key), format('%s approved charges at the gateway', count(*))
            from mock_gateway.charge g join payment.payment_attempt a on a.gateway_key = g.idempotency_key
            where g.outcome = 'approved' group by a.tenant_id, a.business_key having count(*) > 1",
    },
    Check {
        name: "payment.approved_is_earned_or_returned",
        description: "Money that was taken became revenue or is going back, or its approval is still on its way to whoever asked.",
        offenders: "select a.id, format('%s of %s, %s %s taken and neither earned nor given back', a.purpose, a.subject_id,
                a.amount_minor, a.currency)
            from payment.payment_attempt a
            where a.status = 'approved' and a.amount_minor > 0
              and not exists (select 1 from payment.journal_line l
                              where l.attempt_id = a.id and l.entry_kind in ('revenue', 'refund_due'))
              and not exists (select 1 from audit.open_work d
                              where d.aggregate_id = a.id and d.event_type = 'payment.approved')",
    },
    Check {
        name: "payment.refunds_booked",
        description: "A refund that was made has its entries over the whole charge; one that was not made has no payment entry.",
        offenders: "select r.id, format('%s over %s %s: due lines %s, paid lines %s', r.status, r.amount_minor, r.currency, j.due, j.paid)
            from payment.refund r join payment.payment_attempt a on a.id = r.attempt_id
            cross join lateral (
                select count(*) filter (where l.entry_kind = 'refund_due' and abs(l.amount_minor) = r.amount_minor) as due,
                       count(*) filter (where l.entry_kind = 'refund_paid' and abs(l.amount_minor) = r.amount_minor) as paid
                from payment.journal_line l where l.attempt_id = a.id) j
            where (r.status = 'succeeded' and (j.due <> 2 or j.paid <> 2 or a.status <> 'approved'))
               or (r.status = 'pending' and ((a.status = 'approved' and j.due <> 2) or a.status in ('declined', 'errored') or j.paid <> 0))
               or (r.status = 'failed' and j.paid <> 0
                   and not exists (select 1 from payment.refund o where o.attempt_id = a.id and o.status = 'succeeded'))
            union all
            select a.id, 'a refund is booked and none is on its way' from payment.payment_attempt a
            where exists (select 1 from payment.journal_line l where l.attempt_id = a.id and l.entry_kind = 'refund_due')
              and not exists (select 1 from payment.refund r where r.attempt_id = a.id and r.status in ('pending', 'succeeded'))",
    },
    Check {
        name: "payment.gateway_has_our_charges",
        description: "Every attempt that is approved or declined is the same in the mock gateway's own record.",
        offenders: "select a.id, format('%s here, not so at the gateway', a.status)
            from payment.payment_attempt a join payment.payment_method m on m.id = a.payment_method_id and m.token_provider = 'mock'
            where a.status in ('approved', 'declined') and not exists (
                select 1 from mock_gateway.charge g
                where g.idempotency_key = a.gateway_key and g.outcome = a.status and g.amount_minor = a.amount_minor
                  and g.currency = a.currency and g.token = m.token
                  and (a.status = 'declined' or g.gateway_ref = a.gateway_ref))",
    },
    Check {
        name: "payment.gateway_charged_nothing_else",
        description: "Every charge that the mock gateway approved is an attempt that is approved, or pending and will be.",
        offenders: "select g.idempotency_key, format('%s %s taken by the gateway, %s here', g.amount_minor, g.currency,
                coalesce(a.status, 'unknown'))
            from mock_gateway.charge g left join payment.payment_attempt a on a.gateway_key = g.idempotency_key
            where g.outcome = 'approved' and (a.id is null or a.status not in ('approved', 'pending'))",
    },
    Check {
        name: "payment.gateway_has_our_refunds",
        description: "Refunds agree with the mock gateway's own record, both ways.",
        offenders: "select r.id, 'made here, not so at the gateway'
            from payment.refund r join payment.payment_attempt a on a.id = r.attempt_id
            join payment.payment_method m on m.id = a.payment_method_id and m.token_provider = 'mock'
            where r.status = 'succeeded' and not exists (
                select 1 from mock_gateway.refund g
                where g.idempotency_key = r.gateway_key and g.gateway_ref = r.gateway_ref and g.charge_ref = a.gateway_ref
                  and g.amount_minor = r.amount_minor and g.currency = r.currency)
            union all
            select g.idempotency_key, format('%s %s given back by the gateway, %s here', g.amount_minor, g.currency,
                coalesce(r.status, 'unknown'))
            from mock_gateway.refund g left join payment.refund r on r.gateway_key = g.idempotency_key
            where r.id is null or r.status not in ('succeeded', 'pending')",
    },
    Check {
        name: "payment.one_default_card",
        description: "A customer with active cards has exactly one default, and at most five cards.",
        offenders: "select customer_id, format('%s active cards, %s default', count(*), count(*) filter (where is_default))
            from payment.payment_method where status = 'active' group by tenant_id, customer_id
            having count(*) filter (where is_default) <> 1 or count(*) > 5",
    },
];
