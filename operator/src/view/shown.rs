//! What the name that readers query shows: nothing yet, one revision, or a switch between two.

use super::name::{Revision, Target, ViewName};
use millrace_contract::{
    Plan,
    ident::{literal, quote},
};
use std::{collections::BTreeMap, fmt};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Nothing,
    Plain(Revision),
    /// Both, each behind a condition on `live_revision`: the cut-over is an UPDATE of that.
    Switch {
        live: Revision,
        next: Revision,
    },
}

impl Shown {
    /// Reads the text that the catalog keeps.
    pub fn parse(text: Option<&str>) -> Option<Shown> {
        let Some(text) = text else { return Some(Shown::Nothing) };
        match text.split(':').collect::<Vec<_>>()[..] {
            ["plain", revision] => Some(Shown::Plain(Revision(revision.into()))),
            ["switch", live, next] => Some(Shown::Switch { live: Revision(live.into()), next: Revision(next.into()) }),
            _ => None,
        }
    }

    /// The revisions whose tables it reads.
    pub fn revisions(&self) -> impl Iterator<Item = &Revision> {
        let (one, other) = match self {
            Shown::Nothing => (None, None),
            Shown::Plain(shown) => (Some(shown), None),
            Shown::Switch { live, next } => (Some(live), Some(next)),
        };
        one.into_iter().chain(other)
    }

    /// Whether it shows whichever of the two is live, so that a cut-over from one to the other takes no DDL.
    pub fn switches(&self, one: &Revision, other: &Revision) -> bool {
        let switch = |live: &Revision, next: &Revision| Shown::Switch { live: live.clone(), next: next.clone() };
        *self == switch(one, other) || *self == switch(other, one)
    }

    pub fn shows(&self, revision: &Revision) -> bool {
        self.revisions().any(|shown| shown == revision)
    }
}

/// The text that the catalog keeps; empty for `Nothing`, which is stored as null.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Nothing => Ok(()),
            Shown::Plain(revision) => write!(f, "plain:{revision}"),
            Shown::Switch { live, next } => write!(f, "switch:{live}:{next}"),
        }
    }
}

/// A column that readers see: name and type name.
pub type Column = (String, String);

/// The columns that a plan's result has.
pub fn columns(plan: &Plan) -> Vec<Column> {
    plan.result.columns.iter().map(|column| (column.name.clone(), column.ty.name().to_owned())).collect()
}

/// What readers would lose, each column as a phrase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Columns without values from then on. The columns themselves stay: what depends on them goes on.
    pub gone: Vec<String>,
    /// Columns of another type, which cannot take the place of the old ones.
    pub retyped: Vec<String>,
}

impl Lost {
    pub fn is_nothing(&self) -> bool {
        self.gone.is_empty() && self.retyped.is_empty()
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.gone.iter().chain(&self.retyped).map(String::as_str).collect();
        f.write_str(&all.join(", "))
    }
}

/// What readers of `shown` would lose with `next`: a column that `live` does not fill either was lost before.
/// `dependants`: what depends on a column.
pub fn lost_columns(
    shown: &[Column],
    dependants: &BTreeMap<String, Vec<String>>,
    live: Option<&Plan>,
    next: &Plan,
) -> Lost {
    let read_by = |name: &String| {
        dependants.get(name).map_or(String::new(), |dependants| format!(" (read by {})", dependants.join(", ")))
    };
    let (live, next) = (live.map(columns), columns(next));
    let mut lost = Lost::default();
    for (name, ty) in shown {
        let filled = live.as_ref().is_none_or(|live| live.iter().any(|(other, _)| other == name));
        match next.iter().find(|(other, _)| other == name) {
            None if filled => lost.gone.push(format!("{name} {ty} is gone{}", read_by(name))),
            Some((_, other)) if other != ty => {
                lost.retyped.push(format!("{name} was {ty} and is {other}{}", read_by(name)));
            }
            None | Some(_) => {}
        }
    }
    lost
}

/// `shown` followed by what only `plan` has: `CREATE OR REPLACE VIEW` can append columns and nothing else.
pub fn appended_columns(shown: &[Column], plan: &Plan) -> Vec<Column> {
    let new = columns(plan).into_iter().filter(|(name, _)| !shown.iter().any(|(other, _)| other == name));
    shown.iter().cloned().chain(new).collect()
}

/// `SELECT …` of one revision with exactly `columns`, in their order; `guard` is ANDed to its condition.
pub(super) fn select(
    view: &ViewName,
    revision: &Revision,
    plan: &Plan,
    columns: &[Column],
    guard: Option<&str>,
) -> String {
    let printed: Vec<String> = columns
        .iter()
        .map(|(name, ty)| {
            let sql = plan.result.columns.iter().find(|column| &column.name == name).map(|column| column.sql.as_str());
            // Every revision gives text the same collation, or one could not take another's place.
            let sql = match (sql, ty.as_str()) {
                (Some(sql), "text") => format!("({sql}) COLLATE \"C\""),
                (Some(sql), _) => sql.to_owned(),
                (None, "text") => "NULL::text COLLATE \"C\"".to_owned(),
                (None, ty) => format!("NULL::{ty}"),
            };
            format!("{sql} AS {}", quote(name))
        })
        .collect();
    let conditions: Vec<String> =
        plan.result.condition.as_deref().into_iter().chain(guard).map(|sql| format!("({sql})")).collect();
    let table = format!("{}.{}", quote(&view.schema(revision)), quote(&plan.rows().name));
    let mut sql = format!("SELECT {} FROM {table} AS r", printed.join(", "));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql
}

/// The statement that makes the target, showing one revision. It replaces nothing: what has the name already is not ours.
pub fn first_sql(view: &ViewName, target: &Target, revision: &Revision, plan: &Plan) -> String {
    format!("CREATE VIEW {} AS {}", target.quoted(), select(view, revision, plan, &columns(plan), None))
}

/// The statement that makes the target show one revision.
pub fn plain_sql(view: &ViewName, target: &Target, revision: &Revision, plan: &Plan, columns: &[Column]) -> String {
    format!("CREATE OR REPLACE VIEW {} AS {}", target.quoted(), select(view, revision, plan, columns, None))
}

/// The statement that makes the target show whichever of the two is live.
pub fn switch_sql(
    view: &ViewName,
    target: &Target,
    live: (&Revision, &Plan),
    next: (&Revision, &Plan),
    columns: &[Column],
) -> String {
    let branch = |(revision, plan): (&Revision, &Plan)| {
        // A scalar subquery without a reference to a row is evaluated once a statement, and the other branch not at all.
        let guard = format!(
            "(SELECT v.live_revision FROM millrace.view v WHERE v.namespace = {} AND v.name = {}) = {}",
            literal(&view.namespace),
            literal(&view.name),
            literal(&revision.0)
        );
        select(view, revision, plan, columns, Some(&guard))
    };
    format!("CREATE OR REPLACE VIEW {} AS {} UNION ALL {}", target.quoted(), branch(live), branch(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back_from_its_text() {
        let a = Revision("aaaaaaaa".into());
        let b = Revision("bbbbbbbb".into());
        for shown in [Shown::Plain(a.clone()), Shown::Switch { live: a, next: b }] {
            assert_eq!(Shown::parse(Some(&shown.to_string())), Some(shown));
        }
        assert_eq!(Shown::parse(None), Some(Shown::Nothing));
        assert_eq!(Shown::parse(Some("half:a")), None);
    }
}
