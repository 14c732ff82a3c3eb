//! Answers as data for other programs: JSON, YAML, or the ids alone. Field names are those of the operation.

use serde_json::Value;

use super::text;

/// Pretty-printed JSON.
pub(crate) fn json(answer: &Value) -> String {
    format!("{answer:#}\n")
}

/// JSON on one line, for streams.
pub(crate) fn json_line(answer: &Value) -> String {
    format!("{answer}\n")
}

/// YAML of the same value.
pub(crate) fn yaml(answer: &Value) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(answer)
}

/// The ids of an answer, one a line; `None` when it is about nothing that has one.
pub(crate) fn ids(answer: &Value) -> Option<String> {
    let id = |view: &Value| Some(format!("{}\n", text::clean(view["id"].as_str()?)));
    match answer {
        Value::Array(views) => views.iter().map(id).collect(),
        view => id(view),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        let answer = json!({"id": "PM-0007", "amount": "25.00", "msisdn": "90000000", "on": "no", "note": "a: b\n\"c\" # d",
            "none": null, "list": [{"a": 1, "b": []}, -1, true, {}], "tilde": "~", "empty": ""});
        let text = yaml(&answer).expect("JSON is YAML");
        assert_eq!(serde_saphyr::from_str::<Value>(&text).expect("our own YAML"), answer, "{text}");
    }

    #[test]
    fn ids_come_one_a_line_or_not_at_all() {
        assert_eq!(ids(&json!({"id": "CUST-1"})).as_deref(), Some("CUST-1\n"));
        assert_eq!(ids(&json!([{"id": "A"}, {"id": "B"}])).as_deref(), Some("A\nB\n"));
        assert_eq!(ids(&json!({"mode": "wall"})), None);
        assert_eq!(ids(&json!([{"msisdn": "1"}])), None);
    }
}
