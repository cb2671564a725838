//! `run`: makes sure the daemon may run before the long build starts, builds dashboard and daemon, then becomes
//! the daemon so that signals and the terminal reach it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};

use crate::{
    exec::{Run, root, target_dir},
    privilege::{Access, DAEMON, Situation},
    setup,
};

/// What the dashboard is built from, inside `web/`.
const SOURCES: &[&str] = &[
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
];

pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let situation = Situation::now();
    let access = situation.decide(DAEMON);
    if let Access::Denied(missing) = &access {
        return Err(situation.explain("run", DAEMON, missing));
    }
    setup::setup(false)?;
    dashboard()?;
    Run::new("cargo")
        .args(["build", "--release", "--package", "tcpviewer"])
        .run()?;
    start(&access, args)
}

fn dashboard() -> Result<()> {
    let web = root().join("web");
    let sources = SOURCES.iter().map(|source| web.join(source));
    if is_current(&web.join("dist/index.html"), sources).context("compare web/dist with its sources")? {
        println!("run: web/dist is current");
        return Ok(());
    }
    Run::new("npm").args(["run", "build"]).dir("web").run()
}

fn start(access: &Access, args: &[OsString]) -> Result<()> {
    let daemon = target_dir().join("release/tcpviewer");
    let run = match access {
        Access::Sudo => Run::new("sudo").args(["-n".as_ref(), daemon.as_os_str()]),
        Access::SudoAsks => Run::new("sudo").args([daemon]),
        Access::Own | Access::Denied(_) => Run::new(daemon),
    };
    run.args(["run"]).args(args).exec()
}

/// Whether the product is at least as new as everything it is made from.
fn is_current(product: &Path, sources: impl Iterator<Item = PathBuf>) -> io::Result<bool> {
    let Ok(built) = product.metadata().and_then(|file| file.modified()) else {
        return Ok(false);
    };
    for source in sources {
        if newest(&source)?.is_some_and(|changed| changed > built) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When a file, or the youngest file of a folder, was changed; `None` for what does not exist. Folders count
/// too, because theirs is the only time that shows a removed file.
fn newest(path: &Path) -> io::Result<Option<SystemTime>> {
    let metadata = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let mut time = Some(metadata.modified()?);
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            time = time.max(newest(&entry?.path())?);
        }
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

    use super::*;

    /// A folder with `dist` changed at second 100 and the source at the given second.
    fn is_current_with_source_changed_at(name: &str, second: u64) -> bool {
        let folder = target_dir().join("xtask-tests").join(name);
        fs::create_dir_all(folder.join("src/deep")).unwrap();
        let touch = |file: &str, second| {
            let file = folder.join(file);
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            if !file.is_dir() {
                File::create(&file).unwrap();
            }
            File::open(&file).unwrap().set_modified(time).unwrap();
        };
        touch("dist", 100);
        touch("src/deep/app.ts", second);
        touch("src/deep", 50);
        touch("src", 50);
        let sources = [folder.join("src"), folder.join("not-there")];
        is_current(&folder.join("dist"), sources.into_iter()).unwrap()
    }

    #[test]
    fn a_product_newer_than_its_sources_is_kept() {
        assert!(is_current_with_source_changed_at("kept", 99));
    }

    #[test]
    fn one_younger_file_deep_in_a_folder_is_enough_to_build_again() {
        assert!(!is_current_with_source_changed_at("built-again", 101));
    }

    #[test]
    fn what_was_never_built_is_not_current() {
        assert!(!is_current(Path::new("/nowhere/dist"), [].into_iter()).unwrap());
    }
}
