//! The documentation's blocks of code: what README.md and docs/ show, and how each is tried.

use crate::{
    database,
    shell::{apply_dry, project, run_with_input, type_in},
};
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf};

/// What stands between two lines of three backticks.
#[derive(Debug, Default)]
pub struct Block {
    /// `docs/operations.md:9`
    pub place: String,
    /// The first word after the backticks: `sh`, `sql`, `yaml`, or `text` for what nobody types.
    pub language: String,
    /// `file::test`: a block that would take the cluster away, and the test that does the same.
    pub tested_by: Option<String>,
    pub text: String,
}

/// Every block, in the order in which a person reads.
pub fn blocks() -> Result<Vec<Block>> {
    Ok(pages()?.iter().flat_map(|(name, text)| parse(name, text)).collect())
}

/// README.md, then the pages of docs/, each with its text.
fn pages() -> Result<Vec<(String, String)>> {
    let folder = PathBuf::from(project());
    let mut names = Vec::new();
    for page in fs::read_dir(folder.join("docs"))? {
        names.push(format!("docs/{}", page?.file_name().to_string_lossy()));
    }
    names.sort();
    names.insert(0, "README.md".to_owned());
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(folder.join(&name)).with_context(|| name.clone())?;
            Ok((name, text))
        })
        .collect()
}

fn parse(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let mut words = info.split_whitespace();
                open = Some(Block {
                    place: format!("{page}:{}", index + 1),
                    language: words.next().unwrap_or_default().to_owned(),
                    tested_by: words.find_map(|word| word.strip_prefix("tested-by=")).map(str::to_owned),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks.extend(open);
    blocks
}

impl Block {
    /// Does what the block says: types it, asks it, or lets the API server or the chart take it.
    pub fn attempt(&self) -> Result<()> {
        match self.language.as_str() {
            "text" => Ok(()),
            "sh" => type_in(&self.text).map(drop),
            "sql" => database::psql(&self.text).map(drop),
            "yaml" if self.text.contains("apiVersion:") => apply_dry(&self.text).map(drop),
            "yaml" => {
                run_with_input("helm", &["template", "millrace", "charts/millrace", "-f", "-"], &self.text).map(drop)
            }
            other => bail!("nobody knows how to try {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::run;

    #[test]
    fn blocks_are_found_with_what_stands_behind_their_backticks() {
        let found = parse("page.md", "# Title\n```sh tested-by=file::test\nls -l\npwd\n```\n\n```sql\nselect 1\n```\n");
        let found: Vec<_> = found
            .iter()
            .map(|block| {
                (block.place.as_str(), block.language.as_str(), block.tested_by.as_deref(), block.text.as_str())
            })
            .collect();
        assert_eq!(
            found,
            [("page.md:2", "sh", Some("file::test"), "ls -l\npwd\n"), ("page.md:7", "sql", None, "select 1\n")]
        );
    }

    #[test]
    fn every_block_says_what_it_is_and_none_is_made_by_indenting() {
        for block in blocks().expect("the pages can be read") {
            let known = ["sh", "sql", "yaml", "text"].contains(&block.language.as_str());
            assert!(known, "{}: write sh, sql, yaml or text behind the backticks", block.place);
        }
        for (name, text) in pages().expect("the pages can be read") {
            let outside = text.split("```").step_by(2).flat_map(str::lines);
            let indented: Vec<&str> = outside.filter(|line| line.starts_with("    ")).collect();
            assert!(indented.is_empty(), "{name}: nobody tries {indented:?}; put backticks around it");
        }
    }

    #[test]
    fn a_block_that_is_not_tried_names_a_test_that_is_there() {
        for block in blocks().expect("the pages can be read") {
            let Some(named) = &block.tested_by else { continue };
            let (file, test) = named.split_once("::").expect("tested-by is file::test");
            let found =
                run("git", &["grep", "--untracked", "-l", &format!("fn {test}()"), "--", &format!("*/{file}.rs")]);
            assert!(found.is_ok(), "{}: {named} is no test", block.place);
        }
    }
}
