//! Starts the server, finds it running, waits for it, ends it.

use std::{
    env, fs,
    fs::File,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use url::Url;

use super::{EmbeddedError, error::at, home::Home, lock, programs::Programs};

/// Covers the recovery after a crash, at most the WAL of five minutes.
const START_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
/// One try to connect; a server that accepts and then is silent is not ready.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// A port can be lost to another process between the look and the start.
const MAX_LAUNCHES: u32 = 3;
/// Leaves time for the rest of the two that `bss` has to stop within 5 s.
const FAST_STOP_PATIENCE: Duration = Duration::from_secs(3);
const IMMEDIATE_STOP_PATIENCE: Duration = Duration::from_secs(1);
/// What the server and `initdb` get to see of our environment: no secrets, and no `PG…` that would change what they do.
const ENVIRONMENT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// The address of a server that answers.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) url: String,
}

/// Starts the server unless it runs, and waits until it answers. The caller holds the start lock.
///
/// A server that is about to go, e.g. because the `bss` that stopped it was killed in between, is waited for and
/// started anew.
pub(super) async fn bring_up(home: &Home, programs: &Programs) -> Result<Server, EmbeddedError> {
    let password = read_trimmed(&home.password())?;
    let deadline = Instant::now() + START_PATIENCE;
    let mut child: Option<Child> = None;
    let mut launches = 0;
    loop {
        if let Some(lock) = lock::try_exclusive(&home.server_lock())? {
            if let Some(child) = &mut child {
                ended(home, child, launches).await?;
            }
            child = Some(launch(home, programs, lock)?);
            launches += 1;
        }
        let server = address(home, &password)?;
        let cause = match probe(&server.url).await {
            Probe::Ready => {
                let how = if launches > 0 { "started" } else { "attached to" };
                tracing::info!(db.port = server.port, db.path = %home.data().display(), "{how} the database server");
                return Ok(server);
            }
            Probe::NotYet(cause) => cause,
            Probe::PasswordRefused => return Err(password_refused(home)),
        };
        if Instant::now() > deadline {
            return Err(EmbeddedError::NotReady { data: home.data(), seconds: START_PATIENCE.as_secs(), cause });
        }
        sleep(POLL).await;
    }
}

/// Ends the server: first in an orderly way, then at once, which costs the next start a recovery. The caller holds the
/// start lock and knows that nobody else is attached.
pub(super) async fn terminate(home: &Home) -> Result<(), EmbeddedError> {
    // Not asked of a child handle: the server may have been started by a process that is long gone.
    let Some(pid) = server_pid(home)? else {
        return gone_within(home, FAST_STOP_PATIENCE).await.map(drop);
    };
    for (signal, patience) in [(Signal::SIGINT, FAST_STOP_PATIENCE), (Signal::SIGQUIT, IMMEDIATE_STOP_PATIENCE)] {
        // Gone already is as good.
        let _ = kill(Pid::from_raw(pid), signal);
        if gone_within(home, patience).await? {
            return Ok(());
        }
        tracing::warn!(db.pid = pid, %signal, "the database server did not stop in time");
    }
    Err(EmbeddedError::StillRunning { pid, data: home.data() })
}

/// Whether a server ended without an order: one that was told to stop takes its pid file along.
pub(super) fn was_killed(home: &Home) -> Result<bool, EmbeddedError> {
    let left_behind = home.data().join("postmaster.pid").exists() && server_pid(home)?.is_none();
    Ok(left_behind && lock::try_exclusive(&home.server_lock())?.is_some())
}

