//! Records of a file, one after the other, each with the place it stands at. What is malformed is a record too: it is counted
//! and goes to the reject file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::checkpoint::Place;
use crate::cli::error::CliError;
use crate::cli::usage::ImportFormat;

/// Longest record, in bytes: a batch of them fits into one request.
const RECORD_BYTES_MAX: usize = 1_000;

/// A usage event as the server takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) msisdn: String,
    event_type: String,
    quantity: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roaming_indicator: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    external_id: String,
}

impl Record {
    fn checked(self) -> Result<Self, String> {
        if self.event_time.as_deref().is_some_and(|at| DateTime::parse_from_rfc3339(at).is_err()) {
            return Err("eventTime is not an instant such as 2026-05-11T10:00:00Z".into());
        }
        Ok(self)
    }
}

/// A record, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Of the file, from 1.
    pub(super) number: u64,
    /// As it is written.
    pub(super) raw: String,
    pub(super) record: Result<Record, String>,
}

/// A file of records.
pub(super) enum Source {
    Csv { reader: Box<csv::Reader<File>>, columns: Vec<Column>, record: csv::ByteRecord },
    Ndjson { reader: BufReader<File>, place: Place },
}

/// What a column of CSV holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Msisdn,
    EventType,
    Quantity,
    Unit,
    EventTime,
    Roaming,
    Source,
    ExternalId,
}

impl Column {
    const ALL: [(Self, &'static str, bool); 8] = [
        (Self::Msisdn, "msisdn", true),
        (Self::EventType, "eventType", true),
        (Self::Quantity, "quantity", true),
        (Self::Unit, "unit", false),
        (Self::EventTime, "eventTime", false),
        (Self::Roaming, "roamingIndicator", false),
        (Self::Source, "source", false),
        (Self::ExternalId, "externalId", true),
    ];

    /// `eventType`, `event_type` and `EVENT_TYPE` are one name.
    fn named(heading: &str) -> Option<Self> {
        let plain = |name: &str| name.chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase();
        let wanted = plain(heading.trim());
        Self::ALL.into_iter().find(|(_, name, _)| plain(name) == wanted).map(|(column, ..)| column)
    }
}

impl Source {
    /// Opens the file and goes to the place.
    pub(super) fn open(path: &Path, format: ImportFormat, place: Place) -> Result<Self, CliError> {
        let failed =
            |error: &dyn std::fmt::Display| CliError::Failed(format!("{} cannot be read: {error}", path.display()));
        let file = File::open(path).map_err(|e| failed(&e))?;
        match format {
            ImportFormat::Ndjson => {
                let mut reader = BufReader::new(file);
                reader.seek(SeekFrom::Start(place.bytes)).map_err(|e| failed(&e))?;
                Ok(Self::Ndjson { reader, place })
            }
            ImportFormat::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
                let columns = columns(reader.headers().map_err(|e| failed(&e))?)?;
                if place.bytes > 0 {
                    let mut position = csv::Position::new();
                    position.set_byte(place.bytes).set_line(place.line + 1).set_record(place.record);
                    reader.seek(position).map_err(|e| failed(&e))?;
                }
                Ok(Self::Csv { reader: Box::new(reader), columns, record: csv::ByteRecord::new() })
            }
        }
    }

    /// Where the next record begins.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Csv { reader, .. } => {
                let position = reader.position();
                Place { bytes: position.byte(), line: position.line().saturating_sub(1), record: position.record() }
            }
            Self::Ndjson { place, .. } => *place,
        }
    }

    /// The next record; None at the end. Empty lines are none.
    pub(super) fn next(&mut self) -> Result<Option<Line>, CliError> {
        match self {
            Self::Csv { reader, columns, record } => {
                let more = reader.read_byte_record(record);
                let more = more.map_err(|e| CliError::Failed(format!("the file cannot be read: {e}")))?;
                Ok(more.then(|| from_csv(columns, record)))
            }
            Self::Ndjson { reader, place } => next_json(reader, place),
        }
    }
}

