//! The operations: one path each, so that each shows its own arguments, result and rules.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::{Draft, parts, route};
use crate::operations::{Declared, Effect, Registry};

pub(super) fn add<S: Send + Sync + 'static>(
    draft: &mut Draft,
    registry: &Registry<S>,
    generator: &mut SchemaGenerator,
) {
    let entry = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "effect": { "enum": ["read", "write", "destructive"] },
            "audience": { "enum": ["operator", "admin", "hidden"] },
            "hidden": { "type": "boolean" },
            "description": { "type": "string" },
            "rules": { "type": "array", "items": { "type": "string" } },
            "arguments": { "type": "object", "description": "JSON Schema of the arguments" },
            "result": { "type": ["object", "boolean"], "description": "JSON Schema of the result" },
            "example": { "type": "object" },
        },
        "required": ["name", "effect", "audience", "hidden", "description", "rules", "arguments", "result", "example"],
    });
    draft.schemas.insert("OperationEntry".into(), entry);
    let list = json!({ "content": { "application/json": { "schema": {
        "type": "array", "items": { "$ref": "#/components/schemas/OperationEntry" },
    } } } });
    let listed = parts::responses(&[(200, "All operations, by name", list)], parts::READ);
    draft.add("get", "/ops/v1", route("operations", "List the operations with their schemas", listed));
    for declared in registry.iter() {
        let operation = operation(declared, generator);
        draft.add("post", &format!("/ops/v1/{}", declared.name), operation);
    }
}

fn operation<S>(declared: &Declared<S>, generator: &mut SchemaGenerator) -> Value {
    let (arguments, result) = (declared.within)(generator);
    let noun = declared.name.split('.').next().unwrap_or(declared.name);
    let needs_body =
        declared.arguments.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
    let result = json!({ "content": { "application/json": { "schema": result } } });
    let example: Value = serde_json::from_str(declared.example).unwrap_or_else(|_| json!({}));
    json!({
        "operationId": declared.name,
        "tags": [noun],
        "summary": declared.description().lines().next().unwrap_or_default(),
        "description": declared.description(),
        "parameters": parts::with_parameters(&["IdempotencyKey"]),
        "requestBody": {
            "required": needs_body,
            "content": { "application/json": { "schema": arguments, "example": example } },
        },
        "responses": parts::responses(&[(200, "The result", result)], &errors(declared)),
        "x-bss-scope": declared.scope(),
        "x-bss-effect": declared.effect,
        "x-bss-reach": declared.reach,
        "x-bss-audience": declared.audience,
        "x-bss-rules": declared.rules.iter().map(|rule| rule.id()).collect::<Vec<_>>(),
    })
}

/// What may go wrong. An operation that declares no rule and changes nothing breaks none.
fn errors<S>(declared: &Declared<S>) -> Vec<u16> {
    let mut errors = vec![404, 413, 415];
    errors.extend_from_slice(parts::READ);
    if declared.effect != Effect::Read {
        errors.push(409);
    }
    if declared.effect != Effect::Read || !declared.rules.is_empty() {
        errors.push(422);
    }
    errors
}
