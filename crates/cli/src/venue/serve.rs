//! From a configuration to a venue that listens.

use super::connection::converse;
use super::desk::{self, QUESTIONS};
use super::faults::Faults;
use super::log::Log;
use crate::app::App;
use crate::args::venue::ServeArgs;
use crate::commands::say;
use crate::config::load;
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::loopback_address;
use crate::setup::{parts, read_files};
use crate::signals::StopSignal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

/// Connections at one time.
const MAX_CONNECTIONS: usize = 512;

/// Serves until a signal comes: the exchange, the prices and the cash are those of the configuration.
pub(crate) fn serve(app: &App, args: &ServeArgs) -> Result<(), CliError> {
    let loaded = load(&args.config)?;
    let files = read_files(&loaded)?;
    let parts = parts(app, &loaded.config, &files, None)?;
    let address = match args.listen {
        Some(address) => address,
        None => loopback_address(&loaded.config.broker)?,
    };
    if !address.ip().is_loopback() {
        let message =
            format!("--listen is {address}; the venue is for this machine only, use 127.0.0.1:PORT");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let log = Log::open(args.log.as_deref())?;
    let faults = Arc::new(Faults {
        latency: Duration::from_millis(args.latency_ms),
        drop_acks: args.drop_acks,
        cut: args.cut,
        seed: args.seed,
    });
    let signal = StopSignal::install()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_exit(ExitKind::Internal)?.block_on(async {
        let listener = listen(address).await?;
        let address = listener.local_addr().or_exit(ExitKind::Output)?;
        let (questions, asked) = mpsc::channel(QUESTIONS);
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
            let mut number = 0;
            loop {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of descriptors, most likely: wait until some are free.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                number += 1;
                let (faults, questions) = (Arc::clone(&faults), questions.clone());
                tokio::spawn(async move {
                    // A connection that breaks is its client's affair.
                    converse(stream, number, faults, questions).await.ok();
                    drop(permit);
                });
            }
        });
        say(&format!("listening on {address}; Ctrl-C ends the venue, and it forgets everything then"));
        desk::run(&*parts.venue, parts.feed.feed, asked, log, &signal).await
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        let message = format!("{address} cannot be opened: {error}; choose another port with --listen");
        CliError::new(ExitKind::Output, message)
    })
}
