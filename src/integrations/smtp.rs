//! A mail server, by SMTP (RFC 5321) with TLS.
//!
//! SMTP has no idempotency: a repetition carries the same `Message-ID`, by which mail servers and programs recognise it.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Severity;
use lettre::transport::smtp::{self, AsyncSmtpTransport, PoolConfig};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::domains::crm::port::{Mail, MailError, Mailer};
use crate::platform::config::{SmtpConfig, SmtpTls};

/// How long the server may take for one command: shorter than the lease on a message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a whole mail may take.
const MAIL_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections that are kept open.
const CONNECTIONS_MAX: u32 = 4;

/// See the module.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").finish_non_exhaustive()
    }
}

/// Why there is no mail server.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error(
        "BSS_PORTAL_EMAIL_FROM must be an address, or a name and an address such as BSS Mobile <hello@example.test>"
    )]
    From,
    #[error("BSS_PORTAL_EMAIL_SMTP_HOST cannot be used: {0}")]
    Host(#[source] smtp::Error),
    #[error("BSS_PORTAL_EMAIL_SMTP_CA_FILE {path} cannot be read: {source}")]
    CaFile { path: PathBuf, source: std::io::Error },
    #[error("BSS_PORTAL_EMAIL_SMTP_CA_FILE {0} holds no certificate in PEM")]
    Ca(PathBuf),
}

impl Smtp {
    /// Connects when the first mail goes.
    pub fn new(config: &SmtpConfig) -> Result<Self, SmtpError> {
        let from: Mailbox = config.from.parse().map_err(|_| SmtpError::From)?;
        let tls = match config.tls {
            SmtpTls::StartTls => Tls::Required(trust(config)?),
            SmtpTls::Implicit => Tls::Wrapper(trust(config)?),
            SmtpTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .tls(tls)
            .port(config.port)
            .timeout(Some(ANSWER_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX));
        if let Some((user, password)) = &config.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        // The causes hold the address.
        let to: Address = mail.to.parse().map_err(|_| MailError::Refused("the address is malformed".into()))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.key, self.from.email.domain())))
            .date(SystemTime::from(mail.at))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|_| MailError::Refused("the mail cannot be written".into()))
    }
}

#[async_trait]
impl Mailer for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, mail: &Mail) -> Result<Option<String>, MailError> {
        let message = self.message(mail)?;
        let sending = tokio::time::timeout(MAIL_TIMEOUT, self.transport.send(message)).await;
        let answer = sending.map_err(|_| MailError::Away("the mail server did not answer in time".into()))?;
        answer.map(|_| None).map_err(|error| reason(&error))
    }
}

/// Whom to believe that it is the mail server: the public authorities, and the operator's own.
fn trust(config: &SmtpConfig) -> Result<TlsParameters, SmtpError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|source| SmtpError::CaFile { path: path.clone(), source })?;
        // A file without any is not an error to the parser.
        let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap_or_default();
        if found.is_empty() {
            return Err(SmtpError::Ca(path.clone()));
        }
        for authority in found {
            let authority = Certificate::from_der(authority.to_vec()).map_err(SmtpError::Host)?;
            parameters = parameters.add_root_certificate(authority);
        }
    }
    parameters.build_rustls().map_err(SmtpError::Host)
}

/// A refusal of this mail is final; a refusal of us (530 to 538: who are you?) is the operator's to heal. The words of the
/// server may repeat the address: the code stands for them.
fn reason(error: &smtp::Error) -> MailError {
    match error.status() {
        Some(code) => {
            let number = code.to_string();
            let refused = code.severity == Severity::PermanentNegativeCompletion && !number.starts_with("53");
            let text = format!("the mail server answered {number}");
            if refused { MailError::Refused(text) } else { MailError::Away(text) }
        }
        None if error.is_timeout() => MailError::Away("the mail server did not answer in time".into()),
        None if error.is_tls() || is_distrust(error) => {
            MailError::Away("no private connection to the mail server".into())
        }
        None => MailError::Away("the mail server cannot be reached".into()),
    }
}

/// The handshake failed: a certificate that nobody trusts, most of the time. It comes as a lost connection.
fn is_distrust(error: &smtp::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        cause = error.source();
    }
    false
}
