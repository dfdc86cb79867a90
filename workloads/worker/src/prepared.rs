//! An epoch before its transaction: records read, decoded and mapped, and the positions they lead to.

use millrace_connectors::{
    RawRecords,
    decode::{Decoder, Reason, Rejected},
    kafka::partition_of,
    postgres::{Advance, DeadLetter, LAST_EVENT_TIME},
};
use millrace_contract::{Plan, Topics, faults::sabotaged, node::Operator};
use millrace_dataflow::{
    driver::{Dataflow, Mapped, PlanError},
    value::zone_named,
};
use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

/// How far an epoch goes in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub owner: i64,
    pub from: i64,
    pub to: i64,
    pub lag: Option<i64>,
}

/// Turns raw records into epochs. Pure, and used by the reader's thread and by the loop alike.
pub struct Preparer {
    /// One for each source of the plan.
    decoders: Vec<Decoder>,
    pub dataflow: Arc<Dataflow>,
    topics: Topics,
    /// For each topic whether other partitions' workers may touch the same state, so that keys must lie where murmur2
    /// puts them.
    keyed_state: Vec<bool>,
    /// The number of partitions that keys of each topic are spread over.
    partitions: Vec<AtomicI32>,
}

pub struct Prepared {
    pub ranges: Vec<Range>,
    pub raw: RawRecords,
    /// `None` where there is nothing to apply.
    pub mapped: Option<Mapped>,
    pub rejected: Vec<Rejected>,
    /// Whether a key lies in another partition than murmur2 of the partition count says.
    pub misplaced: bool,
}

impl Preparer {
    pub fn new(plan: Arc<Plan>) -> Result<Preparer, PlanError> {
        let zone = zone_named(&plan.time_zone).map_err(|_| PlanError::TimeZone(plan.time_zone.clone()))?;
        let topics = plan.topics();
        let decoder = |(index, source)| Decoder::of_topic(source, &topics, index, zone);
        let keyed = |index: usize| {
            plan.nodes
                .iter()
                .any(|node| matches!(node.operator, Operator::Scan { source, state: Some(_), .. } if source == index))
        };
        Ok(Preparer {
            decoders: plan.sources.iter().enumerate().map(decoder).collect(),
            keyed_state: (0..plan.sources.len()).map(keyed).collect(),
            partitions: plan.sources.iter().map(|_| AtomicI32::new(0)).collect(),
            topics,
            dataflow: Arc::new(Dataflow::new(plan)?),
        })
    }

    /// The topic of this task has this many partitions now.
    pub fn note_partitions(&self, task: i32, partitions: usize) {
        self.partitions[self.topics.index(task)].store(i32::try_from(partitions).unwrap_or(i32::MAX), Relaxed);
    }

    pub fn prepare(&self, mut raw: RawRecords, ranges: Vec<Range>) -> Prepared {
        if sabotaged("skip_one_record") && raw.len() > 1 {
            raw.pop();
        }
        let (mut records, mut rows, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for decoder in &self.decoders {
            let decoded = decoder.decode(&raw);
            records.push(decoded.records);
            rows.push(decoded.rows);
            rejected.extend(decoded.rejected);
        }
        let mapped = records.iter().any(|records| !records.is_empty()).then(|| self.dataflow.map(&records));
        for failed in mapped.iter().flat_map(|mapped| &mapped.rejected) {
            let record = rows[failed.source][failed.row];
            rejected.push(Rejected { record, reason: Reason::Compute, detail: failed.detail.clone() });
        }
        rejected.sort_by_key(|rejected| rejected.record);
        let misplaced = raw.iter().any(|record| {
            let index = self.topics.index(record.partition);
            let partitions = self.partitions[index].load(Relaxed);
            let place = self.topics.partition(record.partition);
            self.keyed_state[index]
                && partitions > 0
                && record.key.is_none_or(|key| partition_of(key, partitions) != place)
        });
        Prepared { ranges, raw, mapped, rejected, misplaced }
    }

    /// The part of an epoch that lies within `limits`: (from, to) of the partitions that stay.
    pub fn restrict(&self, prepared: &Prepared, limits: &BTreeMap<i32, (i64, i64)>) -> Prepared {
        let raw = prepared.raw.select(|record| {
            limits.get(&record.partition).is_some_and(|&(from, to)| (from..to).contains(&record.offset))
        });
        let ranges = prepared
            .ranges
            .iter()
            .filter_map(|range| {
                let &(from, to) = limits.get(&range.partition)?;
                let left_out = range.to - to;
                // Where the end of the log is not known, what is left out is still known to be before it.
                let lag = if left_out > 0 { Some(range.lag.unwrap_or(0) + left_out) } else { range.lag };
                Some(Range { from, to, lag, ..range.clone() })
            })
            .filter(|range| range.from < range.to)
            .collect();
        self.prepare(raw, ranges)
    }

    /// Two epochs that one after the other do what this one does: each partition is cut at its `middle`.
    pub fn split(&self, prepared: &Prepared, middle: impl Fn(&Range) -> i64) -> (Prepared, Prepared) {
        let part = |limits: &dyn Fn(&Range) -> (i64, i64)| {
            let limits = prepared.ranges.iter().map(|range| (range.partition, limits(range))).collect();
            self.restrict(prepared, &limits)
        };
        (part(&|range| (range.from, middle(range))), part(&|range| (middle(range), range.to)))
    }

    /// The same, with half of the records in each. It holds at least two.
    pub fn halve(&self, prepared: &Prepared) -> (Prepared, Prepared) {
        let mut places: Vec<(i32, i64)> = prepared.raw.iter().map(|record| (record.partition, record.offset)).collect();
        places.sort_unstable();
        let (partition, offset) = places[places.len() / 2];
        self.split(prepared, |range| match range.partition.cmp(&partition) {
            Ordering::Less => range.to,
            Ordering::Equal => offset,
            Ordering::Greater => range.from,
        })
    }
}

impl Prepared {
    /// The first rejected record of each partition: (partition, offset, what is wrong with it).
    pub fn first_rejected(&self) -> BTreeMap<i32, (i64, &Rejected)> {
        let mut first = BTreeMap::new();
        for rejected in &self.rejected {
            let record = self.raw.get(rejected.record as usize);
            let entry = first.entry(record.partition).or_insert((record.offset, rejected));
            if record.offset < entry.0 {
                *entry = (record.offset, rejected);
            }
        }
        first
    }

