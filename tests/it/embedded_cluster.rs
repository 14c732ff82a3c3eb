//! The private cluster with the real server programs: starts, attachments, kills, refusals.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bss::platform::db::embedded::{Cluster, EmbeddedConfig, EmbeddedError, verify_durable};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

/// A data directory of one test, which the server's account can reach. Takes a server that still runs with it.
struct Place {
    data_dir: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self::named("data")
    }

    fn named(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = format!("bss-it-cluster-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let top = std::env::temp_dir().join(folder);
        fs::create_dir(&top).expect("a fresh folder");
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).expect("our folder");
        Self { data_dir: top.join(name) }
    }

    fn config(&self) -> EmbeddedConfig {
        EmbeddedConfig { data_dir: self.data_dir.clone(), pg_bin: None, pg_user: None }
    }

    async fn start(&self) -> Cluster {
        Cluster::start(&self.config()).await.expect("the cluster starts")
    }

    async fn refusal(&self) -> EmbeddedError {
        Cluster::start(&self.config()).await.err().expect("the cluster is refused")
    }

    fn home(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }

    fn pid_file(&self) -> PathBuf {
        self.home().join("data/postmaster.pid")
    }

    fn server_pid(&self) -> Option<Pid> {
        let content = fs::read_to_string(self.pid_file()).ok()?;
        content.lines().next()?.parse().ok().map(Pid::from_raw)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.server_pid().filter(|pid| is_postgres(*pid)) {
            kill(pid, Signal::SIGKILL).ok();
        }
        if let Ok(home) = self.home().canonicalize() {
            fs::remove_dir_all(home).ok();
        }
        fs::remove_dir_all(self.data_dir.parent().expect("it has a top")).ok();
    }
}

/// A process that has ended but was not yet waited for has no command line any more.
fn is_postgres(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("/bin/postgres"))
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(cluster.url()).await.expect("a running cluster takes connections")
}

async fn connect_superuser(cluster: &Cluster) -> PgConnection {
    let url = cluster.url().replacen("postgres://bss:", "postgres://postgres:", 1);
    PgConnection::connect(&url).await.expect("the operator's superuser has the same password")
}

async fn execute(connection: &mut PgConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.expect(statement);
}

