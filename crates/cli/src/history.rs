//! The books of a run, made by replaying its journal from its beginning and compared with the ledger at every session's end.

use crate::app::App;
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::run_folder::{Replayed, RunFolder, Until};
use mts_engine::Core;
use mts_foundation::event::Event;
use mts_foundation::fund::NavSnapshot;
use mts_foundation::journal::Sequence;
use mts_foundation::lots::LotPick;
use mts_foundation::{Decimal, FillId, FundId, StrategyId, Symbol};
use mts_portfolio::Books;
use mts_portfolio::books::{BooksError, FundBooks, Posting, PostingKind, ProfitLine, settle_late_fees};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whose profit a line is: strategy and instrument.
pub(crate) type LineKey = (Option<StrategyId>, Option<Symbol>);

/// What a session brought to a fund, line by line; there is one for each value in `nav`.
pub(crate) struct SessionProfit {
    pub(crate) fund_id: FundId,
    /// Capital that came in since the last one, less what went out.
    pub(crate) flow: Decimal,
    /// Lines that changed.
    pub(crate) lines: Vec<(LineKey, Decimal)>,
}

/// A run's books and what led to them.
pub(crate) struct History {
    pub(crate) config: RunConfig,
    pub(crate) core: Core,
    pub(crate) books: Books,
    /// Every line of the cash ledger, in order.
    pub(crate) postings: Vec<Posting>,
    /// After which input each of them was made.
    pub(crate) places: Vec<Sequence>,
    pub(crate) nav: Vec<NavSnapshot>,
    pub(crate) sessions: Vec<SessionProfit>,
    /// The input after which the last session's values were taken.
    pub(crate) last_close: Option<Sequence>,
    /// Whether anything came after it.
    pub(crate) goes_on: bool,
}

impl History {
    /// Reads as far as the last session's end: what is shown beside its values must be of the same instant.
    pub(crate) fn read_sessions(
        app: &App,
        folder: &Path,
        until: Until,
        picks: Option<&Path>,
    ) -> Result<Self, CliError> {
        let history = Self::read(app, folder, until, picks)?;
        match history.last_close {
            Some(last) if history.goes_on => Self::read(app, folder, Until::Sequence(last), picks),
            _ => Ok(history),
        }
    }

    /// Reads the journal of a folder as far as is wanted.
    pub(crate) fn read(
        app: &App,
        folder: &Path,
        until: Until,
        picks: Option<&Path>,
    ) -> Result<Self, CliError> {
        let run = RunFolder::open(app, folder)?;
        if let Some(last) = run.begins_after() {
            let message = format!(
                "retention removed the journal up to input {last}, and books begin with the first cash; bring the removed \
                 segments back from their archive ([journal] archive), or read a copy of the folder that has them"
            );
            return Err(CliError::new(ExitKind::Journal, message));
        }
        let mut books = Books::new(run.core.config().instruments.clone());
        for fund in &run.core.config().funds {
            let (fund_id, currency) = (fund.config.fund_id.clone(), fund.config.base_currency);
            books
                .open_fund(fund_id, currency, fund.initial_cash, fund.config.tax_lot_method)
                .or_exit(ExitKind::Internal)?;
        }
        let picked = picks.map(read_picks).transpose()?.unwrap_or_default();
        let mut unused: BTreeSet<FillId> = picked.keys().cloned().collect();
        books = books.with_picks(picked);
        let mut walk = Walk {
            flows: BTreeMap::new(),
            last_close: None,
            goes_on: false,
            books,
            postings: Vec::new(),
            places: Vec::new(),
            nav: Vec::new(),
            sessions: Vec::new(),
            totals: BTreeMap::new(),
        };
        let (mut run, mut failed) = (run, None);
        run.replay_until(until, &mut |step| {
            if failed.is_none() {
                failed = walk.take(step).err();
            }
        })?;
        let RunFolder { config, core, .. } = run;
        let ended = failed.map_or_else(|| walk.books.agree_with(core.state().ledger()), Err);
        ended.or_exit(ExitKind::Journal)?;
        let Walk { books, mut postings, places, nav, sessions, last_close, goes_on, .. } = walk;
        if core.state().inputs() == 0 {
            let message =
                format!("nothing had happened in {} by then; name a later instant", folder.display());
            return Err(CliError::new(ExitKind::Data, message));
        }
        for posting in &postings {
            unused.retain(|fill_id| posting.fill_id.as_ref() != Some(fill_id));
        }
        if let (Some(fill_id), Some(path), Until::END) = (unused.first(), picks, until) {
            let message = format!("{}: fill {fill_id} is not in this run; correct it", path.display());
            return Err(CliError::new(ExitKind::Data, message));
        }
        settle_late_fees(&mut postings).or_exit(ExitKind::Journal)?;
        Ok(Self { config, core, books, postings, places, nav, sessions, last_close, goes_on })
    }

