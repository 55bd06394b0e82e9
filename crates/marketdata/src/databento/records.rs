//! From bytes to records, without I/O.

use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{Metadata, RecordRef, VersionUpgradePolicy};

/// Longest description at the head of a file or stream: that of all listed options has some tens of MiB.
const MAX_METADATA: u32 = 256 << 20;
const PRELUDE: usize = 8;

/// What bytes have become.
pub(super) enum Step {
    /// More bytes are needed.
    More,
    /// The description at the head.
    Metadata(Box<Metadata>),
    /// A record: [`Records::record`].
    Record,
}

/// Takes bytes in, in pieces of any length, and finds the records in them. Versions 1 and 2 of the encoding are read as 3.
pub(super) struct Records {
    machine: DbnFsm,
    is_checked: bool,
    is_described: bool,
}

impl Records {
    pub(super) fn new() -> Result<Self, String> {
        let machine = DbnFsm::builder().upgrade_policy(VersionUpgradePolicy::UpgradeToV3).build();
        let machine = machine.map_err(|error| error.to_string())?;
        Ok(Self { machine, is_checked: false, is_described: false })
    }

    /// Room for bytes; say how many with [`Records::fill`].
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.machine.space()
    }

    pub(super) fn fill(&mut self, count: usize) {
        self.machine.fill(count);
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.machine.write_all(bytes);
    }

    /// Whether the bytes so far end where a record does.
    pub(super) fn is_whole(&self) -> bool {
        self.is_described && self.machine.data().is_empty()
    }

    /// Bytes that are part of a record whose rest is missing.
    pub(super) fn rest(&self) -> usize {
        self.machine.data().len()
    }

    /// Goes on to the next record.
    pub(super) fn step(&mut self) -> Result<Step, String> {
        if !self.is_checked {
            let Some(prelude) = self.machine.data().get(..PRELUDE) else { return Ok(Step::More) };
            check(prelude)?;
            self.is_checked = true;
        }
        if self.is_described {
            aligned(self.machine.data())?;
        }
        match self.machine.process() {
            ProcessResult::ReadMore(_) => Ok(Step::More),
            ProcessResult::Metadata(metadata) => {
                self.is_described = true;
                Ok(Step::Metadata(Box::new(metadata)))
            }
            ProcessResult::Record(()) => Ok(Step::Record),
            ProcessResult::Err(error) => Err(error.to_string()),
        }
    }

    /// The record of the last step.
    pub(super) fn record(&self) -> Option<RecordRef<'_>> {
        self.machine.last_record()
    }
}

/// All records are multiples of eight bytes long. The decoder takes other lengths too, and reads the next record where it may
/// not stand.
fn aligned(bytes: &[u8]) -> Result<(), String> {
    match bytes.first() {
        Some(words) if words % 2 != 0 => Err(format!(
            "a record is {} bytes long, which is no multiple of 8; is it damaged?",
            usize::from(*words) * 4
        )),
        _ => Ok(()),
    }
}

/// The decoder makes room for as much as the first bytes announce.
fn check(prelude: &[u8]) -> Result<(), String> {
    let [b'D', b'B', b'N', _, a, b, c, d] = *prelude else {
        return Err("it is not in Databento's binary encoding; give .dbn or .dbn.zst (older .dbz files: \
                    convert them with Databento's tool dbn)"
            .to_owned());
    };
    let length = u32::from_le_bytes([a, b, c, d]);
    if length > MAX_METADATA {
        return Err(format!(
            "its description is {length} bytes long, {MAX_METADATA} are the most; is it damaged?"
        ));
    }
    Ok(())
}
