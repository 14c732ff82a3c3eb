//! A data directory with a private cluster, as an operator has one, and the hands on its database server.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// How long the database server may take to go or to come.
const PATIENCE: Duration = Duration::from_secs(90);

/// Kills the servers that are left, then the database server, and clears everything away. It waits for the end of the test
/// (its standard input), however the test ends.
const UNDERTAKER: &str = r#"cat >/dev/null
    for server in "$1"/servers/*; do [ -e "$server" ] && kill -KILL "${server##*/}" 2>/dev/null; done
    pid=$(head -n1 "$1"/data/postgres/data/postmaster.pid 2>/dev/null)
    if [ -n "$pid" ]; then
        kill -CONT "$pid" $(cat /proc/"$pid"/task/"$pid"/children) 2>/dev/null; kill -QUIT "$pid" 2>/dev/null
        for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    fi
    rm -rf "$(realpath "$1"/data/postgres 2>/dev/null)" "$1""#;

/// Where servers of one installation live. Dropping it clears it away.
pub(crate) struct Installation {
    top: PathBuf,
    /// None: the servers make a private cluster in the data directory.
    database_url: Option<String>,
    undertaker: Child,
}

impl Installation {
    /// With a private cluster of its own, made by the first server that starts.
    pub(crate) fn private() -> Self {
        Self::new(None)
    }

    /// On a given database.
    pub(crate) fn on(database_url: String) -> Self {
        Self::new(Some(database_url))
    }

    fn new(database_url: Option<String>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bss-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let top = std::env::temp_dir().join(name);
        for folder in [top.clone(), top.join("data"), top.join("servers")] {
            fs::create_dir(&folder).expect("a fresh folder");
            // The account of the database server must get through.
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("our folder");
        }
        let undertaker = Command::new("sh")
            .args(["-c", UNDERTAKER, "undertaker"])
            .arg(&top)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal from the terminal must not end it before its work.
            .process_group(0)
            .spawn()
            .expect("sh is there");
        Self { top, database_url, undertaker }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.top.join("data")
    }

    /// A file beside the data directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    pub(crate) fn given_database(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    /// Notes a process that must not outlive the test.
    pub(crate) fn note_server(&self, pid: u32) {
        File::create(self.top.join("servers").join(pid.to_string())).expect("our folder");
    }

    /// The process has ended; its number may be given to another one.
    pub(crate) fn forget_server(&self, pid: u32) {
        fs::remove_file(self.top.join("servers").join(pid.to_string())).ok();
    }

    /// A variable of the generated `tokens.env`.
    pub(crate) fn secret(&self, name: &str) -> String {
        let path = self.data_dir().join("tokens.env");
        let text = fs::read_to_string(&path).expect("the first start has written tokens.env");
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(known, _)| *known == name).expect("every secret is generated").1.to_owned()
    }

    /// A connection pool of the test's own.
    pub(crate) async fn pool(&self) -> PgPool {
        let url = self.database_url.clone().unwrap_or_else(|| self.private_url());
        PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect(&url)
            .await
            .expect("the database answers")
    }

    fn private_url(&self) -> String {
        let read = |name: &str| {
            fs::read_to_string(self.data_dir().join("postgres").join(name)).expect("made by the first start")
        };
        let (password, port) = (read("password"), read("port"));
        format!("postgres://bss:{}@127.0.0.1:{}/bss", password.trim(), port.trim())
    }

    fn pgdata(&self) -> PathBuf {
        self.data_dir().join("postgres/data").canonicalize().expect("there is a private cluster")
    }

    fn postmaster(&self) -> Pid {
        let path = self.pgdata().join("postmaster.pid");
        let text = fs::read_to_string(&path).expect("the database server runs");
        Pid::from_raw(text.lines().next().and_then(|pid| pid.parse().ok()).expect("the first line is the process"))
    }

    /// Stops the database server at once, as its crash would: the next start recovers.
    pub(crate) fn stop_database(&self) {
        let pid = self.postmaster();
        kill(pid, Signal::SIGQUIT).expect("it runs");
        wait_for("the database server ends", || kill(pid, None).is_err());
    }

    /// Starts the database server as it was started before.
    pub(crate) fn start_database(&self) {
        let data = self.pgdata();
        let options = fs::read_to_string(data.join("postmaster.opts")).expect("it ran before");
        let mut words = options.trim().split(' ').map(|word| word.trim_matches('"'));
        let owner = fs::metadata(&data).expect("the cluster");
        // The server keeps this lock for as long as it lives: so the product knows that it runs.
        let lock = File::options()
            .write(true)
            .open(self.data_dir().join("postgres/server.lock"))
            .expect("made by the first start");
        lock.lock().expect("the server has ended");
        let log = File::create(self.file("postgres.log")).expect("our folder");
        let mut postgres = Command::new(words.next().expect("the first word is the program"));
        postgres.args(words).current_dir(data.parent().expect("it has a home")).process_group(0);
        postgres.env_clear().env("LC_ALL", "C.UTF-8").env("PATH", "/usr/bin:/bin");
        if nix::unistd::geteuid().is_root() {
            postgres.uid(owner.uid()).gid(owner.gid());
        }
        postgres.stdin(Stdio::from(lock)).stdout(log.try_clone().expect("a file")).stderr(log);
        let mut server = postgres.spawn().expect("postgres is there");
        let status = data.join("postmaster.pid");
        wait_for("the database server is ready", || {
            assert!(
                server.try_wait().expect("our child").is_none(),
                "postgres did not start: {}",
                self.file("postgres.log").display()
            );
            // The last line of the file (PostgreSQL, src/include/utils/pidfile.h).
            fs::read_to_string(&status)
                .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
        });
        // Somebody must take leave of it when it ends, or it stays as a zombie that looks alive.
        std::thread::spawn(move || server.wait());
    }

    /// Stops every process of the database server where it is: connections stay open and are silent.
    pub(crate) fn freeze_database(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    pub(crate) fn thaw_database(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, signal: Signal) {
        let postmaster = self.postmaster();
        // First the postmaster: it must not fork meanwhile.
        kill(postmaster, signal).expect("it runs");
        for child in children(postmaster) {
            // It may just have ended.
            kill(child, signal).ok();
        }
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        drop(self.undertaker.stdin.take());
        self.undertaker.wait().ok();
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let path = Path::new("/proc").join(parent.to_string()).join("task").join(parent.to_string()).join("children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

#[track_caller]
fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    let mut condition = condition;
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
