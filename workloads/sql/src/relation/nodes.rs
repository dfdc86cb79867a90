//! A relation as the nodes of a plan: what each keeps, by which columns it is unique, and where others look it up.

use super::{Join, Relation, all_of, columns_of};
use crate::{
    error::{At, Refusal, Result},
    layout::{column, state_table},
    rewrite::map_columns,
};
use millrace_contract::{
    Expr, Node, Source, SqlType, Table,
    node::{JoinKind, Map, Operator, Side},
    source::{Origin, SourceColumn, SourceKind},
    table::{COUNT, OFFSET, PARTITION, WriteRule},
};
use millrace_dataflow::function::{Sql, function};
use std::convert::Infallible;

/// Nodes under construction.
pub(crate) struct Nodes {
    pub sources: Vec<Source>,
    /// The source of every relation in FROM.
    pub source_of: Vec<usize>,
    pub nodes: Vec<Node>,
    pub tables: Vec<Table>,
}

/// A node, and where it has what it was asked for.
pub(crate) struct Placed {
    pub node: usize,
    /// For every expression its column.
    pub places: Vec<usize>,
    /// Whether the node's key may have nulls.
    pub keyed_nulls: bool,
    /// The table that has the node's rows, and where its columns stand there.
    kept: Option<(usize, Vec<usize>)>,
}

impl Nodes {
    /// Adds the nodes of `relation`, whose last one has `asked` among its columns, each once and in order, for the rows
    /// for which `filter` is true.
    pub fn place(&mut self, relation: &Relation, filter: &[Expr], asked: &[Expr]) -> Result<Placed> {
        match relation {
            Relation::Scan { relation, columns, filter: own } => {
                let conditions = own.iter().chain(filter).cloned().collect();
                Ok(self.scan(*relation, columns.start, conditions, asked))
            }
            Relation::Join(join) => self.join(join, filter, asked),
        }
    }

    fn scan(&mut self, relation: usize, first: usize, filter: Vec<Expr>, asked: &[Expr]) -> Placed {
        let index = self.source_of[relation];
        let own = |expr: &Expr| moved(expr, |column| column - first);
        let mut columns: Vec<Expr> = Vec::new();
        let places = asked.iter().map(|expr| place_of(&mut columns, own(expr))).collect();
        let source = &mut self.sources[index];
        let key: Vec<Expr> = match source.kind {
            SourceKind::Table => source.key.iter().map(|&index| reference(source, index)).collect(),
            SourceKind::Stream => positions(source),
        };
        let key: Vec<usize> = key.into_iter().map(|expr| place_of(&mut columns, expr)).collect();
        let is_stream = source.kind == SourceKind::Stream;
        let types: Vec<SqlType> = columns.iter().map(Expr::ty).collect();
        let state = (!is_stream).then(|| {
            self.tables.push(state_table(format!("state_{}", self.nodes.len()), source, &columns));
            self.tables.len() - 1
        });
        // A key column is looked up where the table has its key.
        let source_key = source.key.clone();
        let keys = source_key.len();
        let kept = state.map(|state| {
            let stored = columns.iter().enumerate().map(|(index, expr)| match expr {
                Expr::Column { index: column, .. } => {
                    source_key.iter().position(|key| key == column).unwrap_or(keys + index)
                }
                _ => keys + index,
            });
            (state, stored.collect())
        });
        let map = Map { filter: all_of(filter.iter().map(own).collect()), columns };
        let operator = Operator::Scan { source: index, map, state };
        let node = self.add(Node { operator, columns: types, key: Some(key), append_only: is_stream });
        Placed { node, places, keyed_nulls: false, kept }
    }

