//! The page: what would become of a manifest, as people read it.

use super::{
    action::{Action, Owner},
    desired::Desired,
    figures::count,
    forecast::{Forecast, LISTED, Reading},
    plan::Plan,
    spec::PAUSE,
    trouble::Trouble,
};
use millrace_crds::Verdict;
use std::fmt::Write;

/// `forecast` is that of the rollout, if there would be one; `refusals` is why there would be none.
pub fn page(
    desired: &Desired,
    verdict: Verdict,
    forecast: Option<&Forecast>,
    plan: &Plan,
    refusals: &[Trouble],
) -> String {
    let mut page = Page(format!("{}: {}\n", desired.identity.name, headline(verdict)));
    if let Some(forecast) = forecast {
        page.say(&becomes(forecast));
        page.list("What changes", forecast.changes.iter().cloned());
        page.list("What it takes", forecast.takes(|number| number));
        if let Ok(reading) = &forecast.reading {
            page.table(reading);
        }
    }
    page.list("What speaks against it", refusals.iter().map(Trouble::to_string));
    let paused = format!("a person: the annotation {PAUSE} keeps the operator from doing anything");
    let waits = plan.waiting_on.iter().filter(|what| !refusals.iter().any(|refusal| refusal.message == **what));
    page.list("What it waits for", waits.chain(desired.paused.then_some(&paused)).cloned());
    page.list("What is done at once", plan.actions.iter().filter(|action| is_news(action)).map(Action::to_string));
    let others = plan.troubles.iter().filter(|trouble| !refusals.contains(trouble));
    page.list("What is wrong already", others.map(Trouble::to_string));
    page.0
}

/// In one line.
pub fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoRollout => "no rollout, the live revision is what this manifest asks for",
        Verdict::Rollout => "a rollout",
        Verdict::Refused => "refused",
    }
}

fn becomes(forecast: &Forecast) -> String {
    let next = &forecast.revision;
    match &forecast.live {
        Some(live) if forecast.in_place => {
            format!("Revision {next} would take the place of {live} at once and empty; readers see it fill.")
        }
        Some(live) => format!(
            "Revision {next} would be built beside {live}, which readers see until {next} is at or past it in every \
             partition."
        ),
        None => format!("Revision {next} would be the first; readers see it once it has read what there is."),
    }
}

/// Whether an action is something that people want to be told of before it is done, beside the rollout itself.
fn is_news(action: &Action) -> bool {
    !matches!(
        action,
        Action::CreateRevision(_)
            | Action::AddFinalizer
            | Action::MigrateCatalog
            | Action::ClaimView { from: Owner::NoRow, .. }
            | Action::ApplyLogin(_)
            | Action::SetPace { .. }
            | Action::NoteCaughtUp { .. }
            | Action::RestartSoak { .. }
            | Action::RunGates { .. }
            | Action::Hold { .. }
            | Action::ReleaseHolds
            | Action::Compare { .. }
    )
}

/// A text that is written from top to bottom.
struct Page(String);

impl Page {
    fn say(&mut self, sentence: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "\n{sentence}");
    }

    fn list(&mut self, title: &str, items: impl IntoIterator<Item = String>) {
        let items: Vec<String> = items.into_iter().collect();
        if items.is_empty() {
            return;
        }
        self.say(&format!("{title}:"));
        for item in items.iter().take(LISTED) {
            let _ = writeln!(self.0, "- {}", item.chars().take(1_000).collect::<String>());
        }
        self.more(items.len());
    }

    fn table(&mut self, reading: &Reading) {
        let mut lines = vec![["topic", "partition", "from", "to", "records", ""].map(str::to_owned)];
        lines.extend(reading.shares.iter().take(LISTED).map(|share| {
            [
                share.topic.clone(),
                share.partition.to_string(),
                share.from.to_string(),
                share.to.to_string(),
                count(share.records()),
                if share.cut_off { "cut off".to_owned() } else { String::new() },
            ]
        }));
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        self.0.push('\n');
        let [first, others @ ..] = widths;
        for [topic, numbers @ .., note] in &lines {
            let mut line = format!("{topic:<first$}");
            for (number, width) in numbers.iter().zip(others) {
                let _ = write!(line, "  {number:>width$}");
            }
            let _ = write!(line, "  {note}");
            let _ = writeln!(self.0, "{}", line.trim_end());
        }
        self.more(reading.shares.len());
    }

    fn more(&mut self, listed: usize) {
        if listed > LISTED {
            let _ = writeln!(self.0, "and {} more", listed - LISTED);
        }
    }
}
