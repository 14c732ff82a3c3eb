//! Variables taken out of the result of a step.

use serde_json::Value;

use super::format::RegexCapture;
use super::path::Path;
use super::poll::Failed;

/// A variable and its value.
pub(super) type Captured = (String, Value);

/// Takes variables out by path, with their types.
pub(super) fn by_path(captures: &[(String, Path)], result: &Value) -> Result<Vec<Captured>, Failed> {
    captures
        .iter()
        .map(|(variable, path)| match path.resolve(result) {
            Ok(value) => Ok((variable.clone(), value.clone())),
            Err(error) => Err(Failed::for_now(format!("capture of `{variable}`: {error}"))),
        })
        .collect()
}

/// Takes variables out by pattern, as texts.
///
/// In a file (no `source`) the last match counts, the newest message of a log; elsewhere the first.
pub(super) fn by_pattern(captures: &[RegexCapture], result: &Value) -> Result<Vec<Captured>, Failed> {
    captures
        .iter()
        .map(|capture| {
            let fail = |why: String| Failed::for_now(format!("capture of `{}`: {why}", capture.variable));
            let groups = match &capture.source {
                Some(source) => {
                    let text = source.resolve(result).map_err(|error| fail(error.to_string()))?;
                    capture.pattern.captures(text.as_str().unwrap_or_default())
                }
                None => capture.pattern.captures_iter(result["text"].as_str().unwrap_or_default()).last(),
            };
            let matched = groups.and_then(|groups| groups.get(capture.group));
            let matched = matched.ok_or_else(|| fail(format!("nothing matches {}", capture.pattern)))?;
            Ok((capture.variable.clone(), Value::from(matched.as_str())))
        })
        .collect()
}
