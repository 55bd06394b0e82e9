//! Indicators of one series, as TA-Lib gives them.

use crate::data::numbers;
use crate::{Case, Found};
use mts_foundation::UniversePanel;
use mts_quantkit::factors::technical::{self as ta, Prices};
use serde_json::Value;

pub(crate) fn case(name: &str, entry: &Value, file: &Value, panel: &UniversePanel) -> Case {
    match check(name, entry, file, panel) {
        Ok(true) => Case::new(name, Ok(())),
        Ok(false) => Case { name: name.to_owned(), found: Found::NotClaimed("no such indicator here") },
        Err(problem) => Case::new(name, Err(problem)),
    }
}

/// Whether it is one of ours; the error says where it differs.
fn check(name: &str, entry: &Value, file: &Value, panel: &UniversePanel) -> Result<bool, String> {
    let symbols = file.get("symbols").and_then(Value::as_array).ok_or("no symbols")?;
    for (a, symbol) in symbols.iter().filter_map(Value::as_str).enumerate() {
        let column = |column: Option<&ndarray::Array2<f64>>| column.map(|column| column.column(a).to_vec());
        let missing = "the panel lacks a column";
        let open = column(panel.open.as_ref()).ok_or(missing)?;
        let high = column(panel.high.as_ref()).ok_or(missing)?;
        let low = column(panel.low.as_ref()).ok_or(missing)?;
        let volume = column(panel.volume.as_ref()).ok_or(missing)?;
        let close = panel.close().column(a).to_vec();
        let prices = Prices { high: &high, low: &low, close: &close };
        let Some(found) = indicator(name, entry, &open, prices, &volume) else { return Ok(false) };
        let wanted = entry.get("values").and_then(|values| values.get(symbol)).and_then(Value::as_array);
        let wanted = wanted.ok_or("no values")?;
        if wanted.len() != found.len() {
            return Err(format!("{} series instead of {}", found.len(), wanted.len()));
        }
        for (found, wanted) in found.iter().zip(wanted) {
            let wanted = numbers(wanted).ok_or("no numbers")?;
            if found.len() != wanted.len() {
                return Err(format!("{symbol}: {} rows instead of {}", found.len(), wanted.len()));
            }
            for (t, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                let near = (found - wanted).abs() <= 1e-8 * wanted.abs().max(1.0);
                if found.is_nan() != wanted.is_nan() || !found.is_nan() && !near {
                    return Err(format!("{symbol}: row {t} is {found} instead of {wanted}"));
                }
            }
        }
    }
    Ok(true)
}

fn indicator(
    name: &str,
    entry: &Value,
    open: &[f64],
    prices: Prices<'_>,
    volume: &[f64],
) -> Option<Vec<Vec<f64>>> {
    let Prices { high, low, close } = prices;
    let number = |field: &str| entry.get("params")?.get(field)?.as_f64();
    let rows = |field: &str| usize::try_from(entry.get("params")?.get(field)?.as_u64()?).ok();
    let period = || rows("timeperiod");
    let one = |series: Vec<f64>| Some(vec![series]);
    match name {
        "SMA" => one(ta::sma(close, period()?)),
        "EMA" => one(ta::ema(close, period()?)),
        "WMA" => one(ta::wma(close, period()?)),
        "DEMA" => one(ta::dema(close, period()?)),
        "TEMA" => one(ta::tema(close, period()?)),
        "TRIMA" => one(ta::trima(close, period()?)),
        "KAMA" => one(ta::kama(close, period()?)),
        "T3" => one(ta::t3(close, period()?, number("vfactor")?)),
        "TRIX" => one(ta::trix(close, period()?)),
        "PPO" => one(ta::percentage_price(close, rows("fastperiod")?, rows("slowperiod")?)),
        "MACD" => {
            Some(ta::macd(close, rows("fastperiod")?, rows("slowperiod")?, rows("signalperiod")?).to_vec())
        }
        "BBANDS" => Some(ta::bollinger(close, period()?, number("nbdevup")?, number("nbdevdn")?).to_vec()),
        "STDDEV" => one(ta::standard_deviation(close, period()?)),
        "VAR" => one(ta::standard_deviation(close, period()?).into_iter().map(|root| root * root).collect()),
        "LINEARREG" => Some(ta::linear_regression(close, period()?, 0.0).into_iter().take(1).collect()),
        "TSF" => Some(ta::linear_regression(close, period()?, 1.0).into_iter().take(1).collect()),
        "LINEARREG_SLOPE" => Some(ta::linear_regression(close, period()?, 0.0).into_iter().skip(1).collect()),
        "CORREL" => one(ta::correlation(high, low, period()?)),
        "BETA" => one(ta::beta(high, low, period()?)),
        "MIDPRICE" => one(ta::median_price(high, low, period()?)),
        "RSI" => one(ta::rsi(close, period()?)),
        "CMO" => one(ta::cmo(close, period()?)),
        "ROC" => one(ta::rate_of_change(close, period()?)),
        "MOM" => one(ta::momentum(close, period()?)),
        "CCI" => one(ta::cci(prices, period()?)),
        "WILLR" => one(ta::williams(prices, period()?)),
        "STOCH" => {
            let (fast, k, d) = (rows("fastk_period")?, rows("slowk_period")?, rows("slowd_period")?);
            Some(ta::stochastic(prices, fast, k, d).to_vec())
        }
        "STOCHRSI" => {
            Some(ta::stochastic_rsi(close, period()?, rows("fastk_period")?, rows("fastd_period")?).to_vec())
        }
        "ULTOSC" => {
            let periods = [rows("timeperiod1")?, rows("timeperiod2")?, rows("timeperiod3")?];
            one(ta::ultimate(prices, periods))
        }
        "AROON" => Some(ta::aroon(high, low, period()?).to_vec()),
        "AROONOSC" => {
            let [down, up] = ta::aroon(high, low, period()?);
            one(up.iter().zip(&down).map(|(up, down)| up - down).collect())
        }
        "BOP" => one(ta::balance_of_power(open, prices)),
        "TRANGE" => one(ta::true_range(prices)),
        "ATR" => one(ta::atr(prices, period()?)),
        "NATR" => one(ta::natr(prices, period()?)),
        "ADX" => one(ta::adx(prices, period()?)),
        "PLUS_DI" => Some(ta::directional(prices, period()?).into_iter().take(1).collect()),
        "MINUS_DI" => Some(ta::directional(prices, period()?).into_iter().skip(1).collect()),
        "SAR" => one(ta::parabolic_sar(high, low, number("acceleration")?, number("maximum")?)),
        "MFI" => one(ta::money_flow(prices, volume, period()?)),
        "OBV" => one(ta::on_balance_volume(close, volume)),
        "AD" => one(ta::accumulation(prices, volume)),
        "ADOSC" => one(ta::accumulation_oscillator(prices, volume, rows("fastperiod")?, rows("slowperiod")?)),
        _ => None,
    }
}
