//! The domain as others see it: its ports, over the use cases of its aggregates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::port::{
    AddContactMedium, AddNumberRange, AddProfiles, AddedProfiles, AddedRange, AttestKyc, CloseCustomer,
    ContactMediumView, CreateCustomer, CustomerId, CustomerView, Customers, Direction, EsimActivation, Iccid,
    InteractionView, Inventory, ListCustomers, ListInteractions, ListNumbers, ListProfiles, LogInteraction, Msisdn,
    NumberCount, NumberView, ProfileView, ReleaseNumber, RemoveContactMedium, Reservation, ReservationKeeper, Standing,
    UpdateContactMedium,
};
use crate::domains::crm::customer::{self, Customer};
use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::{Error, Result};
use crate::platform::gather::ById;
use crate::platform::scheduler::Ticks;

/// Crm reacts to no events: what other domains need of it, they ask in their own unit of work.
#[must_use]
pub const fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers
}

/// Customers, timeline and inventory over their tables.
pub struct Service {
    pub(super) platform: Platform,
    pub(super) by_id: ById<CustomerId, Customer>,
    subscriptions: OnceLock<Arc<dyn Subscriptions>>,
    keepers: OnceLock<Vec<Arc<dyn ReservationKeeper>>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    pub fn new(platform: Platform) -> Self {
        let by_id = customer::by_id(&platform.db);
        Self { platform, by_id, subscriptions: OnceLock::new(), keepers: OnceLock::new() }
    }

    /// Gives the lines that closing a customer asks for. They need crm themselves, so they come after it is made.
    pub fn attach_subscriptions(&self, subscriptions: Arc<dyn Subscriptions>) {
        let attached = self.subscriptions.set(subscriptions);
        assert!(attached.is_ok(), "subscriptions are attached once, when the application is composed");
    }

    pub(super) fn subscriptions(&self) -> Result<&dyn Subscriptions> {
        let attached = self.subscriptions.get().map(AsRef::as_ref);
        attached.ok_or_else(|| Error::Internal("subscriptions were not attached to crm".into()))
    }

    /// Gives those who are asked before a reservation that ran out is taken back. Without any, each one is.
    pub fn attach_keepers(&self, keepers: Vec<Arc<dyn ReservationKeeper>>) {
        let attached = self.keepers.set(keepers);
        assert!(attached.is_ok(), "keepers are attached once, when the application is composed");
    }

    pub(super) fn keepers(&self) -> &[Arc<dyn ReservationKeeper>] {
        self.keepers.get().map_or(&[], Vec::as_slice)
    }

    pub fn handlers(self: &Arc<Self>) -> Handlers {
        Handlers::default()
    }

    pub fn ticks(self: &Arc<Self>) -> Ticks {
        let (reservations, quarantine) = (Arc::clone(self), Arc::clone(self));
        Ticks::default()
            .add("reservations", Some(Duration::from_mins(1)), "system:reservation_sweeper", move |cx| {
                let service = Arc::clone(&reservations);
                async move {
                    let (released, kept) = service.free_expired_reservations(&cx).await?;
                    Ok(json!({ "released": released, "kept": kept }))
                }
            })
            .add("quarantine", Some(Duration::from_mins(10)), "system:quarantine_sweeper", move |cx| {
                let service = Arc::clone(&quarantine);
                async move {
                    let (released, kept) = service.end_quarantines(&cx).await?;
                    Ok(json!({ "released": released, "kept": kept }))
                }
            })
    }
}

#[async_trait]
impl Customers for Service {
    async fn standing(&self, cx: &Context, id: &CustomerId) -> Result<Option<Standing>> {
        self.customer_standing(cx, id).await
    }

