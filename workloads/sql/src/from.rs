//! What stands in FROM: sources, and how they are joined.

use crate::{
    error::{At, Refusal, Result},
    standard::{alone, refuse_if},
    tokens::Tokens,
};
use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Spanned, TableAlias, TableFactor, TableWithJoins,
};

/// The sources of a FROM, joined.
pub(crate) enum From {
    Source { name: Ident, alias: Option<Ident> },
    Join(Box<Joined>),
}

pub(crate) struct Joined {
    pub kind: Kind,
    pub left: From,
    pub right: From,
    pub constraint: Constraint,
    pub at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

pub(crate) enum Constraint {
    /// A comma or CROSS JOIN: WHERE says what belongs together.
    None,
    On(Box<Expr>),
    Using(Vec<Ident>),
}

const JOINABLE: &str = "a view reads sources and joins of them";

pub(crate) fn from(from: &[TableWithJoins], tokens: &Tokens) -> Result<From> {
    let mut whole: Option<From> = None;
    for item in from {
        let at = item.relation.span().start.into();
        let item = with_joins(item, tokens)?;
        whole = Some(match whole {
            None => item,
            Some(left) => join(Kind::Inner, left, item, Constraint::None, at),
        });
    }
    whole.ok_or_else(|| {
        Refusal::new(
            tokens.start(),
            "a SELECT without FROM",
            "a view reads a source",
            "write FROM and the name of a source of the view",
        )
    })
}

fn join(kind: Kind, left: From, right: From, constraint: Constraint, at: At) -> From {
    From::Join(Box::new(Joined { kind, left, right, constraint, at }))
}

fn with_joins(TableWithJoins { relation, joins }: &TableWithJoins, tokens: &Tokens) -> Result<From> {
    joins.iter().try_fold(factor(relation, tokens)?, |left, joined| {
        let Join { relation, global, join_operator } = joined;
        let at: At = relation.span().start.into();
        let crossed = matches!(join_operator, JoinOperator::CrossJoin(_));
        let (kind, constraint) = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (Kind::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (Kind::Left, constraint),
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (Kind::Right, constraint),
            JoinOperator::FullOuter(constraint) => (Kind::Full, constraint),
            JoinOperator::CrossJoin(constraint) => (Kind::Inner, constraint),
            other => {
                return Err(Refusal::new(
                    at,
                    format!("the join {}", words(other)),
                    "Postgres has JOIN, LEFT, RIGHT, FULL and CROSS JOIN",
                    "write one of them; what has a partner is WHERE EXISTS (…)",
                ));
            }
        };
        refuse_if(*global, at, "a GLOBAL join", "Postgres has no such join", "leave the word out")?;
        refuse_if(
            crossed != matches!(constraint, JoinConstraint::None),
            at,
            if crossed { "CROSS JOIN with a condition" } else { "a join without ON" },
            "a CROSS JOIN has none, and every other join has one",
            "write JOIN … ON a.column = b.column",
        )?;
        let constraint = match constraint {
            JoinConstraint::None => Constraint::None,
            JoinConstraint::On(condition) => Constraint::On(Box::new(condition.clone())),
            JoinConstraint::Using(names) => {
                let name = |name| simple(name, at, "a qualified name in USING", "a column has a name of one part");
                Constraint::Using(names.iter().map(name).collect::<Result<_>>()?)
            }
            JoinConstraint::Natural => {
                return Err(Refusal::new(
                    at,
                    "a NATURAL join",
                    "its columns would change with the sources",
                    "name the columns: JOIN … USING (…)",
                ));
            }
        };
        Ok(join(kind, left, factor(relation, tokens)?, constraint, at))
    })
}

/// How an operator is called, without what follows it.
fn words(operator: &JoinOperator) -> String {
    let text = format!("{operator:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn factor(relation: &TableFactor, tokens: &Tokens) -> Result<From> {
    let place: At = relation.span().start.into();
    let from_at = tokens.keyword("FROM");
    match relation {
        TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            let odd = args.is_some()
                || !with_hints.is_empty()
                || version.is_some()
                || *with_ordinality
                || !partitions.is_empty()
                || json_path.is_some()
                || sample.is_some()
                || !index_hints.is_empty();
            let advice = "write FROM and the bare name of a source of the view";
            refuse_if(odd, place, "a table with arguments or options", "a source stands alone in FROM", advice)?;
            let name = simple(name, place, "a qualified table name", "a source has a name of one part")?;
            Ok(From::Source { name, alias: alias.as_ref().map(|alias| alias_name(alias, place)).transpose()? })
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => with_joins(table_with_joins, tokens),
        TableFactor::NestedJoin { .. } => Err(Refusal::new(
            place,
            "a name for a join in parentheses",
            "its columns keep the names of their sources",
            "leave the alias out",
        )),
        TableFactor::Derived { .. } => Err(Refusal::new(
            from_at,
            "a subquery in FROM",
            JOINABLE,
            "fold the inner SELECT into the outer one, or make it a view of its own",
        )),
        TableFactor::TableFunction { .. }
        | TableFactor::Function { .. }
        | TableFactor::UNNEST { .. }
        | TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::Pivot { .. }
        | TableFactor::Unpivot { .. }
        | TableFactor::UnpivotExpr { .. }
        | TableFactor::MatchRecognize { .. }
        | TableFactor::XmlTable { .. }
        | TableFactor::SemanticView { .. } => Err(Refusal::new(
            from_at,
            "a function in FROM",
            JOINABLE,
            "write FROM and the name of a source of the view",
        )),
    }
}

fn simple(name: &ObjectName, place: At, found: &str, expected: &str) -> Result<Ident> {
    let refusal = || Refusal::new(place, found, expected, "write the name that spec.sources gives it");
    alone(name).cloned().ok_or_else(refusal)
}

fn alias_name(alias: &TableAlias, place: At) -> Result<Ident> {
    let TableAlias { explicit: _, name, columns, at } = alias;
    let renamed = !columns.is_empty() || at.is_some();
    let advice = "write FROM source AS alias, and rename columns in the select list";
    refuse_if(renamed, place, "column names behind the table alias", "a source keeps its column names", advice)?;
    Ok(name.clone())
}
