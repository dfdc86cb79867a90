//! A query with groups: one row per group, made of merged columns; the rest is computed when it is read.

use super::{Layout, column, state_table, stored};
use crate::{
    analysis::{GROUPS, Grouping, Output as Shown},
    bind::{AGGREGATES, AggregateCall, AggregateKind},
    error::{At, Refusal, Result},
    print::Printer,
    readable::make_readable,
};
use chrono_tz::Tz;
use millrace_contract::{
    Expr, SqlType, Table,
    plan::{Call, Output, ResultColumn, ResultView},
    source::Source,
    table::{COUNT, Column, Extreme, Merge, ROWS, SINGLE, WriteRule},
};

/// `source`: the only one, scanned for these groups alone; without it the rows come from other nodes.
pub(crate) fn groups(
    source: Option<&Source>,
    append_only: bool,
    mut outputs: Vec<Shown>,
    grouping: Grouping,
    zone: Tz,
) -> Result<Layout> {
    let Grouping { mut groups, aggregates, mut having } = grouping;
    let has_groups = !groups.is_empty();
    for Shown { expr, at, name: _ } in &mut outputs {
        make_readable(expr, &mut groups, has_groups).map_err(|found| unreadable(found, *at))?;
    }
    if let Some((expr, at)) = &mut having {
        make_readable(expr, &mut groups, has_groups).map_err(|found| unreadable(found, *at))?;
    }
    let mut keeper = Keeper::new(source.filter(|_| !append_only), append_only, &groups, &outputs);
    // Counts come last: they share the argument of another aggregate where there is one.
    let mut order: Vec<usize> = (0..aggregates.len()).collect();
    order.sort_by_key(|index| aggregates[*index].kind == AggregateKind::Count);
    let mut read = vec![String::new(); aggregates.len()];
    for index in order {
        read[index] = keeper.keep(index, &aggregates[index]);
    }
    let group_columns: Vec<String> = keeper.rows[..groups.len()].iter().map(|kept| stored(&kept.name)).collect();
    let printer = Printer {
        zone,
        column: &|index| if index >= GROUPS { &group_columns[index - GROUPS] } else { &read[index - AGGREGATES] },
    };
    let result = ResultView {
        columns: outputs
            .iter()
            .map(|Shown { name, at: _, expr }| ResultColumn {
                name: name.clone(),
                ty: expr.ty(),
                sql: printer.typed(expr),
            })
            .collect(),
        condition: having.map(|(expr, _)| printer.print(&expr)),
    };
    Ok(keeper.finish(result))
}

fn unreadable(found: String, at: At) -> Refusal {
    Refusal::new(
        at,
        format!("{found} beside aggregates"),
        "what is computed from aggregates is computed when the view is read, where the reader's time zone, date style \
         and collation would change it",
        "apply it to the aggregate's argument or to the group, or compute it when reading the view",
    )
}

/// Lays out the columns of the groups' table while aggregates are asked for.
struct Keeper<'a> {
    /// The Table that a state table is kept of.
    source: Option<&'a Source>,
    append_only: bool,
    outputs: &'a [Shown],
    groups: usize,
    /// `Map::columns`: groups, then arguments, each once.
    mapped: Vec<Expr>,
    calls: Vec<Call>,
    rows: Vec<Column>,
    extremes: Vec<Extreme>,
    values: Vec<Table>,
}

/// Where `rows` stands in `Plan::tables`.
const ROWS_INDEX: usize = 0;