    /// The books of one fund, or of the run's own.
    pub(crate) fn fund(&self, wanted: Option<&FundId>) -> Result<(&FundId, &FundBooks), CliError> {
        let wanted = wanted.unwrap_or(&self.config.fund.fund_id);
        self.books.funds().find(|(fund_id, _)| *fund_id == wanted).ok_or_else(|| {
            let known: Vec<String> = self.books.funds().map(|(fund_id, _)| fund_id.to_string()).collect();
            let message = format!("fund {wanted} is not in this run; it has {}", known.join(", "));
            CliError::new(ExitKind::Usage, message)
        })
    }
}

/// What is gathered on the way.
struct Walk {
    books: Books,
    postings: Vec<Posting>,
    places: Vec<Sequence>,
    nav: Vec<NavSnapshot>,
    sessions: Vec<SessionProfit>,
    /// What each line had brought at the last session's end.
    totals: BTreeMap<(FundId, LineKey), Decimal>,
    /// Capital since the last session's end.
    flows: BTreeMap<FundId, Decimal>,
    last_close: Option<Sequence>,
    goes_on: bool,
}

impl Walk {
    fn take(&mut self, step: &Replayed<'_>) -> Result<(), BooksError> {
        self.goes_on = true;
        for event in &step.output.events {
            let posting = self.books.apply(event)?;
            if let Some(Posting { fund_id, kind: PostingKind::Cash(kind), amount, .. }) = &posting
                && kind.is_capital()
            {
                let flow = self.flows.entry(fund_id.clone()).or_default();
                *flow = flow.saturating_add(*amount);
            }
            self.places.extend(posting.as_ref().map(|_| step.sequence));
            self.postings.extend(posting);
            if let Event::NavUpdated(snapshot) = event {
                self.books.agree_with(step.core.state().ledger())?;
                self.nav.push(snapshot.clone());
                self.session_ends(&snapshot.fund_id);
                (self.last_close, self.goes_on) = (Some(step.sequence), false);
            }
        }
        Ok(())
    }

    fn session_ends(&mut self, fund_id: &FundId) {
        let Some(fund) = self.books.fund(fund_id) else { return };
        let mut lines = Vec::new();
        for line in fund.profit_lines() {
            let total = line.total();
            let ProfitLine { strategy_id, symbol, .. } = line;
            let key = (fund_id.clone(), (strategy_id, symbol));
            let before = self.totals.get(&key).copied().unwrap_or_default();
            if total != before {
                lines.push((key.1.clone(), total.saturating_sub(before)));
                self.totals.insert(key, total);
            }
        }
        let flow = self.flows.remove(fund_id).unwrap_or_default();
        self.sessions.push(SessionProfit { fund_id: fund_id.clone(), flow, lines });
    }
}

/// Reads picked lots: a header, then fill_id,lot_id,quantity.
fn read_picks(path: &Path) -> Result<BTreeMap<FillId, Vec<LotPick>>, CliError> {
    let text = files::read(path, "file of picked lots", ExitKind::Data)?;
    let mut picks: BTreeMap<FillId, Vec<LotPick>> = BTreeMap::new();
    let mut rows = text.lines().enumerate();
    let header = rows.next().map(|(_, line)| line.trim()).unwrap_or_default();
    let fault = |line: usize, what: &str| {
        CliError::new(ExitKind::Data, format!("{}: line {line}: {what}", path.display()))
    };
    if header != "fill_id,lot_id,quantity" {
        return Err(fault(1, &format!("the header is {header:?}; write fill_id,lot_id,quantity")));
    }
    for (index, row) in rows.filter(|(_, row)| !row.trim().is_empty()) {
        let wrong = |what: String| fault(index.saturating_add(1), &what);
        let columns: Vec<&str> = row.split(',').map(str::trim).collect();
        let [fill_id, lot_id, quantity] = columns.as_slice() else {
            return Err(wrong(format!("{} columns where 3 are wanted", columns.len())));
        };
        let fill_id = FillId::new(fill_id).map_err(|error| wrong(error.to_string()))?;
        let quantity: Decimal =
            quantity.parse().map_err(|_| wrong(format!("quantity {quantity:?} is no number")))?;
        picks.entry(fill_id).or_default().push(LotPick { lot_id: (*lot_id).into(), quantity });
    }
    Ok(picks)
}
