use serde_json::json;

use super::*;

fn expectation(wanted: Value) -> Expectation {
    serde_json::from_value(wanted).expect("a well-formed expectation")
}

fn check(wanted: Value, value: &Value) -> Result<(), String> {
    expectation(wanted).check(value).map_err(|mismatch| mismatch.to_string())
}

/// Every operator, once where it holds and once where it does not.
#[test]
fn operators_pass_and_fail() {
    let line = json!({
        "state": "active", "msisdn": "90000042", "remaining": 5, "price": "9.00", "share": 0.5, "pending": null, "on": true,
        "at": "2026-05-04T09:00:00Z", "reasons": ["payment", "exhausted"], "payload": { "n": 5.0 },
    });
    let cases = [
        (json!({ "state": "active" }), json!({ "state": "blocked" })),
        (json!({ "state": { "eq": "active" } }), json!({ "state": { "eq": "Active" } })),
        (json!({ "remaining": 5.0 }), json!({ "remaining": "5" })),
        (json!({ "payload": { "eq": { "n": 5 } } }), json!({ "payload": { "eq": { "n": 6 } } })),
        (json!({ "state": { "ne": "blocked" } }), json!({ "state": { "ne": "active" } })),
        (json!({ "remaining": { "gt": 4 } }), json!({ "remaining": { "gt": 5 } })),
        (json!({ "remaining": { "gte": 5 } }), json!({ "remaining": { "gte": 5.5 } })),
        (json!({ "remaining": { "lt": 6 } }), json!({ "remaining": { "lt": 5 } })),
        (json!({ "remaining": { "lte": 5 } }), json!({ "remaining": { "lte": 4 } })),
        (json!({ "price": { "lt": "10.00" } }), json!({ "price": { "gt": "10.00" } })),
        (json!({ "at": { "lt": "2026-05-04T11:00:00+01:00" } }), json!({ "at": { "gt": "2026-05-04T09:00:00.000Z" } })),
        (json!({ "state": { "in": ["active", "blocked"] } }), json!({ "state": { "in": ["blocked"] } })),
        (json!({ "remaining": { "not_in": [1, 2] } }), json!({ "remaining": { "not_in": [5] } })),
        (json!({ "msisdn": { "starts_with": "9000" } }), json!({ "msisdn": { "starts_with": "8" } })),
        (json!({ "msisdn": { "contains": "0042" } }), json!({ "msisdn": { "contains": "43" } })),
        (json!({ "reasons": { "contains": "payment" } }), json!({ "reasons": { "contains": "fraud" } })),
        (json!({ "state": { "not_null": true } }), json!({ "state": { "not_null": false } })),
        (json!({ "pending": { "not_null": false } }), json!({ "pending": { "not_null": true } })),
        (json!({ "pending": null }), json!({ "state": null })),
        (json!({ "msisdn": { "matches": "^9\\d{7}$" } }), json!({ "msisdn": { "matches": "^8" } })),
        (json!({ "reasons": { "length": 2 } }), json!({ "reasons": { "length": 1 } })),
        (json!({ "reasons": { "length": { "gte": 2, "lt": 3 } } }), json!({ "msisdn": { "length": { "gt": 8 } } })),
        (json!({ "nope": { "exists": false } }), json!({ "state": { "exists": false } })),
        (json!({ "pending": { "exists": true } }), json!({ "nope": { "exists": true } })),
        (json!({ "reasons": ["payment", "exhausted"] }), json!({ "reasons": ["payment"] })),
        (json!({ "reasons": { "any_match": "payment" } }), json!({ "reasons": { "any_match": "fraud" } })),
        (json!({ "reasons": { "none_match": "fraud" } }), json!({ "reasons": { "none_match": "payment" } })),
        (
            json!({ "remaining": { "gt": 0, "lt": 9 }, "on": true }),
            json!({ "remaining": { "gt": 0, "lt": 5 }, "on": true }),
        ),
    ];
    for (holds, fails) in cases {
        assert_eq!(check(holds.clone(), &line), Ok(()), "{holds}");
        assert!(check(fails.clone(), &line).is_err(), "{fails}");
    }
}

