//! Calls from the server to systems that its operator has named: how a client is made, and how much of an answer is read.
//! Listeners that any caller may register are told by [`hub`](super::hub), which guards their addresses besides.

use reqwest::{ClientBuilder, Response, redirect};
use url::Url;

/// Why an answer was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the answer is too long")]
    TooLong,
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// A client for the system at `base`. It follows no redirect, which could carry a secret to another host.
pub fn client(base: &Url) -> ClientBuilder {
    // Fails only when a provider is installed already, and then that one is used.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(redirect::Policy::none());
    // Plain HTTP stays on this machine or in its own network, where there is neither TLS nor a proxy.
    if base.scheme() == "http" { builder.tls_certs_only([]).no_proxy() } else { builder }
}

/// The body of an answer, of at most `bytes_max`.
///
/// # Errors
/// When it is longer, or breaks off.
pub async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
