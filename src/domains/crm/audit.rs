//! What the books of crm must say at any moment between two transactions.
//!
//! The checks read the tables of lines and orders, too: that the books of two domains agree is what they are for.

use crate::platform::audit::Check;

/// See the module.
pub const CHECKS: &[Check] = &[
    Check {
        name: "inventory.number_holder_lives",
        description: "Every assigned number belongs to a line that exists, is not terminated and has this very number",
        offenders: "select n.msisdn, 'assigned to ' || n.assigned_to_subscription_id || case
                when s.id is null then ', which does not exist'
                when s.state = 'terminated' then ', which is terminated'
                else ', which has another number' end
            from inventory.msisdn_pool n
            left join subscription.subscription s on s.tenant_id = n.tenant_id and s.id = n.assigned_to_subscription_id
            where n.status = 'assigned' and (s.id is null or s.state = 'terminated' or s.msisdn <> n.msisdn)",
    },
    Check {
        name: "inventory.profile_holder_lives",
        description: "Every activated eSIM profile belongs to a line that exists, is not terminated and has this very profile",
        offenders: "select '…' || right(p.iccid, 4), p.profile_state || ' for ' ||
                coalesce(p.assigned_to_subscription_id, 'nobody') || case
                when s.id is null then ', which does not exist'
                when s.state = 'terminated' then ', which is terminated'
                else ', which has another profile or number' end
            from inventory.esim_profile p
            left join subscription.subscription s on s.tenant_id = p.tenant_id and s.id = p.assigned_to_subscription_id
            where p.profile_state in ('downloaded', 'activated', 'suspended')
              and (s.id is null or s.state = 'terminated' or s.iccid <> p.iccid or p.assigned_msisdn is distinct from s.msisdn)",
    },
    Check {
        name: "inventory.line_has_its_number",
        description: "The number of every line in service is assigned to it",
        offenders: "select s.id, 'number ' || s.msisdn || ' is ' || coalesce(n.status ||
                coalesce(' for ' || n.assigned_to_subscription_id, ' for ' || n.reserved_for, ''), 'not in the pool')
            from subscription.subscription s
            left join inventory.msisdn_pool n on n.tenant_id = s.tenant_id and n.msisdn = s.msisdn
            where s.state in ('active', 'blocked')
              and (n.status is distinct from 'assigned' or n.assigned_to_subscription_id is distinct from s.id)",
    },
    Check {
        name: "inventory.line_has_its_profile",
        description: "The eSIM profile of every line in service is activated for it",
        offenders: "select s.id, 'profile …' || right(s.iccid, 4) || ' is ' || coalesce(p.profile_state ||
                coalesce(' for ' || p.assigned_to_subscription_id, ''), 'not in the pool')
            from subscription.subscription s
            left join inventory.esim_profile p on p.tenant_id = s.tenant_id and p.iccid = s.iccid
            where s.state in ('active', 'blocked')
              and (coalesce(p.profile_state, '') not in ('downloaded', 'activated', 'suspended')
                   or p.assigned_to_subscription_id is distinct from s.id)",
    },
    Check {
        name: "inventory.reservation_is_a_pair",
        description: "An order that holds a number holds an eSIM profile bound to it, and the other way round",
        offenders: "select coalesce(n.reserved_for, p.reserved_for), case
                when n.msisdn is null then 'holds profile …' || right(p.iccid, 4) || ' without a number'
                when p.iccid is null then 'holds number ' || n.msisdn || ' without a profile'
                else 'holds number ' || n.msisdn || ', its profile is bound to ' || coalesce(p.assigned_msisdn, 'none') end
            from (select * from inventory.msisdn_pool where status = 'reserved') n
            full join (select * from inventory.esim_profile where profile_state = 'reserved') p
              on p.tenant_id = n.tenant_id and p.reserved_for = n.reserved_for
            where n.msisdn is null or p.iccid is null or p.assigned_msisdn is distinct from n.msisdn",
    },
    // An order ends in one transaction and what it held is freed in a later one: as long as an event of the order, of its
    // service order or of its line waits for delivery, that one is still to come.
    Check {
        name: "inventory.reservation_has_an_order",
        description: "Nothing is reserved for an order that does not exist or has ended",
        offenders: "select n.msisdn, 'reserved for ' || n.reserved_for || ', which ' ||
                coalesce('is ' || o.state, 'does not exist')
            from inventory.msisdn_pool n
            left join order_mgmt.product_order o on o.tenant_id = n.tenant_id and o.id = n.reserved_for
            where n.status = 'reserved' and (o.id is null or o.state in ('completed', 'failed', 'cancelled'))
              and coalesce(o.updated_at < clock_timestamp() - interval '30 seconds', true)
              and not exists (
                  select from audit.delivery d where d.state = 'pending' and d.aggregate_id in (
                      select o.id
                      union all select so.id from service_inventory.service_order so
                                where so.tenant_id = o.tenant_id and so.commercial_order_id = o.id
                      union all select s.id from subscription.subscription s
                                where s.tenant_id = o.tenant_id and s.commercial_order_id = o.id))",
    },
    Check {
        name: "crm.closed_customer_has_no_line",
        description: "A closed customer has no line that is not terminated",
        offenders: "select c.id, 'is closed and has ' || s.id || ', which is ' || s.state
            from crm.customer c
            join subscription.subscription s on s.tenant_id = c.tenant_id and s.customer_id = c.id
            where c.status = 'closed' and s.state <> 'terminated'",
    },
    Check {
        name: "crm.verified_customer_has_identity",
        description: "A customer is verified exactly when an identity document is on record",
        offenders: "select c.id, 'is ' || c.kyc_status || case when i.customer_id is null then ' without' else ' with' end || ' a document'
            from crm.customer c left join crm.customer_identity i on i.tenant_id = c.tenant_id and i.customer_id = c.id
            where (c.kyc_status = 'verified') <> (i.customer_id is not null)",
    },
];
