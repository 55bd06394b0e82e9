//! Starting other programs: each is printed before it runs, timed, and a failure is a readable sentence.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::console;
use crate::error::{Error, Result};

/// Measures wall time. The only place of the tool that reads a clock.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a tool for people may time its steps")]
        Self(Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Which stream of a program is copied while it goes on to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// A program to run, in the workspace root unless [`Program::folder`] says otherwise.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    folder: PathBuf,
}

impl Program {
    /// `cargo` with these arguments, the same one that started the tool.
    pub(crate) fn cargo<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::named("cargo").args(arguments)
    }

    /// The program of this name, which is on PATH.
    pub(crate) fn named(name: &str) -> Self {
        let folder = crate::workspace::root();
        Self { name: name.to_owned(), arguments: Vec::new(), variables: Vec::new(), folder }
    }

    /// The program in this file.
    pub(crate) fn file(path: &Path) -> Self {
        Self::named(&path.display().to_string())
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs in this folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// The command line as a person would type it.
    pub(crate) fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let arguments = self.arguments.iter().map(|argument| quoted(argument));
        variables.chain([self.name.clone()]).chain(arguments).collect::<Vec<_>>().join(" ")
    }

    /// Prints the command line, runs it and fails unless it succeeds.
    pub(crate) fn run(&self) -> Result<()> {
        match self.run_for_code()? {
            0 => Ok(()),
            code => Err(self.failure(code)),
        }
    }

    /// Prints the command line, runs it and answers its exit code.
    pub(crate) fn run_for_code(&self) -> Result<u8> {
        self.echo();
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        Ok(exit_code(status))
    }

    /// Like [`Program::run_for_code`], and answers also what the program wrote to one of its streams.
    pub(crate) fn run_and_copy(&self, stream: Stream) -> Result<(u8, String)> {
        self.echo();
        let mut command = self.command();
        match stream {
            Stream::Stdout => command.stdout(Stdio::piped()),
            Stream::Stderr => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let mut copy = Vec::new();
        if let Some(mut pipe) = child.stdout.take() {
            copy = forward(&mut pipe, &mut std::io::stdout()).map_err(|error| self.interrupted(&error))?;
        }
        if let Some(mut pipe) = child.stderr.take() {
            copy = forward(&mut pipe, &mut std::io::stderr()).map_err(|error| self.interrupted(&error))?;
        }
        let status = child.wait().map_err(|error| self.interrupted(&error))?;
        Ok((exit_code(status), String::from_utf8_lossy(&copy).into_owned()))
    }

    /// Runs and answers standard output, which is not shown; fails unless the program succeeds.
    pub(crate) fn output(&self) -> Result<String> {
        match self.output_with_code()? {
            (0, text) => Ok(text),
            (code, _) => Err(self.failure(code)),
        }
    }

    /// Runs and answers exit code and standard output, which is not shown.
    pub(crate) fn output_with_code(&self) -> Result<(u8, String)> {
        self.echo();
        let output =
            self.command().stderr(Stdio::inherit()).output().map_err(|error| self.not_started(&error))?;
        Ok((exit_code(output.status), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Like [`Program::output`], for a program that is not ours: it is ended after a time, and after an amount of output.
    pub(crate) fn output_within(&self, limit: Duration, most: u64) -> Result<String> {
        self.echo();
        let watch = Stopwatch::start();
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = child.map_err(|error| self.not_started(&error))?;
        let pipe = child.stdout.take();
        // Whoever prints more finds the pipe closed.
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            pipe.map_or(Ok(0), |pipe| pipe.take(most).read_to_end(&mut all)).map(|_| all)
        });
        let status = loop {
            match child.try_wait().map_err(|error| self.interrupted(&error))? {
                Some(status) => break status,
                None if watch.seconds() > limit.as_secs_f64() => {
                    child.kill().and_then(|()| child.wait()).map_err(|error| self.interrupted(&error))?;
                    return Err(Error::failed(format!(
                        "`{}` was ended after {} s: run it by hand to see what it waits for",
                        self.line(),
                        limit.as_secs()
                    )));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let lost = || Error::failed(format!("lost the output of `{}`: run it again", self.line()));
        let all = reader.join().map_err(|_| lost())?.map_err(|error| self.interrupted(&error))?;
        match exit_code(status) {
            0 => Ok(String::from_utf8_lossy(&all).into_owned()),
            code => Err(self.failure(code)),
        }
    }

    /// Whether the program can be started and succeeds; it prints nothing. For `--version` questions.
    pub(crate) fn works(&self) -> bool {
        let status = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let name = match std::env::var_os("CARGO") {
            Some(cargo) if self.name == "cargo" => cargo,
            _ => self.name.clone().into(),
        };
        let mut command = Command::new(name);
        command.args(&self.arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        command
    }

    fn echo(&self) {
        console::err(format_args!("$ {}", self.line()));
    }

    fn failure(&self, code: u8) -> Error {
        Error::failed(format!("`{}` ended with code {code}: its own output above says why", self.line()))
    }

    fn not_started(&self, error: &std::io::Error) -> Error {
        Error::failed(format!(
            "`{}` could not be started ({error}): is it installed and on PATH?",
            self.line()
        ))
    }

    fn interrupted(&self, error: &std::io::Error) -> Error {
        Error::failed(format!("lost the output of `{}` ({error}): run it again", self.line()))
    }
}

/// Copies what arrives to `to` at once, and answers all of it.
fn forward(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<Vec<u8>> {
    let (mut all, mut chunk) = (Vec::new(), [0_u8; 8192]);
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(all),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = chunk.get(..read).unwrap_or_default();
        all.extend_from_slice(part);
        // A terminal that went away does not end the job.
        drop(to.write_all(part).and_then(|()| to.flush()));
    }
}

/// The exit code as a byte; a program that a signal ended has none and counts as 1.
fn exit_code(status: ExitStatus) -> u8 {
    if status.success() {
        return 0;
    }
    status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@,+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let program =
            Program::cargo(["doc", "--quiet"]).variable("RUSTDOCFLAGS", "-D warnings").args(["it's"]);
        assert_eq!(program.line(), r"RUSTDOCFLAGS='-D warnings' cargo doc --quiet 'it'\''s'");
    }

    #[test]
    fn forwarding_keeps_every_byte() {
        let text = "line\n".repeat(5000);
        let mut seen = Vec::new();
        let all = forward(&mut text.as_bytes(), &mut seen).unwrap();
        assert_eq!(all, text.as_bytes());
        assert_eq!(seen, text.as_bytes());
    }

    #[test]
    fn a_program_that_does_not_exist_is_a_readable_error() {
        let program = Program { name: "mts-no-such-program".to_owned(), ..Program::cargo(["x"]) };
        let error = program.run().unwrap_err().to_string();
        assert!(error.contains("`mts-no-such-program x` could not be started"), "{error}");
        assert!(!program.works());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_of_others_is_bounded_in_time_and_output() {
        let shell = |script: &str| Program::named("sh").args(["-c", script]);
        let within = |script, limit, most| shell(script).output_within(Duration::from_millis(limit), most);
        assert_eq!(within("echo 7", 60_000, 100).unwrap(), "7\n");
        let error = within("exec sleep 60", 100, 100).unwrap_err().to_string();
        assert!(error.contains("was ended after 0 s"), "{error}");
        let error = within("while echo more; do :; done", 60_000, 100).unwrap_err().to_string();
        assert!(error.contains("ended with code"), "{error}");
    }
}
