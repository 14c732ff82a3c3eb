//! TMF635 Usage Management: `usage`. The specifications of its three kinds have a file of their own.

mod extended;
mod specification;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Draft, Pointers};
use super::port::{Mediation as _, NewUsage, UsageId, UsageState, UsageView};
use super::store;
use super::{Service, batcher};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::crm::port::Msisdn;
use crate::domains::rating::port::UsageType;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::{parse_json, read_body};
use crate::platform::http::gates::Gate;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, Recorder, resource};
use crate::platform::tmf::time;

const COLLECTION: &str = "/tmf-api/usageManagement/v4/usage";

/// Room for an answer of usual size.
const ANSWER_BYTES: usize = 2048;

/// A usage event never changes: its version is always the first.
const VERSION: i64 = 1;

/// The routes of TMF635 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/usageManagement/v4/usage/{id}", get(retrieve))
        .with_state(Arc::clone(&service))
        .merge(specification::router(service))
}

/// Shut while as many events wait as may.
pub fn gate(service: Arc<Service>) -> Gate {
    Gate::new(Method::POST, COLLECTION, move || {
        let is_full = service.batcher.is_full();
        if is_full {
            batcher::count_shed();
        }
        is_full
    })
}

/// The hot path. Product time is read by the batch, once for all its events, so the context is a recorder's: a clock read
/// per event would cost more than the event.
async fn create(
    State(service): State<Arc<Service>>,
    Recorder(cx): Recorder,
    request: Request,
) -> Result<Response, ApiError> {
    let key = idempotency_key(request.headers())?;
    let bytes = read_body(request).await?;
    let usage = match parse_json::<CreateBody<'_>>(&bytes) {
        Ok(body) => body.usage(&cx, key)?,
        // More than what is rated, or something that is wrong: neither is the hot path.
        Err(_) => extended::usage(&cx, parse_json(&bytes)?, key)?,
    };
    let view = service.record(&cx, usage).await?;
    let location = HeaderValue::from_str(&href(&view)).map_err(|e| Error::Internal(e.to_string()))?;
    let headers = [(header::LOCATION, location), (header::ETAG, HeaderValue::from_static("\"1\""))];
    if view.attributes.is_some() {
        return Ok((StatusCode::CREATED, headers, Json(service.body(&view)?)).into_response());
    }
    let currency = service.platform.config.profile.currency;
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut body, &UsageBody::of(&view, currency.as_str()))
        .map_err(|e| Error::Internal(e.to_string()))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((StatusCode::CREATED, headers, [json], body).into_response())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<UsageId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let view = service.usage(&cx, &id).await?;
    resource::item(&pairs, service.body(&view)?, Some(VERSION))
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.into_iter().map(|row| service.body(&row.view()?)).collect::<Result<_>>()?;
    resource::listed(COLLECTION, &pairs, &query, total, items)
}

impl Service {
    fn body(&self, view: &UsageView) -> Result<Value> {
        let currency = self.platform.config.profile.currency;
        let body = serde_json::to_value(UsageBody::of(view, currency.as_str()));
        let mut body = body.map_err(|e| Error::Internal(e.to_string()))?;
        if let Some(kept) = &view.attributes {
            extended::echo(&mut body, kept);
        }
        Ok(body)
    }
}

fn href(view: &UsageView) -> String {
    format!("{COLLECTION}/{}", view.id)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key =
        key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    let key = key.ok_or_else(|| Error::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))?;
    Ok(Some(key.to_owned()))
}

/// What a caller may send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody<'a> {
    #[serde(borrow)]
    usage_type: Cow<'a, str>,
    #[serde(with = "time")]
    usage_date: DateTime<Utc>,
    #[serde(borrow)]
    usage_characteristic: Vec<CharacteristicBody<'a>>,
    #[serde(rename = "@type")]
    #[expect(dead_code, reason = "accepted, says nothing new")]
    at_type: Option<String>,
    // Ours to give: named here so that the fault can point at them.
    status: Option<IgnoredAny>,
    related_party: Option<IgnoredAny>,
    rated_product_usage: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CharacteristicBody<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: Value,
    #[expect(dead_code, reason = "accepted: the name says the type")]
    value_type: Option<String>,
    #[serde(rename = "@type")]
    #[expect(dead_code, reason = "accepted, says nothing new")]
    at_type: Option<String>,
}

const POINTERS: Pointers = Pointers {
    quantity: "/usageCharacteristic/quantity",
    unit: "/usageCharacteristic/unit",
    source: "/usageCharacteristic/source",
    external_id: "/usageCharacteristic/externalId",
};

