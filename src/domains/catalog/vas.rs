//! Top-ups: added, and put on sale at other times. A line that bought one refers to it, so nothing else changes about it.

use serde_json::{Value, json};

use super::Service;
use super::events::{VasAdded, VasWindowed};
use super::model::{NewVas, Window, WindowChange};
use super::policy::{self, rule};
use super::port::{AddVas, VasId, VasView, WindowVas};
use super::price::name;
use super::store::vas::{self as table, VasRow};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::{idempotency, outbox};

/// Longest life of a top-up: a leap year.
const EXPIRY_HOURS_MAX: i32 = 8_784;

impl Service {
    /// See [`Catalog::add_vas`](super::port::Catalog::add_vas).
    pub(super) async fn create_vas(&self, cx: &Context, command: AddVas) -> Result<VasView> {
        policy::admin(cx)?;
        let new = self.new_vas(command)?;
        if let Some(kept) = idempotency::replayed::<VasId>(&self.platform.db, cx).await? {
            return self.vas_row(cx, &kept).await?.view();
        }
        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, new.id.as_str(), &new.id).await?;
        table::insert(&tx, cx, &new).await.map_err(|error| {
            policy::taken(error, "vas_offering_pkey", rule::VAS_EXISTS, "vasOfferingId", new.id.as_str())
        })?;
        let after = json!({
            "name": new.name,
            "amount": new.money.decimal(),
            "currency": new.money.currency,
            "allowanceType": new.allowance_type,
            "allowanceQuantity": new.quantity,
            "expiryHours": new.expiry_hours,
            "validFrom": new.window.valid_from,
            "validTo": new.window.valid_to,
        });
        outbox::stage(&tx, cx, &VasAdded { id: new.id.to_string(), before: Value::Null, after, version: 1 }).await?;
        tx.commit().await?;
        self.vas_row(cx, &new.id).await?.view()
    }

    /// See [`Catalog::window_vas`](super::port::Catalog::window_vas).
    pub(super) async fn move_vas_window(&self, cx: &Context, command: WindowVas) -> Result<VasView> {
        policy::admin(cx)?;
        let id = command.vas_offering_id;
        let tx = self.platform.db.begin().await?;
        let found = table::lock(&tx, cx, &id).await?;
        let found = found.ok_or_else(|| {
            Error::from(rule::VAS_NOT_FOUND.violated("There is no such top-up").with("vasOfferingId", &id))
        })?;
        let was = found.window();
        let change = WindowChange { valid_from: command.valid_from, valid_to: command.valid_to };
        let window = policy::window(change.applied_to(was))?;
        if window == was {
            return found.view();
        }
        table::save_window(&tx, cx, &id, window).await?;
        let version = found.version + 1;
        let event = VasWindowed { id: id.to_string(), before: json!(was), after: json!(window), version };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        self.vas_row(cx, &id).await?.view()
    }

    /// The top-up, if it is on sale now.
    pub(super) async fn vas_on_sale(&self, cx: &Context, id: &VasId) -> Result<VasView> {
        let found = self.vas_row(cx, id).await?;
        if found.is_on_sale(cx.now) { found.view() } else { Err(Error::not_found("vas offering", id)) }
    }

    /// The top-up, on sale or not.
    pub(super) async fn vas_row(&self, cx: &Context, id: &VasId) -> Result<VasRow> {
        let found = table::find(self.platform.db.connection(), cx, id).await?;
        found.ok_or_else(|| Error::not_found("vas offering", id))
    }

    fn new_vas(&self, command: AddVas) -> Result<NewVas> {
        let money = self.amount(&command.amount, command.currency.as_deref())?;
        policy::amount(money, self.platform.config.profile.currency)?;
        if command.expiry_hours.is_some_and(|hours| !(1..=EXPIRY_HOURS_MAX).contains(&hours)) {
            return Err(Error::invalid("/expiryHours", format!("must be from 1 to {EXPIRY_HOURS_MAX}")));
        }
        policy::grant(command.allowance_quantity, command.expiry_hours)?;
        Ok(NewVas {
            id: command.vas_offering_id,
            name: name(&command.name, "/name")?,
            money,
            allowance_type: command.allowance_type,
            quantity: command.allowance_quantity,
            expiry_hours: command.expiry_hours,
            window: policy::window(Window { valid_from: command.valid_from, valid_to: command.valid_to })?,
        })
    }
}
