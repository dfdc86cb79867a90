//! Sessions with Postgres: a small pool for each connection.

use millrace_contract::connection::{PostgresConnection, SslMode};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use std::time::Duration;

/// How long a session may take to be made or given.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool that connects when it is first used.
pub fn open(connection: &PostgresConnection) -> PgPool {
    let PostgresConnection { host, port, database, username, password, ssl_mode, ca } = connection;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(*port)
        .database(database)
        .username(username)
        .password(&password.0)
        .ssl_mode(match ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name("millrace-operator")
        .options([
            ("timezone", "UTC"),
            ("search_path", "pg_catalog"),
            ("statement_timeout", "30s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]);
    if let Some(ca) = ca {
        options = options.ssl_root_cert_from_pem(ca.clone().into_bytes());
    }
    PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        .idle_timeout(Duration::from_secs(120))
        .max_lifetime(Duration::from_secs(1800))
        .connect_lazy_with(options)
}
