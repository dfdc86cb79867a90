//! What was seen, part by part, and what it looks like when a part cannot be asked.

use crate::scene::TOPIC;
use millrace_crds::Reason;
use millrace_operator::view::{
    known::Known,
    observed::{Catalog, Children, Kafka, Observed, RevisionRow, Topic, ViewRow},
    trouble::Trouble,
};

pub fn kafka(observed: &mut Observed) -> &mut Kafka {
    let Known::Present(kafka) = &mut observed.kafka else { panic!("Kafka is there") };
    kafka
}

pub fn topic(observed: &mut Observed) -> &mut Topic {
    let Some(Known::Present(topic)) = kafka(observed).by_topic.get_mut(TOPIC) else { panic!("the topic is there") };
    topic
}

pub fn catalog(observed: &mut Observed) -> &mut Catalog {
    let Known::Present(catalog) = &mut observed.catalog else { panic!("the catalog is there") };
    catalog
}

pub fn view(observed: &mut Observed) -> &mut ViewRow {
    catalog(observed).view.as_mut().expect("the view is prepared")
}

/// The one revision that there is.
pub fn only(observed: &mut Observed) -> &mut RevisionRow {
    let rows = &mut view(observed).revisions;
    assert_eq!(rows.len(), 1, "there is one revision");
    rows.values_mut().next().expect("counted above")
}

/// The live one.
pub fn live(observed: &mut Observed) -> &mut RevisionRow {
    let ViewRow { live, revisions, .. } = view(observed);
    revisions.get_mut(live.as_ref().expect("one is live")).expect("it has its row")
}

/// The one beside the live one.
pub fn next(observed: &mut Observed) -> &mut RevisionRow {
    let ViewRow { live, revisions, .. } = view(observed);
    revisions.iter_mut().find(|(name, _)| Some(*name) != live.as_ref()).expect("two revisions").1
}

pub fn children(observed: &mut Observed) -> &mut Children {
    let Known::Present(children) = &mut observed.children else { panic!("the API server answers") };
    children
}

pub fn kafka_is_gone() -> Trouble {
    Trouble::sources(Reason::KafkaUnreachable, "no broker answers")
}

pub fn postgres_is_gone() -> Trouble {
    Trouble::sink(Reason::PostgresUnreachable, "Postgres does not answer")
}
