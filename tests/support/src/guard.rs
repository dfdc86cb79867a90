//! A guard: a small process that outlives the test process, then ends its servers and removes their files.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// Owns a temporary directory and what runs in it. Tests are killed, time out and panic, and statics are
/// never dropped: so it is a process of its own that cleans up, when the pipe to it closes.
pub(crate) struct Guard {
    directory: PathBuf,
    pipe: Option<ChildStdin>,
    process: Child,
}

/// Each file in `processes` is named by a process id and holds the signal that ends it in good order.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
cat >/dev/null
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
        let name = format!("millrace-{kind}-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("processes"))?;
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "millrace-guard"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Guard { directory, pipe, process })
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
        drop(self.pipe.take());
        // A guard that is gone already leaves nothing to wait for.
        let _ = self.process.wait();
    }
}
