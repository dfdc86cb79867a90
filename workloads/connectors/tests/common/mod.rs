//! Workers without Kafka: records by hand, epochs cut by hand, and what the result must be.

#![allow(dead_code, unused_imports)]

mod recomputation;

pub use recomputation::{Record, recomputed};

use millrace_connectors::{
    RawRecords,
    decode::Decoder,
    postgres::{Advance, Epoch, RevisionName, Store, StoreError, connect},
};
use millrace_dataflow::Dataflow;
use millrace_test_support::{StoredRevision, TopicOfRevision};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub fn topic(partitions: i32) -> TopicOfRevision {
    TopicOfRevision { cluster_id: "cluster".into(), topic_id: "topic".into(), partitions, further: vec![] }
}

/// Records in order; offsets and timestamps are counted up.
pub fn records(lines: &[(i32, &str, Option<&str>)]) -> Vec<Record> {
    let mut next: HashMap<i32, i64> = HashMap::new();
    lines
        .iter()
        .enumerate()
        .map(|(index, &(partition, key, value))| {
            let offset = next.entry(partition).or_default();
            *offset += 1;
            Record {
                partition,
                offset: *offset - 1,
                timestamp: index as i64,
                key: key.into(),
                value: value.map(str::to_owned),
            }
        })
        .collect()
}

/// A random history: inserts, updates, deletes both ways, null groups, null ages. A key stays in its partition.
pub fn history(random: &mut ChaCha8Rng, count: usize, partitions: i32) -> Vec<Record> {
    let departments = ["\"개발팀\"", "\"영업팀\"", "\"인사팀\"", "null", "\"퇴사\"", "\"\""];
    let mut next: HashMap<i32, i64> = HashMap::new();
    (0..count)
        .map(|index| {
            let id = random.random_range(0..40);
            let partition = id % partitions;
            let department = departments[random.random_range(0..departments.len())];
            let age = if random.random_bool(0.2) { "null".into() } else { random.random_range(18..30).to_string() };
            let value = random.random_bool(0.85).then(|| {
                format!(r#"{{"user":{{"id":{id},"name":"홍길동 {index}","department":{department},"age":{age}}}}}"#)
            });
            let offset = next.entry(partition).or_default();
            *offset += 1;
            Record { partition, offset: *offset - 1, timestamp: index as i64 / 3, key: id.to_string(), value }
        })
        .collect()
}

pub struct Worker {
    pub store: Store,
    decoders: Vec<Decoder>,
    dataflow: Arc<Dataflow>,
}

impl Worker {
    pub async fn start(stored: &StoredRevision, holder: &str) -> Worker {
        let name = RevisionName {
            namespace: stored.namespace.clone(),
            view: stored.view.clone(),
            revision: stored.revision.clone(),
            holder: holder.into(),
        };
        let mut connection = connect(&stored.connection(), holder).await.expect("the role connects");
        let loaded = Store::load(&mut connection, &name).await.expect("the revision is there");
        assert_eq!(loaded.plan, stored.plan);
        let dataflow = Arc::new(Dataflow::new(Arc::new(loaded.plan.clone())).expect("the plan runs"));
        let topics = loaded.plan.topics();
        let decoder = |(index, source)| Decoder::of_topic(source, &topics, index, chrono_tz::Asia::Seoul);
        let decoders = loaded.plan.sources.iter().enumerate().map(decoder).collect();
        Worker { store: Store::new(connection, name, loaded, dataflow.clone()), decoders, dataflow }
    }
}

#[derive(Debug)]
pub struct Held {
    pub owner: i64,
    pub next_offset: i64,
}

pub async fn claim(worker: &mut Worker, partitions: &[i32]) -> BTreeMap<i32, Held> {
    let claimed = worker.store.claim(partitions).await.expect("the claim is answered");
    claimed
        .into_iter()
        .map(|task| (task.partition, Held { owner: task.owner, next_offset: task.next_offset }))
        .collect()
}

pub async fn claim_all(worker: &mut Worker, partitions: i32) -> BTreeMap<i32, Held> {
    claim(worker, &(0..partitions).collect::<Vec<i32>>()).await
}

/// Commits `records` as one epoch.
pub async fn commit(worker: &mut Worker, held: &mut BTreeMap<i32, Held>, records: &[Record]) -> Result<(), StoreError> {
    let mut raw = RawRecords::default();
    let mut advances: BTreeMap<i32, Advance> = BTreeMap::new();
    for record in records {
        raw.push(
            record.partition,
            record.offset,
            record.timestamp,
            Some(record.key.as_bytes()),
            record.value.as_deref().map(str::as_bytes),
        );
        let task = &held[&record.partition];
        let advance = advances.entry(record.partition).or_insert(Advance {
            partition: record.partition,
            owner: task.owner,
            from: task.next_offset,
            to: 0,
            event_time: None,
            records: 0,
            bytes: 0,
            dead_letters: 0,
            lag: None,
        });
        advance.to = record.offset + 1;
        advance.records += 1;
        advance.event_time = advance.event_time.max(Some(record.timestamp));
    }
    let decoded: Vec<_> = worker.decoders.iter().map(|decoder| decoder.decode(&raw).records).collect();
    let mapped = decoded.iter().any(|records| !records.is_empty()).then(|| worker.dataflow.map(&decoded));
    let advances: Vec<Advance> = advances.into_values().collect();
    let epoch = Epoch { advances: &advances, mapped: mapped.as_ref(), dead_letters: &[] };
    worker.store.commit(&epoch).await?;
    for advance in advances {
        held.get_mut(&advance.partition).expect("held").next_offset = advance.to;
    }
    Ok(())
}
