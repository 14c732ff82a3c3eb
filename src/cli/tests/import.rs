//! `bss usage import`: what is sent, what is rejected, and how a stopped import goes on.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::Stub;

/// A folder of a test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bss-cli-import-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A file of that many records.
    fn cdrs(&self, records: usize) -> String {
        let mut text = "msisdn,eventType,quantity,externalId\n".to_owned();
        for n in 1..=records {
            writeln!(text, "9000{:04},data,1,cdr-{n}", n % 50).unwrap();
        }
        let path = self.0.join("cdrs.csv");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Rates everything but every hundredth record, which is refused.
fn outcomes(arguments: &Value) -> Value {
    let of = |record: &Value| {
        if record["externalId"].as_str().unwrap().ends_with("00") {
            json!({"outcome": "refused", "usageId": "UE-1", "reason": "usage.allowance_exhausted", "message": "used up"})
        } else {
            json!({"outcome": "rated", "usageId": "UE-1"})
        }
    };
    json!({"outcomes": arguments["records"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()})
}

#[tokio::test]
async fn all_records_are_sent_and_those_not_served_are_kept_with_their_reason() {
    let folder = Folder::new("whole");
    let file = folder.cdrs(1_000);
    let stub = Stub::answering(|_, arguments| (200, outcomes(arguments))).await;
    let ran = stub.run(&format!("usage import {file} -o json")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let counts = ["read", "rated", "refused", "invalid"].map(|name| report[name].as_i64().unwrap());
    assert_eq!(counts, [1_000, 990, 10, 0]);
    let rejects = std::fs::read_to_string(format!("{file}.rejects.ndjson")).unwrap();
    let first: Value = serde_json::from_str(rejects.lines().next().unwrap()).unwrap();
    assert_eq!((&first["line"], &first["reason"]), (&json!(101), &json!("usage.allowance_exhausted")));
    assert_eq!(first["record"], "90000000,data,1,cdr-100");
    assert!(!folder.has("cdrs.csv.bss-import"), "a whole import needs no place to go on from");
    let calls = stub.calls();
    let sent: usize = calls.iter().map(|(_, arguments)| arguments["records"].as_array().unwrap().len()).sum();
    assert_eq!(sent, 1_000);
    // The records of one number stay in their order.
    let mut last = std::collections::BTreeMap::new();
    for (_, arguments) in &calls {
        for record in arguments["records"].as_array().unwrap() {
            let n: usize = record["externalId"].as_str().unwrap()[4..].parse().unwrap();
            let former = last.insert(record["msisdn"].as_str().unwrap().to_owned(), n);
            assert!(former.is_none_or(|former| former < n), "{record}");
        }
    }
}

#[tokio::test]
async fn a_stopped_import_goes_on_where_it_was() {
    let folder = Folder::new("stopped");
    let file = folder.cdrs(9_000);
    let left = Arc::new(AtomicUsize::new(4_000));
    let budget = Arc::clone(&left);
    let stub = Stub::answering(move |_, arguments| {
        let records = arguments["records"].as_array().map_or(0, Vec::len);
        let had = budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(records));
        if had.is_ok() { (200, outcomes(arguments)) } else { (403, json!({"code": "FORBIDDEN", "message": "enough"})) }
    })
    .await;
    let first = stub.run(&format!("usage import {file}")).await;
    assert_ne!(first.code, 0);
    assert!(folder.has("cdrs.csv.bss-import"), "{}", first.err);
    let sent: usize = stub.calls().iter().map(|(_, arguments)| arguments["records"].as_array().unwrap().len()).sum();
    assert!(sent >= 4_000);

    let elsewhere = stub.run(&format!("usage import {file} --reject-file {file}.elsewhere")).await;
    assert_eq!(elsewhere.code, 1, "what was rejected is not there");
    assert!(elsewhere.err.contains("name its --reject-file"), "{}", elsewhere.err);
    assert!(!folder.has("cdrs.csv.elsewhere"));

    left.store(usize::MAX, Ordering::SeqCst);
    let second = stub.run(&format!("usage import {file} -o json")).await;
    assert_eq!(second.code, 0, "{}", second.err);
    assert!(second.err.contains("going on after line 4001"), "{}", second.err);
    let report: Value = serde_json::from_str(&second.out).unwrap();
    assert_eq!((&report["read"], &report["refused"]), (&json!(9_000), &json!(90)), "counted over both runs");
    let resent: usize = stub.calls().iter().map(|(_, arguments)| arguments["records"].as_array().unwrap().len()).sum();
    assert_eq!(resent, 5_000);
    let rejects = std::fs::read_to_string(format!("{file}.rejects.ndjson")).unwrap();
    assert_eq!(rejects.lines().count(), 90);
}

#[tokio::test]
async fn what_is_not_known_is_sent_again_and_what_cannot_be_read_is_said() {
    let folder = Folder::new("unknown");
    let file = folder.cdrs(3);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let stub = Stub::answering(move |_, arguments| {
        if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            let records = arguments["records"].as_array().unwrap().len();
            return (200, json!({"outcomes": vec![json!({"outcome": "unknown"}); records]}));
        }
        (200, outcomes(arguments))
    })
    .await;
    let ran = stub.run(&format!("usage import {file} -o json")).await;
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["rated"]), (0, &json!(3)), "{}", ran.err);
    assert!(report["rejectFile"].is_null() && !folder.has("cdrs.csv.rejects.ndjson"));
    assert_eq!(stub.run("usage import /nowhere/cdrs.csv").await.code, 1);
    assert_eq!(stub.run("usage import /nowhere/cdrs.txt").await.code, 2);
}
