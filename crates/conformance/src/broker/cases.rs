//! The cases, by group.

use super::stage::Stage;
use super::stop::Step;
use super::{
    ambiguity, cancel, configuration, events, hygiene, idempotence, limits, numbers, queries, reconnect,
    submit,
};
use crate::Case;
use mts_foundation::broker::BoxFuture;
use mts_foundation::double::{CallFault, WrongAnswer};
use std::sync::LazyLock;

/// A letter of the ids, and what its cases are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The first letter of the ids.
    pub letter: char,
    /// What they ask about.
    pub about: &'static str,
}

const fn group(letter: char, about: &'static str) -> Group {
    Group { letter, about }
}

/// All groups, in the order of the report.
pub const GROUPS: &[Group] = &[
    group('C', "configuration and capabilities"),
    group('S', "submitting orders"),
    group('I', "idempotence"),
    group('X', "ambiguous outcomes and failed queries"),
    group('A', "cancelling and changing, and races with fills"),
    group('E', "events"),
    group('R', "reconnecting and restarting"),
    group('L', "limits, tokens and clocks"),
    group('N', "numbers and units"),
    group('H', "hygiene"),
];

type Run = for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Step>;

/// A case and how it is run.
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) run: Run,
}

const fn row(id: &'static str, requirement: &'static str, run: Run) -> Row {
    Row { case: Case { id, version: 1, requirement }, run }
}