    fn join(&mut self, join: &Join, filter: &[Expr], asked: &[Expr]) -> Result<Placed> {
        let Join { kind, left, right, on, at } = join;
        let (mut left_asked, mut right_asked) = (Vec::new(), Vec::new());
        let (mut left_keys, mut right_keys, mut condition) = (Vec::new(), Vec::new(), Vec::new());
        for expr in on {
            match equal_sides(expr, left, right) {
                Some((left_key, right_key)) => {
                    left_keys.push(place_of(&mut left_asked, left_key));
                    right_keys.push(place_of(&mut right_asked, right_key));
                }
                None => condition.push(expr.clone()),
            }
        }
        if left_keys.is_empty() {
            return Err(without_keys(*at));
        }
        for column in asked.iter().chain(filter).chain(&condition).flat_map(references) {
            let Expr::Column { index, .. } = &column else { continue };
            place_of(if left.has(*index) { &mut left_asked } else { &mut right_asked }, column);
        }
        let placed_left = self.place(left, &[], &left_asked)?;
        let placed_right = self.place(right, &[], &right_asked)?;
        let places = |keys: &[usize], placed: &Placed| keys.iter().map(|&key| placed.places[key]).collect::<Vec<_>>();
        let (left_keys, right_keys) = (places(&left_keys, &placed_left), places(&right_keys, &placed_right));
        let keyed_nulls = [placed_left.keyed_nulls, placed_right.keyed_nulls];
        let (left_places, right_places) = (placed_left.places.clone(), placed_right.places.clone());
        let left_side = self.side(placed_left, left_keys);
        let right_side = self.side(placed_right, right_keys);
        let width = self.nodes[left_side.node].columns.len();
        let in_both = |expr: &Expr| {
            moved(expr, |column| {
                let of = |asked: &[Expr], places: &[usize]| {
                    let is_it = |expr: &Expr| matches!(expr, Expr::Column { index, .. } if *index == column);
                    asked.iter().position(is_it).map(|at| places[at])
                };
                let in_right = || of(&right_asked, &right_places).map(|place| width + place);
                of(&left_asked, &left_places).or_else(in_right).expect("every column that is read was asked for")
            })
        };
        let (key, keyed_nulls) = self.joined_key(*kind, [&left_side, &right_side], keyed_nulls);
        let inputs = [left_side.node, right_side.node];
        let mut columns = self.nodes[inputs[0]].columns.clone();
        if kind.has_right() {
            columns.extend(self.nodes[inputs[1]].columns.iter().copied());
        }
        let append_only = *kind == JoinKind::Inner && inputs.iter().all(|input| self.nodes[*input].append_only);
        let condition = all_of(condition.iter().map(&in_both).collect());
        let operator = Operator::Join { kind: *kind, left: left_side, right: right_side, condition };
        let joined = self.add(Node { operator, columns: columns.clone(), key: Some(key.clone()), append_only });

        let mut shown: Vec<Expr> = Vec::new();
        let places = asked.iter().map(|expr| place_of(&mut shown, in_both(expr))).collect();
        let key =
            key.into_iter().map(|index| place_of(&mut shown, Expr::Column { index, ty: columns[index] })).collect();
        let types = shown.iter().map(Expr::ty).collect();
        let map = Map { filter: all_of(filter.iter().map(&in_both).collect()), columns: shown };
        let operator = Operator::Map { input: joined, map };
        let node = self.add(Node { operator, columns: types, key: Some(key), append_only });
        Ok(Placed { node, places, keyed_nulls, kept: None })
    }

    /// What makes a joined row one: the key of the left row, unless it may have several partners; and of the right one.
    fn joined_key(&self, kind: JoinKind, [left, right]: [&Side; 2], nulls: [bool; 2]) -> (Vec<usize>, bool) {
        let key = |side: &Side| self.nodes[side.node].key.clone().unwrap_or_default();
        let width = self.nodes[left.node].columns.len();
        let of_right = || key(right).into_iter().map(|column| width + column);
        let one_partner = |side: &Side| key(side).iter().all(|column| side.keys.contains(column));
        match kind {
            JoinKind::Semi | JoinKind::Anti => (key(left), nulls[0]),
            JoinKind::Inner | JoinKind::Left if one_partner(right) => (key(left), nulls[0]),
            JoinKind::Inner if one_partner(left) => (of_right().collect(), nulls[1]),
            JoinKind::Inner => (key(left).into_iter().chain(of_right()).collect(), nulls[0] || nulls[1]),
            JoinKind::Left | JoinKind::Full => (key(left).into_iter().chain(of_right()).collect(), true),
        }
    }

