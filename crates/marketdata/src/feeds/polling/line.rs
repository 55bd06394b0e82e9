//! One question that is asked again and again: what has come of it, when it is due, and whether it fails.

use super::prints::Prints;
use super::{Answer, Asked, PollingOptions};
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp, Trade};
use std::time::Duration;

/// Candles that are asked for after a long absence, at most; what is older is a `Gap`.
const CATCH_UP: u32 = 1_000;

/// How many candles late an exchange may tell one of an instrument that is hardly traded.
const LOOK_BACK: u32 = 10;

/// Answers without the candle that was due after which the others do not wait for it any more.
const PATIENT: u32 = 3;

/// Longest time that a candle is awaited: those of weeks are looked for every day, whatever day their weeks begin on.
const LONGEST_STEP: Duration = Duration::from_secs(86_400);

/// A funding rate that can be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rates {
    pub(super) rate: Decimal,
    pub(super) time: Timestamp,
    pub(super) next_rate: Option<Decimal>,
    pub(super) next_time: Option<Timestamp>,
}

/// What is new in an answer.
#[derive(Debug)]
pub(super) struct News {
    pub(super) trades: Vec<Trade>,
    pub(super) bars: Vec<Bar>,
    pub(super) funding: Option<Rates>,
    pub(super) gaps: Vec<(Timestamp, Timestamp)>,
    pub(super) refused: u64,
    /// The last instant that was covered before.
    pub(super) from: Timestamp,
}

impl News {
    fn since(from: Timestamp) -> Self {
        Self { trades: Vec::new(), bars: Vec::new(), funding: None, gaps: Vec::new(), refused: 0, from }
    }

    fn is_empty(&self) -> bool {
        self.trades.is_empty() && self.bars.is_empty() && self.funding.is_none()
    }
}

/// What has come.
#[derive(Debug)]
enum Memory {
    Nothing,
    Prints(Prints),
    Bars {
        /// Later bars are new.
        last_end: Timestamp,
        /// Up to when an answer has told of bars.
        until: Timestamp,
        /// Answers in a row without the bar that was due.
        empty: u32,
    },
    Funding(Option<Rates>),
}

/// A question.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) symbol: Symbol,
    pub(super) asked: Asked,
    /// When it is asked next, on the monotonic clock.
    pub(super) due: Duration,
    /// It is on its way.
    pub(super) is_asked: bool,
    /// When it was asked last.
    pub(super) asked_at: Duration,
    /// When there was something new last.
    pub(super) news_at: Timestamp,
    news: Duration,
    failures: u32,
    failing_since: Option<Duration>,
    /// Something may have been missed: it failed, or was stopped.
    was_away: bool,
    memory: Memory,
}

