//! The world that views and apps are in: the only IO of the operator.
//!
//! It looks, does what it is told, and reports. It makes no choices: an action is done as planned, or refused when what
//! it was planned for is no longer so.

mod apps;
pub mod cluster;
pub mod connections;
pub mod kafka;
pub mod lease;
pub mod postgres;
pub mod real;

use crate::{
    app,
    view::{self, event::Event, trouble::Trouble},
};
use millrace_crds::{MaterializedViewStatus, StreamAppStatus};
use std::fmt;

/// A kind of resource: what is asked for, what is seen, what is done and what is said of it.
pub trait Kind {
    type Desired: Send + Sync;
    type Observed: Send;
    type Action: fmt::Display + Send + Sync;
    type Status: Send + Sync;

    /// Namespace and name of the resource.
    fn name(desired: &Self::Desired) -> String;

    /// What an event says of an action that is done.
    fn event(action: &Self::Action) -> Option<Event>;
}

/// MaterializedViews.
#[derive(Debug)]
pub struct Views;

impl Kind for Views {
    type Desired = view::desired::Desired;
    type Observed = view::observed::Observed;
    type Action = view::action::Action;
    type Status = MaterializedViewStatus;

    fn name(desired: &Self::Desired) -> String {
        desired.identity.name.to_string()
    }

    fn event(action: &Self::Action) -> Option<Event> {
        action.event()
    }
}

/// StreamApps.
#[derive(Debug)]
pub struct Apps;

impl Kind for Apps {
    type Desired = app::desired::Desired;
    type Observed = app::observed::Observed;
    type Action = app::action::Action;
    type Status = StreamAppStatus;

    fn name(desired: &Self::Desired) -> String {
        desired.identity.name.to_string()
    }

    fn event(action: &Self::Action) -> Option<Event> {
        action.event()
    }
}

pub trait World<K: Kind = Views> {
    /// One look at everything that planning for the resource needs. What cannot be asked is said to be unknown.
    fn observe(&self, desired: &K::Desired) -> impl Future<Output = K::Observed> + Send;

    fn perform(
        &self,
        desired: &K::Desired,
        action: &K::Action,
    ) -> impl Future<Output = Result<Performed, Trouble>> + Send;

    fn report(
        &self,
        desired: &K::Desired,
        report: &Report<K::Status>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
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
#[derive(Debug, Clone)]
pub struct Report<S = MaterializedViewStatus> {
    /// None: the status is as it was.
    pub status: Option<S>,
    pub events: Vec<Event>,
}
