//! Snapshots: a core that took the place of another goes on as that one would have, and what is no snapshot of this core is
//! refused and changes nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod common;
mod desk;

use common::*;
use desk::Log;
use mts_engine::core::RestoreError;
use mts_engine::input::{Input, OperatorAct, VolumeUpdate};
use mts_engine::record::{INPUT_V1, encode};
use mts_engine::shell::driver::{Driver, DriverError};
use mts_engine::{Core, Output};
use mts_foundation::algorithm::{Algorithm, AlgorithmRequest, Pov, Twap};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::contingent::OrderGroup;
use mts_foundation::journal::Journal;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{ActorId, Decimal, IdempotencyKey, Order, Side, Symbol};
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::Ordering;

fn aapl() -> Symbol {
    Symbol::new("AAPL").unwrap()
}

/// What happens to a core in one minute; the number says what, and to which order.
fn happening(kind: u8, minute: i64, left: &[Order]) -> Input {
    let key = IdempotencyKey::new(format!("k{minute}")).unwrap();
    let place = usize::try_from(minute).unwrap() % left.len().max(1);
    let order = left.get(place).cloned();
    let parent = || {
        let market = OrderRequest::market(aapl(), Side::Buy, Decimal::from(40));
        OrderRequest { idempotency_key: Some(key.clone()), ..market }
    };
    let worked = |algorithm| Command::Algorithm(AlgorithmRequest::new(parent(), algorithm));
    match (kind % 10, order) {
        (0, _) => decide(minute, vec![buy(key.as_str(), 10)]),
        (1, _) => {
            let mut group = OrderGroup::bracket(parent(), Decimal::from(12), Decimal::from(9));
            group.idempotency_key = Some(key);
            decide(minute, vec![Command::Group(group)])
        }
        (2, _) => {
            let twap = Twap { horizon_minutes: 30, n_slices: 6, jitter_pct: 0.2, ..Twap::default() };
            decide(minute, vec![worked(Algorithm::Twap(twap))])
        }
        (3, _) => decide(minute, vec![worked(Algorithm::Pov(Pov::default()))]),
        (4, Some(order)) => Input::Submitted {
            order_id: order.order_id.clone(),
            outcome: SubmitOutcome::Unknown { cause: "timeout".into() },
            time: at(minute),
        },
        (5, Some(order)) => {
            let id = mts_foundation::BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
            let outcome = SubmitOutcome::Accepted(order.clone().accepted(at(minute), id));
            Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(minute) }
        }
        (6, Some(order)) => fill(&order, &format!("f{minute}"), 3, minute),
        (7, Some(order)) => decide(minute, vec![Command::Cancel(order.order_id.clone())]),
        (8, _) if minute % 17 == 0 => {
            let act = OperatorAct::Kill { reason: "drill".to_owned(), actor: ActorId::new("me").unwrap() };
            Input::Operator { act, time: at(minute) }
        }
        (8, _) => {
            let volumes = vec![VolumeUpdate { symbol: aapl(), units: Decimal::from(500) }];
            Input::Volumes { time: at(minute), volumes }
        }
        _ => Input::Timer { time: at(minute) },
    }
}

