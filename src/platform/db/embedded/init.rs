//! Makes the cluster, with the role and the database of the product, whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rand::RngCore;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::{EmbeddedError, error::at, home::Home, programs::Programs, server};

/// initdb takes about a second; a slow disk that syncs a thousand files may need much more.
const PATIENCE: Duration = Duration::from_mins(1);
/// Unfinished clusters carry this prefix; the rest of the name is random, as the `initdb` of a killed `bss` may still
/// be writing to an older one.
const UNFINISHED: &str = "init-";

/// For a small machine and one tenant; the operator may change them in `postgresql.conf`.
///
/// Errors of single statements are not logged (`log_min_messages`): `bss` gets and reports them, and their details
/// would put personal data into the log, which holds one file per weekday.
const SETTINGS: &str = "
# Set by bss when it made this cluster; change what you like, but leave fsync and synchronous_commit on.
shared_buffers = 128MB
max_connections = 200
max_parallel_workers_per_gather = 0
jit = off
random_page_cost = 1.1
max_wal_size = 1GB
min_wal_size = 160MB
timezone = 'UTC'
logging_collector = on
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
log_min_messages = log
log_checkpoints = off
log_autovacuum_min_duration = -1
";

/// Makes the cluster beside its place and moves it there once complete. The caller holds the start lock.
pub(super) async fn create(home: &Home, programs: &Programs) -> Result<(), EmbeddedError> {
    let password = random_hex::<24>();
    write_secret(&home.password(), &password)?;

    let workshop = home.root().join(format!("{UNFINISHED}{}", random_hex::<8>()));
    fs::DirBuilder::new().mode(0o700).create(&workshop).map_err(at("make the folder", &workshop))?;
    home.hand_over(&workshop)?;
    let data = workshop.join("data");
    init_cluster(home, programs, &workshop, &data, &password).await?;
    append_settings(&data)?;
    make_database(home, programs, &data, &password).await?;

    fs::rename(&data, home.data()).map_err(at("move into place", &data))?;
    sync_folder(home.root())?;
    fs::remove_dir_all(&workshop).map_err(at("remove", &workshop))?;
    tracing::info!(db.path = %home.data().display(), db.version = programs.major, "made the database cluster");
    Ok(())
}

/// Removes what first starts that were killed have left. The caller holds the start lock, so none is under way.
pub(super) fn sweep_unfinished(home: &Home) -> Result<(), EmbeddedError> {
    for entry in fs::read_dir(home.root()).map_err(at("read", home.root()))? {
        let path = entry.map_err(at("read", home.root()))?.path();
        let unfinished =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()));
        if unfinished && let Err(error) = fs::remove_dir_all(&path) {
            // An `initdb` that lost its `bss` may still write there; it is in nobody's way until the next start.
            tracing::warn!(path = %path.display(), %error, "could not remove an unfinished database cluster");
        }
    }
    Ok(())
}

async fn init_cluster(
    home: &Home,
    programs: &Programs,
    workshop: &Path,
    data: &Path,
    password: &str,
) -> Result<(), EmbeddedError> {
    let password_file = workshop.join("password");
    write_secret(&password_file, password)?;
    home.hand_over(&password_file)?;
    let mut initdb = server::command(home, &programs.initdb());
    initdb.arg("--pgdata").arg(data).arg("--pwfile").arg(&password_file);
    initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    // Sorting by bytes keeps indexes independent of the system's libraries; letters still have upper and lower case.
    initdb.args(["--lc-ctype=C.UTF-8", "--data-checksums", "--no-instructions"]);
    run("initdb", initdb, "").await
}

fn append_settings(data: &Path) -> Result<(), EmbeddedError> {
    let path = data.join("postgresql.conf");
    let appended = OpenOptions::new().append(true).open(&path).and_then(|mut file| {
        file.write_all(SETTINGS.as_bytes())?;
        file.sync_all()
    });
    appended.map_err(at("write", &path))
}

/// The product's role is no superuser: what it must not do to the server, no injected statement can do either.
async fn make_database(home: &Home, programs: &Programs, data: &Path, password: &str) -> Result<(), EmbeddedError> {
    let mut single = server::command(home, &programs.postgres());
    single.arg("--single").arg("-D").arg(data).args([
        "-c",
        "exit_on_error=on",
        "-c",
        "logging_collector=off",
        "postgres",
    ]);
    let statements = format!(
        "CREATE ROLE bss LOGIN CREATEDB PASSWORD '{password}'\n\
         CREATE DATABASE bss OWNER bss\n"
    );
    run("postgres --single", single, &statements).await
}

async fn run(program: &str, mut command: Command, input: &str) -> Result<(), EmbeddedError> {
    let failed_io = |error: io::Error| at("run", Path::new(program))(error);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed_io)?;
    let finished = timeout(PATIENCE, async {
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(input.as_bytes()).await {
                // It ended early: its status and output say why.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
                Ok(()) | Err(_) => drop(stdin),
            }
        }
        child.wait_with_output().await
    });
    let output = finished
        .await
        .map_err(|_| EmbeddedError::TooSlow { program: program.to_owned(), seconds: PATIENCE.as_secs() })?
        .map_err(failed_io)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::ProgramFailed {
        program: program.to_owned(),
        status: output.status,
        output: server::last_lines(&String::from_utf8_lossy(&said)),
    })
}

/// Replaces the file as a whole, so that a reader or a crash never meets half a secret.
fn write_secret(path: &Path, secret: &str) -> Result<(), EmbeddedError> {
    let draft = path.with_extension("new");
    let written = fs::remove_file(&draft)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft))
        .and_then(|mut file| {
            writeln!(file, "{secret}")?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(at("write", path))
}

fn sync_folder(path: &Path) -> Result<(), EmbeddedError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at("sync", path))
}

fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
