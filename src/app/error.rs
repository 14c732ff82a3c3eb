//! Why the product does not start, with what to do about it.

use crate::app::tokens::TokensError;
use crate::integrations::smtp::SmtpError;
use crate::platform::config::ConfigError;
use crate::platform::db::embedded::EmbeddedError;
use crate::platform::error::Error;
use crate::platform::trace::jaeger::JaegerError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the perimeter refuses to start:\n{}", .0.iter().map(|f| format!("  - {f}")).collect::<Vec<_>>().join("\n"))]
    Perimeter(Vec<String>),
    #[error(transparent)]
    Cluster(#[from] EmbeddedError),
    #[error("there is no database in {} yet; bss serve makes a private cluster there", .0.display())]
    NoCluster(std::path::PathBuf),
    #[error(transparent)]
    Mail(#[from] SmtpError),
    #[error("BSS_JAEGER_UI_URL cannot be used: {0}")]
    Jaeger(#[from] JaegerError),
    #[error(transparent)]
    Tokens(#[from] TokensError),
    #[error("the database cannot be used: {}", describe(.0))]
    Database(#[from] Error),
    #[error("the database is behind this version, it lacks {}; run: bss migrate", .0.join(", "))]
    SchemaBehind(Vec<String>),
    #[error("the database is ahead of this version, it has {}; start a newer bss", .0.join(", "))]
    SchemaAhead(Vec<String>),
    #[error("{addr} cannot be listened on: {source}")]
    Listen { addr: std::net::SocketAddr, source: std::io::Error },
    #[error("{what} cannot be set up: {source}")]
    Io { what: &'static str, source: std::io::Error },
    #[error("asked to end before the start was complete")]
    Interrupted,
    #[error("BSS_KYC_HASH_KEY is unset; with a database of your own, state it: openssl rand -hex 32")]
    HashKey,
    #[error("BSS_CRASH_POINT: no subscriber is called {0}")]
    CrashPoint(String),
}

/// The outer text hides the driver's; at the start an operator needs it.
fn describe(error: &Error) -> String {
    match error {
        Error::Database(cause) => format!("{error} ({cause})"),
        other => other.to_string(),
    }
}

impl StartError {
    /// 2 for configuration, 7 for a database that is away, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Mail(_)
            | Self::Jaeger(_)
            | Self::Perimeter(_)
            | Self::HashKey
            | Self::CrashPoint(_)
            | Self::SchemaBehind(_)
            | Self::SchemaAhead(_) => 2,
            Self::Database(error) if error.is_transient() => 7,
            Self::NoCluster(_)
            | Self::Cluster(_)
            | Self::Tokens(_)
            | Self::Database(_)
            | Self::Listen { .. }
            | Self::Io { .. }
            | Self::Interrupted => 1,
        }
    }
}
