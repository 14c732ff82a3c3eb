//! What the process may weigh: not figures of a machine, but bounds that a copy of something large would break.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

const CONNECTIONS: usize = 300;

/// Resident memory of a process in KiB.
fn resident(server: &ServerProcess) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("what is resident");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

#[tokio::test]
async fn a_connection_costs_a_few_kilobytes() {
    const EACH_KIB: usize = 64;
    let installation = Arc::new(Installation::private());
    let server = ServerProcess::start(&installation, &[]).await;
    let client = server.client();
    let address = server.url().trim_start_matches("http://").to_owned();
    let before = resident(&server);
    let mut open = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        open.push(TcpStream::connect(&address).await.expect("the server listens"));
    }
    // Connections are accepted in their order: this one is answered when all before it are there.
    client.op("clock.now", serde_json::json!({})).await.ok();
    let after = resident(&server);
    println!("{CONNECTIONS} idle connections: {before} KiB before, {after} KiB after");
    assert!(after < before + EACH_KIB * CONNECTIONS, "{before} KiB before, {after} KiB after");
    drop(open);
    server.stop().await;
}
