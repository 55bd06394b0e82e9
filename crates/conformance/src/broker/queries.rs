//! X, continued: a query that fails is an error, never an empty list.

use super::probe::Probe;
use super::stage::{Stage, UNITS};
use super::stop::{Step, Stop};
use mts_foundation::broker::OrderRef;
use mts_foundation::double::{Call, CallFault, WrongAnswer};
use mts_foundation::{BrokerOrderId, Decimal, Symbol};
use std::sync::Arc;

/// More failures than any layer repeats a read.
const MANY: u32 = 24;

/// What is asked, and the calls that it may be asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Query {
    Order,
    OpenOrders,
    Positions,
    Account,
}

const QUERIES: [(Query, &[Call]); 4] = [
    (Query::Order, &[Call::Order, Call::Orders]),
    (Query::OpenOrders, &[Call::Orders]),
    (Query::Positions, &[Call::Positions]),
    (Query::Account, &[Call::Account]),
];

/// What a query said of the state that [`set`] made: whether it is true.
enum Said {
    Truth,
    Other(String),
    Error,
}

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truth => out.write_str("what is true"),
            Self::Other(said) => out.write_str(said),
            Self::Error => out.write_str("that it failed"),
        }
    }
}

/// A venue with an order that rests and a position.
struct Scene {
    probe: Probe,
    resting: BrokerOrderId,
    symbol: Symbol,
}

async fn set(stage: &mut Stage) -> Step<Scene> {
    let probe = stage.connected().await?;
    let (bought, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, bought.quantity)?;
    let (_, resting) = stage.rest(&probe).await?;
    Ok(Scene { probe, resting: resting.broker_order_id, symbol: bought.symbol.clone() })
}

impl Scene {
    async fn ask(&self, stage: &Stage, query: Query) -> Step<Said> {
        let said = |truth: bool, text: String| if truth { Said::Truth } else { Said::Other(text) };
        Ok(match query {
            Query::Order => match self.probe.order(&OrderRef::Venue(self.resting.clone())).await? {
                Ok(report) => said(
                    report.as_ref().is_some_and(|report| {
                        report.broker_order_id == self.resting
                            && report.quantity == UNITS
                            && report.filled.is_zero()
                    }),
                    format!("{report:?}"),
                ),
                Err(_) => Said::Error,
            },
            Query::OpenOrders => match self.probe.open_orders().await? {
                Ok(open) => said(
                    matches!(open.as_slice(), [only] if only.broker_order_id == self.resting && only.quantity == UNITS),
                    format!("{open:?}"),
                ),
                Err(_) => Said::Error,
            },
            Query::Positions => match self.probe.positions().await? {
                Ok(held) => said(
                    matches!(held.as_slice(), [only] if only.symbol == self.symbol && only.quantity == UNITS),
                    format!("{held:?}"),
                ),
                Err(_) => Said::Error,
            },
            Query::Account => match self.probe.account().await? {
                Ok(account) => said(account.cash == stage.double.account().cash, format!("{account:?}")),
                Err(_) => Said::Error,
            },
        })
    }
}

/// What may be answered to a broken query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Error,
    /// The part that is wrong may be one that is not read.
    ErrorOrTruth,
    Truth,
}

async fn broken(stage: &mut Stage, faults: &[CallFault], wanted: Wanted) -> Step {
    let mut elsewhere = Vec::new();
    for fault in faults {
        for (query, calls) in QUERIES {
            stage.renew()?;
            let scene = set(stage).await?;
            let counted = |stage: &Stage| calls.iter().map(|call| stage.double.calls(*call)).sum::<u64>();
            let mut possible = false;
            for call in calls {
                possible |= stage.break_calls(*call, *fault, MANY);
            }
            if !possible {
                continue;
            }
            let before = counted(stage);
            let said = scene.ask(stage, query).await?;
            if counted(stage) == before {
                if !elsewhere.contains(&query) {
                    elsewhere.push(query);
                }
                continue;
            }
            let fits = match &said {
                Said::Error => wanted != Wanted::Truth,
                Said::Truth => wanted != Wanted::Error,
                Said::Other(_) => false,
            };
            let hint = if wanted == Wanted::Truth { "the answer is right" } else { "a failure is an error" };
            stage.check(fits, || format!("{query:?} after {fault:?}: {hint}, and it says {said}"));
        }
    }
    if stage.questions == 0 && !elsewhere.is_empty() {
        return Err(Stop::Skip("the broker makes no call for its queries".to_owned()));
    }
    stage.partly.extend(elsewhere.iter().map(|query| format!("{query:?} makes no call of its own")));
    Ok(())
}

