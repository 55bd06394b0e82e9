//! Where the peers are, whether they are installed, and installing them: below `target/peers`, nowhere else.

use std::path::{Path, PathBuf};

use super::table::{Origin, Peer};
use crate::error::{Error, Result};
use crate::process::Program;
use crate::workspace;

/// The peers' scripts, beside the repository.
pub(crate) const SCRIPTS: &str = "../shared/bench";

/// Where everything of a peer is kept.
fn home(peer: &Peer) -> PathBuf {
    workspace::root().join("target/peers").join(peer.name)
}

/// The program to run for a peer, without the arguments of a run.
pub(crate) fn program(peer: &Peer, scripts: &Path) -> Program {
    match peer.from {
        Origin::Wheel { script, .. } => python(peer).args([scripts.join(script).to_string_lossy()]),
        Origin::Crate { folder } => Program::named(&built(peer, folder).to_string_lossy()),
    }
}

/// Whether a peer can be run.
pub(crate) fn is_installed(peer: &Peer) -> bool {
    match peer.from {
        Origin::Wheel { package, version, .. } => {
            let question = format!(
                "import importlib.metadata as m, sys; sys.exit(m.version('{package}') != '{version}')"
            );
            python(peer).args(["-c", &question]).works()
        }
        Origin::Crate { folder } => built(peer, folder).is_file(),
    }
}

/// How a person installs a peer.
pub(crate) fn advice(peer: &Peer) -> String {
    let home = format!("target/peers/{}", peer.name);
    let by_hand = match peer.from {
        Origin::Wheel { python, pip, .. } => {
            let mut lines = vec![format!("python{python} -m venv {home}")];
            lines.extend(pip.iter().map(|packages| {
                Program::named(&format!("{home}/bin/pip")).args(["install"]).args(*packages).line()
            }));
            lines.join(" && ")
        }
        Origin::Crate { folder } => format!(
            "copy {SCRIPTS}/{folder} to {home}/{folder} && {}",
            build(peer, folder).line().replace(&*workspace::root().join("").to_string_lossy(), "")
        ),
    };
    format!("cargo xtask bench peers --install {}, which does: {by_hand}", peer.name)
}

/// Installs a peer.
pub(crate) fn install(peer: &Peer, scripts: &Path) -> Result<()> {
    let home = home(peer);
    match peer.from {
        Origin::Wheel { python: version, pip, .. } => {
            interpreter(version)?.args(["-m", "venv"]).args([home.to_string_lossy()]).run()?;
            for packages in pip {
                python(peer).args(["-m", "pip", "install", "--quiet"]).args(*packages).run()?;
            }
            Ok(())
        }
        Origin::Crate { folder } => {
            // cargo writes a Cargo.lock beside the manifest, and the scripts' folder is not ours.
            copy(&scripts.join(folder), &home.join(folder))?;
            build(peer, folder).run()
        }
    }
}

fn python(peer: &Peer) -> Program {
    Program::named(&home(peer).join("bin/python").to_string_lossy())
}

fn built(peer: &Peer, folder: &str) -> PathBuf {
    home(peer).join("release").join(folder)
}

fn build(peer: &Peer, folder: &str) -> Program {
    let home = home(peer);
    let manifest = home.join(folder).join("Cargo.toml");
    Program::cargo(["build", "--release", "--manifest-path"])
        .args([manifest.to_string_lossy()])
        .args(["--target-dir"])
        .args([home.to_string_lossy()])
}

/// The Python of this version that is on PATH.
fn interpreter(version: &str) -> Result<Program> {
    let question = format!("import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')");
    let names = [format!("python{version}"), "python3".to_owned(), "python".to_owned()];
    let found = names.iter().find(|name| Program::named(name).args(["-c", &question]).works());
    found.map(|name| Program::named(name)).ok_or_else(|| {
        Error::failed(format!("python {version} is not on PATH: install it, or put its folder into PATH"))
    })
}

/// Copies what cargo needs of a package: manifest, lock file and sources.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::failed(format!("cannot copy {} to {}: {error}", from.display(), to.display()))
    };
    std::fs::create_dir_all(to).map_err(failed)?;
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "target" {
            copy(&path, &to.join(&name))?;
        } else if path.is_file() {
            let text = std::fs::read(&path).map_err(failed)?;
            std::fs::write(to.join(&name), text).map_err(failed)?;
        }
    }
    Ok(())
}
