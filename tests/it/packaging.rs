//! The files that put the product into a container: what they name exists.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect()
}

/// What the Compose Specification knows at the top since its schema of `tests/compose` was made (04-version-and-name.md).
const YOUNGER: &[&str] = &["name"];

#[test]
fn compose_fits_the_schema_of_its_specification() {
    let schema: Value = serde_json::from_str(&text("tests/compose/compose_spec.json")).expect("JSON");
    let schema = jsonschema::draft7::new(&schema).expect("a schema");
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).expect("YAML");
    let faults = |compose: &Value| {
        let mut compose = compose.clone();
        compose.as_object_mut().expect("an object").retain(|name, _| !YOUNGER.contains(&name.as_str()));
        schema.iter_errors(&compose).map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>()
    };
    assert_eq!(faults(&compose), [""; 0]);
    for (pointer, name, value) in [
        ("/services/bss", "restarts", json!("always")),
        ("/services/bss", "ports", json!("8000")),
        ("/services/database/healthcheck", "every", json!("2s")),
        ("", "service", json!({})),
    ] {
        let mut wrong = compose.clone();
        wrong.pointer_mut(pointer).expect("it is there")[name] = value;
        assert!(!faults(&wrong).is_empty(), "{pointer}/{name} is not noticed");
    }
}

#[test]
fn compose_names_services_volumes_and_commands_that_exist() {
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).expect("YAML");
    let services = compose["services"].as_object().expect("services");
    let volumes = names(&compose["volumes"]);
    let commands = ["migrate", "seed", "serve"];
    for (name, service) in services {
        assert!(service["image"].as_str().is_some_and(|image| image.contains(':')), "{name} pins an image");
        for (wanted, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(wanted), "{name} waits for {wanted}");
            let condition = how["condition"].as_str().expect("a condition");
            assert!(["service_healthy", "service_completed_successfully"].contains(&condition), "{name}: {condition}");
            assert!(condition != "service_healthy" || services[wanted].get("healthcheck").is_some(), "{wanted}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().and_then(|volume| volume.split(':').next()).expect("a volume");
            assert!(volumes.contains(volume), "{name} mounts {volume}");
        }
        if service["image"] == "bss:latest" {
            let command = service["command"][0].as_str().expect("a command");
            assert!(commands.contains(&command), "{name} runs bss {command}");
            assert!(service["environment"]["BSS_DB_URL"].is_string(), "{name} needs the database");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().expect("a port");
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port} is not for the world until TLS stands in front");
        }
    }
}

#[test]
fn the_image_holds_what_it_copies_and_runs_as_nobody_special() {
    let dockerfile = text("Dockerfile");
    let version = text("Cargo.toml");
    let version = version.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a Rust version");
    let version = version.trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "the toolchain of Cargo.toml, {version}");
    assert!(dockerfile.lines().any(|line| line.starts_with("USER ") && line != "USER root"));
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let source = line.split_whitespace().nth(1).expect("a source");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists(), "{line}");
    }
}

#[test]
fn the_secrets_of_compose_do_not_get_into_the_image() {
    assert!(text(".dockerignore").lines().any(|line| line == ".env"), "COPY . . takes what is not listed");
}

#[test]
fn the_database_is_healthy_only_when_others_reach_it() {
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).expect("YAML");
    // While the image prepares its data, a server answers on the socket and then stops.
    let check = compose["services"]["database"]["healthcheck"]["test"].as_array().expect("a command");
    assert!(check.contains(&json!("--host")), "{check:?}");
}

#[test]
fn the_unit_runs_commands_that_exist() {
    let unit = text("deploy/bss.service");
    let runs: Vec<&str> = unit.lines().filter(|line| line.starts_with("Exec")).collect();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].contains("bss migrate") && runs[1].ends_with("bss serve"), "{runs:?}");
    // The exit code of a fault in the configuration: it would be tried for ever.
    assert!(unit.lines().any(|line| line == "RestartPreventExitStatus=2"));
}
