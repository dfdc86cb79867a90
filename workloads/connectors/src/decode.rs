//! Bytes to columns: what a record says, read as Postgres would read `(value #>> path)::type`.
//!
//! Pure: no clock, no client. A record that cannot be read is rejected alone, with a sentence; the others go on.

mod debezium;
mod growth;
mod key;
mod path;
mod rejected;
mod rows;
mod scalar;

pub use rejected::{Reason, Rejected};

use crate::{RawRecord, RawRecords};
use chrono_tz::Tz;
use debezium::Envelope;
use key::KeyReader;
use millrace_contract::{
    Source, SqlType, Topics,
    faults::sabotaged,
    source::{Format, KeyFormat, Origin, SourceKind},
};
use millrace_dataflow::records::Records;
use path::PathTree;
use rows::Rows;
use scalar::Scalar;
use std::borrow::Cow;

/// Reads the records of one source.
pub struct Decoder {
    source: Source,
    /// Which of the topics its records are of.
    topics: Topics,
    index: usize,
    zone: Tz,
    paths: PathTree,
    key: KeyReader,
}

/// What a batch of raw records became.
pub struct Decoded {
    pub records: Records,
    /// The index of the raw record that each row of `records` came from, ascending.
    pub rows: Vec<u32>,
    pub rejected: Vec<Rejected>,
}

