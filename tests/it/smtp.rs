//! Mail by SMTP: what the server is told, how its refusals are read, and that a mail leaves over TLS or not at all.

use std::io::Write as _;

use bss::domains::crm::port::{Mail, MailError, Mailer as _};
use bss::integrations::smtp::{Smtp, SmtpError};
use bss::platform::clock::wall;
use bss::platform::config::{SmtpConfig, SmtpTls};
use serde_json::json;
use tempfile::NamedTempFile;

use super::notices::{id, messages, of};
use crate::support::app::TestApp;
use crate::support::mail_server::{Authority, MailServer, Privacy, authority, mail_server};

async fn app_with_smtp(port: u16) -> TestApp {
    TestApp::with(&[
        ("BSS_PORTAL_EMAIL_PROVIDER", "smtp"),
        ("BSS_PORTAL_EMAIL_FROM", "BSS Mobile <hello@operator.test>"),
        ("BSS_PORTAL_EMAIL_SMTP_HOST", "127.0.0.1"),
        ("BSS_PORTAL_EMAIL_SMTP_TLS", "none"),
        ("BSS_PORTAL_EMAIL_SMTP_PORT", &port.to_string()),
        ("BSS_PORTAL_PUBLIC_URL", "https://my.operator.test"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_gets_text_and_html_and_a_repetition_has_the_same_id() {
    // Busy at first: the same message comes again, under the same id.
    let MailServer { port, mut mails } = mail_server(Privacy::Never, &["451 try again later"]).await;
    let app = app_with_smtp(port).await;
    let customer = app.customer("4242424242424242").await;
    let welcome = of(&messages(&app, &customer).await, "welcome").clone();
    assert_eq!((&welcome["state"], &welcome["attempts"]), (&json!("sent"), &json!(2)));
    let mail = mails.recv().await.expect("the mail");
    assert!(mail.contains(&format!("Message-ID: <{}-r0@operator.test>", id(&welcome))), "{mail}");
    assert!(mail.contains("multipart/alternative") && mail.contains("text/plain") && mail.contains("text/html"));
    assert!(mail.contains("From: \"BSS Mobile\" <hello@operator.test>") && mail.contains("@example.test"), "{mail}");
    assert!(mails.try_recv().is_err(), "once");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_refused_is_an_outcome_and_a_server_that_is_away_is_waited_for() {
    let MailServer { port, mut mails } = mail_server(Privacy::Never, &["550 no such user <ada@example.test>"]).await;
    let app = app_with_smtp(port).await;
    let customer = app.customer("4242424242424242").await;
    let refused = of(&messages(&app, &customer).await, "welcome").clone();
    assert_eq!(refused["state"], "failed");
    assert_eq!(refused["stateReason"], "the mail server answered 550", "its words hold the address");
    app.op("communication.resend", json!({"messageId": refused["id"]})).await.ok();
    assert_eq!(of(&messages(&app, &customer).await, "welcome")["state"], "sent");
    assert!(mails.recv().await.is_some_and(|mail| mail.contains("-r1@operator.test")));
    app.finish().await;
}

/// A mailer as `tls` says, towards a server on this machine; the file must outlive it only until it is made.
fn mailer(port: u16, tls: SmtpTls, authority: Option<&NamedTempFile>) -> Result<Smtp, SmtpError> {
    Smtp::new(&SmtpConfig {
        host: "localhost".into(),
        port,
        tls,
        ca_file: authority.map(|file| file.path().to_owned()),
        login: None,
        from: "BSS Mobile <hello@operator.test>".into(),
    })
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(content.as_bytes()).expect("the file takes it");
    file
}

fn mail() -> Mail {
    Mail {
        to: "ada@example.test".into(),
        subject: "Welcome".into(),
        text: "Hello Ada".into(),
        html: "<p>Hello Ada</p>".into(),
        key: "MSG-1-r0".into(),
        at: wall(),
    }
}

#[tokio::test]
async fn mail_goes_over_tls_to_a_server_that_the_operators_authority_vouches_for() {
    for tls in [SmtpTls::StartTls, SmtpTls::Implicit] {
        let Authority { pem, acceptor } = authority();
        let privacy = if tls == SmtpTls::StartTls { Privacy::OnDemand(acceptor) } else { Privacy::AtOnce(acceptor) };
        let MailServer { port, mut mails } = mail_server(privacy, &[]).await;
        let mailer = mailer(port, tls, Some(&file(&pem))).expect("a mailer");
        mailer.send(&mail()).await.unwrap_or_else(|error| panic!("{tls:?}: {error}"));
        assert!(mails.recv().await.expect("the mail").contains("Message-ID: <MSG-1-r0@operator.test>"), "{tls:?}");
    }
}

#[tokio::test]
async fn no_mail_goes_to_a_server_that_nobody_vouches_for_or_that_speaks_no_tls() {
    let stranger = file(&authority().pem);
    for (tls, trusted) in [(SmtpTls::StartTls, None), (SmtpTls::Implicit, None), (SmtpTls::StartTls, Some(&stranger))] {
        let acceptor = authority().acceptor;
        let privacy = if tls == SmtpTls::StartTls { Privacy::OnDemand(acceptor) } else { Privacy::AtOnce(acceptor) };
        let MailServer { port, mut mails } = mail_server(privacy, &[]).await;
        let refused = mailer(port, tls, trusted).expect("a mailer").send(&mail()).await.expect_err("not trusted");
        assert!(
            matches!(&refused, MailError::Away(why) if why == "no private connection to the mail server"),
            "{refused}"
        );
        assert!(mails.try_recv().is_err(), "{tls:?}");
    }
    // The server offers no STARTTLS: somebody may have cut it out.
    let MailServer { port, mut mails } = mail_server(Privacy::Never, &[]).await;
    let refused =
        mailer(port, SmtpTls::StartTls, None).expect("a mailer").send(&mail()).await.expect_err("in the clear");
    assert!(matches!(refused, MailError::Away(_)), "{refused}");
    assert!(mails.try_recv().is_err());
}

#[test]
fn a_file_without_a_certificate_is_refused_at_the_start() {
    let refused =
        |file: &NamedTempFile| mailer(1, SmtpTls::Implicit, Some(file)).expect_err("no certificate").to_string();
    assert!(refused(&file("hello")).contains("holds no certificate in PEM"), "{}", refused(&file("hello")));
    let gone = file("");
    std::fs::remove_file(gone.path()).expect("it was there");
    assert!(refused(&gone).contains("BSS_PORTAL_EMAIL_SMTP_CA_FILE"), "{}", refused(&gone));
}
