use std::fs;

use super::*;
use crate::scenario::report::StepStatus;
use crate::scenario::stub::{Stub, client};

/// A directory of scenarios that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("bss-suite-{}-{:x}", std::process::id(), rand::random::<u64>()));
        fs::create_dir_all(path.join("archive")).expect("a temporary directory");
        for (name, text) in files {
            fs::write(path.join(name), text).expect("a temporary file");
        }
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the directory is ours");
    }
}

const GOOD: &str = "name: NAME\ntags: [TAG]\nsteps: [{name: a, action: echo}]\n";
const BAD: &str = "name: NAME\ntags: [TAG]\nsteps: [{name: a, action: broken.op}]\n";

fn scenario(text: &str, name: &str, tag: &str) -> String {
    text.replace("NAME", name).replace("TAG", tag)
}

async fn run(stub: &Stub, directory: &Directory, tag: Option<&str>, fail_fast: bool) -> SuiteReport {
    let operations = client(stub).operations().await.expect("the list of operations");
    let choice = Choice { tag: tag.map(str::to_owned), fail_fast };
    let listed = list(&directory.0).expect("a directory");
    run_all(&client(stub), listed, &operations, &choice, &Options::default(), |_| {}).await
}

fn outcome(report: &SuiteReport) -> Vec<(String, Status)> {
    report.scenarios.iter().map(|scenario| (scenario.name.clone(), scenario.status)).collect()
}

fn sample() -> Directory {
    Directory::with(&[
        ("b.yaml", &scenario(GOOD, "b", "hero")),
        ("a.yml", &scenario(GOOD, "last", "hero")),
        ("a.yaml", "name: oops\nnonsense: 1\n"),
        ("c.yaml", &scenario(BAD, "c", "slow")),
        ("notes.txt", "not a scenario"),
        ("archive/z.yaml", &scenario(BAD, "z", "hero")),
    ])
}

#[tokio::test]
async fn an_invalid_file_keeps_nobody_from_running() {
    let stub = Stub::start().await;
    let report = run(&stub, &sample(), None, false).await;
    let expected =
        [("a.yaml", Status::Invalid), ("b", Status::Passed), ("c", Status::Failed), ("last", Status::Passed)];
    assert_eq!(outcome(&report), expected.map(|(name, status)| (name.to_owned(), status)));
    assert!(!report.ok);
    assert_eq!((report.passed, report.failed, report.invalid, report.not_run), (2, 1, 1, 0));
}

#[tokio::test]
async fn a_tag_chooses_and_fail_fast_stops() {
    let stub = Stub::start().await;
    let directory = sample();
    let report = run(&stub, &directory, Some("hero"), false).await;
    assert_eq!((report.passed, report.failed, report.invalid), (2, 0, 1), "{:?}", outcome(&report));
    let report = run(&stub, &directory, None, true).await;
    assert_eq!((report.scenarios.len(), report.not_run), (1, 3));
    let report = run(&stub, &Directory::with(&[]), Some("hero"), true).await;
    assert!(report.ok && report.scenarios.is_empty());
}

#[tokio::test]
async fn validation_asks_the_server_for_unknown_verbs() {
    let stub = Stub::start().await;
    let directory = Directory::with(&[(
        "x.yaml",
        "name: x\nsteps:\n  - {name: a, action: echo}\n  - {name: b, action: nobody.knows}\n  - {name: c, action: portal.write_demo_contact}\n",
    )]);
    let file = directory.0.join("x.yaml");
    assert!(validate(&file, None).is_ok());
    let operations = client(&stub).operations().await.expect("the list of operations");
    let invalid = validate(&file, Some(&operations)).expect_err("one verb is unknown");
    assert_eq!(invalid.to_string(), format!("{}:4: step `b`: unknown action `nobody.knows`", file.display()));
}

/// The stories that come with the product are well-formed, and each puts back what it changes.
#[test]
fn our_own_scenarios_are_sound() {
    let listed =
        list(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))).expect("the directory of scenarios");
    assert!(listed.len() >= 8, "{} scenarios", listed.len());
    for Listed { file, scenario } in listed {
        let scenario = scenario.unwrap_or_else(|invalid| panic!("{invalid}"));
        assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(scenario.name.as_str()));
        assert_eq!(scenario.setup.freeze_clock_at.is_some(), scenario.teardown.unfreeze_clock, "{}", scenario.name);
        let puts_faults_back =
            scenario.teardown.steps.iter().any(|step| step.verb() == Some("provisioning.set_fault_injection"));
        let sets_faults = scenario.steps.iter().any(|step| step.verb() == Some("provisioning.set_fault_injection"));
        assert_eq!(sets_faults, puts_faults_back, "{}", scenario.name);
    }
}

#[tokio::test]
async fn a_report_holds_every_step() {
    let stub = Stub::start().await;
    let report = run(&stub, &Directory::with(&[("c.yaml", &scenario(BAD, "c", "x"))]), None, false).await;
    assert_eq!(report.scenarios[0].steps[0].status, StepStatus::Failed);
}

#[test]
fn the_sample_of_the_documentation_is_sound() {
    let text = include_str!("../../../scenarios/README.md");
    let sample = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
    load::parse(Path::new("README.md"), sample).unwrap_or_else(|invalid| panic!("{invalid}"));
}
