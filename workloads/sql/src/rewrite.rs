//! Expressions with their parts replaced.

use millrace_contract::Expr;

/// The expression with every direct part replaced by what `replace` makes of it.
pub(crate) fn map_children<E>(expr: Expr, replace: &mut dyn FnMut(Expr) -> Result<Expr, E>) -> Result<Expr, E> {
    let mut boxed = |part: Box<Expr>| replace(*part).map(Box::new);
    Ok(match expr {
        Expr::Column { .. } | Expr::Literal { .. } => expr,
        Expr::Not(operand) => Expr::Not(boxed(operand)?),
        Expr::IsNull(operand) => Expr::IsNull(boxed(operand)?),
        Expr::NotDistinct(left, right) => Expr::NotDistinct(boxed(left)?, boxed(right)?),
        Expr::And(operands) => Expr::And(all(operands, replace)?),
        Expr::Or(operands) => Expr::Or(all(operands, replace)?),
        Expr::Coalesce { operands, ty } => Expr::Coalesce { operands: all(operands, replace)?, ty },
        Expr::Call { function, arguments, ty } => Expr::Call { function, arguments: all(arguments, replace)?, ty },
        Expr::Case { branches, otherwise, ty } => {
            let mut replaced = Vec::with_capacity(branches.len());
            for (when, then) in branches {
                replaced.push((replace(when)?, replace(then)?));
            }
            let otherwise = otherwise.map(|part| replace(*part).map(Box::new)).transpose()?;
            Expr::Case { branches: replaced, otherwise, ty }
        }
    })
}

fn all<E>(parts: Vec<Expr>, replace: &mut dyn FnMut(Expr) -> Result<Expr, E>) -> Result<Vec<Expr>, E> {
    parts.into_iter().map(replace).collect()
}

/// The expression with every column replaced.
pub(crate) fn map_columns<E>(expr: Expr, replace: &mut dyn FnMut(usize, Expr) -> Result<Expr, E>) -> Result<Expr, E> {
    match expr {
        Expr::Column { index, .. } => replace(index, expr),
        other => map_children(other, &mut |part| map_columns(part, replace)),
    }
}
