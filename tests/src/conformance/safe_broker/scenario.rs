//! The shape of the file.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(super) struct Scenarios {
    pub(super) scenarios: Vec<Scenario>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scenario {
    pub(super) id: String,
    /// Limits that differ from the defaults.
    pub(super) config: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) broker: Option<BrokerStart>,
    #[serde(default)]
    pub(super) market: Option<BTreeMap<String, f64>>,
    /// Whether the price is refreshed before every order.
    #[serde(default)]
    pub(super) auto_market: Option<bool>,
    #[serde(default)]
    pub(super) state_file: Option<Value>,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct BrokerStart {
    #[serde(default)]
    pub(super) account_value: Option<f64>,
    #[serde(default)]
    pub(super) positions: Vec<Held>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Held {
    pub(super) asset: String,
    pub(super) quantity: f64,
    pub(super) entry_price: f64,
    pub(super) current_price: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Action {
    #[serde(flatten)]
    pub(super) op: Op,
    #[serde(default)]
    pub(super) known_bug: bool,
    pub(super) expect: Expect,
    pub(super) v0_1_3: Option<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Op {
    Submit(Submit),
    Advance { seconds: f64 },
    SetClock { utc: String },
    SetAccount { value: Option<f64> },
    SetPositions { positions: Vec<Held> },
    Mark { prices: BTreeMap<String, f64> },
    Market { prices: BTreeMap<String, f64> },
    BrokerMode { mode: String },
    AddPending(Pending),
    Close { asset: String },
    CloseAll,
    Cancel { order_id: String },
    Pending,
    EnableKill { reason: Option<String> },
    DisableKill,
    Restart,
    CorruptStateFile { content: String },
    Disconnect,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Submit {
    pub(super) asset: String,
    /// `"NaN"` stands for what it says.
    #[serde(deserialize_with = "number")]
    pub(super) quantity: f64,
    pub(super) side: Option<String>,
    pub(super) order_type: Option<String>,
    #[serde(default, deserialize_with = "maybe_number")]
    pub(super) limit_price: Option<f64>,
    #[serde(default, deserialize_with = "maybe_number")]
    pub(super) stop_price: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pending {
    pub(super) asset: String,
    pub(super) side: String,
    pub(super) quantity: f64,
    pub(super) order_id: String,
}

/// What an implementation did.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Expect {
    pub(super) result: Value,
    pub(super) rule: Option<String>,
    pub(super) state: Option<FileState>,
    #[serde(rename = "virtual")]
    pub(super) shadow: Option<Shadow>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct FileState {
    pub(super) orders_placed: u64,
    pub(super) kill_switch_activated: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Shadow {
    #[serde(deserialize_with = "number")]
    pub(super) cash: f64,
    pub(super) positions: BTreeMap<String, ShadowPosition>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShadowPosition {
    #[serde(deserialize_with = "number")]
    pub(super) quantity: f64,
}

/// A number, or the word for one that JSON has not.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(from)?;
    float(&value).ok_or_else(|| serde::de::Error::custom(format!("{value} is no number")))
}

fn maybe_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<Value>::deserialize(from)?.as_ref().and_then(float))
}
