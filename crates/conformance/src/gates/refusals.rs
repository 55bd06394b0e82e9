//! What a refusal must look like: its code and gate, its sentence, its numbers.

use mts_foundation::Order;
use mts_foundation::risk::{Gate, RejectCode, Rejection};

/// Longest sentence in characters.
pub(super) const LONGEST_MESSAGE: usize = 500;

/// Where a code may come from.
enum Origin {
    /// Any gate: data are missing or numbers leave their range.
    Any,
    /// This one.
    Of(Gate),
    /// The pipeline and the engine alone: people who read it look for a halt or a key that is not there.
    Reserved,
}

/// Exhaustive, so that a new code is thought about here.
fn origin(code: RejectCode) -> Origin {
    use Origin::{Any, Of, Reserved};
    use RejectCode as Code;
    match code {
        Code::KillSwitch
        | Code::StrategyHalted
        | Code::FundHalted
        | Code::FirmHalted
        | Code::IdempotencyConflict
        | Code::IdempotencyKeyReused
        | Code::SchemaInvalid
        | Code::UnknownOrderPending
        | Code::AccountNotReconciled
        | Code::PositionUnexplained
        | Code::GateUnanswered => Reserved,
        Code::UnknownInstrument
        | Code::NoReferencePrice
        | Code::StaleReferencePrice
        | Code::NavNotPositive
        | Code::ArithmeticRange => Any,
        Code::FundNotAuthorised
        | Code::StrategyNotAuthorised
        | Code::ActorNotAuthorised
        | Code::BrokerNotAllowed
        | Code::OrderTypeNotAllowed => Of(Gate::Authorised),
        Code::AssetClassNotAllowed | Code::AssetBlocked | Code::AssetNotAllowed => Of(Gate::Assets),
        Code::MarketClosed | Code::MarketOrderOutsideHours => Of(Gate::Session),
        Code::TickSize | Code::LotSize | Code::SideCrossesZero => Of(Gate::Instrument),
        Code::DuplicateContent => Of(Gate::DuplicateContent),
        Code::OrderRate => Of(Gate::OrderRate),
        Code::RepeatedExecution => Of(Gate::RepeatedExecution),
        Code::MaxOrderQuantity => Of(Gate::OrderQuantity),
        Code::MaxOrderNotional | Code::MaxOrderNotionalPct => Of(Gate::OrderNotional),
        Code::PriceCollar => Of(Gate::PriceCollar),
        Code::MaxOpenOrders => Of(Gate::OpenOrders),
        Code::SelfCross => Of(Gate::SelfCross),
        Code::MaxPositionQuantity | Code::MaxPositionUsd | Code::MaxPositionPct => Of(Gate::Position),
        Code::MaxGrossExposure | Code::MaxNetExposure | Code::MaxTotalExposure => Of(Gate::Exposure),
        Code::MaxSector | Code::MaxAssetClass | Code::MaxCountry => Of(Gate::Concentration),
        Code::MaxPositions => Of(Gate::PositionCount),
        Code::ShortingDisabled | Code::BorrowFeeUnknown | Code::BorrowFeeTooHigh | Code::NoLocate => {
            Of(Gate::ShortSide)
        }
        Code::BuyingPower => Of(Gate::BuyingPower),
        Code::NoLossBaseline | Code::DailyLoss | Code::WeeklyLoss | Code::MonthlyLoss | Code::Drawdown => {
            Of(Gate::Loss)
        }
        Code::Vetoed => Of(Gate::Veto),
    }
}

/// What is wrong with code and gate. Only a gate that asks somebody may veto.
pub(super) fn fault_of_code(rejection: &Rejection, asks: bool) -> Option<String> {
    let Rejection { gate, code, .. } = rejection;
    if *gate == Gate::Veto && !asks {
        return Some(format!("gate {gate} is for asynchronous gates; name the gate whose subject it is"));
    }
    match origin(*code) {
        Origin::Any => None,
        Origin::Of(its) if its == *gate => None,
        Origin::Of(its) => Some(format!("code {code} belongs to gate {its}, not to {gate}; name that one")),
        Origin::Reserved => {
            Some(format!("code {code} is the pipeline's own; choose one that says what is wrong"))
        }
    }
}

/// Words that stand before a secret.
const SECRETS: &[&str] = &["password", "passwd", "secret", "api_key", "api-key", "apikey", "token"];

/// Letters and digits in a row, with both among them, that are no word and no number any more.
const KEY_LENGTH: usize = 32;

/// What is wrong with the sentence.
pub(super) fn fault_of_message(message: &str, order: &Order) -> Option<String> {
    let text = message.trim();
    let shown = || message.chars().take(80).collect::<String>();
    let fault = if text.is_empty() {
        "is empty; say what is wrong and what to do"
    } else if text.len() != message.len() {
        "begins or ends with white space; trim it"
    } else if message.chars().any(char::is_control) {
        "holds a control character or a line break; write one line"
    } else if has_second_sentence(text) {
        "is more than one sentence; join them with a semicolon"
    } else if holds_secret(text, order) {
        "looks as if it held a secret; refusals are logged, published and shown"
    } else if without_names(text, order).chars().count() > LONGEST_MESSAGE {
        "is longer than 500 characters without the order's names; shorten it"
    } else {
        return None;
    };
    Some(format!("the message {:?} {fault}", shown()))
}

