//! A worker as a process of its own, with its log in a file that a failing test shows.

use super::Scene;
use std::{
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

pub struct Process {
    child: Child,
    port: u16,
    pod: String,
    log: tempfile::NamedTempFile,
}

impl Process {
    pub fn start(scene: &Scene, pod: &str, environment: &[(&str, &str)]) -> Process {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let log = tempfile::NamedTempFile::new().expect("a file for the log");
        let output: File = log.reopen().expect("the file opens");
        let postgres = scene.stored.connection();
        let child = Command::new(env!("CARGO_BIN_EXE_millrace-worker"))
            .env_clear()
            .envs([
                ("MILLRACE_NAMESPACE", scene.stored.namespace.as_str()),
                ("MILLRACE_VIEW", scene.stored.view.as_str()),
                ("MILLRACE_REVISION", scene.stored.revision.as_str()),
                ("POD_NAME", pod),
                ("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", scene.kafka.as_str()),
                ("MILLRACE_POSTGRES_HOST", postgres.host.as_str()),
                ("MILLRACE_POSTGRES_DATABASE", postgres.database.as_str()),
                ("MILLRACE_POSTGRES_USERNAME", postgres.username.as_str()),
                ("MILLRACE_POSTGRES_PASSWORD", postgres.password.0.as_str()),
                ("MILLRACE_LOG", "info,millrace_worker=debug"),
            ])
            .env("MILLRACE_POSTGRES_PORT", postgres.port.to_string())
            .env("MILLRACE_LISTEN", format!("127.0.0.1:{port}"))
            // A fault given to the tests is given to every worker: that is how each is shown to be noticed.
            .envs(std::env::var("MILLRACE_FAULT").map(|fault| ("MILLRACE_FAULT", fault)))
            .envs(environment.iter().copied())
            .stdout(output.try_clone().expect("the file is shared"))
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()
            .expect("the worker starts");
        Process { child, port, pod: pod.to_owned(), log }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our child and not yet waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Kills it with −9 and waits until it is gone.
    pub fn kill(mut self) {
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }

    /// Tells it to end, and waits for that.
    pub fn end(mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait(Duration::from_secs(10)).expect("the worker ends when it is told to")
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// GET of a probe or of the metrics: status code and body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// One number of the metrics, by its name and, if it has several, by a label.
    pub fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics")?;
        let found = text.lines().find(|line| line.starts_with(name) && line.contains(label))?;
        found.rsplit(' ').next()?.parse().ok()
    }

    /// Processor time of user and system, from `/proc`.
    pub fn cpu_seconds(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = text.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        // SAFETY: sysconf only reads.
        ticks / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of the log of {}:", self.pod);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
