//! What the documents tell people to type is typed: every line of every `sh` and `console` block of the README and of `docs`,
//! against a running server; the README in its order, as the story that it is, with the cards that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use reqwest::Method;

use crate::cli::{Stage, on_terminal, said, sign_up};
use crate::support::raw::Request;

/// Lines that are not typed here, by their beginning, and why.
const NOT_TYPED: &[(&str, &str)] = &[
    ("make ", "installs, builds, serves or runs the tests"),
    ("cargo ", "builds"),
    ("export PATH", "of the person's own shell"),
    ("set -a", "the configuration of an installation"),
    (". ./.env", "the secrets of containers"),
    (". /var/lib/bss/tokens.env", "the tokens of an installation; a test knows its own"),
    ("BSS_ALLOW_ADMIN_RESET=true target/release/bss serve", "it is the server"),
    ("target/release/bss bench", "a measurement; cli_alone runs them small"),
    ("target/release/bss scenario run-all", "deletes what the others need; canaries runs it"),
    ("scripts/", "fills a database for a measurement"),
    ("pid=", "of the person's own shell"),
    ("umask", "of the person's own shell"),
    ("for name in", "makes the secrets of containers"),
    ("docker ", "needs containers; packaging checks the files"),
    ("install ", "needs root; packaging checks the unit"),
    ("useradd", "needs root"),
    ("systemctl", "needs systemd"),
    ("journalctl", "needs systemd"),
    ("bss backup", "backup runs it, and puts back what it made"),
    ("bss restore", "backup runs it, and puts back what it made"),
    ("BSS_DB_URL=", "a database that is not here"),
    ("BSS_API_ADDR=", "it is the server"),
    ("tar xf", "needs an archive; backup makes one and puts it back"),
    ("bss context add prod", "names a file of a token that is not here"),
    ("bss subscription renewals --watch", "ends with the person who watches"),
];

/// Lines that are right and refused here, since what they are for is not the case; by their beginning.
const REFUSED: &[(&str, i32)] = &[
    ("bss queue show", 5),
    ("bss queue replay ", 5),
    ("bss queue discard", 5),
    ("bss prov resolve", 3),
    ("bss prov retry", 3),
    ("bss prov abandon", 3),
    ("bss order cancel", 3),
    // The README shows what is said when the data is gone.
    ("bss usage simulate --msisdn 90000000 --quantity 1MB", 3),
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, and every page of `docs` that people wrote.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![top().join("README.md")];
    for folder in ["docs", "docs/runbooks"] {
        let entries = std::fs::read_dir(top().join(folder)).expect("a folder of the repository");
        let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
        pages.sort();
        found.extend(pages);
    }
    found
}

/// A line that is to be typed, and what the page shows below it.
#[derive(Debug)]
struct Typed {
    page: String,
    line: String,
    shown: Vec<String>,
}

/// Commands that would be one if they stood in a block that is typed.
fn is_command(line: &str) -> bool {
    let programs = ["$ ", "bss ", "curl ", "make ", "cargo ", "docker ", "scripts/", "target/release/bss "];
    programs.iter().any(|program| line.starts_with(program)) && !line.contains(" ready")
}

fn typed() -> Vec<Typed> {
    let mut found: Vec<Typed> = Vec::new();
    for page in documents() {
        let text = std::fs::read_to_string(&page).expect("a page is UTF-8");
        let name = page.strip_prefix(top()).expect("it is below").display().to_string();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let fence = line.trim_start().strip_prefix("```");
            match (&block, fence) {
                (None, Some(kind)) => block = Some(kind.split(' ').next().unwrap_or_default().to_owned()),
                (Some(_), Some(_)) => block = None,
                (Some(kind), None) => {
                    let command = match kind.as_str() {
                        "sh" => Some(line).filter(|line| !line.trim().is_empty() && !line.starts_with('#')),
                        "console" => line.strip_prefix("$ "),
                        _ => {
                            let is_stray =
                                is_command(line) && !matches!(kind.as_str(), "text" | "json" | "sql" | "nginx");
                            assert!(!is_stray, "{name}: is {line:?} to be typed? Say so: sh, console or text");
                            None
                        }
                    };
                    if let Some(command) = command {
                        let line = command.split("  #").next().unwrap_or_default().trim().to_owned();
                        found.push(Typed { page: name.clone(), line, shown: Vec::new() });
                    } else if kind == "console"
                        && let Some(last) = found.last_mut()
                    {
                        last.shown.push(line.to_owned());
                    }
                }
                (None, None) => {}
            }
        }
    }
    found
}

fn is_typed(line: &str) -> bool {
    !NOT_TYPED.iter().any(|(beginning, _)| line.starts_with(beginning))
}

fn expected(line: &str) -> i32 {
    REFUSED.iter().find(|(beginning, _)| line.starts_with(beginning)).map_or(0, |(_, code)| *code)
}

/// Calls what a `curl` line calls, at this server.
async fn curl(stage: &Stage, line: &str) -> u16 {
    let address = stage.server.url().trim_start_matches("http://").to_owned();
    let target =
        line.split_once("http://127.0.0.1:8000").expect("curl speaks to the server").1.trim_matches(['\'', '"']);
    assert!(line.contains("X-BSS-API-Token: $BSS_API_TOKEN") && !line.contains(" -X "), "{line}: more than a read");
    Request::new(Method::GET, target).authenticated().send(&address).await.status
}

/// The part of a line before what a shell does with it.
fn without_shell(line: &str) -> &str {
    line.split(" > ").next().unwrap_or(line)
}

