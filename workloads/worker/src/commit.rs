//! One epoch into Postgres: what its errors policy, its keys and Postgres's refusals make of it.

use crate::{
    ending::Ending,
    prepared::{Prepared, Preparer, Range},
    session::Session,
};
use millrace_connectors::{
    decode::Rejected,
    postgres::{Epoch, ErrorsPolicy, Problem, StoreError},
};
use millrace_contract::faults::sabotaged;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Records in one epoch at most, and at least while commits are slow but end.
pub const MOST_RECORDS: usize = 20_000;
const FEWEST_RECORDS: usize = 250;

/// Commits an epoch, in parts where it must be. Between two parts is what is due by time, as between two epochs; what
/// is left when the worker is told to end is read again by whoever holds the task next.
pub async fn commit(session: &mut Session<'_>, prepared: Prepared, ending: &Ending) -> Result<(), StoreError> {
    let preparer = session.preparer();
    let mut parts = vec![prepared];
    while let Some(part) = parts.pop() {
        session.turn();
        session.look().await?;
        if ending.told() {
            return Ok(());
        }
        let Some(part) = still_ours(session, &preparer, part) else { continue };
        if session.policy() == ErrorsPolicy::Stop && !part.rejected.is_empty() {
            let rejected = part.first_rejected();
            let end = |range: &Range| rejected.get(&range.partition).map_or(range.to, |&(offset, _)| offset);
            if part.ranges.iter().all(|range| end(range) == range.from) {
                stop(session, &part).await?;
            } else {
                let (before, rest) = tokio::task::block_in_place(|| preparer.split(&part, end));
                parts.push(rest);
                parts.push(before);
            }
            continue;
        }
        if part.misplaced && !sabotaged("ignore_partitioner") && session.unshared() {
            tracing::info!("keys are not where murmur2 puts them: state is read under locks from now on");
            session.mark_shared().await?;
        }
        match commit_part(session, &part).await {
            Ok(()) => {}
            Err(StoreError::Held(holds)) => {
                session.hold(&holds);
                parts.push(part);
            }
            // What was refused already has no row left that could be at fault.
            Err(StoreError::Row { reason, detail }) if part.raw.len() == 1 && part.mapped.is_some() => {
                let mut part = part;
                part.refuse(reason, detail);
                parts.push(part);
            }
            Err(StoreError::Row { detail, .. }) if part.raw.len() > 1 => {
                tracing::info!(records = part.raw.len(), detail, "a record is refused: looking for it");
                let (first, second) = tokio::task::block_in_place(|| preparer.halve(&part));
                parts.push(second);
                parts.push(first);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Leaves out what was read for a claim that is over, and what is past a hold.
fn still_ours(session: &Session<'_>, preparer: &Arc<Preparer>, prepared: Prepared) -> Option<Prepared> {
    let limits: BTreeMap<i32, (i64, i64)> = prepared
        .ranges
        .iter()
        .filter(|range| session.expects(range.partition, range.owner, range.from))
        .map(|range| (range.partition, (range.from, session.reach(range.partition, range.to))))
        .filter(|(_, (from, to))| from < to)
        .collect();
    if limits.is_empty() {
        return None;
    }
    if prepared.ranges.iter().all(|range| limits.get(&range.partition) == Some(&(range.from, range.to))) {
        return Some(prepared);
    }
    Some(tokio::task::block_in_place(|| preparer.restrict(&prepared, &limits)))
}

/// Lets every task stand still before its first rejected record.
async fn stop(session: &mut Session<'_>, part: &Prepared) -> Result<(), StoreError> {
    let topics = session.topics().clone();
    for (partition, (offset, Rejected { reason, detail, .. })) in part.first_rejected() {
        let topic = topics.name(partition);
        let sentence = format!(
            "{reason} in {topic}/{} at offset {offset}: {detail}. Mend the record's cause, or set errors.policy to DeadLetter or Skip",
            topics.partition(partition)
        );
        session.stand_still(partition, Problem::ErrorsStopped(sentence)).await?;
    }
    Ok(())
}

async fn commit_part(session: &mut Session<'_>, part: &Prepared) -> Result<(), StoreError> {
    let advances = part.advances();
    let dead_letters = part.dead_letters();
    let kept = if session.policy() == ErrorsPolicy::Skip { &[][..] } else { &dead_letters[..] };
    let begun = Instant::now();
    let epoch = Epoch { advances: &advances, mapped: part.mapped.as_ref(), dead_letters: kept };
    let committed = session.store().commit(&epoch).await;
    if committed.as_ref().is_err_and(StoreError::is_of_size) {
        shrink(session, part.raw.len());
    }
    let committed = committed?;
    let took = begun.elapsed();
    session.advanced(&advances, committed);
    adapt(session, part.raw.len(), took);

    let metrics = session.metrics();
    metrics.epochs.inc();
    metrics.records.inc_by(part.raw.len() as u64);
    metrics.bytes.inc_by(part.raw.byte_len() as u64);
    metrics.rows.inc_by(committed.rows as u64);
    metrics.commit_seconds.observe(took.as_secs_f64());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    for advance in &advances {
        if let Some(event_time) = advance.event_time {
            metrics.freshness_seconds.observe((now - event_time).max(0) as f64 / 1_000.0);
        }
    }
    for letter in &dead_letters {
        metrics.dead_letters.with_label_values(&[letter.reason.name()]).inc();
    }
    tracing::debug!(
        records = part.raw.len(),
        rows = committed.rows,
        milliseconds = took.as_millis() as u64,
        "committed"
    );
    Ok(())
}

/// Makes epochs smaller than one of so many records that did not pass: the same again would not either.
fn shrink(session: &Session<'_>, records: usize) {
    let limit = &session.shared().epoch_records;
    let smaller = (records.min(limit.load(Ordering::Relaxed)) / 2).max(1);
    limit.store(smaller, Ordering::Relaxed);
    tracing::info!(records, smaller, "epochs get smaller");
}

/// Makes epochs smaller where commits are slow: a lease must be renewed while one runs.
fn adapt(session: &Session<'_>, records: usize, took: Duration) {
    let limit = &session.shared().epoch_records;
    let present = limit.load(Ordering::Relaxed);
    if took > Duration::from_secs(2) {
        limit.store((present / 2).max(FEWEST_RECORDS).min(present), Ordering::Relaxed);
    } else if took < Duration::from_millis(700) && records * 10 >= present * 9 {
        limit.store((present * 2).min(MOST_RECORDS), Ordering::Relaxed);
    }
}
