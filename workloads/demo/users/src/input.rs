//! What a client sends of a user, parsed once into values that the table accepts.

use millrace_demo_kit::input::{Invalid, Object, shown};
use serde_json::Value;

use crate::user::Status;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInput {
    pub name: String,
    pub email: String,
    pub department: String,
    pub status: Status,
}

const FIELDS: [&str; 4] = ["name", "email", "department", "status"];
const STATUSES: &str = "\"ACTIVE\", \"INACTIVE\" or \"SUSPENDED\"";

impl UserInput {
    /// A new user; its status is ACTIVE unless said otherwise.
    pub fn for_creation(body: &[u8]) -> Result<UserInput, Invalid> {
        UserInput::parse(body, Some(Status::Active))
    }

    /// All of a user's fields: what is put replaces what was there.
    pub fn for_replacement(body: &[u8]) -> Result<UserInput, Invalid> {
        UserInput::parse(body, None)
    }

    fn parse(body: &[u8], default_status: Option<Status>) -> Result<UserInput, Invalid> {
        let object = Object::parse(body, &FIELDS, "a JSON object with name, email and department")?;
        let status = match (object.get("status"), default_status) {
            (None, Some(status)) => status,
            (None, None) => return Err(Invalid::new("status", "nothing", STATUSES)),
            (Some(value), _) => value
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| Invalid::new("status", shown(value), STATUSES))?,
        };
        Ok(UserInput {
            name: object.text("name", 100)?,
            email: email(&object)?,
            department: object.text("department", 50)?,
            status,
        })
    }
}

fn email(object: &Object) -> Result<String, Invalid> {
    let email = object.text("email", 254)?;
    let wrong = || Invalid::new("email", shown(&Value::from(email.as_str())), "an address such as hong@example.com");
    let (local, domain) = email.split_once('@').ok_or_else(wrong)?;
    let labels_are_whole = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    if local.is_empty() || domain.contains('@') || !labels_are_whole || email.chars().any(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_user_is_accepted_in_any_script() {
        let body = r#"{"name":"홍길동","email":"길동@예시.한국","department":"개발팀","status":"SUSPENDED"}"#;
        let expected = UserInput {
            name: "홍길동".to_owned(),
            email: "길동@예시.한국".to_owned(),
            department: "개발팀".to_owned(),
            status: Status::Suspended,
        };
        assert_eq!(UserInput::for_replacement(body.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_new_user_is_active_unless_said_otherwise() {
        let body = r#"{"name":"Kim","email":"kim@example.com","department":"Research"}"#;
        assert_eq!(UserInput::for_creation(body.as_bytes()).unwrap().status, Status::Active);
        check_refused(body, "status", "nothing");
    }

    #[test]
    fn a_field_that_is_wrong_is_named_with_what_was_found() {
        let long = "가".repeat(101);
        for (name, email, department, field, found) in [
            (r#""""#, r#""a@b.c""#, r#""d""#, "name", "\"\""),
            (r#"" ""#, r#""a@b.c""#, r#""d""#, "name", "\" \""),
            ("7", r#""a@b.c""#, r#""d""#, "name", "7"),
            ("null", r#""a@b.c""#, r#""d""#, "name", "null"),
            (r#""홍\u0000""#, r#""a@b.c""#, r#""d""#, "name", "\"홍\\u0000\""),
            (&format!("\"{long}\""), r#""a@b.c""#, r#""d""#, "name", "101 characters"),
            (r#""n""#, r#""홍길동""#, r#""d""#, "email", "\"홍길동\""),
            (r#""n""#, r#""a@b""#, r#""d""#, "email", "\"a@b\""),
            (r#""n""#, r#""a@b@c.d""#, r#""d""#, "email", "\"a@b@c.d\""),
            (r#""n""#, r#""a@b..c""#, r#""d""#, "email", "\"a@b..c\""),
            (r#""n""#, r#""a b@c.d""#, r#""d""#, "email", "\"a b@c.d\""),
            (r#""n""#, r#""a@b.c""#, "[]", "department", "[]"),
        ] {
            let body = format!(r#"{{"name":{name},"email":{email},"department":{department},"status":"ACTIVE"}}"#);
            check_refused(&body, field, found);
        }
    }

    #[test]
    fn missing_unknown_and_unreadable_are_told_apart() {
        check_refused(r#"{"status":"ACTIVE"}"#, "name", "nothing");
        check_refused(r#"{"nmae":"홍길동"}"#, "nmae", "an unknown field");
        check_refused(r#"{"status":"active"}"#, "status", "\"active\"");
        check_refused("[1]", "body", "[1]");
        check_refused("{", "body", "EOF while parsing an object at line 1 column 1");
    }

    fn check_refused(body: &str, field: &str, found: &str) {
        let invalid = UserInput::for_replacement(body.as_bytes()).unwrap_err();
        assert_eq!((invalid.field.as_str(), invalid.found.as_str()), (field, found), "{body}");
    }
}
