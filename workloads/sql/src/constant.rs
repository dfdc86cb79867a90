//! The canonical text of a constant: Postgres's input syntax in, its output syntax out.

use chrono_tz::Tz;
use millrace_contract::SqlType;
use millrace_dataflow::value::{ColumnBuilder, print};

/// Words that Postgres's date types read as a moment of the transaction.
const MOVING: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// The value of `text` as the type prints it, or why it has none.
pub(crate) fn canonical(text: &str, ty: SqlType, zone: Tz) -> Result<String, String> {
    let calendar = matches!(ty, SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz);
    if calendar && MOVING.contains(&text.trim().to_ascii_lowercase().as_str()) {
        return Err("a constant that moves with the clock changes the view without a record".to_owned());
    }
    let mut column = ColumnBuilder::new(ty, 1).in_zone(zone);
    column.append_text(text).map_err(|error| error.to_string())?;
    let array = column.finish();
    print(&array, ty, 0, zone).ok_or_else(|| "a constant has a value".to_owned())
}
