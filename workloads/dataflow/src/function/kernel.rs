//! Runs a closure over the rows of argument columns: a null argument gives null, the first error ends the batch.

use super::{Context, EvalError, kind::Kind};
use arrow_array::{Array, ArrayRef};

/// What a closure may return for one row: a value, or a value that may be missing, or fail.
pub(super) trait Outcome<T> {
    fn outcome(self) -> Result<Option<T>, EvalError>;
}

impl<T> Outcome<T> for T {
    #[inline]
    fn outcome(self) -> Result<Option<T>, EvalError> {
        Ok(Some(self))
    }
}

impl<T> Outcome<T> for Option<T> {
    #[inline]
    fn outcome(self) -> Result<Option<T>, EvalError> {
        Ok(self)
    }
}

impl<T> Outcome<T> for Result<T, EvalError> {
    #[inline]
    fn outcome(self) -> Result<Option<T>, EvalError> {
        self.map(Some)
    }
}

impl<T> Outcome<T> for Result<Option<T>, EvalError> {
    #[inline]
    fn outcome(self) -> Result<Option<T>, EvalError> {
        self
    }
}

/// The argument as the array of its type. Plans are typed before they run.
pub(super) fn column<A: Kind>(arguments: &[ArrayRef], index: usize) -> &A::Array {
    arguments[index].as_any().downcast_ref().expect("a plan gives every argument its declared type")
}

pub(super) fn unary<A: Kind, R: Kind, O: Outcome<R::Result>>(
    context: &Context,
    arguments: &[ArrayRef],
    rows: usize,
    compute: impl for<'a> Fn(&Context, A::Value<'a>) -> O,
) -> Result<ArrayRef, EvalError> {
    let first = column::<A>(arguments, 0);
    let mut builder = R::builder(rows);
    for row in 0..rows {
        let missing = first.is_null(row);
        let result = if missing { None } else { compute(context, A::value(first, row)).outcome()? };
        R::append(&mut builder, result);
    }
    Ok(R::finish(builder))
}

pub(super) fn binary<A: Kind, B: Kind, R: Kind, O: Outcome<R::Result>>(
    context: &Context,
    arguments: &[ArrayRef],
    rows: usize,
    mut compute: impl for<'a> FnMut(&Context, A::Value<'a>, B::Value<'a>) -> O,
) -> Result<ArrayRef, EvalError> {
    let (first, second) = (column::<A>(arguments, 0), column::<B>(arguments, 1));
    let mut builder = R::builder(rows);
    for row in 0..rows {
        let missing = first.is_null(row) || second.is_null(row);
        let result =
            if missing { None } else { compute(context, A::value(first, row), B::value(second, row)).outcome()? };
        R::append(&mut builder, result);
    }
    Ok(R::finish(builder))
}

pub(super) fn ternary<A: Kind, B: Kind, C: Kind, R: Kind, O: Outcome<R::Result>>(
    context: &Context,
    arguments: &[ArrayRef],
    rows: usize,
    compute: impl for<'a> Fn(&Context, A::Value<'a>, B::Value<'a>, C::Value<'a>) -> O,
) -> Result<ArrayRef, EvalError> {
    let (first, second, third) = (column::<A>(arguments, 0), column::<B>(arguments, 1), column::<C>(arguments, 2));
    let mut builder = R::builder(rows);
    for row in 0..rows {
        let missing = first.is_null(row) || second.is_null(row) || third.is_null(row);
        let result = if missing {
            None
        } else {
            compute(context, A::value(first, row), B::value(second, row), C::value(third, row)).outcome()?
        };
        R::append(&mut builder, result);
    }
    Ok(R::finish(builder))
}

/// A strict [`Function`](super::Function) of one to three arguments, as a closure over plain values.
macro_rules! scalar {
    ($name:expr, $sql:expr, [$a:ident] -> $r:ident, $doc:expr, $compute:expr) => {
        $crate::function::Function {
            evaluate: |context, arguments, rows| {
                $crate::function::kernel::unary::<
                    $crate::function::kind::$a,
                    $crate::function::kind::$r,
                    _,
                >(context, arguments, rows, $compute)
            },
            ..scalar!(@head $name, $sql, [$a] -> $r, $doc)
        }
    };
    ($name:expr, $sql:expr, [$a:ident, $b:ident] -> $r:ident, $doc:expr, $compute:expr) => {
        $crate::function::Function {
            evaluate: |context, arguments, rows| {
                $crate::function::kernel::binary::<
                    $crate::function::kind::$a,
                    $crate::function::kind::$b,
                    $crate::function::kind::$r,
                    _,
                >(context, arguments, rows, $compute)
            },
            ..scalar!(@head $name, $sql, [$a, $b] -> $r, $doc)
        }
    };
    ($name:expr, $sql:expr, [$a:ident, $b:ident, $c:ident] -> $r:ident, $doc:expr, $compute:expr) => {
        $crate::function::Function {
            evaluate: |context, arguments, rows| {
                $crate::function::kernel::ternary::<
                    $crate::function::kind::$a,
                    $crate::function::kind::$b,
                    $crate::function::kind::$c,
                    $crate::function::kind::$r,
                    _,
                >(context, arguments, rows, $compute)
            },
            ..scalar!(@head $name, $sql, [$a, $b, $c] -> $r, $doc)
        }
    };
    (@head $name:expr, $sql:expr, [$($a:ident),+] -> $r:ident, $doc:expr) => {
        $crate::function::Function {
            name: $name,
            sql: $sql,
            arguments: &[$(millrace_contract::SqlType::$a),+],
            variadic: None,
            returns: millrace_contract::SqlType::$r,
            strict: true,
            evaluate: |_, arguments, _| Ok(arguments[0].clone()),
            doc: $doc,
        }
    };
}
pub(super) use scalar;
