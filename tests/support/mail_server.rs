//! A mail server outside the product: it speaks enough SMTP (RFC 5321, STARTTLS by RFC 3207) to be told a mail, and hands
//! over what it was told.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

/// When the server begins to speak TLS.
#[derive(Clone)]
pub(crate) enum Privacy {
    Never,
    /// After the client asked for it; nothing else is taken before.
    OnDemand(TlsAcceptor),
    AtOnce(TlsAcceptor),
}

/// A running mail server; it ends with the test's runtime.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    /// Mails as they came, headers and all.
    pub(crate) mails: UnboundedReceiver<String>,
}

/// Answers `answers` to the first `RCPT TO` of its life, then takes everything.
pub(crate) async fn mail_server(privacy: Privacy, answers: &'static [&'static str]) -> MailServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound listener").port();
    let (got, mails) = unbounded_channel();
    tokio::spawn(async move {
        let mut session = Session { got, answers: answers.iter() };
        while let Ok((stream, _)) = listener.accept().await {
            match &privacy {
                Privacy::Never => drop(session.talk(BufReader::new(stream), Begin::Greeting, false).await),
                Privacy::AtOnce(tls) => {
                    // A client that does not trust us hangs up here.
                    if let Ok(stream) = tls.accept(stream).await {
                        session.talk(BufReader::new(stream), Begin::Greeting, false).await;
                    }
                }
                Privacy::OnDemand(tls) => {
                    if let Some(stream) = session.talk(BufReader::new(stream), Begin::Greeting, true).await
                        && let Ok(stream) = tls.accept(stream.into_inner()).await
                    {
                        session.talk(BufReader::new(stream), Begin::Client, false).await;
                    }
                }
            }
        }
    });
    MailServer { port, mails }
}

/// Who speaks first.
#[derive(PartialEq, Eq)]
enum Begin {
    Greeting,
    Client,
}

struct Session {
    got: UnboundedSender<String>,
    answers: std::slice::Iter<'static, &'static str>,
}

impl Session {
    /// One connection to its end, or to the moment when it is to become private: then the stream comes back.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut stream: BufReader<S>,
        begin: Begin,
        wants_tls: bool,
    ) -> Option<BufReader<S>> {
        if begin == Begin::Greeting {
            say(&mut stream, "220 mail.example.test").await?;
        }
        loop {
            let line = next_line(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" if wants_tls => "250-mail.example.test\r\n250 STARTTLS",
                "EHLO" => "250 mail.example.test",
                "STARTTLS" if wants_tls => {
                    say(&mut stream, "220 go ahead").await?;
                    return Some(stream);
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return None;
                }
                _ if wants_tls => "530 must issue a STARTTLS command first",
                "RCPT" => self.answers.next().copied().unwrap_or("250 fine"),
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let mut mail = String::new();
                    loop {
                        let line = next_line(&mut stream).await?;
                        if line == "." {
                            break;
                        }
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    let _ = self.got.send(mail);
                    "250 taken"
                }
                _ => "250 fine",
            };
            say(&mut stream, answer).await?;
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, text: &str) -> Option<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn next_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A certificate authority of the operator's own, and the server side of a certificate that it gave to `localhost`.
pub(crate) struct Authority {
    /// What a client must trust, in PEM.
    pub(crate) pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|params| params.signed_by(&key, &issuer))
        .expect("a certificate");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS#8");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of this provider")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("key and certificate belong together");
    Authority { pem: issuer.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
}
