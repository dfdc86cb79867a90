//! The smallest or the largest value of every group, over rows that are only inserted.

use super::groups::Groups;
use crate::{keys::take, value::comparator};
use arrow_array::{Array, ArrayRef, UInt32Array};
use millrace_contract::SqlType;

/// Null where a group has no value. Of equal values the first stays.
pub(super) fn extreme(ty: SqlType, values: &ArrayRef, largest: bool, groups: &Groups) -> ArrayRef {
    let order = comparator(ty, values, values);
    let mut best: Vec<Option<u32>> = vec![None; groups.len()];
    for (row, group) in groups.of_rows().enumerate().filter(|(row, _)| values.is_valid(*row)) {
        let better = match best[group] {
            None => true,
            Some(other) if largest => order(row, other as usize).is_gt(),
            Some(other) => order(row, other as usize).is_lt(),
        };
        if better {
            best[group] = Some(row as u32);
        }
    }
    take(values, &UInt32Array::from(best))
}
