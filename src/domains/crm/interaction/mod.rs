//! The timeline of a customer: everything that was said to them or done for them, on which surface and by whom.
//!
//! Every customer-facing change of this domain writes its line in the same unit of work, so that the timeline and the books
//! cannot disagree.

mod events;
pub(super) mod http;
mod store;

use serde_json::{Map, Value};

use self::events::InteractionLogged;
use super::Service;
use super::input::{line, page};
use super::port::{CustomerId, Direction, InteractionView, ListInteractions, LogInteraction};
use crate::platform::context::{Channel, Context};
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{idempotency, outbox};

const BODY_CHARS_MAX: usize = 10_000;

/// Which way a change went: the customer came to us on their own surfaces, everywhere else we acted.
pub(super) const fn direction_of(channel: Channel) -> Direction {
    match channel {
        Channel::PortalSelfServe | Channel::PortalChat => Direction::Inbound,
        Channel::PortalCsr
        | Channel::Cli
        | Channel::Llm
        | Channel::Mcp
        | Channel::Scenario
        | Channel::System
        | Channel::Seed => Direction::Internal,
    }
}

/// A line that comes over TMF683, checked.
#[derive(Debug)]
pub(super) struct NewLine {
    pub(super) customer_id: CustomerId,
    pub(super) channel: Channel,
    pub(super) direction: Direction,
    pub(super) summary: String,
    pub(super) body: Option<String>,
    /// Official TMF683 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
}

impl Service {
    /// Adds a line that somebody else has a record of. The surface is the one that they name.
    async fn add_line(&self, cx: &Context, new: NewLine) -> Result<store::Line> {
        if let Some(id) = idempotency::replayed::<String>(&self.platform.db, cx).await? {
            let line = store::find(&self.platform.db, cx, &id).await?;
            return line.ok_or_else(|| Error::not_found("interaction", &id));
        }
        let cx = &Context { channel: new.channel, ..cx.clone() };
        let entry = store::Entry {
            id: self.platform.ids.short("INT"),
            customer_id: &new.customer_id,
            direction: new.direction,
            summary: &new.summary,
            body: new.body.as_deref(),
        };
        let tx = self.platform.db.begin().await?;
        let view = store::insert(&tx, cx, &entry).await?;
        let view = view.ok_or_else(|| Error::invalid("/relatedParty", "There is no such customer"))?;
        store::keep_attributes(&tx, cx, &view.id, &new.attributes).await?;
        outbox::stage(&tx, cx, &InteractionLogged::of(&view)).await?;
        idempotency::keep(&tx, cx, &view.id, &view.id).await?;
        tx.commit().await?;
        Ok(store::Line { view, attributes: new.attributes })
    }

    /// Writes one line in the caller's unit of work.
    pub(super) async fn note_interaction(
        &self,
        tx: &Tx,
        cx: &Context,
        id: &CustomerId,
        direction: Direction,
        summary: &str,
    ) -> Result<()> {
        self.note_interactions(tx, cx, direction, &[(id.clone(), summary.to_owned())]).await
    }

    /// Writes lines, whosever they are, in the caller's unit of work.
    pub(super) async fn note_interactions(
        &self,
        tx: &Tx,
        cx: &Context,
        direction: Direction,
        notes: &[(CustomerId, String)],
    ) -> Result<()> {
        let new_id = || self.platform.ids.short("INT");
        let entries: Vec<store::Entry<'_>> = notes
            .iter()
            .map(|(customer_id, summary)| store::Entry { id: new_id(), customer_id, direction, summary, body: None })
            .collect();
        if store::insert_all(tx, cx, &entries).await? == entries.len() {
            return Ok(());
        }
        Err(match notes {
            [(id, _)] => Error::not_found("customer", id),
            _ => Error::not_found("customer", "of one of several lines"),
        })
    }

    pub(super) async fn log(&self, cx: &Context, command: LogInteraction) -> Result<InteractionView> {
        if let Some(kept) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(kept);
        }
        let summary = line(&command.summary, "/summary")?;
        let body = command.body.as_deref();
        if body.is_some_and(|body| body.chars().count() > BODY_CHARS_MAX) {
            return Err(Error::invalid("/body", format!("must be at most {BODY_CHARS_MAX} characters")));
        }
        let entry = store::Entry {
            id: self.platform.ids.short("INT"),
            customer_id: &command.customer_id,
            direction: command.direction,
            summary: &summary,
            body,
        };
        let tx = self.platform.db.begin().await?;
        let view = store::insert(&tx, cx, &entry).await?;
        let view = view.ok_or_else(|| Error::not_found("customer", &command.customer_id))?;
        outbox::stage(&tx, cx, &InteractionLogged::of(&view)).await?;
        idempotency::keep(&tx, cx, &view.id, &view).await?;
        tx.commit().await?;
        Ok(view)
    }

    pub(super) async fn timeline(&self, cx: &Context, filter: ListInteractions) -> Result<Vec<InteractionView>> {
        page(filter.limit, 0)?;
        let lines = store::of_customer(&self.platform.db, cx, &filter.customer_id, filter.limit).await?;
        if lines.is_empty() && self.customer_standing(cx, &filter.customer_id).await?.is_none() {
            return Err(Error::not_found("customer", &filter.customer_id));
        }
        Ok(lines)
    }
}
