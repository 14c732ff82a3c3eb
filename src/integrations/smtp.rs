//! A mail server, by SMTP (RFC 5321) with TLS.
//!
//! SMTP has no idempotency: a repetition carries the same `Message-ID`, by which mail servers and programs recognise it.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::response::Severity;
use lettre::transport::smtp::{self, AsyncSmtpTransport, PoolConfig};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};

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
}

impl Smtp {
    /// Connects when the first mail goes.
    pub fn new(config: &SmtpConfig) -> Result<Self, SmtpError> {
        let from: Mailbox = config.from.parse().map_err(|_| SmtpError::From)?;
        let builder = match config.tls {
            SmtpTls::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&config.host),
            SmtpTls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&config.host),
            SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)),
        };
        let mut builder = builder
            .map_err(SmtpError::Host)?
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
        None if error.is_tls() => MailError::Away("no private connection to the mail server".into()),
        None => MailError::Away("the mail server cannot be reached".into()),
    }
}
