//! Not yet.

use crate::data::Returns;
use crate::{Case, Found};
use serde_json::Value;

pub(crate) fn run(_section: &Value, _returns: &Returns) -> Vec<Case> {
    vec![Case { name: "black_litterman".to_owned(), found: Found::NotClaimed("not yet") }]
}

pub(crate) fn published(_file: &Value) -> Result<Vec<Case>, String> {
    Ok(vec![Case { name: "he_litterman".to_owned(), found: Found::NotClaimed("not yet") }])
}
