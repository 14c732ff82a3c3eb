//! One database by its URL: for our own connections and, with the password apart, for PostgreSQL's programs.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use url::Url;

use super::BackupError;

/// Parameters of a URL that PostgreSQL's programs know, too; the others are those of our driver alone.
const FOR_PROGRAMS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "gssencmode",
    "host",
    "hostaddr",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// A database on a server.
#[derive(Clone)]
pub(super) struct Address {
    url: Url,
    name: String,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, BackupError> {
        let options: PgConnectOptions = text.parse().map_err(|_| BackupError::Address)?;
        let url = Url::parse(text).map_err(|_| BackupError::Address)?;
        let name = options.get_database().unwrap_or_else(|| options.get_username()).to_owned();
        Ok(Self { url, name })
    }

    /// Name of the database.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Another database of the same server.
    pub(super) fn beside(&self, name: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(name);
        let others: Vec<(String, String)> =
            self.url.query_pairs().into_owned().filter(|(name, _)| name != "dbname").collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        Self { url, name: name.to_owned() }
    }

    /// As for the pool.
    pub(super) fn url(&self) -> String {
        self.url.to_string()
    }

    /// A session that may take its time.
    pub(super) async fn connect(&self) -> Result<PgConnection, BackupError> {
        let options: PgConnectOptions = self.url.as_str().parse().map_err(|_| BackupError::Address)?;
        let options = options.application_name("bss backup").disable_statement_logging().options([
            ("statement_timeout", "0"),
            ("lock_timeout", "30000"),
            ("idle_in_transaction_session_timeout", "0"),
            ("timezone", "UTC"),
        ]);
        Ok(options.connect().await?)
    }

    /// What may stand on a command line, and the password, which may not.
    pub(super) fn for_programs(&self) -> (String, Option<String>) {
        let mut url = self.url.clone();
        let given = self.url.query_pairs().into_owned();
        let (secret, known): (Vec<_>, Vec<_>) =
            given.filter(|(name, _)| name == "password" || knows(name)).partition(|(name, _)| name == "password");
        let in_url = self.url.password().map(percent_decoded);
        let password = secret.into_iter().next().map(|(_, value)| value).or(in_url);
        // Neither fails: it is a URL with a host, or one that cannot have a password.
        let _ = url.set_password(None);
        url.set_query(None);
        if !known.is_empty() {
            url.query_pairs_mut().extend_pairs(known.into_iter().map(|(name, value)| (name.replace('-', ""), value)));
        }
        (url.to_string(), password)
    }
}

/// Our driver takes `ssl-mode` for `sslmode`.
fn knows(name: &str) -> bool {
    FOR_PROGRAMS.contains(&name.replace("ssl-", "ssl").as_str())
}

fn percent_decoded(text: &str) -> String {
    // Decoded as a form is, but for the plus sign, which stands for itself here.
    let form = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_never_stands_on_a_command_line() {
        let address = Address::parse(
            "postgres://bss:s%2Bcr+t@db.example.test:5433/prod?ssl-mode=require&statement-cache-capacity=9",
        )
        .unwrap();
        assert_eq!(address.name(), "prod");
        let (url, password) = address.for_programs();
        assert_eq!(url, "postgres://bss@db.example.test:5433/prod?sslmode=require");
        assert_eq!(password.as_deref(), Some("s+cr+t"));
        let (url, password) =
            Address::parse("postgres:///prod?host=/run/pg&user=bss&password=x").unwrap().for_programs();
        assert_eq!(url, "postgres:///prod?host=%2Frun%2Fpg&user=bss");
        assert_eq!(password.as_deref(), Some("x"));
    }

    #[test]
    fn another_database_of_the_same_server_keeps_the_rest() {
        let address = Address::parse("postgres://bss:pw@127.0.0.1:5433/bss?host=%2Fx%2Frun&sslmode=disable").unwrap();
        let beside = address.beside("bss_restoring");
        assert_eq!(beside.name(), "bss_restoring");
        assert_eq!(beside.url(), "postgres://bss:pw@127.0.0.1:5433/bss_restoring?host=%2Fx%2Frun&sslmode=disable");
    }
}
