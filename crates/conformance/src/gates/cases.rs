//! The cases, their order, and which of them a gate is fit to be asked.

use super::answer::{Answer, Subject, caught};
use super::purity::{self, Known};
use super::sets::Questions;
use super::{Question, Suite, SuiteError, cost, refusals};
use crate::{Case, CaseReport, Outcome, Report};
use mts_foundation::Timestamp;
use mts_foundation::risk::{Gate, Rejection, SessionPhase};

const fn case(id: &'static str, requirement: &'static str) -> Case {
    Case { id, version: 1, requirement }
}

const NAME: Case = case("GATE-01", "the name is stable, printable and nobody else's");
const STEADY: Case = case("GATE-02", "the same question gets the same answer, whenever it is asked");
const INSTANCES: Case = case("GATE-03", "two gates made alike agree");
const THREADS: Case = case("GATE-04", "several threads get the same answers at once");
const YEARS: Case = case("GATE-05", "the time comes from the context, not from a clock");
const IDS: Case = case("GATE-06", "the order's id and key change nothing");
const CODES: Case = case("GATE-07", "code and gate of a refusal belong together");
const MESSAGES: Case = case("GATE-08", "a refusal is explained in one sentence for people");
const NUMBERS: Case = case("GATE-09", "limit and observed value agree with the code");
const ANSWERS: Case = case("GATE-10", "it answers where data are missing");
const CLOSED: Case = case("GATE-11", "it refuses where data that it needs are missing");
const KINDS: Case = case("GATE-12", "it answers every kind of order in every phase");
const EXTREMES: Case = case("GATE-13", "it answers at the ends of the ranges");
const ALLOCATIONS: Case = case("GATE-14", "passing an order allocates nothing");
const GIVEN_UP: Case = case("GATE-15", "a question given up does no harm");

/// All cases. Ids are stable: never renamed, never reused.
pub const CASES: &[Case] = &[
    NAME,
    STEADY,
    INSTANCES,
    THREADS,
    YEARS,
    IDS,
    CODES,
    MESSAGES,
    NUMBERS,
    ANSWERS,
    CLOSED,
    KINDS,
    EXTREMES,
    ALLOCATIONS,
    GIVEN_UP,
];

/// Longest name of a gate in bytes.
const LONGEST_NAME: usize = 64;

/// Half past nine in New York on Monday, 5 January 2026.
const OPENED: Timestamp = Timestamp::from_millis(1_767_623_400_000);

/// The same in 1998 and 2082: multiples of 28 years away, in which weekdays and dates repeat. One is past and one is to
/// come, whatever the clock says meanwhile.
const OTHER_YEARS: [Timestamp; 2] =
    [Timestamp::from_millis(884_010_600_000), Timestamp::from_millis(3_534_849_000_000)];

const ASKS: &str = "it asks somebody, who may answer otherwise the next time";

pub(super) fn run(suite: &Suite<'_>) -> Result<Report, SuiteError> {
    let questions = Questions::new(OPENED, &suite.own)?;
    let asked = |set| known(suite, set);
    let (kinds, lacking, extremes) =
        (asked(&questions.kinds), asked(&questions.lacking), asked(&questions.extremes));
    // A panic is found by the cases that look for it; the others ask no such question again.
    let (some, all) = (calm(&[&kinds]), calm(&[&kinds, &lacking, &extremes]));

    let mut cases = vec![CaseReport::judged(NAME, 1, faults_of_name(suite))];
    cases.extend(purity(suite, &some, &all)?);
    cases.extend(refusals(suite, &all));
    cases.push(panics(ANSWERS, &lacking));
    cases.push(needs(suite, &lacking));
    cases.push(panics(KINDS, &kinds));
    cases.push(panics(EXTREMES, &extremes));
    let unsteady = first_failed(&cases, &PURE);
    cases.push(allocations(suite, &all, unsteady));
    cases.push(given_up(suite, &some));

    let figures = if suite.asks { Vec::new() } else { cost::figures(suite, &all) };
    let subject = caught(|| (suite.make)().name()).unwrap_or_default();
    Ok(Report { suite: "gates", version: env!("CARGO_PKG_VERSION"), subject, cases, figures })
}

/// The questions with the answer of a gate that was asked nothing else; one gate for all if it asks somebody, who then
/// need not know the phase of the session either.
fn known<'q>(suite: &Suite<'_>, questions: &'q [Question]) -> Vec<Known<'q>> {
    if suite.asks {
        let gate = (suite.make)();
        let regular = questions.iter().filter(|question| question.session == SessionPhase::Regular);
        return regular.map(|question| (question, gate.ask(question))).collect();
    }
    questions.iter().map(|question| (question, (suite.make)().ask(question))).collect()
}

fn calm<'q>(sets: &[&[Known<'q>]]) -> Vec<Known<'q>> {
    sets.iter().flat_map(|set| set.iter()).filter(|(_, answer)| !answer.panicked()).cloned().collect()
}

/// Each is tried if those before it hold: who answers at random is told so once.
const PURE: [Case; 5] = [STEADY, INSTANCES, THREADS, YEARS, IDS];

fn first_failed(cases: &[CaseReport], among: &[Case]) -> Option<&'static str> {
    let failed = cases.iter().find(|case| case.outcome == Outcome::Failed && among.contains(&case.case));
    failed.map(|case| case.case.id)
}