pub(super) async fn unreachable(stage: &mut Stage) -> Step {
    broken(stage, &[CallFault::NotRead, CallFault::AnswerCut], Wanted::Error).await
}

pub(super) async fn silent(stage: &mut Stage) -> Step {
    broken(stage, &[CallFault::Silent], Wanted::Error).await
}

pub(super) async fn down(stage: &mut Stage) -> Step {
    broken(stage, &[CallFault::Down { status: 500 }, CallFault::Down { status: 503 }], Wanted::Error).await
}

pub(super) async fn unreadable(stage: &mut Stage) -> Step {
    let kinds = [WrongAnswer::Empty, WrongAnswer::Html, WrongAnswer::Truncated];
    broken(stage, &kinds.map(CallFault::Wrong), Wanted::Error).await
}

pub(super) async fn lying(stage: &mut Stage) -> Step {
    let kinds = [WrongAnswer::OtherType, WrongAnswer::HugeNumber, WrongAnswer::UnknownName];
    broken(stage, &kinds.map(CallFault::Wrong), Wanted::ErrorOrTruth).await
}

pub(super) async fn with_more(stage: &mut Stage) -> Step {
    broken(stage, &[CallFault::Wrong(WrongAnswer::ExtraField)], Wanted::Truth).await
}

/// One failure and then calm: the query works again.
pub(super) async fn calm_again(stage: &mut Stage) -> Step {
    for (query, calls) in QUERIES {
        stage.renew()?;
        let scene = set(stage).await?;
        let mut possible = false;
        for call in calls {
            possible |= stage.break_calls(*call, CallFault::Down { status: 503 }, 1);
        }
        if !possible {
            continue;
        }
        scene.ask(stage, query).await?;
        // The second call that a query may be asked by may still be broken.
        scene.ask(stage, query).await?;
        let said = scene.ask(stage, query).await?;
        stage.check(matches!(said, Said::Truth), || {
            format!("{query:?} after a failure that is over says {said}")
        });
    }
    Ok(())
}

/// The venue's account, orders and positions as they are.
pub(super) async fn agrees(stage: &mut Stage, probe: &Probe) -> Step {
    let double = Arc::clone(&stage.double);
    let (mut found, mut tries) = (Vec::new(), 0);
    // What a venue caches may lag for a moment.
    while tries < 20 {
        found = disagreements(probe, double.as_ref()).await?;
        if found.is_empty() {
            break;
        }
        tries += 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stage.questions += 3;
    stage.faults.extend(found);
    Ok(())
}

async fn disagreements(probe: &Probe, double: &dyn mts_foundation::double::VenueDouble) -> Step<Vec<String>> {
    let mut found = Vec::new();
    match probe.open_orders().await? {
        Ok(open) => {
            let mut told: Vec<(BrokerOrderId, Decimal, Decimal)> = open
                .into_iter()
                .map(|report| (report.broker_order_id, report.quantity, report.filled))
                .collect();
            let resting = double.orders().into_iter().filter(|order| !order.state.is_terminal());
            let mut there: Vec<_> = resting.map(|order| (order.id, order.quantity, order.filled)).collect();
            told.sort();
            there.sort();
            if told != there {
                found.push(format!("open orders are told as {told:?} and are {there:?}"));
            }
        }
        Err(error) => found.push(format!("open_orders failed: {error}")),
    }
    let account = double.account();
    match probe.positions().await? {
        Ok(held) => {
            let told: std::collections::BTreeMap<Symbol, Decimal> = held
                .into_iter()
                .filter(|held| !held.quantity.is_zero())
                .map(|held| (held.symbol, held.quantity))
                .collect();
            if told != account.positions {
                found.push(format!("positions are told as {told:?} and are {:?}", account.positions));
            }
        }
        Err(error) => found.push(format!("positions failed: {error}")),
    }
    match probe.account().await? {
        Ok(told) if told.cash == account.cash => {}
        Ok(told) => found.push(format!("cash is told as {} and is {}", told.cash, account.cash)),
        Err(error) => found.push(format!("account failed: {error}")),
    }
    Ok(found)
}
