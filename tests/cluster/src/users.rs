//! Users as the demo service publishes them, and what `examples/` makes of them, in plain SQL over raw JSON.

use rand::{RngExt, rngs::StdRng};

/// `shop.user_view`, computed by the reference.
pub const USER_VIEW: &str = "SELECT (value #>> '{user,id}')::bigint AS id, value #>> '{user,name}' AS name,
    value #>> '{user,email}' AS email, value #>> '{user,department}' AS department, value #>> '{user,status}' AS status,
    (value #>> '{user,created_at}')::timestamptz AS created_at, (value #>> '{user,updated_at}')::timestamptz AS updated_at
    FROM newest WHERE value IS NOT NULL AND value ->> 'event_type' IS DISTINCT FROM 'USER_DELETED'";

/// The same columns of the product's view.
pub const USER_VIEW_ROWS: &str =
    "SELECT id, name, email, department, status, created_at, updated_at FROM shop.user_view";

/// `shop.department_stats`, computed by the reference.
pub const DEPARTMENT_STATS: &str = "SELECT value #>> '{user,department}' AS department, count(*) AS users,
    count(*) FILTER (WHERE value #>> '{user,status}' = 'ACTIVE') AS active_users
    FROM newest WHERE value IS NOT NULL AND value ->> 'event_type' IS DISTINCT FROM 'USER_DELETED' GROUP BY 1";

pub const DEPARTMENT_STATS_ROWS: &str = "SELECT department, users, active_users FROM shop.department_stats";

const DEPARTMENTS: [&str; 6] = ["개발팀", "영업팀", "Design", "인사팀", "Finance", "고객지원"];
const NAMES: [&str; 6] = ["홍길동", "김철수", "이영희", "Ada Lovelace", "박\u{1F600}민", "O'Brien \"Bob\""];

/// The value of a created or updated user.
pub fn upsert(random: &mut StdRng, id: i64, kind: &str) -> String {
    let department = DEPARTMENTS[random.random_range(0..DEPARTMENTS.len())];
    let status = ["ACTIVE", "INACTIVE"][random.random_range(0..2)];
    let second = random.random_range(0..86_400);
    let at = format!("2026-01-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    serde_json::json!({
        "event_type": kind,
        "user": {
            "id": id, "name": NAMES[random.random_range(0..NAMES.len())], "email": format!("user{id}@example.com"),
            "department": department, "status": status, "created_at": "2026-01-01T00:00:00Z", "updated_at": at,
        },
        "at": at,
    })
    .to_string()
}

/// The value of a deleted user.
pub fn delete(id: i64) -> String {
    serde_json::json!({"event_type": "USER_DELETED", "user": {"id": id}, "at": "2026-01-02T00:00:00Z"}).to_string()
}
