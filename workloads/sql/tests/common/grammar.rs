//! Random SQL that is mostly well-typed: expressions by the type they should have, and whole queries.

use millrace_contract::SqlType;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

pub struct Grammar<'a> {
    pub random: &'a mut ChaCha8Rng,
    /// Columns by type.
    pub columns: &'a [(&'a str, SqlType)],
}

/// Kinds of values that expressions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    Truth,
    Date,
    Moment,
    Json,
}

impl Grammar<'_> {
    fn one<'b>(&mut self, options: &[&'b str]) -> &'b str {
        options.choose(self.random).copied().unwrap_or_default()
    }

    fn column(&mut self, fits: &[SqlType]) -> Option<String> {
        let names: Vec<&str> = self.columns.iter().filter(|(_, ty)| fits.contains(ty)).map(|(name, _)| *name).collect();
        names.choose(self.random).map(|name| (*name).to_owned())
    }

    /// An expression of a kind; `{n}`, `{t}`, `{b}`, `{d}`, `{m}`, `{j}` in a form are parts of that kind.
    pub fn expression(&mut self, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.random.random_range(0..5) == 0 {
            return self.leaf(kind);
        }
        let form = match kind {
            Kind::Number => self.one(&[
                "{n} + {n}",
                "{n} - {n}",
                "{n} * {n}",
                "({n} + {n})",
                "- {n}",
                "abs({n})",
                "length({t})",
                "coalesce({n}, {n})",
                "CASE WHEN {b} THEN {n} ELSE {n} END",
                "CASE {n} WHEN {n} THEN {n} END",
                "nullif({n}, {n})",
                "greatest({n}, {n})",
                "least({n}, 3)",
                "{n} / nullif({n}, 0)",
                "{n}::numeric",
                "({n})::bigint",
                "{n} % 7",
                "extract(year FROM {d})",
                "position('a' IN {t})",
                "round({n}::numeric, 1)",
                "({n} + {n}) * {n}",
                "extract(hour FROM {m})",
                "{d} - {d}",
                "({j} -> 'a')::text::numeric",
                "sign({n})",
                "floor({n})",
                "ceil({n}::numeric)",
                "trunc({n}::numeric)",
            ]),
            Kind::Text => self.one(&[
                "{t} || {t}",
                "{t} || {n}",
                "upper({t})",
                "lower({t})",
                "coalesce({t}, 'x')",
                "({n})::text",
                "CASE WHEN {b} THEN {t} ELSE {t} END",
                "substring({t} FROM 2 FOR 3)",
                "left({t}, 2)",
                "trim({t})",
                "replace({t}, 'a', 'b')",
                "concat({t}, {n}, {b})",
                "nullif({t}, 'a')",
                "({d})::text",
                "({b})::text",
                "{j} ->> 'a'",
                "{j} #>> '{b,0}'",
                "split_part({t}, 'a', 1)",
                "greatest({t}, {t})",
                "right({t}, 1)",
                "reverse({t})",
                "lpad({t}, 3, '*')",
                "({m})::text",
            ]),
            Kind::Truth => self.one(&[
                "{n} < {n}",
                "{n} = {n}",
                "{n} <> {n}",
                "{n} >= {n}",
                "{t} < {t}",
                "{t} = {t}",
                "{b} AND {b}",
                "{b} OR {b}",
                "NOT {b}",
                "{n} IS NULL",
                "{t} IS NOT NULL",
                "{b} IS TRUE",
                "{b} IS NOT FALSE",
                "{b} IS UNKNOWN",
                "{n} BETWEEN {n} AND {n}",
                "{n} IN ({n}, {n}, 1)",
                "{t} NOT IN ('a', {t})",
                "{t} LIKE '%a%'",
                "{t} NOT LIKE 'a_'",
                "{t} ILIKE 'A%'",
                "{n} IS DISTINCT FROM {n}",
                "{t} IS NOT DISTINCT FROM {t}",
                "{d} < {d}",
                "{m} >= {m}",
                "({b}) = ({b})",
                "{j} @> '{\"a\": 1}'",
                "{j} ? 'a'",
                "{t} ~ '^a'",
                "{n} NOT BETWEEN {n} AND 5",
                "{d} = {m}",
                "NOT {n} = {n}",
            ]),
            Kind::Date => self.one(&["({m})::date", "{d} + 1", "{d} - 3", "coalesce({d}, {d})", "greatest({d}, {d})"]),
            Kind::Moment => {
                self.one(&["({d})::timestamp", "date_trunc('day', {m})", "coalesce({m}, {m})", "({d})::timestamptz"])
            }
            Kind::Json => self.one(&["{j} -> 'b'", "coalesce({j}, {j})", "{j}"]),
        };
        let mut filled = String::new();
        let mut rest = form;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            let part = match rest.get(start..start + 3) {
                Some("{n}") => Some(Kind::Number),
                Some("{t}") => Some(Kind::Text),
                Some("{b}") => Some(Kind::Truth),
                Some("{d}") => Some(Kind::Date),
                Some("{m}") => Some(Kind::Moment),
                Some("{j}") => Some(Kind::Json),
                _ => None,
            };
            match part {
                Some(kind) => {
                    filled.push_str(&self.expression(kind, depth - 1));
                    rest = &rest[start + 3..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[start + 1..];
                }
            }
        }
        filled + rest
    }

    fn leaf(&mut self, kind: Kind) -> String {
        use SqlType as T;
        let constant = self.random.random_range(0..4) == 0;
        let column = match kind {
            Kind::Number => self.column(&[T::SmallInt, T::Integer, T::BigInt, T::Numeric, T::DoublePrecision, T::Real]),
            Kind::Text => self.column(&[T::Text]),
            Kind::Truth => self.column(&[T::Boolean]),
            Kind::Date => self.column(&[T::Date]),
            Kind::Moment => self.column(&[T::Timestamp, T::TimestampTz]),
            Kind::Json => self.column(&[T::Jsonb]),
        };
        match column {
            Some(column) if !constant => column,
            _ => match kind {
                Kind::Number => self.one(&["0", "1", "2", "-3", "2.5", "7", "100", "NULL::integer", "0.10"]),
                Kind::Text => self.one(&["'a'", "'개발'", "''", "'Ab'", "NULL::text"]),
                Kind::Truth => self.one(&["true", "false", "NULL::boolean"]),
                Kind::Date => self.one(&["DATE '2026-01-02'", "'2024-02-29'::date"]),
                Kind::Moment => self.one(&["TIMESTAMP '2026-01-02 03:04:05'", "'2026-01-01 00:00:00+00'::timestamptz"]),
                Kind::Json => self.one(&["'{\"a\": 1}'::jsonb", "'[1, 2]'::jsonb"]),
            }
            .to_owned(),
        }
    }

    pub fn kind(&mut self) -> Kind {
        let kinds =
            [Kind::Number, Kind::Number, Kind::Text, Kind::Text, Kind::Truth, Kind::Date, Kind::Moment, Kind::Json];
        kinds.choose(self.random).copied().unwrap_or(Kind::Number)
    }

    /// A column or an expression that shows a column of any type.
    fn shown(&mut self, depth: usize) -> String {
        if self.random.random_range(0..3) == 0 {
            return self.columns.choose(self.random).map(|(name, _)| (*name).to_owned()).unwrap_or_default();
        }
        let kind = self.kind();
        self.expression(kind, depth)
    }

    fn aggregate(&mut self, floats: bool) -> String {
        let numbers = if floats { "{n}" } else { "({n})::numeric" };
        let form = self.one(&[
            "count(*)",
            "count({a})",
            "sum({n})",
            "sum({n})",
            "avg({n})",
            "min({o})",
            "max({o})",
            "max({o})",
            "count(*) FILTER (WHERE {b})",
            "sum({n}) FILTER (WHERE {b})",
            "min({o}) FILTER (WHERE {b})",
        ]);
        let number = if self.random.random_range(0..2) == 0 {
            self.column(&[SqlType::SmallInt, SqlType::Integer, SqlType::BigInt, SqlType::Numeric]).unwrap_or("1".into())
        } else {
            numbers.replace("{n}", &self.expression(Kind::Number, 1))
        };
        let orderable = [Kind::Number, Kind::Text, Kind::Date, Kind::Moment].choose(self.random).copied();
        let ordered = self.expression(orderable.unwrap_or(Kind::Number), 1);
        let any = self.shown(1);
        let truth = self.expression(Kind::Truth, 1);
        form.replace("{n}", &number).replace("{o}", &ordered).replace("{a}", &any).replace("{b}", &truth)
    }

    /// A query over `table`.
    pub fn query(&mut self, table: &str, floats: bool) -> String {
        let filter = match self.random.random_range(0..3) {
            0 => format!(" WHERE {}", self.expression(Kind::Truth, 2)),
            _ => String::new(),
        };
        if self.random.random_range(0..5) < 2 {
            let count = self.random.random_range(1..5);
            let mut items: Vec<String> = (0..count).map(|n| format!("{} AS \"칸{n}\"", self.shown(2))).collect();
            if self.random.random_range(0..2) == 0 {
                items.push("id".into());
            }
            return format!("SELECT {} FROM {table}{filter}", items.join(", "));
        }
        let groups: Vec<String> = (0..self.random.random_range(0..3))
            .map(|_| match self.random.random_range(0..3) {
                0 => self.shown(1),
                _ => self
                    .column(&[SqlType::Text, SqlType::Boolean, SqlType::Date, SqlType::Numeric])
                    .unwrap_or("id".into()),
            })
            .collect();
        let mut items: Vec<String> = Vec::new();
        for group in &groups {
            match self.random.random_range(0..9) {
                0 => {}
                1 => items.push(format!("coalesce({group}, {group})")),
                2 => items.push(format!("({group}) IS NULL")),
                // Not over numbers: of 1.0 and 1.00 in one group, Postgres shows any.
                3 if ["tx", "da", "bo"].contains(&group.as_str()) => items.push(format!("upper({group}::text)")),
                4 if ["tx", "da", "bo"].contains(&group.as_str()) => items.push(format!("{group}::text || '!'")),
                _ => items.push(group.clone()),
            }
        }
        // What is computed when the view is read, under the reader's settings.
        if self.random.random_range(0..3) == 0 {
            let read = self.one(&[
                "max(tz)::date",
                "min(tz)::timestamp",
                "max(tz)::time",
                "max(ts)::timestamptz",
                "min(da)::timestamptz",
                "max(tz) >= '2026-01-01 01:00:00'",
                "sum(i4) + 1.5",
                "max(tx) || '!'",
                "length(min(tx))",
                "max(tx) < 'b'",
                "extract(year FROM min(da))",
                "greatest(max(tx), min(tx), 'B')",
                "min(da) + 1",
                "CASE WHEN min(tx) >= 'a' THEN avg(i4) ELSE 0 END",
                "nullif(count(*), 2)",
                "count(*) / count(id)",
                "round(avg(i8), 2)",
                "max(id) IN (1, 2, 3)",
                "max(i2) IS DISTINCT FROM min(i4)",
                "sum(nu) % 7",
            ]);
            items.push(read.to_owned());
        }
        for _ in 0..self.random.random_range(1..4) {
            let aggregate = self.aggregate(floats);
            items.push(match self.random.random_range(0..6) {
                0 => format!("coalesce({aggregate}, {aggregate})"),
                1 => format!("CASE WHEN count(*) > 2 THEN {aggregate} END"),
                2 => format!("{aggregate} IS NULL"),
                _ => aggregate,
            });
        }
        let items: Vec<String> = items.iter().enumerate().map(|(n, item)| format!("{item} AS c{n}")).collect();
        let mut query = format!("SELECT {} FROM {table}{filter}", items.join(", "));
        if !groups.is_empty() {
            query.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        if self.random.random_range(0..4) == 0 {
            let condition = self.one(&["count(*) > 1", "max(id) < 9", "min(id) IS NOT NULL AND count(*) <> 3"]);
            query.push_str(&format!(" HAVING {condition}"));
        }
        query
    }
}
