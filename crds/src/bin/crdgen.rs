//! Writes the YAML of the resource definitions: `cargo run -p millrace-crds --bin crdgen`.

use std::fs;
use std::path::Path;

use millrace_crds::definition;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (definition, files) in definition::all() {
        let yaml = definition::yaml(&definition)?;
        for file in files {
            let path = top.join(file);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, &yaml)?;
        }
    }
    Ok(())
}
