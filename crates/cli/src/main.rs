//! The `mts` program with nothing but its own parts.

fn main() -> std::process::ExitCode {
    mts_cli::App::new().run()
}
