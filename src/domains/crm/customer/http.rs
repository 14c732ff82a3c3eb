//! stub
pub fn router(_: std::sync::Arc<crate::domains::crm::Service>) -> axum::Router {
    axum::Router::new()
}
