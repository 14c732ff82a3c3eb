//! Booking many charges at once, as a renewal sweep does: the plain ones with one statement per table, each of the others as
//! if it were alone.

use std::collections::HashMap;

use super::Service;
use super::events::PaymentRequested;
use super::policy;
use super::port::{AttemptId, ChargeRequest};
use super::store::attempts::{self, NewAttempt};
use super::store::methods;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result, Violation};
use crate::platform::outbox;

impl Service {
    /// See [`Payments::request_charges`](super::port::Payments::request_charges).
    pub(super) async fn book_charges(
        &self,
        tx: &Tx,
        cx: &Context,
        requests: Vec<ChargeRequest>,
    ) -> Result<Vec<Result<AttemptId, Violation>>> {
        let mut booked = self.book_plain_charges(tx, cx, &requests).await?;
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let answer = match booked.remove(&request.business_key) {
                Some(id) => Ok(id),
                None => self.book_charge(tx, cx, request).await,
            };
            answers.push(match answer {
                Ok(id) => Ok(id),
                Err(Error::Policy(violation)) => Err(*violation),
                Err(error) => return Err(error),
            });
        }
        Ok(answers)
    }

    /// Books what costs something, has a card to pay it, and was not booked before. Answers the attempts by business key.
    async fn book_plain_charges(
        &self,
        tx: &Tx,
        cx: &Context,
        requests: &[ChargeRequest],
    ) -> Result<HashMap<String, AttemptId>> {
        let costly = requests.iter().filter(|request| !request.amount.is_zero());
        // As for a single charge: until the sweep's change is committed the cards stay.
        methods::hold_cards(tx, cx, costly.clone().map(|request| &request.customer_id)).await?;
        let methods = methods::chargeable_of(tx, cx, costly.clone().map(|request| &request.customer_id)).await?;
        let numbers = attempts::numbers(tx, cx, costly.clone().map(|request| request.business_key.as_str())).await?;
        let plain = costly.filter_map(|request| {
            let last = numbers.get(&request.business_key);
            if last.is_some_and(|last| last.is_live) {
                return None;
            }
            let method = methods.get(&request.customer_id).cloned();
            let method = policy::method_for_charge(method, &request.customer_id, self.gateway.provider()).ok()?;
            Some(NewAttempt { request, method_id: method.id, number: last.map_or(0, |last| last.number) + 1 })
        });
        let plain: Vec<NewAttempt<'_>> = plain.collect();
        let booked = attempts::insert_all(tx, cx, &plain).await?;
        let requested: Vec<PaymentRequested> = booked.iter().map(PaymentRequested::from).collect();
        outbox::stage_all(tx, cx, &requested).await?;
        Ok(booked.into_iter().map(|attempt| (attempt.business_key, attempt.id)).collect())
    }
}
