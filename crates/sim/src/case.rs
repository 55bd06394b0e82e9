//! One run, named so that it can be made again: `seed=7 steps=120 only=overfill without=bust,reject crash=31 again=4`.

use crate::check::Violation;
use crate::faults::{Fault, Faults};
use crate::plant::Plant;
use crate::process::{Shown, SimError, Simulation};
use crate::random::Random;
use crate::setup::Size;

/// What decides a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// Things after which it becomes calm; absent = drawn.
    pub steps: Option<u32>,
    /// The only fault there is.
    pub only: Option<Fault>,
    /// Faults that are switched off.
    pub without: Vec<Fault>,
    /// In a crash scenario: the moment at which the process dies, by its number.
    pub crash: Option<usize>,
    /// Moments of the next process after which it dies again.
    pub again: Option<u64>,
    /// A small world for crashes, without a crash yet.
    pub small: bool,
    /// A day of orders at a venue whose stream cannot be relied upon.
    pub day: bool,
    /// Without what came later than the cases that are kept: groups, algorithms, events that are left out.
    pub plain: bool,
    /// Asynchronous gates are asked about what opens or grows a position.
    pub asked: bool,
}

/// What came of a case.
#[derive(Debug)]
pub struct CaseReport {
    /// What it showed.
    pub shown: Shown,
    /// The world at its end.
    pub simulation: Simulation,
}

impl Case {
    /// Mixed faults, in one world of four with asynchronous gates.
    #[must_use]
    pub fn mixed(seed: u64) -> Self {
        Self {
            seed,
            steps: None,
            only: None,
            without: Vec::new(),
            crash: None,
            again: None,
            small: false,
            day: false,
            plain: false,
            asked: Random::new(seed, 13).chance(250),
        }
    }

    /// One fault alone, often, in a world of single orders.
    #[must_use]
    pub fn only(seed: u64, fault: Fault) -> Self {
        Self { only: Some(fault), plain: true, asked: false, ..Self::mixed(seed) }
    }

