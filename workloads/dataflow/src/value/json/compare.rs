//! The order of jsonb: Object > Array > Boolean > Number > String > Null, larger containers after smaller ones.

use super::Json;
use std::cmp::Ordering;

impl Json {
    /// Postgres's `compareJsonbContainers`, its oddity included: an empty array comes before every scalar.
    pub fn compare(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Object(_) | Json::Array(_), Json::Object(_) | Json::Array(_)) => compare_nested(self, other),
            (Json::Object(_), _) => Ordering::Greater,
            (_, Json::Object(_)) => Ordering::Less,
            (Json::Array(elements), _) => compare_with_scalar(elements),
            (_, Json::Array(elements)) => compare_with_scalar(elements).reverse(),
            _ => compare_nested(self, other),
        }
    }
}

/// A scalar at the top is stored as an array of one element, and comes before an array of as many.
fn compare_with_scalar(elements: &[Json]) -> Ordering {
    if elements.is_empty() { Ordering::Less } else { Ordering::Greater }
}

fn rank(value: &Json) -> u8 {
    match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Boolean(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

fn compare_nested(left: &Json, right: &Json) -> Ordering {
    match (left, right) {
        (Json::String(left), Json::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Json::Number(left), Json::Number(right)) => left.compare(right),
        (Json::Boolean(left), Json::Boolean(right)) => left.cmp(right),
        (Json::Array(left), Json::Array(right)) => left.len().cmp(&right.len()).then_with(|| {
            let pairs = left.iter().zip(right);
            pairs
                .map(|(left, right)| compare_nested(left, right))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Json::Object(left), Json::Object(right)) => left.len().cmp(&right.len()).then_with(|| {
            let pairs = left.iter().zip(right);
            pairs
                .map(|((key, value), (other_key, other_value))| {
                    key.as_bytes().cmp(other_key.as_bytes()).then_with(|| compare_nested(value, other_value))
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        _ => rank(left).cmp(&rank(right)),
    }
}
