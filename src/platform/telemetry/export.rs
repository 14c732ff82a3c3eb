//! What leaves the process as spans is redacted as the log is: an exporter around the exporter.

use std::time::Duration;

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::redact;

/// Redacts the attributes of spans and of the events in them, then hands them on.
#[derive(Debug)]
pub(super) struct Redacting<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            redacted(&mut span.attributes);
            for event in &mut span.events.events {
                event.name = redact::digits(&event.name).into();
                redacted(&mut event.attributes);
            }
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn redacted(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        // Numbers and truth values are neither secrets nor their carriers.
        if let Value::String(text) = &attribute.value {
            let shown = redact::field(attribute.key.as_str(), text.as_str().into());
            if shown.as_str() != Some(text.as_str()) {
                attribute.value = Value::String(shown.as_str().unwrap_or_default().to_owned().into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_shown_as_in_the_log() {
        let mut attributes = [
            KeyValue::new("path", "/paymentMethod/4242424242424242"),
            KeyValue::new("card_number", "42"),
            KeyValue::new("http.route", "/ops/v1/{name}"),
            KeyValue::new("took_us", 4_242),
        ];
        redacted(&mut attributes);
        let shown: Vec<String> = attributes.iter().map(|attribute| attribute.value.to_string()).collect();
        assert_eq!(shown, ["/paymentMethod/…4242", "***REDACTED***", "/ops/v1/{name}", "4242"]);
    }
}
