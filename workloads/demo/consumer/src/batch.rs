//! A batch: records as they were polled, each either an event or a bad record, and the positions after them.

use std::collections::BTreeMap;

use rdkafka::{
    Message, Offset, TopicPartitionList,
    error::KafkaResult,
    message::{Header, OwnedHeaders, OwnedMessage},
};

use crate::app::{App, Event, Reading};

/// The next offset of each partition of each topic.
pub type Positions = BTreeMap<(String, i32), i64>;

pub struct Batch<Content> {
    pub events: Vec<(OwnedMessage, Event<Content>)>,
    pub dead_letters: Vec<DeadLetter>,
    pub positions: Positions,
    pub records: usize,
}

/// A record that cannot be applied, and why.
#[derive(Debug)]
pub struct DeadLetter {
    pub record: OwnedMessage,
    pub reason: String,
}

impl<Content> Batch<Content> {
    pub fn read(app: &impl App<Content = Content>, records: Vec<OwnedMessage>) -> Batch<Content> {
        let mut batch =
            Batch { events: Vec::new(), dead_letters: Vec::new(), positions: Positions::new(), records: records.len() };
        for record in records {
            batch.positions.insert((record.topic().to_owned(), record.partition()), record.offset() + 1);
            match app.read(&record) {
                Ok(Reading::Event(event)) => batch.events.push((record, event)),
                Ok(Reading::Other) => {}
                Err(reason) => batch.dead_letters.push(DeadLetter { record, reason }),
            }
        }
        batch
    }
}

impl DeadLetter {
    /// Where the record was read, and why it could not be applied.
    pub fn headers(&self) -> OwnedHeaders {
        let DeadLetter { record, reason } = self;
        [
            ("reason", reason.clone()),
            ("topic", record.topic().to_owned()),
            ("partition", record.partition().to_string()),
            ("offset", record.offset().to_string()),
        ]
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }
}

pub fn to_list(positions: &Positions) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in positions {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}
