"""Drives the double of Polygon with the vendor's own client, massive."""

import asyncio
import logging
import threading
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from double import Double, Table, arguments, until
from massive import RESTClient, WebSocketClient
from massive.exceptions import AuthError, BadResponse
from massive.websocket.models import EquityAgg, EquityQuote, EquityTrade

OFFICIAL = f"massive {version('massive')}"

# Everything that the double says or takes.
MESSAGES = [
    "bars", "bars of seconds, hours, days, weeks, months", "pages of bars", "bars of crypto", "trades", "pages of trades",
    "trades of crypto", "quotes", "last quote", "last trade", "last quote of currencies", "error: unknown key",
    "error: not found", "error: rate limit", "stream: connected, authenticated", "stream: subscription", "stream: T",
    "stream: Q", "stream: AM", "stream: A", "stream: auth_failed", "stream: max_connections", "stream: not authorized",
    "stream: after a cut", "stream: crypto, options, currencies",
]


def history(double, table, client):
    """What is asked for."""
    end = datetime.now(timezone.utc)
    start = end - timedelta(days=9)

    def case(message, run):
        def checked():
            double.heard()
            found = run()
            assert found, found
        table.case(message, OFFICIAL, checked)

    def pages_of(path):
        return len([row for row in double.heard() if path in row["target"]])

    def bars(count, unit, ticker="AAPL", **more):
        return list(client.list_aggs(ticker, count, unit, start, end, **more))

    case("bars", lambda: (rows := bars(1, "minute")) and sum(row.transactions for row in rows) > 1_000
         and all(row.low <= row.vwap <= row.high for row in rows))

    def lengths():
        counts = [len(bars(*length)) for length in [(30, "second"), (1, "hour"), (4, "hour"), (1, "day")]]
        months = list(client.list_aggs("AAPL", 1, "month", start - timedelta(days=60), end))
        weeks = list(client.list_aggs("AAPL", 1, "week", start - timedelta(days=60), end))
        return counts == sorted(counts, reverse=True) and counts[-1] >= 5 and len(weeks) >= len(months) >= 1
    case("bars of seconds, hours, days, weeks, months", lengths)

    def pages():
        whole = bars(1, "minute", limit=50_000)
        double.heard()
        # Minutes without a trade have no bar: after a weekend there are 1,400 in nine days.
        parts = bars(1, "minute", limit=200)
        return [row.timestamp for row in parts] == [row.timestamp for row in whole] and pages_of("/v2/aggs") > 3
    case("pages of bars", pages)
    case("bars of crypto", lambda: len(bars(1, "hour", "X:BTCUSD")) in range(214, 218))
    since = {"timestamp_gte": start, "timestamp_lt": end}
    case("trades", lambda: (rows := list(client.list_trades("AAPL", order="asc", limit=50_000, **since)))
         and [row.sip_timestamp for row in rows] == sorted(row.sip_timestamp for row in rows)
         and all(float(row.decimal_size) == row.size for row in rows))

    def pages_of_trades():
        rows = list(client.list_trades("X:BTCUSD", limit=1_000, **since))
        ids = [row.id for row in rows]
        return len(ids) == len(set(ids)) > 10_000 and pages_of("/v3/trades") > 10
    case("pages of trades", pages_of_trades)
    case("trades of crypto", lambda: next(client.list_trades("X:ETHUSD", limit=1)).participant_timestamp)
    case("quotes", lambda: all(row.bid_price < row.ask_price for row in client.list_quotes("AAPL", limit=50_000, **since)))
    case("last quote", lambda: (row := client.get_last_quote("AAPL")).bid_price < row.ask_price and row.ticker == "AAPL")
    case("last trade", lambda: client.get_last_trade("AAPL").price > 0)
    case("last quote of currencies", lambda: (row := client.get_last_forex_quote("EUR", "USD")).last.bid < row.last.ask)


def errors(double, table, client):
    """Refusals, as the client's exceptions."""
    def refused(run, words):
        try:
            run()
        except BadResponse as error:
            assert words in str(error), error
            return
        raise AssertionError("it was taken")
    wrong = RESTClient("wrong", base=double.endpoints["rest"])
    table.case("error: unknown key", OFFICIAL, lambda: refused(lambda: wrong.get_last_trade("AAPL"), "Unknown API Key"))
    table.case("error: not found", OFFICIAL, lambda: refused(lambda: client.get_last_trade("NONE"), "NOT_FOUND"))

    def too_many():
        # The client comes again by itself.
        double.act({"call": {"call": "prices", "fault": {"too_many": {"retry_after": None}}, "times": 2}})
        double.heard()
        assert client.get_last_trade("AAPL").price > 0
        assert len(double.heard()) == 3
    table.case("error: rate limit", OFFICIAL, too_many)


