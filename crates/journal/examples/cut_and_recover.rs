//! Writes a journal, cuts it in the middle of a write as a power loss would, and opens it again.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::journal::Journal;
use mts_journal::{FILE_NAME, FileJournal};
use std::error::Error;
use std::path::Path;

/// What the payloads are: the writer's own table.
const NOTE: u16 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("mts-journal-example-{}", std::process::id()));
    let done = write_cut_recover(&folder);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn write_cut_recover(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut journal = FileJournal::create(folder)?;
    journal.append(NOTE, b"bought 10 AAPL")?;
    journal.append(NOTE, b"filled at 200.00")?;
    journal.commit()?;
    journal.append(NOTE, b"sold 10 AAPL")?;
    journal.commit()?;
    println!("{} records are durable", journal.durable());
    drop(journal);

    // The last group loses its end.
    let path = folder.join(FILE_NAME);
    let file = std::fs::OpenOptions::new().write(true).open(&path)?;
    file.set_len(file.metadata()?.len() - 20)?;
    drop(file);

    let journal = FileJournal::open(folder)?;
    println!("after the cut: {} bytes of an unfinished group removed", journal.recovered_bytes());
    journal.replay(&mut |record| {
        println!("  {}: {}", record.sequence, String::from_utf8_lossy(&record.payload));
        Ok(())
    })?;
    drop(journal);

    // A changed byte is damage, not a crash: refused, never repaired in silence.
    let mut bytes = std::fs::read(&path)?;
    if let Some(byte) = bytes.get_mut(80) {
        *byte ^= 1;
    }
    std::fs::write(&path, bytes)?;
    if let Err(error) = FileJournal::open(folder) {
        let said = error.to_string();
        println!(
            "a flipped bit: {}",
            said.split_once("damaged").map_or(said.as_str(), |(_, damage)| damage.trim())
        );
    }
    Ok(())
}