fn columns(headings: &csv::StringRecord) -> Result<Vec<Column>, CliError> {
    let mut found = Vec::with_capacity(headings.len());
    for heading in headings {
        let column = Column::named(heading)
            .ok_or_else(|| CliError::Usage(format!("the column {heading:?} is not known; see --help")))?;
        if found.contains(&column) {
            return Err(CliError::Usage(format!("the column {heading:?} stands twice in the header")));
        }
        found.push(column);
    }
    let missing = Column::ALL.iter().find(|(column, _, needed)| *needed && !found.contains(column));
    match missing {
        Some((_, name, _)) => Err(CliError::Usage(format!("the header has no column {name}"))),
        None => Ok(found),
    }
}

fn from_csv(columns: &[Column], record: &csv::ByteRecord) -> Line {
    let number = record.position().map_or(0, csv::Position::line);
    let raw = record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect::<Vec<_>>().join(",");
    let parsed = if raw.len() > RECORD_BYTES_MAX { Err(too_long()) } else { read_fields(columns, record) };
    Line { number, raw: raw.chars().take(RECORD_BYTES_MAX).collect(), record: parsed }
}

fn read_fields(columns: &[Column], record: &csv::ByteRecord) -> Result<Record, String> {
    if record.len() != columns.len() {
        return Err(format!("has {} fields, the header has {}", record.len(), columns.len()));
    }
    let field = |column: Column| {
        let at = columns.iter().position(|c| *c == column);
        let text = at.and_then(|at| record.get(at)).map(std::str::from_utf8).transpose();
        text.map(|text| text.filter(|text| !text.is_empty())).map_err(|_| "is not UTF-8".to_owned())
    };
    let needed = |column: Column, name: &str| {
        Ok::<_, String>(field(column)?.ok_or_else(|| format!("{name} is missing"))?.to_owned())
    };
    let quantity = needed(Column::Quantity, "quantity")?;
    let roaming = match field(Column::Roaming)?.map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("true" | "1" | "yes") => Some(true),
        Some("false" | "0" | "no") => Some(false),
        Some(_) => return Err("roamingIndicator must be true or false".into()),
    };
    let record = Record {
        msisdn: needed(Column::Msisdn, "msisdn")?,
        event_type: needed(Column::EventType, "eventType")?,
        quantity: serde_json::from_str(&quantity).map_err(|_| format!("quantity {quantity:?} is not a number"))?,
        unit: field(Column::Unit)?.map(str::to_owned),
        event_time: field(Column::EventTime)?.map(str::to_owned),
        roaming_indicator: roaming,
        source: field(Column::Source)?.map(str::to_owned),
        external_id: needed(Column::ExternalId, "externalId")?,
    };
    record.checked()
}

fn next_json(reader: &mut BufReader<File>, place: &mut Place) -> Result<Option<Line>, CliError> {
    let failed = |error: std::io::Error| CliError::Failed(format!("the file cannot be read: {error}"));
    loop {
        let mut bytes = Vec::new();
        let limit = RECORD_BYTES_MAX as u64 + 1;
        let mut read = reader.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(failed)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let is_long = read == limit && bytes.last() != Some(&b'\n');
        if is_long {
            read += skip_line(reader).map_err(failed)?;
        }
        place.bytes += read;
        place.line += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        place.record += 1;
        let record = if is_long {
            Err(too_long())
        } else {
            serde_json::from_slice::<Record>(&bytes).map_err(|e| e.to_string()).and_then(Record::checked)
        };
        let raw = String::from_utf8_lossy(&bytes).trim().to_owned();
        return Ok(Some(Line { number: place.line, raw, record }));
    }
}

/// Reads to the end of the line without keeping it.
fn skip_line(reader: &mut BufReader<File>) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

