//! A log file that never takes more than its share of the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Appends to a file. When it is full it becomes `FILE.1`, which becomes `FILE.2`, and so on; the oldest is deleted.
/// A write that fails stops nobody: it is counted, and the first is told on the error stream.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
    keep: u32,
    failures: u64,
}

impl RotatingFile {
    /// Goes on with the file, or begins it; the folder is made where it is missing.
    ///
    /// # Errors
    /// The system's, when the file cannot be opened.
    pub(crate) fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let file = appended(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_path_buf(), file, bytes, max_bytes, keep, failures: 0 })
    }

    /// Name of an old file.
    fn old(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            renamed(&self.old(number), &self.old(number + 1))?;
        }
        match self.keep {
            0 => self.file.set_len(0)?,
            _ => renamed(&self.path, &self.old(1))?,
        }
        self.file = appended(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        // What would fill more than a whole file is cut, with its end of line kept.
        let room = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let (text, end) = match line.len() > room {
            true => (line.get(..room.saturating_sub(1)).unwrap_or_default(), &b"\n"[..]),
            false => (line, &b""[..]),
        };
        let bytes = (text.len() + end.len()) as u64;
        if self.bytes.saturating_add(bytes) > self.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(text)?;
        self.file.write_all(end)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Write for RotatingFile {
    /// Takes one whole line, always.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.put(line) {
            if self.failures == 0 {
                crate::commands::say_error(&format!(
                    "the log {} cannot be written: {error}; the run goes on without it",
                    self.path.display()
                ));
            }
            self.failures = self.failures.saturating_add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Renames what exists.
fn renamed(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_bounds_hold_and_the_newest_lines_stay(
            lengths in prop::collection::vec(1_usize..80, 1..120),
            max_bytes in 32_u64..200,
            keep in 0_u32..4,
            restart in 1_usize..40,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("deep/log");
            let mut log = RotatingFile::open(&path, max_bytes, keep).unwrap();
            for (number, length) in lengths.iter().enumerate() {
                if number % restart == 0 {
                    log = RotatingFile::open(&path, max_bytes, keep).unwrap();
                }
                let line = format!("{number:05}{}\n", "x".repeat(*length));
                log.write_all(line.as_bytes()).unwrap();
                let files: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap()).collect();
                prop_assert!(files.len() <= keep as usize + 1);
                for file in files {
                    prop_assert!(file.metadata().unwrap().len() <= max_bytes);
                }
                let newest = std::fs::read_to_string(&path).unwrap();
                let begin = format!("{number:05}");
                prop_assert!(newest.lines().last().unwrap().starts_with(&begin));
                prop_assert!(newest.ends_with('\n'));
            }
        }
    }

    #[test]
    fn files_move_up_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = RotatingFile::open(&path, 4, 2).unwrap();
        for line in ["aaa\n", "bbb\n", "ccc\n", "ddd\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("log"), read("log.1"), read("log.2")),
            ("ddd\n".into(), "ccc\n".into(), "bbb\n".into())
        );
        assert!(!folder.path().join("log.3").exists());
    }

    #[test]
    fn a_failure_is_counted_and_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = RotatingFile::open(&path, 4, 1).unwrap();
        log.write_all(b"aaa\n").unwrap();
        // A folder in the way of the old file.
        std::fs::create_dir_all(folder.path().join("log.1/in the way")).unwrap();
        log.write_all(b"bbb\n").unwrap();
        log.write_all(b"ccc\n").unwrap();
        assert_eq!(log.failures, 2);
    }
}
