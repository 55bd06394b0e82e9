//! Concepts that may exist once (decisions F3, H4, N3, O4, O5, R1): a table of names, and the place that may define them.
//!
//! What matters twice drifts apart: two position books disagree about a flip, two Sharpe ratios about the divisor. The
//! check is over the names of definitions (functions, types, traits, constants, macros) without the tests. It cannot see
//! a copy under a new name; it does see the one that somebody writes because he did not know of the first.

use crate::lexer::{Token, lex, without_tests};
use crate::workspace::SourceFile;

/// A protected concept.
struct Concept {
    what: &'static str,
    /// The folder, or file, that may define it.
    owner: &'static str,
    /// Names in small letters with underscores; `*` stands for any text. A type's name is compared in the same form.
    names: &'static [&'static str],
    remedy: &'static str,
}

const FOUNDATION: &str = "crates/foundation/src/";
const QUANTKIT: &str = "crates/quantkit/src/";

#[rustfmt::skip]
const TABLE: &[Concept] = &[
    Concept { what: "position arithmetic (F3)", owner: FOUNDATION,
        names: &["position_book", "position_change", "holding", "apply_fill", "*realized_pnl", "*realised_pnl", "*realized_pl", "*weighted_average_price"],
        remedy: "use foundation's PositionBook" },
    Concept { what: "the ledger of cash, positions and exposure (F5)", owner: FOUNDATION,
        names: &["ledger", "fund_book", "symbol_exposure", "gross_exposure", "net_exposure"],
        remedy: "use foundation's Ledger and FundBook" },
    Concept { what: "tax lots", owner: FOUNDATION,
        names: &["tax_lot", "lot_book", "*tax_lot_method"],
        remedy: "use foundation's tax lots" },
    Concept { what: "the order state machine (O5)", owner: FOUNDATION,
        names: &["order_state", "order_record", "order_status", "illegal_transition", "can_become", "is_terminal"],
        remedy: "use foundation's OrderState and OrderRecord" },
    Concept { what: "orders and their validation (O1)", owner: FOUNDATION,
        names: &["order_builder", "order_faults", "validate_order"],
        remedy: "use foundation's OrderBuilder" },
    Concept { what: "idempotency keys (O4)", owner: FOUNDATION,
        names: &["idempotency_key", "*_idempotency_key", "idempotency_key_*", "key_for_*"],
        remedy: "use foundation's IdempotencyKey" },
    Concept { what: "average price of fills", owner: FOUNDATION,
        names: &["average_price", "average_fill_price", "avg_fill_price"],
        remedy: "use foundation's fill::average_price" },
    Concept { what: "the border between f64 and decimals (N5)", owner: FOUNDATION,
        names: &["quantise", "quantize", "floor_to_lot", "round_to_tick", "round_to_lot"],
        remedy: "use foundation's num" },
    Concept { what: "exchange calendars (H2)", owner: FOUNDATION,
        names: &["market_calendar", "trading_calendar", "is_trading_day", "next_session", "previous_session"],
        remedy: "use foundation's MarketCalendar" },
    Concept { what: "symbols (M4)", owner: FOUNDATION,
        names: &["symbol", "parse_symbol", "to_canonical", "from_canonical"],
        remedy: "use foundation's Symbol" },
    Concept { what: "the envelope and the gates' codes (R1)", owner: FOUNDATION,
        names: &["risk_envelope", "reject_code", "gate_limits"],
        remedy: "use foundation's risk module" },
    Concept { what: "the pipeline of gates (R3)", owner: "crates/riskengine/src/",
        names: &["risk_pipeline", "gate_pipeline", "loss_limit*", "daily_loss", "price_collar"],
        remedy: "use riskengine's RiskPipeline through foundation's RiskMachine" },
    Concept { what: "planning a rebalance (R5)", owner: "crates/portfolio/src/",
        names: &["weight_planner", "plan_rebalance", "rebalance_orders"],
        remedy: "use portfolio's WeightPlanner through foundation's TargetPlanner" },
    Concept { what: "sizers (N3)", owner: "crates/portfolio/src/",
        names: &["equal_weight*", "fixed_weight*", "kelly", "kelly_*", "half_kelly", "*vol_target*", "inverse_volatility*"],
        remedy: "use portfolio's sizers through foundation's Sizer" },
    Concept { what: "the matching of orders with a market", owner: "crates/matching/src/",
        names: &["exchange", "matching_engine", "fee_model", "match_event"],
        remedy: "use matching's Exchange" },
    Concept { what: "performance figures (N3)", owner: QUANTKIT,
        names: &["performance", "sharpe*", "sortino*", "calmar*", "drawdowns", "max_drawdown", "annual_return", "annualis*", "annualiz*", "value_at_risk", "expected_shortfall", "cvar"],
        remedy: "use quantkit's statistics" },
    Concept { what: "operators of factors (N3)", owner: QUANTKIT,
        names: &["zscore*", "z_score*", "ranks_descending", "winsor*", "neutralis*", "neutraliz*", "momentum*"],
        remedy: "use quantkit's cross_section and factors" },
    Concept { what: "allocators (N3)", owner: QUANTKIT,
        names: &["hrp", "hrp_*", "hierarchical_risk_parity*", "risk_parity*", "equal_risk_contribution*", "min_variance*", "max_sharpe*", "black_litterman*", "ledoit_wolf*", "mean_variance*"],
        remedy: "use quantkit's allocators through foundation's Allocator" },
    Concept { what: "greeks and option prices (N3)", owner: QUANTKIT,
        names: &["black_scholes*", "implied_vol*", "greeks", "bachelier*", "norm_cdf", "normal_cdf"],
        remedy: "use quantkit's greeks" },
    Concept { what: "bars from ticks and bars from bars", owner: "crates/marketdata/src/",
        names: &["bar_aggregat*", "bar_builder", "aggregate_bars", "resample*"],
        remedy: "use marketdata's aggregation" },
    Concept { what: "the journal's format (H6)", owner: "crates/journal/src/",
        names: &["file_journal", "memory_journal", "journal_reader"],
        remedy: "use journal through foundation's Journal" },
    Concept { what: "the core of the order path (H5)", owner: "crates/engine/src/",
        names: &["core_config", "state_hash"],
        remedy: "use engine's Core" },
];