fn purity(suite: &Suite<'_>, some: &[Known<'_>], all: &[Known<'_>]) -> Result<Vec<CaseReport>, SuiteError> {
    let mut cases: Vec<CaseReport> = Vec::new();
    for case in PURE {
        if suite.asks {
            cases.push(CaseReport::skipped(case, ASKS));
            continue;
        }
        if let Some(failed) = first_failed(&cases, &PURE) {
            cases.push(CaseReport::skipped(case, format!("mend {failed} first")));
            continue;
        }
        let (questions, faults) = match case {
            STEADY => (all, purity::steady(suite, all)),
            INSTANCES => (all, purity::instances(suite, all)),
            THREADS => (all, purity::threads(suite, all)),
            YEARS if suite.knows_dates => {
                cases.push(CaseReport::skipped(case, "it declares a table of dates"));
                continue;
            }
            YEARS => (some, purity::years(suite, some, &OTHER_YEARS)?),
            _ => (some, purity::names(suite, some)?),
        };
        cases.push(CaseReport::judged(case, questions.len(), faults));
    }
    Ok(cases)
}

fn faults_of_name(suite: &Suite<'_>) -> Vec<String> {
    let name_of = |gate: &dyn Subject| caught(|| gate.name()).unwrap_or_default();
    let (one, two) = ((suite.make)(), (suite.make)());
    let name = name_of(&*one);
    let mut faults = Vec::new();
    let mut fault = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("the name {name:?} {what}"));
        }
    };
    fault(!name.trim().is_empty(), "is empty; give one");
    fault(name.trim().len() == name.len(), "begins or ends with white space; trim it");
    fault(!name.chars().any(char::is_control), "holds a control character; remove it");
    fault(name.len() <= LONGEST_NAME, "is longer than 64 bytes; shorten it");
    fault(name_of(&*one) == name, "changes when asked again; return a constant");
    fault(name_of(&*two) == name, "is not that of another instance; return a constant");
    fault(Gate::ALL.iter().all(|gate| gate.as_str() != name), "is that of a built-in gate; choose another");
    fault(!suite.beside.contains(&name), "is that of another gate of the program; choose another");
    faults
}

/// What is wrong with a refusal.
type Judge<'a> = dyn Fn(&Question, &Rejection) -> Option<String> + 'a;

fn refusals(suite: &Suite<'_>, all: &[Known<'_>]) -> Vec<CaseReport> {
    let refused: Vec<_> =
        all.iter().filter_map(|(question, answer)| Some((*question, answer.refusal()?))).collect();
    let judge: [(Case, &Judge<'_>); 3] = [
        (CODES, &|_, rejection| refusals::fault_of_code(rejection, suite.asks)),
        (MESSAGES, &|question, rejection| refusals::fault_of_message(&rejection.message, &question.order)),
        (NUMBERS, &|_, rejection| refusals::fault_of_numbers(rejection)),
    ];
    let tried = |(case, fault): (Case, &Judge<'_>)| {
        if refused.is_empty() {
            return CaseReport::skipped(
                case,
                "it refused no question; add one that it refuses with asking()",
            );
        }
        let faults = refused.iter().filter_map(|(question, rejection)| {
            Some(format!("{}: {}", question.name, fault(question, rejection)?))
        });
        CaseReport::judged(case, refused.len(), faults.collect())
    };
    judge.into_iter().map(tried).collect()
}

fn panics(case: Case, known: &[Known<'_>]) -> CaseReport {
    let panicked = known.iter().filter(|(_, answer)| answer.panicked());
    let faults = panicked.map(|(question, answer)| format!("{}: {answer}", question.name));
    CaseReport::judged(case, known.len(), faults.collect())
}

fn needs(suite: &Suite<'_>, lacking: &[Known<'_>]) -> CaseReport {
    if suite.needs.is_empty() {
        return CaseReport::skipped(
            CLOSED,
            "it declares no needs; what it cannot judge without belongs into needs()",
        );
    }
    let asked: Vec<_> = lacking
        .iter()
        .filter(|(question, _)| question.lacks.iter().any(|need| suite.needs.contains(need)))
        .filter(|(question, _)| (suite.concerns)(&question.order))
        .collect();
    let passed = asked.iter().filter(|(_, answer)| *answer == Answer::Passed);
    let faults = passed.map(|(question, answer)| format!("{}: {answer}; refuse instead", question.name));
    CaseReport::judged(CLOSED, asked.len(), faults.collect())
}

fn allocations(suite: &Suite<'_>, all: &[Known<'_>], unsteady: Option<&str>) -> CaseReport {
    let questions = cost::passing(all).count();
    let skipped = |reason: &str| CaseReport::skipped(ALLOCATIONS, reason);
    match (suite.asks, unsteady, questions) {
        (true, ..) => skipped("it asks somebody, which costs more than an allocation"),
        (_, Some(failed), _) => skipped(&format!("mend {failed} first")),
        (.., 0) => skipped("it passed no question; add one that it passes with asking()"),
        _ => match cost::allocations(suite, all) {
            Some(faults) => CaseReport::judged(ALLOCATIONS, questions, faults),
            None => skipped("the feature `allocations` is off"),
        },
    }
}

fn given_up(suite: &Suite<'_>, some: &[Known<'_>]) -> CaseReport {
    if !suite.asks {
        return CaseReport::skipped(GIVEN_UP, "it answers at once");
    }
    let gate = (suite.make)();
    let faults = some.iter().filter_map(|(question, _)| {
        let name = &question.name;
        if let Err(message) = gate.give_up(question) {
            return Some(format!("{name}: panicked when given up ({message:?})"));
        }
        let later = gate.ask(question);
        later.panicked().then(|| format!("{name}: given up, then asked again: {later}"))
    });
    CaseReport::judged(GIVEN_UP, some.len(), faults.collect())
}
