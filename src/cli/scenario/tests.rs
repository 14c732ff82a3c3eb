use std::fs;
use std::path::Path;

use clap::{CommandFactory, Parser};
use serde_json::Value;

use super::*;
use crate::scenario::client::OpsClient;
use crate::scenario::stub::{Stub, client, client_of};

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    scenario: ScenarioArgs,
}

/// A directory with one scenario that passes, one that fails and one that is none.
struct Directory(PathBuf);

impl Directory {
    fn new(files: &[&str]) -> Self {
        let path =
            std::env::temp_dir().join(format!("bss-cli-scenario-{}-{:x}", std::process::id(), rand::random::<u64>()));
        fs::create_dir_all(&path).expect("a temporary directory");
        for name in files {
            let text = match *name {
                "good.yaml" => "name: good\ntags: [smoke]\nsteps: [{name: a, action: echo}]\n",
                "bad.yaml" => "name: bad\nsteps: [{name: a, action: broken.op}]\n",
                "unknown.yaml" => "name: unknown\nsteps: [{name: a, action: nobody.knows}]\n",
                _ => "name: oops\nnonsense: 1\n",
            };
            fs::write(path.join(name), text).expect("a temporary file");
        }
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the directory is ours");
    }
}

/// Runs `bss scenario …` and returns what it wrote, without the directory's name, and its exit code.
async fn bss_scenario(caller: OpsClient, directory: &Directory, args: &[&str]) -> (String, u8) {
    let program = Program::try_parse_from([&["bss"], args].concat()).expect("arguments");
    let mut out = Vec::new();
    let code = run(program.scenario, caller, &mut out).await.expect("memory can be written");
    let text = String::from_utf8(out).expect("text");
    (text.replace(&format!("{}/", directory.0.display()), ""), code)
}

fn away() -> OpsClient {
    client_of("http://127.0.0.1:9/".parse().expect("an address"))
}

#[test]
fn the_command_line_is_well_formed() {
    Program::command().debug_assert();
}

#[tokio::test]
async fn list_works_without_a_server() {
    let directory = Directory::new(&["good.yaml", "oops.yaml"]);
    let path = directory.0.display().to_string();
    let (text, code) = bss_scenario(away(), &directory, &["list", &path]).await;
    insta::assert_snapshot!(text, @r"
    file       name     tags   steps
    good.yaml  good     smoke      1
    oops.yaml  invalid
    ┌ invalid
    │ oops.yaml:2: unknown field `nonsense`, expected one of name, description, tags, requires, setup, variables, steps, teardown
    └
    ");
    assert_eq!(code, 0);
    let (text, code) = bss_scenario(away(), &directory, &["list", &path, "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&listed[0]["name"], &listed[0]["tags"][0], &listed[1]["ok"]),
        (&"good".into(), &"smoke".into(), &false.into())
    );
    assert_eq!(code, 0);
    let (_, code) = bss_scenario(away(), &directory, &["list", "/nowhere/at/all"]).await;
    assert_eq!(code, 2);
}

#[tokio::test]
async fn validate_asks_the_server_when_there_is_one() {
    let stub = Stub::start().await;
    let directory = Directory::new(&["good.yaml", "oops.yaml", "unknown.yaml"]);
    let files = ["good.yaml", "oops.yaml", "unknown.yaml"].map(|name| directory.file(name));
    let args = [&["validate"], files.each_ref().map(String::as_str).as_slice()].concat();
    let (text, code) = bss_scenario(client(&stub), &directory, &args).await;
    insta::assert_snapshot!(text, @r"
    ✓ good.yaml
    ✗ oops.yaml:2: unknown field `nonsense`, expected one of name, description, tags, requires, setup, variables, steps, teardown
    ✗ unknown.yaml:2: step `a`: unknown action `nobody.knows`
    ");
    assert_eq!(code, 2);
    let (text, code) = bss_scenario(away(), &directory, &["validate", &files[2]]).await;
    insta::assert_snapshot!(text, @r"
    ✓ unknown.yaml
    no server answers: names of operations were not checked
    ");
    assert_eq!(code, 0);
    let (text, code) = bss_scenario(client(&stub), &directory, &["validate", &files[1], "-o", "json"]).await;
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&report["files"][0]["ok"], &report["files"][0]["faults"][0]["line"]), (&false.into(), &2.into()));
    assert_eq!(code, 2);
}

#[tokio::test]
async fn run_tells_passed_failed_and_invalid_apart() {
    let stub = Stub::start().await;
    let directory = Directory::new(&["good.yaml", "bad.yaml", "oops.yaml"]);
    for (name, expected, begin) in
        [("good.yaml", 0, "PASS — good ("), ("bad.yaml", 1, "FAIL — bad ("), ("oops.yaml", 2, "oops.yaml:2: ")]
    {
        let (text, code) = bss_scenario(client(&stub), &directory, &["run", &directory.file(name)]).await;
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(code, expected, "{name}");
        let (text, code) = bss_scenario(client(&stub), &directory, &["-o", "json", "run", &directory.file(name)]).await;
        let report: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["status"], ["passed", "failed", "invalid"][usize::from(expected)]);
        assert_eq!(code, expected, "{name}");
    }
}

#[tokio::test]
async fn run_all_goes_on_and_sums_up() {
    let stub = Stub::start().await;
    let directory = Directory::new(&["good.yaml", "bad.yaml", "oops.yaml"]);
    let path = directory.0.display().to_string();
    let (text, code) = bss_scenario(client(&stub), &directory, &["run-all", &path]).await;
    assert!(text.contains("FAIL — bad (") && text.contains("1 passed, 1 failed, 1 invalid in "), "{text}");
    assert_eq!(code, 1);
    let (text, code) = bss_scenario(client(&stub), &directory, &["run-all", &path, "--fail-fast", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&report["failed"], &report["notRun"]), (&1.into(), &2.into()));
    assert_eq!(code, 1);

    let sound = Directory::new(&["good.yaml"]);
    let path = sound.0.display().to_string();
    let (text, code) = bss_scenario(client(&stub), &sound, &["run-all", &path, "--tag", "smoke"]).await;
    assert!(text.contains("1 passed in "), "{text}");
    assert_eq!(code, 0);
    let (text, code) = bss_scenario(client(&stub), &sound, &["run-all", &path, "--tag", "hero"]).await;
    assert_eq!((text.as_str(), code), ("no scenario matches\n", 0));
    let broken = Directory::new(&["oops.yaml"]);
    let (_, code) = bss_scenario(client(&stub), &broken, &["run-all", &broken.0.display().to_string()]).await;
    assert_eq!(code, 2);
}

#[tokio::test]
async fn a_server_that_is_away_is_one_line_and_its_own_code() {
    let directory = Directory::new(&["good.yaml"]);
    let (text, code) = bss_scenario(away(), &directory, &["run", &directory.file("good.yaml")]).await;
    assert_eq!(text, "cannot reach http://127.0.0.1:9/: Connection refused (os error 111)\n");
    assert_eq!(code, 7);
    assert!(Path::new(&directory.file("good.yaml")).exists());
}
