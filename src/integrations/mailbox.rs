//! The local mailbox: every mail is appended to one file of this machine. It is what an installation without a mail server
//! has, and what tests and scenarios read.
//!
//! A block is a blank line, `=== <instant> ===`, `To:`, `Subject:`, `Message-ID:`, a blank line, and the plain text.

use std::collections::HashSet;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use nix::fcntl::{Flock, FlockArg};

use crate::domains::crm::port::{Mail, MailError, Mailer};
use crate::platform::error::Error;
use crate::platform::gather::Gather;

/// How far back a mail is looked for before it is written: somebody who repeats does so soon.
const LOOKED_BACK_BYTES: u64 = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Mailbox {
    /// Mails that come at the same time are written at once. What is written is answered.
    mails: Gather<Block, ()>,
}

/// A mail as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Block {
    id: String,
    text: String,
}

impl Block {
    fn of(mail: &Mail) -> Self {
        let id = format!("Message-ID: <{}>", mail.key);
        let at = mail.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let text = format!("\n=== {at} ===\nTo: {}\nSubject: {}\n{id}\n\n{}", mail.to, mail.subject, mail.text);
        Self { id, text }
    }
}

impl Mailbox {
    pub fn new(path: PathBuf) -> Self {
        let write = move |blocks: Vec<Block>| {
            let path = path.clone();
            async move {
                let written = tokio::task::spawn_blocking(move || append(&path, &blocks).map(|()| blocks)).await;
                let written = written.map_err(|e| Error::Internal(e.to_string()))?;
                let blocks =
                    written.map_err(|e| Error::Internal(format!("the mailbox file cannot be written: {e}")))?;
                Ok(blocks.into_iter().map(|block| (block, ())).collect())
            }
        };
        Self { mails: Gather::new(write) }
    }
}

#[async_trait]
impl Mailer for Mailbox {
    fn name(&self) -> &'static str {
        "mailbox"
    }

    async fn send(&self, mail: &Mail) -> Result<Option<String>, MailError> {
        match self.mails.ask(Block::of(mail)).await {
            Ok(Some(())) => Ok(None),
            Ok(None) => Err(MailError::Away("the mailbox did not write the mail".into())),
            Err(error) => Err(MailError::Away(error.to_string())),
        }
    }
}

/// Several processes may share the file: one writes at a time, whole blocks.
fn append(path: &Path, blocks: &[Block]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Codes and names stand in it: nobody else reads it.
        std::fs::OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?
    };
    let mut file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| std::io::Error::from(errno))?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(LOOKED_BACK_BYTES)))?;
    let mut recent = Vec::new();
    std::io::Read::by_ref(&mut *file).take(LOOKED_BACK_BYTES).read_to_end(&mut recent)?;
    let mut known: HashSet<&[u8]> = recent.split(|byte| *byte == b'\n').collect();
    let new: String =
        blocks.iter().filter(|block| known.insert(block.id.as_bytes())).map(|block| block.text.as_str()).collect();
    file.write_all(new.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(key: &str) -> Mail {
        Mail {
            key: key.to_owned(),
            to: "ada@example.test".into(),
            subject: "Hello".into(),
            text: "One line.\n".into(),
            html: "<p>One line.</p>".into(),
            at: "2026-05-11T10:00:00Z".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn blocks_are_appended_and_a_repetition_is_not() {
        let folder = std::env::temp_dir().join(format!("bss-mailbox-{}", std::process::id()));
        let path = folder.join("deep/mailbox.log");
        let mailbox = Mailbox::new(path.clone());
        for key in ["MSG-1-r0", "MSG-1-r0", "MSG-1-r1"] {
            mailbox.send(&mail(key)).await.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let block = |key: &str| {
            format!(
                "\n=== 2026-05-11T10:00:00.000Z ===\nTo: ada@example.test\nSubject: Hello\nMessage-ID: <{key}>\n\nOne line.\n"
            )
        };
        assert_eq!(text, block("MSG-1-r0") + &block("MSG-1-r1"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_tried_again_later() {
        let refused = Mailbox::new(PathBuf::from("/proc/no/such/place")).send(&mail("MSG-1-r0")).await;
        assert!(matches!(refused, Err(MailError::Away(_))), "{refused:?}");
    }
}
