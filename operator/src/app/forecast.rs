//! What a manifest would do to an app, said before it is applied.

use super::{
    desired::Desired,
    ledger,
    observed::{Observed, Template},
    replay::{Replay, ReplayFrom},
    reset::{Move, moves},
    status::lag,
};
use crate::view::{known::Known, replay::ReplayFrom as Place, start::NotYet, trouble::Trouble};
use millrace_crds::{AppReplayStatus, PartitionForecast};

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// The replay would not be done, and why.
    Refused(String),
    /// No replay: the app stays where it is.
    Stays {
        lag: i64,
    },
    Replay(Vec<Move>),
}

/// What would be done; or what it takes to say so, and could not be seen.
pub fn forecast(desired: &Desired, observed: &Observed) -> Result<Forecast, String> {
    if let Err(trouble) = &desired.allowed {
        return Ok(Forecast::Refused(trouble.message.clone()));
    }
    let unseen = |trouble: &Trouble| trouble.message.clone();
    let (kafka, group, children) = match (&observed.kafka, &observed.group, &observed.children) {
        (Known::Present(kafka), Known::Present(group), Known::Present(children)) => (kafka, group, children),
        (Known::Unknown(trouble), _, _) | (_, Known::Unknown(trouble), _) | (_, _, Known::Unknown(trouble)) => {
            return Err(unseen(trouble));
        }
        (_, _, _) => return Err("Kafka".into()),
    };
    if let Some(Template::Refused(sentence)) = &children.template {
        return Ok(Forecast::Refused(format!("the API server refuses podTemplate: {sentence}")));
    }
    let replays = ledger::remembered(desired, children.ledger.as_ref());
    let Some(replay) = desired.replay.as_ref().filter(|replay| !replays.iter().any(|known| known.id == replay.id))
    else {
        return Ok(Forecast::Stays { lag: lag(desired, kafka, group).iter().map(|part| part.lag).sum() });
    };
    match moves(desired, replay, kafka, group, &replays) {
        Ok(moves) => Ok(Forecast::Replay(moves)),
        Err(NotYet::Held(trouble)) => Ok(Forecast::Refused(trouble.message)),
        Err(NotYet::Waiting(what)) => Err(what),
    }
}

/// The forecast as sentences.
pub fn sentences(desired: &Desired, forecast: &Forecast, replays: &[AppReplayStatus]) -> Vec<String> {
    let moves = match forecast {
        Forecast::Refused(sentence) => return vec![sentence.clone()],
        Forecast::Stays { lag } => {
            let spent = desired.replay.as_ref().filter(|replay| replays.iter().any(|known| known.id == replay.id));
            let spent = spent.map(|replay| format!("the replay {} has acted already and acts once", replay.id));
            let stays = format!("the group {} stays where it is, {lag} records behind", desired.group);
            return spent.into_iter().chain([stays]).collect();
        }
        Forecast::Replay(moves) => moves,
    };
    let mut sentences = vec![format!(
        "every instance is stopped, the group {} is moved {}, and the instances are started again",
        desired.group,
        desired.replay.as_ref().map(place).unwrap_or_default()
    )];
    let again: i64 = moves.iter().map(Move::again).sum();
    let left_out: i64 = moves.iter().map(Move::left_out).sum();
    sentences.push(format!("{again} records are read again"));
    if left_out > 0 {
        sentences.push(format!("{left_out} records that were not read yet are left out"));
    }
    sentences.extend(moves.iter().filter_map(|part| part.cut_off.clone()).take(32));
    if let Some(internal) = &desired.internal {
        sentences.push(format!("the internal topics {}* are deleted, and made again by the app", internal.prefix));
    }
    sentences
}

fn place(replay: &Replay) -> String {
    match &replay.from {
        ReplayFrom::Place(Place::Earliest) => "to the oldest records".into(),
        ReplayFrom::Place(Place::Latest) => "after the newest records".into(),
        ReplayFrom::Place(Place::Time(_)) => "to a time".into(),
        ReplayFrom::Place(Place::Ago(ago)) => format!("to {} seconds ago", ago.as_secs()),
        ReplayFrom::Place(Place::Offsets(_)) => "to the offsets that are named".into(),
        ReplayFrom::ShiftBy(records) => format!("by {records} records"),
        ReplayFrom::Saved(id) => format!("to where it was before the replay {id}"),
    }
}

/// What is read of each partition.
pub fn partitions(moves: &[Move]) -> Vec<PartitionForecast> {
    moves
        .iter()
        .map(|part| {
            let from = part.begin.or(part.committed).unwrap_or(0);
            PartitionForecast {
                topic: part.topic.clone(),
                partition: part.partition,
                from,
                records: (part.end - from).max(0),
                cut_off: part.cut_off.is_some(),
            }
        })
        .collect()
}
