//! The plain meaning of a plan: every record on its own, the newest per key, groups folded one row at a time.
//! Shares evaluation with the operators, and nothing else.

mod relations;

use crate::{
    evaluate::{Context, EvalError, evaluate},
    memory::TextRow,
    records::Records,
    value::{
        ColumnBuilder, Decimal, canonical_keys, comparator, parse_double, print_any, print_double, print_real,
        zone_named,
    },
};
use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use chrono_tz::Tz;
use millrace_contract::{
    Expr, Plan, Source, SqlType,
    node::{Map, Operator},
    plan::{Call, Output},
    source::SourceKind,
    table::WriteRule,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a dataflow must come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// As [`MemoryStore::result`](crate::memory::MemoryStore::result) shows them.
    pub rows: Vec<TextRow>,
    /// (source, partition, offset) of the records whose computation fails.
    pub rejected: BTreeSet<(usize, i32, i64)>,
}

/// One record, evaluated; no row where the record deletes its key, or does not pass the filter.
struct Evaluated {
    key: TextRow,
    partition: i32,
    offset: i64,
    timestamp: i64,
    row: Option<TextRow>,
}

/// `logs`: for every source its partitions.
pub fn reference(plan: &Plan, logs: &[Vec<Records>]) -> Reference {
    let context = Context { zone: zone_named(&plan.time_zone).unwrap_or_else(|error| panic!("{error}")) };
    let scans: Vec<(usize, &Map)> = plan
        .nodes
        .iter()
        .filter_map(|node| match &node.operator {
            Operator::Scan { source, map, state: _ } => Some((*source, map)),
            Operator::Map { .. } | Operator::Keep { .. } | Operator::Join { .. } => None,
        })
        .collect();
    let mut rejected = BTreeSet::new();
    let mut evaluated: Vec<Vec<Evaluated>> = scans.iter().map(|_| Vec::new()).collect();
    for (index, records) in logs.iter().enumerate().flat_map(|(source, log)| log.iter().map(move |part| (source, part)))
    {
        for record in (0..records.len()).map(|row| records.slice(row, 1)) {
            let of_source = || scans.iter().enumerate().filter(|(_, (source, _))| *source == index);
            let rows: Result<Vec<Evaluated>, EvalError> = of_source()
                .map(|(_, (_, map))| evaluate_record(&plan.sources[index], map, &record, &context))
                .collect();
            match rows {
                Ok(rows) => of_source().zip(rows).for_each(|((scan, _), row)| evaluated[scan].push(row)),
                Err(_) => {
                    rejected.insert((index, record.partitions.value(0), record.offsets.value(0)));
                }
            }
        }
    }
    let mut scanned: Vec<Vec<Evaluated>> = scans
        .iter()
        .zip(evaluated)
        .map(|((source, _), records)| match plan.sources[*source].kind {
            SourceKind::Stream => records,
            SourceKind::Table => newest(records),
        })
        .collect();
    let types: &[SqlType] = plan.nodes.last().map_or(&[], |node| &node.columns);
    let mut rows: Vec<TextRow> = if let Output::Append { .. } = plan.output {
        let position = |record: &Evaluated| [Some(record.partition.to_string()), Some(record.offset.to_string())];
        let rows = scanned.remove(0).into_iter();
        rows.filter_map(|record| {
            let position = position(&record);
            Some(by_value(&record.row?, types).into_iter().chain(position).collect())
        })
        .collect()
    } else {
        let scanned = scanned.into_iter().map(|records| records.into_iter().filter_map(|record| record.row).collect());
        let rows = relations::relation(plan, scanned.collect(), &context);
        match &plan.output {
            Output::Append { .. } | Output::Upsert { .. } => rows.iter().map(|row| by_value(row, types)).collect(),
            Output::Keyed { .. } => {
                let counted = rows.iter().map(|row| by_value(row, types).into_iter().chain([Some("1".to_owned())]));
                counted.map(Iterator::collect).collect()
            }
            Output::Aggregate { groups, calls, rows: table } => {
                let keep_empty = matches!(plan.tables[*table].write, WriteRule::Merge { keep_empty: true, .. });
                aggregate(rows, types, *groups, calls, plan.tables[*table].columns.len(), keep_empty)
            }
        }
    };
    rows.sort();
    Reference { rows, rejected }
}

fn evaluate_record(source: &Source, map: &Map, record: &Records, context: &Context) -> Result<Evaluated, EvalError> {
    let is_true = |expr: &Expr| -> Result<bool, EvalError> {
        let value = evaluate(expr, &record.columns, context)?;
        Ok(value.is_valid(0) && value.as_boolean().value(0))
    };
    let deleted = record.tombstones.value(0) || source.delete_when.as_ref().map_or(Ok(false), is_true)?;
    let passes = !deleted && map.filter.as_ref().map_or(Ok(true), is_true)?;
    let row = if passes { Some(row(&map.columns, &record.columns, context)?) } else { None };
    let key = source.key.iter().map(|&index| {
        let column = record.columns.column(index);
        print_any(&canonical_keys(source.columns[index].ty, column), 0, Tz::UTC)
    });
    Ok(Evaluated {
        key: key.collect(),
        partition: record.partitions.value(0),
        offset: record.offsets.value(0),
        timestamp: record.timestamps.value(0),
        row,
    })
}

