//! A view's text to its plan.

use crate::{
    CompileError, Compiled, SourceDecl, ViewQuery,
    analysis::{Analysis, analyse},
    bind::{Binder, Clause},
    canonical::canonical_query,
    clauses::Clauses,
    error::{At, Refusal, Result},
    layout::{Layout, groups, keyed, rows},
    parse::{Wanted, parse_expression, parse_query},
    prune::prune,
    relation::{Nodes, Placed, Relation, conjuncts, relation},
    scope::Scope,
    subquery::{Asked, Surroundings, asked, split},
    tokens::Tokens,
};
use chrono_tz::Tz;
use millrace_contract::{
    Expr, Node, Plan, Table,
    node::{Map, Operator},
    plan::{Output, PLAN_FORMAT, ResultView, SEMANTICS_VERSION},
    source::{KeyFormat, Source, SourceKind},
};

const QUERY: &str = "spec.query";
const WANTED: Wanted = Wanted {
    is: "a view is one SELECT",
    write: "write SELECT … FROM a source of the view",
    apart: "write one view per query",
};
/// A chain of ten thousand operators is as deep a tree; the parser and its tree go down it on the stack.
const STACK: usize = 256 << 20;

pub(crate) fn compile(view: &ViewQuery<'_>) -> std::result::Result<Compiled, CompileError> {
    on_a_long_stack(QUERY, || compile_here(view))
}

/// Does what follows the tree of the SQL in `field`.
pub(crate) fn on_a_long_stack<T: Send>(
    field: &str,
    work: impl FnOnce() -> std::result::Result<T, CompileError> + Send,
) -> std::result::Result<T, CompileError> {
    std::thread::scope(|scope| {
        let compiler = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        compiler.map_err(|error| error.to_string()).and_then(|compiler| {
            compiler.join().map_err(|_| "the compiler stopped at an error of its own; please report the query".into())
        })
    })
    .unwrap_or_else(|reason| {
        Err(Refusal::new(At::default(), "a query that was not compiled", reason, "try again").in_field(field))
    })
}

fn compile_here(view: &ViewQuery<'_>) -> std::result::Result<Compiled, CompileError> {
    let ViewQuery { query, sources, time_zone } = view;
    let zone: Tz = time_zone.parse().map_err(|_| {
        Refusal::new(
            At::default(),
            format!("the time zone {time_zone:?}"),
            "the time zone database has no such name",
            "write UTC, or a name such as Asia/Seoul",
        )
        .in_field("spec.timeZone")
    })?;
    let in_query = |refusal: Refusal| refusal.in_field(QUERY);
    let tokens = Tokens::read(query).map_err(in_query)?;
    let canonical_query = canonical_query(&tokens);
    let mut clauses = Clauses::of(&parse_query(&tokens, &WANTED).map_err(in_query)?, &tokens).map_err(in_query)?;
    let mut scope = Scope::of(sources, &clauses.from).map_err(in_query)?;
    let surroundings = Surroundings { sources, tokens: &tokens, zone };
    let (filter, conditions) = split(clauses.filter.take(), &tokens);
    clauses.filter = filter;
    let from = from(&clauses, conditions, &mut scope, surroundings).map_err(in_query)?;
    check_unused(sources, &scope)?;
    let mut plan = match &scope.relations[..] {
        [only] => of_one_source(source(only.source, zone)?, clauses, &scope, &tokens, zone),
        [..] => of_joined_sources(declared(&scope, zone)?, from, clauses, &scope, &tokens, zone),
    }
    .map_err(in_query)?;
    prune(&mut plan);
    check_depth(&plan, &tokens)?;
    let columns = plan.result.columns.iter().map(|column| (column.name.clone(), column.ty.name().to_owned())).collect();
    Ok(Compiled { plan, canonical_query, columns })
}

