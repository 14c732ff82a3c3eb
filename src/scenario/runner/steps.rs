//! Performing one step.

use serde_json::{Map, Value, json};

use crate::scenario::capture::{self, Captured};
use crate::scenario::client::{CallError, Caller, Operations};
use crate::scenario::format::{Action, Assertion, FileStep, HttpStep, Scenario, Step, StepKind};
use crate::scenario::poll::{self, Failed};
use crate::scenario::template::{self, Variables};
use crate::scenario::web::Session;
use crate::scenario::{files, verbs};

/// What the steps of one run share.
pub(super) struct Stage<'a, C> {
    pub(super) caller: &'a C,
    pub(super) actor: String,
    pub(super) variables: Variables,
    operations: &'a Operations,
    web: Session,
}

impl<'a, C: Caller> Stage<'a, C> {
    pub(super) fn new(caller: &'a C, scenario: &Scenario, operations: &'a Operations) -> Self {
        Self {
            caller,
            actor: format!("scenario:{}", scenario.name),
            variables: Variables::new(),
            operations,
            web: Session::new(caller.base_url().clone()),
        }
    }

    /// Performs a step; what it captures is a variable from now on.
    pub(super) async fn perform(&mut self, step: &Step) -> Result<Vec<Captured>, Failed> {
        let (result, mut captured) = match &step.kind {
            StepKind::Action(action) => (self.act(action).await?, Vec::new()),
            StepKind::Assert(assertion) => (self.assert(assertion).await?, Vec::new()),
            StepKind::Http(http) => self.browse(http).await?,
            StepKind::File(file) => self.read(file).await?,
        };
        captured.extend(capture::by_path(&step.capture, &result)?);
        self.variables.extend(captured.iter().cloned());
        Ok(captured)
    }

    async fn act(&self, action: &Action) -> Result<Value, Failed> {
        let args = template::fill_map(&action.args, &self.variables)?;
        let answer = self.ask(&action.verb, args).await;
        let Some(rule) = &action.expect_refusal else { return answer };
        let rule = template::fill_text(rule, &self.variables)?;
        refused(answer, &rule)
    }

    async fn assert(&self, assertion: &Assertion) -> Result<Value, Failed> {
        let args = template::fill_map(&assertion.args, &self.variables)?;
        let expect = assertion.expect.fill(&self.variables)?;
        poll::until(assertion.poll, async || {
            let answer = self.ask(&assertion.verb, args.clone()).await?;
            expect.check(&answer).map_err(|mismatch| Failed::for_now(mismatch.to_string()))?;
            Ok(answer)
        })
        .await
    }

    async fn browse(&mut self, step: &HttpStep) -> Result<(Value, Vec<Captured>), Failed> {
        let request = self.web.request(step, &self.variables)?;
        let web = &mut self.web;
        poll::until(step.poll, async || {
            let result = web.perform(&request).await?;
            let captured = capture::by_pattern(&step.capture_regex, &result)?;
            Ok((result, captured))
        })
        .await
    }

    async fn read(&self, step: &FileStep) -> Result<(Value, Vec<Captured>), Failed> {
        let path = template::fill_text(&step.path, &self.variables)?;
        poll::until(step.poll, async || {
            let result = files::look(&path, step.encoding).await?;
            let captured = capture::by_pattern(&step.capture_regex, &result)?;
            Ok((result, captured))
        })
        .await
    }

    async fn ask(&self, verb: &str, args: Map<String, Value>) -> Result<Value, Failed> {
        let answer = verbs::call(self.caller, &self.actor, verb, args).await;
        answer.map_err(|error| {
            let is_listed = verbs::is_own(verb) || self.operations.contains(verb);
            if error.is_unknown_operation() || (error.status == 404 && !is_listed) {
                Failed::for_good(format!("unknown action `{verb}`"))
            } else {
                Failed::by_call(error)
            }
        })
    }
}

/// The refusal as a result, when it is the expected one.
fn refused(answer: Result<Value, Failed>, rule: &str) -> Result<Value, Failed> {
    let call = match answer {
        Ok(_) => return Err(Failed::for_now(format!("expected a refusal by {rule}, but it was accepted"))),
        Err(Failed { call: Some(call), .. }) => call,
        Err(failed) => return Err(failed),
    };
    if call.is_refusal_by(rule) {
        return Ok(as_result(&call));
    }
    Err(Failed { message: format!("expected a refusal by {rule}, got {call}"), is_final: false, call: Some(call) })
}

fn as_result(call: &CallError) -> Value {
    json!({
        "status": call.status,
        "code": call.code,
        "reason": call.reason,
        "message": call.message,
        "context": call.context,
    })
}
