//! `bss op`: any operation by its name, with the registry of the server as the only source of what there is.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::error::CliError;
use super::session::{Gate, Outcome, Session};
use super::suggest::{did_you_mean, nearest};
use crate::render::{self, text};

/// Nobody knows how long an operation takes that this program does not know.
const TIMEOUT: Duration = Duration::from_mins(10);

/// An operation, or a question about operations.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  bss op --list
  bss op --describe usage.simulate
  bss op customer.get --arg customerId=CUST-0a1b2c3d4e5f
  bss op usage.simulate --arg msisdn=90000042 \\
    --arg eventType=data --arg quantity=9
  bss op catalog.get_offering --json '{\"offeringId\": \"PLAN_M\"}'
  bss op order.cancel --arg orderId=ORD-0042 --yes")]
pub struct OpArgs {
    /// Name of the operation
    #[arg(value_name = "OPERATION", required_unless_present_any = ["list", "describe"])]
    name: Option<String>,
    /// Arguments as a JSON object; - reads it from standard input
    #[arg(long, value_name = "JSON", requires = "name")]
    json: Option<String>,
    /// One argument; its type is that of the operation
    #[arg(long = "arg", value_name = "KEY=VALUE", requires = "name", value_parser = key_value)]
    args: Vec<(String, String)>,
    /// List the operations
    #[arg(long, conflicts_with_all = ["name", "describe"])]
    list: bool,
    /// With --list, also those that are not meant for everyday use
    #[arg(long, requires = "list")]
    all: bool,
    /// Explain an operation
    #[arg(long, value_name = "OPERATION", conflicts_with = "name")]
    describe: Option<String>,
    #[command(flatten)]
    gate: Gate,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("an argument looks like key=value".into()),
    }
}

pub(super) async fn run(args: OpArgs, session: &mut Session<'_>) -> Outcome {
    if args.list {
        return list(args.all, session).await;
    }
    if let Some(name) = &args.describe {
        let registry = session.client.operations().await?;
        let operation = find(name, &registry)?.clone();
        return session.show(&operation, render::operation::page).await;
    }
    match &args.name {
        Some(name) => call(name, &args, session).await,
        None => Err(CliError::Usage("which operation? bss op --list shows them".into())),
    }
}

async fn list(all: bool, session: &mut Session<'_>) -> Outcome {
    let registry = session.client.operations().await?;
    let shown = text::rows(&registry).iter().filter(|operation| all || operation["hidden"] != true).cloned();
    let mut shown: Value = shown.collect();
    if !session.wanted.is_whole() {
        for operation in shown.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            // Schemas would be a thousand columns; --describe has them.
            operation.retain(|name, _| !["arguments", "result", "example"].contains(&name.as_str()));
        }
    }
    session.show(&shown, render::operation::list).await
}

async fn call(name: &str, args: &OpArgs, session: &mut Session<'_>) -> Outcome {
    let mut arguments = match args.json.as_deref() {
        None => Map::new(),
        Some("-") => object(&session.console.read_all()?)?,
        Some(text) => object(text)?,
    };
    // The registry says what an operation does and what types it takes; with consent and JSON given neither matters.
    let in_production = session.target.production().is_some();
    if !args.gate.yes || !args.args.is_empty() || session.dry_run || in_production {
        let registry = session.client.operations().await?;
        let operation = find(name, &registry)?;
        for (key, value) in &args.args {
            arguments.insert(key.clone(), typed(key, value, &operation["arguments"])?);
        }
        let writes = operation["effect"] != "read";
        if session.dry_run && writes {
            return Err(CliError::NotSent { operation: name.to_owned(), arguments: arguments.into() });
        }
        if operation["effect"] == "destructive" {
            session.confirm(args.gate, &format!("{name} cannot be undone."))?;
        } else if writes {
            session.confirm_in_production(args.gate, &format!("{name} changes something."))?;
        }
    }
    let answer = session.call_by_name(name, arguments.into(), TIMEOUT).await?;
    session.show(&answer, render::generic::any).await
}

fn object(text: &str) -> Result<Map<String, Value>, CliError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(CliError::Usage("the arguments must be a JSON object".into())),
        Err(error) => Err(CliError::Usage(format!("the arguments are not JSON: {error}"))),
    }
}

fn find<'a>(name: &str, registry: &'a Value) -> Result<&'a Value, CliError> {
    let operations = text::rows(registry);
    operations.iter().find(|operation| operation["name"] == name).ok_or_else(|| unknown(name, operations))
}

fn unknown(name: &str, operations: &[Value]) -> CliError {
    let names = operations.iter().filter_map(|operation| operation["name"].as_str());
    CliError::UnknownOperation(format!("there is no operation '{name}'{}", did_you_mean(name, names)))
}