/// What FROM joins, and the rows that are asked for in WHERE.
fn from<'a>(
    clauses: &Clauses,
    conditions: Vec<Asked>,
    scope: &mut Scope<'a>,
    surroundings: Surroundings<'a>,
) -> Result<Relation> {
    let Surroundings { sources: _, tokens, zone } = surroundings;
    let from = relation(&clauses.from, 0, &mut Binder::new(scope, tokens, zone))?;
    conditions.into_iter().try_fold(from, |from, condition| asked(from, condition, scope, surroundings))
}

/// Every row of the source is a row, or a part of a group: nothing but the source itself is kept for it.
fn of_one_source(source: Source, clauses: Clauses, scope: &Scope<'_>, tokens: &Tokens, zone: Tz) -> Result<Plan> {
    let Analysis { filter, outputs, grouping } = analyse(clauses, scope, tokens, zone)?;
    let layout = match grouping {
        None => rows(&source, outputs),
        Some(grouping) => groups(Some(&source), scope.append_only, outputs, grouping, zone)?,
    };
    let Layout { columns, state, output, tables, result } = layout;
    let scan = Node {
        columns: columns.iter().map(Expr::ty).collect(),
        key: None,
        append_only: scope.append_only,
        operator: Operator::Scan { source: 0, map: Map { filter, columns }, state },
    };
    Ok(plan(vec![source], vec![scan], output, tables, result, zone))
}

/// `sources`, and which of them each relation in FROM is.
fn of_joined_sources(
    (sources, source_of): (Vec<Source>, Vec<usize>),
    from: Relation,
    clauses: Clauses,
    scope: &Scope<'_>,
    tokens: &Tokens,
    zone: Tz,
) -> Result<Plan> {
    let Analysis { filter, outputs, grouping } = analyse(clauses, scope, tokens, zone)?;
    let (from, rest) = from.restricted(filter.map(conjuncts).unwrap_or_default());
    let mut nodes = Nodes { sources, source_of, nodes: Vec::new(), tables: Vec::new() };
    let (output, result) = match grouping {
        None => {
            let asked: Vec<Expr> = outputs.iter().map(|output| output.expr.clone()).collect();
            let Placed { node, places, keyed_nulls, .. } = nodes.place(&from, &rest, &asked)?;
            let (table, result) = keyed(&outputs, &places, &nodes.nodes[node], keyed_nulls);
            nodes.tables.push(table);
            (Output::Keyed { rows: nodes.tables.len() - 1 }, result)
        }
        Some(grouping) => {
            let Layout { columns, output, tables, result, state: _ } =
                groups(None, scope.append_only, outputs, grouping, zone)?;
            nodes.tables = tables;
            nodes.place(&from, &rest, &columns)?;
            (output, result)
        }
    };
    let Nodes { sources, nodes, tables, source_of: _ } = nodes;
    Ok(plan(sources, nodes, output, tables, result, zone))
}

fn plan(
    sources: Vec<Source>,
    nodes: Vec<Node>,
    output: Output,
    tables: Vec<Table>,
    result: ResultView,
    zone: Tz,
) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        semantics_version: SEMANTICS_VERSION,
        time_zone: zone.name().to_owned(),
        sources,
        nodes,
        output,
        tables,
        result,
    }
}

/// The sources that FROM names, each once, and for every relation the index of its own.
fn declared(scope: &Scope<'_>, zone: Tz) -> std::result::Result<(Vec<Source>, Vec<usize>), CompileError> {
    let mut sources: Vec<Source> = Vec::new();
    let mut source_of = Vec::new();
    for relation in &scope.relations {
        let declared = relation.source;
        let known = sources.iter().position(|source| source.name == declared.name);
        source_of.push(match known {
            Some(known) => known,
            None => {
                if let Some(other) = sources.iter().find(|source| source.topic == declared.topic) {
                    return Err(Refusal::new(
                        At::default(),
                        format!("the topic {} of the source {} too", declared.topic, other.name),
                        "a topic is read as one source",
                        "declare one source with the columns of both, and name it twice in FROM",
                    )
                    .in_field(format!("spec.sources[{}].topic", declared.name)));
                }
                sources.push(source(declared, zone)?);
                sources.len() - 1
            }
        });
    }
    Ok((sources, source_of))
}