/// A command that runs as the server's account, in a folder it may be in, out of reach of our terminal's signals.
pub(super) fn command(home: &Home, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home.root()).process_group(0).env_clear().env("LC_ALL", "C.UTF-8");
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    if let Some(account) = home.account() {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// The end of a program's output, which says why it failed.
pub(in crate::platform::db) fn last_lines(output: &str) -> String {
    const LINES: usize = 8;
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

fn launch(home: &Home, programs: &Programs, lock: File) -> Result<Child, EmbeddedError> {
    clear_stale_pid(home)?;
    home.prepare_socket_dir()?;
    let port = free_port(home)?;
    let log = File::create(home.start_log()).map_err(at("write", &home.start_log()))?;
    let also_log = log.try_clone().map_err(at("write", &home.start_log()))?;
    let mut postgres = command(home, &programs.postgres());
    postgres.arg("-D").arg(home.data()).arg("-k").arg(home.socket_dir());
    postgres.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    // The lock lives as long as the server or any process it leaves behind has this file open.
    postgres.stdin(Stdio::from(lock)).stdout(log).stderr(also_log);
    postgres.spawn().map_err(at("run", &programs.postgres()))
}

/// The server that we launched gave its lock back: it ended. Fine when it only lost its port, for a few times.
async fn ended(home: &Home, child: &mut Child, launches: u32) -> Result<(), EmbeddedError> {
    let status = child.wait().await.map_err(at("wait for", Path::new("postgres")))?;
    let port = fs::read_to_string(home.port()).ok().and_then(|port| port.trim().parse().ok());
    if launches < MAX_LAUNCHES && port.is_some_and(|port| !is_free(port)) {
        return Ok(());
    }
    let output = fs::read(home.start_log()).map_err(at("read", &home.start_log()))?;
    let mut output = last_lines(&String::from_utf8_lossy(&output));
    if let Some(log) = newest_log(&home.data().join("log")) {
        output = format!("{output}; {log}");
    }
    Err(EmbeddedError::ProgramFailed { program: "postgres".into(), status, output })
}

fn newest_log(folder: &Path) -> Option<String> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let newest = files.max_by_key(|file| file.metadata().and_then(|found| found.modified()).ok())?;
    Some(last_lines(&String::from_utf8_lossy(&fs::read(newest.path()).ok()?)))
}

/// Nobody holds the server's lock, so a pid file is left over, and PostgreSQL would trip over it if its number has been
/// given to another process of the same account. Unless somebody started a server there without us.
fn clear_stale_pid(home: &Home) -> Result<(), EmbeddedError> {
    if let Some(pid) = server_pid(home)? {
        return Err(EmbeddedError::ForeignServer { pid, data: home.data() });
    }
    let path = home.data().join("postmaster.pid");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at("remove", &path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The process of the pid file, if it really is a server on this cluster.
fn server_pid(home: &Home) -> Result<Option<i32>, EmbeddedError> {
    let path = home.data().join("postmaster.pid");
    let content = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(at("read", &path))?,
    };
    let pid = content.lines().next().and_then(|line| line.trim().parse::<i32>().ok()).filter(|pid| *pid > 1);
    Ok(pid.filter(|pid| runs_on(*pid, &home.data())))
}

fn runs_on(pid: i32, data: &Path) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_encoded_bytes())
}

/// Keeps the port of the last time if it can, so that tools of the operator find it again.
fn free_port(home: &Home) -> Result<u16, EmbeddedError> {
    let path = home.port();
    let last = fs::read_to_string(&path).ok().and_then(|port| port.trim().parse().ok());
    if let Some(port) = last.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let chosen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let port = chosen.map_err(at("find a free port for", &path))?.port();
    fs::write(&path, format!("{port}\n")).map_err(at("write", &path))?;
    Ok(port)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn address(home: &Home, password: &str) -> Result<Server, EmbeddedError> {
    let port = read_trimmed(&home.port())?;
    let port: u16 = port.parse().map_err(|_| EmbeddedError::Damaged {
        path: home.port(),
        reason: format!("it should hold a port number, not `{port}`; stop every bss that uses it and remove it"),
    })?;
    let mut url = Url::parse(&format!("postgres://bss:{password}@127.0.0.1:{port}/bss")).map_err(|_| {
        EmbeddedError::Damaged { path: home.password(), reason: "it holds what no password of ours does".into() }
    })?;
    url.query_pairs_mut().append_pair("host", &home.socket_dir().to_string_lossy()).append_pair("sslmode", "disable");
    Ok(Server { port, url: url.into() })
}

enum Probe {
    Ready,
    NotYet(String),
    PasswordRefused,
}

async fn probe(url: &str) -> Probe {
    let connected = timeout(PROBE_PATIENCE, async { PgConnection::connect(url).await?.close().await }).await;
    match connected {
        Ok(Ok(())) => Probe::Ready,
        Ok(Err(sqlx::Error::Database(error))) if error.code().is_some_and(|code| code.starts_with("28")) => {
            Probe::PasswordRefused
        }
        Ok(Err(error)) => Probe::NotYet(error.to_string()),
        Err(_) => Probe::NotYet("it accepts connections but does not answer".into()),
    }
}

fn password_refused(home: &Home) -> EmbeddedError {
    EmbeddedError::Damaged {
        path: home.password(),
        reason: "the server refuses it for the role `bss`; restore the file, or set the role's password to its content"
            .into(),
    }
}

async fn gone_within(home: &Home, patience: Duration) -> Result<bool, EmbeddedError> {
    let deadline = Instant::now() + patience;
    loop {
        if lock::try_exclusive(&home.server_lock())?.is_some() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        sleep(POLL).await;
    }
}

fn read_trimmed(path: &Path) -> Result<String, EmbeddedError> {
    Ok(fs::read_to_string(path).map_err(at("read", path))?.trim().to_owned())
}
