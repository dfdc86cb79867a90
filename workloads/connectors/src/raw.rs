//! Raw records of one epoch: the bytes of keys, values and headers in one buffer, so that a record costs no allocation.

use std::ops::Range;

/// Records in the order they were read: within a partition by offset. Where they are of several topics, `partition` is the
/// task's number.
#[derive(Debug, Default, Clone)]
pub struct RawRecords {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<Header>,
}

#[derive(Debug, Clone)]
struct Entry {
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

#[derive(Debug, Clone)]
struct Header {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; −1 where the record has none.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    records: &'a RawRecords,
    headers: (usize, usize),
}

impl RawRecords {
    /// Adds a record; headers follow it by `push_header`.
    pub fn push(&mut self, partition: i32, offset: i64, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.map(|bytes| self.store(bytes));
        let value = value.map(|bytes| self.store(bytes));
        let headers = self.headers.len()..self.headers.len();
        self.entries.push(Entry { partition, offset, timestamp, key, value, headers });
    }

    /// Adds a header to the record pushed last.
    pub fn push_header(&mut self, name: &str, value: Option<&[u8]>) {
        let header = Header { name: self.store(name.as_bytes()), value: value.map(|bytes| self.store(bytes)) };
        self.headers.push(header);
        if let Some(entry) = self.entries.last_mut() {
            entry.headers.end = self.headers.len();
        }
    }

    /// Takes the record pushed last back.
    pub fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.headers.truncate(entry.headers.start);
            let starts = entry.key.iter().chain(&entry.value).map(|range| range.start);
            self.bytes.truncate(starts.min().unwrap_or(self.bytes.len()));
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys, values and headers.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub fn get(&self, index: usize) -> RawRecord<'_> {
        let entry = &self.entries[index];
        RawRecord {
            partition: entry.partition,
            offset: entry.offset,
            timestamp: entry.timestamp,
            key: entry.key.clone().map(|range| &self.bytes[range]),
            value: entry.value.clone().map(|range| &self.bytes[range]),
            records: self,
            headers: (entry.headers.start, entry.headers.end),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = RawRecord<'_>> {
        (0..self.entries.len()).map(|index| self.get(index))
    }

    /// The records for which `keep` is true, in the same order.
    pub fn select(&self, mut keep: impl FnMut(&RawRecord<'_>) -> bool) -> RawRecords {
        let mut selected = RawRecords::default();
        for record in self.iter().filter(|record| keep(record)) {
            selected.push(record.partition, record.offset, record.timestamp, record.key, record.value);
            for header in &self.headers[record.headers.0..record.headers.1] {
                let name = std::str::from_utf8(&self.bytes[header.name.clone()]).unwrap_or_default();
                selected.push_header(name, header.value.clone().map(|range| &self.bytes[range]));
            }
        }
        selected
    }
}

impl<'a> RawRecord<'a> {
    /// The value of the last header called `name`.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let headers = &self.records.headers[self.headers.0..self.headers.1];
        let header = headers.iter().rev().find(|header| &self.records.bytes[header.name.clone()] == name.as_bytes())?;
        header.value.clone().map(|range| &self.records.bytes[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_keeps_bytes_and_headers_of_its_records() {
        let mut records = RawRecords::default();
        records.push(0, 1, 10, Some(b"k1"), Some(b"v1"));
        records.push_header("trace", Some(b"old"));
        records.push_header("trace", Some("새것".as_bytes()));
        records.push(1, 7, 11, None, None);
        records.push(0, 2, 12, Some(b"k2"), None);
        let selected = records.select(|record| record.partition == 0);
        assert_eq!(selected.len(), 2);
        assert_eq!(selected.get(0).header("trace"), Some("새것".as_bytes()));
        assert_eq!((selected.get(1).key, selected.get(1).value), (Some(&b"k2"[..]), None));
        assert_eq!(selected.get(1).header("trace"), None);
    }
}