/// Independent calculations on purpose: they check the owner and must not share its code (decision H4).
const INDEPENDENT: &[&str] = &["tests/", "crates/venues/", "crates/sim/"];

/// The sentence for every definition of a protected name outside of its owner.
pub(crate) fn violations(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let path = file.path.as_str();
        if INDEPENDENT.iter().any(|folder| path.starts_with(folder)) || !path.contains("/src/") {
            continue;
        }
        let tokens = without_tests(&lex(&file.text).tokens).tokens;
        for (name, line) in definitions(&tokens) {
            let plain = snake(name);
            let broken = TABLE.iter().filter(|concept| !path.starts_with(concept.owner));
            for concept in broken.filter(|concept| concept.names.iter().any(|pattern| fits(pattern, &plain)))
            {
                let Concept { what, owner, remedy, .. } = concept;
                found.push(format!(
                    "{path}:{line}: `{name}` defines a concept that exists once: {what} belongs to {owner}: \
                     {remedy}, or choose a name that says what is different here (table in xtask/src/concepts.rs)"
                ));
            }
        }
    }
    found
}

/// How many concepts are protected.
pub(crate) fn count() -> usize {
    TABLE.len()
}

/// Names that free items define, with their lines. Methods are left out: `fn average_price(&self)` reads a field of its
/// own type, and the type's name is protected already.
fn definitions(tokens: &[Token]) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    // For each open brace, whether it belongs to an impl or a trait.
    let mut open: Vec<bool> = Vec::new();
    let mut next_is_methods = false;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_sign('{') {
            open.push(std::mem::take(&mut next_is_methods));
        } else if token.is_sign('}') {
            open.pop();
        } else if token.is_sign(';') {
            next_is_methods = false;
        }
        let Some(word) = token.word() else { continue };
        let starts_item = at.checked_sub(1).and_then(|before| tokens.get(before)).is_none_or(|before| {
            matches!(before.word(), Some("pub" | "unsafe" | "const" | "async" | "default" | "extern"))
                || [';', '{', '}', ']', ')'].iter().any(|sign| before.is_sign(*sign))
        });
        if !starts_item {
            continue;
        }
        let in_methods = open.contains(&true);
        let name = tokens.get(at + 1).and_then(|next| next.word().map(|name| (name, next.line)));
        match word {
            "impl" => next_is_methods = true,
            "trait" => {
                found.extend(name);
                next_is_methods = true;
            }
            "struct" | "enum" | "union" | "type" | "static" if !in_methods => found.extend(name),
            "fn" | "const" if !in_methods => found.extend(name.filter(|(name, _)| *name != "fn")),
            "macro_rules" => {
                found.extend(tokens.get(at + 2).and_then(|next| next.word().map(|name| (name, next.line))));
            }
            _ => {}
        }
    }
    found
}

