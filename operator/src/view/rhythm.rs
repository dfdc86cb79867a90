//! The rhythm of a resource's rounds: when to look again, and how often figures are written and warnings said.

use super::{event::Event, moment::Moment, status::Outcome, trouble::Trouble};
use std::{fmt, time::Duration};

/// Figures are written at most this often, and more often during a rollout or a replay.
const FIGURES_EVERY: Duration = Duration::from_secs(30);
const FIGURES_EVERY_WHILE_MOVING: Duration = Duration::from_secs(5);
/// A status that was written this long ago is in the watch by now.
const STATUS_IS_SEEN_AFTER: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A status, as far as the rhythm goes by it.
pub trait Shown: Clone + PartialEq {
    /// A rollout or a replay is going on.
    fn is_moving(&self) -> bool;

    /// Whether the two differ in nothing but figures, which are written less often.
    fn differs_in_figures_only(&self, next: &Self) -> bool;
}

/// What a round found and planned, as far as the rhythm goes by it.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a, A> {
    pub actions: &'a [A],
    pub troubles: &'a [Trouble],
    /// When to look again although nothing is known to have happened; none: at the next resync.
    pub look_again: Option<Duration>,
    pub outcome: &'a Outcome,
}

/// How often a resource is looked at although nothing is known to have happened.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    pub resync: Duration,
}

/// What is remembered of a resource between rounds; losing it costs a write or two and nothing else.
#[derive(Debug, Clone)]
pub struct Memory<S> {
    written: Option<(Moment, S)>,
    figures_at: Option<Moment>,
    /// Rounds in a row that ended alike: failed, waiting, or with the same actions done.
    repeats: u32,
    last: Option<Ending>,
    warned: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Ending {
    Quiet,
    Did(Vec<String>),
    Waited,
    Failed,
}

impl<S> Default for Memory<S> {
    fn default() -> Memory<S> {
        Memory { written: None, figures_at: None, repeats: 0, last: None, warned: Vec::new() }
    }
}

impl<S: Shown> Memory<S> {
    /// The status to go on from: the watch's, or a newer one that this process has written.
    pub fn status(&self, watched: Option<&S>) -> Option<S> {
        self.written.as_ref().map(|(_, status)| status).or(watched).cloned()
    }

    pub fn forget_status(&mut self) {
        self.written = None;
        self.figures_at = None;
    }

    /// `next`, when it is to be written now.
    pub fn due(&mut self, previous: &S, next: S, now: Moment) -> Option<S> {
        if *previous == next {
            // From here on the watch shows what is true, and what others may have made of it.
            if self.written.as_ref().is_some_and(|(at, _)| now.since(*at) > STATUS_IS_SEEN_AFTER) {
                self.written = None;
            }
            return None;
        }
        let every = if next.is_moving() { FIGURES_EVERY_WHILE_MOVING } else { FIGURES_EVERY };
        let rested = self.figures_at.is_none_or(|at| now.since(at) >= every);
        if previous.differs_in_figures_only(&next) && !rested {
            return None;
        }
        self.figures_at = Some(now);
        self.written = Some((now, next.clone()));
        Some(next)
    }

    /// Troubles that were not there in the round before, as events.
    pub fn warnings(&mut self, troubles: &[Trouble], outcome: &Outcome) -> Vec<Event> {
        let failed = match outcome {
            Outcome::Failed(trouble) => Some(trouble),
            Outcome::Done | Outcome::Waiting(_) => None,
        };
        let mut now = Vec::new();
        let mut events = Vec::new();
        for trouble in troubles.iter().chain(failed) {
            let reason = trouble.reason.as_str();
            if !self.warned.iter().chain(&now).any(|warned| warned == reason) {
                events.push(Event { warning: true, reason, message: trouble.message.clone() });
            }
            now.push(reason.to_owned());
        }
        self.warned = now;
        events
    }

    /// When to look again. `dice` is random: resources do not move in step.
    pub fn again<A: fmt::Display>(&mut self, rhythm: &Rhythm, round: Round<'_, A>, dice: u32) -> Duration {
        let ending = match round.outcome {
            Outcome::Failed(_) => Ending::Failed,
            Outcome::Waiting(_) => Ending::Waited,
            Outcome::Done if round.actions.is_empty() => Ending::Quiet,
            Outcome::Done => Ending::Did(round.actions.iter().map(ToString::to_string).collect()),
        };
        self.repeats = if self.last.as_ref() == Some(&ending) { self.repeats.saturating_add(1) } else { 0 };
        let doubling =
            |first: Duration, longest: Duration| first.saturating_mul(1 << self.repeats.min(16)).min(longest);
        let pause = match &ending {
            Ending::Failed => doubling(Duration::from_millis(500), LONGEST_PAUSE),
            Ending::Waited => doubling(Duration::from_millis(50), Duration::from_secs(2)),
            // Done once, the next look finds it done; done again and again, something undoes it.
            Ending::Did(_) if self.repeats == 0 => Duration::ZERO,
            Ending::Did(_) => doubling(Duration::from_millis(100), LONGEST_PAUSE),
            Ending::Quiet if round.troubles.iter().any(Trouble::heals) => {
                doubling(Duration::from_secs(1), LONGEST_PAUSE)
            }
            Ending::Quiet => rhythm.resync,
        };
        let pause = match (round.look_again, &ending) {
            (Some(look_again), Ending::Quiet | Ending::Did(_)) => pause.min(look_again),
            (Some(_) | None, _) => pause,
        };
        self.last = Some(ending);
        // Between 80 and 100 percent: never later than promised.
        pause.mul_f64(0.8 + 0.2 * f64::from(dice) / f64::from(u32::MAX)).min(rhythm.resync.max(LONGEST_PAUSE))
    }
}
