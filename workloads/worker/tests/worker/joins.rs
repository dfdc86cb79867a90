//! A view over two topics, kept by whole workers: real brokers, a real Postgres, workers that come, go and are killed.

use crate::common::Scene;
use millrace_test_support::{
    TemporaryKafka,
    post_view::{self, Line, POSTS_OF_AUTHORS, POSTS_WITH_AUTHORS, Present},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::producer::FutureRecord;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;

/// Things that happen to posts and users, as records of their topics.
fn history(random: &mut ChaCha8Rng, present: &mut Present, count: usize) -> Vec<(usize, Line)> {
    let event = |number: usize| {
        let (post, user) = (random.random_range(0..200), random.random_range(0..30));
        match random.random_range(0..10) {
            0 => (0, present.delete_post(post)),
            1 => (1, present.delete_user(user)),
            2..=4 => (1, present.user(user, &format!("홍길동 {number}"), ["개발팀", "영업팀"][number % 2])),
            _ => (0, present.post(post, user, &format!("제목 {number}"))),
        }
    };
    (0..count).map(event).collect()
}

async fn send(scene: &Scene, topics: &[String; 2], lines: &[(usize, Line)]) {
    let mut sent = Vec::new();
    for (topic, (key, value)) in lines {
        let mut record = FutureRecord::<str, str>::to(&topics[*topic]).key(key);
        record.payload = value.as_deref();
        sent.push(scene.producer.send_result(record).map_err(|(error, _)| error).expect("the queue has room"));
    }
    for delivery in sent {
        delivery.await.expect("not cancelled").expect("delivered");
    }
}

async fn becomes(scene: &Scene, expected: Vec<Vec<Option<String>>>) {
    let begun = Instant::now();
    loop {
        let found = scene.stored.rows().await;
        if found == expected {
            return;
        }
        if begun.elapsed() > Duration::from_secs(40) {
            let state = scene.state().await;
            assert_eq!(found, expected, "{state}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn check(query: &str, all: bool) {
    let mut random = ChaCha8Rng::seed_from_u64(rand::rng().next_u64());
    let random = &mut random;
    let brokers = TemporaryKafka::shared().await;
    let topics = [brokers.topic("posts", PARTITIONS).await, brokers.topic("users", PARTITIONS).await];
    let scene = Scene::joined(brokers, post_view::plan(query, &topics[0], &topics[1])).await;
    let mut present = Present::default();
    send(&scene, &topics, &history(random, &mut present, 1_500)).await;
    let one = scene.worker("post-view-0");
    becomes(&scene, present.rows(all)).await;
    let two = scene.worker("post-view-1");
    scene
        .until(
            "two workers hold three tasks each",
            "SELECT count(*) FILTER (WHERE holder = 'post-view-0') = 3
                AND count(*) FILTER (WHERE holder = 'post-view-1') = 3 FROM millrace.progress",
            Duration::from_secs(15),
        )
        .await;
    for _ in 0..5 {
        send(&scene, &topics, &history(random, &mut present, 300)).await;
    }
    becomes(&scene, present.rows(all)).await;
    one.kill();
    send(&scene, &topics, &history(random, &mut present, 500)).await;
    becomes(&scene, present.rows(all)).await;
    let letters: Vec<(i64,)> = scene.query("SELECT count(*) FROM millrace.dead_letter").await;
    assert_eq!(letters, [(0,)]);
    assert_eq!(two.end().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_kept_beside_the_present_name_of_their_author() {
    check(POSTS_WITH_AUTHORS, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_gone_with_their_author() {
    check(POSTS_OF_AUTHORS, false).await;
}
