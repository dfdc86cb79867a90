//! The one type of CASE branches, COALESCE operands and list elements (manual 10.5; `select_common_type`).

use super::{CastContext, PgType, can_coerce, catalogue};

/// The common type, or the first two types that have none. All unknown is text.
pub fn common_type(types: &[PgType]) -> Result<PgType, (PgType, PgType)> {
    let mut chosen = types.first().copied().unwrap_or(PgType::UNKNOWN);
    for &next in types.iter().skip(1) {
        if next == PgType::UNKNOWN || next == chosen {
            continue;
        }
        let (row, next_row) = (catalogue().type_row(chosen), catalogue().type_row(next));
        if chosen == PgType::UNKNOWN {
            chosen = next;
        } else if row.category != next_row.category {
            return Err((chosen, next));
        } else if !row.preferred
            && can_coerce(chosen, next, CastContext::Implicit)
            && !can_coerce(next, chosen, CastContext::Implicit)
        {
            chosen = next;
        }
    }
    Ok(if chosen == PgType::UNKNOWN { PgType::TEXT } else { chosen })
}
