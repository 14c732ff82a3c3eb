//! TMF654 Prepay Balance Management: `topupBalance`, the purchase of a top-up for a bucket. The size says which one: what
//! is on sale has sizes of its own, and no other can be bought.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{BUCKETS, customer_reference, official as word, product_reference};
use crate::domains::catalog::port::{AllowanceType, UNLIMITED, VasId, VasView};
use crate::domains::subscription::Service;
use crate::domains::subscription::port::{SubscriptionId, VasPurchaseId};
use crate::domains::subscription::store::listing::{self, TOP_UP_STATUS, TopUpRow, USAGE_TYPE};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{merge, official, time};

const COLLECTION: &str = "/tmf-api/prepayBalanceManagement/v4/topupBalance";

/// A settled top-up never changes; until then it is on its way to the one version that it has.
const VERSION: i64 = 1;

/// What a purchase cannot be told.
const REFUSED: &[&str] = &["isAutoTopup", "numberOfPeriods", "recurringPeriod", "balanceTopup", "paymentMethod"];

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/prepayBalanceManagement/v4/topupBalance/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = listing::top_ups(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, rows.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<VasPurchaseId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.top_up_row(&cx, id.as_str()).await?;
    resource::item(&pairs, body(&row), Some(VERSION))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::of("POST topupBalance", request).await?;
    let wanted = service.read_top_up(&cx, sent).await?;
    let id = service.begin_top_up(&cx, &wanted.line, &wanted.vas).await?;
    if !wanted.attributes.is_empty() {
        listing::keep_attributes(&service.platform.db, &cx, id.as_str(), wanted.attributes).await?;
    }
    service.top_up_settled(&cx, &wanted.line, &id).await?;
    let row = service.top_up_row(&cx, id.as_str()).await?;
    resource::created(body(&row), Some(VERSION))
}

/// What a POST asks for.
struct Wanted {
    line: SubscriptionId,
    vas: VasId,
    /// Official TMF654 attributes that we only store and echo.
    attributes: Map<String, Value>,
}

impl Service {
    async fn top_up_row(&self, cx: &Context, id: &str) -> Result<TopUpRow> {
        let row = listing::top_up(&self.platform.db, cx, id).await?;
        row.ok_or_else(|| Error::not_found("top-up", id))
    }

    async fn read_top_up(&self, cx: &Context, sent: Value) -> Result<Wanted> {
        let mut sent = official::created(sent, "TMF654.TopupBalance_Create")?;
        if let Some(refused) = REFUSED.iter().find(|name| sent.contains_key(**name)) {
            let message = "is not offered: a top-up is bought once, on the card that is preferred";
            return Err(Error::invalid(format!("/{refused}"), message));
        }
        sent.shift_remove("@type");
        let bucket = sent.shift_remove("bucket").unwrap_or_default();
        let unknown = || Error::invalid("/bucket/id", "There is no such bucket");
        let (line, allowance) = bucket["id"].as_str().and_then(|id| id.split_once(':')).ok_or_else(unknown)?;
        let allowance = AllowanceType::parse(allowance).ok_or_else(unknown)?;
        let row = listing::product(&self.platform.db, cx, line).await?.ok_or_else(unknown)?;
        let usage_type = sent.shift_remove("usageType");
        if usage_type.as_ref().and_then(Value::as_str) != Some(word(USAGE_TYPE, allowance.as_str())) {
            return Err(Error::invalid("/usageType", format!("must be {}", word(USAGE_TYPE, allowance.as_str()))));
        }
        let account = sent.shift_remove("partyAccount").unwrap_or_default();
        let customer = self.customers.customer(cx, &row.customer_id.clone().into()).await?;
        if account["id"].as_str() != Some(&customer.account_id) {
            return Err(Error::invalid("/partyAccount/id", "is not the account of the line's customer"));
        }
        let amount = sent.shift_remove("amount").unwrap_or_default();
        let voucher = sent.shift_remove("voucher");
        let vas = self.chosen(cx, allowance, &amount, voucher.as_ref().and_then(Value::as_str)).await?;
        Ok(Wanted { line: row.id.into(), vas, attributes: sent })
    }

    /// The top-up on sale that adds exactly this to the allowance; `voucher` says which, where two do.
    async fn chosen(
        &self,
        cx: &Context,
        allowance: AllowanceType,
        amount: &Value,
        voucher: Option<&str>,
    ) -> Result<VasId> {
        let unit = allowance.unit().as_str();
        if amount.get("units").is_some_and(|units| units != unit) {
            return Err(Error::invalid("/amount/units", format!("must be {unit}")));
        }
        let size = amount.get("amount").and_then(Value::as_f64).unwrap_or_default();
        let on_sale = self.catalog.vas_offerings(cx).await?;
        let of_allowance = on_sale.iter().filter(|vas| vas.allowance_type == allowance);
        // Compared, never computed with: whole megabytes are exact far beyond what is sold.
        let fits = |vas: &&VasView| {
            f64::from(i32::try_from(vas.allowance_quantity).unwrap_or(i32::MAX)).total_cmp(&size).is_eq()
                && voucher.is_none_or(|voucher| vas.id.as_str() == voucher)
        };
        let fitting: Vec<&VasView> = of_allowance.clone().filter(fits).collect();
        match fitting[..] {
            [one] => Ok(one.id.clone()),
            [] => {
                let sizes: Vec<String> =
                    of_allowance.map(|vas| format!("{} ({})", vas.allowance_quantity, vas.id)).collect();
                let message = format!("must be the size of a top-up on sale, in {unit}: {}", sizes.join(", "));
                Err(Error::invalid("/amount/amount", message))
            }
            _ => Err(Error::invalid("/voucher", "is required: several top-ups have this size")),
        }
    }
}

fn body(row: &TopUpRow) -> Value {
    let bucket = format!("{}:{}", row.subscription_id, row.allowance_type);
    let mut body = json!({
        "id": row.id,
        "href": format!("{COLLECTION}/{}", row.id),
        "status": word(TOP_UP_STATUS, &row.state),
        "voucher": row.vas_offering_id,
        "usageType": word(USAGE_TYPE, &row.allowance_type),
        "isAutoTopup": false,
        "requestedDate": time::format(row.requested_at),
    });
    if let Some(at) = row.applied_at {
        body["confirmationDate"] = json!(time::format(at));
    }
    if let Some(reason) = &row.state_reason {
        body["reason"] = json!(reason);
    }
    if row.allowance_added != UNLIMITED {
        body["amount"] = json!({ "amount": row.allowance_added, "units": row.unit, "@type": "Quantity" });
    }
    body["bucket"] = json!({
        "id": bucket,
        "href": format!("{BUCKETS}/{bucket}"),
        "name": row.allowance_type,
        "@type": "BucketRef",
        "@referredType": "Bucket",
    });
    body["product"] = product_reference(&row.subscription_id);
    body["relatedParty"] = customer_reference(&row.customer_id);
    if let Some(Value::Object(kept)) = &row.attributes {
        merge::echo(&mut body, kept);
    }
    body["@type"] = json!("TopupBalance");
    body
}
