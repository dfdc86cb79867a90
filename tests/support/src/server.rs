//! One server process of a test: started in its own process group, logged to a file, watched by a guard.

use std::{
    fs::{self, File},
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::guard::Guard;

pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// `ending` is the signal with which the guard ends it in good order.
    pub(crate) fn start(guard: &Guard, name: &str, ending: &str, mut command: Command) -> io::Result<Server> {
        let log = guard.directory().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        guard.watch(child.id(), ending)?;
        Ok(Server { child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote last, once it has ended; nothing while it runs.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("ended with {status}; its log ends with:\n{}", self.log_tail())),
            Err(error) => Some(format!("cannot be waited for: {error}")),
        }
    }

    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: kill touches no memory, and a child that was not yet waited for keeps its process id.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Sends the signal and waits until the process is gone; after `patience` it is killed.
    pub(crate) fn end(mut self, guard: &Guard, signal: i32, patience: Duration) {
        self.signal(signal);
        self.signal(libc::SIGCONT);
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > patience {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        guard.forget(self.child.id());
    }
}

/// Runs a command to its end; an error carries what it wrote.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let signal = output.status.signal().map(|number| format!(" (signal {number})")).unwrap_or_default();
    Err(format!(
        "{program} failed with {}{signal}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
