//! TMF671 Promotion Management: `promotion`, made, listed and read. Terms and conditions stand in the one pattern: who may use
//! it as criteria, what it takes off and for how long as actions. Ending and assigning are operations.

mod pattern;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Service;
use super::create::NewPromotion;
use super::model::Promotion;
use super::store::{self, LIFECYCLE, PROMOTION_TYPES};
use crate::domains::catalog::port::{CreatePromotion, PromotionId};
use crate::platform::context::Scope;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{merge, official, time};

const COLLECTION: &str = "/tmf-api/promotionManagement/v4/promotion";

/// The routes of TMF671 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/promotionManagement/v4/promotion/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, promotions) = store::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, promotions.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<PromotionId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let promotion = service.found(&cx, &id).await?;
    resource::item(&pairs, body(&promotion), Some(promotion.version))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::needing(Scope::Admin, "POST promotion", request).await?;
    let new = read(sent, service.platform.ids.short("PROMO"))?;
    let promotion = service.create_promotion(&cx, new).await?;
    resource::created(body(&promotion), Some(promotion.version))
}

/// The official word for one of ours.
fn official_word(words: &[(&'static str, &[&str])], ours: &str) -> &'static str {
    words.iter().find(|(_, these)| these.contains(&ours)).map_or("", |(official, _)| official)
}

fn read(sent: Value, id: String) -> Result<NewPromotion> {
    let mut sent = official::created(sent, "TMF671.Promotion_Create")?;
    merge::refuse(&sent, &["lastUpdate"])?;
    sent.shift_remove("@type");
    let released = official_word(LIFECYCLE, "active");
    if sent.shift_remove("lifecycleStatus").is_some_and(|status| status != released) {
        return Err(Error::invalid("/lifecycleStatus", format!("must be {released}: a promotion is active at once")));
    }
    let pattern = pattern::read(sent.shift_remove("pattern"))?;
    let kind = official_word(PROMOTION_TYPES, &pattern.discount_type);
    if sent.shift_remove("promotionType").is_some_and(|given| given != kind) {
        return Err(Error::invalid("/promotionType", format!("must be {kind}, as the action says")));
    }
    let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let window = sent.shift_remove("validFor").unwrap_or_default();
    // The official definition has checked them.
    let instant = |name: &str| window[name].as_str().and_then(|text| time::parse(text).ok());
    let command = CreatePromotion {
        promotion_id: id.into(),
        discount_type: pattern.discount_type,
        discount_value: pattern.discount_value,
        duration_kind: pattern.duration_kind.to_owned(),
        periods_total: pattern.periods_total,
        audience: pattern.audience,
        currency: None,
        code: pattern.code,
        promo_code_kind: pattern.code_kind,
        applicable_offering_ids: pattern.offerings,
        valid_from: instant("startDateTime"),
        valid_to: instant("endDateTime"),
        display_name: text(sent.shift_remove("name")),
    };
    Ok(NewPromotion { command, attributes: sent })
}

fn body(promotion: &Promotion) -> Value {
    let mut body = json!({
        "id": promotion.id,
        "href": format!("{COLLECTION}/{}", promotion.id),
        "name": promotion.name.clone().unwrap_or_else(|| promotion.terms.label()),
        "promotionType": official_word(PROMOTION_TYPES, promotion.terms.kind()),
        "lifecycleStatus": official_word(LIFECYCLE, promotion.state.as_str()),
        "lastUpdate": time::format(promotion.updated_at),
    });
    let mut window = Map::new();
    window.extend(promotion.window.valid_from.map(|at| ("startDateTime".to_owned(), json!(time::format(at)))));
    window.extend(promotion.window.valid_to.map(|at| ("endDateTime".to_owned(), json!(time::format(at)))));
    if !window.is_empty() {
        body["validFor"] = Value::Object(window);
    }
    body["pattern"] = json!([pattern::write(promotion)]);
    merge::echo(&mut body, &promotion.attributes);
    body["@type"] = json!("Promotion");
    body
}
