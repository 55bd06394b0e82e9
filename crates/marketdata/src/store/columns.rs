//! Between bars and Parquet columns.

use super::error::StoreError;
use bytes::Bytes;
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp};
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescriptor;
use std::io::Write;

/// The columns of decimals, in their order.
const DECIMALS: [&str; 6] = ["open", "high", "low", "close", "volume", "vwap"];
/// Where the first of them stands, behind `time` and `symbol`.
const FIRST_DECIMAL: usize = 2;
/// What the whole part of a [`Form::Fine`] stays below.
const FINE_LIMIT: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);

/// How the numbers of a column are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `DECIMAL(18, 8)` in an INT64: what nearly all prices and volumes are.
    Short,
    /// `DECIMAL(38, 18)` in 16 bytes.
    Long,
    /// `DECIMAL(38, 28)` in 16 bytes: quotients, such as average prices.
    Fine,
}

impl Form {
    fn places(self) -> u32 {
        match self {
            Self::Short => 8,
            Self::Long => 18,
            Self::Fine => 28,
        }
    }

    fn declared(self) -> &'static str {
        match self {
            Self::Short => "int64 {} (DECIMAL(18,8))",
            Self::Long => "fixed_len_byte_array(16) {} (DECIMAL(38,18))",
            Self::Fine => "fixed_len_byte_array(16) {} (DECIMAL(38,28))",
        }
    }

    fn of(column: &ColumnDescriptor) -> ParquetResult<Self> {
        match (column.physical_type(), column.type_scale()) {
            (Type::INT64, 8) => Ok(Self::Short),
            (Type::FIXED_LEN_BYTE_ARRAY, 18) => Ok(Self::Long),
            (Type::FIXED_LEN_BYTE_ARRAY, 28) => Ok(Self::Fine),
            (kind, scale) => Err(odd(format!("column {} is {kind} with {scale} places", column.name()))),
        }
    }
}

fn odd(message: String) -> ParquetError {
    ParquetError::General(message)
}

/// What the numbers of the columns of a part need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs([Need; DECIMALS.len()]);

#[derive(Debug, Clone, Copy, Default)]
struct Need {
    /// The one with most places.
    finest: Decimal,
    /// The one furthest from zero.
    largest: Decimal,
}

impl Needs {
    pub(super) fn take(&mut self, bar: &Bar) {
        for (need, value) in self.0.iter_mut().zip(decimals(bar)) {
            let value = value.unwrap_or_default();
            // Most have few places, and these cost nothing.
            let value = if value.scale() > Form::Short.places() { value.normalize() } else { value };
            if value.scale() > need.finest.scale() {
                need.finest = value;
            }
            if value.abs() > need.largest.abs() {
                need.largest = value;
            }
        }
    }

    fn forms(&self) -> Result<[Form; DECIMALS.len()], StoreError> {
        let mut forms = [Form::Short; DECIMALS.len()];
        for ((form, need), field) in forms.iter_mut().zip(&self.0).zip(DECIMALS) {
            let (places, small) = (need.finest.scale(), need.largest.abs() < FINE_LIMIT);
            *form = match places {
                ..=8 if small => Form::Short,
                ..=18 if exact(need.largest, Form::Long).is_some() => Form::Long,
                _ if small => Form::Fine,
                _ => return Err(StoreError::Digits { field, value: need.largest }),
            };
        }
        Ok(forms)
    }

    /// The schema of a part that holds such numbers.
    pub(super) fn schema(&self) -> Result<String, StoreError> {
        let mut text = "message bars {\n  required int64 time (TIMESTAMP(NANOS,true));\n  required binary symbol (STRING);\n"
            .to_owned();
        for (form, name) in self.forms()?.into_iter().zip(DECIMALS) {
            let repetition = if name == "vwap" { "optional" } else { "required" };
            text.push_str(&format!("  {repetition} {};\n", form.declared().replace("{}", name)));
        }
        text.push_str(
            "  optional int64 n_trades;\n  required boolean close_only;\n  required boolean partial;\n}\n",
        );
        Ok(text)
    }
}

fn decimals(bar: &Bar) -> [Option<Decimal>; DECIMALS.len()] {
    [Some(bar.open), Some(bar.high), Some(bar.low), Some(bar.close), Some(bar.volume), bar.vwap]
}