#[test]
fn matches_reach_every_level() {
    let answer = json!({ "events": [
        { "type": "a", "payload": { "items": [{ "n": 1 }] } },
        { "type": "b", "payload": { "items": [{ "n": 2 }, { "n": 3 }] } },
    ] });
    let holds = [
        json!({ "events": { "any_match": { "type": "b", "payload.items": { "any_match": { "n": { "gt": 2 } } } } } }),
        json!({ "events": { "none_match": { "type": "a", "payload.items": { "any_match": { "n": 3 } } } } }),
        json!({ "events": { "any_match": { "payload.items": { "none_match": { "n": 1 } }, "type": "b" } } }),
        json!({ "events.b.payload.items": { "any_match": { "n": 3 }, "length": 2 } }),
    ];
    for wanted in holds {
        assert_eq!(check(wanted.clone(), &answer), Ok(()), "{wanted}");
    }
    assert_eq!(check(json!({ "any_match": { "type": "b" }, "length": 2 }), &answer["events"]), Ok(()));
    insta::assert_snapshot!(
        check(json!({ "none_match": { "type": "b" }, "any_match": { "type": "c", "x": 1 } }), &answer["events"]).unwrap_err(),
        @r#"
    the answer has an unwanted element [1]: {"type":"b","payload":{"items":[{"n":2},{"n":3}]}}
    the answer has no element of 2 that matches
      [0] `type` is "a", expected "c"
          path did not resolve: `x` (no `x`)
      [1] `type` is "b", expected "c"
          path did not resolve: `x` (no `x`)
    "#
    );
}

#[test]
fn failures_say_what_is_and_what_was_expected() {
    let line = json!({ "state": "active", "remaining": 5, "reasons": ["a"], "pending": null });
    for (wanted, message) in [
        (json!({ "state": "blocked" }), "`state` is \"active\", expected \"blocked\""),
        (json!({ "remaining": { "gt": 5 } }), "`remaining` is 5, expected gt 5"),
        (json!({ "remaining": { "gt": 5, "lt": 5 } }), "`remaining` is 5, expected gt 5; and is 5, expected lt 5"),
        (json!({ "nope": 1 }), "path did not resolve: `nope` (no `nope`)"),
        (json!({ "nope": { "exists": true } }), "`nope` is not there"),
        (json!({ "state": { "exists": false } }), "`state` is there: \"active\""),
        (json!({ "reasons": { "length": 3 } }), "`reasons` has a length that is 1, expected 3"),
    ] {
        assert_eq!(check(wanted, &line).unwrap_err(), message);
    }
}

#[test]
fn a_question_that_does_not_fit_fails_with_its_reason_even_when_negated() {
    let answer = json!({ "items": [{ "n": "x" }], "n": 5, "t": "x" });
    for (wanted, reason) in [
        (json!({ "t": { "gt": 5 } }), "cannot be ordered"),
        (json!({ "n": { "starts_with": "5" } }), "starts_with needs a text"),
        (json!({ "n": { "contains": 5 } }), "contains needs a list"),
        (json!({ "n": { "length": 1 } }), "has no length"),
        (json!({ "n": { "any_match": { "x": 1 } } }), "any_match needs a list"),
        (json!({ "items": { "none_match": { "n": { "gt": 1 } } } }), "cannot be ordered"),
    ] {
        let error = check(wanted.clone(), &answer).expect_err("it makes no sense");
        assert!(error.contains(reason), "{wanted}: {error}");
    }
}

#[test]
fn a_malformed_expectation_is_refused_when_read() {
    for (wanted, reason) in [
        (json!({ "a": { "equals": 1 } }), "`a`: unknown operator `equals`"),
        (json!({ "a": { "eq": 1, "b": 2 } }), "unknown operator `b`"),
        (json!({ "a": {} }), "an operator is missing"),
        (json!({ "a": { "in": "x" } }), "`in` takes a list"),
        (json!({ "a": { "not_null": "yes" } }), "`not_null` takes true or false"),
        (json!({ "a": { "exists": 1 } }), "`exists` takes true or false"),
        (json!({ "a": { "matches": "(" } }), "is not a pattern"),
        (json!({ "a": { "gt": true } }), "`gt` takes a number or a text"),
        (json!({ "a": { "any_match": { "b": { "isnt": 1 } } } }), "unknown operator `isnt`"),
        (json!({ "a[": 1 }), "is not a path"),
        (json!({ "a.{{ x }}": 1 }), "placeholders are not replaced in paths"),
    ] {
        let error = serde_json::from_value::<Expectation>(wanted.clone()).expect_err("malformed").to_string();
        assert!(error.contains(reason), "{wanted}: {error}");
    }
}

#[test]
fn placeholders_are_filled_in_depth_and_judged_then() {
    let template = expectation(json!({
        "id": "{{ id }}", "list": { "any_match": { "n": "{{ n }}" }, "length": { "gte": "{{ n }}" } }, "state": { "in": "{{ n }}" },
    }));
    let variables = json!({ "id": "SUB-1", "n": 1 }).as_object().expect("a map").clone();
    let filled = template.fill(&variables).expect("all defined");
    let error = filled.check(&json!({ "id": "SUB-1", "list": [{ "n": 1 }], "state": "x" })).expect_err("1 is no list");
    assert_eq!(error.to_string(), "`state` is \"x\": `in` takes a list, not 1");
    assert_eq!(template.fill(&Variables::new()), Err(TemplateError::Undefined("id".into())));
}
