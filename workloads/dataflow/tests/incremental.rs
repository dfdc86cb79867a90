//! Every dataflow obeys the law under random histories: cuts, restarts, tasks in any order, a topic that grows.

mod plans;

use millrace_contract::{Expr, Plan, SqlType, node::JoinKind, source::SourceKind};
use millrace_dataflow::{
    Dataflow,
    laws::{History, Random, check_incremental},
};
use plans::{
    AGE, DEPARTMENT, ID, SALARY, SCORE, TYPES, aggregate, append, call, column, hundred_by_age, join, literal, of_age,
    upsert, users,
};
use std::sync::Arc;

const SEEDS: u64 = 60;

fn check(plan: &Arc<Plan>) {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut log = |source| {
            let history = History {
                source,
                records: 20 + random.below(200),
                keys: 1 + random.below(20),
                values: vec![
                    vec![Some("1"), Some("2")],
                    vec![Some("개발팀"), Some("영업팀"), Some(""), None],
                    vec![Some("0"), Some("7"), Some("20"), Some("-30"), Some("65"), None],
                    vec![Some("1.0"), Some("1.00"), Some("-2.5"), Some("100000000000000000000"), None],
                    vec![Some("0.5"), Some("-0"), Some("0"), Some("2.25"), None],
                ],
                partitions: 1 + random.below(3),
                partitions_later: 1 + random.below(5),
            };
            history.generate(&mut random)
        };
        let logs: Vec<_> = plan.sources.iter().map(&mut log).collect();
        eprintln!("seed {seed}");
        check_incremental(plan, &logs, &mut random);
    }
}

#[test]
fn rows_of_a_stream_are_appended_once() {
    check(&append(Some(of_age()), vec![column(ID), column(DEPARTMENT), column(SALARY)]));
}

#[test]
fn rows_of_a_stream_that_fail_are_rejected_alone() {
    check(&append(None, vec![column(ID), hundred_by_age()]));
}

#[test]
fn the_newest_row_of_every_key_is_kept() {
    check(&upsert(users(SourceKind::Table), None, vec![column(ID), column(DEPARTMENT), column(SALARY)]));
}

#[test]
fn a_row_that_leaves_the_filter_is_deleted() {
    check(&upsert(users(SourceKind::Table), Some(of_age()), vec![column(ID), column(AGE)]));
}

#[test]
fn a_record_that_fails_leaves_its_key_as_it_was() {
    check(&upsert(users(SourceKind::Table), None, vec![column(ID), hundred_by_age()]));
}

#[test]
fn delete_when_deletes_without_looking_at_the_rest() {
    let mut source = users(SourceKind::Table);
    source.delete_when = Some(call("int4eq", vec![column(AGE), literal("0", SqlType::Integer)], SqlType::Boolean));
    check(&upsert(source, None, vec![column(ID), hundred_by_age()]));
}

#[test]
fn groups_of_a_stream_add_up() {
    let columns = vec![column(DEPARTMENT), column(AGE), column(SALARY), column(SCORE), column(ID)];
    let calls = [
        ("count", None),
        ("count", Some(1)),
        ("sum", Some(1)),
        ("sum", Some(2)),
        ("sum", Some(3)),
        ("sum", Some(4)),
        ("min", Some(2)),
        ("max", Some(0)),
        ("max", Some(3)),
    ];
    check(&aggregate(users(SourceKind::Stream), None, columns, 1, &calls));
}

#[test]
fn groups_of_equal_numbers_are_one_group() {
    let columns = vec![column(SALARY), column(SCORE), column(ID)];
    check(&aggregate(users(SourceKind::Stream), None, columns, 2, &[("count", None), ("sum", Some(2))]));
}

#[test]
fn groups_of_a_table_are_those_of_its_newest_rows() {
    let columns = vec![column(DEPARTMENT), column(AGE), column(SALARY), column(ID)];
    let calls =
        [("count", None), ("count", Some(1)), ("sum", Some(1)), ("sum", Some(2)), ("sum", Some(3)), ("min", Some(3))];
    check(&aggregate(users(SourceKind::Table), Some(of_age()), columns, 1, &calls));
}

#[test]
fn extremes_of_a_table_follow_what_is_retracted() {
    let columns = vec![column(DEPARTMENT), column(SALARY), column(SCORE), column(AGE)];
    let calls = [("min", Some(1)), ("max", Some(1)), ("max", Some(2)), ("min", Some(3))];
    check(&aggregate(users(SourceKind::Table), None, columns, 1, &calls));
}

#[test]
fn a_table_without_groups_has_one_row_from_the_start() {
    let columns = vec![column(AGE), column(SALARY)];
    let calls = [("count", None), ("sum", Some(0)), ("sum", Some(1)), ("max", Some(1))];
    check(&aggregate(users(SourceKind::Table), None, columns.clone(), 0, &calls));
    check(&aggregate(users(SourceKind::Stream), Some(of_age()), columns, 0, &calls));
}

#[test]
fn rejected_records_of_a_table_leave_their_groups_as_they_were() {
    let columns = vec![column(DEPARTMENT), hundred_by_age()];
    check(&aggregate(users(SourceKind::Table), None, columns, 1, &[("sum", Some(1)), ("min", Some(1))]));
}

#[test]
fn sums_of_floats_over_rows_that_can_be_retracted_are_refused() {
    let plan = aggregate(users(SourceKind::Table), None, vec![column(SCORE)], 0, &[("sum", Some(0))]);
    let error = Dataflow::new(plan).err().expect("refused");
    assert!(error.to_string().contains("cast to numeric"), "{error}");
}

const KINDS: [JoinKind; 5] = [JoinKind::Inner, JoinKind::Left, JoinKind::Full, JoinKind::Semi, JoinKind::Anti];

/// The left age is less than the right one: what a join asks besides equal keys.
fn younger() -> Option<Expr> {
    let right = Expr::Column { index: TYPES.len() + AGE, ty: SqlType::Integer };
    Some(call("int4lt", vec![column(AGE), right], SqlType::Boolean))
}

#[test]
fn joins_by_a_foreign_key_follow_both_sides() {
    for kind in KINDS {
        check(&join(kind, None, [ID, ID], None));
        check(&join(kind, Some(of_age()), [ID, ID], younger()));
    }
}

#[test]
fn joins_of_many_with_many_follow_both_sides() {
    for kind in KINDS {
        check(&join(kind, None, [DEPARTMENT, DEPARTMENT], None));
        check(&join(kind, Some(of_age()), [DEPARTMENT, DEPARTMENT], younger()));
    }
}

#[test]
fn joins_find_equal_numbers_however_they_are_written() {
    for kind in KINDS {
        check(&join(kind, None, [SALARY, SALARY], None));
        check(&join(kind, None, [SCORE, SCORE], younger()));
    }
}
