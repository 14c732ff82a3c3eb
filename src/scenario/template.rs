//! Placeholders: `{{ name }}` in any text of a scenario is replaced by the variable of that name.
//!
//! A text that is exactly one placeholder becomes the value itself, type and all; inside a longer text the value is
//! written out. There are no filters and no expressions, and an unknown name is an error, never an empty text.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The variables of a run, in the order in which they came to be.
pub type Variables = Map<String, Value>;

/// Why a text with placeholders could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No variable of this name exists (yet).
    #[error("undefined variable `{0}`")]
    Undefined(String),
    /// The text between the braces is not a name.
    #[error("`{0}` is not a placeholder: write {{{{ name }}}}, with letters, digits and underscores only")]
    Malformed(String),
}

/// Replaces every placeholder in `template`, in depth; keys of maps stay as they are.
pub fn fill(template: &Value, variables: &Variables) -> Result<Value, TemplateError> {
    match template {
        Value::String(text) => fill_string(text, variables),
        Value::Array(items) => {
            items.iter().map(|item| fill(item, variables)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(fields) => fill_map(fields, variables).map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(template.clone()),
    }
}

/// [`fill`] for the values of a map.
pub fn fill_map(template: &Map<String, Value>, variables: &Variables) -> Result<Map<String, Value>, TemplateError> {
    template.iter().map(|(key, value)| Ok((key.clone(), fill(value, variables)?))).collect()
}

/// Replaces every placeholder in a text whose result must be a text (addresses, paths, headers).
pub fn fill_text(template: &str, variables: &Variables) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(template.len());
    for piece in pieces(template)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Name(name) => filled.push_str(&written(look_up(name, variables)?)),
        }
    }
    Ok(filled)
}

/// Adds the names of all variables that `template` needs to `names`.
pub fn collect_names(template: &Value, names: &mut BTreeSet<String>) -> Result<(), TemplateError> {
    match template {
        Value::String(text) => collect_text_names(text, names),
        Value::Array(items) => items.iter().try_for_each(|item| collect_names(item, names)),
        Value::Object(fields) => fields.values().try_for_each(|value| collect_names(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// [`collect_names`] for one text.
pub fn collect_text_names(template: &str, names: &mut BTreeSet<String>) -> Result<(), TemplateError> {
    for piece in pieces(template)? {
        if let Piece::Name(name) = piece {
            names.insert(name.to_owned());
        }
    }
    Ok(())
}

/// Whether a text holds a placeholder, so that what it will be is not known before the run.
pub fn has_placeholder(text: &str) -> bool {
    text.contains("{{")
}

/// Whether `name` can stand between the braces.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

fn fill_string(text: &str, variables: &Variables) -> Result<Value, TemplateError> {
    if let [Piece::Name(name)] = pieces(text)?.as_slice() {
        return look_up(name, variables).cloned();
    }
    fill_text(text, variables).map(Value::String)
}

fn look_up<'v>(name: &str, variables: &'v Variables) -> Result<&'v Value, TemplateError> {
    variables.get(name).ok_or_else(|| TemplateError::Undefined(name.to_owned()))
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            return Err(TemplateError::Malformed(rest[before.len()..].to_owned()));
        };
        let name = inside.trim();
        if !is_name(name) {
            return Err(TemplateError::Malformed(format!("{{{{{inside}}}}}")));
        }
        if !before.is_empty() {
            found.push(Piece::Text(before));
        }
        found.push(Piece::Name(name));
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables() -> Variables {
        json!({ "count": 7, "name": "Ada", "list": [1, "two"], "none": null, "flag": true })
            .as_object()
            .expect("a map")
            .clone()
    }

    #[test]
    fn a_lone_placeholder_keeps_the_type_and_a_mixed_text_becomes_text() {
        let cases = [
            (json!("{{ count }}"), json!(7)),
            (json!("{{count}}"), json!(7)),
            (json!("{{ list }}"), json!([1, "two"])),
            (json!("{{ none }}"), json!(null)),
            (json!(" {{ count }}"), json!(" 7")),
            (json!("n={{ count }}"), json!("n=7")),
            (json!("{{ name }}-{{ count }}-{{ flag }}"), json!("Ada-7-true")),
            (json!("{{ name }}{{ name }}"), json!("AdaAda")),
            (json!("plain } text {"), json!("plain } text {")),
            (
                json!({ "a": ["{{ name }}", { "b": "{{ count }}" }], "c": 1.5 }),
                json!({ "a": ["Ada", { "b": 7 }], "c": 1.5 }),
            ),
        ];
        for (template, expected) in cases {
            assert_eq!(fill(&template, &variables()), Ok(expected), "{template}");
        }
    }

    #[test]
    fn keys_are_left_alone() {
        assert_eq!(fill(&json!({ "{{ name }}": 1 }), &variables()), Ok(json!({ "{{ name }}": 1 })));
    }

    #[test]
    fn an_unknown_name_is_named() {
        assert_eq!(fill(&json!(["{{ nobody }}"]), &variables()), Err(TemplateError::Undefined("nobody".into())));
        assert_eq!(fill(&json!("x {{ nobody }}"), &variables()), Err(TemplateError::Undefined("nobody".into())));
    }

    #[test]
    fn filters_expressions_and_open_braces_are_refused() {
        for text in ["{{ name | upper }}", "{{ a.b }}", "{{ }}", "{{ name", "{{ 'x' }}", "{{ {{ name }} }}"] {
            assert!(matches!(fill(&json!(text), &variables()), Err(TemplateError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn the_names_a_template_needs_are_known_before_the_run() {
        let mut names = BTreeSet::new();
        collect_names(&json!({ "a": "{{ x }}/{{ y }}", "b": ["{{ x }}", 1] }), &mut names).expect("well-formed");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["x", "y"]);
    }
}
