//! A view over two topics, compiled from SQL: posts with their author's present name and department.

use millrace_contract::{
    Plan, SqlType,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_sql::{SourceDecl, ViewQuery, compile};
use std::collections::BTreeMap;

/// Every post, with its author where there is one.
pub const POSTS_WITH_AUTHORS: &str = "SELECT p.id, p.title, u.name AS author, u.department \
     FROM posts AS p LEFT JOIN users AS u ON u.id = p.user_id";

/// Posts whose author is there.
pub const POSTS_OF_AUTHORS: &str = "SELECT p.id, p.title, u.name AS author, u.department \
     FROM posts AS p JOIN users AS u ON u.id = p.user_id";

fn table(name: &str, topic: &str, object: &str, columns: &[(&str, SqlType)], deleted: &str) -> SourceDecl {
    let column = |path: Vec<String>, ty| SourceColumn {
        name: path.last().cloned().unwrap_or_default(),
        ty,
        origin: Origin::Path(path),
    };
    let of_object = |(name, ty): &(&str, SqlType)| column(vec![object.to_owned(), (*name).to_owned()], *ty);
    SourceDecl {
        name: name.into(),
        topic: topic.into(),
        kind: SourceKind::Table,
        format: Format::Json,
        key_format: KeyFormat::Text,
        key: vec!["id".into()],
        delete_when: Some(format!("event_type = '{deleted}'")),
        columns: columns.iter().map(of_object).chain([column(vec!["event_type".into()], SqlType::Text)]).collect(),
    }
}

/// The plan of `query` over the topics of posts and of users.
pub fn plan(query: &str, posts: &str, users: &str) -> Plan {
    let sources = vec![
        table(
            "posts",
            posts,
            "post",
            &[("id", SqlType::BigInt), ("user_id", SqlType::BigInt), ("title", SqlType::Text)],
            "POST_DELETED",
        ),
        table(
            "users",
            users,
            "user",
            &[("id", SqlType::BigInt), ("name", SqlType::Text), ("department", SqlType::Text)],
            "USER_DELETED",
        ),
    ];
    let compiled = compile(&ViewQuery { query, sources, time_zone: "Asia/Seoul" });
    compiled.unwrap_or_else(|error| panic!("{query}: {error}")).plan
}

/// What is so at the moment, by what was last said of every post and user.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// By id: the author's id and the title.
    pub posts: BTreeMap<i64, (i64, String)>,
    /// By id: name and department.
    pub users: BTreeMap<i64, (String, String)>,
}

/// A record: key and value.
pub type Line = (String, Option<String>);

impl Present {
    pub fn post(&mut self, id: i64, user_id: i64, title: &str) -> Line {
        self.posts.insert(id, (user_id, title.to_owned()));
        let post = format!(r#"{{"id":{id},"user_id":{user_id},"title":"{title}","content":"본문"}}"#);
        (id.to_string(), Some(format!(r#"{{"event_type":"POST_UPDATED","post":{post}}}"#)))
    }

    pub fn user(&mut self, id: i64, name: &str, department: &str) -> Line {
        self.users.insert(id, (name.to_owned(), department.to_owned()));
        let user = format!(r#"{{"id":{id},"name":"{name}","department":"{department}"}}"#);
        (id.to_string(), Some(format!(r#"{{"event_type":"USER_UPDATED","user":{user}}}"#)))
    }

    pub fn delete_post(&mut self, id: i64) -> Line {
        self.posts.remove(&id);
        (id.to_string(), None)
    }

    pub fn delete_user(&mut self, id: i64) -> Line {
        self.users.remove(&id);
        let user = format!(r#"{{"event_type":"USER_DELETED","user":{{"id":{id}}}}}"#);
        (id.to_string(), Some(user))
    }

    /// The view's rows; `all`: also of posts without an author.
    pub fn rows(&self, all: bool) -> Vec<Vec<Option<String>>> {
        let row = |(id, (user_id, title)): (&i64, &(i64, String))| {
            let user = self.users.get(user_id).cloned();
            let (name, department) = user.clone().unzip();
            (all || user.is_some()).then(|| vec![Some(id.to_string()), Some(title.clone()), name, department])
        };
        let mut rows: Vec<_> = self.posts.iter().filter_map(row).collect();
        rows.sort();
        rows
    }
}
