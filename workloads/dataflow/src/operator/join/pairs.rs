//! Which rows of two sides meet: those of equal keys, stored ones and changed ones.

use crate::{changes::Weighted, keys::take};
use ahash::RandomState;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_row::{Row, Rows};
use std::collections::HashMap;

/// Rows of the left and of the right side, pair by pair. Of each side the first rows are stored, the others changed.
pub(super) struct Pairs {
    left: Vec<u32>,
    right: Vec<u32>,
}

impl Pairs {
    /// Rows of equal keys without nulls. Two that are stored meet only where it is asked for.
    pub fn of(
        (left_keys, left_present): (Rows, Vec<bool>),
        (right_keys, right_present): (Rows, Vec<bool>),
        old: [usize; 2],
        stored_meet: bool,
    ) -> Pairs {
        let mut by_key: HashMap<Row<'_>, Vec<u32>, RandomState> = HashMap::default();
        for row in (0..right_keys.num_rows()).filter(|row| right_present[*row]) {
            by_key.entry(right_keys.row(row)).or_default().push(row as u32);
        }
        let mut pairs = Pairs { left: Vec::new(), right: Vec::new() };
        for row in (0..left_keys.num_rows()).filter(|row| left_present[*row]) {
            for &partner in by_key.get(&left_keys.row(row)).into_iter().flatten() {
                if stored_meet || row >= old[0] || partner as usize >= old[1] {
                    pairs.left.push(row as u32);
                    pairs.right.push(partner);
                }
            }
        }
        pairs
    }

    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// The columns of the left rows, then those of the right.
    pub fn columns(&self, left: &Weighted, right: &Weighted) -> Vec<ArrayRef> {
        let (left_rows, right_rows) = (UInt32Array::from(self.left.clone()), UInt32Array::from(self.right.clone()));
        let of_left = left.columns.iter().map(|column| take(column, &left_rows));
        of_left.chain(right.columns.iter().map(|column| take(column, &right_rows))).collect()
    }

    pub fn weights(&self, left: &Weighted, right: &Weighted) -> Int64Array {
        let pairs = self.left.iter().zip(&self.right);
        pairs.map(|(l, r)| Some(left.weights.value(*l as usize) * right.weights.value(*r as usize))).collect()
    }

    pub fn filtered(self, kept: &BooleanArray) -> Pairs {
        let pairs = self.left.into_iter().zip(self.right).zip(kept);
        let (left, right) = pairs.filter(|(_, kept)| *kept == Some(true)).map(|(pair, _)| pair).unzip();
        Pairs { left, right }
    }

    /// The pairs that are not of two stored rows.
    pub fn changed(&self, old: [usize; 2]) -> Pairs {
        let pairs = self.left.iter().copied().zip(self.right.iter().copied());
        let (left, right) = pairs.filter(|(l, r)| *l as usize >= old[0] || *r as usize >= old[1]).unzip();
        Pairs { left, right }
    }

    /// For every row of a side (0 is the left) the number of its partners: before, and now.
    pub fn partners(&self, side: usize, left: &Weighted, right: &Weighted, old: [usize; 2]) -> Vec<(i64, i64)> {
        let (own, others) = if side == 0 { (&self.left, &self.right) } else { (&self.right, &self.left) };
        let (rows, other) = if side == 0 { (left, right) } else { (right, left) };
        let mut counts = vec![(0, 0); rows.len()];
        for (&row, &partner) in own.iter().zip(others) {
            let weight = other.weights.value(partner as usize);
            let (before, now) = &mut counts[row as usize];
            *now += weight;
            if (partner as usize) < old[1 - side] {
                *before += weight;
            }
        }
        counts
    }
}
