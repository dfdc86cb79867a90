//! Which group each row belongs to; groups are numbered in the order of their keys.

use crate::keys::{key_map, sorted_by_key, take};
use arrow_array::{ArrayRef, UInt32Array};
use arrow_row::Rows;

pub(super) struct Groups {
    /// The group of every row.
    numbers: Vec<u32>,
    /// The first row of every group, whose values stand for the group.
    first_rows: Vec<u32>,
}

impl Groups {
    pub fn new(keys: &Rows) -> Self {
        let count = keys.num_rows();
        let mut first_rows = Vec::new();
        let mut numbers = Vec::with_capacity(count);
        let mut seen = key_map(count.min(1024));
        for row in 0..count {
            let number = *seen.entry(keys.row(row)).or_insert_with(|| {
                first_rows.push(row as u32);
                first_rows.len() as u32 - 1
            });
            numbers.push(number);
        }
        let sorted_rows = sorted_by_key(keys, first_rows.iter().copied());
        let mut rank_of = vec![0u32; sorted_rows.len()];
        for (rank, row) in sorted_rows.iter().enumerate() {
            rank_of[numbers[*row as usize] as usize] = rank as u32;
        }
        numbers.iter_mut().for_each(|number| *number = rank_of[*number as usize]);
        Groups { numbers, first_rows: sorted_rows }
    }

    pub fn len(&self) -> usize {
        self.first_rows.len()
    }

    pub fn group_of(&self, row: usize) -> usize {
        self.numbers[row] as usize
    }

    /// The group of every row, in order of the rows.
    pub fn of_rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.numbers.iter().map(|number| *number as usize)
    }

    pub fn first_rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.first_rows.iter().copied()
    }

    /// One row a group.
    pub fn take(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let rows = UInt32Array::from(self.first_rows.clone());
        columns.iter().map(|column| take(column, &rows)).collect()
    }
}
