//! A stage of work that a person waits for: its name, the time it takes, its log, and the likely mend when it fails.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::checkout::Checkout;
use crate::invocation::begin_log;

pub struct Stage {
    title: &'static str,
    log: PathBuf,
    started: Instant,
    spinner: ProgressBar,
}

impl Stage {
    /// Runs `work` as one stage. What it returns beside its value is said on the stage's closing line.
    pub fn run<T>(
        checkout: &Checkout,
        title: &'static str,
        mend: &str,
        work: impl FnOnce(&Stage) -> Result<(T, String)>,
    ) -> Result<T> {
        let stage = Self::begin(checkout, title)?;
        match work(&stage) {
            Ok((value, said)) => {
                stage.close("done", &said);
                Ok(value)
            }
            Err(error) => {
                stage.close("FAILED", "");
                Err(stage.failure(error, mend))
            }
        }
    }

    fn begin(checkout: &Checkout, title: &'static str) -> Result<Self> {
        let spinner = if std::io::stderr().is_terminal() {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>5}  {prefix}  {wide_msg}") {
                spinner.set_style(style);
            }
            spinner.set_prefix(title);
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        } else {
            ProgressBar::hidden()
        };
        let log = begin_log(&checkout.log(&title.replace(' ', "-")))?;
        Ok(Self { title, log, started: Instant::now(), spinner })
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What the stage is doing now: on the spinner, or a line of its own where there is no terminal.
    pub fn say(&self, what: &str) {
        if self.spinner.is_hidden() {
            println!("{:>7.1} s  {}: {what}", self.started.elapsed().as_secs_f64(), self.title);
        } else {
            self.spinner.set_message(what.to_owned());
        }
    }

    fn close(&self, end: &str, said: &str) {
        self.spinner.finish_and_clear();
        let separator = if said.is_empty() { "" } else { ": " };
        println!("{:>7.1} s  {} {end}{separator}{said}", self.started.elapsed().as_secs_f64(), self.title);
    }

    fn failure(&self, error: Error, mend: &str) -> Error {
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        Error::msg(format!(
            "{} failed\n  {}\n  log:  {}\n  mend: {mend}",
            self.title,
            chain.join("\n  "),
            self.log.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_stage_names_its_log_and_the_mend() {
        let checkout = Checkout::find().unwrap();
        let error = Stage::run::<()>(&checkout, "a test stage", "plug it in", |_| anyhow::bail!("전원 없음"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("a test stage failed") && error.contains("전원 없음"), "{error}");
        assert!(error.contains("a-test-stage.log") && error.contains("mend: plug it in"), "{error}");
    }
}
