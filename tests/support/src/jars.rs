//! The jars of an image, such as those of `images/kafka`, fetched and checked once into the cache folder.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::server::run;

/// A class path of every jar of `images/<image>`. Safe to call from several processes at once: the first fetches, the rest
/// wait.
pub fn class_path(image: &str) -> Result<String, String> {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images").join(image);
    let home = std::env::var_os("HOME").ok_or("HOME is not set; expected the folder whose .cache holds the jars")?;
    let folder = PathBuf::from(home).join(format!(".cache/millrace/{image}-libs"));
    let explain = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(explain)?;
    let lock = File::create(folder.join("lock")).map_err(explain)?;
    lock.lock().map_err(explain)?;
    for file in ["pom.xml", "fetch.sh", "jars.sha256"] {
        let source = recipe.join(file);
        fs::copy(&source, folder.join(file)).map_err(|error| format!("{}: {error}", source.display()))?;
    }
    let mut fetch = Command::new("bash");
    fetch.arg(folder.join("fetch.sh"));
    run(fetch).map_err(|failure| format!("the jars of images/{image} cannot be fetched: {failure}"))?;
    Ok(format!("{}/*", folder.join("libs").display()))
}
