//! Listeners outside (TMF688): whoever registers a callback under an API's `/hub` is told of that API's events.
//!
//! An event that a listener wants gets a delivery of kind `hub` in the transaction of the change, and so backoff, parking
//! and replay like every other; it is sent at least once, and its `eventId` tells a repetition. What is sent names the
//! resource and no more, as the API defines it and whatever version of the event is stored: the listener reads it with its
//! own token. Every call is signed, follows no redirect, and reaches no
//! private address unless that is allowed, whatever the name of the host resolves to at that moment.

mod address;
mod send;
mod store;
mod wish;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::id_type;
use crate::platform::Platform;
use crate::platform::context::{Context, Scope};
use crate::platform::error::{Error, Result};

pub use send::{Sender, signature};

id_type!(pub HubId, "registered listener, HUB-…");

/// The consumer of a listener's deliveries is this and its id.
pub const CONSUMER_PREFIX: &str = "hub.";

/// Most listeners of a tenant: each one costs every event a row.
const HUBS_MAX: i64 = 50;
const CALLBACK_BYTES_MAX: usize = 500;

/// One fact that an API tells.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Ours, as in the event log.
    pub event_type: &'static str,
    /// `TMF629`
    pub api: &'static str,
    /// As the official file names it: `CustomerCreateEvent`.
    pub name: &'static str,
    /// The attribute of the event that holds the resource: `customer`.
    pub resource: &'static str,
    pub collection: &'static str,
    pub named: Named,
    /// The official word for the state that the event tells of, where it tells of one.
    pub state: Option<&'static str>,
}

/// How an event names its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The resource is the aggregate.
    Aggregate,
    /// Its id stands in this attribute of the payload. An event without it has nothing to tell.
    In(&'static str),
    /// Its id is the aggregate's after this.
    After(&'static str),
}

impl Named {
    fn id(self, notice: &Notice) -> Option<String> {
        match self {
            Self::Aggregate => Some(notice.aggregate_id.clone()),
            Self::In(attribute) => notice.payload[attribute].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
            Self::After(prefix) => Some(format!("{prefix}{}", notice.aggregate_id)),
        }
    }
}

/// An event on its way to a listener.
#[derive(Debug, Clone)]
pub struct Notice {
    pub hub_id: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub aggregate_id: String,
    pub occurred_at: DateTime<Utc>,
    pub payload: serde_json::Value,
}

/// A registered listener. Its secret is not shown again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubView {
    pub id: String,
    /// Whose events it wants.
    pub api: String,
    pub callback: String,
    /// Which of them; null: all.
    pub query: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// A listener that was just registered, with the secret that signs what it is sent; it is never printed.
pub struct Registered {
    pub hub: HubView,
    pub secret: String,
}

/// Registrations over their table.
#[derive(Debug, Clone)]
pub struct Hubs {
    platform: Platform,
    topics: &'static [Topic],
}

impl Hubs {
    pub const fn new(platform: Platform, topics: &'static [Topic]) -> Self {
        Self { platform, topics }
    }

    /// Registers a listener for the events of `api`; None: of all APIs.
    pub async fn register(
        &self,
        cx: &Context,
        api: Option<&str>,
        callback: &str,
        query: Option<&str>,
    ) -> Result<Registered> {
        cx.require(Scope::Admin)?;
        let allow_private = self.platform.config.hub_allow_private;
        if callback.len() > CALLBACK_BYTES_MAX {
            return Err(Error::invalid("/callback", format!("must be at most {CALLBACK_BYTES_MAX} bytes")));
        }
        address::checked(callback, allow_private).map_err(|message| Error::invalid("/callback", message))?;
        let event_types = self.wanted(api, query)?;
        let hub = store::Row {
            id: self.platform.ids.short("HUB"),
            api: api.unwrap_or("TMF688").to_owned(),
            callback: callback.to_owned(),
            query: query.map(str::to_owned),
            created_by: cx.actor.to_string(),
            created_at: crate::platform::clock::wall(),
            event_types,
            secret: format!("{}{}", self.platform.ids.uuid().simple(), self.platform.ids.uuid().simple()),
        };
        if !store::insert(&self.platform.db, cx, &hub, HUBS_MAX).await? {
            return Err(Error::Conflict(format!("There are {HUBS_MAX} listeners already; remove one first")));
        }
        let secret = hub.secret.clone();
        Ok(Registered { hub: hub.view(), secret })
    }

    /// The event types of ours that a query asks for.
    fn wanted(&self, api: Option<&str>, query: Option<&str>) -> Result<Vec<String>> {
        let of_api: Vec<&Topic> = self.topics.iter().filter(|topic| api.is_none_or(|api| topic.api == api)).collect();
        let wish = wish::Wish::read(query, &of_api)?;
        let wanted = of_api.iter().filter(|topic| wish.names(topic));
        let types: BTreeSet<&str> = wanted.map(|topic| topic.event_type).collect();
        Ok(types.into_iter().map(str::to_owned).collect())
    }

    /// Forgets a listener; what is on its way to it is dropped.
    pub async fn unregister(&self, cx: &Context, api: Option<&str>, id: &str) -> Result<()> {
        cx.require(Scope::Admin)?;
        match store::delete(&self.platform.db, cx, api.unwrap_or("TMF688"), id).await? {
            0 => Err(Error::not_found("hub", id)),
            _ => Ok(()),
        }
    }

    /// All listeners, by id.
    pub async fn list(&self, cx: &Context) -> Result<Vec<HubView>> {
        cx.require(Scope::Admin)?;
        let hubs = store::all(&self.platform.db, cx).await?;
        Ok(hubs.into_iter().map(store::Row::view).collect())
    }
}
