//! Scenarios: business stories in YAML, run against a server through its operations.
