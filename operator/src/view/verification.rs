//! Verification: the live result is built once more beside it, from the same records, compared at equal positions, and
//! dropped. Readers see nothing of it, and a rollout comes first.

use super::{
    action::Action,
    building::is_late,
    comparison::{State, comparison_sql, found, last, sentence},
    hold::{self, Side},
    moment::Moment,
    name::Revision,
    observed::ViewRow,
    pace,
    plan::{Plan, Sight},
    request::Deed,
    start::cut_off,
    status::timestamp,
    tombstones::{build_paused_too_long, built_too_long},
    topics::{check_identity, worker_problem},
};
use millrace_contract::{ident::hex_digest, revision::RevisionState};
use millrace_crds::{VerificationResult, VerificationStatus};
use std::{fmt, time::Duration};

/// The verification of a view that goes on, or the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The name that it was asked for with; none: it was due by `spec.verify`.
    pub id: Option<String>,
    /// The copy of the live revision that is built for it; none: nothing was built.
    pub copy: Option<Revision>,
    pub begun_at: Moment,
    /// What it came to, in a word and in a sentence; none: it goes on.
    pub result: Option<(VerificationResult, String)>,
}

/// What a verification begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// `copy` is made as `live` was, from where that began; `tables` are the statements that make its tables.
    Build {
        live: Revision,
        copy: Revision,
        tables: Vec<String>,
    },
    Refuse(String),
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Beginning::Build { live, copy, tables: _ } => write!(f, "build {copy} to verify {live}"),
            Beginning::Refuse(why) => write!(f, "nothing: {why}"),
        }
    }
}

/// The name of the copy of a revision.
pub fn copy_of(revision: &Revision) -> Revision {
    Revision(hex_digest([revision.0.as_str(), "verify"], 8))
}

/// Goes on with the verification that there is, or begins one that is due. `steady`: what is live is what is asked for.
pub fn plan(plan: &mut Plan, sight: Sight<'_>, steady: bool) {
    if let Some(copy) = goes_on(sight.view) {
        return go_on(plan, sight, copy, steady);
    }
    let due = due_at(sight).is_some_and(|at| at <= sight.now);
    if due && obstacle(sight, steady).is_none() {
        plan.actions.extend(begin(sight).map(Action::Verify));
    }
}

/// What comes of a person's asking; none: it cannot be said yet.
pub fn asked(sight: Sight<'_>, steady: bool) -> Option<Deed> {
    if goes_on(sight.view).is_some() {
        return Some(Deed::Nothing("a verification goes on already"));
    }
    let obstacle = obstacle(sight, steady).map(Beginning::Refuse);
    obstacle.or_else(|| begin(sight)).map(Deed::Verify)
}

/// The copy that is still to be compared with the live revision.
pub fn awaited(sight: Sight<'_>, steady: bool) -> Option<&Revision> {
    let copy = goes_on(sight.view).filter(|_| obstacle(sight, steady).is_none())?;
    let (live, _) = sight.live()?;
    let state = last(sight.view, live, (copy, sight.view.revisions.get(copy)?));
    matches!(state, Some(State::Lost) | None).then_some(copy)
}

/// As the status shows it.
pub fn status(view: &ViewRow) -> Option<VerificationStatus> {
    let Verification { id, copy, begun_at, result } = view.verification.as_ref()?;
    Some(VerificationStatus {
        id: id.clone(),
        begun_at: timestamp(*begun_at),
        revision: copy.as_ref().map(ToString::to_string),
        result: result.as_ref().map(|(result, _)| *result),
        message: result.as_ref().map(|(_, message)| message.chars().take(1000).collect()),
        comparison: copy.as_ref().and_then(|copy| found(view, copy, *begun_at)),
    })
}

fn goes_on(view: &ViewRow) -> Option<&Revision> {
    let verification = view.verification.as_ref().filter(|verification| verification.result.is_none())?;
    verification.copy.as_ref()
}

/// When the next one begins by itself.
fn due_at(sight: Sight<'_>) -> Option<Moment> {
    let every = sight.desired.verify_every?;
    let (_, live) = sight.live()?;
    let begun = sight.view.verification.as_ref().map(|verification| verification.begun_at);
    Some(begun.unwrap_or(live.live_at.unwrap_or(live.created_at)) + every)
}

