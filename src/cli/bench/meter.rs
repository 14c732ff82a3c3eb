//! What the server and its database cost, from Linux's `/proc`: the processor time of both, the server's memory.
//!
//! Latency and rate depend on what else the machine does; processor time per request hardly does.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use clap::Args;

/// Which processes are looked at.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct MeterArgs {
    /// Process id of `bss serve`: its memory is told, its processor time per request, and that of the database which it started
    #[arg(long, global = true)]
    server_pid: Option<u32>,
    /// Process id of the first process of the database, where another one started it
    #[arg(long, global = true)]
    database_pid: Option<u32>,
}

impl MeterArgs {
    pub(super) fn meter(self) -> Option<Meter> {
        self.server_pid.map(|server| Meter { server, database: self.database_pid })
    }
}

/// A server whose processor time and memory can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    server: u32,
    database: Option<u32>,
}

/// Processor time since the processes began, or between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) server: Duration,
    pub(super) database: Duration,
}

impl Spent {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
        }
    }
}

/// The server's resident memory while a load ran, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) first: u64,
    pub(super) most: u64,
    pub(super) last: u64,
}

impl Resident {
    /// One more reading; those that could not be taken are left out.
    pub(super) fn and(so_far: Option<Self>, reading: Option<u64>) -> Option<Self> {
        let Some(now) = reading else { return so_far };
        let Self { first, most, .. } = so_far.unwrap_or(Self { first: now, most: now, last: now });
        Some(Self { first, most: most.max(now), last: now })
    }
}

/// One process, as `/proc/<pid>/stat` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u32,
    own: Duration,
    /// Of its children that have ended.
    ended: Duration,
}

impl Process {
    fn parse(stat: &str) -> Option<Self> {
        /// `USER_HZ` is 100 on every architecture that Linux serves us on.
        const TICK: Duration = Duration::from_millis(10);
        // The name stands in parentheses and may hold anything.
        let (head, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |from: usize| {
            let [user, system] = [from, from + 1].map(|n| fields.get(n).and_then(|text| text.parse::<u32>().ok()));
            Some(TICK * (user? + system?))
        };
        Some(Self {
            name: head.split_once('(')?.1.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)?,
            ended: ticks(13)?,
        })
    }
}

impl Meter {
    pub(super) fn read(self) -> Spent {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes = entries.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, Process::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        });
        self.of(&processes.collect())
    }

    /// The server's resident memory in KiB, while it lives.
    pub(super) fn resident(self) -> Option<u64> {
        resident_kib(&fs::read_to_string(format!("/proc/{}/status", self.server)).ok()?)
    }

    /// The server's own time, and that of the database's first process with its children, ended ones included.
    fn of(self, processes: &HashMap<u32, Process>) -> Spent {
        let first = |(pid, process): (&u32, &Process)| match self.database {
            Some(given) => *pid == given,
            None => process.parent == self.server && process.name == "postgres",
        };
        let database = processes.iter().find(|&process| first(process)).map(|(pid, process)| {
            let children = processes.values().filter(|child| child.parent == *pid);
            process.own + process.ended + children.map(|child| child.own).sum::<Duration>()
        });
        Spent {
            server: processes.get(&self.server).map_or(Duration::ZERO, |server| server.own),
            database: database.unwrap_or_default(),
        }
    }
}

fn resident_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, parent: u32, own_ms: u64, ended_ms: u64) -> Process {
        let [own, ended] = [own_ms, ended_ms].map(Duration::from_millis);
        Process { name: name.to_owned(), parent, own, ended }
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 3 2 20 0 9 0 100 1000 10 18446744073709551615";
        assert_eq!(Process::parse(stat), Some(process("a) b (c", 7, 2_000, 50)));
        assert_eq!(Process::parse("nonsense"), None);
    }

    #[test]
    fn the_database_is_the_servers_child_or_the_one_that_was_named() {
        let processes = HashMap::from([
            (1, process("bss", 0, 500, 9_000)),
            (2, process("postgres", 1, 10, 40)),
            (3, process("postgres", 2, 100, 0)),
            (4, process("postgres", 2, 200, 0)),
            (9, process("postgres", 0, 7, 0)),
        ]);
        let spent = |database| Meter { server: 1, database }.of(&processes);
        let [server, own, named] = [500, 350, 7].map(Duration::from_millis);
        assert_eq!(spent(None), Spent { server, database: own });
        assert_eq!(spent(Some(9)), Spent { server, database: named });
    }

    #[test]
    fn memory_is_read_and_its_peak_kept() {
        assert_eq!(resident_kib("Name:\tbss\nVmRSS:\t   48128 kB\nThreads:\t4\n"), Some(48_128));
        assert_eq!(resident_kib("Name:\tbss\n"), None);
        let readings = [None, Some(40), Some(90), None, Some(60)];
        let seen = readings.into_iter().fold(None, Resident::and);
        assert_eq!(seen, Some(Resident { first: 40, most: 90, last: 60 }));
    }
}
