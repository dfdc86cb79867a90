//! Effects: what a batch's events do in Postgres, once for each event id, and what was sent because of them.
//!
//! The id of an event is written down in the transaction of its effects, together with what is to be sent. A record that
//! is read again changes nothing, and says again what it said the first time: whether the brokers have got that is not
//! known here.

use std::collections::{HashMap, HashSet};

use sqlx::{Connection, PgConnection, PgPool};

use crate::app::{App, Event, Outgoing};

/// The first step of an app's schema.
pub const TABLES: &str = "
CREATE TABLE handled (event_id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE emitted (
    event_id text NOT NULL,
    place integer NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (event_id, place)
);
";

/// What came of some events.
#[derive(Debug, Default)]
pub struct Effects {
    /// In the order of the events.
    pub outgoing: Vec<Outgoing>,
    /// Of them so many had been handled before.
    pub repeated: usize,
}

pub async fn apply<A: App>(app: &A, pool: &PgPool, events: &[&Event<A::Content>]) -> sqlx::Result<Effects> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let new = first_seen(&mut transaction, events).await?;
    let (mut unapplied, mut first_times, mut repeated) = (new.clone(), Vec::new(), Vec::new());
    for event in events {
        if unapplied.remove(&event.id) {
            first_times.push(*event);
        } else if !new.contains(&event.id) {
            repeated.push(event.id.as_str());
        }
    }
    let mut outgoing = Vec::new();
    if !first_times.is_empty() {
        outgoing = app.apply(&mut transaction, &first_times).await?;
        write_down(&mut transaction, &outgoing).await?;
    }
    if !repeated.is_empty() {
        outgoing.extend(written_down(&mut transaction, &repeated).await?);
    }
    transaction.commit().await?;
    let mut places = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        places.entry(event.id.as_str()).or_insert(place);
    }
    // Stable: several records of one event keep their order.
    outgoing.sort_by_key(|outgoing| places.get(outgoing.cause.as_str()).copied());
    Ok(Effects { outgoing, repeated: events.len() - first_times.len() })
}

/// Which of the events nobody has handled. In one order, so that two instances that meet in the same events wait for each
/// other in one direction only.
async fn first_seen<Content>(
    connection: &mut PgConnection,
    events: &[&Event<Content>],
) -> sqlx::Result<HashSet<String>> {
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let new: Vec<String> = sqlx::query_scalar(
        "INSERT INTO handled (event_id) SELECT DISTINCT id FROM unnest($1::text[]) AS event (id) ORDER BY id
         ON CONFLICT DO NOTHING RETURNING event_id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(new.into_iter().collect())
}

async fn write_down(connection: &mut PgConnection, fresh: &[Outgoing]) -> sqlx::Result<()> {
    if fresh.is_empty() {
        return Ok(());
    }
    let column = |text: fn(&Outgoing) -> &str| fresh.iter().map(text).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO emitted (event_id, place, key, value)
         SELECT cause, row_number() OVER (PARTITION BY cause ORDER BY place), key, value
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS outgoing (cause, key, value, place)",
    )
    .bind(column(|outgoing| &outgoing.cause))
    .bind(column(|outgoing| &outgoing.key))
    .bind(column(|outgoing| &outgoing.value))
    .execute(connection)
    .await?;
    Ok(())
}

async fn written_down(connection: &mut PgConnection, events: &[&str]) -> sqlx::Result<Vec<Outgoing>> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT event_id, key, value FROM emitted WHERE event_id = ANY($1) ORDER BY event_id, place")
            .bind(events)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(cause, key, value)| Outgoing { cause, key, value }).collect())
}

/// Whether Postgres refuses what one of the records holds, and would refuse it again: SQLSTATE classes 22, 23 and 54.
pub fn is_of_content(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}
