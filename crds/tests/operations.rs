//! The operations page explains every reason that a condition can have.

use millrace_crds::Reason;

#[test]
fn every_reason_is_explained_to_operators() {
    let page = include_str!("../../docs/operations.md");
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .filter(|reason| !page.contains(&format!("`{reason}`")))
        .collect();
    assert!(missing.is_empty(), "docs/operations.md says nothing about {missing:?}");
}