    /// A small world, to crash at every step.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        Self { small: true, ..Self::mixed(seed) }
    }

    /// A day of orders.
    #[must_use]
    pub fn day(seed: u64) -> Self {
        Self { day: true, asked: false, ..Self::mixed(seed) }
    }

    /// The world of this case, at its beginning.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn begin(&self, plant: Option<Plant>, lines: bool) -> Result<Simulation, SimError> {
        let size = if self.small { Size::Small } else { Size::Full };
        let mut faults = match self.only {
            Some(fault) => Faults::only(self.seed, fault),
            None if self.day => Faults::day(self.seed),
            // Every second small world has no other trouble than the crashes.
            None if self.small && self.seed.is_multiple_of(2) => Faults::none(self.seed),
            None => Faults::mixed(self.seed),
        };
        if self.small {
            for fault in [Fault::Crash, Fault::DiskFails, Fault::DiskFull] {
                faults.switch_off(fault);
            }
        }
        if self.plain && self.only.is_none() {
            faults.switch_off(Fault::EventDropped);
        }
        for fault in &self.without {
            faults.switch_off(*fault);
        }
        let drawn = Random::new(self.seed, 6).between(150, 900);
        let drawn = match (self.small, self.day) {
            (true, _) => 40 + drawn / 30,
            // The day's orders end it before.
            (_, true) => 60_000,
            _ => drawn,
        };
        let steps = self.steps.unwrap_or_else(|| u32::try_from(drawn).unwrap_or(u32::MAX));
        let mut simulation = Simulation::new(self.seed, (size, self.asked), plant, faults, steps, lines)?;
        simulation.world.has_families &= !self.plain;
        simulation.world.day = self.day;
        if self.only.is_some() {
            // One fault needs time to be noticed.
            simulation.world.pace = 6;
        }
        Ok(simulation)
    }

    /// Makes the run.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn run(&self, plant: Option<Plant>, lines: bool) -> Result<CaseReport, SimError> {
        let mut simulation = self.begin(plant, lines)?;
        if let Some(moment) = self.crash {
            simulation.forks = Some(Vec::new());
            let shown = simulation.run()?;
            let fork = simulation.forks.take().and_then(|forks| forks.into_iter().nth(moment));
            let Some(fork) = fork else { return Ok(CaseReport { shown, simulation }) };
            simulation = Simulation::after_death(fork, self.seed);
            simulation.dies_in = self.again;
        }
        let shown = simulation.run()?;
        Ok(CaseReport { shown, simulation })
    }

    /// A smaller case that breaks the same promise: fewer steps, then fewer faults.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn shrunk(&self, violation: &Violation, plant: Option<Plant>) -> Result<Self, SimError> {
        let breaks = |case: &Self| -> Result<Option<Shown>, SimError> {
            let shown = case.run(plant, false)?.shown;
            let same = shown.violation.as_ref().is_some_and(|found| found.promise == violation.promise);
            Ok(same.then_some(shown))
        };
        let mut best = self.clone();
        let Some(first) = breaks(&best)? else { return Ok(best) };
        let (mut low, mut high) = (0, first.steps.max(1));
        while self.crash.is_none() && low + 1 < high {
            let middle = low + (high - low) / 2;
            let tried = Self { steps: Some(middle), ..best.clone() };
            if breaks(&tried)?.is_some() {
                (best, high) = (tried, middle);
            } else {
                low = middle;
            }
        }
        let on: Vec<Fault> = best.begin(plant, false)?.faults().on().collect();
        for fault in on.into_iter().filter(|fault| Some(*fault) != self.only) {
            let mut tried = best.clone();
            tried.without.push(fault);
            if breaks(&tried)?.is_some() {
                best = tried;
            }
        }
        Ok(best)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "seed={}", self.seed)?;
        if self.small {
            write!(out, " small")?;
        }
        if self.day {
            write!(out, " day")?;
        }
        if self.plain {
            write!(out, " plain")?;
        }
        if self.asked {
            write!(out, " asked")?;
        }
        if let Some(steps) = self.steps {
            write!(out, " steps={steps}")?;
        }
        if let Some(only) = self.only {
            write!(out, " only={}", only.name())?;
        }
        if !self.without.is_empty() {
            let names: Vec<_> = self.without.iter().map(|fault| fault.name()).collect();
            write!(out, " without={}", names.join(","))?;
        }
        if let Some(moment) = self.crash {
            write!(out, " crash={moment}")?;
        }
        if let Some(again) = self.again {
            write!(out, " again={again}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Case {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        fn number<T: std::str::FromStr>(word: &str, value: &str) -> Result<T, String> {
            value.parse().map_err(|_| format!("{word:?} has no number behind the equals sign"))
        }
        let mut case = Self { asked: false, ..Self::mixed(0) };
        let mut seeded = false;
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "seed" => (case.seed, seeded) = (number(word, value)?, true),
                "small" => case.small = true,
                "day" => case.day = true,
                "plain" => case.plain = true,
                "asked" => case.asked = true,
                "steps" => case.steps = Some(number(word, value)?),
                "only" => case.only = Some(value.parse()?),
                "without" => case.without = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "crash" => case.crash = Some(number(word, value)?),
                "again" => case.again = Some(number(word, value)?),
                _ => return Err(format!("{word:?} is not part of a case; see docs/simulation.md")),
            }
        }
        if seeded {
            Ok(case)
        } else {
            Err(format!("the case {text:?} has no seed; begin it with seed=NUMBER"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "seed=7",
            "seed=7 small crash=31 again=4",
            "seed=2 day",
            "seed=2 plain steps=3",
            "seed=3 plain asked",
            "seed=1 steps=9 only=overfill without=bust,reject",
        ] {
            assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        }
        for (text, wanted) in
            [("steps=1", "no seed"), ("seed=x", "no number"), ("seed=1 speed=2", "not part")]
        {
            assert!(text.parse::<Case>().unwrap_err().contains(wanted));
        }
        assert!("seed=1 only=nothing".parse::<Case>().unwrap_err().contains("submit-lost"));
    }
}
