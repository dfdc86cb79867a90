//! The names that a query may use: the columns of the sources in its FROM, counted through.

use crate::{
    error::{At, Refusal, Result, did_you_mean},
    from::{Constraint, From, Joined, Kind},
    view_query::SourceDecl,
};
use millrace_contract::{Expr, SqlType, source::SourceKind};
use sqlparser::ast::Ident;
use std::{collections::BTreeSet, ops::Range};

pub(crate) struct Scope<'a> {
    /// Those of all queries inside each other.
    pub relations: Vec<Relation<'a>>,
    /// Those of the present query, then those of the queries around it.
    layers: Vec<Range<usize>>,
    /// Columns that USING joins with another one: their name alone means the other one.
    merged: BTreeSet<usize>,
    /// For every name in USING, where it stands, the columns that it joins.
    using: Vec<(At, [usize; 2])>,
    /// Rows are never taken back.
    pub append_only: bool,
}

/// One source in FROM.
pub(crate) struct Relation<'a> {
    pub source: &'a SourceDecl,
    /// The name that qualifies columns: the alias hides the source's name.
    qualifier: Option<String>,
    /// The number of its first column.
    pub first: usize,
}

impl Relation<'_> {
    pub fn columns(&self) -> Range<usize> {
        self.first..self.first + self.source.columns.len()
    }
}

/// A name as Postgres takes it: without quotes the ASCII letters are small.
pub(crate) fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

pub(crate) fn at(ident: &Ident) -> At {
    ident.span.start.into()
}

impl<'a> Scope<'a> {
    /// The sources that FROM names.
    pub fn of(sources: &'a [SourceDecl], from: &From) -> Result<Scope<'a>> {
        let mut scope = Scope {
            relations: Vec::new(),
            layers: Vec::new(),
            merged: BTreeSet::new(),
            using: Vec::new(),
            append_only: true,
        };
        scope.enter(sources, from)?;
        Ok(scope)
    }

    /// Goes into a query with this FROM; returns the first of its relations.
    pub fn enter(&mut self, sources: &'a [SourceDecl], from: &From) -> Result<usize> {
        let start = self.relations.len();
        self.layers.insert(0, start..start);
        self.add(sources, from)?;
        self.layers[0].end = self.relations.len();
        Ok(start)
    }

    /// Goes out of a query, whose names are no longer there.
    pub fn leave(&mut self) {
        self.layers.remove(0);
    }

    /// A source whose columns stand without a qualifier.
    pub fn alone(source: &'a SourceDecl) -> Scope<'a> {
        let relations = vec![Relation { source, qualifier: None, first: 0 }];
        let append_only = source.kind == SourceKind::Stream;
        let layers = std::iter::once(0..1).collect();
        Scope { relations, layers, merged: BTreeSet::new(), using: Vec::new(), append_only }
    }

    fn add(&mut self, sources: &'a [SourceDecl], from: &From) -> Result<()> {
        let Joined { kind, left, right, constraint, at: _ } = match from {
            From::Source { name, alias } => return self.add_source(sources, name, alias.as_ref()),
            From::Join(joined) => joined.as_ref(),
        };
        let start = self.relations.len();
        self.add(sources, left)?;
        let middle = self.relations.len();
        self.add(sources, right)?;
        self.append_only &= *kind == Kind::Inner;
        if let Constraint::Using(names) = constraint {
            for name in names {
                if *kind == Kind::Full {
                    return Err(Refusal::new(
                        at(name),
                        "USING in a FULL JOIN",
                        "its column is of the one source or of the other, row by row",
                        "write ON, and coalesce(…) in the select list",
                    ));
                }
                let columns =
                    [self.column_of(name, start..middle)?, self.column_of(name, middle..self.relations.len())?];
                self.merged.insert(columns[usize::from(*kind != Kind::Right)]);
                self.using.push((at(name), columns));
            }
        }
        Ok(())
    }

    fn add_source(&mut self, sources: &'a [SourceDecl], name: &Ident, alias: Option<&Ident>) -> Result<()> {
        let wanted = folded(name);
        let Some(source) = sources.iter().find(|source| source.name == wanted) else {
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            return Err(Refusal::new(
                at(name),
                format!("unknown source {wanted:?}"),
                format!("the view's sources are {}", names.join(", ")),
                format!("write one of them{}", did_you_mean(&wanted, names)),
            ));
        };
        let qualifier = alias.map_or(wanted, folded);
        let mut of_query = self.relations[self.layers[0].start..].iter();
        if of_query.any(|relation| relation.qualifier.as_ref() == Some(&qualifier)) {
            return Err(Refusal::new(
                at(alias.unwrap_or(name)),
                format!("the table name {qualifier:?} a second time"),
                "every source in FROM has a name of its own",
                "write AS and another name behind it",
            ));
        }
        let first = self.relations.last().map_or(0, |last| last.columns().end);
        self.append_only &= source.kind == SourceKind::Stream;
        self.relations.push(Relation { source, qualifier: Some(qualifier), first });
        Ok(())
    }

    /// The columns that a name in USING joins.
    pub fn used(&self, name: &Ident) -> [usize; 2] {
        let found = self.using.iter().find(|(place, _)| *place == at(name));
        found.expect("every USING in FROM was looked up").1
    }

    /// The number of a column that is named without a qualifier.
    pub fn column(&self, name: &Ident) -> Result<usize> {
        let wanted = folded(name);
        let has = |layer: &&Range<usize>| self.named(&wanted, (*layer).clone()).next().is_some();
        let layer = self.layers.iter().find(has).unwrap_or(&self.layers[0]);
        self.column_of(name, layer.clone())
    }

    fn named<'s>(&'s self, wanted: &'s str, relations: Range<usize>) -> impl Iterator<Item = usize> + 's {
        let columns = self.relations[relations].iter().flat_map(|relation| relation.columns());
        columns.filter(move |column| !self.merged.contains(column) && self.name(*column) == wanted)
    }

    /// The same, of some of the relations.
    fn column_of(&self, name: &Ident, relations: Range<usize>) -> Result<usize> {
        let wanted = folded(name);
        let found: Vec<usize> = self.named(&wanted, relations.clone()).collect();
        match found[..] {
            [column] => Ok(column),
            [] => Err(unknown(name, &self.relations[relations])),
            [..] => Err(Refusal::new(
                at(name),
                format!("the column {wanted:?} of several sources"),
                "it is not clear which one is meant",
                format!("write the source's name in front of it: source.{wanted}"),
            )),
        }
    }

    /// The number of a column that is named with a qualifier.
    pub fn qualified_column(&self, qualifier: &Ident, name: &Ident) -> Result<usize> {
        let relation = self.relation(qualifier)?;
        let wanted = folded(name);
        let found = relation.columns().find(|column| self.name(*column) == wanted);
        found.ok_or_else(|| unknown(name, std::slice::from_ref(relation)))
    }

    /// The source of the name in front of a column or of `.*`.
    pub fn relation(&self, name: &Ident) -> Result<&Relation<'a>> {
        let wanted = folded(name);
        let visible = || self.layers.iter().flat_map(|layer| &self.relations[layer.clone()]);
        if let Some(relation) = visible().find(|relation| relation.qualifier.as_ref() == Some(&wanted)) {
            return Ok(relation);
        }
        let names: Vec<&str> = visible().filter_map(|relation| relation.qualifier.as_deref()).collect();
        match names[..] {
            [] => Err(Refusal::new(
                at(name),
                format!("the table name {wanted:?}"),
                "columns stand alone here",
                "write the column alone",
            )),
            [qualifier] => Err(Refusal::new(
                at(name),
                format!("unknown table name {wanted:?}"),
                format!("the source is called {qualifier} in this query"),
                format!("write {qualifier}.column, or the column alone"),
            )),
            [..] => Err(Refusal::new(
                at(name),
                format!("unknown table name {wanted:?}"),
                format!("the sources are called {} in this query", names.join(", ")),
                format!("write one of them{}", did_you_mean(&wanted, names)),
            )),
        }
    }

    pub fn is_relation(&self, name: &Ident) -> bool {
        self.relation(name).is_ok()
    }

    /// The columns that `*` stands for.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.relations[self.layers[0].clone()].iter().flat_map(|relation| relation.columns());
        all.filter(|column| !self.merged.contains(column))
    }

