//! Answers through a filter in the language of jq, without the program.

use jaq_core::compile::Filter as Compiled;
use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Native, Vars};
use jaq_json::Val;
use serde::Deserialize as _;
use serde_json::Value;

use super::data;

/// More results than anybody reads: a filter that never ends must.
const RESULTS_MAX: usize = 1_000_000;

/// What the program jq brings, and its language alone does not.
const FORMATS: &str = r#"
def @tsv: map(
  if . == null then "" elif type == "string"
  then . / "\\" | join("\\\\") | . / "\t" | join("\\t") | . / "\n" | join("\\n") | . / "\r" | join("\\r")
  else tostring end) | join("\t");
def @csv: map(
  if . == null then "" elif type == "string" then "\"" + (. / "\"" | join("\"\"")) + "\"" else tostring end) | join(",");
"#;

/// A filter that is understood.
pub(crate) struct Filter(Compiled<Native<JustLut<Val>>>);

impl Filter {
    /// Reads a filter such as `.[].id`.
    ///
    /// # Errors
    /// What cannot be understood, for the one who typed it.
    pub(crate) fn parse(code: &str) -> Result<Self, String> {
        let formats = load::parse(FORMATS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(formats);
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions)
            .load(&arena, File { code, path: () })
            .map_err(|errors| errors.first().map_or_else(String::new, |(_, error)| unreadable(code, error)))?;
        let compiled = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
            let unknown = errors.iter().flat_map(|(_, unknown)| unknown);
            unknown.map(|(name, kind)| format!("there is no {} '{name}'", kind.as_str())).collect::<Vec<_>>().join("; ")
        })?;
        Ok(Self(compiled))
    }

    /// What the filter makes of an answer, each result on a line: text as it is, anything else as JSON.
    ///
    /// # Errors
    /// The filter does not fit the answer, or finds no end.
    pub(crate) fn run(&self, answer: &Value) -> Result<String, String> {
        let input = Val::deserialize(answer).map_err(|error| error.to_string())?;
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let mut lines = String::new();
        for (count, result) in self.0.id.run((context, input)).enumerate() {
            if count == RESULTS_MAX {
                return Err(format!("the filter has more than {RESULTS_MAX} results"));
            }
            match result {
                Ok(Val::TStr(text)) => lines.push_str(&harmless(&String::from_utf8_lossy(&text))),
                Ok(value) => lines.push_str(&data::escaped(value.to_string())),
                // `halt` is no error: nothing comes after it.
                Err(exception) => match exception.get_err() {
                    Ok(error) => return Err(error.to_string()),
                    Err(_) => break,
                },
            }
            lines.push('\n');
        }
        Ok(lines)
    }
}

fn unreadable(code: &str, error: &load::Error<&str>) -> String {
    let near = |rest: &str| if rest.is_empty() { "at its end".to_owned() } else { format!("at '{rest}'") };
    match error {
        load::Error::Lex(errors) => errors.first().map(|(expected, rest)| (expected.as_str(), near(rest))),
        load::Error::Parse(errors) => errors.first().map(|(expected, rest)| (expected.as_str(), near(rest))),
        load::Error::Io(_) => None,
    }
    .map_or_else(|| format!("'{code}' cannot be read"), |(expected, place)| format!("a {expected} is missing {place}"))
}

/// Text without what could steer a terminal; the tabs of `@tsv` stay.
fn harmless(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && !matches!(letter, '\n' | '\t'), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(code: &str, answer: &Value, expected: &str) {
        let filter = Filter::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(filter.run(answer).as_deref(), Ok(expected), "{code}");
    }

    #[test]
    fn filters_run() {
        let lines = json!([
            {"id": "SUB-1", "state": "active", "used": 3, "price": "9.00"},
            {"id": "SUB-2", "state": "blocked", "used": -1, "price": "25.00"},
        ]);
        check(".[].id", &lines, "SUB-1\nSUB-2\n");
        check(".[] | select(.state == \"active\") | {id, used}", &lines, "{\"id\":\"SUB-1\",\"used\":3}\n");
        check("map(.price | tonumber) | add", &lines, "34.0\n");
        check(".[] | [.id, .used] | @tsv", &lines, "SUB-1\t3\nSUB-2\t-1\n");
        check("[\"a\\tb\", null, true] | @tsv", &lines, "a\\tb\t\ttrue\n");
        check(".[0] | [.id, .used, \"say \\\"hi\\\"\"] | @csv", &lines, "\"SUB-1\",3,\"say \"\"hi\"\"\"\n");
        check("length, (.[0] | keys)", &lines, "2\n[\"id\",\"price\",\"state\",\"used\"]\n");
        check(".[] | select(.id | test(\"2$\")).state", &lines, "blocked\n");
        check("group_by(.state) | map(length)", &lines, "[1,1]\n");
        check(".[9].id // \"none\"", &lines, "none\n");
        check("1, halt, 2", &lines, "1\n");
        check(".", &json!({"note": "a\u{1b}[2Jb"}), "{\"note\":\"a\\u001b[2Jb\"}\n");
        check(".note", &json!({"note": "a\u{1b}[2Jb"}), "a\u{fffd}[2Jb\n");
    }

    #[test]
    fn what_is_no_filter_is_said() {
        let refused = |code: &str| Filter::parse(code).err().unwrap_or_default();
        assert_eq!(refused(".[] | nonsense"), "there is no filter 'nonsense'");
        assert!(refused(".[").contains("is missing"), "{}", refused(".["));
        assert!(refused("{id").contains("is missing"), "{}", refused("{id"));
        assert!(Filter::parse(".a.b").and_then(|filter| filter.run(&json!([1]))).is_err());
    }
}
