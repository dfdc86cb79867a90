//! Progress of something long: a bar on a terminal, a plain line now and then elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    what: &'static str,
    total: u64,
    start: Instant,
    look: Look,
}

enum Look {
    Bar(ProgressBar),
    Lines { last: Instant },
}

const BETWEEN_LINES: Duration = Duration::from_secs(5);

impl Progress {
    pub fn new(what: &'static str, total: u64) -> Progress {
        let look = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            let template = "{msg:>10} [{bar:40}] {human_pos}/{human_len} {per_sec}, {eta} left";
            bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
            bar.set_message(what);
            Look::Bar(bar)
        } else {
            Look::Lines { last: Instant::now() }
        };
        Progress { what, total, start: Instant::now(), look }
    }

    pub fn set(&mut self, done: u64) {
        match &mut self.look {
            Look::Bar(bar) => bar.set_position(done),
            Look::Lines { last } if last.elapsed() >= BETWEEN_LINES => {
                *last = Instant::now();
                let seconds = self.start.elapsed().as_secs_f64();
                let (what, total) = (self.what, self.total);
                // Nobody reads a closed standard error.
                let _ = writeln!(
                    std::io::stderr(),
                    "{what} {done}/{total} after {seconds:.0} s, {:.0} a second",
                    done as f64 / seconds
                );
            }
            Look::Lines { .. } => {}
        }
    }

    pub fn finish(self) {
        match self.look {
            Look::Bar(bar) => bar.finish(),
            Look::Lines { .. } => {}
        }
    }
}
