//! A Postgres of values: the catalog, the schemas, the relation that readers query, and readers with open snapshots.

use crate::{
    addresses::postgres_address,
    comparisons,
    decisions::{answer, decide, note_built},
    rows::{progress_of, row_of},
    standby,
};
use millrace_contract::{Plan, revision::RevisionState};
use millrace_crds::Reason;
use millrace_operator::view::{
    action::{Action, Owner},
    desired::Desired,
    known::Known,
    moment::Moment,
    name::Revision,
    observed::{AcceptedReplay, Catalog, RevisionRow, TargetState, ViewRow},
    shown::{Column, Shown, appended_columns, columns},
    trouble::Trouble,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Debug, Clone, Default)]
pub struct SimulatedPostgres {
    pub catalog_id: Option<String>,
    pub view: Option<ViewRow>,
    /// The relation that readers query: its columns.
    pub relation: Option<Vec<Column>>,
    pub schemas: BTreeSet<Revision>,
    pub granted: BTreeSet<String>,
    /// Counts transactions that changed something.
    pub transactions: u64,
    pub cut_over_at: Option<u64>,
    pub readers: Vec<Reader>,
    /// How often the owners of a revision's tasks were raised.
    pub fences: u64,
    /// No assertion passes.
    pub says_no: bool,
    catalogs: u32,
}

/// A reader inside a REPEATABLE READ transaction.
#[derive(Debug, Clone)]
pub struct Reader {
    pub snapshot: u64,
    /// What was live when the snapshot was taken.
    pub live: Option<Revision>,
    /// It has read, and so holds the relation open.
    pub holds: bool,
}

pub enum Answer {
    Done,
    NotYet,
}

impl SimulatedPostgres {
    pub fn observe(&self, desired: &Desired, hidden: bool) -> Known<Catalog> {
        if hidden {
            return Known::Unknown(Trouble::sink(Reason::PostgresUnreachable, "Postgres does not answer"));
        }
        let Some(id) = &self.catalog_id else { return Known::Absent };
        let mut view = self.view.clone();
        if let Some(view) = &mut view {
            view.old_snapshots = self.old_snapshots();
        }
        let ours = view.as_ref().is_some_and(|view| view.shown != Shown::Nothing);
        Known::Present(Catalog {
            version: millrace_contract::catalog::CATALOG_VERSION,
            id: id.clone(),
            address: postgres_address(),
            target: match &self.relation {
                None => TargetState::Free,
                Some(_) if ours => TargetState::Ours,
                Some(_) => TargetState::Foreign("table".into()),
            },
            target_columns: self.relation.clone().unwrap_or_default(),
            dependants: BTreeMap::new(),
            granted_readers: self.granted.clone(),
            missing_readers: desired.readers.iter().filter(|reader| *reader == "nobody").cloned().collect(),
            view,
        })
    }

    pub fn old_snapshots(&self) -> bool {
        self.cut_over_at.is_some_and(|cut_over| self.readers.iter().any(|reader| reader.snapshot < cut_over))
    }

    /// The database is emptied; readers see an error and go.
    pub fn empty(&mut self) {
        let (catalogs, says_no) = (self.catalogs, self.says_no);
        *self = SimulatedPostgres { catalogs, says_no, ..SimulatedPostgres::default() };
    }

    pub fn set_password(&mut self, digest: String) {
        if let Some(view) = &mut self.view {
            view.password_digest = Some(digest);
        }
    }

    /// Does the action as the real one does: under the view row's lock, when what it was planned for is still so.
    pub fn perform(&mut self, desired: &Desired, action: &Action, now: Moment) -> Answer {
        self.transactions += 1;
        let uid = Some(desired.identity.uid.clone());
        match action {
            Action::MigrateCatalog => {
                if self.catalog_id.is_none() {
                    self.catalogs += 1;
                    self.catalog_id = Some(format!("catalog-{}", self.catalogs));
                }
                return Answer::Done;
            }
            Action::ClaimView { target, from } => {
                if self.catalog_id.is_none() {
                    return Answer::NotYet;
                }
                match (&mut self.view, from) {
                    (view @ None, Owner::NoRow) => {
                        *view = Some(ViewRow {
                            uid,
                            target: target.clone(),
                            role: desired.identity.name.role("catalog"),
                            ..ViewRow::default()
                        });
                    }
                    (Some(view), Owner::Nobody) if view.uid.is_none() => view.uid = uid,
                    (Some(view), Owner::Gone(other)) if view.uid.as_ref() == Some(other) => view.uid = uid,
                    _ => return Answer::NotYet,
                }
                return Answer::Done;
            }
            _ => {}
        }
        if self.view.as_ref().is_none_or(|view| view.uid != uid) {
            // Releasing and deleting what is no longer ours is done already.
            return if matches!(action, Action::ReleaseView) { Answer::Done } else { Answer::NotYet };
        }
        self.perform_on_view(action, now)
    }