fn row(columns: &[Expr], batch: &RecordBatch, context: &Context) -> Result<TextRow, EvalError> {
    columns.iter().map(|column| Ok(print_any(&evaluate(column, batch, context)?, 0, Tz::UTC))).collect()
}

/// Of every key the last record of the partition that holds the greatest timestamp of the key's records; the higher
/// partition where two do. The records of a partition are in the order of their offsets.
fn newest(records: Vec<Evaluated>) -> Vec<Evaluated> {
    let mut partitions: BTreeMap<(TextRow, i32), (i64, Evaluated)> = BTreeMap::new();
    for record in records {
        let place = (record.key.clone(), record.partition);
        let before = partitions.get(&place).map_or(i64::MIN, |(timestamp, _)| *timestamp);
        partitions.insert(place, (before.max(record.timestamp), record));
    }
    let mut newest: BTreeMap<TextRow, (i64, Evaluated)> = BTreeMap::new();
    // By partition within a key: the later of two equal ones is the higher partition's.
    for ((key, _), (timestamp, record)) in partitions {
        if newest.get(&key).is_none_or(|(other, _)| *other <= timestamp) {
            newest.insert(key, (timestamp, record));
        }
    }
    newest.into_values().map(|(_, record)| record).collect()
}

fn aggregate(
    rows: Vec<TextRow>,
    types: &[SqlType],
    group_count: usize,
    calls: &[Call],
    width: usize,
    keep_empty: bool,
) -> Vec<TextRow> {
    let mut groups: BTreeMap<TextRow, Vec<TextRow>> = BTreeMap::new();
    if keep_empty {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in rows {
        groups.entry(by_value(&row[..group_count], types)).or_default().push(row);
    }
    let fold = |(key, rows): (TextRow, Vec<TextRow>)| {
        let mut result: TextRow = vec![None; width];
        let key = if group_count == 0 { vec![Some("0".to_owned())] } else { key };
        result[..key.len()].clone_from_slice(&key);
        result[width - 1] = Some(rows.len().to_string());
        for call in calls {
            fold_call(call, &rows, types, &mut result);
        }
        result
    };
    groups.into_iter().map(fold).collect()
}

fn fold_call(call: &Call, rows: &[TextRow], types: &[SqlType], result: &mut TextRow) {
    let values = |argument: usize| rows.iter().filter_map(move |row| row[argument].clone());
    match call {
        Call::Count { argument: None, column } => result[*column] = Some(rows.len().to_string()),
        Call::Count { argument: Some(argument), column } => {
            result[*column] = Some(values(*argument).count().to_string());
        }
        Call::Sum { argument, column, count } => {
            result[*count] = Some(values(*argument).count().to_string());
            let number = |text: String| parse_double(&text).unwrap_or_else(|error| panic!("{error}"));
            result[*column] = Some(match types[*argument] {
                SqlType::Real => print_real(values(*argument).map(number).fold(0.0, |sum, value| sum + value) as f32),
                SqlType::DoublePrecision => {
                    print_double(values(*argument).map(number).fold(0.0, |sum, value| sum + value))
                }
                _ => values(*argument)
                    .map(|text| Decimal::parse(&text).unwrap_or_else(|error| panic!("{error}")))
                    .fold(Decimal::zero(), |sum, value| &sum + &value)
                    .normalized()
                    .to_string(),
            });
        }
        Call::Extreme { argument, column, largest, values: _ } => {
            let ty = types[*argument];
            let best = values(*argument).reduce(|best, next| {
                let order = comparator(ty, &single(ty, &next), &single(ty, &best))(0, 0);
                let better = if *largest { order.is_gt() } else { order.is_lt() };
                if better { next } else { best }
            });
            result[*column] = by_value(&[best], &[ty]).remove(0);
        }
    }
}

/// numeric and jsonb as one text for all that are equal.
fn by_value(row: &[Option<String>], types: &[SqlType]) -> TextRow {
    let canonical = |(text, ty): (&Option<String>, &SqlType)| {
        print_any(&canonical_keys(*ty, &single(*ty, text.as_ref()?)), 0, Tz::UTC)
    };
    row.iter().zip(types).map(canonical).collect()
}

fn single(ty: SqlType, text: &str) -> ArrayRef {
    let mut builder = ColumnBuilder::new(ty, 1);
    builder.append_text(text).expect("what was printed is read back");
    builder.finish()
}
