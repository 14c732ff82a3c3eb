//! The real `bss serve` as a process of its own: to be killed, stopped, doubled and cut off from its database.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::Client;
use super::installation::Installation;
use super::record;

/// How long a server may take until it is ready; a first start makes a cluster, and the machine may be busy.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// SIGTERM ends a server in a few seconds, or later where the machine is busy.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// One process. Dropped, it is killed.
pub(crate) struct ServerProcess {
    installation: Arc<Installation>,
    environment: Vec<(String, String)>,
    addr: SocketAddr,
    log: PathBuf,
    child: Option<Child>,
}

impl ServerProcess {
    /// Starts a server and waits until it is ready. `environment` adds to what every test server has.
    pub(crate) async fn start(installation: &Arc<Installation>, environment: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(installation, environment);
        server.spawn(&[]);
        server.ready().await;
        server
    }

    /// A server that is not started yet.
    pub(crate) fn prepare(installation: &Arc<Installation>, environment: &[(&str, &str)]) -> Self {
        let addr = free_address();
        let mut variables = vec![
            ("BSS_API_ADDR".to_owned(), addr.to_string()),
            ("BSS_DATA_DIR".to_owned(), installation.data_dir().display().to_string()),
            ("BSS_ALLOW_ADMIN_RESET".to_owned(), "true".to_owned()),
            ("BSS_RENEWAL_TICK_SECONDS".to_owned(), "1".to_owned()),
            ("BSS_LOG_LEVEL".to_owned(), "warn".to_owned()),
        ];
        if let Some(url) = installation.given_database() {
            let given = [("BSS_DB_URL", url.to_owned()), ("BSS_DB_CONNECTIONS", "12".to_owned())];
            variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
            let secrets =
                [("BSS_API_TOKEN", "a1"), ("BSS_PORTAL_SELF_SERVE_API_TOKEN", "b2"), ("BSS_KYC_HASH_KEY", "c3")];
            variables.extend(secrets.map(|(name, fill)| (name.to_owned(), fill.repeat(32))));
        }
        variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let log = installation.file(&format!("bss-{}.log", addr.port()));
        Self { installation: Arc::clone(installation), environment: variables, addr, log, child: None }
    }

    /// Starts the process and does not wait for anything. `once` is for this start only.
    pub(crate) fn spawn(&mut self, once: &[(&str, &str)]) {
        assert!(self.child.is_none(), "it runs");
        let log = File::options().create(true).append(true).open(&self.log).expect("our folder");
        let child = record::bss(["serve"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(once.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("bss is built");
        self.installation.note_server(child.id());
        self.child = Some(child);
    }

    /// Waits until it is ready; panics with its log when it ends instead.
    pub(crate) async fn ready(&mut self) {
        let died = self.ready_or_dead().await;
        assert!(died.is_none(), "the server ended ({died:?}): {}", self.log_tail());
    }

    /// Waits until it is ready, or has ended.
    pub(crate) async fn ready_or_dead(&mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        let probe = Client::plain();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            let answer =
                probe.get(format!("http://{}/health/ready", self.addr)).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return None;
            }
            assert!(started.elapsed() < READY_WITHIN, "not ready within {READY_WITHIN:?}: {}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("our child")?;
        self.forget();
        Some(status)
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn end_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }

    /// `kill -9`.
    pub(crate) fn kill9(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().expect("our child");
            let status = child.wait().expect("our child");
            assert_eq!(status.signal(), Some(9), "it ended by itself before: {}", self.log_tail());
            self.forget();
        }
    }

    /// Starts the process again and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.spawn(&[]);
        self.ready().await;
    }

    /// SIGTERM, for the last time.
    pub(crate) async fn stop(mut self) {
        self.terminate().await;
    }

    /// SIGTERM: it must end in good order, in time.
    pub(crate) async fn terminate(&mut self) {
        let pid = self.pid();
        kill(pid, Signal::SIGTERM).expect("our child");
        let status = self.end_within(STOPS_WITHIN).await;
        let status =
            status.unwrap_or_else(|| panic!("SIGTERM and still there after {STOPS_WITHIN:?}: {}", self.log_tail()));
        assert!(status.success(), "{status}: {}", self.log_tail());
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.as_ref().expect("it runs").id();
        Pid::from_raw(i32::try_from(id).expect("process ids are small"))
    }

    /// A client with the token of the identity `default`.
    pub(crate) fn client(&self) -> Client {
        let token = match self.installation.given_database() {
            Some(_) => "a1".repeat(32),
            None => self.installation.secret("BSS_API_TOKEN"),
        };
        Client::new(&self.url(), &token)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn installation(&self) -> &Arc<Installation> {
        &self.installation
    }

    /// Everything that the process and its predecessors at this address said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of the log.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn forget(&mut self) {
        if let Some(child) = self.child.take() {
            self.installation.forget_server(child.id());
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
        self.forget();
        if std::thread::panicking() {
            eprintln!("--- the end of the server's log\n{}", self.log_tail());
        }
    }
}

/// A free port below those that the system gives to clients: while the server is down nobody may get its port.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(61) % 8_000;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from((start + step) % 12_000).expect("below 12,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return (Ipv4Addr::LOCALHOST, port).into();
        }
    }
}
