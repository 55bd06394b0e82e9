//! The peers: how each is installed, what is run of it, and what it does differently from ours.

use super::figures::{Format, Wanted, Work};

/// A program beside ours.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What it is called on the command line, and its folder below `target/peers`.
    pub(crate) name: &'static str,
    /// What it is called in the table, with its version.
    pub(crate) title: &'static str,
    pub(crate) from: Origin,
    pub(crate) format: Format,
    pub(crate) runs: &'static [Run],
    /// What must be known to read a ratio.
    pub(crate) differs: &'static str,
}

/// Where a peer comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A package of Python, measured by a script.
    Wheel {
        script: &'static str,
        /// The Python it needs, as `major.minor`.
        python: &'static str,
        package: &'static str,
        version: &'static str,
        /// Arguments of one `pip install` each.
        pip: &'static [&'static [&'static str]],
    },
    /// A package of Rust in a folder of the same name beside the scripts.
    Crate { folder: &'static str },
}

/// One run of a peer.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) arguments: &'static [&'static str],
    pub(crate) wanted: &'static [Wanted],
}

/// What ours does, for the same purpose.
pub(crate) const OURS: &str = "\
each event goes through feed, paper venue, conflation and strategy, over eight instruments; an order through key, all \
documented gates, paper broker, fill and books of a fund with 128 instruments; 64 orders in flight, so that one sync makes \
64 durable; exact decimals throughout";

/// Their whole list.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "ml4t-0.1.3",
        title: "ml4t-live 0.1.3",
        from: Origin::Wheel {
            script: "ml4t_bench.py",
            python: "3.12",
            package: "ml4t-live",
            version: "0.1.3",
            // Its own pins name versions that cannot always be had.
            pip: &[
                &["--no-deps", "ml4t-live==0.1.3"],
                &[
                    "aiohttp",
                    "alpaca-py",
                    "ccxt",
                    "certifi",
                    "httpx",
                    "ib-async",
                    "ml4t-backtest>=0.1.0,<0.2",
                    "ml4t-specs>=0.1.1,<0.2",
                ],
            ],
        },
        format: Format::Lines,
        runs: &[Run {
            arguments: &["2"],
            wanted: &[
                Wanted::new(Work::Quotes, 3_000, "live_engine_bars_trivial_strategy"),
                Wanted::new(Work::InMemory, 2_000, "safe_broker_shadow_submit_no_disk"),
                Wanted::new(Work::Durable, 300, "safe_broker_shadow_submit_with_state_file"),
                Wanted::new(Work::FeedBars, 20_000, "bar_aggregator_ticks"),
                Wanted::new(Work::Fills, 50_000, "virtual_portfolio_process_fill"),
                Wanted::new(Work::Values, 20_000, "virtual_portfolio_account_value_50pos"),
            ],
        }],
        differs: "its events are bars of one symbol, with no venue and no books behind; an order in shadow mode passes its \
                  limits and fills at once in a virtual portfolio; durable means a state file and a journal synced for each \
                  order, one order at a time; in memory means both switched off, and its list of the last minute emptied \
                  every 50 orders",
    },
    Peer {
        name: "ml4t-0.1.0a6",
        title: "ml4t-live 0.1.0a6",
        from: Origin::Wheel {
            script: "ml4t_bench.py",
            python: "3.11",
            package: "ml4t-live",
            version: "0.1.0a6",
            pip: &[&["ml4t-live==0.1.0a6"]],
        },
        format: Format::Lines,
        runs: &[Run {
            arguments: &["3"],
            wanted: &[
                Wanted::new(Work::Quotes, 3_000, "live_engine_bars_trivial_strategy"),
                Wanted::new(Work::InMemory, 10_000, "safe_broker_shadow_submit_no_disk"),
                Wanted {
                    unlike: Some("it writes a file and never syncs it"),
                    ..Wanted::new(Work::Durable, 2_000, "safe_broker_shadow_submit_with_state_file")
                },
                Wanted::new(Work::FeedBars, 50_000, "bar_aggregator_ticks"),
                Wanted::new(Work::Fills, 50_000, "virtual_portfolio_process_fill"),
                Wanted::new(Work::Values, 20_000, "virtual_portfolio_account_value_50pos"),
            ],
        }],
        differs: "as 0.1.3, but it has no journal, its state file is not synced, and fewer limits are asked",
    },
    Peer {
        name: "nautilus",
        title: "NautilusTrader 1.221.0",
        from: Origin::Wheel {
            script: "nautilus_bench.py",
            python: "3.11",
            package: "nautilus_trader",
            version: "1.221.0",
            pip: &[&["nautilus_trader==1.221.0"]],
        },
        format: Format::Cases,
        runs: &[Run {
            arguments: &["200000", "2"],
            wanted: &[
                Wanted::new(Work::Quotes, 200_000, "B1_quotes_noop"),
                Wanted::new(Work::Trades, 200_000, "B3_trades_noop"),
                Wanted::new(Work::InMemory, 2_000, "O1_orders_rt_2000"),
                Wanted::new(Work::InMemory, 10_000, "O1_orders_rt_10000"),
                Wanted::new(Work::TickBars, 200_000, "A4_direct_tick"),
                Wanted::new(Work::TimeBars, 200_000, "A4_direct_time"),
            ],
        }],
        differs: "a back-test of one instrument in Python on its compiled core, with simulated exchange, cache and portfolio; \
                  an order passes its risk engine with the rates set out of reach, one order for each quote; nothing is kept \
                  on disk",
    },
    Peer {
        name: "nautilus-rust",
        title: "NautilusTrader crates 0.57",
        from: Origin::Crate { folder: "bench_nautilus_rs" },
        format: Format::Words,
        runs: &[
            Run { arguments: &["noop", "200000"], wanted: &[Wanted::new(Work::Quotes, 200_000, "noop")] },
            Run { arguments: &["trades", "200000"], wanted: &[Wanted::new(Work::Trades, 200_000, "trades")] },
            Run { arguments: &["orders", "1000"], wanted: &[Wanted::new(Work::InMemory, 1_000, "orders")] },
            Run { arguments: &["orders", "10000"], wanted: &[Wanted::new(Work::InMemory, 10_000, "orders")] },
            Run {
                arguments: &["agg_direct_tick", "200000"],
                wanted: &[Wanted::new(Work::TickBars, 200_000, "agg_direct_tick")],
            },
        ],
        differs: "as the wheel, without Python; each figure is of a single run; 100,000 orders are not asked for, because \
                  their time grows with the square of their number",
    },
    Peer {
        name: "barter",
        title: "barter 0.14",
        from: Origin::Crate { folder: "bench_barter" },
        format: Format::Words,
        runs: &[
            Run {
                arguments: &["200000", "1000"],
                wanted: &[
                    Wanted::new(Work::Quotes, 200_000, "E1_sync_market"),
                    Wanted::new(Work::InMemory, 1_000, "O2_rt_pipelined_100"),
                ],
            },
            Run {
                arguments: &["200000", "10000"],
                wanted: &[Wanted::new(Work::InMemory, 10_000, "O2_rt_pipelined_100")],
            },
            Run {
                arguments: &["200000", "100000"],
                wanted: &[Wanted::new(Work::InMemory, 100_000, "O2_rt_pipelined_100")],
            },
        ],
        differs: "its events are half quotes and half trades of one instrument, into the engine alone: no exchange, no cache, \
                  no portfolio; orders are commands and not a strategy's, pass a risk manager that approves everything, 100 in \
                  flight to a mock exchange; nothing is kept on disk",
    },
];
