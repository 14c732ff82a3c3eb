//! Joins the domains: adapters into ports, ports into each other, all of them into one router, one set of handlers, one
//! registry of operations.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::json;

use crate::app::StartError;
use crate::app::hubs;
use crate::app::topics::TOPICS;
use crate::domains::crm::port::Mailer;
use crate::domains::provisioning::port::Network;
use crate::domains::{catalog, com, crm, mediation, payment, provisioning, som, subscription};
use crate::integrations::esim::EsimProfiles;
use crate::integrations::mailbox::Mailbox;
use crate::integrations::mock_gateway::MockGateway;
use crate::integrations::network_http::NetworkHttp;
use crate::integrations::network_sim::NetworkSim;
use crate::integrations::smtp::Smtp;
use crate::operations::services::Services;
use crate::operations::{self, Registry};
use crate::platform::config::{NetworkAddress, Profile};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::http::gates::Gate;
use crate::platform::hub::{Hubs, Sender};
use crate::platform::scheduler::{Scheduler, Ticks};
use crate::platform::trace::jaeger::Jaeger;
use crate::platform::{Platform, audit, clock, housekeeping, retention, trace};

/// How often history is looked at for what is past its time.
const RETENTION_TICK: Duration = Duration::from_secs(3600);

/// Who reacts to what: known before there is a database, since staging an event needs it.
pub fn subscribers() -> Subscribers {
    let subscribers = Subscribers::default();
    let subscribers = crm::subscribe(subscribers);
    let subscribers = crm::communication::subscribe(subscribers);
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
    promotion: Arc<catalog::promotion::Service>,
    crm: Arc<crm::Service>,
    communication: Arc<crm::communication::Service>,
    payment: Arc<payment::Service>,
    com: Arc<com::Service>,
    som: Arc<som::Service>,
    provisioning: Arc<provisioning::Service>,
    subscription: Arc<subscription::Service>,
    mediation: Arc<mediation::Service>,
    consumption: Arc<mediation::Consumption>,
}

/// Makes the services. Call inside a runtime.
///
/// # Errors
/// When the mail server's or Jaeger's configuration cannot be used, or the system gives usage no thread.
pub fn app(platform: &Platform) -> std::result::Result<App, StartError> {
    let gateway = Arc::new(MockGateway::new(platform.db.clone(), platform.ids.clone()));

    let catalog = Arc::new(catalog::Service::new(platform.clone()));
    let crm = Arc::new(crm::Service::new(platform.clone()));
    let promotion = Arc::new(catalog::promotion::Service::new(platform.clone(), catalog.clone(), crm.clone()));
    let payment = Arc::new(payment::Service::new(platform.clone(), crm.clone(), gateway));
    let subscription = Arc::new(subscription::Service::new(
        platform.clone(),
        catalog.clone(),
        crm.clone(),
        crm.clone(),
        payment.clone(),
    ));
    // These two are stood on by the lines and ask them back: closing a customer, removing the last card.
    let communication = Arc::new(crm::communication::Service::new(
        platform.clone(),
        crm.clone(),
        subscription.clone(),
        catalog.clone(),
        mailer(platform)?,
    ));
    crm.attach_subscriptions(subscription.clone());
    payment.connect(subscription.clone());
    let com = Arc::new(com::Service::new(
        platform.clone(),
        catalog.clone(),
        promotion.clone(),
        crm.clone(),
        crm.clone(),
        payment.clone(),
        subscription.clone(),
    ));
    let provisioning = Arc::new(provisioning::Service::new(platform.clone(), network(platform)));
    let som =
        Arc::new(som::Service::new(platform.clone(), catalog.clone(), com.clone(), crm.clone(), provisioning.clone()));
    crm.attach_keepers(vec![com.clone(), som.clone()]);
    let mediation = mediation::Service::new(platform.clone())
        .map_err(|source| StartError::Io { what: "the thread of usage", source })?;
    let mediation = Arc::new(mediation);
    let consumption = Arc::new(mediation::Consumption::new(platform.clone(), subscription.clone()));

    let ticks = housekeeping::ticks(&platform.db)
        .merge(trace::ticks(&platform.db, platform.config.traces))
        .merge(audit::nightly::ticks(&platform.db, &checks(), platform.config.profile.time_zone))
        .merge(crm.ticks())
        .merge(payment.ticks())
        .merge(com.ticks())
        .merge(som.ticks())
        .merge(provisioning.ticks())
        .merge(subscription.ticks())
        .merge(mediation.ticks())
        .merge(history(platform, &mediation));
    let scheduler = Arc::new(Scheduler::new(platform.db.clone(), platform.clock.clone(), platform.ids.clone(), ticks));
    let services = Arc::new(Services {
        platform: platform.clone(),
        scheduler,
        catalog: catalog.clone(),
        promotions: promotion.clone(),
        customers: crm.clone(),
        inventory: crm.clone(),
        communications: communication.clone(),
        payments: payment.clone(),
        orders: com.clone(),
        service_orders: som.clone(),
        provisioning: provisioning.clone(),
        subscriptions: subscription.clone(),
        usage: mediation.clone(),
        hubs: Hubs::new(platform.clone(), TOPICS),
        jaeger: platform.config.jaeger.as_ref().map(Jaeger::new).transpose()?,
        books: audit::Books::new(platform.db.clone(), checks()),
    });
    Ok(App {
        services,
        registry: Arc::new(registry()),
        catalog,
        promotion,
        crm,
        communication,
        payment,
        com,
        som,
        provisioning,
        subscription,
        mediation,
        consumption,
    })
}

