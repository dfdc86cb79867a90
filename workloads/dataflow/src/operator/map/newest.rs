//! Of all records of one key in an epoch, the newest of each partition: merge before you write.

use super::Evaluated;
use crate::{
    changes::Newest,
    keys::{KeyEncoder, sorted_by_key, take},
    records::Records,
    version::Version,
};
use ahash::RandomState;
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, UInt32Array};
use arrow_row::Rows;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, hash_map::Entry},
};

/// A rejected record is passed over: an older good record of its key is not hidden by it. A record that is no row of
/// the query (tombstone, `deleteWhen`, filter) deletes its key.
pub(super) fn newest(
    records: &Records,
    key: &[usize],
    encoder: &KeyEncoder,
    mapped: Evaluated,
    rejected: &BTreeSet<usize>,
) -> Newest {
    let key_columns: Vec<ArrayRef> = key.iter().map(|&index| records.columns.column(index).clone()).collect();
    let keys = encoder.encode(&key_columns);
    let mut good = vec![true; records.len()];
    rejected.iter().for_each(|row| good[*row] = false);
    let mut versions: Vec<Version> = (0..records.len()).map(|row| version(records, row)).collect();
    let rows = newest_of_partitions(&keys, &good, &mut versions);
    let (rounds, places) = rounds(&keys, rows, &versions);

    let mut position_of: Vec<Option<u32>> = vec![None; records.len()];
    for (position, row) in mapped.rows.iter().enumerate() {
        position_of[*row as usize] = Some(position as u32);
    }
    let order = || rounds.iter().flatten().map(|row| *row as usize);
    let positions: UInt32Array = order().map(|row| position_of[row]).collect();
    let deleted: BooleanArray = order().map(|row| Some(position_of[row].is_none())).collect();
    let rows = UInt32Array::from_iter_values(rounds.iter().flatten().copied());
    Newest {
        rounds: rounds.iter().map(Vec::len).collect(),
        places,
        keys: key_columns.iter().map(|column| take(column, &rows)).collect(),
        columns: mapped.columns.iter().map(|column| take(column, &positions)).collect(),
        deleted,
        partitions: Int32Array::from_iter_values(order().map(|row| versions[row].partition)),
        offsets: Int64Array::from_iter_values(order().map(|row| versions[row].offset)),
        timestamps: Int64Array::from_iter_values(order().map(|row| versions[row].timestamp)),
    }
}

fn version(records: &Records, row: usize) -> Version {
    Version {
        partition: records.partitions.value(row),
        offset: records.offsets.value(row),
        timestamp: records.timestamps.value(row),
    }
}

/// The newest good row of every key and partition; its version becomes the one that it leaves there.
fn newest_of_partitions(keys: &Rows, good: &[bool], versions: &mut [Version]) -> Vec<u32> {
    let mut newest = HashMap::with_capacity_and_hasher(good.len(), RandomState::new());
    for row in (0..good.len()).filter(|row| good[*row]) {
        match newest.entry((keys.row(row), versions[row].partition)) {
            Entry::Vacant(entry) => {
                entry.insert(row as u32);
            }
            Entry::Occupied(mut entry) => {
                if let Some(version) = versions[row].replacing(versions[*entry.get() as usize]) {
                    versions[row] = version;
                    entry.insert(row as u32);
                }
            }
        }
    }
    sorted_by_key(keys, newest.into_values())
}

/// The rows in rounds, and for each of them its key's place in the first round.
fn rounds(keys: &Rows, mut rows: Vec<u32>, versions: &[Version]) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut rounds: Vec<Vec<u32>> = Vec::new();
    let mut places: Vec<Vec<u32>> = Vec::new();
    let of_one_key = rows.chunk_by_mut(|left, right| keys.row(*left as usize) == keys.row(*right as usize));
    for (place, rows) in of_one_key.enumerate() {
        rows.sort_unstable_by_key(|row| {
            let version = versions[*row as usize];
            Reverse((version.timestamp, version.partition))
        });
        for (round, row) in rows.iter().enumerate() {
            if round == rounds.len() {
                rounds.push(Vec::new());
                places.push(Vec::new());
            }
            rounds[round].push(*row);
            places[round].push(place as u32);
        }
    }
    (rounds, places.concat())
}