/// `PositionBook` and `POSITION_BOOK` as `position_book`.
fn snake(name: &str) -> String {
    let shouts = !name.contains(char::is_lowercase);
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_uppercase() && !shouts && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(character.to_lowercase());
    }
    out
}

/// Whether the pattern, with `*` at its start or end, fits the whole name.
fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        violations(&[SourceFile { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_second_sharpe_is_refused_with_its_owner() {
        let found = found(
            "crates/cli/src/report/figures.rs",
            "//! x\n\npub fn sharpe_ratio(returns: &[f64]) -> f64 { 0.0 }",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        let line = found.concat();
        assert!(line.starts_with("crates/cli/src/report/figures.rs:3: `sharpe_ratio`"), "{line}");
        assert!(
            line.contains("crates/quantkit/src/") && line.contains("use quantkit's statistics"),
            "{line}"
        );
    }

    #[test]
    fn every_concept_is_caught_elsewhere_and_allowed_at_home() {
        for concept in TABLE {
            for pattern in concept.names {
                let name = pattern.replace('*', "x");
                let text = format!("fn {name}() {{}}");
                assert!(!found("crates/cli/src/x.rs", &text).is_empty(), "{pattern}");
                let home = found(&format!("{}x.rs", concept.owner), &text);
                assert!(home.is_empty(), "{pattern} belongs to two: {home:?}");
            }
        }
    }

    #[test]
    fn every_kind_of_definition_counts() {
        for text in [
            "pub struct PositionBook { a: u8 }",
            "pub(crate) enum OrderState { A }",
            "trait Ledger { fn a(); }",
            "type Ledger = u8;",
            "const SHARPE: f64 = 0.0;",
            "pub const fn hrp() {}",
            "static KELLY: f64 = 0.0;",
            "macro_rules! quantise { () => {} }",
            "mod a { mod b { pub async fn black_scholes_price() {} } }",
            "#[must_use]\nfn zscore() {}",
            "fn a() { fn kelly_fraction() {} }",
        ] {
            assert_eq!(found("crates/brokers/src/x.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn uses_methods_tests_and_independent_calculations_are_free() {
        for text in [
            "use mts_foundation::PositionBook; fn a(book: &PositionBook) { book.sharpe(); }",
            "impl A { fn average_price(&self) {} } impl B for C { type Ledger = u8; fn is_terminal() {} }",
            "trait T { fn sharpe(&self); }",
            "#[cfg(test)] mod tests { fn sharpe() {} }",
            "// fn sharpe() {}\nfn a() { let s = \"fn sharpe() {}\"; }",
            "fn a(core: Core, f: fn(sharpe: u8)) {}",
        ] {
            assert_eq!(found("crates/brokers/src/x.rs", text), [""; 0], "{text}");
        }
        for path in [
            "tests/src/reference.rs",
            "crates/venues/src/x.rs",
            "crates/cli/tests/x.rs",
            "crates/cli/examples/x.rs",
        ] {
            assert_eq!(found(path, "struct PositionBook;"), [""; 0], "{path}");
        }
    }

    #[test]
    fn names_are_compared_in_one_form() {
        for (name, expected) in [
            ("PositionBook", "position_book"),
            ("SHARPE_RATIO", "sharpe_ratio"),
            ("HRP", "hrp"),
            ("kelly", "kelly"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }
}