/// Why the live revision is not verified now.
fn obstacle(sight: Sight<'_>, steady: bool) -> Option<String> {
    let Some((name, live)) = sight.live() else { return Some("no revision is live".to_owned()) };
    if !steady {
        return Some("what is live is not what the resource asks for, and a rollout comes first".to_owned());
    }
    if sight.desired.suspended {
        return Some("spec.suspend is true".to_owned());
    }
    let lost = sight.kafka().and_then(|kafka| check_identity(live, kafka).err()).or_else(|| worker_problem(live));
    lost.map(|trouble| format!("revision {name} cannot go on: {}", trouble.message))
}

/// What a verification begins with; none: it cannot be said yet.
fn begin(sight: Sight<'_>) -> Option<Beginning> {
    let (name, live) = sight.live()?;
    let kafka = sight.kafka()?;
    let copy = copy_of(name);
    if live.topics().iter().any(|topic| kafka.topic(topic).is_none()) || sight.view.revisions.contains_key(&copy) {
        return None;
    }
    let compiled = match &live.plan {
        Ok(compiled) => compiled,
        Err(trouble) => return Some(Beginning::Refuse(trouble.message.clone())),
    };
    if let Some(cut) = cut_off(live, kafka) {
        return Some(Beginning::Refuse(format!("{cut}: what is built now would lack those records")));
    }
    let schema = sight.desired.identity.name.schema(&copy);
    let tables = compiled.tables.iter().flat_map(|table| table.create(&schema)).collect();
    Some(Beginning::Build { live: name.clone(), copy, tables })
}

fn go_on(plan: &mut Plan, sight: Sight<'_>, copy: &Revision, steady: bool) {
    let end = |result, message| Action::EndVerification { copy: copy.clone(), result, message };
    let refuse = |why| end(VerificationResult::Refused, why);
    let (live, next) = match sides(sight, copy, steady) {
        Ok(sides) => sides,
        Err(why) => return plan.actions.push(refuse(why)),
    };
    let ended = match last(sight.view, live.0, next) {
        Some(State::Running) => return plan.look_again(Duration::from_secs(1)),
        Some(State::Found(found)) => {
            let result = if found.is_equal() { VerificationResult::Equal } else { VerificationResult::Different };
            end(result, sentence(found, live.0, copy))
        }
        Some(State::Failed(why)) => refuse(format!("the rows could not be compared: {why}")),
        Some(State::Lost) | None => {
            match (hopeless(sight, next), comparison_sql(&sight.desired.identity.name, live, next)) {
                (Some(why), _) | (None, Err(why)) => refuse(why),
                (None, Ok(sql)) => {
                    pace::plan(plan, sight, copy, next.1);
                    return hold::compare(plan, sight, live, next, sql);
                }
            }
        }
    };
    plan.actions.push(ended);
}

/// The live revision and its copy, while the one is verified by the other.
fn sides<'a>(sight: Sight<'a>, copy: &'a Revision, steady: bool) -> Result<(Side<'a>, Side<'a>), String> {
    if let Some(obstacle) = obstacle(sight, steady) {
        return Err(obstacle);
    }
    let (Some(live), Some(row)) = (sight.live(), sight.view.revisions.get(copy)) else {
        return Err(format!("revision {copy} is gone"));
    };
    if *copy != copy_of(live.0) {
        return Err(format!("revision {} is live now", live.0));
    }
    match row.state {
        RevisionState::Open => Ok((live, (copy, row))),
        RevisionState::Fenced | RevisionState::Retired | RevisionState::Standby | RevisionState::Abandoned => {
            Err(row.reason.clone().unwrap_or_else(|| format!("revision {copy} was given up")))
        }
    }
}

/// Why the copy will not come to be compared.
fn hopeless(sight: Sight<'_>, (copy, row): Side<'_>) -> Option<String> {
    if is_late(sight, row.created_at) {
        let timeout = sight.desired.rollout.timeout.as_secs();
        return Some(format!("revision {copy} was not compared within {timeout} s (rollout.timeout)"));
    }
    let lost = sight.kafka().and_then(|kafka| {
        let wrong = check_identity(row, kafka).err().or_else(|| built_too_long(row, kafka, sight.now));
        wrong.or_else(|| build_paused_too_long(row, kafka, sight.now))
    });
    let lost = lost.or_else(|| worker_problem(row).filter(|problem| !problem.heals()));
    lost.map(|trouble| trouble.message)
}
