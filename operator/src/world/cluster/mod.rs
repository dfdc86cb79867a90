//! The Kubernetes cluster: a view's children, its finalizer, its status; and questions about it.

mod children;
mod question;
mod resource;
mod secret;

pub use children::{apply_deployment, delete_deployment, failing, observe};
pub use question::{Namespaced, all_apps, asked_about, forget, write_answer};
pub use resource::{Exactly, is_another};
pub use secret::apply_login;

use crate::view::trouble::Trouble;
use millrace_crds::Reason;

/// Who owns the fields that this operator applies.
pub const FIELD_MANAGER: &str = "millrace-operator";

pub fn trouble(what: &str, error: &kube::Error) -> Trouble {
    Trouble::cluster(Reason::Unknown, format!("the API server did not {what}: {error}"))
}
