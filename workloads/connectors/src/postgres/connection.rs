//! The one connection of a worker, and the settings of its session.

use millrace_contract::{
    catalog::ROLE_SETTINGS,
    connection::{PostgresConnection, SslMode},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

/// Every statement of a worker goes by an index: a plan made while a table was empty must not scan it when it is large.
const SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                       SET enable_mergejoin = off; SET jit = off; SET work_mem = '16MB'";

/// Opens a connection. `name` is shown in `pg_stat_activity`.
pub async fn connect(connection: &PostgresConnection, name: &str) -> Result<PgConnection, sqlx::Error> {
    let PostgresConnection { host, port, database, username, password, ssl_mode, ca } = connection;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(*port)
        .database(database)
        .username(username)
        .password(&password.0)
        .application_name(name)
        .ssl_mode(match ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(ca) = ca {
        options = options.ssl_root_cert_from_pem(ca.as_bytes().to_vec());
    }
    let mut session = options.connect().await?;
    session.execute(SESSION).await?;
    // The role has them too; a role made by hand may not.
    for (setting, value) in ROLE_SETTINGS {
        session.execute(AssertSqlSafe(format!("SET {setting} = '{value}'"))).await?;
    }
    Ok(session)
}
