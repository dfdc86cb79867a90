//! The shop's apps, each a consumer of `order-events` with tables and a group of its own.

pub mod analytics;
pub mod inventory;
pub mod notification;

pub use analytics::Analytics;
pub use inventory::Inventory;
pub use notification::Notification;
