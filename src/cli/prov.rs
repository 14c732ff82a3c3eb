//! `bss prov`: tasks for the network.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render;

/// What the network is asked to do.
const TASK_TYPES: [&str; 7] = [
    "HLR_PROVISION",
    "PCRF_POLICY_PUSH",
    "OCS_BALANCE_INIT",
    "ESIM_PROFILE_PREPARE",
    "HLR_DEPROVISION",
    "SERVICE_SUSPEND",
    "SERVICE_RESUME",
];

const TASK_STATES: [&str; 7] = ["pending", "running", "completed", "failed", "stuck", "withdrawn", "abandoned"];

/// Commands about network tasks.
#[derive(Debug, Subcommand)]
pub enum ProvCommand {
    /// List tasks, newest first
    #[command(
        after_help = "Examples:\n  bss prov tasks --state failed\n  bss prov tasks --service-order SO-0042 -o json"
    )]
    Tasks(TasksArgs),
    /// Show one task
    #[command(after_help = "\
Examples:
  bss prov show PTK-0003
  bss prov show PTK-0003 -o json")]
    Show {
        /// Task id
        #[arg(value_name = "TASK")]
        task: String,
    },
    /// Start a stuck task again, after somebody has looked at the network
    #[command(after_help = "\
Examples:
  bss prov resolve PTK-0003 --note 'HLR is back'
  bss prov resolve PTK-0003 --note 'done by hand' -o json")]
    Resolve {
        /// Task id
        #[arg(value_name = "TASK")]
        task: String,
        /// What was done
        #[arg(long)]
        note: String,
    },
    /// Try a failed task again
    #[command(after_help = "\
Examples:
  bss prov retry PTK-0003
  bss prov retry PTK-0003 -o json")]
    Retry {
        /// Task id
        #[arg(value_name = "TASK")]
        task: String,
    },
    /// Give up a failed or stuck task for good
    #[command(after_help = "\
Examples:
  bss prov abandon PTK-0003 --note 'the element is gone' --yes
  bss prov abandon PTK-0003 --note gone --dry-run")]
    Abandon {
        /// Task id
        #[arg(value_name = "TASK")]
        task: String,
        /// Why
        #[arg(long)]
        note: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Make the network simulator fail
    #[command(after_help = "\
Examples:
  bss prov fault HLR_PROVISION fail_first_attempt --yes
  bss prov fault OCS_BALANCE_INIT slow --probability 0.2 --yes
  bss prov fault HLR_PROVISION fail_first_attempt --disable")]
    Fault(FaultArgs),
    /// List the faults the simulator can be told to have
    #[command(after_help = "\
Examples:
  bss prov faults
  bss prov faults -o json")]
    Faults,
}

/// Which tasks.
#[derive(Debug, Args)]
pub struct TasksArgs {
    /// Service id
    #[arg(long)]
    service: Option<String>,
    /// Service order id
    #[arg(long)]
    service_order: Option<String>,
    /// State
    #[arg(long, alias = "status", value_parser = TASK_STATES)]
    state: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

/// A fault.
#[derive(Debug, Args)]
pub struct FaultArgs {
    /// Type of task
    #[arg(value_parser = TASK_TYPES)]
    task_type: String,
    /// What goes wrong
    #[arg(value_enum)]
    fault_type: FaultType,
    /// From now on (this is what happens anyway)
    #[arg(long, overrides_with = "disable")]
    enable: bool,
    /// No longer
    #[arg(long, overrides_with = "enable")]
    disable: bool,
    /// How often, from 0 to 1
    #[arg(long, value_parser = probability)]
    probability: Option<f64>,
    /// Of the fault that hits first attempts: how many fail before one works
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=100))]
    attempts: Option<i16>,
    #[command(flatten)]
    gate: Gate,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum FaultType {
    /// The first attempt fails, the next one works
    FailFirstAttempt,
    /// Every attempt fails
    FailAlways,
    /// The network never answers
    Stuck,
    /// The network takes its time
    Slow,
}

impl FaultType {
    fn name(self) -> &'static str {
        match self {
            Self::FailFirstAttempt => "fail_first_attempt",
            Self::FailAlways => "fail_always",
            Self::Stuck => "stuck",
            Self::Slow => "slow",
        }
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let chance: f64 = text.parse().map_err(|_| "a probability is a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&chance) { Ok(chance) } else { Err("a probability is a number from 0 to 1".into()) }
}

pub(super) async fn run(command: ProvCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        ProvCommand::Tasks(args) => {
            let filter = json!({"serviceId": args.service, "serviceOrderId": args.service_order, "state": args.state,
                                "limit": args.limit, "offset": args.offset});
            let tasks = session.call(op::PROVISIONING_LIST_TASKS, filter).await?;
            session
                .show_page(&tasks, args.limit, &next_page(args.limit, args.offset), render::provisioning::tasks)
                .await
        }
        ProvCommand::Show { task } => {
            let task = session.call(op::PROVISIONING_GET_TASK, json!({"taskId": task})).await?;
            session.show(&task, render::provisioning::task).await
        }
        ProvCommand::Resolve { task, note } => {
            let task = session.call(op::PROVISIONING_RESOLVE_STUCK, json!({"taskId": task, "note": note})).await?;
            session.show(&task, render::provisioning::task).await
        }
        ProvCommand::Retry { task } => {
            let task = session.call(op::PROVISIONING_RETRY_FAILED, json!({"taskId": task})).await?;
            session.show(&task, render::provisioning::task).await
        }
        ProvCommand::Abandon { task, note, gate } => {
            session.confirm(gate, &format!("Giving up {task} is final: the network will not be told."))?;
            let task = session.call(op::PROVISIONING_ABANDON, json!({"taskId": task, "note": note})).await?;
            session.show(&task, render::provisioning::task).await
        }
        ProvCommand::Fault(args) => fault(args, session).await,
        ProvCommand::Faults => {
            let faults = session.call(op::PROVISIONING_LIST_FAULT_INJECTIONS, json!({})).await?;
            session.show(&faults, render::provisioning::faults).await
        }
    }
}

async fn fault(args: FaultArgs, session: &mut Session<'_>) -> Result<(), CliError> {
    let fault = args.fault_type.name();
    if !args.disable {
        let consequence = format!("From now on {} tasks have the fault {fault}: orders will feel it.", args.task_type);
        session.confirm(args.gate, &consequence)?;
    }
    let rule = json!({"taskType": args.task_type, "faultType": fault, "enabled": !args.disable,
                      "probability": args.probability, "attempts": args.attempts});
    let rule = session.call(op::PROVISIONING_SET_FAULT_INJECTION, rule).await?;
    session.show(&rule, render::provisioning::faults).await
}