/// A source that the query does not name would be read for nothing.
fn check_unused(sources: &[SourceDecl], scope: &Scope<'_>) -> std::result::Result<(), CompileError> {
    let used: Vec<&str> = scope.relations.iter().map(|relation| relation.source.name.as_str()).collect();
    match sources.iter().find(|source| !used.contains(&source.name.as_str())) {
        None => Ok(()),
        Some(unused) => Err(Refusal::new(
            At::default(),
            format!("the source {}", unused.name),
            format!("the query reads {} only", used.join(", ")),
            "remove the source, or write a view of its own over it",
        )
        .in_field(format!("spec.sources[{}]", unused.name))),
    }
}

/// The source with its key as indexes and its deletion bound.
fn source(declared: &SourceDecl, zone: Tz) -> std::result::Result<Source, CompileError> {
    let SourceDecl { name, topic, kind, format, key_format, key, delete_when, columns } = declared;
    let field = |part: &str| format!("spec.sources[{name}].{part}");
    let refuse = |part: &str, found: String, expected: &str, advice: &str| {
        Err(Refusal::new(At::default(), found, expected, advice).in_field(field(part)))
    };
    let mut indexes = Vec::new();
    for part in key {
        match columns.iter().position(|column| column.name == *part) {
            Some(index) if !indexes.contains(&index) => indexes.push(index),
            Some(_) => return refuse("key", format!("{part} twice"), "a key has every column once", "remove one"),
            None => {
                return refuse("key", format!("{part:?}"), "a key names columns of the source", "declare the column");
            }
        }
    }
    let delete_when = match (kind, delete_when) {
        (SourceKind::Stream, Some(_)) => {
            let advice = "declare the source as a Table, or write the condition into WHERE";
            return refuse("deleteWhen", "a condition for a Stream".into(), "a Stream's rows stay", advice);
        }
        (_, None) => None,
        (SourceKind::Table, Some(text)) => {
            let in_field = |refusal: Refusal| refusal.in_field(field("deleteWhen"));
            let tokens = Tokens::read(text).map_err(in_field)?;
            let expression = parse_expression(&tokens).map_err(in_field)?;
            let scope = Scope::alone(declared);
            let mut binder = Binder::new(&scope, &tokens, zone);
            Some(binder.condition(&expression, Clause::DeleteWhen).map_err(in_field)?)
        }
    };
    match kind {
        SourceKind::Stream => indexes.clear(),
        SourceKind::Table if indexes.is_empty() => {
            return refuse("key", "no column".into(), "a Table has a key", "name the columns of the record key");
        }
        SourceKind::Table if *key_format == KeyFormat::Text && indexes.len() > 1 => {
            let advice = "name one column, or write keyFormat: Json";
            return refuse("key", format!("{} columns", indexes.len()), "a Text key is one column", advice);
        }
        SourceKind::Table => {}
    }
    Ok(Source {
        name: name.clone(),
        topic: topic.clone(),
        kind: *kind,
        format: *format,
        key_format: *key_format,
        key: indexes,
        delete_when,
        columns: columns.clone(),
    })
}

/// A stored plan must be readable again: its reader follows 128 levels.
fn check_depth(plan: &Plan, tokens: &Tokens) -> std::result::Result<(), CompileError> {
    if Plan::from_json(&plan.to_json()).is_ok_and(|read| read == *plan) {
        return Ok(());
    }
    Err(Refusal::new(
        tokens.start(),
        "a query with too many expressions inside each other",
        "a plan nests about 35 of them",
        "put parentheses around halves of a long chain, or write concat(…) for a long chain of ||",
    )
    .in_field(QUERY))
}