    pub fn name(&self, column: usize) -> &str {
        let relation = self.relation_of(column);
        &relation.source.columns[column - relation.first].name
    }

    /// A reference to a column.
    pub fn reference(&self, column: usize) -> Expr {
        Expr::Column { index: column, ty: self.ty(column) }
    }

    fn ty(&self, column: usize) -> SqlType {
        let relation = self.relation_of(column);
        relation.source.columns[column - relation.first].ty
    }

    fn relation_of(&self, column: usize) -> &Relation<'a> {
        let of = self.relations.iter().find(|relation| relation.columns().contains(&column));
        of.expect("a column is one of a relation")
    }
}

fn unknown(name: &Ident, relations: &[Relation<'_>]) -> Refusal {
    let wanted = folded(name);
    let names: Vec<&str> =
        relations.iter().flat_map(|relation| &relation.source.columns).map(|column| column.name.as_str()).collect();
    let mut listed = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        listed.push_str(", …");
    }
    let quotes = if name.quote_style == Some('"') && names.contains(&wanted.to_ascii_lowercase().as_str()) {
        format!(" (without the quotes {} is found)", wanted.to_ascii_lowercase())
    } else {
        did_you_mean(&wanted, names)
    };
    let sources: Vec<&str> = relations.iter().map(|relation| relation.source.name.as_str()).collect();
    let has = match sources[..] {
        [source] => format!("the source {source} has {listed}"),
        [..] => format!("the sources {} have {listed}", sources.join(", ")),
    };
    Refusal::new(at(name), format!("unknown column {wanted:?}"), has, format!("write one of them{quotes}"))
}
