//! A child process that ends with its parent, however the parent ends.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A program that runs until this value is dropped or this process is gone.
///
/// A shell between the two waits for the end of its own standard input, whose other end only this process holds; the
/// kernel closes that end for a process that was killed, too.
pub struct Tethered {
    shell: Child,
    tether: Option<ChildStdin>,
}

const SHELL: &str = r#"
exec 3<&0
"$@" </dev/null & program=$!
( cat <&3 >/dev/null; kill -9 $program 2>/dev/null ) & tether=$!
exec 3<&-
wait $program; code=$?
kill -9 $tether 2>/dev/null
exit $code
"#;

impl Tethered {
    /// Starts `program`; what it prints goes to the file `log`.
    pub fn start(program: &Path, arguments: &[String], log: &Path) -> io::Result<Tethered> {
        let output = File::create(log)?;
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let tether = shell.stdin.take();
        Ok(Tethered { shell, tether })
    }

    /// The exit status as text, when the program has ended by itself.
    pub fn ended(&mut self) -> Option<String> {
        match self.shell.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Drop for Tethered {
    fn drop(&mut self) {
        drop(self.tether.take());
        // An error here means that the shell is gone already, which is what is wanted.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn is_running(pid: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn the_program_ends_with_the_value_that_holds_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let script = "echo $$; exec sleep 600".to_string();
        let tethered = Tethered::start(Path::new("sh"), &["-c".into(), script], &log).expect("sh starts");
        let pid = loop {
            match std::fs::read_to_string(&log).expect("the log").trim().parse() {
                Ok(pid) => break pid,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(is_running(pid));
        drop(tethered);
        assert!(!is_running(pid), "process {pid} still runs");
    }

    #[test]
    fn a_program_that_ends_by_itself_is_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let arguments = ["-c".to_string(), "exit 7".to_string()];
        let mut tethered = Tethered::start(Path::new("sh"), &arguments, &log).expect("sh starts");
        let status = loop {
            match tethered.ended() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert_eq!(status, "exit status: 7");
    }
}