impl<'a> Keeper<'a> {
    fn new(source: Option<&'a Source>, append_only: bool, groups: &[Expr], outputs: &'a [Shown]) -> Keeper<'a> {
        let shown_as = |index: usize| {
            let is_it = |output: &&Shown| matches!(output.expr, Expr::Column { index: shown, .. } if shown == index);
            outputs.iter().find(is_it).map(|output| output.name.clone())
        };
        let mut rows: Vec<Column> = groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                column(shown_as(GROUPS + index).unwrap_or_else(|| format!("_g{index}")), group.ty(), true)
            })
            .collect();
        if groups.is_empty() {
            rows.push(column(SINGLE, SqlType::SmallInt, false));
        }
        Keeper {
            source,
            append_only,
            outputs,
            groups: groups.len(),
            mapped: groups.to_vec(),
            calls: Vec::new(),
            rows,
            extremes: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The SQL that reads the aggregate's value.
    fn keep(&mut self, index: usize, call: &AggregateCall) -> String {
        let AggregateCall { kind, argument, ty } = call;
        let Some(argument) = argument else { return stored(COUNT) };
        let shown = self
            .outputs
            .iter()
            .find(|output| matches!(output.expr, Expr::Column { index: shown, .. } if shown == AGGREGATES + index));
        let own_name = shown.map(|output| output.name.clone()).unwrap_or_else(|| format!("_a{}", self.calls.len()));
        let argument = match kind {
            AggregateKind::Count if !self.mapped.contains(argument) => self.mapped(&self.presence(argument)),
            _ => self.mapped(argument),
        };
        match kind {
            AggregateKind::Count => {
                let known = self.calls.iter().find_map(|call| match call {
                    Call::Count { argument: Some(counted), column } if *counted == argument => Some(*column),
                    Call::Sum { argument: counted, column: _, count } if *counted == argument => Some(*count),
                    Call::Count { .. } | Call::Sum { .. } | Call::Extreme { .. } => None,
                });
                let column = known.unwrap_or_else(|| {
                    let column = self.row(own_name, SqlType::BigInt, Merge::Add);
                    self.calls.push(Call::Count { argument: Some(argument), column });
                    column
                });
                self.read(column)
            }
            AggregateKind::Sum => {
                let (sum, count) = self.sum(argument);
                format!("CASE WHEN {} = 0 THEN NULL ELSE {} END", self.read(count), self.read(sum))
            }
            AggregateKind::Avg => {
                let (sum, count) = self.sum(argument);
                let count = format!("nullif({}, 0)", self.read(count));
                format!("(CAST({} AS {ty}) / CAST({count} AS {ty}))", self.read(sum))
            }
            AggregateKind::Min | AggregateKind::Max => {
                let largest = *kind == AggregateKind::Max;
                let column = self.extreme(own_name, argument, *ty, largest);
                self.read(column)
            }
        }
    }

    /// What is counted where only whether it is there matters: what is kept is a boolean instead of the value.
    fn presence(&self, argument: &Expr) -> Expr {
        let ty = SqlType::Boolean;
        if argument.ty() == ty || self.append_only {
            return argument.clone();
        }
        let there = Expr::Literal { value: Some("t".into()), ty };
        let branches = vec![(Expr::Not(Box::new(Expr::IsNull(Box::new(argument.clone())))), there)];
        Expr::Case { branches, otherwise: None, ty }
    }

    /// The index of an argument among the mapped columns.
    fn mapped(&mut self, argument: &Expr) -> usize {
        self.mapped.iter().position(|mapped| mapped == argument).unwrap_or_else(|| {
            self.mapped.push(argument.clone());
            self.mapped.len() - 1
        })
    }

    fn row(&mut self, name: String, ty: SqlType, merge: Merge) -> usize {
        let nullable = merge != Merge::Add;
        self.rows.push(Column { name, ty, nullable, merge });
        self.rows.len() - 1
    }

    fn read(&self, column: usize) -> String {
        stored(&self.rows[column].name)
    }

    /// The columns of the sum and the count of an argument; sum and avg share them.
    fn sum(&mut self, argument: usize) -> (usize, usize) {
        let known = self.calls.iter().find_map(|call| match call {
            Call::Sum { argument: summed, column, count } if *summed == argument => Some((*column, *count)),
            Call::Count { .. } | Call::Sum { .. } | Call::Extreme { .. } => None,
        });
        known.unwrap_or_else(|| {
            let number = self.calls.len();
            let ty = match self.mapped[argument].ty() {
                SqlType::SmallInt | SqlType::Integer => SqlType::BigInt,
                SqlType::BigInt => SqlType::Numeric,
                other => other,
            };
            let column = self.row(format!("_a{number}"), ty, Merge::Add);
            let count = self.row(format!("_n{number}"), SqlType::BigInt, Merge::Add);
            self.calls.push(Call::Sum { argument, column, count });
            (column, count)
        })
    }

    fn extreme(&mut self, name: String, argument: usize, ty: SqlType, largest: bool) -> usize {
        if self.append_only {
            let column = self.row(name, ty, if largest { Merge::Greatest } else { Merge::Least });
            self.calls.push(Call::Extreme { argument, column, largest, values: None });
            return column;
        }
        let column = self.row(name, ty, Merge::Derived);
        let values = format!("values_{}", self.values.len());
        self.extremes.push(Extreme { column, values: values.clone(), largest });
        // `rows`, `state`, then the tables of values.
        let table = ROWS_INDEX + 1 + usize::from(self.source.is_some()) + self.values.len();
        self.values.push(self.values_table(values, ty));
        self.calls.push(Call::Extreme { argument, column, largest, values: Some(table) });
        column
    }

    /// Counts every value of every group.
    fn values_table(&self, name: String, ty: SqlType) -> Table {
        let mut columns: Vec<Column> = self.rows[..self.groups.max(1)].to_vec();
        columns.push(column("_value", ty, false));
        let key = (0..columns.len()).collect();
        columns.push(Column { name: COUNT.into(), ty: SqlType::BigInt, nullable: false, merge: Merge::Add });
        Table {
            name,
            columns,
            key,
            write: WriteRule::Merge { keep_empty: false, extremes: Vec::new() },
            indexes: Vec::new(),
        }
    }

    fn finish(self, result: ResultView) -> Layout {
        let Keeper { source, append_only: _, outputs: _, groups, mapped, calls, mut rows, extremes, values } = self;
        let keep_empty = groups == 0;
        rows.push(Column { name: COUNT.into(), ty: SqlType::BigInt, nullable: false, merge: Merge::Add });
        let mut tables = vec![Table {
            name: ROWS.into(),
            columns: rows,
            key: (0..groups.max(1)).collect(),
            write: WriteRule::Merge { keep_empty, extremes },
            indexes: Vec::new(),
        }];
        let state = source.map(|source| {
            tables.push(state_table("state".into(), source, &mapped));
            tables.len() - 1
        });
        tables.extend(values);
        Layout { columns: mapped, state, output: Output::Aggregate { groups, calls, rows: ROWS_INDEX }, tables, result }
    }
}
