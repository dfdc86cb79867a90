//! A child process: its output goes to a log or comes back as text, and a failure says what was run and how it ended.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

#[must_use = "an invocation does nothing until it is run"]
pub struct Invocation {
    command: Command,
    shown: String,
    limit: Option<Duration>,
    input: Option<Vec<u8>>,
}

impl Invocation {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let shown = Path::new(program).file_name().unwrap_or(program);
        Self { shown: shown.to_string_lossy().into_owned(), command: Command::new(program), limit: None, input: None }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(' ');
        self.shown.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// The child is killed, and the run fails, when it takes longer.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Output is appended to the log, and every line of standard output is shown to `watch` as it comes.
    pub fn run_logged(mut self, log: &Path, mut watch: impl FnMut(&str)) -> Result<()> {
        let mut file = open_log(log)?;
        writeln!(file, "$ {}", self.shown).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share the log with the child")?;
        self.command.stdout(Stdio::piped()).stderr(errors);
        let mut child = self.spawn()?;
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        let output = child.stdout.take();
        let (lines, received) = std::sync::mpsc::channel::<String>();
        let reader = thread::spawn(move || -> std::io::Result<()> {
            let Some(output) = output else { return Ok(()) };
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line)? > 0 {
                file.write_all(&line)?;
                // Nobody listens any more once the child was killed for being late.
                let _ = lines.send(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
            Ok(())
        });
        let status = wait(&mut child, deadline, || {
            while let Ok(line) = received.try_recv() {
                watch(&line);
            }
        })?;
        // What the child wrote last is still to be read; a daemon that it left behind may hold the pipe open for ever.
        let patience = Instant::now() + Duration::from_secs(5);
        while !reader.is_finished() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        if reader.is_finished() {
            reader.join().ok().transpose().context("cannot copy the child's output to its log")?;
        }
        received.try_iter().for_each(|line| watch(&line));
        self.judge(status).map_err(|error| with_tail(error, log))
    }

    /// Standard output as text; what the child said against itself is part of the failure.
    pub fn output(mut self) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn()?;
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        let output = read_aside(child.stdout.take());
        let errors = read_aside(child.stderr.take());
        let status = wait(&mut child, deadline, || {})?;
        if status.is_none() {
            self.judge(None)?;
        }
        let output = output.join().unwrap_or_default();
        let errors = errors.join().unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        // Some programs say on standard output why they failed.
        let said = if text(&errors).is_empty() { text(&output) } else { text(&errors) };
        self.judge(status).map_err(|error| if said.is_empty() { error } else { error.context(said) })?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Standard output as text; standard error goes to the log, whose end is part of the failure.
    pub fn output_logging_errors(mut self, log: &Path) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(open_log(log)?);
        let mut child = self.spawn()?;
        let output = read_aside(child.stdout.take());
        let status = wait(&mut child, None, || {})?;
        let output = output.join().unwrap_or_default();
        self.judge(status).map_err(|error| with_tail(error, log))?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// True when the program exists, ends in time and ends well.
    pub fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        self.spawn()
            .and_then(|mut child| wait(&mut child, deadline, || {}))
            .is_ok_and(|status| status.is_some_and(|status| status.success()))
    }

    /// The child shares this program's terminal.
    pub fn run_in_front(mut self) -> Result<()> {
        let mut child = self.spawn()?;
        let status = wait(&mut child, None, || {})?;
        self.judge(status)
    }

    /// A child that outlives this program, with its output in the log.
    pub fn leave_running(mut self, log: &Path) -> Result<()> {
        use std::os::unix::process::CommandExt;
        let file = open_log(log)?;
        let errors = file.try_clone().context("cannot share the log with the child")?;
        self.command.stdout(file).stderr(errors).stdin(Stdio::null()).process_group(0);
        self.spawn().map(drop)
    }

    fn spawn(&mut self) -> Result<Child> {
        self.command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn().with_context(|| format!("cannot start `{}`", self.shown))?;
        if let (Some(bytes), Some(mut input)) = (self.input.take(), child.stdin.take()) {
            // A child that ends before it has read everything is judged by its exit status.
            thread::spawn(move || input.write_all(&bytes));
        }
        Ok(child)
    }

    fn judge(&self, status: Option<ExitStatus>) -> Result<()> {
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("`{}` ended with {status}", shortened(&self.shown)),
            None => bail!(
                "`{}` was stopped after {} s without an end",
                shortened(&self.shown),
                self.limit.unwrap_or_default().as_secs()
            ),
        }
    }
}

/// `None` when the deadline passed and the child was killed.
fn wait(child: &mut Child, deadline: Option<Instant>, mut idle: impl FnMut()) -> Result<Option<ExitStatus>> {
    loop {
        idle();
        if let Some(status) = child.try_wait().context("cannot wait for a child process")? {
            idle();
            return Ok(Some(status));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            child.kill().context("cannot end a child process that takes too long")?;
            child.wait().context("cannot wait for a killed child process")?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn read_aside(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What could be read is what there is to show.
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn open_log(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open the log {}", log.display()))
}

/// Empties a log, so that what a step says at its end is about this run.
pub fn begin_log(log: &Path) -> Result<PathBuf> {
    File::create(log).with_context(|| format!("cannot write the log {}", log.display()))?;
    Ok(log.to_path_buf())
}

fn with_tail(error: anyhow::Error, log: &Path) -> anyhow::Error {
    match tail(log, 12) {
        Ok(lines) if !lines.is_empty() => anyhow::anyhow!("{error:#}; the log ends with\n{}", indent(&lines)),
        Ok(_) | Err(_) => error,
    }
}

/// The last lines of a log.
pub fn tail(log: &Path, lines: usize) -> Result<String> {
    let bytes = std::fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

/// Indented, each line cut to what a terminal can show in a few rows: the log has the rest.
pub fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {}", shortened(line))).collect::<Vec<_>>().join("\n")
}

fn shortened(line: &str) -> String {
    const LONGEST: usize = 400;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_failure_names_the_command_its_end_and_what_it_said() {
        let error = Invocation::new("sh").args(["-c", "echo 없음 >&2; exit 3"]).output().unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("없음") && text.contains("exit status: 3") && text.contains("`sh -c"), "{text}");
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended() {
        let started = Instant::now();
        let error = Invocation::new("sleep").arg("60").limit(Duration::from_millis(100)).output().unwrap_err();
        assert!(format!("{error:#}").contains("was stopped"), "{error:#}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn every_line_is_shown_as_it_comes_and_kept_in_the_log() {
        let log = scratch("lines.log");
        let mut shown = Vec::new();
        Invocation::new("printf").arg("하나\ntwo\n").run_logged(&log, |line| shown.push(line.to_owned())).unwrap();
        assert_eq!(shown, ["하나", "two"]);
        assert!(std::fs::read_to_string(&log).unwrap().contains("\n하나\ntwo\n"));
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn the_last_words_of_a_child_that_fails_are_kept() {
        let log = scratch("words.log");
        let many = "for n in $(seq 20000); do echo line $n; done; exit 1";
        let error = Invocation::new("sh").args(["-c", many]).run_logged(&log, |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("line 20000"), "{error:#}");
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_daemon_that_a_child_leaves_behind_does_not_hold_the_caller() {
        let log = scratch("daemon.log");
        let started = Instant::now();
        Invocation::new("sh").args(["-c", "sleep 30 & echo started"]).run_logged(&log, |_| {}).unwrap();
        assert!(started.elapsed() < Duration::from_secs(20));
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn input_reaches_the_child() {
        assert_eq!(Invocation::new("cat").input("홍길동").output().unwrap(), "홍길동");
    }
}
