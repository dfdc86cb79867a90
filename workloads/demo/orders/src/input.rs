//! What a client sends of an order, parsed once into values that the table accepts.

use millrace_demo_kit::input::{Invalid, Object};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderInput {
    pub user_id: i64,
    pub product: String,
    pub quantity: i64,
    pub unit_price: i64,
}

impl OrderInput {
    pub fn parse(body: &[u8]) -> Result<OrderInput, Invalid> {
        let fields = ["user_id", "product", "quantity", "unit_price"];
        let object = Object::parse(body, &fields, "a JSON object with user_id, product, quantity and unit_price")?;
        Ok(OrderInput {
            user_id: object.number("user_id", i64::MAX)?,
            product: object.text("product", 100)?,
            quantity: object.number("quantity", 10_000)?,
            unit_price: object.number("unit_price", 1_000_000_000)?,
        })
    }
}