fn minus(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// The end of the first candle after an instant.
fn next_end(interval: Interval, time: Timestamp) -> Timestamp {
    let step = interval.duration().min(LONGEST_STEP);
    let length = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
    let past = time.nanos().rem_euclid(length);
    Timestamp::from_nanos(time.nanos().saturating_sub(past)).plus(step)
}

impl Line {
    pub(super) fn new(symbol: Symbol, asked: Asked) -> Self {
        Self {
            symbol,
            asked,
            due: Duration::ZERO,
            is_asked: false,
            asked_at: Duration::ZERO,
            news_at: Timestamp::EPOCH,
            news: Duration::ZERO,
            failures: 0,
            failing_since: None,
            was_away: false,
            memory: Memory::Nothing,
        }
    }

    /// The feed starts, for the first time or again.
    pub(super) fn start_at(&mut self, now: Timestamp, mono: Duration, again: bool, options: &PollingOptions) {
        (self.news_at, self.news, self.due) = (now, mono, mono);
        (self.failures, self.failing_since, self.was_away) = (0, None, again);
        if again {
            return;
        }
        self.memory = match self.asked {
            Asked::Trades => Memory::Prints(Prints::since(now)),
            Asked::Funding => Memory::Funding(None),
            Asked::Bars(interval) => {
                let wait = next_end(interval, now).plus(options.settle).since(now);
                self.due = mono.saturating_add(wait);
                Memory::Bars { last_end: now, until: now, empty: 0 }
            }
        };
    }

    /// Up to when candles are final.
    pub(super) fn until(&self, now: Timestamp, settle: Duration) -> Timestamp {
        minus(now, settle)
    }

    /// From when on candles are asked for, and what is not asked for any more.
    pub(super) fn start(&mut self, until: Timestamp) -> (Timestamp, Option<(Timestamp, Timestamp)>) {
        let (Asked::Bars(interval), Memory::Bars { last_end, .. }) = (self.asked, &mut self.memory) else {
            return (until, None);
        };
        let oldest = minus(until, interval.duration().saturating_mul(CATCH_UP));
        if *last_end >= oldest {
            return (*last_end, None);
        }
        let from = std::mem::replace(last_end, oldest);
        (oldest, Some((from, oldest)))
    }

    /// What is new in an answer.
    pub(super) fn take(
        &mut self,
        answer: Answer,
        now: Timestamp,
        options: &PollingOptions,
    ) -> Result<News, String> {
        match (answer, &mut self.memory) {
            (Answer::Trades(trades), Memory::Prints(prints)) => {
                let from = prints.newest();
                let super::prints::News { trades, gaps, refused } = prints.answer(trades, now);
                Ok(News { trades, gaps, refused, ..News::since(from) })
            }
            (Answer::Funding(said), Memory::Funding(last)) => {
                let time = said.due.ok_or("the funding rate has no time")?;
                let next_time = said.next.filter(|next| *next > time);
                let rates = Rates { rate: said.rate, time, next_rate: said.next_rate, next_time };
                let mut news = News::since(now);
                if last.as_ref() != Some(&rates) {
                    news.funding = Some(rates.clone());
                    *last = Some(rates);
                }
                Ok(news)
            }
            (Answer::Bars(candles, told), Memory::Bars { last_end, until, empty }) => {
                let Asked::Bars(interval) = self.asked else {
                    return Err("no bars were asked for".to_owned());
                };
                let step = interval.duration();
                let mut news = News::since(*last_end);
                let bars: Vec<Bar> =
                    candles.bars.into_iter().filter(|bar| bar.timestamp > *last_end).collect();
                let first = bars.first().map(|bar| minus(bar.timestamp, step));
                // After an absence nobody knows whether nothing was traded, or the exchange has forgotten it.
                let missing = first.filter(|first| self.was_away && *first >= last_end.plus(step));
                let missing = missing.or(Some(candles.since).filter(|since| since > last_end));
                news.gaps.extend(missing.map(|to| (*last_end, to)));
                for bar in bars {
                    *last_end = bar.timestamp;
                    if bar.is_sane() {
                        news.bars.push(bar);
                    } else {
                        news.refused = news.refused.saturating_add(1);
                        news.gaps.push((minus(bar.timestamp, step), bar.timestamp));
                    }
                }
                *until = (*until).max(told);
                *last_end = (*last_end).max(minus(told, step.saturating_mul(LOOK_BACK)));
                let awaited = minus(next_end(interval, minus(now, options.settle)), step.min(LONGEST_STEP));
                *empty = if *last_end >= awaited { 0 } else { empty.saturating_add(1) };
                Ok(news)
            }
            _ => Err("the answer is to another question".to_owned()),
        }
    }

    /// An answer has been taken. Whether something may have been missed before it.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        mono: Duration,
        options: &PollingOptions,
        news: &News,
    ) -> bool {
        (self.failures, self.failing_since) = (0, None);
        if !news.is_empty() || self.asked == Asked::Funding {
            (self.news_at, self.news) = (now, mono);
        }
        let wait = match (self.asked, &self.memory) {
            (Asked::Bars(interval), Memory::Bars { empty, .. }) => {
                let next = next_end(interval, minus(now, options.settle)).plus(options.settle).since(now);
                let again = doubled(options.backoff, *empty);
                if *empty == 0 { next } else { next.min(again) }
            }
            (Asked::Trades, _) => options.trades_every,
            _ => options.funding_every,
        };
        self.due = mono.saturating_add(wait);
        std::mem::take(&mut self.was_away)
    }

    /// No answer.
    pub(super) fn failed(&mut self, now: Timestamp, mono: Duration, options: &PollingOptions) {
        if self.failing_since.is_none() {
            self.failing_since = Some(self.asked_at);
            // Of candles and rates that come seldom, prices are in doubt since the first failure, not since the last news.
            if matches!(self.asked, Asked::Bars(_) | Asked::Funding) {
                self.news_at = now;
            }
        }
        self.failures = self.failures.saturating_add(1);
        self.was_away = true;
        let pause = doubled(options.backoff, self.failures).min(options.backoff_cap);
        self.due = mono.saturating_add(pause);
    }

    /// When prices are stale unless something comes.
    pub(super) fn stale_at(&self, options: &PollingOptions) -> Option<Duration> {
        let silence = match self.asked {
            Asked::Trades => Some(options.silence),
            Asked::Bars(interval) => Some(options.silence.max(interval.duration().saturating_mul(2))),
            Asked::Funding => None,
        };
        let silent = silence.map(|silence| self.news.saturating_add(silence));
        let failing = self.failing_since.map(|since| since.saturating_add(options.failing));
        silent.into_iter().chain(failing).min()
    }

    /// Whether its last question failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// Whether its bar of an instant may still come with the others.
    pub(super) fn is_waited_for(&self, time: Timestamp) -> bool {
        // Of an instrument that is hardly traded nothing is awaited.
        let Memory::Bars { last_end, until, empty } = self.memory else { return false };
        self.failures == 0 && (until < time || (last_end < time && (1..=PATIENT).contains(&empty)))
    }
}

/// A pause that doubles with each time after the first.
fn doubled(pause: Duration, times: u32) -> Duration {
    pause.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)))
}