/// What one record does.
enum Content<'a> {
    /// A row; the document that its paths start at.
    Row(&'a str),
    /// The key's row goes; the key columns come from the record key, or from this document.
    Delete(Option<&'a str>),
}

impl Decoder {
    /// `zone` is what a timestamptz text without a zone means.
    pub fn new(source: &Source, zone: Tz) -> Decoder {
        Decoder::of_topic(source, &Topics::new(vec![source.topic.clone()]), 0, zone)
    }

    /// The same, where records of other topics are beside those of the source, whose topic is the one at `index`.
    pub fn of_topic(source: &Source, topics: &Topics, index: usize, zone: Tz) -> Decoder {
        let (paths, key) = (PathTree::new(source), KeyReader::new(source));
        Decoder { source: source.clone(), topics: topics.clone(), index, zone, paths, key }
    }

    pub fn decode(&self, raw: &RawRecords) -> Decoded {
        let mut rows = Rows::new(&self.source, self.zone, raw.len());
        let mut rejected = Vec::new();
        let mut found = vec![None; self.source.columns.len()];
        let own = raw.iter().enumerate().filter(|(_, record)| self.topics.index(record.partition) == self.index);
        for (index, mut record) in own {
            record.partition = self.topics.partition(record.partition);
            if sabotaged("ignore_tombstone") && record.value.is_none() {
                continue;
            }
            if let Err((reason, detail)) = self.read(&record, &mut rows, &mut found) {
                rows.abandon();
                rejected.push(Rejected { record: index as u32, reason, detail });
            } else {
                rows.accept(index as u32, &record);
            }
        }
        let (records, rows) = rows.finish();
        Decoded { records, rows, rejected }
    }

    fn read(
        &self,
        record: &RawRecord<'_>,
        rows: &mut Rows<'_>,
        found: &mut [path::Found],
    ) -> Result<(), (Reason, String)> {
        match self.content(record)? {
            Content::Row(document) => {
                found.fill(None);
                self.paths
                    .find(document, found)
                    .map_err(|error| decode(format!("the value is no JSON document: {error}")))?;
                let keyed = self.key.read(record.key).map_err(decode)?;
                for (index, column) in self.source.columns.iter().enumerate() {
                    let text = self.text(record, document, found, index)?;
                    let position = self.source.key.iter().position(|&key| key == index);
                    if let (Some(part), SourceKind::Table) = (position, self.source.kind) {
                        let Some(value) = &text else {
                            return Err(decode(format!("key column {} is null; expected a value", column.name)));
                        };
                        if let Some(keyed) = &keyed {
                            rows.expect_same(index, value, &keyed[part])?;
                        }
                    }
                    rows.append(index, text.as_deref())?;
                }
                rows.tombstone(false);
            }
            Content::Delete(before) => {
                let keyed = match before {
                    None => self.key.read(record.key).map_err(decode)?,
                    Some(document) => {
                        found.fill(None);
                        self.paths
                            .find(document, found)
                            .map_err(|error| decode(format!("`before` is no JSON document: {error}")))?;
                        let mut parts = Vec::new();
                        for &index in &self.source.key {
                            let text = self.text(record, document, found, index)?.ok_or_else(|| {
                                decode(format!(
                                    "key column {} is null in `before`; expected a value",
                                    self.source.columns[index].name
                                ))
                            })?;
                            parts.push(text);
                        }
                        Some(parts)
                    }
                };
                let keyed = keyed.unwrap_or_default();
                for index in 0..self.source.columns.len() {
                    let part = self.source.key.iter().position(|&key| key == index);
                    rows.append(index, part.map(|part| keyed[part].as_ref()))?;
                }
                rows.tombstone(true);
            }
        }
        Ok(())
    }

    /// What the record does to its key, and where its document is.
    fn content<'a>(&self, record: &RawRecord<'a>) -> Result<Content<'a>, (Reason, String)> {
        let table = self.source.kind == SourceKind::Table;
        let keyed = self.source.key_format != KeyFormat::None;
        let Some(value) = record.value else {
            return match (table, keyed) {
                (true, true) => Ok(Content::Delete(None)),
                (true, false) => Err((
                    Reason::Tombstone,
                    "the record has no value and keyFormat None ignores its key; expected a value, or keyFormat Text or Json".into(),
                )),
                (false, _) => {
                    Err((Reason::Tombstone, "the record has no value; a Stream expects one in every record".into()))
                }
            };
        };
        let document =
            std::str::from_utf8(value).map_err(|error| decode(format!("the value is not UTF-8: {error}")))?;
        match self.source.format {
            Format::Json => Ok(Content::Row(document)),
            Format::DebeziumJson => match Envelope::read(document).map_err(decode)? {
                Envelope::Row(after) => Ok(Content::Row(after)),
                Envelope::Delete { .. } if !table => {
                    Err(decode("the envelope's op is \"d\"; a Stream expects \"c\", \"r\" or \"u\"".into()))
                }
                Envelope::Delete { .. } if keyed => Ok(Content::Delete(None)),
                Envelope::Delete { before: Some(before) } => Ok(Content::Delete(Some(before))),
                Envelope::Delete { before: None } => Err(decode(
                    "the envelope's op is \"d\" but `before` is null; expected the deleted row, or keyFormat Json"
                        .into(),
                )),
            },
        }
    }

    /// The text of one column of a record with a document; `None` is null.
    fn text<'a>(
        &self,
        record: &RawRecord<'a>,
        document: &'a str,
        found: &[path::Found],
        index: usize,
    ) -> Result<Option<Cow<'a, str>>, (Reason, String)> {
        let column = &self.source.columns[index];
        match &column.origin {
            Origin::Path(names) => {
                let Some((start, end)) = found[index] else { return Ok(None) };
                let json = &document[start..end];
                let scalar = if column.ty == SqlType::Jsonb { Scalar::jsonb(json) } else { Scalar::text(json) };
                scalar.map_err(|problem| {
                    decode(format!(
                        "column {}: found {} at {}, expected {}: {problem}",
                        column.name,
                        rejected::shorten(json),
                        names.join("."),
                        column.ty
                    ))
                })
            }
            Origin::Key => utf8(record.key, "the record key"),
            Origin::Header(name) => utf8(record.header(name), &format!("header {name}")),
            Origin::Timestamp => Ok((record.timestamp >= 0).then(|| rows::instant(record.timestamp).into())),
            Origin::Partition => Ok(Some(record.partition.to_string().into())),
            Origin::Offset => Ok(Some(record.offset.to_string().into())),
        }
    }
}

fn decode(detail: String) -> (Reason, String) {
    (Reason::Decode, detail)
}

fn utf8<'a>(bytes: Option<&'a [u8]>, what: &str) -> Result<Option<Cow<'a, str>>, (Reason, String)> {
    bytes
        .map(|bytes| std::str::from_utf8(bytes).map(Cow::Borrowed))
        .transpose()
        .map_err(|error| decode(format!("{what} is not UTF-8: {error}")))
}
