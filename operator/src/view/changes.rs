//! Changes: in what a new revision differs from the live one, as phrases for people.

use super::{approval::lost, goal::Goal, plan::Sight, shown::appended_columns};
use millrace_contract::{Plan as Compiled, Source, source::SourceColumn};

/// What the revision does otherwise than the live one, whose place it is to take; of a first one, what readers will see.
pub fn changes(sight: Sight<'_>, goal: &Goal<'_>) -> Vec<String> {
    let next = &goal.query.plan;
    let Some((name, live)) = sight.live() else {
        let columns: Vec<String> = goal.query.columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
        return vec![format!("readers will see the columns {}", columns.join(", "))];
    };
    let mut changes = Vec::new();
    if let Some(id) = replay(sight, goal) {
        changes.push(format!("the replay '{id}' computes everything once more"));
    }
    if goal.rolled_back {
        changes.push("a person goes back to what was live before".to_owned());
    }
    if let Ok(live) = &live.plan {
        changes.extend(sources(&live.sources, &next.sources));
        if live.time_zone != next.time_zone {
            changes.push(format!("the time zone is {}, and was {}", next.time_zone, live.time_zone));
        }
        if computes_otherwise(live, next) {
            changes.push("the query computes something else".to_owned());
        }
        if live.semantics_version != next.semantics_version {
            changes.push("this version of Millrace computes some results in another way".to_owned());
        }
        if changes.is_empty() {
            let same = (0..goal.replay_count).any(|count| goal.query.revision(count) == *name);
            let sentence = if same {
                "everything is computed once more"
            } else {
                "the query is written otherwise, and computes the same"
            };
            changes.push(sentence.to_owned());
        }
    }
    changes.extend(columns(sight, next));
    changes
}

/// The replay that asks for the revision, or has asked for it.
fn replay<'a>(sight: Sight<'a>, goal: &Goal<'a>) -> Option<&'a str> {
    let accepted = sight.view.replays.iter().find(|replay| replay.revision == goal.revision);
    goal.replay.map(|replay| replay.id.as_str()).or(accepted.map(|replay| replay.id.as_str()))
}

/// What is read otherwise: sources that came and went, and the fields of those that stayed.
fn sources(live: &[Source], next: &[Source]) -> Vec<String> {
    if let ([live], [next]) = (live, next) {
        return source(live, next).into_iter().collect();
    }
    let named = |sources: &[Source], name: &str| sources.iter().position(|source| source.name == name);
    let gone = live.iter().filter(|source| named(next, &source.name).is_none());
    let gone = gone.map(|source| format!("the source {} is read no more", source.name));
    let stayed = next.iter().filter_map(|it| match named(live, &it.name) {
        None => Some(format!("the source {} is read too", it.name)),
        Some(before) => source(&live[before], it),
    });
    gone.chain(stayed).collect()
}

/// The fields of the source that are otherwise, by their names in the resource. A plan has the columns that its query
/// uses, and refers to them by their place: only those that both have can be compared.
fn source(live: &Source, next: &Source) -> Option<String> {
    let Source { name, topic, kind, format, key_format, key: _, delete_when, columns } = next;
    let redeclared =
        |column: &SourceColumn| live.columns.iter().any(|other| other.name == column.name && other != column);
    let deletes_otherwise = if *columns == live.columns {
        *delete_when != live.delete_when
    } else {
        delete_when.is_some() != live.delete_when.is_some()
    };
    let fields = [
        ("name", *name != live.name),
        ("topic", *topic != live.topic),
        ("as", *kind != live.kind),
        ("format", *format != live.format),
        ("keyFormat", *key_format != live.key_format),
        ("key", key(next) != key(live)),
        ("deleteWhen", deletes_otherwise),
        ("columns", columns.iter().any(redeclared)),
    ];
    let differing: Vec<&str> = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    (!differing.is_empty()).then(|| format!("the source {name} is declared otherwise: {}", differing.join(", ")))
}

fn key(source: &Source) -> Vec<&str> {
    source.key.iter().filter_map(|&place| source.columns.get(place)).map(|column| column.name.as_str()).collect()
}

fn computes_otherwise(live: &Compiled, next: &Compiled) -> bool {
    let Compiled { format: _, semantics_version: _, time_zone: _, sources: _, nodes, output, tables, result } = next;
    *nodes != live.nodes || *output != live.output || *tables != live.tables || *result != live.result
}

/// What readers get and lose.
fn columns(sight: Sight<'_>, next: &Compiled) -> Vec<String> {
    let shown = &sight.catalog.target_columns;
    let all = appended_columns(shown, next);
    let new = all[shown.len()..].iter().map(|(name, ty)| format!("column {name} {ty} is new"));
    let lost = lost(sight, next);
    let gone = lost.gone.iter().map(|column| format!("column {column}, and null from then on"));
    new.chain(gone).chain(lost.retyped.iter().map(|column| format!("column {column}"))).collect()
}
