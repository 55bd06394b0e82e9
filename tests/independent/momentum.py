#!/usr/bin/env python3
"""Independent calculation of the monthly momentum back-test.

Written from the description of the rules alone, in another language than the
trading system and without any of its code, so that the two can be compared
trade by trade and day by day to the cent. Python 3.11, standard library only.

    momentum.py --closes FILE --instruments FILE --calendar FILE \\
                --config FILE --out DIR

All money, quantities and limits are `fractions.Fraction` (exact). The only
floats are those of the factor, which is a ranking and not an amount.

Order of events within one session
  open   1. baselines are rolled (day always; week, month when new)
         2. orders of the pending rebalance (REDUCE or INCREASE) pass the gates
         3. the operator's script lifts a halt of an earlier session
  close  4. marks become today's closes; loss limits are evaluated
         5. accepted orders fill one at a time at the close, fee out of cash;
            loss limits are evaluated after each fill
         6. the day's NAV and cash are recorded
         7. on the last session of a calendar month: a new decision

Output in DIR
  trades.csv      date,symbol,side,quantity,price,fee      in order of fills
  nav.csv         date,nav,cash                            at each close
  rejections.csv  date,symbol,side,quantity,code           date of the open
  halts.csv       date,limits                              e.g. "day|week"
  summary.json    final_nav, trades, rejections, halts, min_cash, max_drawdown
All decimals are exact, without trailing zeros, except max_drawdown, which is a
quotient and is rounded half-even to 12 decimals.
"""

import argparse
import csv
import datetime as dt
import json
import pathlib
import sys
import tomllib
from collections import Counter
from fractions import Fraction

ZERO = Fraction(0)
ONE = Fraction(1)
DAY = dt.timedelta(days=1)


# ---------------------------------------------------------------- numbers

def exact(value):
    """A number of the config as an exact decimal; a float by its shortest repr."""
    if isinstance(value, bool):
        raise ValueError(f"not a number: {value!r}")
    if isinstance(value, float):
        return Fraction(repr(value))
    return Fraction(value)          # int, or a decimal string