    async fn hold_open(&self, tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Standing> {
        self.hold_customer_open(tx, cx, id).await
    }

    async fn note(&self, tx: &Tx, cx: &Context, id: &CustomerId, direction: Direction, summary: &str) -> Result<()> {
        self.note_interaction(tx, cx, id, direction, summary).await
    }

    async fn note_all(
        &self,
        tx: &Tx,
        cx: &Context,
        direction: Direction,
        notes: &[(CustomerId, String)],
    ) -> Result<()> {
        self.note_interactions(tx, cx, direction, notes).await
    }

    async fn create(&self, cx: &Context, command: CreateCustomer) -> Result<CustomerView> {
        self.create_customer(cx, command).await
    }

    async fn customer(&self, cx: &Context, id: &CustomerId) -> Result<CustomerView> {
        self.customer_view(cx, id).await
    }

    async fn customers(&self, cx: &Context, filter: ListCustomers) -> Result<Vec<CustomerView>> {
        self.customer_list(cx, filter).await
    }

    async fn find_by_email(&self, cx: &Context, email: &str) -> Result<CustomerView> {
        self.customer_by_email(cx, email).await
    }

    async fn add_contact_medium(&self, cx: &Context, command: AddContactMedium) -> Result<ContactMediumView> {
        self.add_medium(cx, command).await
    }

    async fn update_contact_medium(&self, cx: &Context, command: UpdateContactMedium) -> Result<ContactMediumView> {
        self.update_medium(cx, command).await
    }

    async fn remove_contact_medium(&self, cx: &Context, command: RemoveContactMedium) -> Result<ContactMediumView> {
        self.remove_medium(cx, command).await
    }

    async fn attest_kyc(&self, cx: &Context, command: AttestKyc) -> Result<CustomerView> {
        self.attest(cx, command).await
    }

    async fn close(&self, cx: &Context, command: CloseCustomer) -> Result<CustomerView> {
        self.close_customer(cx, command).await
    }

    async fn log_interaction(&self, cx: &Context, command: LogInteraction) -> Result<InteractionView> {
        self.log(cx, command).await
    }

    async fn interactions(&self, cx: &Context, filter: ListInteractions) -> Result<Vec<InteractionView>> {
        self.timeline(cx, filter).await
    }
}

#[async_trait]
impl Inventory for Service {
    async fn reserve(
        &self,
        tx: &Tx,
        cx: &Context,
        order_id: &str,
        preference: Option<&Msisdn>,
        until: DateTime<Utc>,
    ) -> Result<Reservation> {
        self.reserve_pair(tx, cx, order_id, preference, until).await
    }

    async fn reservation(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Reservation>> {
        self.reserved_pair(tx, cx, order_id).await
    }

    async fn assign(&self, tx: &Tx, cx: &Context, order_id: &str, subscription_id: &str) -> Result<()> {
        self.assign_pair(tx, cx, order_id, subscription_id).await
    }

    async fn release(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<()> {
        self.release_pair(tx, cx, order_id).await
    }

    async fn retire(&self, tx: &Tx, cx: &Context, subscription_id: &str) -> Result<()> {
        self.retire_pair(tx, cx, subscription_id).await
    }

    async fn esim_activation(&self, cx: &Context, subscription_id: &str) -> Result<EsimActivation> {
        self.view_activation(cx, subscription_id).await
    }

    async fn numbers(&self, cx: &Context, filter: ListNumbers) -> Result<Vec<NumberView>> {
        self.number_list(cx, filter).await
    }

    async fn number(&self, cx: &Context, msisdn: &Msisdn) -> Result<NumberView> {
        self.number_view(cx, msisdn).await
    }

    async fn count_numbers(&self, cx: &Context, prefix: Option<String>) -> Result<NumberCount> {
        self.number_count(cx, prefix).await
    }

    async fn add_range(&self, cx: &Context, command: AddNumberRange) -> Result<AddedRange> {
        self.add_number_range(cx, command).await
    }

    async fn release_number(&self, cx: &Context, command: ReleaseNumber) -> Result<NumberView> {
        self.take_number_back(cx, command).await
    }

    async fn profiles(&self, cx: &Context, filter: ListProfiles) -> Result<Vec<ProfileView>> {
        self.profile_list(cx, filter).await
    }

    async fn profile(&self, cx: &Context, iccid: &Iccid) -> Result<ProfileView> {
        self.profile_view(cx, iccid).await
    }

    async fn add_profiles(&self, cx: &Context, command: AddProfiles) -> Result<AddedProfiles> {
        self.add_profile_batch(cx, command).await
    }
}