/// The tick `retention`: months of usage and of events that are past their time go.
fn history(platform: &Platform, mediation: &Arc<mediation::Service>) -> Ticks {
    let (platform, mediation) = (platform.clone(), Arc::clone(mediation));
    Ticks::default().add(retention::TICK, Some(RETENTION_TICK), "system:retention", move |cx| {
        let (platform, mediation) = (platform.clone(), Arc::clone(&mediation));
        async move {
            let now = clock::wall();
            let usage = mediation.drop_expired_usage(&cx, now).await?;
            let months = platform.config.event_retention_months;
            let events = retention::drop_expired_events(&platform.db, months, now).await?;
            Ok(json!({ "usage": usage, "events": events }))
        }
    })
}

/// How mail leaves this installation.
fn mailer(platform: &Platform) -> std::result::Result<Arc<dyn Mailer>, StartError> {
    let config = &platform.config;
    if let Some(server) = &config.mail.smtp {
        return Ok(Arc::new(Smtp::new(server)?));
    }
    let file = config.mail.mailbox.clone().unwrap_or_else(|| config.data_dir.join("mailbox.log"));
    Ok(Arc::new(Mailbox::new(file)))
}

/// The network that the configuration names.
fn network(platform: &Platform) -> Arc<dyn Network> {
    let config = &platform.config.network;
    let network: Arc<dyn Network> = match &config.http {
        Some(NetworkAddress { url, secret }) => {
            let network = NetworkHttp::new(url, secret.clone());
            Arc::new(network.expect("the configuration was checked, and this machine can make an HTTP client"))
        }
        None => {
            let faults = Arc::new(provisioning::StoredFaultRules(platform.db.clone()));
            Arc::new(NetworkSim::new(faults, config.realistic_latency, config.seed))
        }
    };
    Arc::new(EsimProfiles::new(config.esim, network))
}

/// Every operation of the product.
pub fn registry() -> Registry<Services> {
    let registry = operations::platform::register(Registry::default());
    let registry = operations::catalog::register(registry);
    let registry = operations::promotion::register(registry);
    let registry = operations::crm::register(registry);
    let registry = operations::communication::register(registry);
    let registry = operations::inventory::register(registry);
    let registry = operations::payment::register(registry);
    let registry = operations::com::register(registry);
    let registry = operations::som::register(registry);
    let registry = operations::provisioning::register(registry);
    let registry = operations::operator::register(registry);
    let registry = operations::subscription::register(registry);
    let registry = operations::hub::register(registry);
    let registry = operations::trace::register(registry);
    let registry = operations::rating::register(registry);
    operations::usage::register(registry)
}

/// Every statement about the books.
pub(super) fn checks() -> Vec<audit::Check> {
    [
        audit::CHECKS,
        crm::CHECKS,
        crm::communication::CHECKS,
        payment::CHECKS,
        catalog::promotion::CHECKS,
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
            .merge(self.communication.handlers())
            .merge(self.payment.handlers())
            .merge(self.com.handlers())
            .merge(self.som.handlers())
            .merge(self.provisioning.handlers())
            .merge(self.subscription.handlers())
            .merge(self.mediation.handlers())
            .hub(Sender::new(self.services.platform.clone(), TOPICS))
    }

    /// The paths that take nothing more while too much waits behind them.
    pub fn gates(&self) -> Vec<Gate> {
        vec![mediation::gate(self.mediation.clone())]
    }

    /// All routes behind the perimeter.
    pub fn router(&self) -> Router {
        operations::http::router(Arc::clone(&self.registry), Arc::clone(&self.services))
            .merge(catalog::router(self.catalog.clone()))
            .merge(catalog::promotion::router(self.promotion.clone()))
            .merge(crm::router(self.crm.clone()))
            .merge(crm::communication::router(self.communication.clone()))
            .merge(payment::router(self.payment.clone()))
            .merge(com::router(self.com.clone()))
            .merge(som::router(self.som.clone()))
            .merge(provisioning::router(self.provisioning.clone()))
            .merge(hubs::router(&self.services.hubs))
            .merge(subscription::router(self.subscription.clone()))
            .merge(mediation::router(self.mediation.clone()))
            .merge(self.consumption.clone().router())
    }
}
