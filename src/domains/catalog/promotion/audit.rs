//! What `bss audit verify` proves of promotions. Each holds at any moment between two transactions.

use crate::platform::audit::Check;

pub const CHECKS: &[Check] = &[
    Check {
        name: "promotion.entitlement_follows_its_order",
        description: "What an order claimed of a promotion is claimed while the order is in progress, redeemed when it has completed, \
                      revoked when it ended otherwise; the order is of the same customer and names it.",
        offenders: "
            select e.id, e.state || ' by ' || e.order_id || ', which is ' || coalesce(o.state, 'not there')
                   || ' and names ' || coalesce(i.promo_offer_id, 'nothing')
            from catalog.entitlement e
            left join order_mgmt.product_order o on o.id = e.order_id and o.tenant_id = e.tenant_id
            left join order_mgmt.order_item i on i.order_id = o.id
            where (e.state, e.id, e.customer_id) is distinct from
                  (case o.state when 'in_progress' then 'claimed' when 'completed' then 'redeemed'
                                when 'failed' then 'revoked' when 'cancelled' then 'revoked' end,
                   i.promo_offer_id, o.customer_id)",
    },
    Check {
        name: "promotion.order_holds_what_it_names",
        description: "An order that names what it claimed has claimed it.",
        offenders: "
            select i.order_id, 'names ' || i.promo_offer_id || ', which is ' || coalesce('of ' || e.order_id, 'not there')
            from order_mgmt.order_item i
            left join catalog.entitlement e on e.id = i.promo_offer_id and e.tenant_id = i.tenant_id
            where i.promo_offer_id is not null and e.order_id is distinct from i.order_id",
    },
    Check {
        name: "promotion.discounted_line_was_entitled",
        description: "A line that has a promotion as its contract comes from an order that claimed it. One that pays a promised price \
                      without one pays it once.",
        offenders: "
            select l.id, 'has ' || coalesce(l.promo_offer_definition_id, 'no promotion') || ', its order claimed '
                   || coalesce(p.offer_definition_id, 'nothing')
            from subscription.subscription l
            left join catalog.entitlement e on e.order_id = l.commercial_order_id and e.tenant_id = l.tenant_id
            left join catalog.promotion p on p.id = e.promotion_id
            where l.promo_offer_definition_id is not null
              and l.promo_offer_definition_id is distinct from p.offer_definition_id",
    },
    Check {
        name: "promotion.single_use_is_used_once",
        description: "A code that is good for one use is used once; one that is good for one use by each customer, once by each.",
        offenders: "
            select e.promotion_id, count(*) || ' uses of a code that is ' || e.code_kind
            from catalog.entitlement e
            where e.state <> 'revoked' and e.code_kind <> 'multi_use'
            group by e.tenant_id, e.promotion_id, e.code_kind,
                case when e.code_kind = 'single_use_unique_per_customer' then e.customer_id end
            having count(*) > 1",
    },
];