/// The inputs of a run, with what a core answers to them.
fn run(core: &mut Core, kinds: &[u8], mut between: impl FnMut(&mut Core, &Input, &Output)) {
    let mut left = Vec::new();
    let mut take = |core: &mut Core, input: Input| {
        let output = step(core, &input);
        left.extend(submitted(&output).into_iter().cloned());
        between(core, &input, &output);
    };
    take(core, Input::Started { time: at(0) });
    take(core, seen(&[], &[], 0));
    take(core, Input::Marks { time: at(0), marks: vec![mark(10)] });
    take(core, Input::SessionOpen { date: at(0).to_datetime().date_naive(), time: at(0) });
    for (minute, kind) in (1..).zip(kinds) {
        let input = happening(*kind, minute, &left);
        let output = step(core, &input);
        left.extend(submitted(&output).into_iter().cloned());
        between(core, &input, &output);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restored_core_goes_on_as_the_first_would_have(
        kinds in proptest::collection::vec(any::<u8>(), 1..80),
        cuts in any::<u64>(),
    ) {
        let mut other = core(true);
        let mut steps = 0_u32;
        run(&mut core(true), &kinds, |first, input, output| {
            let answer = step(&mut other, input);
            assert_eq!(answer.actions, output.actions);
            assert_eq!(answer.events, output.events);
            assert_eq!(other.state_hash(), first.state_hash());
            if cuts.rotate_right(steps) & 1 == 1 {
                let mut fresh = core(true);
                fresh.restore(&other.snapshot(), first.state().inputs()).unwrap();
                assert_eq!(fresh.state_hash(), other.state_hash());
                assert_eq!(fresh.risk().killed(), first.risk().killed());
                other = fresh;
            }
            steps += 1;
        });
    }
}

/// A run in which a little of everything is open at its end.
fn busy() -> Core {
    let mut core = core(true);
    let kinds = [0, 5, 6, 1, 5, 6, 2, 5, 5, 6, 4, 9, 3, 8, 8, 5, 7, 0, 4, 9, 1, 2, 5, 6, 6, 4, 9, 8];
    run(&mut core, &kinds, |_, _, _| {});
    assert!(core.state().orders().len() > 8);
    core
}

#[test]
fn what_is_no_snapshot_of_this_core_is_refused_and_changes_nothing() {
    let busy = busy();
    let (good, inputs) = (busy.snapshot(), busy.state().inputs());
    let mut fresh = core(true);
    let untouched = fresh.state_hash();
    let mut refused = |bytes: &[u8], inputs: u64| {
        let error = fresh.restore(bytes, inputs).unwrap_err();
        assert_eq!(fresh.state_hash(), untouched, "{error}");
        error
    };
    assert_eq!(refused(&good, inputs + 1), RestoreError::OtherPlace { found: inputs, wanted: inputs + 1 });
    for place in 0..good.len() {
        let mut flipped = good.clone();
        flipped[place] ^= 1 << (place % 8);
        refused(&flipped, inputs);
        refused(&good[..place], inputs);
    }
    refused(&[&good[..], &[0]].concat(), inputs);
    let mut newer = good.clone();
    newer[0] += 1;
    assert_eq!(refused(&newer, inputs), RestoreError::Version { found: newer[0] });
    let mut other = core_with(true, |config| config.key_memory += std::time::Duration::from_secs(1));
    assert_eq!(other.restore(&good, inputs), Err(RestoreError::OtherConfiguration));
    let mut other = core_with(true, |config| config.funds[0].initial_cash += Decimal::ONE);
    assert_eq!(other.restore(&good, inputs), Err(RestoreError::OtherConfiguration));
    fresh.restore(&good, inputs).unwrap();
    assert_eq!(fresh.state_hash(), busy.state_hash());
}

/// A snapshot of this program from the day its layout version began. If this fails after a change of the state, raise VERSION
/// in `core/snapshot.rs` and renew the file with MTS_UPDATE_GOLDEN=1: journals are then replayed once.
#[test]
fn the_layout_is_that_of_its_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/snapshot.bin");
    let busy = busy();
    if std::env::var_os("MTS_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, busy.snapshot()).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    let same = kept == busy.snapshot();
    assert!(same, "the snapshot of {} bytes is not the kept one of {}", busy.snapshot().len(), kept.len());
}

/// A journal of a busy run, its driver's core, and the records it has.
fn journalled(snapshots: u64) -> (Log, Core) {
    let log = Log::begun();
    let mut driver =
        Driver::recover(core(true), log.clone(), &mut |_, _| {}).unwrap().with_snapshots(snapshots);
    let mut inputs = Vec::new();
    let kinds: Vec<u8> = (0..60).map(|number: u8| number.wrapping_mul(37)).collect();
    run(&mut core(true), &kinds, |_, input, _| inputs.push(input.clone()));
    for input in &inputs {
        driver.take(input).unwrap();
        assert!(!driver.keep_snapshot().unwrap(), "not while something is not durable");
        driver.commit().unwrap();
        driver.keep_snapshot_if_due().unwrap();
    }
    (log, driver.into_parts().0)
}

fn recover(log: &Log) -> (Driver<Log>, u64) {
    let mut replayed = 0;
    let driver = Driver::recover(core(true), log.clone(), &mut |_, _| replayed += 1).unwrap();
    (driver, replayed)
}

#[test]
fn a_driver_begins_at_its_last_snapshot_and_replays_what_follows() {
    let (log, core) = journalled(10);
    let (from, _) = log.snapshot.lock().unwrap().clone().unwrap();
    let (again, replayed) = recover(&log);
    assert_eq!(again.core().state_hash(), core.state_hash());
    assert_eq!((again.beginning().from, from + replayed), (from, log.durable()));
    assert!(from > 10 && replayed > 0, "{from} {replayed}");
    // And with the records before it removed.
    log.removed.store(from, Ordering::SeqCst);
    assert_eq!(recover(&log).0.core().state_hash(), core.state_hash());
}

#[test]
fn a_snapshot_that_is_no_good_is_passed_over_with_the_reason() {
    let (log, core) = journalled(10);
    if let Some((_, bytes)) = &mut *log.snapshot.lock().unwrap() {
        *bytes.last_mut().unwrap() ^= 1;
    }
    let (again, replayed) = recover(&log);
    assert_eq!((again.core().state_hash(), replayed), (core.state_hash(), log.durable() - 1));
    let reason = again.beginning().passed_over.clone().unwrap();
    assert!(reason.contains("its checksum is wrong"), "{reason}");
    // Without the records before it nobody can go on, and is told why.
    log.removed.store(20, Ordering::SeqCst);
    let error = Driver::recover(crate::core(true), log.clone(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, DriverError::NoBeginning(_)), "{error}");
    assert!(error.to_string().contains("its checksum is wrong; go on with the mts version"), "{error}");
    *log.snapshot.lock().unwrap() = None;
    let error = Driver::recover(crate::core(true), log, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("there is none"), "{error}");
}

#[test]
fn snapshots_never_write_more_than_the_journal_and_none_is_kept_unless_wanted() {
    let (log, _) = journalled(0);
    assert!(log.snapshot.lock().unwrap().is_none());
    let (log, core) = journalled(1);
    let (from, state) = log.snapshot.lock().unwrap().clone().unwrap();
    let mut bytes = 0;
    for record in log.committed.lock().unwrap().iter().filter(|record| record.sequence >= from) {
        bytes += record.payload.len();
    }
    assert!(from < log.durable() && bytes < state.len(), "the next waits for {} bytes", state.len());
    let (mut again, _) = recover(&log);
    assert!(!again.keep_snapshot().unwrap(), "none is wanted");
    again = again.with_snapshots(1_000);
    assert!(!again.keep_snapshot_if_due().unwrap() && again.keep_snapshot().unwrap());
    assert!(!again.keep_snapshot().unwrap(), "nothing is new");
    assert_eq!(recover(&log).1, 0);
    let mut buffer = Vec::new();
    encode(&Input::Timer { time: core.state().now() }, &mut buffer).unwrap();
    let mut log = log;
    log.append(INPUT_V1, &buffer).unwrap();
    log.commit().unwrap();
    assert_eq!(recover(&log).1, 1);
}
