//! stub
use std::sync::Arc;
use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use crate::platform::Platform;
use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::scheduler::Scheduler;
#[derive(Debug)]
pub struct App { pub services: Arc<S> }
#[derive(Debug)]
pub struct S { pub scheduler: Arc<Scheduler> }
pub fn subscribers() -> Subscribers { Subscribers::default() }
pub async fn seed(tx: &Tx, cx: &Context, profile: &Profile) -> Result<()> { crate::domains::catalog::seed(tx, cx, profile).await }
pub fn app(platform: &Platform, _: &CancellationToken, _: &TaskTracker) -> App {
    App { services: Arc::new(S { scheduler: Arc::new(Scheduler::new(platform.db.clone(), platform.clock.clone(), platform.ids.clone(), Default::default())) }) }
}
impl App {
    pub fn handlers(&self) -> Handlers { Handlers::default() }
    pub fn router(&self) -> Router { Router::new() }
}