fn too_long() -> String {
    format!("is longer than {RECORD_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bss-import-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, text: &[u8]) -> std::path::PathBuf {
            let path = self.0.join("cdrs");
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn rest(source: &mut Source) -> Vec<Line> {
        std::iter::from_fn(|| source.next().unwrap()).collect()
    }

    const CSV: &str = "msisdn,event_type,quantity,external_id,eventTime,ROAMING_INDICATOR\n\
        90000001,data,120,cdr-1,2026-05-11T10:00:00Z,true\n\
        90000001,\"da\nta\",1,cdr-2,,\n\
        90000001,data,many,cdr-3,,\n\
        90000001,data,1,,,\n\
        90000001,data,1,cdr-5,yesterday,\n\
        90000001,data,1\n\
        90000002,voice,3,cdr-7,,no\n";

    #[test]
    fn csv_records_keep_their_lines_and_say_what_is_wrong() {
        let folder = Folder::new("csv");
        let lines = rest(&mut Source::open(&folder.file(CSV.as_bytes()), ImportFormat::Csv, Place::default()).unwrap());
        let wrong: Vec<_> =
            lines.iter().map(|line| (line.number, line.record.as_ref().err().map(String::as_str))).collect();
        assert_eq!(
            wrong,
            [
                (2, None),
                (3, None),
                (5, Some("quantity \"many\" is not a number")),
                (6, Some("externalId is missing")),
                (7, Some("eventTime is not an instant such as 2026-05-11T10:00:00Z")),
                (8, Some("has 3 fields, the header has 6")),
                (9, None),
            ]
        );
        let first = lines[0].record.as_ref().unwrap();
        assert_eq!((first.roaming_indicator, first.external_id.as_str()), (Some(true), "cdr-1"));
        assert_eq!(lines[1].record.as_ref().unwrap().event_type, "da\nta", "the server says that it is no type");
    }

    #[test]
    fn a_header_that_cannot_be_understood_stops_before_anything_is_sent() {
        let folder = Folder::new("header");
        for (header, fault) in [
            ("msisdn,eventType,quantity", "no column externalId"),
            ("msisdn,eventType,quantity,externalId,speed", "\"speed\" is not known"),
            ("msisdn,msisdn,eventType,quantity,externalId", "stands twice"),
        ] {
            let opened = Source::open(&folder.file(header.as_bytes()), ImportFormat::Csv, Place::default());
            let Err(CliError::Usage(message)) = opened.map(|_| ()) else { panic!("{header} was taken") };
            assert!(message.contains(fault), "{message}");
        }
    }

    #[test]
    fn ndjson_records_are_bounded_and_closed() {
        let folder = Folder::new("json");
        let long = format!("{{\"msisdn\": \"{}\"}}", "9".repeat(RECORD_BYTES_MAX));
        let text = format!(
            "{{\"msisdn\":\"90000001\",\"eventType\":\"data\",\"quantity\":1,\"externalId\":\"a\"}}\n\n{long}\n\
             {{\"msisdn\":\"90000001\",\"eventType\":\"data\",\"quantity\":1,\"externalId\":\"b\",\"speed\":1}}\nnonsense\n\
             {{\"msisdn\":\"90000001\",\"eventType\":\"data\",\"quantity\":1.5,\"externalId\":\"c\"}}"
        );
        let lines =
            rest(&mut Source::open(&folder.file(text.as_bytes()), ImportFormat::Ndjson, Place::default()).unwrap());
        let fine: Vec<_> = lines.iter().map(|line| (line.number, line.record.is_ok())).collect();
        assert_eq!(fine, [(1, true), (3, false), (4, false), (5, false), (6, true)]);
        assert!(lines[1].raw.len() <= RECORD_BYTES_MAX + 1);
    }

    #[test]
    fn reading_goes_on_at_any_place() {
        let folder = Folder::new("place");
        let json = (1..=5)
            .map(|n| {
                format!("{{\"msisdn\":\"9000000{n}\",\"eventType\":\"sms\",\"quantity\":1,\"externalId\":\"{n}\"}}\n")
            })
            .collect::<String>();
        for (format, text) in [(ImportFormat::Csv, CSV.to_owned()), (ImportFormat::Ndjson, json)] {
            let path = folder.file(text.as_bytes());
            let whole = rest(&mut Source::open(&path, format, Place::default()).unwrap());
            for before in 0..whole.len() {
                let mut first = Source::open(&path, format, Place::default()).unwrap();
                let mut lines: Vec<Line> = (0..before).map(|_| first.next().unwrap().unwrap()).collect();
                lines.extend(rest(&mut Source::open(&path, format, first.place()).unwrap()));
                assert_eq!(lines, whole, "{format:?} after {before}");
            }
        }
    }
}
