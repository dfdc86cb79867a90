//! Which operator or function of a name Postgres calls for given argument types (manual 10.2 and 10.3;
//! `func_select_candidate` of its parser).

use super::{CastContext, Overload, PgType, can_coerce, catalogue};

/// What resolution came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Exactly one fits. `arguments` are its declared types, one per argument given.
    One { overload: Overload, arguments: Vec<PgType> },
    /// None of the name takes these arguments.
    None,
    /// Several fit equally well.
    Ambiguous,
}

/// An overload with its arguments laid out for the number that was given.
struct Candidate<'a> {
    overload: &'a Overload,
    arguments: Vec<PgType>,
}

/// The operator `name` over one (prefix) or two arguments.
pub fn choose_operator(name: &str, given: &[PgType]) -> Choice {
    let candidates: Vec<Candidate<'_>> = catalogue()
        .operators(name, given.len())
        .into_iter()
        .map(|overload| Candidate { overload, arguments: overload.arguments.clone() })
        .collect();
    // 10.2, 2a: beside a known type an unknown literal is first taken for the same.
    let same = match *given {
        [PgType::UNKNOWN, right] => vec![right, right],
        [left, PgType::UNKNOWN] => vec![left, left],
        _ => given.to_vec(),
    };
    choose(candidates, given, &same)
}

/// The function `name` over the given arguments.
pub fn choose_function(name: &str, given: &[PgType]) -> Choice {
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for overload in catalogue().functions(name) {
        match overload.variadic {
            None if overload.arguments.len() == given.len() => {
                candidates.push(Candidate { overload, arguments: overload.arguments.clone() });
            }
            Some(element) if overload.arguments.len() <= given.len() => {
                let mut arguments = overload.arguments.clone();
                arguments.pop();
                arguments.resize(given.len(), element);
                candidates.push(Candidate { overload, arguments });
            }
            Some(_) | None => {}
        }
    }
    // A function that takes just so many arguments goes before one that takes any number of the same types.
    let plain: Vec<Vec<PgType>> = candidates
        .iter()
        .filter(|candidate| candidate.overload.variadic.is_none())
        .map(|candidate| candidate.arguments.clone())
        .collect();
    candidates.retain(|candidate| candidate.overload.variadic.is_none() || !plain.contains(&candidate.arguments));
    choose(candidates, given, given)
}

fn choose(candidates: Vec<Candidate<'_>>, given: &[PgType], exactly: &[PgType]) -> Choice {
    let exact = candidates.iter().position(|candidate| candidate.arguments == exactly);
    if let Some(index) = exact {
        return one(&candidates[index]);
    }
    let accepts = |candidate: &Candidate<'_>| {
        given.iter().zip(&candidate.arguments).all(|(from, to)| can_coerce(*from, *to, CastContext::Implicit))
    };
    let mut left: Vec<Candidate<'_>> = candidates.into_iter().filter(accepts).collect();
    if left.len() > 1 {
        left = most_exact(left, given);
    }
    match &left[..] {
        [] => Choice::None,
        [candidate] => one(candidate),
        _ => match by_unknowns(left, given) {
            Some(candidate) => one(&candidate),
            None => Choice::Ambiguous,
        },
    }
}

fn one(candidate: &Candidate<'_>) -> Choice {
    Choice::One { overload: candidate.overload.clone(), arguments: candidate.arguments.clone() }
}

/// Steps 3c and 3d: most exact matches, then most matches that are exact or of the preferred type of the category.
fn most_exact<'a>(candidates: Vec<Candidate<'a>>, given: &[PgType]) -> Vec<Candidate<'a>> {
    let known = |from: PgType| from != PgType::UNKNOWN;
    let candidates = keep_best(candidates, |candidate| {
        given.iter().zip(&candidate.arguments).filter(|(from, to)| known(**from) && from == to).count()
    });
    keep_best(candidates, |candidate| {
        let fits = |(from, to): &(&PgType, &PgType)| {
            known(**from) && (from == to || is_preferred(catalogue().type_row(**from).category, **to))
        };
        given.iter().zip(&candidate.arguments).filter(fits).count()
    })
}

fn keep_best<'a>(candidates: Vec<Candidate<'a>>, score: impl Fn(&Candidate<'a>) -> usize) -> Vec<Candidate<'a>> {
    if candidates.len() <= 1 {
        return candidates;
    }
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}

fn is_preferred(category: char, ty: PgType) -> bool {
    let row = catalogue().type_row(ty);
    row.category == category && row.preferred
}

/// Steps 3e and 3f: unknown literals take the category that the candidates agree on (string, where they do not),
/// and its preferred type where a candidate has it; last, all arguments are of the one known type.
fn by_unknowns<'a>(mut candidates: Vec<Candidate<'a>>, given: &[PgType]) -> Option<Candidate<'a>> {
    let unknown: Vec<usize> = (0..given.len()).filter(|slot| given[*slot] == PgType::UNKNOWN).collect();
    if unknown.is_empty() {
        return None;
    }
    let slots: Option<Vec<(usize, char, bool)>> =
        unknown.iter().map(|slot| slot_category(&candidates, *slot).map(|(kind, best)| (*slot, kind, best))).collect();
    if let Some(slots) = slots {
        let keeps = |candidate: &Candidate<'_>| {
            slots.iter().all(|(slot, category, preferred)| {
                let row = catalogue().type_row(candidate.arguments[*slot]);
                row.category == *category && (!preferred || row.preferred)
            })
        };
        if candidates.iter().any(keeps) {
            candidates.retain(keeps);
        }
        if candidates.len() == 1 {
            return candidates.pop();
        }
    }
    let mut known = given.iter().filter(|ty| **ty != PgType::UNKNOWN);
    let first = *known.next()?;
    if known.any(|ty| *ty != first) {
        return None;
    }
    candidates.retain(|candidate| candidate.arguments.iter().all(|to| can_coerce(first, *to, CastContext::Implicit)));
    if candidates.len() == 1 { candidates.pop() } else { None }
}

/// The category that all candidates have in a slot, or string if one has; whether one has its preferred type.
fn slot_category(candidates: &[Candidate<'_>], slot: usize) -> Option<(char, bool)> {
    const STRING: char = 'S';
    let mut found: Option<(char, bool)> = None;
    let mut conflict = false;
    for candidate in candidates {
        let row = catalogue().type_row(candidate.arguments[slot]);
        found = match found {
            None => Some((row.category, row.preferred)),
            Some((category, preferred)) if category == row.category => Some((category, preferred || row.preferred)),
            Some(_) if row.category == STRING => Some((STRING, row.preferred)),
            Some(kept) => {
                conflict = true;
                Some(kept)
            }
        };
    }
    found.filter(|(category, _)| !conflict || *category == STRING)
}
