//! Our own programs: built by one cargo invocation of the profile that the tests use, and staged with the libraries they load.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::checkout::Checkout;
use crate::invocation::Invocation;
use crate::packages;
use crate::stage::Stage;

/// A program, and the folder below images/ whose image runs it.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    pub name: &'static str,
    pub image: &'static str,
}

/// Every service and app of the shop.
pub const DEMO: Binary = Binary { name: "millrace-demo", image: "demo" };

pub const BINARIES: [Binary; 3] = [
    Binary { name: "millrace-operator", image: "operator" },
    Binary { name: "millrace-worker", image: "worker" },
    DEMO,
];

/// The program that people type; no image has it.
const COMMAND_LINE: &str = "millrace";

/// Where an image finds the libraries, whatever folders the build machine keeps them in.
const LIBRARIES: &str = "opt/millrace/lib";

/// Builds programs and returns their paths, in the order in which they were asked for.
pub fn build(checkout: &Checkout, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let mend = "the log has the compiler's words; a missing system library is named there too";
    Stage::run(checkout, "cargo build", mend, |stage| {
        packages::install(stage, &packages::missing(packages::FOR_THE_BUILD))?;
        let names = wanted.join(" ");
        stage.say(&format!("compiling {names} (minutes from an empty cache)"));
        let built = cargo::build(checkout, stage, "build", wanted.iter().flat_map(|name| ["--bin", *name]))?;
        let paths = wanted
            .iter()
            .map(|name| {
                let program = built.iter().find(|program| program.name == *name);
                program
                    .map(|program| program.path.clone())
                    .with_context(|| format!("cargo built no program called {name}"))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((paths, names))
    })
}

/// Builds `millrace` into `folder`, and returns where it is.
pub fn ensure_command_line(checkout: &Checkout, folder: &Path) -> Result<PathBuf> {
    let built = build(checkout, &[COMMAND_LINE])?;
    let program = built.first().context("one program was asked for")?;
    let (place, unfinished) = (folder.join(COMMAND_LINE), folder.join(format!(".{COMMAND_LINE}")));
    // By its name there is a whole program at any time; the one before may be running.
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(program, &unfinished))
        .and_then(|_| fs::rename(&unfinished, &place))
        .with_context(|| format!("cannot copy {} to {}", program.display(), place.display()))?;
    Ok(place)
}

/// Fills images/<image>/stage with the program, its loader and its libraries: the image needs nothing else of any
/// distribution, so the build machine's glibc may be newer than every image's.
pub fn stage(checkout: &Checkout, binary: Binary, program: &Path) -> Result<()> {
    let folder = checkout.path("images").join(binary.image).join("stage");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    copy(program, &folder.join("usr/local/bin").join(binary.name))?;
    let listing = Invocation::new("ldd").arg(program).output()?;
    let closure = Closure::parse(&listing).with_context(|| format!("`ldd {}`", program.display()))?;
    // The kernel looks for the loader where the program says, and nowhere else.
    copy(&closure.loader, &folder.join(closure.loader.strip_prefix("/").unwrap_or(&closure.loader)))?;
    for library in closure.libraries.iter().chain(&closure.name_services()) {
        let name = library.file_name().with_context(|| format!("{} has no file name", library.display()))?;
        copy(library, &folder.join(LIBRARIES).join(name))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Closure {
    loader: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Closure {
    /// Lines are `name => /path (address)`, `/loader (address)`, or something that the kernel brings itself.
    fn parse(listing: &str) -> Result<Self> {
        let mut loader = None;
        let mut libraries = Vec::new();
        for line in listing.lines().map(str::trim) {
            match line.split_once(" => ") {
                Some((name, "not found")) => bail!("{name} is not installed on this machine"),
                Some((_, found)) => libraries.extend(found.split_whitespace().next().map(PathBuf::from)),
                None if line.starts_with('/') => loader = line.split_whitespace().next().map(PathBuf::from),
                None => {}
            }
        }
        let loader = loader.context("no dynamic loader is listed: is the program statically linked?")?;
        Ok(Self { loader, libraries })
    }

    /// Before 2.34 glibc loads these by name when it resolves a host; no program lists them.
    fn name_services(&self) -> Vec<PathBuf> {
        let folder = self.libraries.iter().find(|path| path.ends_with("libc.so.6")).and_then(|path| path.parent());
        ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
            .iter()
            .filter_map(|name| Some(folder?.join(name)))
            .filter(|path| path.exists() && !self.libraries.contains(path))
            .collect()
    }
}

/// Readable and runnable by everybody, writable by nobody: the image runs as another user.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let describe = || format!("cannot copy {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(describe)?;
    }
    fs::copy(from, to).with_context(describe)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o555)).with_context(describe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_read_from_what_ldd_prints() {
        let closure = Closure::parse(
            "\tlinux-vdso.so.1 (0x00007ffd8)\n\
             \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f1)\n\
             \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x00007f3)\n",
        )
        .unwrap();
        assert_eq!(closure.loader, Path::new("/lib64/ld-linux-x86-64.so.2"));
        let folder = Path::new("/lib/x86_64-linux-gnu");
        assert_eq!(closure.libraries, [folder.join("libm.so.6"), folder.join("libc.so.6")]);
    }

    #[test]
    fn a_library_that_is_not_installed_is_named() {
        let error = Closure::parse("\tlibsasl2.so.2 => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x1)\n").unwrap_err();
        assert!(error.to_string().contains("libsasl2.so.2"), "{error}");
    }
}
