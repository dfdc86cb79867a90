//! The world that views are in: the only IO of the operator.
//!
//! It looks, does what it is told, and reports. It makes no choices: an action is done as planned, or refused when what
//! it was planned for is no longer so.

pub mod cluster;
pub mod connections;
pub mod kafka;
pub mod lease;
pub mod postgres;
pub mod real;

use crate::view::{action::Action, desired::Desired, event::Event, observed::Observed, trouble::Trouble};
use millrace_crds::MaterializedViewStatus;

pub trait World {
    /// One look at everything that planning for the view needs. What cannot be asked is said to be unknown.
    fn observe(&self, desired: &Desired) -> impl Future<Output = Observed> + Send;

    fn perform(&self, desired: &Desired, action: &Action) -> impl Future<Output = Result<Performed, Trouble>> + Send;

    fn report(&self, desired: &Desired, report: &Report) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// How an action ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Performed {
    Done,
    /// What it was planned for is not so, or is not so yet; nothing was changed.
    NotYet(String),
}

/// What people are told of a round.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// None: the status is as it was.
    pub status: Option<MaterializedViewStatus>,
    pub events: Vec<Event>,
}
