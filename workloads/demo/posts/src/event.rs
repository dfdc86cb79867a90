//! A post event: the value of a record on `post-events`. The record's key is the post's id as text.

use serde::Serialize;

use crate::post::Post;

/// The field order is the order in the JSON text.
#[derive(Serialize)]
pub struct PostEvent<'a> {
    event_id: String,
    event_type: &'static str,
    post: &'a Post,
    at: chrono::DateTime<chrono::Utc>,
}

impl<'a> PostEvent<'a> {
    pub fn created(event_id: String, post: &'a Post) -> PostEvent<'a> {
        PostEvent { event_id, event_type: "POST_CREATED", post, at: post.created_at }
    }

    /// Compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, integers and timestamps always have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_compact_json_with_fields_in_their_fixed_order() {
        let post = Post {
            id: 7,
            user_id: 3,
            title: "공지".to_owned(),
            content: "안녕하세요\n\"여러분\"".to_owned(),
            created_at: "2026-01-01T00:00:00.5Z".parse().unwrap(),
        };
        assert_eq!(
            PostEvent::created("e-1".to_owned(), &post).to_json(),
            r#"{"event_id":"e-1","event_type":"POST_CREATED","post":{"id":7,"user_id":3,"title":"공지","content":"안녕하세요\n\"여러분\"","created_at":"2026-01-01T00:00:00.500Z"},"at":"2026-01-01T00:00:00.500Z"}"#
        );
    }
}