def show(x):
    """The exact decimal text of a fraction, without trailing zeros."""
    x = Fraction(x)
    den, twos, fives = x.denominator, 0, 0
    while den % 2 == 0:
        den //= 2
        twos += 1
    while den % 5 == 0:
        den //= 5
        fives += 1
    if den != 1:
        raise ValueError(f"not a finite decimal: {x}")
    places = max(twos, fives)       # minimal, so there are no trailing zeros
    digits = str(abs(x.numerator) * 10**places // x.denominator)
    if places:
        digits = digits.rjust(places + 1, "0")
        digits = digits[:-places] + "." + digits[-places:]
    return ("-" if x < 0 else "") + digits


def floor_to_lot(qty, lot):
    return (qty / lot).__floor__() * lot


# ---------------------------------------------------------------- inputs

def as_date(value):
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(value)


class Calendar:
    """Session dates of a .cal file: `week` (0 = Monday), `range`, `holidays`.
    Hours and early closes play no part here."""

    def __init__(self, path):
        self.week, self.holidays = set(), set()
        self.first = self.last = None
        day = lambda s: dt.datetime.strptime(s, "%Y%m%d").date()
        for line in pathlib.Path(path).read_text().splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "week":
                self.week = {int(c) for c in "".join(words[1:])}
            elif words[0] == "range":
                self.first, self.last = day(words[1]), day(words[2])
            elif words[0] == "holidays":
                self.holidays |= {day(w) for w in words[1:]}
        if not self.week or self.first is None:
            raise ValueError(f"{path}: no week or range line")

    def is_session(self, d):
        if not self.first <= d <= self.last:
            raise ValueError(f"{d} is outside the calendar's range")
        return d.weekday() in self.week and d not in self.holidays

    def last_of_month(self, d):
        """True when no later day of d's month is a session."""
        later = d + DAY
        while later.month == d.month:
            if self.is_session(later):
                return False
            later += DAY
        return True


def read_closes(path, calendar):
    with open(path, newline="") as f:
        rows = list(csv.reader(f))
    symbols = rows[0][1:]
    dates = [dt.date.fromisoformat(r[0]) for r in rows[1:]]
    for i, d in enumerate(dates):
        if not calendar.is_session(d):
            raise SystemExit(f"{path}: {d} is not a session of the calendar")
        if i:
            if d <= dates[i - 1]:
                raise SystemExit(f"{path}: {d} is out of order")
            gap = dates[i - 1] + DAY
            while gap < d:          # "next row" must be "next session"
                if calendar.is_session(gap):
                    raise SystemExit(f"{path}: the session {gap} is missing")
                gap += DAY
    prices = [{s: Fraction(t) for s, t in zip(symbols, r[1:], strict=True)} for r in rows[1:]]
    floats = [{s: float(t) for s, t in zip(symbols, r[1:], strict=True)} for r in rows[1:]]
    return symbols, dates, prices, floats


class Config:
    def __init__(self, path):
        with open(path, "rb") as f:
            raw = tomllib.load(f)

        def get(key, default=None):
            node = raw
            for part in key.split("."):
                if not isinstance(node, dict) or part not in node:
                    return default
                node = node[part]
            return node

        pct = lambda key, default: exact(get(key, default))
        self.start, self.end = as_date(get("run.start")), as_date(get("run.end"))
        self.fund_id = get("fund.fund_id")
        self.initial_cash = exact(get("fund.initial_cash"))
        self.max_position = pct("envelope.max_position_pct", 0.05)
        self.max_gross = pct("envelope.max_gross_exposure_pct", 1.0)
        self.max_net = pct("envelope.max_net_exposure_pct", 1.0)
        # (instrument column, limit, code), in the order of the checks
        self.concentration = [
            ("sector", pct("envelope.max_sector_pct", 0.30), "MAX_SECTOR"),
            ("asset_class", pct("envelope.max_asset_class_pct", 1.0), "MAX_ASSET_CLASS"),
            ("country", pct("envelope.max_country_pct", 1.0), "MAX_COUNTRY"),
        ]
        self.loss_limit = {
            "day": pct("envelope.daily_loss_halt_pct", 0.03),
            "week": pct("envelope.weekly_loss_halt_pct", 0.08),
            "month": pct("envelope.monthly_loss_halt_pct", 0.15),
        }
        self.max_notional = exact(get("envelope.max_order_notional_usd", "100000"))
        notional_pct = get("gates.max_order_notional_pct")
        self.max_notional_pct = None if notional_pct is None else exact(notional_pct)
        self.h_long = int(get("strategy.params.h_long", 252))
        self.h_skip = int(get("strategy.params.h_skip", 21))
        self.n = int(get("sizer.n", 5))
        self.gross = exact(get("sizer.gross", 1.0))
        self.buffer = exact(get("sizer.cash_buffer", "0"))
        self.fee_rate = exact(get("broker.fee_bps_per_side", 5.0)) / 10000
        resume = get("operator.resume")
        if resume not in (None, "next_session"):
            raise SystemExit(f"operator.resume: {resume!r} is not known")
        self.resume = resume == "next_session"


# ---------------------------------------------------------------- factor

def decide(cfg, symbols, floats, t):
    """Target weights and ranks at the close of row t, or None without history.

    The system ranks by the z-score (m - mean) / std. That is an increasing
    function of m, so the rank by m, descending, is the same rank; ties go by
    symbol, ascending."""
    old = t - cfg.h_long - cfg.h_skip
    if old < 0:
        return None
    new = t - cfg.h_skip
    m = {s: floats[new][s] / floats[old][s] - 1.0 for s in symbols}
    ranked = sorted(symbols, key=lambda s: (-m[s], s))[: cfg.n]
    weight = round(cfg.gross / cfg.n, 9)
    return {
        "weight": {s: weight for s in ranked},
        "rank": {s: i for i, s in enumerate(ranked)},
        "stage": "reduce",
    }


# ---------------------------------------------------------------- the run

class Run:
    def __init__(self, cfg, calendar, instruments, symbols, dates, prices, floats):
        self.cfg, self.calendar, self.instruments = cfg, calendar, instruments
        self.symbols, self.dates, self.prices, self.floats = symbols, dates, prices, floats
        self.cash = cfg.initial_cash
        self.held = {}              # symbol -> quantity > 0
        self.marks = {}             # latest closes
        self.working = []           # accepted orders: (symbol, side, quantity)
        self.baseline = {}          # day, week, month
        self.halted = None          # None, or the limits that tripped
        self.pending = None         # the decision being carried out
        self.trades, self.navs, self.rejections, self.halts = [], [], [], []
        self.min_cash = self.cash

    def nav(self):
        return self.cash + sum((q * self.marks[s] for s, q in self.held.items()), ZERO)

    # --- loss limits

    def roll_baselines(self, today, previous):
        nav = self.nav()
        if previous is None:
            self.baseline = dict.fromkeys(("day", "week", "month"), self.cfg.initial_cash)
            return
        self.baseline["day"] = nav
        if today.isocalendar()[:2] != previous.isocalendar()[:2]:
            self.baseline["week"] = nav
        if (today.year, today.month) != (previous.year, previous.month):
            self.baseline["month"] = nav

    def evaluate_losses(self, today):
        if self.halted is not None:
            return
        nav = self.nav()
        tripped = [
            name for name, limit in self.cfg.loss_limit.items()
            if (base := self.baseline[name]) > 0 and (base - nav) / base >= limit
        ]
        if tripped:
            self.halted = tripped
            self.halts.append((today, tripped))

    def operator_resume(self):
        if self.halted is None or not self.cfg.resume:
            return
        nav = self.nav()
        for name in self.halted:
            self.baseline[name] = nav
        self.halted = None

    # --- orders

    def target(self, symbol, nav):
        weight = self.pending["weight"].get(symbol, ZERO)
        raw = weight * (1 - self.cfg.buffer) * nav / self.marks[symbol]
        return floor_to_lot(raw, self.instruments[symbol]["lot"])

    def in_order(self, orders):
        last = len(self.symbols)    # without a target: after all that have one
        return sorted(orders, key=lambda o: (self.pending["rank"].get(o[0], last), o[0]))

    def reduce_orders(self):
        nav = self.nav()
        orders = []
        for symbol, qty in self.held.items():
            excess = qty - self.target(symbol, nav)
            if excess > 0:
                orders.append((symbol, "SELL", excess))
        return self.in_order(orders)

    def increase_orders(self):
        nav = self.nav()
        buys = []
        for symbol in self.pending["weight"]:
            missing = self.target(symbol, nav) - self.held.get(symbol, ZERO)
            if missing > 0:
                buys.append((symbol, "BUY", missing))
        budget = self.cash - self.cfg.buffer * nav
        if budget <= 0:
            return []
        total = sum((q * self.marks[s] for s, _, q in buys), ZERO)
        if total > budget:
            buys = [
                (s, side, floor_to_lot(q * budget / total, self.instruments[s]["lot"]))
                for s, side, q in buys
            ]
            buys = [b for b in buys if b[2] > 0]
        return self.in_order(buys)

    def gate(self, symbol, side, qty):
        """The code of the first gate that refuses the order, or None."""
        if side == "SELL":          # always reducing here
            return None
        cfg, marks, nav = self.cfg, self.marks, self.nav()
        if self.halted is not None:
            return "FUND_HALTED"
        notional = qty * marks[symbol]
        if notional > cfg.max_notional:
            return "MAX_ORDER_NOTIONAL"
        if cfg.max_notional_pct is not None and notional > cfg.max_notional_pct * nav:
            return "MAX_ORDER_NOTIONAL_PCT"
        # positions as they would be with all accepted buys and this one
        after = Counter(self.held)
        committed = ZERO
        for s, working_side, q in self.working:
            if working_side == "BUY":
                after[s] += q
                committed += q * marks[s]
        after[symbol] += qty
        value = {s: q * marks[s] for s, q in after.items()}
        if value[symbol] > cfg.max_position * nav:
            return "MAX_POSITION_PCT"
        if sum((abs(v) for v in value.values()), ZERO) > cfg.max_gross * nav:
            return "MAX_GROSS_EXPOSURE"
        if abs(sum(value.values(), ZERO)) > cfg.max_net * nav:
            return "MAX_NET_EXPOSURE"
        for column, limit, code in cfg.concentration:
            if limit == ONE:        # off
                continue
            group = self.instruments[symbol][column]
            same = (abs(v) for s, v in value.items() if self.instruments[s][column] == group)
            if sum(same, ZERO) > limit * nav:
                return code
        if self.cash - committed - notional < 0:
            return "BUYING_POWER"
        return None

    def submit(self, today, orders):
        for symbol, side, qty in orders:
            code = self.gate(symbol, side, qty)
            if code is None:
                self.working.append((symbol, side, qty))
            else:
                self.rejections.append((today, symbol, side, qty, code))

    def fill(self, today, symbol, side, qty):
        price = self.marks[symbol]
        fee = qty * price * self.cfg.fee_rate
        signed = qty if side == "BUY" else -qty
        self.cash -= signed * price + fee
        left = self.held.get(symbol, ZERO) + signed
        if left:
            self.held[symbol] = left
        else:
            del self.held[symbol]
        self.min_cash = min(self.min_cash, self.cash)
        self.trades.append((today, symbol, side, qty, price, fee))

    # --- the sessions

    def at_open(self, today, previous):
        self.roll_baselines(today, previous)
        if self.pending is not None:
            if self.pending["stage"] == "reduce":
                self.submit(today, self.reduce_orders())
                self.pending["stage"] = "increase"
            else:
                self.submit(today, self.increase_orders())
                self.pending = None
        self.operator_resume()

    def at_close(self, t):
        today = self.dates[t]
        self.marks = self.prices[t]
        self.evaluate_losses(today)
        fills, self.working = self.working, []
        for symbol, side, qty in fills:
            self.fill(today, symbol, side, qty)
            self.evaluate_losses(today)
        self.navs.append((today, self.nav(), self.cash))
        if self.calendar.last_of_month(today):
            decision = decide(self.cfg, self.symbols, self.floats, t)
            if decision is not None:
                self.pending = decision

    def run(self):
        previous = None
        for t, today in enumerate(self.dates):
            if self.cfg.start <= today <= self.cfg.end:
                self.at_open(today, previous)
                self.at_close(t)
                previous = today
        if previous is None:
            raise SystemExit("no session between run.start and run.end")

    # --- results

    def max_drawdown(self):
        peak, worst = self.cfg.initial_cash, ZERO
        for _, nav, _ in self.navs:
            peak = max(peak, nav)
            worst = max(worst, (peak - nav) / peak)
        return round(worst, 12)

    def write(self, out):
        out.mkdir(parents=True, exist_ok=True)

        def table(name, header, rows):
            with open(out / name, "w", newline="") as f:
                w = csv.writer(f, lineterminator="\n")
                w.writerow(header)
                for row in rows:
                    w.writerow([show(x) if isinstance(x, Fraction) else x for x in row])

        table("trades.csv", ["date", "symbol", "side", "quantity", "price", "fee"], self.trades)
        table("nav.csv", ["date", "nav", "cash"], self.navs)
        table("rejections.csv", ["date", "symbol", "side", "quantity", "code"], self.rejections)
        table("halts.csv", ["date", "limits"], [(d, "|".join(ls)) for d, ls in self.halts])
        summary = {
            "final_nav": show(self.navs[-1][1]),
            "trades": len(self.trades),
            "rejections": dict(sorted(Counter(r[4] for r in self.rejections).items())),
            "halts": len(self.halts),
            "min_cash": show(self.min_cash),
            "max_drawdown": show(self.max_drawdown()),
        }
        (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("closes", "instruments", "calendar", "config", "out"):
        p.add_argument(f"--{name}", required=True, type=pathlib.Path)
    args = p.parse_args(argv)

    cfg = Config(args.config)
    calendar = Calendar(args.calendar)
    symbols, dates, prices, floats = read_closes(args.closes, calendar)
    with open(args.instruments, newline="") as f:
        instruments = {r["symbol"]: r | {"lot": Fraction(r["lot"])} for r in csv.DictReader(f)}
    missing = [s for s in symbols if s not in instruments]
    if missing:
        raise SystemExit(f"{args.instruments}: no instrument for {', '.join(missing)}")

    run = Run(cfg, calendar, instruments, symbols, dates, prices, floats)
    run.run()
    run.write(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
