//! Every key of the configuration, once: the check for unknown keys, `mts config keys` and docs/configuration.md come
//! from this table.

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Section.
    pub section: &'static str,
    /// Name within the section.
    pub name: &'static str,
    /// What it takes.
    pub kind: &'static str,
    /// Value when absent; `required` where there is none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! keys {
    ($($section:literal { $($name:literal, $kind:literal, $default:literal, $doc:literal;)+ })+) => {
        /// All keys, by section, in the order of the documentation.
        pub const KEYS: &[Key] = &[$($(
            Key { section: $section, name: $name, kind: $kind, default: $default, doc: $doc },
        )+)+];
    };
}

keys! {
    "run" {
        "name", "text", "the file's name", "Name in reports.";
        "start", "date", "required", "First session that trades. Earlier data warms the strategy up.";
        "end", "date", "required", "Last session that trades; the run also ends where the data does.";
        "calendar", "market code", "\"XNYS\"", "Exchange calendar of the sessions.";
    }
    "fund" {
        "fund_id", "text", "required", "Id; part of every order id and key.";
        "name", "text", "the fund_id", "Name for people.";
        "base_currency", "currency", "\"USD\"", "Currency of the books; instruments must trade in it.";
        "initial_cash", "money", "required", "Cash at the start, above zero.";
        "active", "true/false", "true", "Whether the fund trades; reducing orders pass anyway.";
        "asset_classes", "list", "[]", "Asset classes it may hold; empty = any.";
        "strategies", "list", "[]", "Strategies that may trade for it; empty = any.";
        "tax_lot_method", "text", "\"fifo\"", "Which tax lots a closing trade consumes: `fifo` the oldest, `lifo` the newest, `hifo` the dearest, `loifo` the cheapest, `specid` those that `--picks` names.";
    }
    "envelope" {
        "max_gross_exposure_pct", "share, 0 to 5", "1.0", "Gross exposure, working orders at their worst case.";
        "max_net_exposure_pct", "share, -5 to 5", "1.0", "Net exposure, working orders at their worst case.";
        "max_position_pct", "share, above 0 to 1", "0.05", "One position.";
        "max_position_usd", "money", "off", "One position, in money.";
        "max_sector_pct", "share, above 0 to 1", "0.30", "One sector of the instrument table; 1.0 = off.";
        "max_asset_class_pct", "share, above 0 to 1", "1.0 (off)", "One asset class; 1.0 = off.";
        "max_country_pct", "share, above 0 to 1", "1.0 (off)", "One country of the instrument table; 1.0 = off.";
        "daily_loss_halt_pct", "share, above 0 to 1", "0.03", "Loss since the session began that halts the fund.";
        "loss_response", "\"halt_fund\" or \"kill_switch\"", "\"halt_fund\"", "What loss limits do: halt the fund when reached, or activate the kill switch when passed.";
        "allowed_actors", "list", "[] (any)", "Who may send orders: strategies act as strategy:ID.";
        "weekly_loss_halt_pct", "share, above 0 to 1", "0.08", "Loss since the week began that halts the fund.";
        "monthly_loss_halt_pct", "share, above 0 to 1", "0.15", "Loss since the month began that halts the fund.";
        "max_order_notional_usd", "money", "100000", "Value of one order.";
        "max_order_qty", "units", "off", "Units of one order.";
        "allowed_brokers", "list", "[] (none)", "Brokers the fund may use; an empty list allows none.";
        "allowed_order_types", "list", "[\"market\", \"limit\"]", "Order types the fund may use.";
        "allowed_asset_classes", "list", "[\"equities\"]", "Asset classes the fund may trade.";
        "enable_shorting", "true/false", "false", "Whether the fund may sell short.";
        "max_short_fee_bps", "basis points", "200", "Dearest borrow, a year.";
        "require_borrow_locate", "true/false", "false", "Whether a short sale needs a locate.";
        "enable_synthetic_stop", "true/false", "true", "Whether a position that loses too much is closed.";
        "synthetic_stop_pct", "share, above 0 to 1", "0.10", "Loss of a position, as a share of its entry, that closes it.";
        "cro_veto_enabled", "true/false", "false", "Whether the advisory veto is asked, where a program of one's own adds it: SafeBroker, or App::async_gate.";
        "cro_veto_confidence_threshold", "0 to 1", "0.85", "Confidence from which the veto counts.";
        "cro_veto_timeout_s", "seconds", "5.0", "How long the veto may take.";
        "version", "number", "1", "Version of the envelope.";
        "notes", "text", "\"\"", "Remarks.";
    }
    "gates" {
        "max_order_notional_pct", "share", "off", "Value of one order as a share of net asset value.";
        "max_order_value", "money", "off", "Value of one order.";
        "max_order_quantity", "units", "off", "Units of one order.";
        "max_position_quantity", "units", "off", "Units of one position.";
        "max_position_value", "money", "off", "Value of one position.";
        "max_total_exposure", "money", "off", "Gross exposure, in money.";
        "max_positions", "number", "off", "Number of positions.";
        "max_open_orders", "number", "off", "Open orders of the fund.";
        "price_collar_pct", "share", "off", "Distance of limit and stop prices from the reference.";
        "staleness", "{ bars = N } or { millis = N }", "off", "Age of the reference price; { bars = 1 } wants the last bar's.";
        "dedup_window_ms", "milliseconds", "off", "Identical content within this window is a duplicate.";
        "max_orders_per_minute", "number", "off", "Accepted orders in a sliding minute.";
        "strategy_rate", "{ per_minute, burst }", "off", "Token bucket per strategy.";
        "symbol_rate", "{ per_minute, burst }", "off", "Token bucket per symbol.";
        "fund_rate", "{ per_minute, burst }", "off", "Token bucket per fund.";
        "broker_rate", "{ per_minute, burst }", "off", "Token bucket per broker.";
        "max_repeated_executions", "number", "off", "Same strategy, side and symbol within the window below.";
        "repeated_execution_window_ms", "milliseconds", "off", "Window of the limit above; give both.";
        "buying_power", "true/false", "false", "Whether cash must cover working and new purchases.";
        "max_drawdown_pct", "share, above 0 to 1", "off", "Fall from the high-water mark that halts the fund.";
        "max_daily_loss", "money", "off", "Loss since the session began that halts the fund.";
        "allowed_assets", "list", "[] (any)", "Symbols that may be traded.";
        "blocked_assets", "list", "[]", "Symbols that may not; beats allowed_assets.";
    }
    "operator" {
        "operators", "list", "[]", "Names that may resume after a halt.";
        "single_operator", "true/false", "false", "One operator suffices for funds and the firm, after a delay.";
        "single_operator_delay_s", "seconds", "300", "How long after a halt one operator alone may end it; two need not wait.";
        "resume", "\"never\" or \"next_session\"", "\"never\"", "Back-tests: next_session lifts a limit's halt in the session after it, once that open's orders have met it.";
    }
    "instruments" {
        "path", "file", "required", "CSV table of instruments, relative to this file.";
    }
    "data" {
        "kind", "text", "\"closes\"", "Feed; `closes` reads one row per session, one column per symbol; `ticks` reads quotes, prints and bars from JSON lines; `store` reads bars of a store (docs/store.md); `walk` makes prices up from its last closes, for drills in real time; `minutes` makes the minutes of its last day up, in shortened time; `databento` reads a recording, in a program built with that feature; `crypto` follows the instruments of the table at a crypto exchange, `okx_funding` the candles and funding rates of perpetual futures at OKX, `alpaca` and `polygon` the instruments at those vendors, `ibkr` their ticks at Interactive Brokers, all in real time (docs/feeds.md).";
        "path", "file", "required, but for `crypto`, `okx_funding`, `alpaca`, `polygon` and `ibkr`", "Data file, relative to this file.";
        "bars", "text", "off", "Length of the bars that are made of what the feed gives, such as `5m` or `1d`, by each instrument's calendar; strategies then hear these bars and nothing else. Partial ones are left out.";
        "bars_of", "\"trades\" or \"mids\"", "\"trades\"", "Which prices become such bars; smaller bars always do.";
        "params", "table", "{}", "Parameters of the feed; `crypto` has `exchange`, `timeframe`, `stream_trades`, `stream_ohlcv` and `silence_s`.";
    }
    "strategy" {
        "strategy_id", "text", "required", "Id; part of every order and key.";
        "kind", "text", "required", "`factor`, `targets`, `drill` (in and out of everything, to try an installation), `shift` (holds in turns, by the minute alone), or a strategy of one's own.";
        "factor", "text", "required for `factor`", "Which factor ranks the instruments.";
        "rebalance", "\"month_end\", \"week_end\" or \"daily\"", "\"month_end\"", "When `factor` decides: at the close of the last session of the period.";
        "path", "file", "required for `targets`", "File of target weights or orders, CSV or JSONL, relative to this file.";
        "params", "table", "{}", "Parameters of the factor, or of a strategy of one's own.";
    }
    "sizer" {
        "name", "text", "required for `factor`", "Which sizer turns the ranking into weights.";
        "cash_buffer", "share, 0 to below 1", "0", "Share of net asset value that purchases leave in cash.";
        "minimum_trade", "money", "0", "Orders of a rebalance that are worth less are left out, unless they close a position.";
        "turnover_cap", "above 0", "off", "`factor`: a rebalance changes weights by so much together, 2 = everything sold and something else bought; all changes shrink alike.";
        "params", "table", "{}", "Parameters of the sizer (docs/portfolio.md).";
    }
    "broker" {
        "name", "text", "required", "Registry key; see `mts brokers list`.";
        "fee_bps_per_side", "basis points", "5", "Cost of each side of a paper trade, where `fees` is absent.";
        "fees", "{ taker_bps, maker_bps } or { per_unit } or { tiers = [{ from, … }] }, with minimum, maximum, places", "off", "Fees of the paper broker: basis points (makers may have a rebate) or money per unit, by traded value of the month; bounds per order; {} = free.";
        "delay_ms", "milliseconds", "100", "Time until a paper order meets the market.";
        "cancel_delay_ms", "milliseconds", "0", "Time until a cancellation or change of a paper order takes effect.";
        "shorting", "\"allowed\", \"refused\" or { borrow = { SYMBOL = units } }", "\"allowed\"", "Short sales on paper; with borrow as far as the units go.";
        "participation", "share, above 0 to 1", "off", "Share of a bar's volume that paper orders may take together.";
        "gtc_max_days", "days", "off", "Age at which a good-till-cancelled paper order expires.";
        "symbols", "list", "all", "The instruments of the data that are traded there.";
        "control", "address", "off", "Control channel of a venue's double, which gets the run's prices before the engine does.";
        "params", "table", "{}", "Parameters of a broker of one's own.";
    }
    "live" {
        "mode", "\"replay\", \"paper\", \"shadow\" or \"live\"", "required", "Where orders go; without this section the run is a back-test. Replay goes by the time of the data, the others by the clock. Shadow never calls the broker.";
        "environment", "\"test\" or \"live\"", "\"test\"", "What is at stake; mode live wants \"live\" here and --live on the command line.";
        "call_deadline_ms", "milliseconds", "30000", "Longest wait for a broker's answer; after it the outcome is unknown and asked for.";
        "gate_deadline_ms", "milliseconds", "30000", "Longest wait for asynchronous gates to answer about an order; after it the order is refused.";
        "feed_silence_s", "seconds", "60", "Silence of the feed after which people are told.";
        "strategy_deadline_ms", "milliseconds", "5000", "Time a strategy may think before people are told.";
        "halt_on_error", "true/false", "false", "An error of a strategy ends the run.";
    }
    "metrics" {
        "port", "port", "off", "Port on 127.0.0.1 where a live run serves Prometheus text.";
    }
    "journal" {
        "retention", "\"all\", { segments = N } or { bytes = N }", "\"all\"", "What is kept of what lies before the older of the last two snapshots; what is removed cannot be listed or explained any more. Runs in real time only.";
        "segment_bytes", "bytes, from 16384", "67108864", "Length at which a segment of the journal is closed and the next begun.";
        "snapshot_every", "number", "100000", "Runs in real time: records between two snapshots, which shorten the next start; 0 keeps none.";
    }
    "output" {
        "dir", "folder", "runs/<file's name>", "Where the journal and the reports go, relative to the working folder; --out beats it.";
        "report", "true/false", "true", "Whether report.html is written.";
    }
    "alerts" {
        "info", "{ command = [program, arguments…] } or { webhook = secret }, with timeout_ms", "off", "Who is told of the end of a run.";
        "warning", "as info", "off", "Who is told of incidents.";
        "critical", "as info", "off", "Who is told of halts, of the kill switch and of a run that fails.";
        "queue", "number, 1 to 65536", "256", "Alerts that may wait; more are dropped and counted, trading never waits.";
        "repeat_ms", "milliseconds", "60000", "Alerts of the same kind and subject within this time are sent once; the next says how many were suppressed.";
    }
    "log" {
        "file", "file", "off", "Log file, relative to the working folder.";
        "level", "\"off\", \"error\", \"warn\", \"info\" or \"debug\"", "\"info\"", "What the file gets: this and all that is graver.";
        "format", "\"human\" or \"json\"", "\"human\"", "How its lines look; json is one object a line.";
        "max_bytes", "bytes, from 4096", "10485760", "Size at which the file is put aside as FILE.1, the one before as FILE.2, and so on.";
        "keep", "number, 0 to 1000", "5", "Files put aside that are kept.";
    }
}

/// The tables of docs/configuration.md.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            text.push_str(&format!(
                "\n### [{section}]\n\n| key | takes | when absent | what it does |\n|---|---|---|---|\n"
            ));
        }
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", key.name, key.kind, key.default, key.doc));
    }
    text
}
