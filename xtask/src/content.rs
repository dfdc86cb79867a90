//! The content of a folder as one hash: names, whether a file may be run, and bytes.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Hexadecimal, 64 digits.
pub fn hash_of_folder(folder: &Path) -> Result<String> {
    let mut files = files_below(folder)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
        let describe = || format!("cannot read {}", file.display());
        let mut opened = fs::File::open(&file).with_context(describe)?;
        let metadata = opened.metadata().with_context(describe)?;
        let may_be_run = metadata.permissions().mode() & 0o100 != 0;
        hash.update(format!("{} {name}\0{may_be_run} {}\0", name.len(), metadata.len()));
        io::copy(&mut opened, &mut hash).with_context(describe)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Of something that stands on another thing: it changes with either.
pub fn hash_of_both(own: &str, base: &str) -> String {
    Sha256::digest(format!("{own} on {base}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_changes_with_names_bytes_and_modes_and_with_nothing_else() {
        let folder = std::env::temp_dir().join(format!("xtask-content-{}", std::process::id()));
        let inner = folder.join("안");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("a"), "1").unwrap();
        let first = hash_of_folder(&folder).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(hash_of_folder(&folder).unwrap(), first);
        fs::write(inner.join("a"), "2").unwrap();
        let other_bytes = hash_of_folder(&folder).unwrap();
        fs::set_permissions(inner.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        let other_mode = hash_of_folder(&folder).unwrap();
        fs::rename(inner.join("a"), inner.join("b")).unwrap();
        let other_name = hash_of_folder(&folder).unwrap();
        let mut all = vec![first, other_bytes, other_mode, other_name];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        fs::remove_dir_all(folder).unwrap();
    }
}
