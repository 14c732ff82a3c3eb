//! What `audit verify` proves of the usage books. That balances are the sum of their entries is the subscription's check.

use crate::platform::audit::Check;

/// Every statement about usage that holds between any two transactions.
pub const CHECKS: &[Check] = &[
    Check {
        name: "mediation.every_usage_has_its_key",
        description: "Within the replay window every usage event holds the key of its source and external id",
        // One day less than the window: the purge may be under way.
        offenders: "select u.id, u.source || ' ' || u.external_id || ' is held by ' || coalesce(k.usage_id, 'nobody')
            from mediation.usage_event u
            left join mediation.usage_key k
              on k.subscription_id = u.subscription_id and k.source = u.source and k.external_id = u.external_id
            where u.recorded_at > clock_timestamp() - interval '44 days' and k.usage_id is distinct from u.id",
    },
    Check {
        name: "mediation.every_key_has_its_usage",
        description: "Every key of a source and external id belongs to a stored usage event",
        offenders: "select k.usage_id, k.source || ' ' || k.external_id || ' has no usage event'
            from mediation.usage_key k
            where not exists (select 1 from mediation.usage_event u
                where u.subscription_id = k.subscription_id and u.id = k.usage_id and u.recorded_at = k.recorded_at)",
    },
    Check {
        name: "mediation.answers_add_up",
        description: "What was served and what was refused is what was asked; nothing else is taken off a balance",
        offenders: "select u.id, u.state || ': asked ' || u.quantity || ', served ' || u.rated_quantity || ', refused '
                || u.refused_quantity || ', applied ' || u.applied || coalesce(', reason ' || u.reason, '')
            from mediation.usage_event u
            where not (u.rated_quantity + u.refused_quantity = u.quantity and case
                when u.state = 'refused' then u.rated_quantity = 0 and u.applied = 0 and u.reason is not null
                when u.remaining is null then u.rated_quantity = u.quantity and u.applied = 0 and u.reason is null
                when u.event_type = 'data' then u.applied = u.rated_quantity and u.applied > 0 and u.reason is null
                    and (u.refused_quantity = 0 or u.remaining = 0)
                else u.rated_quantity = u.quantity and u.applied > 0 and u.reason is null
                    and (u.applied = u.quantity or (u.applied < u.quantity and u.remaining = 0)) end)",
    },
    Check {
        name: "mediation.every_usage_has_its_line",
        description: "Every usage event belongs to a line of its tenant",
        offenders: "select u.id, u.subscription_id || ' is no line of ' || u.tenant_id
            from mediation.usage_event u
            where not exists (select 1 from subscription.subscription s
                where s.id = u.subscription_id and s.tenant_id = u.tenant_id)",
    },
];
