//! Which values Postgres turns into which type, and when (manual 10.1, `can_coerce_type` of its parser).

use super::{PgType, Volatility, catalogue};

/// How freely a value may change its type. Later contexts allow what earlier ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    Implicit,
    Assignment,
    /// `CAST`, `::`.
    Explicit,
}

/// How a value changes its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coercion {
    /// It has the type already.
    None,
    /// By the cast of the two types.
    Cast(Volatility),
    /// Through its text.
    Text(Volatility),
}

/// How `source` becomes `target`; `None` when it does not.
pub fn coercion(source: PgType, target: PgType, context: CastContext) -> Option<Coercion> {
    if source == target {
        return Some(Coercion::None);
    }
    let catalogue = catalogue();
    if let Some(cast) = catalogue.cast(source, target) {
        return (context >= cast.context).then_some(Coercion::Cast(cast.volatility));
    }
    let (from, to) = (catalogue.type_row(source), catalogue.type_row(target));
    let through_text = (context >= CastContext::Assignment && to.category == 'S')
        || (context >= CastContext::Explicit && from.category == 'S');
    through_text.then(|| Coercion::Text(from.output.max(to.input)))
}

/// Whether an argument of type `source` may stand where `target` is wanted.
pub fn can_coerce(source: PgType, target: PgType, context: CastContext) -> bool {
    if source == target || target.is_any() || source == PgType::UNKNOWN {
        return true;
    }
    coercion(source, target, context).is_some()
}