    /// A side of a join whose rows are kept in a table, and found there by `keys`.
    fn side(&mut self, placed: Placed, keys: Vec<usize>) -> Side {
        let Placed { node, kept, keyed_nulls, .. } = placed;
        let (node, (table, columns)) = match kept {
            Some(kept) => (node, kept),
            None => self.keep(node, keyed_nulls),
        };
        let lookup: Vec<usize> = keys.iter().map(|&key| columns[key]).collect();
        let definition = &mut self.tables[table];
        let is_key =
            lookup.len() == definition.key.len() && lookup.iter().all(|column| definition.key.contains(column));
        if !is_key && !definition.indexes.contains(&lookup) {
            definition.indexes.push(lookup.clone());
        }
        Side { node, table, columns, keys, lookup }
    }

    /// A node that keeps the rows of another one.
    fn keep(&mut self, input: usize, keyed_nulls: bool) -> (usize, (usize, Vec<usize>)) {
        let Node { columns, key, append_only, .. } = self.nodes[input].clone();
        let in_key = |index| key.iter().flatten().any(|key| *key == index);
        let named = |(index, ty): (usize, &SqlType)| column(format!("_c{index}"), *ty, keyed_nulls || !in_key(index));
        let mut stored: Vec<_> = columns.iter().enumerate().map(named).collect();
        stored.push(column(COUNT, SqlType::BigInt, false));
        self.tables.push(Table {
            name: format!("kept_{}", self.nodes.len()),
            columns: stored,
            key: key.clone().unwrap_or_default(),
            write: WriteRule::Keyed,
            indexes: Vec::new(),
        });
        let table = self.tables.len() - 1;
        let places = (0..columns.len()).collect();
        let node = self.add(Node { operator: Operator::Keep { input, table }, columns, key, append_only });
        (node, (table, places))
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

fn without_keys(at: At) -> Refusal {
    Refusal::new(
        at,
        "a join without equal columns",
        "each row would have to be compared with all rows of the other source",
        "write what belongs together as an equality: ON a.column = b.column, and further conditions by AND",
    )
}

/// The two expressions of an equality between the sides.
fn equal_sides(expr: &Expr, left: &Relation, right: &Relation) -> Option<(Expr, Expr)> {
    let Expr::Call { function: name, arguments, .. } = expr else { return None };
    let [one, other] = &arguments[..] else { return None };
    if function(name)?.sql != Sql::Operator("=") || one.ty() != other.ty() {
        return None;
    }
    let is_of = |expr: &Expr, side: &Relation| {
        let columns = columns_of(expr);
        !columns.is_empty() && columns.into_iter().all(|column| side.has(column))
    };
    if is_of(one, left) && is_of(other, right) {
        Some((one.clone(), other.clone()))
    } else if is_of(other, left) && is_of(one, right) {
        Some((other.clone(), one.clone()))
    } else {
        None
    }
}

/// The columns that an expression reads, as expressions.
fn references(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::Column { .. } => vec![expr.clone()],
        other => other.children().into_iter().flat_map(references).collect(),
    }
}

fn moved(expr: &Expr, place: impl Fn(usize) -> usize) -> Expr {
    let Ok(moved) = map_columns(expr.clone(), &mut |index, column| {
        Ok::<_, Infallible>(Expr::Column { index: place(index), ty: column.ty() })
    });
    moved
}

/// Where `expr` stands; behind the others where it does not yet.
fn place_of(columns: &mut Vec<Expr>, expr: Expr) -> usize {
    columns.iter().position(|column| *column == expr).unwrap_or_else(|| {
        columns.push(expr);
        columns.len() - 1
    })
}

fn reference(source: &Source, index: usize) -> Expr {
    Expr::Column { index, ty: source.columns[index].ty }
}

/// What makes a record one: its partition and its offset, as columns of the source.
fn positions(source: &mut Source) -> Vec<Expr> {
    let wanted = [(PARTITION, SqlType::Integer, Origin::Partition), (OFFSET, SqlType::BigInt, Origin::Offset)];
    let positions = wanted.into_iter().map(|(name, ty, origin)| {
        let index = source.columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
            source.columns.push(SourceColumn { name: name.to_owned(), ty, origin });
            source.columns.len() - 1
        });
        Expr::Column { index, ty }
    });
    positions.collect()
}
