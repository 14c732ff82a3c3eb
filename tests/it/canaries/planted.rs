//! What is planted, and how it is recognised again.

use std::collections::BTreeSet;

use regex::Regex;
use sqlx::PgPool;

/// Card numbers; each behaves in its own way.
pub(super) const CARDS: &[&str] = &[
    "4242424242424242",
    "5555555555554444",
    "4000000000000002",
    "4000000000009995",
    "4000000000000259",
    "378282246310005",
];

/// The beginning of every planted document number; nothing else has these letters in a row.
pub(super) const DOCUMENT: &str = "XQ7719ZK42";

/// A provider's proof of identity.
pub(super) const ATTESTATION: &str = "canary-attestation-5d0e6d2e9a53";

/// A token of nobody.
pub(super) const WRONG_TOKEN: &str = "canary7f3a9c1e5b8d2046canary7f3a9c1e5b8d2046";

/// Everything that must not appear.
pub(super) struct Planted {
    /// Whole ICCIDs, so that one is found by looking up each long number of a text.
    iccids: BTreeSet<String>,
    /// In the order of the ICCIDs.
    codes: Vec<String>,
    /// Recognised as texts.
    texts: Vec<(&'static str, String)>,
    digits: Regex,
    cards: Regex,
}

impl Planted {
    /// With the eSIM profiles of the pool.
    pub(super) async fn read(pool: &PgPool) -> Self {
        let profiles: Vec<(String, String)> =
            sqlx::query_as("select iccid, activation_code from inventory.esim_profile order by iccid")
                .fetch_all(pool)
                .await
                .expect("the pool is there");
        let (iccids, codes) = profiles.into_iter().unzip();
        let texts = vec![
            ("a document number", DOCUMENT.to_owned()),
            ("a document number", DOCUMENT.to_ascii_lowercase()),
            ("an attestation token", ATTESTATION.to_owned()),
            ("a token of nobody", WRONG_TOKEN.to_owned()),
            ("the operator's token", "a1".repeat(16)),
            ("the portal's token", "b2".repeat(16)),
            ("the key of the hashes", "c3".repeat(16)),
        ];
        // Groups of four and their separators: a card number is one however it is written.
        let cards: Vec<String> =
            CARDS.iter().map(|card| card.chars().map(String::from).collect::<Vec<_>>().join("[ -]?")).collect();
        let pattern = |text: &str| Regex::new(text).expect("the pattern is right");
        Self { iccids, codes, texts, digits: pattern(r"\d{18,22}"), cards: pattern(&cards.join("|")) }
    }

    pub(super) fn iccid(&self) -> &str {
        self.iccids.first().expect("there are profiles")
    }

    pub(super) fn activation_code(&self) -> &str {
        &self.codes[0]
    }

    /// The secrets in a text: their kind, and where they begin.
    fn hits(&self, text: &str) -> Vec<(&'static str, usize)> {
        let mut hits: Vec<_> =
            self.texts.iter().filter_map(|(kind, secret)| Some((*kind, text.find(secret.as_str())?))).collect();
        // Digits among digits, or of a fraction, are none: 0.24000000000000002 is how long something took.
        let is_number = |hit: &regex::Match<'_>| {
            let before = text[..hit.start()].chars().next_back();
            let after = text[hit.end()..].chars().next();
            !before.is_some_and(|c| c.is_ascii_digit() || c == '.') && !after.is_some_and(|c| c.is_ascii_digit())
        };
        hits.extend(self.cards.find_iter(text).find(is_number).map(|hit| ("a card number", hit.start())));
        let is_iccid = |hit: &regex::Match<'_>| self.iccids.contains(hit.as_str());
        hits.extend(self.digits.find_iter(text).find(is_iccid).map(|hit| ("an ICCID", hit.start())));
        // Looking for each of a thousand codes in each text would take minutes.
        if text.contains("LPA:1$") {
            let code = self.codes.iter().find_map(|code| text.find(code.as_str()));
            hits.extend(code.map(|start| ("an activation code", start)));
        }
        hits
    }

    /// Says what was found in a text, and where.
    pub(super) fn in_text(&self, place: &str, text: &str) -> Vec<String> {
        let around = |at: usize| {
            let before: String = text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
            let after: String = text[at..].chars().take(60).collect();
            format!("{before}{after}").escape_debug().to_string()
        };
        self.hits(text).into_iter().map(|(kind, at)| format!("{kind} in {place}: …{}…", around(at))).collect()
    }
}