/// A full stop, a space and a capital letter.
fn has_second_sentence(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(". ") {
        if after.trim_start().starts_with(char::is_uppercase) {
            return true;
        }
        rest = after;
    }
    false
}

/// What the order itself says may be repeated, however long it is.
fn without_names(text: &str, order: &Order) -> String {
    let names = [
        order.symbol.as_str(),
        order.order_id.as_str(),
        order.idempotency_key.as_str(),
        order.fund_id.as_str(),
        order.strategy_id.as_str(),
        order.broker.as_str(),
        order.actor.as_str(),
    ];
    names.into_iter().fold(text.to_owned(), |text, name| text.replace(name, ""))
}

fn holds_secret(text: &str, order: &Order) -> bool {
    let text = without_names(text, order);
    let lower = text.to_lowercase();
    let named = SECRETS
        .iter()
        .any(|word| lower.split(word).skip(1).any(|after| after.trim_start().starts_with(['=', ':'])));
    let in_address = lower
        .split("://")
        .skip(1)
        .any(|after| after.split(['/', ' ']).next().is_some_and(|host| host.contains('@')));
    let key_like = |word: &str| {
        word.len() >= KEY_LENGTH
            && word.contains(|letter: char| letter.is_ascii_digit())
            && word.contains(|letter: char| letter.is_ascii_alphabetic())
    };
    let keys = text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(key_like);
    named || in_address || lower.contains("bearer ") || keys
}

/// What is wrong with limit and observed value.
pub(super) fn fault_of_numbers(rejection: &Rejection) -> Option<String> {
    let Rejection { code, limit, observed, .. } = rejection;
    match (limit, observed) {
        (Some(limit), Some(observed)) if code.as_str().starts_with("MAX_") && observed < limit => {
            Some(format!("{code} says at most {limit}, and {observed} is less; give what was compared"))
        }
        (Some(limit), None) if code.as_str().starts_with("MAX_") => {
            Some(format!("{code} has the limit {limit} and no observed value; give both or none"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::Question;
    use mts_foundation::{Decimal, Timestamp};

    fn rejection(gate: Gate, code: RejectCode) -> Rejection {
        Rejection { gate, code, limit: None, observed: None, message: "no".to_owned() }
    }

    #[test]
    fn every_gate_may_use_a_code_of_its_own() {
        for code in RejectCode::ALL {
            let fits =
                Gate::ALL.iter().filter(|gate| fault_of_code(&rejection(**gate, *code), true).is_none());
            let expected = match origin(*code) {
                Origin::Any => Gate::ALL.len(),
                Origin::Of(_) => 1,
                Origin::Reserved => 0,
            };
            assert_eq!(fits.count(), expected, "{code}");
        }
        assert!(fault_of_code(&rejection(Gate::Veto, RejectCode::Vetoed), false).is_some());
    }

    #[test]
    fn a_sentence_is_one_sentence_without_secrets() {
        let order = Question::ordinary(Timestamp::EPOCH).unwrap().order;
        for good in [
            "AAPL is worth 1.5 more than allowed; wait for the close",
            "no tokens are traded here",
            "conformance-1: 3 of 5 minutes have passed. wait",
            "see https://example.org/why",
        ] {
            assert_eq!(fault_of_message(good, &order), None, "{good}");
        }
        for (bad, fault) in [
            ("", "empty"),
            ("  ", "empty"),
            ("no ", "white space"),
            ("no\nno", "control"),
            ("no \u{7} bell", "control"),
            ("Not now. Wait.", "more than one"),
            ("refused by desk, password=hunter2", "secret"),
            ("refused, token: abc", "secret"),
            ("Bearer abc", "secret"),
            ("ask https://me:pass@example.org/", "secret"),
            ("key 0123456789abcdef0123456789abcdef is dead", "secret"),
        ] {
            let found = fault_of_message(bad, &order).unwrap_or_default();
            assert!(found.contains(fault), "{bad:?}: {found:?}");
        }
        assert!(fault_of_message(&"no ".repeat(200).replace("o n", "oon"), &order).is_some());
        assert!(fault_of_message(&"a b".repeat(200), &order).unwrap().contains("500"));
    }

    #[test]
    fn numbers_must_agree_with_the_code() {
        let with = |code, limit: Option<i64>, observed: Option<i64>| Rejection {
            limit: limit.map(Decimal::from),
            observed: observed.map(Decimal::from),
            ..rejection(Gate::OrderQuantity, code)
        };
        let code = RejectCode::MaxOrderQuantity;
        assert!(fault_of_numbers(&with(code, Some(10), Some(11))).is_none());
        assert!(fault_of_numbers(&with(code, Some(10), Some(9))).is_some());
        assert!(fault_of_numbers(&with(code, Some(10), None)).is_some());
        assert!(fault_of_numbers(&with(RejectCode::MarketClosed, Some(5), Some(3))).is_none());
    }
}