/// The whole number that stands for a value; `None` = it is not exact in this form.
fn exact(value: Decimal, form: Form) -> Option<i128> {
    let value = if value.scale() > form.places() { value.normalize() } else { value };
    let missing = form.places().checked_sub(value.scale())?;
    let whole = value.mantissa().checked_mul(10_i128.checked_pow(missing)?)?;
    let digits = if form == Form::Short { 18 } else { 38 };
    (whole.unsigned_abs() < 10_u128.checked_pow(digits)?).then_some(whole)
}

/// The value that a whole number stands for, without zeros at its end.
fn value(whole: i128, form: Form) -> ParquetResult<Decimal> {
    let mut places = form.places();
    let stripped = match i64::try_from(whole) {
        // Division of 64 bits is much faster than that of 128.
        Ok(mut whole) => {
            while places > 0 && whole % 10 == 0 {
                (whole, places) = (whole / 10, places - 1);
            }
            i128::from(whole)
        }
        Err(_) => {
            let mut whole = whole;
            while places > 0 && whole % 10 == 0 {
                (whole, places) = (whole / 10, places - 1);
            }
            whole
        }
    };
    Decimal::try_from_i128_with_scale(stripped, places).map_err(|error| odd(error.to_string()))
}

/// Writes bars as one row group, by the forms of the file's schema.
pub(super) fn write<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    schema: &parquet::schema::types::SchemaDescriptor,
    bars: &[Bar],
) -> ParquetResult<()> {
    let times: Vec<i64> = bars.iter().map(|bar| bar.timestamp.nanos()).collect();
    put::<Int64Type, _>(&mut group, &times, None)?;
    let symbols: Vec<ByteArray> = bars.iter().map(|bar| ByteArray::from(bar.symbol.as_str())).collect();
    put::<ByteArrayType, _>(&mut group, &symbols, None)?;
    for (place, name) in DECIMALS.into_iter().enumerate() {
        let form = Form::of(schema.column(FIRST_DECIMAL + place).as_ref())?;
        let values = bars.iter().map(|bar| decimals(bar).get(place).copied().flatten());
        let levels: Vec<i16> = values.clone().map(|value| i16::from(value.is_some())).collect();
        let levels = (name == "vwap").then_some(levels.as_slice());
        let lacking = || odd(format!("a number of {name} does not fit"));
        let wholes = values.flatten().map(|value| exact(value, form).ok_or_else(lacking));
        match form {
            Form::Short => {
                let wholes = wholes.map(|whole| i64::try_from(whole?).map_err(|_| lacking()));
                put::<Int64Type, _>(&mut group, &wholes.collect::<ParquetResult<Vec<_>>>()?, levels)?;
            }
            Form::Long | Form::Fine => {
                let mut bytes = Vec::with_capacity(bars.len().saturating_mul(16));
                for whole in wholes {
                    bytes.extend_from_slice(&whole?.to_be_bytes());
                }
                let bytes = Bytes::from(bytes);
                let cell =
                    |at: usize| FixedLenByteArray::from(ByteArray::from(bytes.slice(at * 16..at * 16 + 16)));
                let cells: Vec<_> = (0..bytes.len() / 16).map(cell).collect();
                put::<FixedLenByteArrayType, _>(&mut group, &cells, levels)?;
            }
        }
    }
    let counts = bars.iter().filter_map(|bar| bar.n_trades).map(i64::try_from);
    let counts: Vec<i64> = counts.collect::<Result<_, _>>().map_err(|error| odd(error.to_string()))?;
    let levels: Vec<i16> = bars.iter().map(|bar| i16::from(bar.n_trades.is_some())).collect();
    put::<Int64Type, _>(&mut group, &counts, Some(&levels))?;
    let flags: Vec<bool> = bars.iter().map(|bar| bar.close_only).collect();
    put::<BoolType, _>(&mut group, &flags, None)?;
    let flags: Vec<bool> = bars.iter().map(|bar| bar.partial).collect();
    put::<BoolType, _>(&mut group, &flags, None)?;
    group.close()?;
    Ok(())
}

