//! Joins on a real Postgres: two topics, several workers, and nobody misses what another one commits meanwhile.

mod common;

use common::{Held, Record, Worker, claim, commit};
use millrace_test_support::{
    StoredRevision, TemporaryPostgres,
    post_view::{self, Line, POSTS_OF_AUTHORS, POSTS_WITH_AUTHORS, Present},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const PARTITIONS: i32 = 2;
/// The places of the topics in the plan.
const POSTS: i32 = 0;
const USERS: i32 = 1;

async fn stored(query: &str) -> StoredRevision {
    let plan = post_view::plan(query, "post-events", "user-events");
    assert_eq!(plan.topics().names(), ["post-events", "user-events"]);
    StoredRevision::create(TemporaryPostgres::owned_database().await, plan, &common::topic(PARTITIONS)).await
}

/// The tasks of one topic.
fn tasks(topic: i32) -> Vec<i32> {
    (0..PARTITIONS).map(|partition| partition * 2 + topic).collect()
}

/// Gives lines their places: a key stays in its partition.
#[derive(Default)]
struct Log {
    next: BTreeMap<i32, i64>,
    count: i64,
}

impl Log {
    fn record(&mut self, topic: i32, (key, value): Line) -> Record {
        let id: i32 = key.parse().expect("a small number");
        let task = id % PARTITIONS * 2 + topic;
        let offset = self.next.entry(task).or_default();
        *offset += 1;
        self.count += 1;
        Record { partition: task, offset: *offset - 1, timestamp: self.count, key, value }
    }
}

/// Something that happens to a post or to a user.
fn event(random: &mut ChaCha8Rng, present: &mut Present, number: usize) -> (i32, Line) {
    let (post, user) = (random.random_range(0..40), random.random_range(0..12));
    match random.random_range(0..10) {
        0 => (POSTS, present.delete_post(post)),
        1 => (USERS, present.delete_user(user)),
        2..=4 => (USERS, present.user(user, &format!("홍길동 {number}"), ["개발팀", "영업팀"][number % 2])),
        _ => (POSTS, present.post(post, user, &format!("제목 {number}"))),
    }
}

async fn check(query: &str, all: bool) {
    let seed = rand::rng().next_u64();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let stored = stored(query).await;
    let (mut present, mut log) = (Present::default(), Log::default());
    let mut worker = Worker::start(&stored, "a").await;
    let everything: Vec<i32> = [tasks(POSTS), tasks(USERS)].concat();
    let mut held = claim(&mut worker, &everything).await;
    let mut number = 0;
    for round in 0..60 {
        let size = if random.random_bool(0.2) { 80 } else { random.random_range(1..8) };
        let records: Vec<Record> = (0..size)
            .map(|_| {
                number += 1;
                let (topic, line) = event(&mut random, &mut present, number);
                log.record(topic, line)
            })
            .collect();
        commit(&mut worker, &mut held, &records).await.expect("the epoch is committed");
        if random.random_bool(0.1) {
            worker = Worker::start(&stored, "a").await;
            held = claim(&mut worker, &everything).await;
        }
        assert_eq!(stored.rows().await, present.rows(all), "seed {seed}, round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_left_join_of_two_topics_follows_both() {
    check(POSTS_WITH_AUTHORS, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inner_join_of_two_topics_follows_both() {
    check(POSTS_OF_AUTHORS, false).await;
}

/// A post and its author come at the same moment, to two workers. Neither sees what the other has not committed: one
/// must wait, or both find nobody.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_join_one_key_take_turns() {
    let stored = stored(POSTS_OF_AUTHORS).await;
    let mut one = Worker::start(&stored, "a").await;
    let mut two = Worker::start(&stored, "b").await;
    let mut posts: BTreeMap<i32, Held> = claim(&mut one, &tasks(POSTS)).await;
    let mut users: BTreeMap<i32, Held> = claim(&mut two, &tasks(USERS)).await;
    let (mut present, mut log) = (Present::default(), Log::default());
    for id in 0..80 {
        let post = [log.record(POSTS, present.post(id, id, "제목"))];
        let user = [log.record(USERS, present.user(id, "홍길동", "개발팀"))];
        let (post, user) = tokio::join!(commit(&mut one, &mut posts, &post), commit(&mut two, &mut users, &user));
        post.expect("the post is committed");
        user.expect("the user is committed");
    }
    assert_eq!(stored.rows().await, present.rows(false));
}
