//! Rows in disorder, for the test that shows why they are sorted.

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use std::time::{SystemTime, UNIX_EPOCH};

/// The rows in an order that no other worker has.
pub fn shuffle(rows: &RecordBatch) -> RecordBatch {
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64) | 1;
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    for last in (1..order.len()).rev() {
        // xorshift64: any disorder will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        order.swap(last, (seed % (last as u64 + 1)) as usize);
    }
    take_record_batch(rows, &UInt32Array::from(order)).expect("the order names every row once")
}
