//! Scenarios from the command line: what is printed, and which exit code.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Ran, run};
use crate::scenario::stub::Stub;

/// A directory of scenarios that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[&str]) -> Self {
        let name = format!("bss-cli-scenario-{}-{:x}", std::process::id(), rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory");
        for name in files {
            let text = match *name {
                "good.yaml" => "name: good\ntags: [smoke]\nsteps: [{name: a, action: echo}]\n",
                "bad.yaml" => "name: bad\nsteps: [{name: a, action: broken.op}]\n",
                "unknown.yaml" => "name: unknown\nsteps: [{name: a, action: nobody.knows}]\n",
                "portal.yaml" => "name: portal\nsteps: [{name: a, action: portal.write_demo_contact}]\n",
                _ => "name: oops\nnonsense: 1\n",
            };
            fs::write(path.join(name), text).expect("a temporary file");
        }
        Self(path)
    }

    /// Runs `bss scenario …`; `@` in the line is this directory, and is cut out of what is printed.
    async fn scenario(&self, url: &str, line: &str) -> Ran {
        let path = self.0.display().to_string();
        let line = line.replace('@', &path);
        let ran = run(&format!("bss --url {url} --token t-default scenario {line}"), "", false).await;
        let without = |text: String| text.replace(&format!("{path}/"), "");
        Ran { code: ran.code, out: without(ran.out), err: without(ran.err) }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the directory is ours");
    }
}

/// Nobody listens there.
const AWAY: &str = "http://127.0.0.1:9";

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test]
async fn list_works_without_a_server() {
    let directory = Directory::with(&["good.yaml", "oops.yaml"]);
    let ran = directory.scenario(AWAY, "list @").await;
    insta::assert_snapshot!(ran.out, @r"
    FILE       NAME     STEPS  TAGS
    good.yaml  good         1  smoke
    oops.yaml  invalid      -  -
      ┌ invalid
      │ oops.yaml:2: unknown field `nonsense`, expected one of name, description, tags, requires, setup, variables, steps, teardown
      └
    ");
    assert_eq!(ran.code, 0);
    let ran = directory.scenario(AWAY, "list @ -o json").await;
    let listed = json(&ran);
    assert_eq!((&listed[0]["name"], &listed[0]["tags"][0]), (&"good".into(), &"smoke".into()));
    assert_eq!((&listed[1]["ok"], &listed[1]["faults"][0]["line"]), (&false.into(), &2.into()));
    assert_eq!(directory.scenario(AWAY, "list @/nowhere").await.code, 2);
}

#[tokio::test]
async fn validate_asks_the_server_when_there_is_one() {
    let stub = Stub::start().await;
    let directory = Directory::with(&["good.yaml", "oops.yaml", "unknown.yaml"]);
    let ran = directory.scenario(stub.url.as_str(), "validate @/good.yaml @/oops.yaml @/unknown.yaml").await;
    insta::assert_snapshot!(format!("{}{}", ran.out, ran.err), @r"
    ✓ good.yaml
    ✗ oops.yaml:2: unknown field `nonsense`, expected one of name, description, tags, requires, setup, variables, steps, teardown
    ✗ unknown.yaml:2: step `a`: unknown action `nobody.knows`
    error: 2 of 3 files are no valid scenario
    ");
    assert_eq!(ran.code, 2);
    let ran = directory.scenario(AWAY, "validate @/unknown.yaml").await;
    insta::assert_snapshot!(format!("{}{}", ran.out, ran.err), @r"
    ✓ unknown.yaml
    no server answers: whether the operations exist was not checked
    ");
    assert_eq!(ran.code, 0);
    let ran = directory.scenario(stub.url.as_str(), "validate @/oops.yaml -o json").await;
    assert_eq!(json(&ran)["files"][0]["faults"][0]["line"], 2);
    assert_eq!(ran.code, 2);
}

#[tokio::test]
async fn run_tells_passed_failed_and_invalid_apart() {
    let stub = Stub::start().await;
    let directory = Directory::with(&["good.yaml", "bad.yaml", "oops.yaml"]);
    let cases = [
        ("good", 0, "PASS — good (", ""),
        ("bad", 1, "FAIL — bad (", "error: the scenario bad failed\n"),
        ("oops", 2, "", "error: oops.yaml:2: unknown field `nonsense`"),
    ];
    for (name, code, out, err) in cases {
        let ran = directory.scenario(stub.url.as_str(), &format!("run @/{name}.yaml")).await;
        assert!(ran.out.starts_with(out) && ran.err.starts_with(err), "{ran:?}");
        assert_eq!(ran.code, code, "{name}");
        let ran = directory.scenario(stub.url.as_str(), &format!("run @/{name}.yaml -o json")).await;
        assert_eq!(json(&ran)["status"], ["passed", "failed", "invalid"][usize::from(code)]);
        assert_eq!(ran.code, code, "{name}");
    }
}

#[tokio::test]
async fn run_all_goes_on_and_sums_up() {
    let stub = Stub::start().await;
    let url = stub.url.as_str();
    let directory = Directory::with(&["good.yaml", "bad.yaml", "oops.yaml"]);
    let ran = directory.scenario(url, "run-all @").await;
    assert!(ran.out.contains("FAIL — bad (") && ran.out.contains("1 passed, 1 failed, 1 invalid in "), "{}", ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (1, "error: 1 of 3 scenarios failed\n"));
    let ran = directory.scenario(url, "run-all @ --fail-fast -o json").await;
    assert_eq!((&json(&ran)["failed"], &json(&ran)["notRun"]), (&1.into(), &2.into()));
    assert_eq!(ran.code, 1);

    let sound = Directory::with(&["good.yaml"]);
    let ran = sound.scenario(url, "run-all @ --tag smoke").await;
    assert!(ran.out.contains("1 passed in "), "{}", ran.out);
    assert_eq!(ran.code, 0);
    let ran = sound.scenario(url, "run-all @ --tag hero").await;
    assert!(ran.err.starts_with("no scenario matches\n"), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    let broken = Directory::with(&["oops.yaml"]);
    assert_eq!(broken.scenario(url, "run-all @").await.code, 2);
}

#[tokio::test]
async fn the_portal_has_a_token_of_its_own() {
    let stub = Stub::start().await;
    let directory = Directory::with(&["portal.yaml"]);
    let ran = directory.scenario(stub.url.as_str(), "run @/portal.yaml --portal-token t-portal").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(stub.calls()[0].token, "t-portal");
}

#[tokio::test]
async fn a_server_that_is_away_says_so_in_the_words_of_every_command() {
    let directory = Directory::with(&["good.yaml"]);
    let ran = directory.scenario(AWAY, "run @/good.yaml").await;
    assert!(ran.err.starts_with("error: no server answers at http://127.0.0.1:9\n"), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (7, ""));
}
