//! The product as a process of the run's own: started on a data directory, killed at any moment, started again.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Mutex;

use super::client::{self, Fault};

/// A first start makes a cluster, and the machine may be busy.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Twice what the product promises.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// The ports that it may listen on.
const FIRST_PORT: u16 = 12_000;
const PORTS: u32 = 7_000;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// One server. Cheap to clone; dropped for the last time, its process is killed.
#[derive(Debug, Clone)]
pub struct Server {
    addr: SocketAddr,
    data_dir: PathBuf,
    process: Arc<Mutex<Process>>,
}

#[derive(Debug)]
struct Process {
    program: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts `program serve` on the data directory and waits until it is ready. Of this process's environment it gets
    /// nothing: a run must not end up in the database that somebody has configured for something else.
    pub async fn start(program: &Path, data_dir: &Path) -> Result<Self, Fault> {
        let addr = free_address()?;
        let environment = [
            ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("BSS_API_ADDR", addr.to_string()),
            ("BSS_DATA_DIR", data_dir.display().to_string()),
            ("BSS_ALLOW_ADMIN_RESET", "true".to_owned()),
            // The run says when lines are renewed.
            ("BSS_RENEWAL_TICK_SECONDS", "0".to_owned()),
            ("BSS_LOG_LEVEL", "warn".to_owned()),
        ];
        let process = Process {
            program: program.to_owned(),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            log: data_dir.join("soak-server.log"),
            child: None,
        };
        let server = Self { addr, data_dir: data_dir.to_owned(), process: Arc::new(Mutex::new(process)) };
        server.process.lock().await.spawn()?;
        server.ready().await?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The operator's token, as the first start wrote it down.
    pub fn token(&self) -> Result<String, Fault> {
        let path = self.data_dir.join("tokens.env");
        let text = std::fs::read_to_string(&path).map_err(|error| fault(format!("{}: {error}", path.display())))?;
        let token = text.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == "BSS_API_TOKEN");
        token.map(|(_, token)| token.to_owned()).ok_or_else(|| fault(format!("{} has no token", path.display())))
    }

    /// `kill -9`, and up again.
    pub async fn kill(&self) -> Result<(), Fault> {
        {
            let mut process = self.process.lock().await;
            process.kill()?;
            process.spawn()?;
        }
        self.ready().await
    }

    /// SIGTERM: it must end in good order, in time.
    pub async fn stop(self) -> Result<(), Fault> {
        let mut process = self.process.lock().await;
        let Some(child) = process.child.as_mut() else { return Ok(()) };
        let pid = i32::try_from(child.id()).map_err(|error| fault(error.to_string()))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| fault(error.to_string()))?;
        let begun = Instant::now();
        while begun.elapsed() < STOPS_WITHIN {
            if let Some(status) = child.try_wait().map_err(|error| fault(error.to_string()))? {
                process.child = None;
                return if status.success() { Ok(()) } else { Err(fault(format!("{status}: {}", process.said()))) };
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(fault(format!("it does not stop within {} s", STOPS_WITHIN.as_secs())))
    }

    async fn ready(&self) -> Result<(), Fault> {
        let probe = client::plain().timeout(Duration::from_secs(2)).build();
        let probe = probe.map_err(|error| fault(error.to_string()))?;
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            // Ended, it must not take another one's answer for its own.
            self.process.lock().await.look()?;
            let answer = probe.get(format!("{}/health/ready", self.url())).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(fault(format!("it is not ready within {} s", READY_WITHIN.as_secs())))
    }
}

impl Process {
    fn spawn(&mut self) -> Result<(), Fault> {
        let wrong = |error: std::io::Error| fault(format!("{}: {error}", self.program.display()));
        let log = File::options().create(true).append(true).open(&self.log).map_err(wrong)?;
        let child = Command::new(&self.program)
            .arg("serve")
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(wrong)?)
            .stderr(log)
            .spawn()
            .map_err(wrong)?;
        self.child = Some(child);
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Fault> {
        self.look()?;
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).map_err(|error| fault(error.to_string()))?;
        }
        Ok(())
    }

    /// It must not have ended by itself.
    fn look(&mut self) -> Result<(), Fault> {
        let ended = self.child.as_mut().map(Child::try_wait).transpose().map_err(|error| fault(error.to_string()))?;
        match ended.flatten() {
            None => Ok(()),
            Some(status) => {
                self.child = None;
                Err(fault(format!("it ended by itself ({status}): {}", self.said())))
            }
        }
    }

    /// The end of its log.
    fn said(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

fn fault(text: String) -> Fault {
    Fault::Server(text)
}

/// A free port below those that the system gives to clients: while the server is down nobody may get its port. Each one is
/// given once.
fn free_address() -> Result<SocketAddr, Fault> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(61) % PORTS;
    for _ in 0..PORTS {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST_PORT + u16::try_from((first + step) % PORTS).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
    Err(fault("no port is free".to_owned()))
}
