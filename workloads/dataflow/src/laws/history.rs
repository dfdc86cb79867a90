//! Random topics: keys are inserted, updated and deleted, and the topic is grown on the way.

use crate::{records::Records, value::ColumnBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array};
use millrace_contract::{Source, source::SourceKind};

/// A sequence of numbers that a seed fixes (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end` - 1; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.number() % end as u64) as usize }
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn choose<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.below(options.len())]
    }
}

/// How a topic is filled. Clocks of its producers stand still and go back at times, and a key's records lie in several
/// partitions: it moves where the topic grows, and some producers put it anywhere.
pub struct History<'a> {
    pub source: &'a Source,
    pub records: usize,
    pub keys: usize,
    /// Texts to choose from for every column that is not in the key, null as none.
    pub values: Vec<Vec<Option<&'static str>>>,
    pub partitions: usize,
    /// From the middle on there are so many; keys move to other partitions then.
    pub partitions_later: usize,
}

struct Row {
    columns: Vec<Option<String>>,
    tombstone: bool,
    partition: i32,
    offset: i64,
    timestamp: i64,
}

impl History<'_> {
    /// The log, one batch a partition.
    pub fn generate(&self, random: &mut Random) -> Vec<Records> {
        let mut logs: Vec<Vec<Row>> = (0..self.partitions.max(self.partitions_later)).map(|_| Vec::new()).collect();
        let mut clock = 1_767_225_600_000;
        for number in 0..self.records {
            let partitions = if number * 2 < self.records { self.partitions } else { self.partitions_later };
            let key = random.below(self.keys);
            let place = if random.one_in(8) { random.below(partitions) } else { key.wrapping_mul(0x9e37_79b9) >> 7 };
            let partition = place % partitions;
            clock += random.below(3) as i64;
            let timestamp = clock - if random.one_in(4) { random.below(40) as i64 } else { 0 };
            let log = &mut logs[partition];
            // Offsets have holes: transaction markers, compaction.
            let offset = log.last().map_or(0, |last| last.offset) + 1 + random.below(2) as i64;
            let tombstone = self.source.kind == SourceKind::Table && random.one_in(6);
            let columns = self.columns(key, tombstone, random);
            log.push(Row { columns, tombstone, partition: partition as i32, offset, timestamp });
        }
        logs.iter().map(|log| self.records(log)).collect()
    }

    fn columns(&self, key: usize, tombstone: bool, random: &mut Random) -> Vec<Option<String>> {
        let column = |index: usize| {
            if self.source.key.contains(&index) {
                Some(key.to_string())
            } else if tombstone {
                None
            } else {
                random.choose(&self.values[index]).map(str::to_owned)
            }
        };
        (0..self.source.columns.len()).map(column).collect()
    }

    fn records(&self, log: &[Row]) -> Records {
        let columns = self.source.columns.iter().enumerate().map(|(index, column)| -> ArrayRef {
            let mut builder = ColumnBuilder::new(column.ty, log.len());
            for row in log {
                match &row.columns[index] {
                    None => builder.append_null(),
                    Some(text) => builder.append_text(text).unwrap_or_else(|error| panic!("{text:?}: {error}")),
                }
            }
            builder.finish()
        });
        Records::new(
            self.source,
            columns.collect(),
            BooleanArray::from_iter(log.iter().map(|row| Some(row.tombstone))),
            Int32Array::from_iter_values(log.iter().map(|row| row.partition)),
            Int64Array::from_iter_values(log.iter().map(|row| row.offset)),
            Int64Array::from_iter_values(log.iter().map(|row| row.timestamp)),
        )
    }
}
