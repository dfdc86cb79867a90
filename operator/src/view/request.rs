//! What a person asks for by an annotation: to abort a rollout, to roll back, to try again, to let a revision go live, to
//! verify the live one. An id acts once, and one that finds nothing to do has acted, too: it does not lie in wait for the
//! next rollout.

use super::{
    action::Action,
    desired::{Desired, Query},
    name::Revision,
    observed::{RevisionRow, ViewRow},
    plan::Sight,
    verification::{self, Beginning},
};
use millrace_contract::revision::RevisionState;
use millrace_crds::RequestStatus;
use millrace_crds::request::is_id;
pub use millrace_crds::{Request, Verb};
use std::{collections::BTreeMap, fmt};

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The revision that is built is given up.
    Abandon(Revision),
    /// While the resource asks for `from`, `to` is to be live.
    RollBack { from: Revision, to: Revision },
    /// What the resource asks for is to be live again.
    EndRollback,
    /// A revision that was given up goes on from where it stands.
    Reopen(Revision),
    /// The revision that is built may go live.
    Approve(Revision),
    /// The live revision is verified, or is not and the status says why.
    Verify(Beginning),
    /// There is nothing to do, and why.
    Nothing(&'static str),
}

impl Deed {
    /// Why there is nothing to do, if so.
    pub fn nothing(&self) -> Option<&str> {
        match self {
            Deed::Nothing(why) => Some(why),
            Deed::Verify(Beginning::Refuse(why)) => Some(why),
            Deed::Verify(Beginning::Build { .. })
            | Deed::Abandon(_)
            | Deed::RollBack { .. }
            | Deed::EndRollback
            | Deed::Reopen(_)
            | Deed::Approve(_) => None,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deed::Abandon(revision) => write!(f, "abandon {revision}"),
            Deed::RollBack { from, to } => write!(f, "roll back from {from} to {to}"),
            Deed::EndRollback => write!(f, "end the rollback"),
            Deed::Reopen(revision) => write!(f, "go on with {revision}"),
            Deed::Approve(revision) => write!(f, "let {revision} go live"),
            Deed::Verify(beginning) => write!(f, "{beginning}"),
            Deed::Nothing(why) => write!(f, "nothing: {why}"),
        }
    }
}

/// The requests among a resource's annotations; an id that could not be kept is a sentence.
pub fn parse(annotations: &BTreeMap<String, String>) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    for verb in Verb::ALL {
        let Some(id) = annotations.get(&verb.annotation()) else { continue };
        if !is_id(id) {
            return Err(format!(
                "the annotation {} is '{id}', but it must be a name of your choice for this request, with letters a to z, \
                 digits, dots, _ and - only, that begins and ends with a letter or a digit and has at most 63 characters; \
                 write for example {}=again-1",
                verb.annotation(),
                verb.annotation()
            ));
        }
        requests.push(Request { verb, id: id.clone() });
    }
    Ok(requests)
}

/// The first request that has not acted, as an action; none where it cannot be said yet what it comes to. `steady`: what
/// is live is what is asked for.
pub fn plan(sight: Sight<'_>, query: Option<&Query>, steady: bool) -> Option<Action> {
    let request = new_request(sight.desired, sight.view)?;
    let deed = match request.verb {
        Verb::Abort => abort(sight),
        Verb::Rollback => roll_back(sight, query),
        Verb::Retry => retry(sight, query),
        Verb::Promote => promote(sight, request),
        Verb::Verify => verification::asked(sight, steady)?,
    };
    Some(Action::Obey { request: request.clone(), deed })
}

/// The requests of the resource that have acted.
pub fn acted(desired: &Desired, view: &ViewRow) -> Vec<RequestStatus> {
    let acted = desired.requests.iter().filter_map(|request| Some((request, view.requests.get(request)?)));
    acted
        .map(|(Request { verb, id }, nothing)| RequestStatus {
            verb: *verb,
            id: id.clone(),
            nothing_to_do: nothing.as_ref().map(|why| why.chars().take(1000).collect()),
        })
        .collect()
}

/// The first request that the catalog does not know.
fn new_request<'a>(desired: &'a Desired, view: &ViewRow) -> Option<&'a Request> {
    desired.requests.iter().find(|request| !view.requests.contains_key(request))
}

fn abort(sight: Sight<'_>) -> Deed {
    let view = sight.view;
    if let Some((_, to)) = &view.rolled_back
        && view.live.as_ref() != Some(to)
    {
        return Deed::EndRollback;
    }
    let built = view.revisions.iter().filter(|(name, row)| row.state == RevisionState::Open && !is_live(view, name));
    match built.max_by_key(|(_, row)| row.created_at) {
        Some((name, _)) => Deed::Abandon(name.clone()),
        None => Deed::Nothing("no revision is being built"),
    }
}

fn roll_back(sight: Sight<'_>, query: Option<&Query>) -> Deed {
    let view = sight.view;
    let Some(query) = query else { return Deed::Nothing("the resource is not valid, and what is live stays") };
    let Some((to, _)) = view.previous() else {
        return Deed::Nothing("no revision from before the live one is kept (rollout.retainPrevious)");
    };
    let from = query.revision(view.replay_count);
    if *to == from { Deed::EndRollback } else { Deed::RollBack { from, to: to.clone() } }
}

fn retry(sight: Sight<'_>, query: Option<&Query>) -> Deed {
    let view = sight.view;
    let asked = query.map(|query| query.revision(view.replay_count));
    let given_up = |name: &&Revision| view.revisions.get(*name).is_some_and(is_abandoned);
    let to = view.rolled_back.as_ref().filter(|(from, _)| Some(from) == asked.as_ref()).map(|(_, to)| to);
    match (to, asked.as_ref().filter(given_up)) {
        (Some(to), _) if given_up(&to) => Deed::Reopen(to.clone()),
        (Some(_), _) => Deed::EndRollback,
        (None, Some(asked)) => Deed::Reopen(asked.clone()),
        (None, None) => Deed::Nothing("what the resource asks for was not given up"),
    }
}

fn promote(sight: Sight<'_>, request: &Request) -> Deed {
    let named = Revision(request.id.split('.').next().unwrap_or_default().to_owned());
    match sight.view.revisions.get(&named) {
        Some(row) if row.state == RevisionState::Open && is_rolled_out(sight.view, &named) => Deed::Approve(named),
        Some(_) | None => Deed::Nothing("no revision of that name is being built"),
    }
}

/// The id that lets `revision` go live: its name, or more once that has acted.
pub fn promotion_id(view: &ViewRow, revision: &Revision) -> String {
    let acted = view.requests.keys().filter(|request| request.verb == Verb::Promote);
    match acted.filter(|request| request.id.split('.').next() == Some(revision.0.as_str())).count() {
        0 => revision.0.clone(),
        times => format!("{revision}.{}", times + 1),
    }
}

/// The id that lets `revision` go live, while it is built and no person has let it.
pub fn open_promotion(view: &ViewRow, revision: &Revision) -> Option<String> {
    let row = view.revisions.get(revision)?;
    let open = row.state == RevisionState::Open && row.approved_at.is_none() && !is_live(view, revision);
    open.then(|| promotion_id(view, revision))
}

fn is_abandoned(row: &RevisionRow) -> bool {
    row.state == RevisionState::Abandoned
}

/// Whether it goes live once it has caught up.
fn is_rolled_out(view: &ViewRow, name: &Revision) -> bool {
    !is_live(view, name) && !view.verifies(name)
}

fn is_live(view: &ViewRow, name: &Revision) -> bool {
    view.live.as_ref() == Some(name)
}
