//! The demo's REST interfaces, asked as a person would.

use crate::shell::run;
use anyhow::Result;
use serde_json::Value;

pub const USERS: &str = "http://127.0.0.1:18081/api/users";
pub const POSTS: &str = "http://127.0.0.1:18082/api/posts";
pub const ORDERS: &str = "http://127.0.0.1:18083/api/orders";

/// The JSON that is answered; null where nothing is. An answer that is no success is an error.
pub fn curl(method: &str, url: &str, body: Option<&Value>) -> Result<Value> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut arguments = vec!["-sS", "--fail-with-body", "--max-time", "10", "-X", method, url];
    if !body.is_empty() {
        arguments.extend(["-H", "content-type: application/json", "-d", &body]);
    }
    Ok(serde_json::from_str(&run("curl", &arguments)?).unwrap_or(Value::Null))
}