#[tokio::test]
async fn every_line_of_the_documents_is_typed() {
    let stage = Stage::new().await;
    let client = stage.server.client();
    let (mut wrong, mut count) = (Vec::new(), 0);
    // The first line has the first number: pages may name it.
    sign_up(&client, "first@example.test").await;
    for (n, Typed { page, line, .. }) in typed().iter().enumerate() {
        if page == "README.md" || !is_typed(line) {
            continue;
        }
        let ids = sign_up(&client, &format!("reader-{n}@example.test")).await;
        let mut real =
            line.replace("<event>", &ids["01960000-0000-7000-8000-000000000001"]).replace("<name>", "som.decompose");
        for (sample, id) in ids.iter().filter(|(sample, _)| **sample != "ada@example.test") {
            real = real.replace(sample, id);
        }
        let destroys = ["discard", "abandon", "cancel"].iter().any(|word| real.contains(word));
        if destroys {
            real.push_str(" --yes");
        }
        let real = real.replace("PAY-000042", &ids["PAY-000042"]);
        let output = stage.line(without_shell(&real));
        count += 1;
        if output.status.code() != Some(expected(line)) {
            wrong.push(format!("{page}: {line} answers {:?}: {}", output.status.code(), said(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 25, "only {count} lines were found");
    stage.server.stop().await;
}

/// A line of output without what differs from run to run: ids, instants, and how wide a column became.
fn shape(line: &str) -> String {
    let changing = Regex::new(r"[0-9a-f]{12}|\d+").expect("the pattern is right");
    let gap = Regex::new(r"[ ─]{2,}").expect("the pattern is right");
    gap.replace_all(&changing.replace_all(line.trim_end(), "#"), "  ").into_owned()
}

/// What the page shows and the terminal does not.
fn missing(shown: &[String], terminal: &str) -> Vec<String> {
    let there: BTreeSet<String> = terminal.lines().map(shape).collect();
    shown.iter().filter(|line| !line.contains('…') && !there.contains(&shape(line))).cloned().collect()
}

#[tokio::test]
async fn the_story_of_the_readme_happens_as_it_is_told() {
    let stage = Stage::new().await;
    let has_terminals = nix::pty::openpty(None, None).is_ok();
    let story: Vec<Typed> = typed().into_iter().filter(|typed| typed.page == "README.md").collect();
    let told = Regex::new("CUST-[0-9a-f]{12}").expect("the pattern is right");
    let mut customer: Option<String> = None;
    let mut looked = BTreeMap::new();
    for Typed { line, shown, .. } in story.iter().filter(|typed| is_typed(&typed.line)) {
        let real =
            customer.as_ref().map_or_else(|| line.clone(), |id| told.replace_all(line, id.as_str()).into_owned());
        if real.starts_with("curl ") {
            assert_eq!(curl(&stage, &real).await, 200, "{line}");
            continue;
        }
        let output = stage.line(&real);
        assert_eq!(output.status.code(), Some(expected(line)), "{line}: {}", said(&output));
        if customer.is_none() {
            customer = told.find(&said(&output)).map(|id| id.as_str().to_owned());
        }
        // What a person would see: the same thing once more, on a terminal, where looking changes nothing.
        let id = customer.as_deref().unwrap_or_default();
        let look = match line.split(' ').take(3).collect::<Vec<_>>()[..] {
            ["bss", "customer", "create"] => format!("bss customer show {id}"),
            ["bss", "order", "create"] => "bss order show ORD-0001".to_owned(),
            ["bss", "subscription", "show"] => real.clone(),
            _ => continue,
        };
        if has_terminals {
            let terminal = on_terminal(&stage, &look, (80, 500), &[("NO_COLOR", "1")]);
            // The first line of an act says what was done; the rest is the card.
            let card: Vec<String> = shown.iter().filter(|line| !line.starts_with("created ")).cloned().collect();
            looked.insert(line.clone(), (missing(&card, &terminal), terminal));
        }
    }
    assert!(!has_terminals || looked.len() == 3, "the README shows three cards");
    for (line, (missing, terminal)) in looked {
        assert!(missing.is_empty(), "{line} does not show {missing:#?} but\n{terminal}");
    }
    stage.server.stop().await;
}

/// A page that names a file of ours, or a function in it, names one that there is.
#[test]
fn files_and_functions_that_are_named_are_there() {
    let named = Regex::new(
        r"`((?:src|tests|migrations|scripts|scenarios|deploy)/[A-Za-z_/0-9.-]+\.[a-z]+)(?:::([a-z_0-9]+))?`",
    )
    .expect("the pattern is right");
    let (mut wrong, mut functions) = (Vec::new(), 0);
    let pages = documents().into_iter().chain([top().join("CONTRIBUTING.md")]);
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page is UTF-8");
        for hit in named.captures_iter(&text) {
            let source = std::fs::read_to_string(top().join(&hit[1]));
            let is_there = match (&source, hit.get(2)) {
                (Err(_), _) => false,
                (Ok(_), None) => true,
                (Ok(source), Some(name)) => {
                    functions += 1;
                    let name = name.as_str();
                    ["(", "<"].iter().any(|next| source.contains(&format!("fn {name}{next}")))
                }
            };
            if !is_there {
                wrong.push(format!("{}: {}", page.display(), &hit[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(functions > 20, "the walkthroughs name functions: {functions}");
}

#[test]
fn reasons_are_needed() {
    let lines: Vec<String> = typed().into_iter().map(|typed| typed.line).collect();
    let lists = NOT_TYPED.iter().map(|(beginning, _)| beginning).chain(REFUSED.iter().map(|(beginning, _)| beginning));
    let idle: Vec<_> = lists.filter(|beginning| !lines.iter().any(|line| line.starts_with(**beginning))).collect();
    assert!(idle.is_empty(), "no line of the documents begins like this any more: {idle:?}");
}
