//! A comparison of a view with the rows that were to be expected, both in id order, row by row.

use std::fmt;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    load::{Population, ViewName},
    user::User,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub equal: u64,
    pub missing: u64,
    pub different: u64,
    pub extra: u64,
    /// The first few rows that are not as expected, in words.
    pub sample: Vec<String>,
}

const SAMPLE: usize = 10;

/// A row as the view shows it: nothing keeps a wrong view from showing nulls.
type Shown =
    (i64, Option<String>, Option<String>, Option<String>, Option<String>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl Comparison {
    pub fn is_equal(&self) -> bool {
        self.missing == 0 && self.different == 0 && self.extra == 0
    }

    /// Reads the rows with ids of the population, in one snapshot, and keeps none of them.
    pub async fn of(pool: &PgPool, view: &ViewName, population: Population) -> Result<Comparison> {
        let text = format!(
            "SELECT id::bigint, name::text, email::text, department::text, status::text,
                    created_at::timestamptz, updated_at::timestamptz
             FROM {} WHERE id >= $1 AND id < $2 ORDER BY id",
            view.quoted()
        );
        let ids = population.ids();
        let mut shown = sqlx::query_as::<_, Shown>(AssertSqlSafe(text)).bind(ids.start).bind(ids.end).fetch(pool);
        let mut expected = population.final_rows().peekable();
        let mut comparison = Comparison::default();
        while let Some(row) = shown.try_next().await.with_context(|| format!("{view} cannot be read"))? {
            while let Some(absent) = expected.next_if(|user| user.id < row.0) {
                comparison.add(Some(&absent), None);
            }
            let user = expected.next_if(|user| user.id == row.0);
            comparison.add(user.as_ref(), Some(&row));
        }
        for absent in expected {
            comparison.add(Some(&absent), None);
        }
        Ok(comparison)
    }

    fn add(&mut self, expected: Option<&User>, shown: Option<&Shown>) {
        let sentence = match (expected, shown) {
            (Some(user), Some(row)) => match difference(user, row) {
                None => {
                    self.equal += 1;
                    return;
                }
                Some(difference) => {
                    self.different += 1;
                    format!("id {}: {difference}", user.id)
                }
            },
            (Some(user), None) => {
                self.missing += 1;
                format!("id {}: no row; expected {user:?}", user.id)
            }
            (None, Some(row)) => {
                self.extra += 1;
                format!("id {}: found {row:?}; expected no row, or no second one", row.0)
            }
            (None, None) => return,
        };
        if self.sample.len() < SAMPLE {
            self.sample.push(sentence);
        }
    }
}

fn difference(expected: &User, shown: &Shown) -> Option<String> {
    let User { id: _, name, email, department, status, created_at, updated_at } = expected;
    let (_, shown_name, shown_email, shown_department, shown_status, shown_created_at, shown_updated_at) = shown;
    let differences: Vec<String> = [
        field("name", name.as_str(), shown_name.as_deref()),
        field("email", email.as_str(), shown_email.as_deref()),
        field("department", department.as_str(), shown_department.as_deref()),
        field("status", status.as_str(), shown_status.as_deref()),
        field("created_at", *created_at, *shown_created_at),
        field("updated_at", *updated_at, *shown_updated_at),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!differences.is_empty()).then(|| differences.join("; "))
}

fn field<T: PartialEq + fmt::Debug>(column: &str, expected: T, shown: Option<T>) -> Option<String> {
    match shown {
        Some(shown) if shown == expected => None,
        Some(shown) => Some(format!("{column} is {shown:?}, expected {expected:?}")),
        None => Some(format!("{column} is null, expected {expected:?}")),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { equal, missing, different, extra, sample } = self;
        write!(formatter, "{equal} rows equal, {missing} missing, {different} different, {extra} extra")?;
        sample.iter().try_for_each(|sentence| write!(formatter, "\n  {sentence}"))
    }
}
