//! File steps: what a program writes for people, such as the development mailbox.

use serde_json::{Value, json};

use super::format::Encoding;
use super::poll::Failed;

/// The longest file that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;

/// Reads the file at `path`; the result has its `text`, and `json` when it is such. Fails for now while it is not there.
pub(super) async fn look(path: &str, encoding: Encoding) -> Result<Value, Failed> {
    let away = |error: std::io::Error| Failed::for_now(format!("`{path}`: {error}"));
    let length = tokio::fs::metadata(path).await.map_err(away)?.len();
    if length > LONGEST_FILE {
        return Err(Failed::for_good(format!("`{path}` has {length} bytes, more than {LONGEST_FILE}")));
    }
    let bytes = tokio::fs::read(path).await.map_err(away)?;
    let text = match encoding {
        Encoding::Utf8 => {
            String::from_utf8(bytes).map_err(|error| Failed::for_now(format!("`{path}` is not UTF-8: {error}")))?
        }
        Encoding::Latin1 => bytes.into_iter().map(char::from).collect(),
    };
    let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(json!({ "text": text, "json": json }))
}