impl CreateBody<'_> {
    fn usage(self, cx: &Context, idempotency_key: Option<String>) -> Result<NewUsage> {
        let ours = [
            ("/status", &self.status),
            ("/relatedParty", &self.related_party),
            ("/ratedProductUsage", &self.rated_product_usage),
        ];
        if let Some((pointer, _)) = ours.iter().find(|(_, given)| given.is_some()) {
            return Err(Error::invalid(*pointer, "is given by this server; leave it out"));
        }
        let given = Characteristics::read(self.usage_characteristic)?;
        let draft = Draft {
            msisdn: given.msisdn.ok_or_else(|| missing("msisdn"))?,
            event_type: self.usage_type.into_owned(),
            quantity: given.quantity.ok_or_else(|| missing("quantity"))?,
            unit: given.unit,
            roaming: given.roaming.unwrap_or(false),
            event_time: Some(self.usage_date),
            source: given.source.unwrap_or_else(|| cx.service_identity.as_ref().to_owned()),
            external_id: given.external_id.or(idempotency_key),
        };
        draft.check(POINTERS)
    }
}

fn missing(name: &str) -> Error {
    Error::invalid("/usageCharacteristic", format!("the characteristic {name} is required"))
}

#[derive(Debug, Default)]
struct Characteristics {
    msisdn: Option<Msisdn>,
    quantity: Option<serde_json::Number>,
    unit: Option<String>,
    roaming: Option<bool>,
    source: Option<String>,
    external_id: Option<String>,
}

impl Characteristics {
    fn read(given: Vec<CharacteristicBody<'_>>) -> Result<Self> {
        let mut read = Self::default();
        for (n, CharacteristicBody { name, value, .. }) in given.into_iter().enumerate() {
            let fresh = match &*name {
                "msisdn" => {
                    put(&mut read.msisdn, text(value, n)?.parse().map_err(|e| fault(n, "value", format!("{e}")))?)
                }
                "quantity" => match value {
                    Value::Number(number) => put(&mut read.quantity, number),
                    _ => return Err(fault(n, "value", "must be a number")),
                },
                "unit" => put(&mut read.unit, text(value, n)?),
                "roamingIndicator" => match value {
                    Value::Bool(roaming) => put(&mut read.roaming, roaming),
                    _ => return Err(fault(n, "value", "must be true or false")),
                },
                "source" => put(&mut read.source, text(value, n)?),
                "externalId" => put(&mut read.external_id, text(value, n)?),
                _ => {
                    return Err(fault(
                        n,
                        "name",
                        "must be msisdn, quantity, unit, roamingIndicator, source or externalId",
                    ));
                }
            };
            if !fresh {
                return Err(fault(n, "name", "the characteristic is given twice"));
            }
        }
        Ok(read)
    }
}

fn put<T>(slot: &mut Option<T>, value: T) -> bool {
    slot.replace(value).is_none()
}

fn text(value: Value, n: usize) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(fault(n, "value", "must be text")),
    }
}

fn fault(n: usize, attribute: &str, message: impl Into<String>) -> Error {
    Error::invalid(format!("/usageCharacteristic/{n}/{attribute}"), message)
}

/// The resource as it goes out. Typed and borrowed: the hot path makes thousands of them a second.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageBody<'a> {
    id: &'a str,
    href: String,
    #[serde(with = "time")]
    usage_date: DateTime<Utc>,
    usage_type: &'a str,
    status: &'a str,
    related_party: [PartyBody<'a>; 1],
    usage_characteristic: Vec<Characteristic<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rated_product_usage: Option<[RatedBody<'a>; 1]>,
    usage_specification: SpecificationBody,
    #[serde(rename = "@type")]
    at_type: &'a str,
}

#[derive(Debug, Serialize)]
struct SpecificationBody {
    id: &'static str,
    href: String,
    name: &'static str,
    #[serde(rename = "@type")]
    at_type: &'static str,
    #[serde(rename = "@referredType")]
    referred_type: &'static str,
}

impl SpecificationBody {
    fn of(usage_type: UsageType) -> Self {
        Self {
            id: specification::id_of(usage_type),
            href: specification::href_of(usage_type),
            name: usage_type.as_str(),
            at_type: "UsageSpecificationRef",
            referred_type: "UsageSpecification",
        }
    }
}

#[derive(Debug, Serialize)]
struct PartyBody<'a> {
    id: &'a str,
    href: String,
    role: &'a str,
    #[serde(rename = "@type")]
    at_type: &'a str,
    #[serde(rename = "@referredType")]
    referred_type: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Characteristic<'a> {
    name: &'a str,
    value_type: &'a str,
    value: Scalar<'a>,
    #[serde(rename = "@type")]
    at_type: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Scalar<'a> {
    Text(&'a str),
    Integer(i64),
    Boolean(bool),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RatedBody<'a> {
    usage_rating_tag: &'a str,
    tax_included_rating_amount: ChargeBody<'a>,
    product_ref: ProductBody<'a>,
    #[serde(rename = "@type")]
    at_type: &'a str,
}

#[derive(Debug, Serialize)]
struct ChargeBody<'a> {
    unit: &'a str,
    value: u8,
}

