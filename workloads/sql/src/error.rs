//! Why a view cannot be compiled: where, what was found, what was expected, what to write instead.

use std::fmt;

/// One sentence for the person who wrote the manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// The field of the manifest: `spec.query`, `spec.sources[users].deleteWhen`.
    pub field: String,
    /// From 1; 0 when the field as a whole is meant.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    pub found: String,
    pub expected: String,
    pub advice: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompileError { field, line, column, found, expected, advice } = self;
        f.write_str(field)?;
        if *line > 0 {
            write!(f, " line {line}, column {column}")?;
        }
        write!(f, ": found {found}; {expected}: {advice}")
    }
}

/// A refusal before its field is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub at: At,
    pub found: String,
    pub expected: String,
    pub advice: String,
}

/// A place in a text, from 1; 0 is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct At {
    pub line: u64,
    pub column: u64,
}

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub fn new(at: At, found: impl Into<String>, expected: impl Into<String>, advice: impl Into<String>) -> Refusal {
        Refusal { at, found: found.into(), expected: expected.into(), advice: advice.into() }
    }

    pub fn in_field(self, field: impl Into<String>) -> CompileError {
        let Refusal { at: At { line, column }, found, expected, advice } = self;
        CompileError { field: field.into(), line, column, found, expected, advice }
    }
}

/// The name that is closest to a misspelt one, if any is close: ` (did you mean name?)`.
pub(crate) fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let limit = (wrong.chars().count() / 3).clamp(1, 3);
    let near =
        names.into_iter().map(|name| (distance(wrong, name), name)).filter(|(distance, _)| *distance <= limit).min();
    near.map(|(_, name)| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) =
        (left.to_lowercase().chars().take(64).collect(), right.to_lowercase().chars().take(64).collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_proposed_only_when_it_is_near() {
        assert_eq!(did_you_mean("nmae", ["id", "name", "email"]), " (did you mean name?)");
        assert_eq!(did_you_mean("부셔", ["부서", "이름"]), " (did you mean 부서?)");
        assert_eq!(did_you_mean("salary", ["id", "name"]), "");
    }
}
