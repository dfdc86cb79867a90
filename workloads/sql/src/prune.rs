//! Sources without the columns that nothing uses: only used fields are decoded.

use crate::rewrite::map_columns;
use millrace_contract::{Expr, Node, Plan, node::Operator};
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
};

/// Keeps the columns that the key, `deleteWhen` and the scans read, in their order.
pub(crate) fn prune(plan: &mut Plan) {
    for index in 0..plan.sources.len() {
        let source = &mut plan.sources[index];
        let mut used: BTreeSet<usize> = source.key.iter().copied().collect();
        for expr in source.delete_when.iter_mut().chain(plan.nodes.iter_mut().flat_map(|node| scanned(node, index))) {
            expr.collect_columns(&mut used);
        }
        let moved: HashMap<usize, usize> = used.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let columns = std::mem::take(&mut source.columns);
        let kept = columns.into_iter().enumerate().filter(|(index, _)| used.contains(index));
        source.columns = kept.map(|(_, column)| column).collect();
        for key in &mut source.key {
            *key = moved[key];
        }
        for expr in source.delete_when.iter_mut().chain(plan.nodes.iter_mut().flat_map(|node| scanned(node, index))) {
            let old = std::mem::replace(expr, Expr::And(Vec::new()));
            let Ok(new) = map_columns(old, &mut |index, column| {
                Ok::<_, Infallible>(Expr::Column { index: moved[&index], ty: column.ty() })
            });
            *expr = new;
        }
    }
}

/// What a node evaluates over the columns of this source.
fn scanned(node: &mut Node, index: usize) -> Vec<&mut Expr> {
    match &mut node.operator {
        Operator::Scan { source, map, .. } if *source == index => {
            map.filter.iter_mut().chain(&mut map.columns).collect()
        }
        Operator::Scan { .. } | Operator::Map { .. } | Operator::Keep { .. } | Operator::Join { .. } => Vec::new(),
    }
}
