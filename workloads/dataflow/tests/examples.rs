//! One small example for every operator: records as text in, writes as text out.

mod plans;

use expect_test::{Expect, expect};
use millrace_contract::{Plan, Source, source::SourceKind};
use millrace_dataflow::{
    ColumnBuilder, Dataflow, Records,
    laws::{History, run},
    memory::MemoryStore,
    print,
};
use plans::{AGE, DEPARTMENT, ID, SALARY, aggregate, append, column, hundred_by_age, of_age, upsert, users};
use std::sync::Arc;

/// `partition:offset@timestamp id department age salary score`, `-` is null; only an id is a tombstone.
fn records(source: &Source, lines: &str) -> Records {
    let lines: Vec<Vec<&str>> =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| line.split(' ').collect()).collect();
    let columns = source.columns.iter().enumerate().map(|(index, column)| {
        let mut builder = ColumnBuilder::new(column.ty, lines.len());
        for line in &lines {
            match line.get(index + 1) {
                None | Some(&"-") => builder.append_null(),
                Some(text) => builder.append_text(text).expect("a value of the column's type"),
            }
        }
        builder.finish()
    });
    let place = |line: &Vec<&str>| -> (i32, i64, i64) {
        let (partition, rest) = line[0].split_once(':').expect("partition:offset@timestamp");
        let (offset, timestamp) = rest.split_once('@').expect("offset@timestamp");
        let number = |text: &str| text.parse::<i64>().expect("a number");
        (number(partition) as i32, number(offset), number(timestamp))
    };
    Records::new(
        source,
        columns.collect(),
        lines.iter().map(|line| Some(line.len() == 2)).collect(),
        lines.iter().map(|line| place(line).0).collect(),
        lines.iter().map(|line| place(line).1).collect(),
        lines.iter().map(|line| place(line).2).collect(),
    )
}

/// Runs one epoch after the other and prints what each writes, and what it rejects.
fn check(plan: &Arc<Plan>, epochs: &[&str], expected: Expect) {
    let dataflow = Dataflow::new(plan.clone()).expect("the plan runs");
    let mut store = MemoryStore::new(plan);
    let mut out = dataflow.describe() + "\n";
    for epoch in epochs {
        out.push_str("--\n");
        let (writes, mapped) = run(&dataflow, &store, &[records(&plan.sources[0], epoch)]);
        for rejected in &mapped.rejected {
            out.push_str(&format!("rejected {}: {} {}\n", rejected.row, rejected.reason, rejected.detail));
        }
        for write in &writes {
            let table = &plan.tables[write.table];
            for row in 0..write.rows.num_rows() {
                out.push_str(&table.name);
                for (array, column) in write.rows.columns().iter().zip(&table.columns) {
                    let text = print(array, column.ty, row, chrono_tz::Tz::UTC).unwrap_or_else(|| "-".into());
                    out.push(' ');
                    out.push_str(&text);
                }
                out.push('\n');
            }
        }
        store.commit(&writes).expect("nothing overflows");
    }
    expected.assert_eq(&out);
}

