//! What the tests of the real binary share: building it, running it, folders that vanish.

#![allow(unreachable_pub, dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The real `mts`: the one that `MTS_PROGRAM` names, else built with the profile of the tests and up to date.
pub fn mts() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("MTS_PROGRAM") {
            return PathBuf::from(named);
        }
        // …/target/<profile>/deps/<test>
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(root()).args(["build", "--quiet", "--package", "mts-cli", "--bin", "mts"]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "mts does not build");
        profile.join("mts")
    })
}

/// A finished command.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON object on stdout.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Runs `mts` in the root of the project.
pub fn run<const N: usize>(args: [&str; N]) -> Done {
    run_list(&args)
}

/// The same with arguments that were put together.
pub fn run_list(args: &[&str]) -> Done {
    Done::of(Command::new(mts()).current_dir(root()).args(args).stdin(Stdio::null()).output().unwrap())
}

/// Starts `mts` and leaves it running.
pub fn start<const N: usize>(args: [&str; N]) -> std::process::Child {
    Command::new(mts())
        .current_dir(root())
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A folder that vanishes with the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A copy of an example's configuration with changes, in a folder of its own; relative paths still find the data.
pub fn changed(example: &str, changes: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let mut config = std::fs::read_to_string(root().join("examples").join(example)).unwrap();
    for (from, to) in changes {
        assert!(config.contains(from), "{example} has no {from:?}");
        config = config.replace(from, to);
    }
    let data = root().join("examples/data");
    config = config.replace("\"data/", &format!("\"{}/", data.display()));
    let folder = folder();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, config).unwrap();
    (folder, path)
}
