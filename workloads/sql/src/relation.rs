//! The sources of a query and how they are joined, with every condition where it can be asked first.

mod nodes;

pub(crate) use nodes::{Nodes, Placed};

use crate::{
    bind::{Binder, Clause},
    error::{At, Refusal, Result},
    from::{Constraint, From, Joined, Kind},
    operand::Operand,
    scope,
};
use millrace_contract::{Expr, node::JoinKind, source::SourceKind};
use std::{collections::BTreeSet, ops::Range};

pub(crate) enum Relation {
    /// A source; its columns are counted from `first` on.
    Scan {
        relation: usize,
        columns: Range<usize>,
        filter: Vec<Expr>,
    },
    Join(Box<Join>),
}

pub(crate) struct Join {
    pub kind: JoinKind,
    pub left: Relation,
    pub right: Relation,
    /// Conditions of pairs.
    pub on: Vec<Expr>,
    pub at: At,
}

/// What FROM joins; the conditions of ON and USING are bound by `binder`.
/// `first`: the first of its relations in the scope.
pub(crate) fn relation(from: &From, first: usize, binder: &mut Binder<'_>) -> Result<Relation> {
    let mut next = first;
    build(from, binder, &mut next)
}

fn build(from: &From, binder: &mut Binder<'_>, next: &mut usize) -> Result<Relation> {
    let Joined { kind, left, right, constraint, at } = match from {
        From::Source { .. } => {
            let relation = *next;
            *next += 1;
            let columns = binder.scope.relations[relation].columns();
            return Ok(Relation::Scan { relation, columns, filter: Vec::new() });
        }
        From::Join(joined) => joined.as_ref(),
    };
    let left = build(left, binder, next)?;
    let right = build(right, binder, next)?;
    let on = match constraint {
        Constraint::None => Vec::new(),
        Constraint::On(condition) => {
            let place = binder.at(condition);
            let bound = binder.condition(condition, Clause::On)?;
            let is_here = |column: &usize| left.has(*column) || right.has(*column);
            if !columns_of(&bound).iter().all(is_here) {
                return Err(Refusal::new(
                    place,
                    "a condition over a source that is joined elsewhere",
                    "ON reads the two sides of its own JOIN",
                    "move the condition to WHERE, or to the JOIN of that source",
                ));
            }
            conjuncts(bound)
        }
        Constraint::Using(names) => {
            let mut equal = Vec::new();
            for name in names {
                let place = scope::at(name);
                let columns = binder.scope.used(name);
                let operand = |column| Operand::known(binder.scope.reference(column), place);
                let compared = binder.operator("=", columns.map(operand).into(), place)?;
                equal.push(binder.settle(compared, millrace_contract::SqlType::Boolean)?);
            }
            equal
        }
    };
    let sides = [&left, &right].map(|side| side.only_scan().map(|relation| &binder.scope.relations[relation]));
    if let [Some(one), Some(other)] = sides
        && [one, other].iter().all(|side| side.source.kind == SourceKind::Stream)
    {
        return Err(Refusal::new(
            *at,
            "a join of two Streams",
            "every record of both would be kept for ever, for one that may still come",
            "declare the one that is looked up as a Table",
        ));
    }
    Ok(match kind {
        Kind::Inner => Relation::join(JoinKind::Inner, left, right, on, *at),
        Kind::Left => Relation::join(JoinKind::Left, left, right, on, *at),
        Kind::Right => Relation::join(JoinKind::Left, right, left, on, *at),
        Kind::Full => Relation::join(JoinKind::Full, left, right, on, *at),
    })
}

impl Relation {
    pub fn join(kind: JoinKind, left: Relation, mut right: Relation, on: Vec<Expr>, at: At) -> Relation {
        if kind == JoinKind::Inner {
            let join = Relation::Join(Box::new(Join { kind, left, right, on: Vec::new(), at }));
            let (join, rest) = join.restricted(on);
            debug_assert!(rest.is_empty(), "an inner join takes every condition");
            return join;
        }
        let mut of_pairs = on;
        if kind != JoinKind::Full {
            // A right row that is no partner of anybody need not be there.
            let (own, others): (Vec<Expr>, Vec<Expr>) = of_pairs.into_iter().partition(|expr| right.covers(expr));
            let (restricted, rest) = right.restricted(own);
            right = restricted;
            of_pairs = others.into_iter().chain(rest).collect();
        }
        Relation::Join(Box::new(Join { kind, left, right, on: of_pairs, at }))
    }

    /// Asks conditions as early as the joins allow; those that must wait until the end are returned.
    pub fn restricted(self, conditions: Vec<Expr>) -> (Relation, Vec<Expr>) {
        match self {
            Relation::Scan { relation, columns, mut filter } => {
                filter.extend(conditions);
                (Relation::Scan { relation, columns, filter }, Vec::new())
            }
            Relation::Join(join) => {
                let Join { kind, left, right, mut on, at } = *join;
                let (mut of_left, mut of_right, mut rest) = (Vec::new(), Vec::new(), Vec::new());
                for condition in conditions {
                    if left.covers(&condition) && kind != JoinKind::Full {
                        of_left.push(condition);
                    } else if right.covers(&condition) && kind == JoinKind::Inner {
                        of_right.push(condition);
                    } else if kind == JoinKind::Inner {
                        on.push(condition);
                    } else {
                        rest.push(condition);
                    }
                }
                let (left, left_rest) = left.restricted(of_left);
                let (right, right_rest) = right.restricted(of_right);
                let held_back = left_rest.into_iter().chain(right_rest);
                if kind == JoinKind::Inner {
                    on.extend(held_back)
                } else {
                    rest.extend(held_back)
                }
                (Relation::Join(Box::new(Join { kind, left, right, on, at })), rest)
            }
        }
    }

    pub fn has(&self, column: usize) -> bool {
        match self {
            Relation::Scan { columns, .. } => columns.contains(&column),
            Relation::Join(join) => join.left.has(column) || join.right.has(column),
        }
    }

    /// Whether an expression reads no other columns.
    fn covers(&self, expr: &Expr) -> bool {
        columns_of(expr).into_iter().all(|column| self.has(column))
    }

    fn only_scan(&self) -> Option<usize> {
        match self {
            Relation::Scan { relation, .. } => Some(*relation),
            Relation::Join(_) => None,
        }
    }
}

pub(crate) fn columns_of(expr: &Expr) -> BTreeSet<usize> {
    let mut columns = BTreeSet::new();
    expr.collect_columns(&mut columns);
    columns
}

/// The conditions that must all be true.
pub(crate) fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::And(operands) => operands.into_iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// One condition of several; none of none.
pub(crate) fn all_of(mut conditions: Vec<Expr>) -> Option<Expr> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(Expr::And(conditions)),
    }
}