#[test]
fn append_writes_every_row_that_passes_the_filter() {
    let plan = append(Some(of_age()), vec![column(ID), column(DEPARTMENT)]);
    let epoch = "
        1:5@10 2 영업팀 30 - -
        0:7@11 1 개발팀 20 - -
        0:8@12 3 개발팀 19 - -";
    check(
        &plan,
        &[epoch],
        expect![[r#"
        filter and map users to 2 columns
        append to rows, keyed by partition and offset
        --
        rows 1 개발팀 0 7
        rows 2 영업팀 1 5
    "#]],
    );
}

#[test]
fn upsert_writes_the_newest_row_of_every_key_and_keeps_the_version_of_deleted_ones() {
    let plan = upsert(users(SourceKind::Table), None, vec![column(ID), column(DEPARTMENT)]);
    let first = "
        0:1@10 7 개발팀 - - -
        0:2@11 3 영업팀 - - -
        0:3@12 7 영업팀 - - -
        0:4@13 3";
    check(
        &plan,
        &[first, "0:5@14 3 총무팀 - - -"],
        expect![[r#"
        map users to 2 columns
        upsert into rows by key, the newer version wins
        --
        rows 3 - 0 4 13 t
        rows 7 영업팀 0 3 12 f
        --
        rows 3 총무팀 0 5 14 f
    "#]],
    );
}

#[test]
fn map_rejects_a_record_that_fails_and_falls_back_to_the_one_before() {
    let plan = upsert(users(SourceKind::Table), None, vec![column(ID), hundred_by_age()]);
    let epoch = "
        0:1@10 7 - 5 - -
        0:2@11 7 - 0 - -
        0:3@12 8 - 0 - -";
    check(
        &plan,
        &[epoch],
        expect![[r#"
        map users to 2 columns
        upsert into rows by key, the newer version wins
        --
        rejected 1: Compute division by zero
        rejected 2: Compute division by zero
        rows 7 20 0 1 10 f
    "#]],
    );
}

#[test]
fn aggregate_merges_an_epoch_into_one_delta_a_group() {
    let columns = vec![column(DEPARTMENT), column(AGE), column(SALARY)];
    let plan =
        aggregate(users(SourceKind::Stream), None, columns, 1, &[("count", None), ("sum", Some(1)), ("max", Some(2))]);
    let epoch = "
        0:1@10 1 개발팀 20 1.50 -
        0:2@11 2 영업팀 30 - -
        0:3@12 3 개발팀 - 1.5 -
        0:4@13 4 - 1 0 -";
    check(
        &plan,
        &[epoch],
        expect![[r#"
        map users to 3 columns
        merge 3 aggregates of 1 group columns into rows
        --
        rows - 1 1 1 0 1
        rows 개발팀 2 20 1 1.50 2
        rows 영업팀 1 30 1 - 1
    "#]],
    );
}

#[test]
fn latest_retracts_what_was_stored_and_inserts_what_is_new() {
    let columns = vec![column(DEPARTMENT), column(AGE)];
    let plan = aggregate(users(SourceKind::Table), None, columns, 1, &[("sum", Some(1)), ("min", Some(1))]);
    let epochs = [
        "0:1@10 7 개발팀 20 - -
         0:2@10 8 개발팀 30 - -",
        // 7 moves and gets older; 8 is deleted.
        "0:3@11 7 영업팀 21 - -
         0:4@11 8",
        // Read again: nothing is newer than what is stored.
        "0:3@11 7 영업팀 21 - -",
        // The topic was grown: an older record in another partition loses, a newer one wins.
        "1:1@9 7 총무팀 50 - -",
        "1:2@12 7 영업팀 22 - -",
    ];
    check(
        &plan,
        &epochs,
        expect![[r#"
        map users to 2 columns
        keep the newest row of every key in state
        merge 2 aggregates of 1 group columns into rows
        --
        state 7 개발팀 20 0 1 10 f
        state 8 개발팀 30 0 2 10 f
        rows 개발팀 50 2 - 2
        values_3 개발팀 20 1
        values_3 개발팀 30 1
        --
        state 7 영업팀 21 0 3 11 f
        state 8 - - 0 4 11 t
        rows 개발팀 -50 -2 - -2
        rows 영업팀 21 1 - 1
        values_3 개발팀 20 -1
        values_3 개발팀 30 -1
        values_3 영업팀 21 1
        --
        --
        --
        state 7 영업팀 22 1 2 12 f
        rows 영업팀 1 0 - 0
        values_3 영업팀 21 -1
        values_3 영업팀 22 1
    "#]],
    );
}

#[test]
fn a_group_whose_values_change_is_written_even_when_its_delta_is_zero() {
    let plan = aggregate(users(SourceKind::Table), None, vec![column(DEPARTMENT), column(AGE)], 1, &[("min", Some(1))]);
    check(
        &plan,
        &["0:1@10 7 개발팀 3 - -", "0:2@11 7 개발팀 5 - -"],
        expect![[r#"
        map users to 2 columns
        keep the newest row of every key in state
        merge 1 aggregates of 1 group columns into rows
        --
        state 7 개발팀 3 0 1 10 f
        rows 개발팀 - 1
        values_1 개발팀 3 1
        --
        state 7 개발팀 5 0 2 11 f
        rows 개발팀 - 0
        values_1 개발팀 3 -1
        values_1 개발팀 5 1
    "#]],
    );
}

#[test]
fn a_history_is_fixed_by_its_seed() {
    let source = users(SourceKind::Table);
    let history = History {
        source: &source,
        records: 30,
        keys: 4,
        values: vec![vec![None]; 5],
        partitions: 2,
        partitions_later: 3,
    };
    let generate = || history.generate(&mut millrace_dataflow::laws::Random(7));
    let lengths: Vec<usize> = generate().iter().map(Records::len).collect();
    assert_eq!(lengths, generate().iter().map(Records::len).collect::<Vec<_>>());
    assert_eq!(lengths.iter().sum::<usize>(), 30);
}
