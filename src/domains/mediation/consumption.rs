//! TMF677 Usage Consumption Management: `queryUsageConsumption`, read side. The answer for a line is always there, under the
//! line's id: nobody need post a query first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domains::catalog::port::{AllowanceType, UNLIMITED};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::subscription::port::{BalanceView, SubscriptionId, SubscriptionView, Subscriptions};
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::query::{Filter, Op};
use crate::platform::tmf::time;

const COLLECTION: &str = "/tmf-api/usageConsumption/v4/queryUsageConsumption";

/// What a list can be asked by; one of them must be there, since nobody wants the consumption of everybody.
const CUSTOMER: &str = "relatedParty.id";
const LINE: &str = "usageConsumption.product.id";
const NUMBER: &str = "usageConsumption.logicalResource.id";

/// What is left and used, over the lines.
pub struct Consumption {
    platform: Platform,
    lines: Arc<dyn Subscriptions>,
}

impl std::fmt::Debug for Consumption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("mediation::Consumption")
    }
}

impl Consumption {
    pub const fn new(platform: Platform, lines: Arc<dyn Subscriptions>) -> Self {
        Self { platform, lines }
    }

    /// The routes of TMF677 that we serve.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route(COLLECTION, get(list))
            .route("/tmf-api/usageConsumption/v4/queryUsageConsumption/{id}", get(retrieve))
            .with_state(self)
    }

    /// Lines that every filter fits, by id.
    async fn matching(&self, cx: &Context, filters: &[Filter]) -> Result<Vec<SubscriptionView>> {
        let mut found: Option<Vec<SubscriptionView>> = None;
        for filter in filters {
            let path = filter.path.join(".");
            if filter.op != Op::Eq {
                return Err(Error::invalid(path, "can only be compared for being equal"));
            }
            let mut lines = Vec::new();
            for value in &filter.values {
                lines.extend(self.lines_of(cx, &path, value).await?);
            }
            found = Some(match found {
                None => lines,
                Some(former) => {
                    former.into_iter().filter(|line| lines.iter().any(|other| other.id == line.id)).collect()
                }
            });
        }
        let mut lines = found.ok_or_else(|| {
            Error::invalid("query", format!("name a customer, a line or a number: {CUSTOMER}, {LINE} or {NUMBER}"))
        })?;
        lines.sort_by(|a, b| a.id.cmp(&b.id));
        lines.dedup_by(|a, b| a.id == b.id);
        Ok(lines)
    }

    async fn lines_of(&self, cx: &Context, path: &str, value: &str) -> Result<Vec<SubscriptionView>> {
        let malformed = || Error::invalid(path, "is malformed");
        let one = |answer: Result<SubscriptionView>| match answer {
            Ok(line) => Ok(vec![line]),
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        match path {
            CUSTOMER => self.lines.lines_of(cx, &value.parse::<CustomerId>().map_err(|_| malformed())?).await,
            LINE => one(self.lines.line(cx, &value.parse::<SubscriptionId>().map_err(|_| malformed())?).await),
            NUMBER => one(self.lines.line_by_number(cx, &value.parse::<Msisdn>().map_err(|_| malformed())?).await),
            _ => Err(Error::invalid(path, format!("cannot be filtered by; {CUSTOMER}, {LINE} and {NUMBER} can"))),
        }
    }
}

async fn list(
    State(consumption): State<Arc<Consumption>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    if let Some(key) = query.sort.first() {
        return Err(Error::invalid("sort", format!("{} cannot be sorted by", key.path.join("."))).into());
    }
    let now = consumption.platform.clock.now().await?;
    let lines = consumption.matching(&cx, &query.filters).await?;
    let total = lines.len() as u64;
    let from = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let at_most = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let items = lines.iter().skip(from).take(at_most).map(|line| resource_of(line, now)).collect();
    resource::listed(COLLECTION, &pairs, &query, total, items)
}

async fn retrieve(
    State(consumption): State<Arc<Consumption>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<SubscriptionId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let now = consumption.platform.clock.now().await?;
    let line = consumption.lines.line(&cx, &id).await?;
    resource::item(&pairs, resource_of(&line, now), None)
}

fn resource_of(line: &SubscriptionView, now: DateTime<Utc>) -> Value {
    json!({
        "id": line.id,
        "href": format!("{COLLECTION}/{}", line.id),
        "queryUsageConsumptionDate": time::format(now),
        "relatedParty": [party(line)],
        "usageConsumption": [usage_consumption(line, now)],
        "@type": "QueryUsageConsumption",
    })
}

fn party(line: &SubscriptionView) -> Value {
    json!({
        "id": line.customer_id,
        "href": format!("/tmf-api/customerManagement/v4/customer/{}", line.customer_id),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    })
}

fn usage_consumption(line: &SubscriptionView, now: DateTime<Utc>) -> Value {
    let mut consumption = json!({
        "id": line.id,
        "name": format!("Allowances of {}", line.msisdn),
        "state": "done",
        "creationDate": time::format(now),
    });
    if let (Some(start), Some(end)) = (line.current_period_start, line.current_period_end) {
        consumption["validPeriod"] = period(start, end);
    }
    consumption["product"] = json!([{
        "id": line.id,
        "@type": "UsageConsumptionProductRef",
        "@referredType": "Product",
    }]);
    consumption["logicalResource"] = json!([{
        "id": line.msisdn,
        "name": "number",
        "@type": "UsageConsumptionLogicalResourceRef",
        "@referredType": "LogicalResource",
    }]);
    if !line.balances.is_empty() {
        consumption["bucketRefOrValue"] = line.balances.iter().map(|balance| bucket(line, balance)).collect();
    }
    consumption["@type"] = json!("UsageConsumption");
    consumption
}

fn bucket(line: &SubscriptionView, balance: &BalanceView) -> Value {
    let kind = AllowanceType::as_str(balance.allowance_type);
    let unlimited = balance.total == UNLIMITED;
    let used_up = !unlimited && balance.remaining == 0;
    let quantity = |amount: i64| json!({ "amount": amount, "units": balance.unit });
    let mut bucket = json!({
        "id": format!("{}:{kind}", line.id),
        "name": kind,
        "usageType": kind,
        "isShared": false,
        "status": if used_up { "exhausted" } else { "active" },
        "remainingValueName": if unlimited { "unlimited" } else { "limited" },
        "validFor": period(balance.period_start, balance.period_end),
    });
    if !unlimited {
        bucket["remainingValue"] = quantity(balance.remaining);
        bucket["bucketCounter"] =
            json!([counter("used", quantity(balance.consumed)), counter("granted", quantity(balance.total))]);
    }
    bucket["@type"] = json!("Bucket");
    bucket
}

fn counter(kind: &str, value: Value) -> Value {
    json!({ "counterType": kind, "level": "period", "value": value, "@type": "ConsumptionSummary" })
}

fn period(start: DateTime<Utc>, end: DateTime<Utc>) -> Value {
    json!({ "startDateTime": time::format(start), "endDateTime": time::format(end) })
}
