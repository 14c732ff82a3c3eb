//! Joins the domains: adapters into ports, ports into each other, all of them into one router, one set of handlers, one
//! registry of operations.

use std::sync::Arc;

use axum::Router;

use crate::app::hubs;
use crate::app::topics::TOPICS;
use crate::domains::{catalog, com, crm, mediation, payment, provisioning, som, subscription};
use crate::integrations::mock_gateway::MockGateway;
use crate::integrations::network_sim::NetworkSim;
use crate::operations::services::Services;
use crate::operations::{self, Registry};
use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::hub::{Hubs, Sender};
use crate::platform::scheduler::Scheduler;
use crate::platform::{Platform, audit, housekeeping};

/// Who reacts to what: known before there is a database, since staging an event needs it.
pub fn subscribers() -> Subscribers {
    let subscribers = Subscribers::default();
    let subscribers = crm::subscribe(subscribers);
    let subscribers = payment::subscribe(subscribers);
    let subscribers = com::subscribe(subscribers);
    let subscribers = som::subscribe(subscribers);
    let subscribers = provisioning::subscribe(subscribers);
    let subscribers = subscription::subscribe(subscribers);
    mediation::subscribe(subscribers)
}

/// The reference data of all domains; what exists stays as it is.
pub async fn seed(tx: &Tx, cx: &Context, profile: &Profile) -> Result<()> {
    catalog::seed(tx, cx, profile).await?;
    crm::seed(tx, cx, profile).await?;
    provisioning::seed(tx, cx, profile).await
}

/// The product, joined, before anything runs.
#[derive(Debug)]
pub struct App {
    pub services: Arc<Services>,
    pub registry: Arc<Registry<Services>>,
    catalog: Arc<catalog::Service>,
    crm: Arc<crm::Service>,
    payment: Arc<payment::Service>,
    com: Arc<com::Service>,
    som: Arc<som::Service>,
    provisioning: Arc<provisioning::Service>,
    subscription: Arc<subscription::Service>,
    mediation: Arc<mediation::Service>,
}

/// Makes the services. Call inside a runtime: mediation starts its batcher.
pub fn app(platform: &Platform) -> App {
    let gateway = Arc::new(MockGateway::new(platform.db.clone(), platform.ids.clone()));
    let faults = Arc::new(provisioning::StoredFaultRules(platform.db.clone()));
    let network_config = &platform.config.network;
    let network = Arc::new(NetworkSim::new(faults, network_config.realistic_latency, network_config.seed));

    let catalog = Arc::new(catalog::Service::new(platform.clone()));
    let crm = Arc::new(crm::Service::new(platform.clone()));
    let payment = Arc::new(payment::Service::new(platform.clone(), crm.clone(), gateway));
    let subscription = Arc::new(subscription::Service::new(
        platform.clone(),
        catalog.clone(),
        crm.clone(),
        crm.clone(),
        payment.clone(),
    ));
    // These two are stood on by the lines and ask them back: closing a customer, removing the last card.
    crm.attach_subscriptions(subscription.clone());
    payment.connect(subscription.clone());
    let com = Arc::new(com::Service::new(
        platform.clone(),
        catalog.clone(),
        crm.clone(),
        crm.clone(),
        payment.clone(),
        subscription.clone(),
    ));
    let provisioning = Arc::new(provisioning::Service::new(platform.clone(), network));
    let som =
        Arc::new(som::Service::new(platform.clone(), catalog.clone(), com.clone(), crm.clone(), provisioning.clone()));
    let mediation = Arc::new(mediation::Service::new(platform.clone()));

    let ticks = housekeeping::ticks(&platform.db)
        .merge(crm.ticks())
        .merge(payment.ticks())
        .merge(com.ticks())
        .merge(som.ticks())
        .merge(provisioning.ticks())
        .merge(subscription.ticks())
        .merge(mediation.ticks());
    let scheduler = Arc::new(Scheduler::new(platform.db.clone(), platform.clock.clone(), platform.ids.clone(), ticks));
    let services = Arc::new(Services {
        platform: platform.clone(),
        scheduler,
        catalog: catalog.clone(),
        customers: crm.clone(),
        inventory: crm.clone(),
        payments: payment.clone(),
        orders: com.clone(),
        service_orders: som.clone(),
        provisioning: provisioning.clone(),
        subscriptions: subscription.clone(),
        usage: mediation.clone(),
        hubs: Hubs::new(platform.clone(), TOPICS),
        checks: checks(),
    });
    App {
        services,
        registry: Arc::new(registry()),
        catalog,
        crm,
        payment,
        com,
        som,
        provisioning,
        subscription,
        mediation,
    }
}

/// Every operation of the product.
pub fn registry() -> Registry<Services> {
    let registry = operations::platform::register(Registry::default());
    let registry = operations::catalog::register(registry);
    let registry = operations::crm::register(registry);
    let registry = operations::inventory::register(registry);
    let registry = operations::payment::register(registry);
    let registry = operations::com::register(registry);
    let registry = operations::som::register(registry);
    let registry = operations::provisioning::register(registry);
    let registry = operations::subscription::register(registry);
    let registry = operations::hub::register(registry);
    operations::usage::register(registry)
}

/// Every statement about the books.
fn checks() -> Vec<audit::Check> {
    [
        audit::CHECKS,
        crm::CHECKS,
        payment::CHECKS,
        com::CHECKS,
        som::CHECKS,
        provisioning::CHECKS,
        subscription::CHECKS,
        mediation::CHECKS,
    ]
    .concat()
}

impl App {
    /// The code of every subscriber.
    pub fn handlers(&self) -> Handlers {
        self.crm
            .handlers()
            .merge(self.payment.handlers())
            .merge(self.com.handlers())
            .merge(self.som.handlers())
            .merge(self.provisioning.handlers())
            .merge(self.subscription.handlers())
            .merge(self.mediation.handlers())
            .hub(Sender::new(self.services.platform.clone(), TOPICS))
    }

    /// All routes behind the perimeter.
    pub fn router(&self) -> Router {
        operations::http::router(Arc::clone(&self.registry), Arc::clone(&self.services))
            .merge(catalog::router(self.catalog.clone()))
            .merge(crm::router(self.crm.clone()))
            .merge(payment::router(self.payment.clone()))
            .merge(com::router(self.com.clone()))
            .merge(som::router(self.som.clone()))
            .merge(hubs::router(&self.services.hubs))
            .merge(subscription::router(self.subscription.clone()))
            .merge(mediation::router(self.mediation.clone()))
    }
}
