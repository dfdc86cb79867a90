//! Of all records of one key in an epoch, the newest: merge before you write.

use super::{Mapped, Rejected};
use crate::{
    changes::Newest,
    keys::{KeyEncoder, key_map, sorted_by_key, take},
    records::Records,
    version::Version,
};
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, UInt32Array};
use std::collections::hash_map::Entry;

/// A rejected record is passed over: an older good record of its key is not hidden by it. A record that is no row of
/// the query (tombstone, `deleteWhen`, filter) deletes its key.
pub(super) fn newest(
    records: &Records,
    key: &[usize],
    encoder: &KeyEncoder,
    mapped: Mapped,
    rejected: &[Rejected],
) -> Newest {
    let key_columns: Vec<ArrayRef> = key.iter().map(|&index| records.columns.column(index).clone()).collect();
    let keys = encoder.encode(&key_columns);
    let mut good = vec![true; records.len()];
    rejected.iter().for_each(|rejected| good[rejected.row] = false);

    let version = |row: u32| Version {
        partition: records.partitions.value(row as usize),
        offset: records.offsets.value(row as usize),
        timestamp: records.timestamps.value(row as usize),
    };
    let mut winners = key_map(records.len());
    for row in (0..records.len() as u32).filter(|row| good[*row as usize]) {
        match winners.entry(keys.row(row as usize)) {
            Entry::Vacant(entry) => {
                entry.insert(row);
            }
            Entry::Occupied(mut entry) => {
                if version(row).is_newer_than(version(*entry.get())) {
                    entry.insert(row);
                }
            }
        }
    }
    let order = sorted_by_key(&keys, winners.into_values());

    let mut position_of: Vec<Option<u32>> = vec![None; records.len()];
    for (position, row) in mapped.rows.iter().enumerate() {
        position_of[*row as usize] = Some(position as u32);
    }
    let positions: UInt32Array = order.iter().map(|row| position_of[*row as usize]).collect();
    let deleted: BooleanArray = order.iter().map(|row| Some(position_of[*row as usize].is_none())).collect();
    let versions = || order.iter().map(|row| version(*row));
    let rows = UInt32Array::from(order.clone());
    Newest {
        keys: key_columns.iter().map(|column| take(column, &rows)).collect(),
        columns: mapped.columns.iter().map(|column| take(column, &positions)).collect(),
        deleted,
        partitions: Int32Array::from_iter_values(versions().map(|version| version.partition)),
        offsets: Int64Array::from_iter_values(versions().map(|version| version.offset)),
        timestamps: Int64Array::from_iter_values(versions().map(|version| version.timestamp)),
    }
}