fn put<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> ParquetResult<()> {
    let mut column = group.next_column()?.ok_or_else(|| odd("the schema has too few columns".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Reads a row group.
pub(super) fn read(group: &dyn RowGroupReader, interval: Interval) -> ParquetResult<Vec<Bar>> {
    let rows = usize::try_from(group.metadata().num_rows()).map_err(|error| odd(error.to_string()))?;
    let times = whole_numbers(group, 0, rows)?;
    let ColumnReader::ByteArrayColumnReader(column) = group.get_column_reader(1)? else {
        return Err(odd("column symbol is no text".to_owned()));
    };
    let (symbols, _) = get(column, rows, false)?;
    let mut bars = Vec::with_capacity(rows);
    for (time, symbol) in times.into_iter().zip(&symbols) {
        let symbol = Symbol::new(symbol.as_utf8()?).map_err(|error| odd(error.to_string()))?;
        let time = Timestamp::from_nanos(time.ok_or_else(|| odd("a time is missing".to_owned()))?);
        bars.push(Bar::close_only(symbol, interval, Decimal::ZERO, time));
    }
    for (place, name) in DECIMALS.into_iter().enumerate() {
        let values = decimal_column(group, FIRST_DECIMAL + place, rows)?;
        for (bar, value) in bars.iter_mut().zip(values) {
            let slot = match place {
                0 => &mut bar.open,
                1 => &mut bar.high,
                2 => &mut bar.low,
                3 => &mut bar.close,
                4 => &mut bar.volume,
                _ => {
                    bar.vwap = value;
                    continue;
                }
            };
            *slot = value.ok_or_else(|| odd(format!("a number of {name} is missing")))?;
        }
    }
    let behind = FIRST_DECIMAL + DECIMALS.len();
    for (bar, count) in bars.iter_mut().zip(whole_numbers(group, behind, rows)?) {
        bar.n_trades = count.map(u64::try_from).transpose().map_err(|error| odd(error.to_string()))?;
    }
    for (bar, flag) in bars.iter_mut().zip(flags(group, behind + 1, rows)?) {
        bar.close_only = flag;
    }
    for (bar, flag) in bars.iter_mut().zip(flags(group, behind + 2, rows)?) {
        bar.partial = flag;
    }
    Ok(bars)
}

fn decimal_column(group: &dyn RowGroupReader, at: usize, rows: usize) -> ParquetResult<Vec<Option<Decimal>>> {
    let description = group.metadata().schema_descr().column(at);
    let form = Form::of(&description)?;
    let optional = description.max_def_level() > 0;
    match group.get_column_reader(at)? {
        ColumnReader::Int64ColumnReader(column) => {
            let (values, levels) = get(column, rows, optional)?;
            spread(values, levels, |whole| value(i128::from(whole), form))
        }
        ColumnReader::FixedLenByteArrayColumnReader(column) => {
            let (values, levels) = get(column, rows, optional)?;
            spread(values, levels, |bytes: FixedLenByteArray| {
                let bytes: [u8; 16] = bytes.data().try_into().map_err(|_| odd("not 16 bytes".to_owned()))?;
                value(i128::from_be_bytes(bytes), form)
            })
        }
        _ => Err(odd(format!("column {} is no decimal", description.name()))),
    }
}

fn whole_numbers(group: &dyn RowGroupReader, at: usize, rows: usize) -> ParquetResult<Vec<Option<i64>>> {
    let optional = group.metadata().schema_descr().column(at).max_def_level() > 0;
    let ColumnReader::Int64ColumnReader(column) = group.get_column_reader(at)? else {
        return Err(odd(format!("column {at} is no INT64")));
    };
    let (values, levels) = get(column, rows, optional)?;
    spread(values, levels, Ok)
}

fn flags(group: &dyn RowGroupReader, at: usize, rows: usize) -> ParquetResult<Vec<bool>> {
    let ColumnReader::BoolColumnReader(column) = group.get_column_reader(at)? else {
        return Err(odd(format!("column {at} is no BOOLEAN")));
    };
    Ok(get(column, rows, false)?.0)
}

/// Values, and the levels that say which rows have one, where that is optional.
type Column<V> = (Vec<V>, Option<Vec<i16>>);

/// All values of a column chunk, and whether each row has one where that is optional.
fn get<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    rows: usize,
    optional: bool,
) -> ParquetResult<Column<T::T>> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
    let mut done = 0_usize;
    while done < rows {
        let levels = optional.then_some(&mut levels);
        let (count, ..) = column.read_records(rows - done, levels, None, &mut values)?;
        if count == 0 {
            return Err(odd(format!("{done} rows instead of {rows}")));
        }
        done += count;
    }
    Ok((values, optional.then_some(levels)))
}

fn spread<V, T>(
    values: Vec<V>,
    levels: Option<Vec<i16>>,
    read: impl Fn(V) -> ParquetResult<T>,
) -> ParquetResult<Vec<Option<T>>> {
    let mut values = values.into_iter();
    let Some(levels) = levels else { return values.map(|value| read(value).map(Some)).collect() };
    let one = |level: i16| if level == 0 { None } else { values.next() };
    levels.into_iter().map(one).map(|value| value.map(&read).transpose()).collect()
}
