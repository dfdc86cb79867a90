//! An order, as the table keeps it and the topics carry it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, postgres::PgRow};

/// The field order is the order in the JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: i64,
    pub user_id: i64,
    pub product: String,
    pub quantity: i64,
    /// Won, for each piece.
    pub unit_price: i64,
    pub status: Status,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Placed,
    Cancelled,
}

impl FromRow<'_, PgRow> for Order {
    fn from_row(row: &PgRow) -> sqlx::Result<Order> {
        Ok(Order {
            id: row.try_get("id")?,
            user_id: row.try_get("user_id")?,
            product: row.try_get("product")?,
            quantity: row.try_get("quantity")?,
            unit_price: row.try_get("unit_price")?,
            status: match row.try_get("status")? {
                "PLACED" => Status::Placed,
                "CANCELLED" => Status::Cancelled,
                other => {
                    let source = format!("status is {other:?}; expected PLACED or CANCELLED").into();
                    return Err(sqlx::Error::ColumnDecode { index: "status".to_owned(), source });
                }
            },
            created_at: row.try_get("created_at")?,
        })
    }
}
