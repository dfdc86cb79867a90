//! Whatever the text is, the compiler answers: a plan or a sentence, never a panic.

mod common;

use common::{EVERY_TYPE, compiled, source};
use millrace_contract::{SqlType, source::SourceKind};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

const SEEDS: &str = include_str!("refused/queries.sql");

#[test]
fn a_mutated_query_is_compiled_or_refused_never_a_panic() {
    let seed = 20_260_101;
    eprintln!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut columns = vec![("id", SqlType::BigInt), ("salary", SqlType::Integer), ("created_at", SqlType::TimestampTz)];
    columns.extend(["name", "department", "email", "status", "event_type"].map(|name| (name, SqlType::Text)));
    columns.extend(EVERY_TYPE);
    let users = source("users", SourceKind::Table, &columns, &["id"]);
    let mut seeds: Vec<&str> = SEEDS.split("\n\n").map(str::trim).collect();
    seeds.retain(|seed| !seed.is_empty());
    let good: Vec<&str> = include_str!("plans/queries.sql").split("\n\n").map(str::trim).collect();
    let words: Vec<&str> = seeds.iter().chain(&good).flat_map(|seed| seed.split_whitespace()).collect();
    let mut compiled_count = 0;
    let runs = 6_000;
    for _ in 0..runs {
        let from = if random.random_range(0..2) == 0 { &seeds } else { &good };
        let mut query = from.choose(&mut random).copied().unwrap_or_default().to_owned();
        for _ in 0..random.random_range(1..3) {
            query = mutated(&query, &words, &mut random);
        }
        match compiled(&query, vec![users.clone()]) {
            Ok(compiled) => {
                compiled_count += 1;
                let again = compiled.plan.to_json();
                assert_eq!(millrace_contract::Plan::from_json(&again).expect("a plan is readable"), compiled.plan);
                assert!(!millrace_sql::explain(&compiled.plan).is_empty());
            }
            Err(error) => {
                assert!(!error.to_string().contains("error of its own"), "{query}\n{error}");
                assert!(!error.advice.is_empty() && !error.found.is_empty(), "{query}\n{error}");
            }
        }
    }
    assert!(compiled_count > runs / 100, "only {compiled_count} of {runs} mutations were compiled");
}

/// A word or a character is doubled, removed, exchanged, or put in.
fn mutated(query: &str, words: &[&str], random: &mut ChaCha8Rng) -> String {
    let mut parts: Vec<String> = query.split_inclusive(' ').map(str::to_owned).collect();
    if parts.is_empty() {
        return "SELECT".to_owned();
    }
    let place = random.random_range(0..parts.len());
    let other = random.random_range(0..parts.len());
    match random.random_range(0..7) {
        0 => parts.insert(place, format!("{} ", words.choose(random).copied().unwrap_or_default())),
        1 => drop(parts.remove(place)),
        2 => parts.swap(place, other),
        3 => parts[place] = format!("{} ", words.choose(random).copied().unwrap_or_default()),
        4 => parts[place] = format!("({}) ", parts[place]),
        5 => {
            let mut letters: Vec<char> = query.chars().collect();
            let place = random.random_range(0..letters.len().max(1));
            let letter = ['\'', '"', '(', ')', ';', '\0', '한', '-', '*', '$', '\\', '9', '.', ':', '\n'];
            letters.insert(place.min(letters.len()), letter.choose(random).copied().unwrap_or(' '));
            return letters.into_iter().collect();
        }
        _ => {
            let mut letters: Vec<char> = query.chars().collect();
            if letters.len() > 1 {
                letters.remove(random.random_range(0..letters.len()));
            }
            return letters.into_iter().collect();
        }
    }
    parts.concat()
}