/// What was typed as a value of the argument's type: text where the schema takes text, else JSON.
fn typed(key: &str, value: &str, schema: &Value) -> Result<Value, CliError> {
    let property = &schema["properties"][camel_case(key)];
    if property.is_null() {
        let known = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        return match nearest(key, known) {
            Some(near) => Err(CliError::Usage(format!("there is no argument '{key}'; did you mean '{near}'?"))),
            // The server says what it does not know.
            None => Ok(value.into()),
        };
    }
    let choices = choices(property, schema);
    if !choices.is_empty() && !choices.contains(&value) {
        let hint = did_you_mean(value, choices.iter().copied());
        return Err(CliError::Usage(format!("'{value}' is no {key}: it is one of {}{hint}", choices.join(", "))));
    }
    if takes_text(property, schema) {
        return Ok(value.into());
    }
    serde_json::from_str(value)
        .map_err(|_| CliError::Usage(format!("'{value}' is no value for {key}; bss op --describe says what it takes")))
}

/// The texts that an argument can be, where the schema counts all of them.
fn choices<'a>(property: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    if let Some(reference) = property["$ref"].as_str() {
        return schema
            .pointer(reference.trim_start_matches('#'))
            .map(|target| choices(target, schema))
            .unwrap_or_default();
    }
    if let Some(values) = property["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).collect();
    }
    if let Some(value) = property["const"].as_str() {
        return vec![value];
    }
    let variants = ["anyOf", "oneOf"].iter().find_map(|kind| property[kind].as_array()).into_iter().flatten();
    let variants: Vec<_> = variants.filter(|variant| variant["type"] != "null").collect();
    let each: Vec<Vec<&str>> = variants.into_iter().map(|variant| choices(variant, schema)).collect();
    // One that can be anything makes the others examples.
    if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() }
}

fn takes_text(property: &Value, schema: &Value) -> bool {
    if let Some(reference) = property["$ref"].as_str() {
        let target = schema.pointer(reference.trim_start_matches('#'));
        return target.is_some_and(|target| takes_text(target, schema));
    }
    let variants = ["anyOf", "oneOf", "allOf"].iter().filter_map(|kind| property[kind].as_array()).flatten();
    let is_text = |kind: &Value| kind == "string";
    match &property["type"] {
        Value::Array(kinds) => kinds.iter().any(is_text),
        Value::Null => {
            let values = property["enum"].as_array().into_iter().flatten().chain(property.get("const"));
            values.into_iter().any(Value::is_string) || variants.into_iter().any(|variant| takes_text(variant, schema))
        }
        kind => is_text(kind),
    }
}

fn camel_case(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|letter| letter.to_ascii_uppercase());
        camel + &capital.into_iter().chain(letters).collect::<String>()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_take_the_type_of_the_argument() {
        let schema = json!({
            "properties": {
                "msisdn": {"type": "string"},
                "externalId": {"type": ["string", "null"]},
                "quantity": {"type": "integer"},
                "roamingIndicator": {"type": "boolean"},
                "unit": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
                "kind": {"oneOf": [{"const": "data"}, {"const": "sms"}]},
                "tags": {"type": "array"},
            },
            "$defs": {"Unit": {"enum": ["mb", "count"]}},
        });
        let typed = |key, value| typed(key, value, &schema).expect("a value of its type");
        assert_eq!(typed("msisdn", "90000042"), json!("90000042"));
        assert_eq!(typed("externalId", "7"), json!("7"));
        assert_eq!(typed("external_id", "7"), json!("7"));
        assert_eq!(typed("quantity", "7"), json!(7));
        assert_eq!(typed("roaming_indicator", "true"), json!(true));
        assert_eq!(typed("unit", "mb"), json!("mb"));
        assert_eq!(typed("kind", "data"), json!("data"));
        assert_eq!(typed("tags", "[1]"), json!([1]));
        assert_eq!(typed("unknown", "7"), json!("7"), "the server says what it does not know");
        let refused = |key, value| super::typed(key, value, &schema).expect_err("not of its type");
        assert_eq!(refused("quantity", "many").exit_code(), 2);
        assert_eq!(refused("unit", "mp").to_string(), "'mp' is no unit: it is one of mb, count; did you mean 'mb'?");
        assert_eq!(refused("kind", "fax").to_string(), "'fax' is no kind: it is one of data, sms");
        assert_eq!(refused("quantitiy", "7").to_string(), "there is no argument 'quantitiy'; did you mean 'quantity'?");
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion() {
        let registry = json!([{"name": "order.create"}, {"name": "order.cancel"}]);
        let message = |name| find(name, &registry).expect_err("not there").to_string();
        assert_eq!(message("order.craete"), "there is no operation 'order.craete'; did you mean 'order.create'?");
        assert_eq!(message("something.else.entirely"), "there is no operation 'something.else.entirely'");
        assert_eq!(find("order.crate", &registry).expect_err("not there").exit_code(), 5);
    }
}
