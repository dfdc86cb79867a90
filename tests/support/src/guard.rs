//! A guard: a small process that outlives the test process, then ends its servers and removes their files.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Owns a temporary directory and what runs in it. Tests are killed, time out and panic, and statics are
/// never dropped: so it is a process of its own that cleans up, when the pipe to it closes.
pub(crate) struct Guard {
    directory: PathBuf,
    /// Ends with the pipe that is its input; none where the guard is a whole run's.
    process: Option<Child>,
}

/// Each file in `processes` is named by a process id and holds the signal that ends it in good order. A second argument
/// is the folder of a run of many test programs, whose file `runner` holds the process id of the one that began it.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
if [ -n "$2" ]; then
    while [ -e "$2/runner" ] && kill -s 0 "$(cat "$2/runner")"; do sleep 0.5; done
else
    cat
fi >/dev/null 2>&1
for file in "$1"/processes/*; do
    [ -e "$file" ] || continue
    pid=$(basename "$file")
    kill -s "$(cat "$file")" "$pid" 2>/dev/null
    kill -s CONT "$pid" 2>/dev/null
done
for file in "$1"/processes/*; do
    [ -e "$file" ] || continue
    pid=$(basename "$file")
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -s 0 "$pid" 2>/dev/null || break
        sleep 0.25
    done
    kill -s KILL "$pid" 2>/dev/null
done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

impl Guard {
    /// Makes a directory below the system's temporary one and sets a guard beside it.
    pub(crate) fn start(kind: &str) -> io::Result<Guard> {
        Guard::until(kind, None)
    }

    /// One that stays for as long as the run goes on, whatever becomes of this process.
    pub(crate) fn of_run(kind: &str, run: &Path) -> io::Result<Guard> {
        let mut guard = Guard::until(kind, Some(run))?;
        guard.process = None;
        Ok(guard)
    }

    /// None of one's own: others have set one.
    pub(crate) fn of_others(directory: &Path) -> Guard {
        Guard { directory: directory.to_path_buf(), process: None }
    }

    fn until(kind: &str, run: Option<&Path>) -> io::Result<Guard> {
        let name = format!("millrace-{kind}-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("processes"))?;
        let process = Command::new("sh")
            .args(["-c", SCRIPT, "millrace-guard"])
            .arg(&directory)
            .args(run)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        Ok(Guard { directory, process: Some(process) })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn watch(&self, pid: u32, signal: &str) -> io::Result<()> {
        fs::write(self.file(pid), signal)
    }

    pub(crate) fn forget(&self, pid: u32) {
        // Nothing to forget is as good as forgotten.
        let _ = fs::remove_file(self.file(pid));
    }

    fn file(&self, pid: u32) -> PathBuf {
        self.directory.join("processes").join(pid.to_string())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Closes the pipe first. A guard that is gone already leaves nothing to wait for.
            let _ = process.wait();
        }
    }
}
