//! One file of bars.

use super::columns::{self, Needs};
use super::error::StoreError;
use super::files;
use super::manifest::{Part, Series};
use mts_foundation::{Bar, Timestamp};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Bars of a row group: what a reader of a part holds in memory, some 8 MB.
const GROUP: usize = 1 << 15;

/// Writes a part; `rows` gives its bars in their order, twice: first it is looked at what the columns must hold. `None` when
/// there are no bars, and no file then.
pub(super) fn write<R>(
    folder: &Path,
    series: &Series,
    number: u64,
    mut rows: impl FnMut() -> R,
) -> Result<Option<Part>, StoreError>
where
    R: Iterator<Item = Result<Bar, StoreError>>,
{
    let (mut needs, mut count, mut range) = (Needs::default(), 0_u64, None::<(Timestamp, Timestamp)>);
    for bar in rows() {
        let bar = bar?;
        needs.take(&bar);
        count = count.saturating_add(1);
        range = Some((range.map_or(bar.timestamp, |(first, _)| first), bar.timestamp));
    }
    let Some((first, last)) = range else { return Ok(None) };
    let name = series.path(series.period(first), number);
    let path = folder.join(&name);
    if let Some(within) = path.parent() {
        files::make_folder(within)?;
    }
    let fault = |error: ParquetError| StoreError::Encoding { path: path.clone(), message: error.to_string() };
    let schema = parse_message_type(&needs.schema()?).map_err(fault)?;
    let properties = Arc::new(properties(series));
    let (sha256, bytes) = files::write_whole(&path, |file| {
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), properties).map_err(fault)?;
        let schema = writer.schema_descr().clone();
        let mut group: Vec<Bar> = Vec::with_capacity(GROUP.min(usize::try_from(count).unwrap_or(GROUP)));
        let mut rows = rows();
        loop {
            group.clear();
            for bar in rows.by_ref().take(GROUP) {
                group.push(bar?);
            }
            if group.is_empty() {
                break;
            }
            let target = writer.next_row_group().map_err(fault)?;
            columns::write(target, &schema, &group).map_err(fault)?;
        }
        writer.close().map_err(fault)?;
        Ok(())
    })?;
    Ok(Some(Part { path: name, series: series.clone(), rows: count, first, last, bytes, sha256 }))
}

fn properties(series: &Series) -> WriterProperties {
    let says = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("mts-marketdata ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![
            says("mts.source", series.source().to_owned()),
            says("mts.interval", series.interval().to_string()),
        ]));
    // Times increase by small steps: their differences are smaller than a dictionary of them.
    let time = ColumnPath::from("time");
    properties = properties.set_column_dictionary_enabled(time.clone(), false);
    properties.set_column_encoding(time, Encoding::DELTA_BINARY_PACKED).build()
}

/// Reads a part, a row group at a time.
pub(super) struct PartReader {
    part: Part,
    file: SerializedFileReader<File>,
    next: usize,
}

impl PartReader {
    /// Opens a part whose size and checksum are those of the manifest.
    pub(super) fn open(folder: &Path, part: &Part) -> Result<Self, StoreError> {
        let path = folder.join(&part.path);
        let damaged = |message: String| StoreError::damaged(&part.path, message);
        let (sha256, bytes) = files::hash(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => damaged("the file is missing".to_owned()),
            _ => StoreError::io(&path)(error),
        })?;
        if bytes != part.bytes {
            return Err(damaged(format!("it has {bytes} bytes instead of {}", part.bytes)));
        }
        if sha256 != part.sha256 {
            return Err(damaged(format!("its SHA-256 is {sha256}, the manifest says {}", part.sha256)));
        }
        let file = File::open(&path).map_err(StoreError::io(&path))?;
        let file = SerializedFileReader::new(file).map_err(|error| damaged(error.to_string()))?;
        Ok(Self { part: part.clone(), file, next: 0 })
    }

    /// The bars of the next row group; `None` at the end.
    pub(super) fn group(&mut self) -> Result<Option<Vec<Bar>>, StoreError> {
        if self.next >= self.file.num_row_groups() {
            return Ok(None);
        }
        let group = self.file.get_row_group(self.next);
        self.next += 1;
        let read = group.and_then(|group| columns::read(&*group, self.part.series.interval()));
        read.map(Some).map_err(|error| StoreError::damaged(&self.part.path, error))
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }
}