async fn value(connection: &mut PgConnection, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(connection).await.expect(query)
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_first_start_makes_a_durable_database_and_the_stop_ends_it() {
    let place = Place::new();
    let begun = Instant::now();
    let cluster = place.start().await;
    println!("first start: {:?}", begun.elapsed());

    let mut connection = connect(&cluster).await;
    assert_eq!(value(&mut connection, "SELECT current_user || '@' || current_database()").await, "bss@bss");
    assert_eq!(value(&mut connection, "SHOW is_superuser").await, "off");
    assert_eq!(value(&mut connection, "SHOW data_checksums").await, "on");
    assert_eq!(value(&mut connection, "SELECT lower('ÄÉ') || ' ' || ('a' > 'B')").await, "äé true");
    verify_durable(&mut connection).await.expect("a fresh cluster is durable");
    execute(&mut connection, "CREATE TABLE kept AS SELECT 'still here' AS what").await;

    let password = fs::metadata(place.home().join("password")).expect("the password is kept");
    assert_eq!(password.mode() & 0o777, 0o600);
    let tcp = cluster.url().split('?').next().expect("the part before the socket").to_owned();
    PgConnection::connect(&tcp).await.expect("loopback works as well");
    let wrong = tcp.replacen("postgres://bss:", "postgres://bss:x", 1);
    PgConnection::connect(&wrong).await.expect_err("but not without the password");

    let begun = Instant::now();
    cluster.stop().await.expect("the last one stops the server");
    println!("stop: {:?}", begun.elapsed());
    assert_eq!(place.server_pid(), None);

    let begun = Instant::now();
    let cluster = place.start().await;
    println!("second start: {:?}", begun.elapsed());
    assert_eq!(value(&mut connect(&cluster).await, "SELECT what FROM kept").await, "still here");
    cluster.stop().await.expect("the last one stops the server");
}

#[tokio::test]
async fn a_second_one_attaches_and_the_last_one_stops() {
    let place = Place::new();
    let first = place.start().await;
    let pid = place.server_pid();
    let begun = Instant::now();
    let second = place.start().await;
    println!("attach: {:?}", begun.elapsed());
    assert_eq!(place.server_pid(), pid);
    assert_eq!(second.url(), first.url());

    first.stop().await.expect("the first detaches");
    connect(&second).await;
    second.stop().await.expect("the second stops the server");
    assert_eq!(place.server_pid(), None);
}

#[tokio::test]
async fn a_holder_that_was_killed_neither_takes_the_server_along_nor_keeps_it() {
    let place = Place::new();
    // Dropping closes the files, which is all that the kernel does for a process that is killed.
    drop(place.start().await);
    let pid = place.server_pid().expect("the server stays");

    let next = place.start().await;
    assert_eq!(place.server_pid(), Some(pid), "the next one attaches");
    next.stop().await.expect("the next one is the last one");
    assert!(!is_postgres(pid));
}

#[tokio::test]
async fn a_killed_server_comes_back_with_everything_committed() {
    let place = Place::new();
    let cluster = place.start().await;
    let mut connection = connect(&cluster).await;
    execute(&mut connection, "CREATE TABLE kept AS SELECT 'still here' AS what").await;
    let killed = place.server_pid().expect("the server runs");
    kill(killed, Signal::SIGKILL).expect("the server is there to be killed");

    let begun = Instant::now();
    let next = place.start().await;
    println!("start after kill -9: {:?}", begun.elapsed());
    assert_ne!(place.server_pid(), Some(killed));
    assert_eq!(value(&mut connect(&next).await, "SELECT what FROM kept").await, "still here");

    next.stop().await.expect("detaches: the other one still holds on");
    cluster.stop().await.expect("the other one stops the server that it did not start");
    assert_eq!(place.server_pid(), None);
}

#[tokio::test]
async fn a_server_that_was_killed_is_brought_back_and_one_that_was_stopped_is_left_alone() {
    let place = Place::new();
    let cluster = place.start().await;
    execute(&mut connect(&cluster).await, "CREATE TABLE kept AS SELECT 'still here' AS what").await;
    let killed = place.server_pid().expect("the server runs");
    kill(killed, Signal::SIGKILL).expect("the server is there to be killed");
    let back =
        eventually("the server is back", || place.server_pid().is_some_and(|pid| pid != killed && is_postgres(pid)));
    let error = tokio::select! {
        error = cluster.keep() => Some(error),
        () = back => None,
    };
    assert!(error.is_none(), "{error:?}");
    // Attaching waits until it answers.
    place.start().await.stop().await.expect("the other one holds on");
    assert_eq!(value(&mut connect(&cluster).await, "SELECT what FROM kept").await, "still here");

    let pid = place.server_pid().expect("the server runs");
    kill(pid, Signal::SIGINT).expect("the server is there to be stopped");
    eventually("the server has ended", || place.server_pid().is_none()).await;
    assert!(timeout(Duration::from_secs(3), cluster.keep()).await.is_err(), "nobody is told");
    assert_eq!(place.server_pid(), None);
    cluster.stop().await.expect("there is nothing left to stop");
}

#[tokio::test]
async fn a_stale_pid_file_that_names_a_living_process_is_no_obstacle() {
    let place = Place::new();
    let cluster = place.start().await;
    let owner = fs::metadata(cluster.data_dir()).expect("the cluster is there").uid();
    let content = fs::read_to_string(place.pid_file()).expect("a running server has a pid file");
    cluster.stop().await.expect("the last one stops the server");

    let mut stranger = Command::new("sleep");
    let mut stranger = stranger.arg("60").uid(owner).spawn().expect("a process of the server's account");
    let (_, rest) = content.split_once('\n').expect("the file has more lines");
    fs::write(place.pid_file(), format!("{}\n{rest}", stranger.id())).expect("the stale file is planted");

    let cluster = place.start().await;
    cluster.stop().await.expect("the last one stops the server");
    assert!(stranger.try_wait().expect("our child").is_none(), "the stranger was left alone");
    stranger.kill().expect("our child");
    stranger.wait().expect("our child");
}

#[tokio::test]
async fn a_first_start_that_is_cut_off_anywhere_can_be_repeated() {
    let place = Place::new();
    // What a `bss` leaves behind that was killed together with its `initdb`.
    fs::create_dir_all(place.home().join("init-0123/data/base")).expect("the leftover is planted");
    fs::set_permissions(place.home(), fs::Permissions::from_mode(0o711)).expect("our folder");
    fs::write(place.home().join("password"), "half").expect("the leftover is planted");
    for after_ms in [30, 200, 500, 900, 1200] {
        if let Ok(Ok(cluster)) = timeout(Duration::from_millis(after_ms), Cluster::start(&place.config())).await {
            drop(cluster);
        }
        let complete = place.home().join("data/PG_VERSION").exists();
        assert_eq!(place.home().join("data").exists(), complete, "cut off after {after_ms} ms");
    }

    let cluster = place.start().await;
    connect(&cluster).await;
    cluster.stop().await.expect("the last one stops the server");
    assert_eq!(place.server_pid(), None);

    place.start().await.stop().await.expect("the last one stops the server");
    let names: Vec<_> = fs::read_dir(place.home()).expect("the home").filter_map(Result::ok).collect();
    assert!(!names.iter().any(|name| name.file_name().to_string_lossy().starts_with("init-")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_share_one_server_and_leave_none() {
    let place = Place::new();
    for round in 0..3 {
        let starts = (0..8).map(|_| {
            let config = place.config();
            tokio::spawn(async move { Cluster::start(&config).await.expect("each one starts or attaches") })
        });
        let clusters = futures::future::join_all(starts.collect::<Vec<_>>()).await;
        let pid = place.server_pid().expect("one server runs");
        let stops = clusters.into_iter().map(|cluster| {
            let cluster = cluster.expect("no task panics");
            tokio::spawn(async move {
                connect(&cluster).await.close().await.expect("it answers until we let go");
                cluster.stop().await.expect("each one detaches or stops");
            })
        });
        for stop in futures::future::join_all(stops.collect::<Vec<_>>()).await {
            stop.expect("no task panics");
        }
        assert!(!is_postgres(pid), "round {round}: the server is gone");
        assert_eq!(place.server_pid(), None, "round {round}: it ended in good order");
    }
}

#[tokio::test]
async fn a_server_that_is_still_stopping_is_waited_for() {
    let place = Place::new();
    drop(place.start().await);
    let pid = place.server_pid().expect("the server runs");
    kill(pid, Signal::SIGINT).expect("as a stop that was killed half-way");

    let cluster = place.start().await;
    assert_ne!(place.server_pid(), Some(pid));
    connect(&cluster).await;
    cluster.stop().await.expect("the last one stops the server");
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_exchanged() {
    let place = Place::new();
    let cluster = place.start().await;
    let port = cluster.port();
    cluster.stop().await.expect("the last one stops the server");

    let cluster = place.start().await;
    assert_eq!(cluster.port(), port, "a port stays as long as it is free");
    cluster.stop().await.expect("the last one stops the server");

    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
    let cluster = place.start().await;
    assert_ne!(cluster.port(), port);
    cluster.stop().await.expect("the last one stops the server");
}

#[tokio::test]
async fn a_cluster_that_could_lose_writes_is_refused() {
    let place = Place::new();
    let cluster = place.start().await;
    let mut operator = connect_superuser(&cluster).await;
    let mut connection = connect(&cluster).await;

    execute(&mut connection, "SET synchronous_commit = off").await;
    let refused = verify_durable(&mut connection).await.expect_err("commits may be lost");
    assert!(refused.to_string().contains("synchronous_commit is off"), "{refused}");
    execute(&mut connection, "SET synchronous_commit = on").await;
    verify_durable(&mut connection).await.expect("all is well again");

    execute(&mut operator, "ALTER SYSTEM SET fsync = off").await;
    execute(&mut operator, "ALTER SYSTEM SET full_page_writes = off").await;
    execute(&mut operator, "SELECT pg_reload_conf()").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while value(&mut connection, "SHOW fsync").await == "on" {
        assert!(Instant::now() < deadline, "the server reads its settings again");
        sleep(Duration::from_millis(5)).await;
    }
    let refused = verify_durable(&mut connection).await.expect_err("writes may be lost and torn");
    assert!(refused.to_string().contains("fsync, full_page_writes are off"), "{refused}");
    cluster.stop().await.expect("the last one stops the server");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let place = Place::new();
    let mut config = place.config();
    config.pg_bin = Some("/usr/share".into());
    let refused = Cluster::start(&config).await.err().expect("there are no programs");
    assert!(refused.to_string().contains("/usr/share (BSS_PG_BIN): install it"), "{refused}");

    place.start().await.stop().await.expect("the last one stops the server");
    let version = place.home().join("data/PG_VERSION");
    let was = fs::read(&version).expect("the version of the cluster");
    fs::write(&version, "9\n").expect("an older cluster is pretended");
    let refused = place.refusal().await;
    assert!(matches!(refused, EmbeddedError::VersionMismatch { cluster: 9, .. }), "{refused}");
    fs::write(&version, was).expect("the version of the cluster");

    fs::write(place.home().join("password"), "wrong\n").expect("a wrong password is pretended");
    let refused = place.refusal().await.to_string();
    assert!(refused.contains("the server refuses it for the role `bss`"), "{refused}");
    let left = place.server_pid().expect("the refused start left a server");
    kill(left, Signal::SIGINT).expect("the server is there");
    eventually("the server ends", || !is_postgres(left)).await;

    let settings = place.home().join("data/postgresql.conf");
    let more = fs::read_to_string(&settings).expect("the settings") + "\nno_such_setting = 1\n";
    fs::write(&settings, more).expect("a mistake of the operator is pretended");
    let refused = place.refusal().await.to_string();
    assert!(refused.contains("postgres failed") && refused.contains("no_such_setting"), "{refused}");
}

#[tokio::test]
async fn a_server_that_somebody_else_started_is_not_taken_over() {
    let place = Place::new();
    let cluster = place.start().await;
    let (data, programs) = (cluster.data_dir(), cluster.bin_dir().to_owned());
    let socket_dir = cluster.socket_dir().to_owned();
    cluster.stop().await.expect("the last one stops the server");

    let owner = fs::metadata(&data).expect("the cluster is there");
    let mut by_hand = Command::new(programs.join("postgres"));
    by_hand.arg("-D").arg(&data).arg("-k").arg(&socket_dir).args(["-h", ""]);
    by_hand.stdin(Stdio::null()).stderr(Stdio::null()).current_dir("/").uid(owner.uid()).gid(owner.gid());
    let mut by_hand = by_hand.spawn().expect("the server starts by hand");
    eventually("the server has its pid file", || place.server_pid().is_some()).await;

    let refused = place.refusal().await;
    assert!(matches!(refused, EmbeddedError::ForeignServer { .. }), "{refused}");
    kill(Pid::from_raw(by_hand.id().cast_signed()), Signal::SIGQUIT).expect("our child");
    by_hand.wait().expect("our child");
}

#[tokio::test]
async fn a_long_path_moves_the_socket_not_the_cluster() {
    let place = Place::named(&"d".repeat(120));
    let cluster = place.start().await;
    assert!(cluster.data_dir().starts_with(&place.data_dir), "{}", cluster.data_dir().display());
    let socket_dir = cluster.socket_dir().to_owned();
    assert!(socket_dir.starts_with("/tmp"), "{}", socket_dir.display());
    assert_eq!(fs::metadata(&socket_dir).expect("the socket's folder").mode() & 0o777, 0o700);
    connect(&cluster).await;
    cluster.stop().await.expect("the last one stops the server");

    // Somebody else's folder in that place could catch the password.
    fs::set_permissions(&socket_dir, fs::Permissions::from_mode(0o777)).expect("our folder");
    let refused = place.refusal().await.to_string();
    fs::remove_dir_all(&socket_dir).expect("our folder");
    assert!(refused.contains("mode 700; remove it"), "{refused}");
}

#[tokio::test]
async fn root_keeps_a_cluster_that_its_server_could_not_reach_elsewhere() {
    if !Uid::effective().is_root() {
        return; // An ordinary user runs the server as themselves and reaches what is theirs.
    }
    let place = Place::new();
    fs::create_dir(&place.data_dir).expect("a fresh folder");
    fs::set_permissions(&place.data_dir, fs::Permissions::from_mode(0o700)).expect("our folder");

    let cluster = place.start().await;
    let data = cluster.data_dir();
    assert!(data.starts_with("/var/lib/bss/clusters"), "{}", data.display());
    assert_eq!(fs::read_link(place.home()).expect("a link shows the way"), data.parent().expect("the home"));
    cluster.stop().await.expect("the last one stops the server");

    fs::set_permissions(&place.data_dir, fs::Permissions::from_mode(0o755)).expect("our folder");
    let cluster = place.start().await;
    assert_eq!(cluster.data_dir(), data, "a cluster stays where it once is");
    cluster.stop().await.expect("the last one stops the server");

    fs::remove_dir_all(data.parent().expect("the home")).expect("our cluster");
    let refused = place.refusal().await.to_string();
    assert!(refused.contains("it links to a folder that is gone"), "{refused}");
    for empty in ["/var/lib/bss/clusters", "/var/lib/bss"] {
        fs::remove_dir(empty).ok(); // Only when nothing else is in it.
    }
}

/// Runs the tests above once more without privileges. Under an ordinary user they have just run that way.
#[test]
fn an_ordinary_user_needs_nothing_of_root() {
    let Ok(Some(nobody)) = User::from_name("nobody") else { panic!("every system has the account nobody") };
    if !Uid::effective().is_root() {
        return;
    }
    let place = Place::new();
    let program = place.data_dir.with_file_name("it");
    // The target directory may be out of that user's reach. Another process makes the copy: a child that a
    // neighbouring test starts meanwhile would inherit our handle to it, and no file open for writing can be run.
    let this = std::env::current_exe().expect("this program");
    assert!(Command::new("cp").args([&this, &program]).status().expect("cp runs").success());
    let tests = ["first_start_makes", "killed_server", "stale_pid"];
    let output = Command::new(&program)
        .args(tests)
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .current_dir("/")
        .output()
        .expect("the copy runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("3 passed"), "{said}");
}
