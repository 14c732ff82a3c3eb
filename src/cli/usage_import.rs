//! `bss usage import`: a file of usage through the same engine as everything else, many records a request.
//!
//! The file is read in windows. A window's records are shared out by number, so that those of one line stay in their order,
//! and sent in batches, several at a time. After each window the place is kept beside the file: an import that was stopped
//! goes on there. What was sent and not noted down is sent again and, by its external id, counted once.

mod checkpoint;
mod records;

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::checkpoint::{Checkpoint, Tally};
use self::records::{Line, Source};
use super::error::CliError;
use super::operations as op;
use super::session::{Outcome, Session};
use super::usage::{ImportArgs, ImportFormat};
use crate::render;

/// Records that are read at once.
const WINDOW: usize = 4_000;

/// Requests under way at once, and the records of each: together less than the server's queue.
const STREAMS: usize = 8;
const BATCH: usize = 250;

/// Pauses before a batch that was not answered is sent again; then the import stops.
const PAUSES_MS: [u64; 6] = [100, 300, 1_000, 2_000, 5_000, 10_000];

/// A file, and where the import of it stands.
struct Import<'a> {
    path: &'a Path,
    source: Source,
    rejects_path: PathBuf,
    rejects: Option<File>,
    checkpoint: Checkpoint,
}

/// What became of a record that was not served.
struct Reject {
    reason: String,
    message: String,
    usage_id: Option<String>,
    is_refused: bool,
}

pub(super) async fn run(args: ImportArgs, session: &mut Session<'_>) -> Outcome {
    if session.dry_run {
        return Err(CliError::Usage("an import cannot be tried without sending".into()));
    }
    let started = Instant::now();
    let mut import = Import::open(&args, session)?;
    let begun_with = import.checkpoint.tally.read;
    loop {
        let window = import.read_window()?;
        if window.is_empty() {
            break;
        }
        let outcomes = send(session, &window).await?;
        import.note(&window, outcomes)?;
        if session.console.interactive {
            let tally = &import.checkpoint.tally;
            let rate = rate(tally.read - begun_with, started.elapsed());
            session.console.say(&format!("\r{} records, {} not served, {rate}/s ", tally.read, tally.rejected()));
        }
    }
    if session.console.interactive && import.checkpoint.tally.read > begun_with {
        session.console.say("\n");
    }
    let report = import.finish(begun_with, started.elapsed())?;
    session.show(&report, render::generic::object).await
}

fn rate(records: u64, elapsed: Duration) -> u64 {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1_000) / milliseconds
}

impl<'a> Import<'a> {
    fn open(args: &'a ImportArgs, session: &mut Session<'_>) -> Result<Self, CliError> {
        let path = args.file.as_path();
        let format = args.format.or_else(|| format_of(path)).ok_or_else(|| {
            CliError::Usage(format!("the name of {} does not say how it is written; give --format", path.display()))
        })?;
        let kept = if args.restart { None } else { checkpoint::load(path)? };
        let checkpoint = match kept {
            Some(kept) => {
                session.note(&format!("going on after line {} of {}", kept.place.line, path.display()));
                kept
            }
            None => Checkpoint::begin(path)?,
        };
        let source = Source::open(path, format, checkpoint.place)?;
        let rejects_path = args.reject_file.clone().unwrap_or_else(|| beside(path, "rejects.ndjson"));
        let rejected = std::fs::metadata(&rejects_path).map_or(0, |file| file.len());
        if rejected < checkpoint.reject_bytes {
            return Err(CliError::Failed(format!(
                "{} does not hold what the stopped import rejected; name its --reject-file, or begin again with --restart",
                rejects_path.display()
            )));
        }
        Ok(Self { path, source, rejects_path, rejects: None, checkpoint })
    }

    fn read_window(&mut self) -> Result<Vec<Line>, CliError> {
        let mut window = Vec::new();
        while window.len() < WINDOW {
            let Some(line) = self.source.next()? else { break };
            window.push(line);
        }
        Ok(window)
    }

    /// Counts the window, writes what was not served, and keeps the place.
    fn note(&mut self, window: &[Line], outcomes: Vec<Option<Reject>>) -> Result<(), CliError> {
        let tally = &mut self.checkpoint.tally;
        let mut text = String::new();
        for (line, outcome) in window.iter().zip(outcomes) {
            tally.read += 1;
            let Some(reject) = outcome else {
                tally.rated += 1;
                continue;
            };
            if reject.is_refused {
                tally.refused += 1;
            } else {
                tally.invalid += 1;
            }
            let entry = json!({
                "line": line.number, "reason": reject.reason, "message": reject.message, "usageId": reject.usage_id,
                "record": line.raw,
            });
            text.push_str(&entry.to_string());
            text.push('\n');
        }
        if !text.is_empty() {
            self.write_rejects(&text)?;
        }
        self.checkpoint.place = self.source.place();
        self.checkpoint.save(self.path)
    }

