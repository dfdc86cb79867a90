//! The oracle: whatever the history, however it is cut, wherever the worker restarts, the view's rows are those that
//! the same SQL returns in a real Postgres over the source's current rows.

mod common;

use common::{
    EVERY_TYPE,
    grammar::Grammar,
    oracle::{Case, case, check},
    source,
};
use millrace_contract::{SqlType, source::SourceKind};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// A random view.
fn view_case(seed: u64) -> Result<Case, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let kind = if random.random_range(0..3) == 0 { SourceKind::Stream } else { SourceKind::Table };
    let columns = columns();
    let key: &[&str] = match (kind, seed % 4) {
        (SourceKind::Stream, _) => &[],
        (SourceKind::Table, 0) => &["id", "i4"],
        (SourceKind::Table, _) => &["id"],
    };
    let mut declared = source("users", kind, &columns, key);
    let query = Grammar { random: &mut random, columns: &columns }.query("users", kind == SourceKind::Stream);
    if kind == SourceKind::Table && seed.is_multiple_of(3) {
        let condition = ["bo", "tx = 'a'", "i4 > 50", "nu = 1"].choose(&mut random).copied().unwrap_or("bo");
        declared.delete_when = Some(condition.to_owned());
    }
    let records = random.random_range(0..90);
    case(seed, vec![declared], query, records, &mut random)
}

/// A random expression over every record of a Stream.
fn expression_case(seed: u64) -> Result<Case, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let columns = columns();
    let mut grammar = Grammar { random: &mut random, columns: &columns };
    let kind = grammar.kind();
    let query = format!("SELECT id, {} AS \"값\" FROM users", grammar.expression(kind, 4));
    case(seed, vec![source("users", SourceKind::Stream, &columns, &[])], query, 30, &mut random)
}

fn columns() -> Vec<(&'static str, SqlType)> {
    std::iter::once(("id", SqlType::BigInt)).chain(EVERY_TYPE).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_the_rows_of_the_same_query_in_postgres() {
    check(260, view_case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_has_the_value_that_postgres_computes() {
    let rejected = check(500, expression_case).await;
    assert!(rejected > 0, "no computation failed");
}
