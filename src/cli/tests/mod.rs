//! The commands against a server that writes down what it is asked: what is sent, what is printed, which exit code.

mod commands;
mod contexts;
mod gates;
mod help;
mod import;
mod output;
mod scenario;

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::console::Console;
use super::target::{Named, Target};
use super::{Cli, ClientCommand, Command, Global, finished, on_target, run_on};
use crate::render::Style;

type Answer = dyn Fn(&str, &Value) -> (u16, Value) + Send + Sync;

/// What drawn cards ask beside.
const PROFILE: &str = "operator.profile";

/// A server that answers as told and remembers every call.
#[derive(Clone)]
struct Stub {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    answer: Arc<Answer>,
}

/// One call that the stub got.
#[derive(Debug, Clone)]
struct Call {
    operation: String,
    arguments: Value,
    headers: HeaderMap,
}

/// What a command left behind.
#[derive(Debug)]
struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl Stub {
    async fn answering(answer: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
        let stub = Self { url, calls: Arc::default(), answer: Arc::new(answer) };
        let app = Router::new()
            .route("/ops/v1", get(registry))
            .route("/ops/v1/{operation}", post(operation))
            .with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        stub
    }

    /// A server that answers everything with the same.
    async fn always(answer: Value) -> Self {
        Self::answering(move |_, _| (200, answer.clone())).await
    }

    /// Runs a command line against this server, without a terminal.
    async fn run(&self, line: &str) -> Ran {
        run(&format!("bss --url {} --token secret {line}", self.url), "", false).await
    }

    /// As [`Self::run`], with a person who types `input`.
    async fn run_with_person(&self, line: &str, input: &str) -> Ran {
        run(&format!("bss --url {} --token secret {line}", self.url), input, true).await
    }

    /// Runs a command line against this server as a context in production would; `named` on the command line itself, or
    /// only in use.
    async fn run_in_production(&self, line: &str, named: bool, input: &str, interactive: bool) -> Ran {
        let (global, command) = parsed(&format!("bss --token secret {line}"));
        let url = url::Url::parse(&self.url).expect("a bound listener");
        let context = Named { name: "prod".into(), production: true, said: named };
        let target = Target { url, token: Some("secret".into()), data_dir: None, context: Some(context) };
        on_console(input, interactive, async |console| {
            let outcome = on_target(&global, command, &target, console).await;
            finished(outcome, &global, console)
        })
        .await
    }

    /// The calls since the last look, as operation and arguments. How the operator writes dates is asked beside, by whatever
    /// draws a card, and not told here.
    fn calls(&self) -> Vec<(String, Value)> {
        let calls = self.full_calls().into_iter().filter(|call| call.operation != PROFILE);
        calls.map(|call| (call.operation, call.arguments)).collect()
    }

    fn full_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn registry(State(stub): State<Stub>) -> Response {
    let (status, body) = (stub.answer)("", &Value::Null);
    answer(status, &body)
}

async fn operation(
    State(stub): State<Stub>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments: Value = serde_json::from_slice(&body).expect("a client that sends JSON");
    let (status, body) = (stub.answer)(&operation, &arguments);
    stub.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call { operation, arguments, headers });
    answer(status, &body)
}

fn answer(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response()
}

/// Runs a command line from its words to its exit code.
async fn run(line: &str, input: &str, interactive: bool) -> Ran {
    let (global, command) = parsed(line);
    on_console(input, interactive, async |console| run_on(&global, command, console).await).await
}

fn parsed(line: &str) -> (Global, ClientCommand) {
    // A test has no file for each token: it is put where one that was read from a file would be.
    let mut words = words(line);
    let token = words.iter().position(|word| word == "--token").map(|at| words.drain(at..at + 2).nth(1));
    let mut cli = Cli::read(words).expect("a command line of this test");
    if let Some(token) = token.flatten() {
        (cli.global.token, cli.global.said.token) = (Some(token), true);
    }
    let Command::Client(command) = cli.command else { panic!("not a client command: {line}") };
    (cli.global, command)
}

async fn on_console(input: &str, interactive: bool, run: impl AsyncFnOnce(&mut Console) -> u8) -> Ran {
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut console = Console {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(Cursor::new(input.to_owned().into_bytes())),
        interactive,
        echoes: false,
        style: Style::default(),
        err_colour: false,
        pager: None,
    };
    let code = run(&mut console).await;
    Ran { code, out: out.text(), err: err.text() }
}

/// Splits a line into words as a shell does; single quotes keep theirs together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("we print text")
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A violation as the server words it.
fn violation(rule: &str, message: &str, context: &Value) -> (u16, Value) {
    let body =
        json!({"code": "POLICY_VIOLATION", "reason": rule, "message": message, "status": "422", "context": context});
    (422, body)
}
