//! Parses the command line and runs it.

use std::process::ExitCode;

use bss::app;
use bss::cli::{self, Cli, Command};
use bss::platform::descriptors;

fn main() -> ExitCode {
    // A shell that completes a command line asks for nothing else.
    clap_complete::CompleteEnv::with_factory(cli::command_to_complete).complete();
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    // Without it, no outside call could speak TLS; it fails only when one was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // For the server's connections, and for the bench that opens as many.
    descriptors::raise_limit();
    let mut builder = match cli.command {
        Command::Server(_) => tokio::runtime::Builder::new_multi_thread(),
        Command::Client(_) => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: no thread can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Server(command) => Box::pin(app::command::run(&cli.global, command)).await,
            Command::Client(command) => cli::run(cli.global, command).await,
        }
    });
    // A task that ignores its cancellation must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    ExitCode::from(code)
}
