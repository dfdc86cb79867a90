//! Sources without the columns that nothing uses: only used fields are decoded.

use crate::rewrite::map_columns;
use millrace_contract::{Expr, Plan};
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
};

/// Keeps the columns that the key, `deleteWhen`, the filter and the projection read, in their order.
pub(crate) fn prune(plan: &mut Plan) {
    let mut used: BTreeSet<usize> = plan.source.key.iter().copied().collect();
    for expr in plan.source.delete_when.iter().chain(&plan.map.filter).chain(&plan.map.columns) {
        expr.collect_columns(&mut used);
    }
    let moved: HashMap<usize, usize> = used.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let columns = std::mem::take(&mut plan.source.columns);
    plan.source.columns =
        columns.into_iter().enumerate().filter(|(index, _)| used.contains(index)).map(|(_, column)| column).collect();
    for index in &mut plan.source.key {
        *index = moved[index];
    }
    for expr in plan.source.delete_when.iter_mut().chain(&mut plan.map.filter).chain(&mut plan.map.columns) {
        let old = std::mem::replace(expr, Expr::And(Vec::new()));
        let Ok(new) = map_columns(old, &mut |index, column| {
            Ok::<_, Infallible>(Expr::Column { index: moved[&index], ty: column.ty() })
        });
        *expr = new;
    }
}