class Follower:
    """The client's stream in a thread, and what it was told."""

    def __init__(self, double, key, topics, **more):
        self.told, self.error = [], None
        feed = double.rest.removeprefix("http://")
        self.client = WebSocketClient(key, feed=feed, market="stocks", secure=False, subscriptions=topics, **more)

        async def take(messages):
            self.told += messages

        def run():
            try:
                asyncio.run(self.client.connect(take))
            except (AuthError, RuntimeError) as error:
                self.error = error
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def next(self, kind, check):
        return until(kind.__name__, lambda: [row for row in self.told if isinstance(row, kind) and check(row)])[-1]


class Log(logging.Handler):
    """What the client says of statuses that it does nothing about."""

    def __init__(self):
        super().__init__()
        self.lines = []
        logging.getLogger("WebSocketClient").addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())


def plan(mts, table, log):
    """A plan without prints and quotes."""
    def run():
        double = Double(mts, "polygon", "--variant", "bars_only")
        try:
            Follower(double, double.secrets["api_key"], ["T.AAPL", "AM.AAPL"])
            until("a refusal", lambda: [line for line in log.lines if "not authorized" in line])
            until("the rest", lambda: double.get("")["streams"] == 1)
        finally:
            double.end()
    table.case("stream: not authorized", OFFICIAL, run)


def stream(double, table, key, log):
    """The stream of shares."""
    follower = Follower(double, key, ["T.AAPL", "Q.AAPL", "AM.*"])
    table.case("stream: connected, authenticated", OFFICIAL, lambda: until("a stream", lambda: double.get("")["streams"] == 1))
    trade = {"trade_id": "", "symbol": "AAPL", "price": "101.25", "size": "7", "venue": "sdk", "timestamp": "2026-01-02T15:00:00Z"}
    bar = {"symbol": "MSFT", "interval": "1m", "open": "100", "high": "110", "low": "99", "close": "105.5", "volume": "12",
           "vwap": "104", "n_trades": 3, "timestamp": "2026-01-02T15:01:00Z"}

    def told(message, kind, act, check):
        def run():
            act()
            follower.next(kind, check)
        table.case(message, OFFICIAL, run)
    told("stream: T", EquityTrade, lambda: double.ask("POST", "trades", [trade]), lambda row: (row.price, row.size) == (101.25, 7))
    told("stream: Q", EquityQuote, lambda: double.quote("AAPL", "101.2", "101.3"),
         lambda row: (row.bid_price, row.ask_price) == (101.2, 101.3))
    told("stream: AM", EquityAgg, lambda: double.ask("POST", "bars", [bar]),
         lambda row: (row.symbol, row.close, row.end_timestamp - row.start_timestamp) == ("MSFT", 105.5, 60_000))

    def subscription():
        double.heard()
        follower.client.subscribe("T.MSFT")
        follower.client.unsubscribe("T.AAPL")
        said = lambda: [row["body"] for row in double.heard() if row["method"] == "MESSAGE"]
        seen = []
        until("both messages", lambda: seen.extend(said()) or len(seen) == 2)
        double.ask("POST", "trades", [trade | {"price": "5"}, trade | {"symbol": "MSFT", "price": "6"}])
        follower.next(EquityTrade, lambda row: row.price == 6)
        assert not [row for row in follower.told if isinstance(row, EquityTrade) and row.price == 5]
    table.case("stream: subscription", OFFICIAL, subscription)

    def other():
        second = Follower(double, key, ["T.AAPL"], max_reconnects=0)
        until("the end of the second stream", lambda: not second.thread.is_alive())
        assert double.get("")["streams"] == 1 and not second.told
        until("the reason", lambda: [line for line in log.lines if "max_connections" in line])
    table.case("stream: max_connections", OFFICIAL, other)

    def refused():
        second = Follower(double, "wrong", ["T.AAPL"])
        until("a refusal", lambda: isinstance(second.error, AuthError))
        assert str(second.error) == "authentication failed"
    table.case("stream: auth_failed", OFFICIAL, refused)

    def cut():
        double.act({"stream": "cut"})
        until("the end of the stream", lambda: double.get("")["streams"] == 0)
        until("the stream again", lambda: double.get("")["streams"] == 1)
        double.ask("POST", "trades", [trade | {"symbol": "MSFT", "price": "77"}])
        follower.next(EquityTrade, lambda row: row.price == 77)
    table.case("stream: after a cut", OFFICIAL, cut)


def main():
    mts, captures = arguments()
    double = Double(mts, "polygon")
    try:
        key = double.secrets["api_key"]
        # There are no captures of this vendor.
        table = Table("polygon", captures, set())
        client = RESTClient(key, base=double.endpoints["rest"])
        history(double, table, client)
        errors(double, table, client)
        log = Log()
        stream(double, table, key, log)
        plan(mts, table, log)
        return table.finish(MESSAGES)
    finally:
        double.end()


if __name__ == "__main__":
    raise SystemExit(main())
