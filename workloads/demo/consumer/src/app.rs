//! What an app is: how it reads a record, and what the events do.

use millrace_demo_kit::schema::Schema;
use rdkafka::message::OwnedMessage;
use sqlx::PgConnection;

pub trait App: Send + Sync + 'static {
    /// What a record says, as far as this app is concerned.
    type Content: Send + Sync;

    /// Its name is that of the schema. Its steps begin with [`crate::TABLES`].
    const SCHEMA: Schema;

    /// An error is the reason for which the record becomes a dead letter.
    fn read(&self, record: &OwnedMessage) -> Result<Reading<Self::Content>, String>;

    /// Does what the events ask for, in this transaction, and says what is to be sent because of them. Each event comes
    /// here once, however often its record is read. To avoid deadlocks with another instance, rows are to be locked in
    /// one order.
    fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<Self::Content>],
    ) -> impl Future<Output = sqlx::Result<Vec<Outgoing>>>;
}

pub enum Reading<Content> {
    Event(Event<Content>),
    /// Somebody else's business.
    Other,
}

#[derive(Clone, Debug)]
pub struct Event<Content> {
    /// By this a repetition is known, wherever in the log it stands.
    pub id: String,
    pub content: Content,
}

/// A record for the output topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The event because of which it is sent.
    pub cause: String,
    pub key: String,
    pub value: String,
}