#[derive(Debug, Serialize)]
struct ProductBody<'a> {
    id: &'a str,
    #[serde(rename = "@type")]
    at_type: &'a str,
    #[serde(rename = "@referredType")]
    referred_type: &'a str,
}

impl<'a> UsageBody<'a> {
    fn of(view: &'a UsageView, currency: &'a str) -> Self {
        let rated = view.state == UsageState::Rated;
        let party = PartyBody {
            id: &view.customer_id,
            href: format!("/tmf-api/customerManagement/v4/customer/{}", view.customer_id),
            role: "customer",
            at_type: "RelatedParty",
            referred_type: "Customer",
        };
        let product =
            ProductBody { id: view.subscription_id.as_str(), at_type: "ProductRef", referred_type: "Product" };
        let charge = ChargeBody { unit: currency, value: 0 };
        let included = RatedBody {
            usage_rating_tag: "included usage",
            tax_included_rating_amount: charge,
            product_ref: product,
            at_type: "RatedProductUsage",
        };
        Self {
            id: view.id.as_str(),
            href: href(view),
            usage_date: view.event_time,
            usage_type: UsageType::as_str(view.event_type),
            status: if rated { "rated" } else { "rejected" },
            related_party: [party],
            usage_characteristic: characteristics(view),
            rated_product_usage: rated.then_some([included]),
            usage_specification: SpecificationBody::of(view.event_type),
            at_type: "Usage",
        }
    }
}

fn characteristics(view: &UsageView) -> Vec<Characteristic<'_>> {
    fn of<'a>(name: &'a str, value: Scalar<'a>) -> Characteristic<'a> {
        let value_type = match value {
            Scalar::Text(_) => "string",
            Scalar::Integer(_) => "integer",
            Scalar::Boolean(_) => "boolean",
        };
        Characteristic { name, value_type, value, at_type: "UsageCharacteristic" }
    }
    let mut list = Vec::with_capacity(11);
    list.push(of("msisdn", Scalar::Text(&view.msisdn)));
    list.push(of("quantity", Scalar::Integer(view.quantity)));
    list.push(of("unit", Scalar::Text(view.unit.as_str())));
    list.push(of("roamingIndicator", Scalar::Boolean(view.roaming_indicator)));
    list.push(of("source", Scalar::Text(&view.source)));
    list.push(of("externalId", Scalar::Text(&view.external_id)));
    list.extend(
        view.allowance_type.map(|allowance| of("allowanceType", Scalar::Text(AllowanceType::as_str(allowance)))),
    );
    list.push(of("ratedQuantity", Scalar::Integer(view.rated_quantity)));
    list.push(of("refusedQuantity", Scalar::Integer(view.refused_quantity)));
    list.extend(view.remaining.map(|remaining| of("remaining", Scalar::Integer(remaining))));
    list.extend(view.reason.as_deref().map(|reason| of("reason", Scalar::Text(reason))));
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(body: Value) -> Result<NewUsage> {
        let cx = Context::system("test", "r-1".to_owned(), DateTime::UNIX_EPOCH);
        let text = body.to_string();
        let body: CreateBody<'_> = serde_json::from_str(&text).map_err(|e| Error::invalid("", e.to_string()))?;
        body.usage(&cx, None)
    }

    fn body(characteristics: Value) -> Value {
        json!({ "usageType": "data", "usageDate": "2026-05-11T20:30:00+08:00", "usageCharacteristic": characteristics })
    }

    fn fault_of(body: Value) -> String {
        match parsed(body) {
            Err(Error::Invalid { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_smallest_body_gets_its_defaults() {
        let usage =
            parsed(body(json!([{ "name": "msisdn", "value": "90000123" }, { "name": "quantity", "value": 120 }])))
                .unwrap();
        assert_eq!((usage.quantity, usage.roaming, usage.source.as_str()), (120, false, "default"));
        assert_eq!(usage.event_time.unwrap().to_rfc3339(), "2026-05-11T12:30:00+00:00");
        assert_eq!(usage.external_id, None);
    }

    #[test]
    fn faults_point_at_their_place() {
        let number = json!({ "name": "msisdn", "value": "90000123" });
        assert_eq!(fault_of(body(json!([number]))), "/usageCharacteristic");
        assert_eq!(fault_of(body(json!([number, number]))), "/usageCharacteristic/1/name");
        assert_eq!(
            fault_of(body(json!([number, { "name": "quantity", "value": "120" }]))),
            "/usageCharacteristic/1/value"
        );
        assert_eq!(fault_of(body(json!([{ "name": "speed", "value": 1 }]))), "/usageCharacteristic/0/name");
        assert_eq!(fault_of(body(json!([{ "name": "msisdn", "value": "9 0" }]))), "/usageCharacteristic/0/value");
        for ours in ["status", "relatedParty", "ratedProductUsage"] {
            let mut body = body(json!([]));
            body[ours] = json!("rated");
            assert_eq!(fault_of(body), format!("/{ours}"));
        }
    }
}