    fn write_rejects(&mut self, text: &str) -> Result<(), CliError> {
        let failed = |error| CliError::Failed(format!("{} cannot be written: {error}", self.rejects_path.display()));
        if self.rejects.is_none() {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.rejects_path);
            let mut file = file.map_err(failed)?;
            // What a stopped import wrote after its last checkpoint is written again.
            file.set_len(self.checkpoint.reject_bytes).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
            self.rejects = Some(file);
        }
        if let Some(file) = &mut self.rejects {
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        self.checkpoint.reject_bytes += text.len() as u64;
        Ok(())
    }

    fn finish(self, begun_with: u64, elapsed: Duration) -> Result<Value, CliError> {
        checkpoint::remove(self.path)?;
        let Tally { read, rated, refused, invalid } = self.checkpoint.tally;
        let rejects = self.checkpoint.tally.rejected() > 0;
        Ok(json!({
            "file": self.path.display().to_string(),
            "read": read,
            "rated": rated,
            "refused": refused,
            "invalid": invalid,
            "rejectFile": rejects.then(|| self.rejects_path.display().to_string()),
            "seconds": elapsed.as_secs_f64(),
            "recordsPerSecond": rate(read - begun_with, elapsed),
        }))
    }
}

fn format_of(path: &Path) -> Option<ImportFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(ImportFormat::Csv),
        "ndjson" | "jsonl" => Some(ImportFormat::Ndjson),
        _ => None,
    }
}

/// `FILE.suffix`
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Sends a window; answers for each line what kept it from being served.
async fn send(session: &Session<'_>, window: &[Line]) -> Result<Vec<Option<Reject>>, CliError> {
    let mut streams: Vec<Vec<usize>> = vec![Vec::new(); STREAMS];
    let mut outcomes: Vec<Option<Reject>> = Vec::with_capacity(window.len());
    for (index, line) in window.iter().enumerate() {
        match &line.record {
            Ok(record) => {
                let mut hasher = DefaultHasher::new();
                record.msisdn.hash(&mut hasher);
                let stream = usize::try_from(hasher.finish() % STREAMS as u64).unwrap_or_default();
                streams[stream].push(index);
                outcomes.push(None);
            }
            Err(fault) => outcomes.push(Some(Reject {
                reason: "malformed".to_owned(),
                message: fault.clone(),
                usage_id: None,
                is_refused: false,
            })),
        }
    }
    let sent = streams.iter().map(|stream| send_stream(session, window, stream));
    for rejected in futures::future::try_join_all(sent).await? {
        for (index, reject) in rejected {
            outcomes[index] = Some(reject);
        }
    }
    Ok(outcomes)
}

/// Batch after batch, so that the records of a line stay in their order.
async fn send_stream(
    session: &Session<'_>,
    window: &[Line],
    stream: &[usize],
) -> Result<Vec<(usize, Reject)>, CliError> {
    let mut rejected = Vec::new();
    for batch in stream.chunks(BATCH) {
        let mut open = batch.to_vec();
        let mut pauses = PAUSES_MS.into_iter();
        while !open.is_empty() {
            let records: Vec<&records::Record> =
                open.iter().filter_map(|index| window[*index].record.as_ref().ok()).collect();
            let answer = session.call(op::USAGE_IMPORT_BATCH, json!({ "records": records })).await;
            let waits = match answer {
                Ok(answer) => {
                    let outcomes = answer["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
                    if outcomes.len() != open.len() {
                        return Err(CliError::Unexpected("the server did not answer every record".into()));
                    }
                    let mut unknown = Vec::new();
                    for (index, outcome) in open.iter().zip(outcomes) {
                        match outcome["outcome"].as_str() {
                            Some("rated") => {}
                            Some("unknown") => unknown.push(*index),
                            _ => rejected.push((*index, reject_of(outcome))),
                        }
                    }
                    open = unknown;
                    None
                }
                Err(error) if may_pass(&error) => Some(error),
                Err(error) => return Err(error),
            };
            if open.is_empty() {
                break;
            }
            match (pauses.next(), waits) {
                (Some(pause), _) => tokio::time::sleep(Duration::from_millis(pause)).await,
                (None, Some(error)) => return Err(error),
                (None, None) => {
                    return Err(CliError::Failed(
                        "some records are not answered; run the import again, it goes on where it was".into(),
                    ));
                }
            }
        }
    }
    Ok(rejected)
}

/// Whether the same batch may be answered later: it can be sent again, whatever became of it.
fn may_pass(error: &CliError) -> bool {
    error.is_unavailable() || matches!(error, CliError::NotAnswered { .. })
}

fn reject_of(outcome: &Value) -> Reject {
    Reject {
        reason: render::text::field(outcome, "reason"),
        message: render::text::field(outcome, "message"),
        usage_id: outcome["usageId"].as_str().map(str::to_owned),
        is_refused: outcome["outcome"] == "refused",
    }
}
