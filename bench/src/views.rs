//! The two views that are measured: those of `examples/`.

use millrace_contract::{
    SqlType,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_sql::{CompileError, Compiled, SourceDecl, ViewQuery, compile};

#[derive(Debug, Clone, Copy)]
pub struct View {
    pub name: &'static str,
    pub table: &'static str,
    pub query: &'static str,
}

pub const USER_VIEW: View = View {
    name: "user-view",
    table: "user_view",
    query: "SELECT id, name, email, department, status, created_at, updated_at FROM users",
};

pub const DEPARTMENT_STATS: View = View {
    name: "department-stats",
    table: "department_stats",
    query: "SELECT department, count(*) AS users, count(*) FILTER (WHERE status = 'ACTIVE') AS active_users
            FROM users GROUP BY department",
};

impl View {
    pub fn compile(&self) -> Result<Compiled, CompileError> {
        let column = |name: &str, ty, path: &[&str]| SourceColumn {
            name: name.into(),
            ty,
            origin: Origin::Path(path.iter().map(|&part| part.into()).collect()),
        };
        let columns = vec![
            column("id", SqlType::BigInt, &["user", "id"]),
            column("name", SqlType::Text, &["user", "name"]),
            column("email", SqlType::Text, &["user", "email"]),
            column("department", SqlType::Text, &["user", "department"]),
            column("status", SqlType::Text, &["user", "status"]),
            column("created_at", SqlType::TimestampTz, &["user", "created_at"]),
            column("updated_at", SqlType::TimestampTz, &["user", "updated_at"]),
            column("event_type", SqlType::Text, &["event_type"]),
        ];
        let source = SourceDecl {
            name: "users".into(),
            topic: "user-events".into(),
            kind: SourceKind::Table,
            format: Format::Json,
            key_format: KeyFormat::Text,
            key: vec!["id".into()],
            delete_when: Some("event_type = 'USER_DELETED'".into()),
            columns,
        };
        compile(&ViewQuery { query: self.query, sources: vec![source], time_zone: "UTC" })
    }
}
