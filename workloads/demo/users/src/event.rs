//! A user event: one change of one user, the value of a record on the topic. The record's key is the user's
//! id as text.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::user::User;

/// The field order is the order in the JSON text.
#[derive(Clone, Debug, Serialize)]
pub struct UserEvent<'a> {
    event_type: EventType,
    user: Subject<'a>,
    at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, Serialize)]
enum EventType {
    #[serde(rename = "USER_CREATED")]
    Created,
    #[serde(rename = "USER_UPDATED")]
    Updated,
    #[serde(rename = "USER_DELETED")]
    Deleted,
}

/// Of a deleted user only the id is known to everyone.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Subject<'a> {
    Whole(&'a User),
    Gone { id: i64 },
}

impl<'a> UserEvent<'a> {
    pub fn created(user: &'a User) -> UserEvent<'a> {
        UserEvent { event_type: EventType::Created, user: Subject::Whole(user), at: user.created_at }
    }

    pub fn updated(user: &'a User) -> UserEvent<'a> {
        UserEvent { event_type: EventType::Updated, user: Subject::Whole(user), at: user.updated_at }
    }

    pub fn deleted(id: i64, at: DateTime<Utc>) -> UserEvent<'a> {
        UserEvent { event_type: EventType::Deleted, user: Subject::Gone { id }, at }
    }

    /// Compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, integers and timestamps always have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::Status;

    fn hong() -> User {
        User {
            id: 7,
            name: "홍길동".to_owned(),
            email: "hong@example.com".to_owned(),
            department: "개발팀".to_owned(),
            status: Status::Active,
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            updated_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn check(event: UserEvent<'_>, expected: &str) {
        assert_eq!(event.to_json(), expected);
    }

    #[test]
    fn a_created_user_is_compact_json_with_fields_in_their_fixed_order() {
        check(
            UserEvent::created(&hong()),
            r#"{"event_type":"USER_CREATED","user":{"id":7,"name":"홍길동","email":"hong@example.com","department":"개발팀","status":"ACTIVE","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"},"at":"2026-01-01T00:00:00Z"}"#,
        );
    }

    #[test]
    fn an_update_carries_microseconds_and_happens_at_updated_at() {
        let mut user = hong();
        user.name = "O'Neil \"Bob\"\n".to_owned();
        user.status = Status::Suspended;
        user.updated_at = "2026-02-03T04:05:06.000789Z".parse().unwrap();
        check(
            UserEvent::updated(&user),
            r#"{"event_type":"USER_UPDATED","user":{"id":7,"name":"O'Neil \"Bob\"\n","email":"hong@example.com","department":"개발팀","status":"SUSPENDED","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-02-03T04:05:06.000789Z"},"at":"2026-02-03T04:05:06.000789Z"}"#,
        );
    }

    #[test]
    fn a_deletion_carries_the_id_and_nothing_else_of_the_user() {
        check(
            UserEvent::deleted(7, "2026-01-01T00:00:00.5Z".parse().unwrap()),
            r#"{"event_type":"USER_DELETED","user":{"id":7},"at":"2026-01-01T00:00:00.500Z"}"#,
        );
    }
}
