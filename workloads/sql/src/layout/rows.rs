//! A query without groups: every row of the source is a row of the result.

use super::{Layout, column, stored, version_columns};
use crate::analysis::Output as Shown;
use millrace_contract::{
    Expr, SqlType, Table,
    plan::{Output, ResultColumn, ResultView},
    source::{Source, SourceKind},
    table::{DELETED, OFFSET, PARTITION, ROWS, WriteRule},
};

pub(crate) fn rows(source: &Source, outputs: Vec<Shown>) -> Layout {
    let result: Vec<ResultColumn> = outputs
        .iter()
        .map(|output| ResultColumn { name: output.name.clone(), ty: output.expr.ty(), sql: stored(&output.name) })
        .collect();
    let named = |output: Shown| (output.name, output.expr);
    match source.kind {
        SourceKind::Stream => {
            let (names, columns): (Vec<String>, Vec<Expr>) = outputs.into_iter().map(named).unzip();
            let mut stored: Vec<_> =
                names.into_iter().zip(&columns).map(|(name, expr)| column(name, expr.ty(), true)).collect();
            let key = vec![stored.len(), stored.len() + 1];
            stored.push(column(PARTITION, SqlType::Integer, false));
            stored.push(column(OFFSET, SqlType::BigInt, false));
            Layout {
                columns,
                state: None,
                output: Output::Append { rows: 0 },
                tables: vec![Table {
                    name: ROWS.into(),
                    columns: stored,
                    key,
                    write: WriteRule::Append,
                    indexes: vec![],
                }],
                result: ResultView { columns: result, condition: None },
            }
        }
        SourceKind::Table => {
            let mut rest: Vec<(String, Expr)> = outputs.into_iter().map(named).collect();
            let mut kept: Vec<(String, Expr)> = Vec::new();
            for &index in &source.key {
                let declared = &source.columns[index];
                let key = Expr::Column { index, ty: declared.ty };
                kept.push(match rest.iter().position(|(_, expr)| *expr == key) {
                    Some(shown) => rest.remove(shown),
                    None => (format!("_key_{}", declared.name), key),
                });
            }
            let key: Vec<usize> = (0..kept.len()).collect();
            let keys = kept.len();
            kept.extend(rest);
            let mut stored: Vec<_> = kept
                .iter()
                .enumerate()
                .map(|(position, (name, expr))| column(name, expr.ty(), position >= keys))
                .collect();
            stored.extend(version_columns());
            Layout {
                columns: kept.into_iter().map(|(_, expr)| expr).collect(),
                state: None,
                output: Output::Upsert { rows: 0 },
                tables: vec![Table {
                    name: ROWS.into(),
                    columns: stored,
                    key,
                    write: WriteRule::Versioned,
                    indexes: vec![],
                }],
                result: ResultView { columns: result, condition: Some(format!("NOT {}", super::stored(DELETED))) },
            }
        }
    }
}
