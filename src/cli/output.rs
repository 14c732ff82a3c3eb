//! How the reader wants an answer: in which format, which fields of it, through which filter.

use clap::ValueEnum;
use serde_json::Value;

use super::Global;
use super::error::CliError;
use super::suggest::did_you_mean;
use crate::render::jq::Filter;
use crate::render::select::{self, Fields, NoField, Table};
use crate::render::{self, Style, data};

/// How an answer is printed; all but `table` have the operation's own field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// Every field, however wide
    Wide,
    /// For programs
    Json,
    /// For both
    Yaml,
    /// A line of JSON for each thing of a list
    Jsonl,
    /// For spreadsheets: RFC 4180, objects inside as dotted columns, lists as JSON
    Csv,
}

/// What `-o`, `--fields`, `--jq` and `-q` say together.
pub(crate) struct Wanted {
    pub(crate) format: Format,
    fields: Option<Fields>,
    filter: Option<Filter>,
    quiet: bool,
}

impl Wanted {
    pub(crate) fn new(global: &Global) -> Result<Self, CliError> {
        let fields = Fields::new(&global.fields);
        let filter = match &global.jq {
            None => None,
            Some(_) if fields.is_some() => return Err(CliError::Usage("--fields or --jq: one of them".into())),
            // The filter makes its own lines: there is nothing left to format.
            Some(_) if !matches!(global.output, Format::Table | Format::Json | Format::Jsonl) => {
                return Err(CliError::Usage("--jq answers JSON: leave -o out".into()));
            }
            Some(code) => Some(Filter::parse(code).map_err(|fault| CliError::Usage(format!("--jq: {fault}")))?),
        };
        Ok(Self { format: global.output, fields, filter, quiet: global.quiet })
    }

    /// Is it text for people, as a command words it?
    pub(crate) fn is_prose(&self) -> bool {
        self.format == Format::Table && self.fields.is_none() && self.filter.is_none()
    }

    /// Is it the answer with everything in it, for a program that looks for what it needs? Columns have no room for that.
    pub(crate) fn is_whole(&self) -> bool {
        self.fields.is_some()
            || matches!(self.format, Format::Json | Format::Yaml | Format::Jsonl)
            || self.filter.is_some()
    }

    /// Is it drawn for a person? Only there are instants those of the operator's time zone.
    pub(crate) fn is_drawn(&self) -> bool {
        let drawn = matches!(self.format, Format::Table | Format::Wide);
        drawn && self.filter.is_none() && !(self.quiet && self.is_prose())
    }

    /// The answer as the reader wants it; `text` is how the command words it for people.
    pub(crate) fn text(
        &self,
        answer: &Value,
        style: Style,
        text: impl FnOnce(&Value, Style) -> String,
    ) -> Result<String, CliError> {
        if let Some(filter) = &self.filter {
            return filter.run(answer).map_err(|fault| CliError::Usage(format!("--jq: {fault}")));
        }
        let picked = self.fields.as_ref().map(|fields| fields.of(answer)).transpose().map_err(no_field)?;
        let is_list = select::listed(answer).is_some();
        let output = match self.format {
            Format::Table if picked.is_some() => render::generic::columns(&self.table(answer)?, is_list, style),
            Format::Table => match data::ids(answer).filter(|_| self.quiet) {
                Some(ids) => ids,
                None => text(answer, style),
            },
            Format::Wide if picked.is_some() || is_list => {
                render::generic::columns(&self.table(answer)?, is_list, unbounded(style))
            }
            Format::Wide => text(answer, unbounded(style)),
            Format::Json => data::json(picked.as_ref().unwrap_or(answer)),
            Format::Yaml => data::yaml(picked.as_ref().unwrap_or(answer)).map_err(unwritable)?,
            Format::Jsonl => data::json_lines(picked.as_ref().unwrap_or(answer)),
            Format::Csv => data::csv(&self.table(answer)?).map_err(unwritable)?,
        };
        Ok(output)
    }

    /// One thing of a stream that has no end. A list of JSON or CSV would have one: there, each thing is a line.
    pub(crate) fn streamed(
        &self,
        thing: &Value,
        style: Style,
        text: impl FnOnce(&Value, Style) -> String,
    ) -> Result<String, CliError> {
        match self.format {
            _ if self.filter.is_some() => self.text(thing, style, text),
            Format::Table | Format::Wide if self.fields.is_some() => {
                let values = self.table(thing)?.rows.into_iter().flatten();
                Ok(values.map(|value| render::words::value(&value)).collect::<Vec<_>>().join("  ") + "\n")
            }
            Format::Table | Format::Wide => Ok(text(thing, style)),
            Format::Json | Format::Jsonl => {
                let picked = self.fields.as_ref().map(|fields| fields.of(thing)).transpose().map_err(no_field)?;
                Ok(data::json_line(picked.as_ref().unwrap_or(thing)))
            }
            Format::Yaml => Ok(format!("---\n{}", self.text(thing, style, text)?)),
            Format::Csv => Err(CliError::Usage("a stream has no columns to begin with: use -o jsonl".into())),
        }
    }

    fn table(&self, answer: &Value) -> Result<Table, CliError> {
        match &self.fields {
            Some(fields) => fields.table(answer).map_err(no_field),
            None => Ok(Table::of(answer)),
        }
    }
}

fn unbounded(style: Style) -> Style {
    Style { width: None, ..style }
}

/// Says which fields there are, and which one was probably meant.
fn no_field(NoField { path, known }: NoField) -> CliError {
    let names = known.iter().map(String::as_str);
    // Somebody who asks for the amount means that of the price.
    let is_end = |name: &&str| name.rsplit_once('.').is_some_and(|(_, end)| end == path);
    let meant = match names.clone().find(is_end) {
        Some(inside) => format!("; did you mean '{inside}'?"),
        None => did_you_mean(&path, names),
    };
    CliError::Usage(format!("there is no field '{path}'{meant}\n  fields: {}", known.join(", ")))
}

fn unwritable(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(format!("the answer cannot be written so: {error}"))
}
