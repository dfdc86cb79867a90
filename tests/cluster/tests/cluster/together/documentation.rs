//! The documentation: what it shows is typed, from the first line of the README on.

use anyhow::{Context, Result, ensure};
use millrace_cluster_tests::{documentation::blocks, view::View};
use std::time::Duration;

#[test]
fn every_block_of_the_documentation_does_what_it_says() -> Result<()> {
    let blocks: Vec<_> = blocks()?.into_iter().filter(|block| block.tested_by.is_none()).collect();
    ensure!(blocks.iter().any(|block| block.language == "sh"), "the pages show nothing to type");
    for block in blocks {
        block.attempt().with_context(|| block.place.clone())?;
    }
    View::new("shop", "user-view").wait_ready(Duration::from_secs(180))
}