    /// The rows of `progress` that it advances.
    pub fn advances(&self) -> Vec<Advance> {
        #[derive(Default)]
        struct Sums {
            records: i64,
            bytes: i64,
            dead_letters: i64,
            event_time: Option<i64>,
        }
        let mut sums: BTreeMap<i32, Sums> = BTreeMap::new();
        for record in self.raw.iter() {
            let sums = sums.entry(record.partition).or_default();
            sums.records += 1;
            sums.bytes += (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as i64;
            if (0..=LAST_EVENT_TIME).contains(&record.timestamp) {
                sums.event_time = sums.event_time.max(Some(record.timestamp));
            }
        }
        for rejected in &self.rejected {
            sums.entry(self.raw.get(rejected.record as usize).partition).or_default().dead_letters += 1;
        }
        let mut advances: Vec<Advance> = self
            .ranges
            .iter()
            .map(|range| {
                let Sums { records, bytes, dead_letters, event_time } =
                    sums.remove(&range.partition).unwrap_or_default();
                let Range { partition, owner, from, to, lag } = range.clone();
                Advance { partition, owner, from, to, event_time, records, bytes, dead_letters, lag }
            })
            .collect();
        advances.sort_by_key(|advance| advance.partition);
        advances
    }

    pub fn dead_letters(&self) -> Vec<DeadLetter<'_>> {
        self.rejected
            .iter()
            .map(|rejected| {
                let record = self.raw.get(rejected.record as usize);
                DeadLetter {
                    partition: record.partition,
                    offset: record.offset,
                    key: record.key,
                    value: record.value,
                    reason: rejected.reason,
                    detail: &rejected.detail,
                }
            })
            .collect()
    }

    /// Makes the only record a dead letter.
    pub fn refuse(&mut self, reason: Reason, detail: String) {
        self.mapped = None;
        self.rejected = vec![Rejected { record: 0, reason, detail }];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_test_support::plans;

    /// Twenty records in each of two partitions, ten of which are still to come in the first.
    fn epoch(preparer: &Preparer) -> Prepared {
        let mut raw = RawRecords::default();
        for offset in 0..20 {
            raw.push(0, offset, 0, None, Some(b"{}"));
            raw.push(1, offset, 0, None, Some(b"{}"));
        }
        let range = |partition, lag| Range { partition, owner: 1, from: 0, to: 20, lag };
        preparer.prepare(raw, vec![range(0, Some(10)), range(1, None)])
    }

    fn lags(prepared: &Prepared) -> Vec<(i32, i64, Option<i64>)> {
        prepared.ranges.iter().map(|range| (range.partition, range.to, range.lag)).collect()
    }

    #[test]
    fn keys_and_values_are_counted_by_partition() {
        let preparer = Preparer::new(Arc::new(plans::append("users"))).expect("the plan runs");
        let mut raw = RawRecords::default();
        raw.push(0, 0, 0, Some("홍".as_bytes()), Some(b"{}"));
        raw.push(1, 0, 0, Some(b"1"), None);
        let range = |partition| Range { partition, owner: 1, from: 0, to: 1, lag: None };
        let advances = preparer.prepare(raw, vec![range(0), range(1)]).advances();
        let counted: Vec<_> = advances.iter().map(|advance| (advance.records, advance.bytes)).collect();
        assert_eq!(counted, [(1, 5), (1, 1)]);
    }

    #[test]
    fn what_is_left_out_is_still_to_be_read() {
        let preparer = Preparer::new(Arc::new(plans::append("users"))).expect("the plan runs");
        let epoch = epoch(&preparer);
        let restricted = preparer.restrict(&epoch, &BTreeMap::from([(0, (0, 15)), (1, (0, 15))]));
        assert_eq!(lags(&restricted), [(0, 15, Some(15)), (1, 15, Some(5))]);
        assert_eq!(lags(&preparer.restrict(&epoch, &BTreeMap::from([(1, (5, 20))]))), [(1, 20, None)]);
        let (first, second) = preparer.halve(&epoch);
        assert_eq!(lags(&first), [(0, 20, Some(10))]);
        assert_eq!(lags(&second), [(1, 20, None)]);
        let (first, second) = preparer.halve(&first);
        assert_eq!(lags(&first), [(0, 10, Some(20))]);
        assert_eq!(lags(&second), [(0, 20, Some(10))]);
    }
}
