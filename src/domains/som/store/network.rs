//! What the network may know, and what it has not confirmed, over many services.

use sea_orm::FromQueryResult;

use crate::domains::crm::port::Msisdn;
use crate::platform::context::Context;
use crate::platform::db::{Db, sql};
use crate::platform::error::Result;

/// Of a service `s` and the service order `o` that made it: the network may know it. While an activation runs, nobody can say
/// what the network has heard; afterwards something is wanted of the network exactly if it has to do with the service, up to
/// its word that it has forgotten it. Who ended the commercial order or the line, and whether that was heard here yet, is all
/// the same.
const MAY_BE_KNOWN: &str = "s.type = 'CFS' and s.network_confirmed is distinct from 'removed'
    and (s.network_wanted is not null or o.state in ('acknowledged', 'in_progress'))";

/// Those of `orders` whose service the network may know.
pub(in crate::domains::som) async fn orders_in_network(
    db: &Db,
    cx: &Context,
    orders: &[String],
) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Id {
        commercial_order_id: String,
    }
    let query = format!(
        "select distinct o.commercial_order_id from service_inventory.service_order o
         join service_inventory.service s on s.service_order_id = o.id
         where o.tenant_id = $1 and o.kind = 'activation' and o.commercial_order_id = any($2) and {MAY_BE_KNOWN}"
    );
    let rows = Id::find_by_statement(sql!(query, cx.tenant.as_ref(), orders.to_vec())).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.commercial_order_id).collect())
}

/// Those of `numbers` under which the network may know a service.
pub(in crate::domains::som) async fn numbers_in_network(
    db: &Db,
    cx: &Context,
    numbers: &[Msisdn],
) -> Result<Vec<Msisdn>> {
    #[derive(FromQueryResult)]
    struct Known {
        msisdn: String,
    }
    let query = format!(
        "select distinct s.characteristics->>'msisdn' as msisdn from service_inventory.service s
         join service_inventory.service_order o on o.id = s.service_order_id
         where s.tenant_id = $1 and s.characteristics->>'msisdn' = any($2) and {MAY_BE_KNOWN}"
    );
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let rows = Known::find_by_statement(sql!(query, cx.tenant.as_ref(), numbers)).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.msisdn.into()).collect())
}

/// A service in the network whose policy is not confirmed to be its plan's. One that is to be removed needs none.
pub(in crate::domains::som) const POLICY_UNCONFIRMED: &str =
    "(s.policy_wanted is distinct from s.policy_confirmed and s.state = 'activated'
    and s.network_wanted is distinct from 'removed')";

/// How many services wait for the network, by what is wanted of it: a state, or a `policy`.
pub(in crate::domains::som) async fn unconfirmed_counts(db: &Db) -> Result<Vec<(String, i64)>> {
    #[derive(FromQueryResult)]
    struct Count {
        wanted: String,
        waiting: i64,
    }
    let statement = sql!(format!(
        "select network_wanted as wanted, count(*) as waiting from service_inventory.service
         where network_wanted is distinct from network_confirmed and network_wanted is not null group by network_wanted
         union all
         select 'policy', count(*) from service_inventory.service s where {POLICY_UNCONFIRMED}"
    ));
    let rows = Count::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.wanted, row.waiting)).collect())
}