    fn perform_on_view(&mut self, action: &Action, now: Moment) -> Answer {
        let old_snapshots = self.old_snapshots();
        let held = self.readers.iter().any(|reader| reader.holds);
        let transactions = self.transactions;
        let Some(view) = &mut self.view else { return Answer::NotYet };
        match action {
            Action::CreateRevision(new) => {
                let acted = |id: &String| view.replays.iter().any(|replay| replay.id == *id);
                if view.revisions.contains_key(&new.revision)
                    || view.replay_count != new.replay_count.0
                    || new.replay.as_ref().is_some_and(acted)
                {
                    return Answer::NotYet;
                }
                view.revisions.insert(new.revision.clone(), row_of(new, now));
                view.replay_count = new.replay_count.1;
                if let Some(id) = &new.replay {
                    view.replays.push(AcceptedReplay {
                        id: id.clone(),
                        revision: new.revision.clone(),
                        accepted_at: now,
                    });
                }
                self.schemas.insert(new.revision.clone());
            }
            Action::SetStandby { .. } | Action::ReopenRevision { .. } => {
                return if standby::perform(view, action, now) { Answer::Done } else { Answer::NotYet };
            }
            Action::SetErrors { revision, policy, stop_above } => {
                if let Some(row) = view.revisions.get_mut(revision) {
                    (row.errors_policy, row.errors_stop_above) = (policy.clone(), *stop_above);
                }
            }
            Action::SetPace { revision, pace } => match view.revisions.get_mut(revision) {
                Some(row) if view.live.as_ref() != Some(revision) => (row.pace, row.paced_at) = (*pace, Some(now)),
                _ => return Answer::NotYet,
            },
            Action::CreateIndex { revision, columns } => {
                if let Some(row) = view.revisions.get_mut(revision) {
                    row.indexes.insert(columns.clone());
                }
            }
            Action::AddPartitions { revision, starts } => {
                let Some(row) = view.revisions.get_mut(revision) else { return Answer::NotYet };
                for start in starts {
                    if row.task(&start.topic, start.partition).is_none() {
                        row.progress.push(progress_of(start, now));
                    }
                }
            }
            Action::ShowFirst { revision, .. } => {
                if view.live.is_some() || view.shown != Shown::Nothing || self.relation.is_some() {
                    return Answer::NotYet;
                }
                let Some(row) = view.revisions.get_mut(revision).filter(|row| row.state == RevisionState::Open) else {
                    return Answer::NotYet;
                };
                note_built(row, now);
                (row.pace, row.paced_at) = (None, None);
                self.relation = Some(columns(&plan_of(row)));
                view.live = Some(revision.clone());
                view.shown = Shown::Plain(revision.clone());
                self.cut_over_at = Some(transactions);
            }
            Action::Show { live, expected, shown, .. } => {
                if view.live.as_ref() != Some(live) || view.shown.to_string() != *expected {
                    return Answer::NotYet;
                }
                if held || (matches!(view.shown, Shown::Switch { .. }) && old_snapshots) {
                    return Answer::NotYet;
                }
                let shown = Shown::parse(Some(shown)).expect("the planner writes what it reads");
                // No view is made over tables that are gone.
                if !shown.revisions().all(|revision| self.schemas.contains(revision)) {
                    return Answer::NotYet;
                }
                view.shown = shown;
                let relation = self.relation.clone().unwrap_or_default();
                self.relation = Some(match &view.shown {
                    Shown::Plain(revision) => appended_columns(&relation, &plan_of(&view.revisions[revision])),
                    Shown::Switch { .. } | Shown::Nothing => relation,
                });
            }
            Action::CutOver { live, next, unfinished } => {
                let (Some(old), Some(new)) = (view.revisions.get(live), view.revisions.get(next)) else {
                    return Answer::NotYet;
                };
                if view.live.as_ref() != Some(live)
                    || !view.shown.switches(live, next)
                    || new.state != RevisionState::Open
                    || (lacks(new, old) && !unfinished)
                {
                    return Answer::NotYet;
                }
                view.live = Some(next.clone());
                view.rolled_back = view.rolled_back.take().filter(|(_, to)| to == next);
                self.cut_over_at = Some(transactions);
                let refilling = lacks(new, old);
                let old = view.revisions.get_mut(live).expect("looked at above");
                (old.state, old.ended_at) = (RevisionState::Retired, Some(now));
                let new = view.revisions.get_mut(next).expect("looked at above");
                if !refilling {
                    note_built(new, now);
                }
                (new.pace, new.paced_at, new.refilling) = (None, None, refilling);
            }
            Action::FenceLive { live, .. } => {
                self.fences += 1;
                return turn(view, live, RevisionState::Open, RevisionState::Fenced, now);
            }
            Action::UnfenceLive { live } => return turn(view, live, RevisionState::Fenced, RevisionState::Open, now),
            Action::NoteFilled { live } => match view.revisions.get_mut(live) {
                Some(row) if view.live.as_ref() == Some(live) => row.refilling = false,
                _ => return Answer::NotYet,
            },
            Action::GrantReaders { readers, .. } => {
                self.granted.extend(readers.iter().cloned());
                view.readers.extend(readers.iter().cloned());
            }
            Action::RevokeReaders { readers, .. } => {
                self.granted.retain(|reader| !readers.contains(reader));
                view.readers.retain(|reader| !readers.contains(reader));
            }
            Action::Obey { .. }
            | Action::NoteCaughtUp { .. }
            | Action::RestartSoak { .. }
            | Action::SetPaused { .. } => {
                return if decide(view, action, now) { Answer::Done } else { Answer::NotYet };
            }
            Action::RunGates { next, live: _, questions } => {
                return if answer(view, next, questions, !self.says_no, now) { Answer::Done } else { Answer::NotYet };
            }
            Action::Hold { .. }
            | Action::ReleaseHolds
            | Action::Compare { .. }
            | Action::Verify(_)
            | Action::EndVerification { .. } => {
                return if comparisons::perform(view, action, now) { Answer::Done } else { Answer::NotYet };
            }
            Action::Abandon { revision, trouble } => {
                let live = view.live.as_ref() == Some(revision);
                match view.revisions.get_mut(revision) {
                    Some(row) if !live && row.state == RevisionState::Open => {
                        (row.state, row.reason, row.ended_at) =
                            (RevisionState::Abandoned, Some(trouble.to_string()), Some(now));
                    }
                    _ => return Answer::NotYet,
                }
            }
            Action::DropRevision { revision } => {
                let free = view
                    .revisions
                    .get(revision)
                    .is_some_and(|row| matches!(row.state, RevisionState::Retired | RevisionState::Abandoned));
                if !free || view.live.as_ref() == Some(revision) || view.shown.shows(revision) || old_snapshots {
                    return Answer::NotYet;
                }
                view.revisions.remove(revision);
                self.schemas.remove(revision);
            }
            Action::ReleaseView => view.uid = None,
            Action::DeleteView => {
                self.view = None;
                // Asked for: whoever reads it now gets an error.
                self.readers.clear();
                self.relation = None;
                self.schemas.clear();
                self.granted.clear();
                self.cut_over_at = None;
            }
            _ => panic!("{action} is not for Postgres"),
        }
        Answer::Done
    }
}

fn turn(view: &mut ViewRow, live: &Revision, from: RevisionState, to: RevisionState, now: Moment) -> Answer {
    match view.revisions.get_mut(live) {
        Some(row) if view.live.as_ref() == Some(live) && row.state == from => {
            (row.state, row.ended_at) = (to, Some(now));
            Answer::Done
        }
        _ => Answer::NotYet,
    }
}

fn plan_of(row: &RevisionRow) -> Arc<Plan> {
    row.plan.clone().expect("a plan that was stored here is read here")
}

/// Whether `new` lacks a record that `old` has.
fn lacks(new: &RevisionRow, old: &RevisionRow) -> bool {
    old.progress.iter().filter(|task| new.reads(&task.topic)).any(|task| match new.task(&task.topic, task.partition) {
        Some(other) => other.topic_id == task.topic_id && other.next_offset < task.next_offset,
        None => true,
    })
}
