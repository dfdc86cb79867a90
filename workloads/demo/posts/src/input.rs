//! What a client sends of a post, parsed once into values that the table accepts.

use millrace_demo_kit::input::{Invalid, Object, shown};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostInput {
    pub user_id: i64,
    pub title: String,
    pub content: String,
}

const LONGEST_CONTENT: usize = 10_000;

impl PostInput {
    pub fn parse(body: &[u8]) -> Result<PostInput, Invalid> {
        let fields = ["user_id", "title", "content"];
        let object = Object::parse(body, &fields, "a JSON object with user_id, title and content")?;
        Ok(PostInput {
            user_id: object.number("user_id", i64::MAX)?,
            title: object.text("title", 200)?,
            content: content(&object)?,
        })
    }
}

/// Unlike a title it has lines.
fn content(object: &Object) -> Result<String, Invalid> {
    let expected = || format!("text of 1 to {LONGEST_CONTENT} characters, not blank, without NUL");
    let value = object.get("content").ok_or_else(|| Invalid::new("content", "nothing", expected()))?;
    value
        .as_str()
        .filter(|text| !text.trim().is_empty() && !text.contains('\0') && text.chars().count() <= LONGEST_CONTENT)
        .map(str::to_owned)
        .ok_or_else(|| Invalid::new("content", shown(value), expected()))
}
