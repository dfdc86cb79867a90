//! A temporary Postgres: a fresh cluster on a free loopback port, UTF8 with locale C.UTF-8, gone with the test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    guard::Guard,
    ports::free_ports,
    server::{Server, run},
};

const PASSWORD: &str = "millrace-test";

pub struct TemporaryPostgres {
    port: u16,
    binaries: PathBuf,
    account: Option<Account>,
    server: Option<Server>,
    guard: Guard,
}

/// A database that belongs to a role which may create roles and is no superuser: what the operator is given.
#[derive(Clone, Debug)]
pub struct OwnedDatabase {
    pub uri: String,
    pub superuser_uri: String,
    pub role: String,
    pub password: String,
    pub name: String,
    pub port: u16,
}

/// Postgres refuses to run as root; then it runs as the account that the package made.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl TemporaryPostgres {
    /// A new empty database on the server that all tests of this process share, as superuser.
    pub async fn database() -> String {
        TemporaryPostgres::shared().await.new_database().await
    }

    /// A new empty database on the shared server, owned by a new role with CREATEROLE that is no superuser.
    pub async fn owned_database() -> OwnedDatabase {
        TemporaryPostgres::shared().await.new_owned_database().await
    }

    /// The server that all tests of this process share, started when it is first asked for.
    pub async fn shared() -> &'static TemporaryPostgres {
        static SHARED: OnceLock<TemporaryPostgres> = OnceLock::new();
        tokio::task::spawn_blocking(|| SHARED.get_or_init(TemporaryPostgres::start))
            .await
            .expect("the shared Postgres starts")
    }

    /// A server of the caller's own, for tests that kill, stop or restart it; ended when dropped. Blocks.
    pub fn start() -> TemporaryPostgres {
        let mut failures = Vec::new();
        for _ in 0..3 {
            match TemporaryPostgres::try_start() {
                Ok(postgres) => return postgres,
                Err(failure) => failures.push(failure),
            }
        }
        panic!("a temporary Postgres cannot be started:\n{}", failures.join("\n"));
    }

    fn try_start() -> Result<TemporaryPostgres, String> {
        let binaries = find_binaries()?;
        let account = find_account()?;
        let guard =
            Guard::start("postgres").map_err(|error| format!("a temporary directory cannot be made: {error}"))?;
        let [port] = free_ports();
        let directory = guard.directory().to_path_buf();
        let password_file = directory.join("password");
        std::fs::write(&password_file, PASSWORD).map_err(|error| error.to_string())?;
        if let Some(account) = account {
            for path in [&directory, &password_file] {
                std::os::unix::fs::chown(path, Some(account.user), Some(account.group))
                    .map_err(|error| format!("{} cannot be given to postgres: {error}", path.display()))?;
            }
        }
        let mut initialise = command(&binaries.join("initdb"), account);
        initialise
            .arg("--pgdata")
            .arg(directory.join("data"))
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        run(initialise)?;
        let mut postgres = TemporaryPostgres { port, binaries, account, server: None, guard };
        postgres.launch()?;
        Ok(postgres)
    }

    fn launch(&mut self) -> Result<(), String> {
        let directory = self.guard.directory();
        let mut postgres = command(&self.binaries.join("postgres"), self.account);
        postgres.arg("-D").arg(directory.join("data"));
        for setting in [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", directory.display()),
            "timezone=UTC".to_owned(),
            "max_connections=300".to_owned(),
            "shared_buffers=128MB".to_owned(),
            "max_wal_size=2GB".to_owned(),
            // The files are thrown away: they need to survive a killed server, not a lost machine.
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
        ] {
            postgres.arg("-c").arg(setting);
        }
        let mut server = Server::start(&self.guard, "postgres", "QUIT", postgres)
            .map_err(|error| format!("postgres cannot be run: {error}"))?;
        let start = Instant::now();
        loop {
            if let Some(ending) = server.ended() {
                self.guard.forget(server.pid());
                return Err(format!("postgres {ending}"));
            }
            let mut ready = Command::new(self.binaries.join("pg_isready"));
            ready.args(["--host=127.0.0.1", "--quiet", "--port"]).arg(self.port.to_string());
            if run(ready).is_ok() {
                self.server = Some(server);
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(60) {
                let tail = server.log_tail();
                server.end(&self.guard, libc::SIGKILL, Duration::from_secs(5));
                return Err(format!("postgres was not ready after 60 s; its log ends with:\n{tail}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id of the postmaster; none while the server is down.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    /// The superuser's URI of database `postgres`.
    pub fn superuser_uri(&self) -> String {
        self.uri("postgres", PASSWORD, "postgres")
    }

    pub async fn new_database(&self) -> String {
        let name = unused_name("test");
        self.execute(&[format!("CREATE DATABASE {name}")]).await;
        self.uri("postgres", PASSWORD, &name)
    }

    pub async fn new_owned_database(&self) -> OwnedDatabase {
        let name = unused_name("test");
        let role = unused_name("owner");
        self.execute(&[
            format!("CREATE ROLE {role} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"),
            format!("CREATE DATABASE {name} OWNER {role}"),
        ])
        .await;
        OwnedDatabase {
            uri: self.uri(&role, PASSWORD, &name),
            superuser_uri: self.uri("postgres", PASSWORD, &name),
            password: PASSWORD.to_owned(),
            port: self.port,
            role,
            name,
        }
    }

    async fn execute(&self, statements: &[String]) {
        let mut connection =
            PgConnection::connect(&self.superuser_uri()).await.expect("the temporary Postgres accepts connections");
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement.as_str()))
                .execute(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        connection.close().await.expect("the connection closes");
    }

    fn uri(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Kills the postmaster with −9, as a crash would. [`TemporaryPostgres::restart`] recovers it.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.end(&self.guard, libc::SIGKILL, Duration::from_secs(5));
        }
    }

    /// Starts it again on the same port with the same data, after a fast shutdown when it still runs.
    pub fn restart(&mut self) {
        if let Some(server) = self.server.take() {
            server.end(&self.guard, libc::SIGINT, Duration::from_secs(30));
        }
        // Backends of a killed postmaster may hold its shared memory for a moment.
        let start = Instant::now();
        while let Err(failure) = self.launch() {
            assert!(start.elapsed() < Duration::from_secs(30), "Postgres does not come back: {failure}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for TemporaryPostgres {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.end(&self.guard, libc::SIGQUIT, Duration::from_secs(10));
        }
    }
}

/// Unused on every server, so that what is named by it is nobody else's on servers that are shared.
fn unused_name(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn command(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        std::os::unix::process::CommandExt::uid(&mut command, account.user);
        std::os::unix::process::CommandExt::gid(&mut command, account.group);
    }
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

/// Version 15 first, which the images have; otherwise the newest that is installed.
fn find_binaries() -> Result<PathBuf, String> {
    let mut versions: Vec<u32> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_by_key(|version| (*version != 15, std::cmp::Reverse(*version)));
    let installed = versions.iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed.chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists()).ok_or_else(|| {
        "no initdb in /usr/lib/postgresql/*/bin nor in PATH; expected PostgreSQL 15: apt-get install postgresql-15"
            .to_owned()
    })
}

fn find_account() -> Result<Option<Account>, String> {
    // SAFETY: geteuid touches no memory and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(None);
    }
    let ask = |flag: &str| {
        let output = Command::new("id").args([flag, "postgres"]).output().map_err(|error| format!("id: {error}"))?;
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().map_err(|_| {
            "user postgres does not exist; Postgres refuses to run as root: apt-get install postgresql-15".to_owned()
        })
    };
    Ok(Some(Account { user: ask("-u")?, group: ask("-g")? }))
}