/// One case with the outcomes that its fault allows.
macro_rules! after {
    ($stage:ident, $fault:expr, $may:ident) => {
        Box::pin(ambiguity::submit($stage, &[($fault, ambiguity::$may)]))
    };
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("C-01", "the name is its registry name and stays", |s| Box::pin(configuration::name(s))),
    row("C-02", "capabilities are complete and without contradictions", |s| Box::pin(configuration::capabilities(s))),
    row("C-03", "capabilities do not change", |s| Box::pin(configuration::steady(s))),
    row("C-04", "health follows connect and close", |s| Box::pin(configuration::health(s))),
    row("C-05", "wrong secrets fail as Auth and send no order", |s| Box::pin(configuration::wrong_secrets(s))),

    row("S-01", "every type with every time in force that is claimed arrives as ordered", |s| Box::pin(submit::claimed(s))),
    row("S-02", "every other is refused here and never sent", |s| Box::pin(submit::unclaimed(s))),
    row("S-03", "an acceptance has submitted_at, broker_order_id and the order itself", |s| Box::pin(submit::acknowledged(s))),
    row("S-04", "what is held can be sold", |s| Box::pin(submit::sides(s))),
    row("S-05", "short sales and covers arrive, if claimed", |s| Box::pin(submit::shorts(s))),
    row("S-06", "short sales are refused here, if not claimed", |s| Box::pin(submit::no_shorts(s))),
    row("S-07", "extended hours arrive, if claimed", |s| Box::pin(submit::extended(s))),
    row("S-08", "extended hours are refused here, if not claimed", |s| Box::pin(submit::not_extended(s))),
    row("S-09", "classes that are not claimed are refused here", |s| Box::pin(submit::other_classes(s))),
    row("S-10", "a refusal of the venue is one with a reason, an acceptance one", |s| Box::pin(submit::refused(s))),
    row("S-11", "a market order fills at the touch and is reported so", |s| Box::pin(submit::at_the_touch(s))),

    row("I-01", "a key handed over twice is one order", |s| Box::pin(idempotence::again(s))),
    row("I-02", "a used key with another order changes nothing", |s| Box::pin(idempotence::other_content(s))),
    row("I-03", "again after a lost answer is one order", |s| Box::pin(idempotence::after_timeout(s))),
    row("I-04", "again after a request that was not acted on is one order", |s| Box::pin(idempotence::after_nothing(s))),
    row("I-05", "again after a restart is one order", |s| Box::pin(idempotence::after_restart(s))),
    row("I-06", "six callers at once are one order", |s| Box::pin(idempotence::at_once(s))),
    row("I-07", "again after a call that was dropped is one order", |s| Box::pin(idempotence::given_up(s))),
    row("I-08", "client ids are a function of the key", |s| Box::pin(idempotence::client_ids(s))),
    row("I-09", "long keys and keys of all writings are told apart", |s| Box::pin(idempotence::hard_keys(s))),
    row("I-10", "an order is found by its key after a restart", |s| Box::pin(idempotence::found_after_restart(s))),

    row("X-01", "a request that was not read: not sent or unknown", |s| after!(s, CallFault::NotRead, NOT_LEFT)),
    row("X-02", "a lost answer: unknown or the truth", |s| after!(s, CallFault::AnswerLost, UNCLEAR)),
    row("X-03", "an answer cut in the midst: unknown or the truth", |s| after!(s, CallFault::AnswerCut, UNCLEAR)),
    row("X-04", "no answer although it acted: unknown or the truth", |s| after!(s, CallFault::Silent, UNCLEAR)),
    row("X-05", "no answer and it did not act: unknown", |s| after!(s, CallFault::Ignored, UNCLEAR)),
    row("X-06", "an answer after the deadline: unknown or the truth", |s| Box::pin(ambiguity::too_late(s))),
    row("X-07", "an answer within the deadline is taken", |s| Box::pin(ambiguity::slow(s))),
    row("X-08", "a venue that is down (5xx): unknown", |s| Box::pin(ambiguity::down(s))),
    row("X-09", "5xx although it acted: unknown or the truth", |s| Box::pin(ambiguity::down_after(s))),
    row("X-10", "an answer that cannot be read: unknown or the truth", |s| Box::pin(ambiguity::unreadable(s))),
    row("X-11", "an answer that cannot be right: unknown or the truth", |s| Box::pin(ambiguity::lying(s))),
    row("X-12", "an answer with a field more is taken", |s| after!(s, CallFault::Wrong(WrongAnswer::ExtraField), TAKEN)),
    row("X-13", "a refusal in words that nobody knows: rejected or unknown", |s| after!(s, CallFault::StrangeRefusal, REFUSED)),
    row("X-14", "in an outage orders are not sent or unknown, and lists are errors", |s| Box::pin(ambiguity::outage(s))),
    row("X-15", "after a failure the next order is taken as ever", |s| Box::pin(ambiguity::afterwards(s))),
    row("X-16", "what the venue does not know is None", |s| Box::pin(ambiguity::unknown_orders(s))),
    row("X-17", "a cancellation with a failure: unknown or the truth, and again works", |s| Box::pin(ambiguity::cancel(s))),
    row("X-20", "a query whose connection is cut is an error", |s| Box::pin(queries::unreachable(s))),
    row("X-21", "a query without an answer is an error", |s| Box::pin(queries::silent(s))),
    row("X-22", "a query to a venue that is down is an error", |s| Box::pin(queries::down(s))),
    row("X-23", "a query whose answer cannot be read is an error", |s| Box::pin(queries::unreadable(s))),
    row("X-24", "a query whose answer cannot be right is an error or the truth", |s| Box::pin(queries::lying(s))),
    row("X-25", "a query whose answer has a field more is answered", |s| Box::pin(queries::with_more(s))),
    row("X-26", "after a failed query the next one works", |s| Box::pin(queries::calm_again(s))),

    row("A-01", "confirmed means cancelled at the venue", |s| Box::pin(cancel::resting(s))),
    row("A-02", "cancelling twice is cancelling once", |s| Box::pin(cancel::twice(s))),
    row("A-03", "four cancellations at once are one", |s| Box::pin(cancel::at_once(s))),
    row("A-04", "an order that is filled: too late, filled", |s| Box::pin(cancel::filled(s))),
    row("A-05", "an order that the venue ended: too late, with its state", |s| Box::pin(cancel::ended(s))),
    row("A-06", "an order that the venue does not know: not found", |s| Box::pin(cancel::unknown(s))),
    row("A-07", "a fill that comes before the cancellation wins", |s| Box::pin(cancel::loses(s))),
    row("A-08", "of an order filled in part the rest is cancelled", |s| Box::pin(cancel::in_part(s))),
    row("A-09", "an order from before a restart can be cancelled", |s| Box::pin(cancel::after_restart(s))),
    row("A-10", "a change in place arrives, if claimed", |s| Box::pin(cancel::replaces(s))),
    row("A-11", "a change in place is not supported, if not claimed", |s| Box::pin(cancel::replaces_not(s))),
    row("A-12", "a change of an order that has ended is rejected", |s| Box::pin(cancel::replaces_too_late(s))),

    row("E-01", "a fill is told once, with all that belongs to it", |s| Box::pin(events::whole(s))),
    row("E-02", "ten partial fills are ten, and then the order is filled", |s| Box::pin(events::in_parts(s))),
    row("E-03", "a fill before the acknowledgement is told", |s| Box::pin(events::before_answer(s))),
    row("E-04", "a message that comes twice is one", |s| Box::pin(events::repeated(s))),
    row("E-05", "messages in another order are understood", |s| Box::pin(events::swapped(s))),
    row("E-06", "a message that is lost is noticed and made up for", |s| Box::pin(events::lost(s))),
    row("E-07", "a message of an unknown kind does no harm", |s| Box::pin(events::unknown_message(s))),
    row("E-08", "a message with an unknown name loses no fill", |s| Box::pin(events::unknown_name(s))),
    row("E-09", "a message that cannot be read loses no fill", |s| Box::pin(events::garbage(s))),
    row("E-10", "a correction is told", |s| Box::pin(events::corrected(s))),
    row("E-11", "an annulment is told", |s| Box::pin(events::busted(s))),
    row("E-12", "fees that come late are pending until they are known", |s| Box::pin(events::late_fees(s))),
    row("E-13", "what ends an order at the venue is told", |s| Box::pin(events::ends(s))),
    row("E-14", "a cancellation that was asked for is told", |s| Box::pin(events::cancelled(s))),
    row("E-15", "a stream from now on begins with the open orders", |s| Box::pin(events::open_first(s))),
    row("E-16", "cash that comes without a trade is told", |s| Box::pin(events::cash(s))),

    row("R-01", "fills while the stream is cut are told, and so is the cut", |s| Box::pin(reconnect::cut(s))),
    row("R-02", "nine cuts in a row lose nothing", |s| Box::pin(reconnect::storm(s))),
    row("R-03", "a replay has the ids of the stream", |s| Box::pin(reconnect::same_ids(s))),
    row("R-04", "a replay of more than a page is complete, or tells a gap", |s| Box::pin(reconnect::long_ago(s))),
    row("R-05", "from the last cursor on nothing is lost", |s| Box::pin(reconnect::from_the_last(s))),
    row("R-06", "a broker that is made anew goes on from the cursor", |s| Box::pin(reconnect::after_restart(s))),
    row("R-07", "a cursor that it never gave is not taken in silence", |s| Box::pin(reconnect::strange_cursor(s))),
    row("R-08", "fills in an outage are told after it", |s| Box::pin(reconnect::outage(s))),
    row("R-09", "a stream that falls silent is taken for lost", |s| Box::pin(reconnect::silent(s))),
    row("R-10", "a stream without news is not", |s| Box::pin(reconnect::calm(s))),
    row("R-11", "orders, positions and cash are the venue's", |s| Box::pin(reconnect::agreement(s))),
    row("R-12", "after close no stream is open", |s| Box::pin(reconnect::no_leaks(s))),
    row("R-13", "fills from before the first stream are told", |s| Box::pin(reconnect::before_the_first(s))),
    row("R-14", "so are those of orders that were recalled", |s| Box::pin(reconnect::recalled(s))),
    row("R-15", "a fill that the history shows after younger ones is told", |s| Box::pin(reconnect::listed_late(s))),
    row("R-16", "so is money that moves without a trade", |s| Box::pin(reconnect::cash_listed_late(s))),

    row("L-01", "an order that meets the limit is told truly, with a word why", |s| Box::pin(limits::orders(s))),
    row("L-02", "a query that meets the limit comes again as it was told to", |s| Box::pin(limits::queries(s))),
    row("L-03", "eight queries at once are answered", |s| Box::pin(limits::burst(s))),
    row("L-04", "a login that is not taken says nothing about an order", |s| Box::pin(limits::refused(s))),
    row("L-05", "tokens that run out are renewed while there is trading", |s| Box::pin(limits::tokens(s))),
    row("L-06", "a venue's clock that is off is told", |s| Box::pin(limits::clock(s))),

    row("N-01", "prices and quantities arrive to the last digit", |s| Box::pin(numbers::orders(s))),
    row("N-02", "a tenth and two tenths are three tenths", |s| Box::pin(numbers::tenths(s))),
    row("N-03", "prices of fills come back to the last digit", |s| Box::pin(numbers::fills(s))),
    row("N-04", "fees are in the account's currency and add up", |s| Box::pin(numbers::fees(s))),
    row("N-05", "every symbol goes there and comes back", |s| Box::pin(numbers::symbols(s))),

    row("H-01", "no secret is said in any case, in no form", |s| Box::pin(hygiene::secrets(s))),
    row("H-02", "connect and close may be called twice", |s| Box::pin(hygiene::twice(s))),
    row("H-03", "calls before connect and after close tell the truth", |s| Box::pin(hygiene::closed(s))),
    row("H-04", "calls that are dropped do no harm", |s| Box::pin(hygiene::dropped(s))),
    row("H-05", "the documented checks come in order and pass", |s| Box::pin(hygiene::diagnosis(s))),
    row("H-06", "in an outage they fail, and say what to do", |s| Box::pin(hygiene::diagnosis_of_an_outage(s))),
    row("H-07", "no answer makes it panic", |s| Box::pin(hygiene::panics(s))),
];

/// All cases, in order. Ids are stable: never renamed, never reused.
pub static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| ROWS.iter().map(|row| row.case).collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_ordered_and_of_a_group() {
        let ids: Vec<&str> = CASES.iter().map(|case| case.id).collect();
        let place = |id: &str| GROUPS.iter().position(|group| id.starts_with(group.letter)).unwrap();
        let keys: Vec<(usize, &str)> = ids.iter().map(|id| (place(id), *id)).collect();
        assert!(keys.is_sorted_by(|left, right| left < right), "{ids:?}");
        assert!(ids.contains(&super::super::runner::SECRETS));
    }
}
