"""Drives the double of Databento's live gateway with the vendor's own client, databento."""

import logging
import sys
import threading
import time
from importlib.metadata import version

import databento as db
from double import Double, Table, arguments, until

OFFICIAL = f"databento {version('databento')}"
DATASET = "XNAS.ITCH"

# Everything that the double says or takes.
MESSAGES = [
    "greeting, challenge, proof", "success", "error: wrong key", "error: another data set", "error: too many sessions",
    "head of the stream", "symbol mapping", "subscription, acknowledged", "subscription of all symbols", "subscription by number",
    "subscription while records come", "trades", "mbp-1: a quote", "mbp-1: a print", "ohlcv-1m", "heartbeat", "time of sending",
    "error record: unknown symbol", "error record: invalid subscription", "error record: before the start", "slow reader: warning",
    "slow reader: skipped records", "after a cut", "after silence", "garbage", "record of an unknown kind", "slow reader: cut",
    "a client that does not prove its key",
]


class Client:
    """The client's session, and what it was told."""

    def __init__(self, double, key=None, slow=None, **more):
        host, port = double.endpoints["gateway"].removeprefix("tcp://").split(":")
        self.live = db.Live(key=key or double.secrets["api_key"], gateway=host, port=int(port), **more)
        self.told, self.slow = [], slow
        self.live.add_callback(self.take)

    def take(self, record):
        if self.slow and isinstance(record, db.TradeMsg):
            # The client reads nothing meanwhile.
            self.slow.wait(timeout=30)
        self.told.append(record)

    def subscribe(self, schema, symbols, **more):
        self.live.subscribe(dataset=DATASET, schema=schema, symbols=symbols, **more)
        return self

    def start(self, double):
        before = double.get("")["streams"]
        self.live.start()
        until("a stream", lambda: double.get("")["streams"] > before)
        return self

    def next(self, kind, check, seconds=10):
        return until(kind.__name__, lambda: [row for row in list(self.told) if isinstance(row, kind) and check(row)], seconds)[-1]

    def reason(self):
        """Why the session has ended, in the gateway's words."""
        try:
            self.live.block_for_close(timeout=10)
        except db.BentoError as error:
            return str(error)
        return ""

    def end(self):
        if self.live.is_connected():
            self.live.terminate()


def trade(symbol, price, size="7"):
    return {"trade_id": "", "symbol": symbol, "price": price, "size": size, "venue": "sdk", "timestamp": "2026-01-02T15:00:00Z"}


BAR = {"symbol": "MSFT", "interval": "1m", "open": "100", "high": "110", "low": "99", "close": "105.5", "volume": "12",
       "vwap": "104", "n_trades": 3, "timestamp": "2026-01-02T15:01:00Z"}


def session(double, table):
    """A session from its greeting to its records."""
    client = Client(double, heartbeat_interval_s=5)

    def case(message, run):
        def checked():
            found = run()
            assert found, found
        table.case(message, OFFICIAL, checked)

    def began():
        double.heard()
        client.subscribe("trades", ["AAPL", "BRK.B"]).subscribe("mbp-1", "AAPL").subscribe("ohlcv-1m", ["MSFT"])
        said = [row["target"] for row in double.heard()]
        assert said == ["auth"] + ["subscription"] * 3, said
        return client.live.session_id.isdigit()
    case("greeting, challenge, proof", began)
    table.client("success", OFFICIAL)
    client.start(double)

    def head():
        told = until("the head", lambda: client.live.metadata)
        return (told.version, told.dataset, told.schema, told.stype_in, str(told.stype_out), told.ts_out) == (
            3, DATASET, None, None, "instrument_id", False) and abs(told.start / 1e9 - time.time()) < 60
    case("head of the stream", head)

    def mapping():
        client.next(db.SymbolMappingMsg, lambda row: row.stype_out_symbol == "MSFT")
        return client.live.symbology_map == {1: "AAPL", 2: "MSFT", 4: "BRK.B"}
    case("symbol mapping", mapping)

    def acknowledged():
        rows = until("three", lambda: len([row for row in client.told if isinstance(row, db.SystemMsg)]) == 3 and client.told)
        return [row for row in rows if isinstance(row, db.SystemMsg) and row.code == db.SystemCode.SUBSCRIPTION_ACK]
    case("subscription, acknowledged", acknowledged)
    double.ask("POST", "trades", [trade("MSFT", "1"), trade("AAPL", "101.25"), trade("BRK.B", "5.000000001")])

    def trades():
        row = client.next(db.TradeMsg, lambda row: row.instrument_id == 4)
        assert row.price == 5_000_000_001
        rows = [row for row in client.told if isinstance(row, db.TradeMsg)]
        first = rows[0]
        return (len(rows), first.pretty_price, first.size, str(first.action), first.publisher_id) == (2, 101.25, 7, "T", 2) \
            and first.ts_recv >= first.ts_event > 0 and rows[1].sequence > first.sequence
    case("trades", trades)
    # The one behind the other: the book is that of before the print.
    case("mbp-1: a print", lambda: (row := client.next(db.MBP1Msg, lambda row: str(row.action) == "T")).pretty_price == 101.25
         and row.levels[0].bid_px < row.levels[0].ask_px)
    double.quote("AAPL", "101.2", "101.3")
    case("mbp-1: a quote", lambda: (row := client.next(db.MBP1Msg, lambda row: str(row.action) != "T")).levels[0].pretty_bid_px == 101.2
         and row.levels[0].pretty_ask_px == 101.3)
    double.ask("POST", "bars", [BAR])
    case("ohlcv-1m", lambda: (row := client.next(db.OHLCVMsg, lambda row: row.instrument_id == 2)).pretty_close == 105.5
         and (row.pretty_open, row.pretty_high, row.pretty_low, row.volume) == (100, 110, 99, 12)
         and row.ts_event == 1_767_366_000_000_000_000 and row.rtype == db.RType.OHLCV_1M)

    def later():
        client.subscribe("trades", "F")
        client.next(db.SymbolMappingMsg, lambda row: row.stype_out_symbol == "F")
        double.ask("POST", "trades", [trade("F", "12")])
        return client.next(db.TradeMsg, lambda row: row.instrument_id == 5).pretty_price == 12
    case("subscription while records come", later)
    case("error record: unknown symbol", lambda: client.subscribe("trades", ["NONE", "SPY"]) and "NONE" in client.next(
        db.ErrorMsg, lambda row: row.code == db.ErrorCode.SYMBOL_RESOLUTION_FAILED).err and client.live.is_connected())
    case("heartbeat", lambda: client.next(db.SystemMsg, lambda row: row.is_heartbeat(), 15))
    client.end()


def wishes(double, table):
    """What a session can be otherwise."""
    def sent_times():
        client = Client(double, ts_out=True).subscribe("trades", "ALL_SYMBOLS").start(double)
        try:
            double.ask("POST", "trades", [trade("SPY", "500")])
            row = client.next(db.TradeMsg, lambda row: row.instrument_id == 3)
            assert row.ts_recv <= row.ts_out < row.ts_recv + 60 * 10**9 and client.live.metadata.ts_out
            assert len(client.live.symbology_map) == 5
        finally:
            client.end()
        table.client("subscription of all symbols", OFFICIAL)
    table.case("time of sending", OFFICIAL, sent_times)

    def by_number():
        client = Client(double).subscribe("trades", [2], stype_in="instrument_id").start(double)
        try:
            double.ask("POST", "trades", [trade("AAPL", "1"), trade("MSFT", "2")])
            client.next(db.TradeMsg, lambda row: row.instrument_id == 2)
            assert client.live.symbology_map == {2: "MSFT"}
            assert not [row for row in client.told if isinstance(row, db.TradeMsg) and row.instrument_id == 1]
        finally:
            client.end()
    table.case("subscription by number", OFFICIAL, by_number)


def refusals(double, table):
    """What the gateway does not take."""
    def refused(words, run):
        try:
            run()
        except (db.BentoError, ValueError) as error:
            assert words in str(error), error
            return
        raise AssertionError("it was taken")
    wrong = "db-" + "A" * 29
    table.case("error: wrong key", OFFICIAL,
               lambda: refused("Authentication failed", lambda: Client(double, key=wrong).subscribe("trades", "AAPL")))
    other = lambda: Client(double).live.subscribe(dataset="GLBX.MDP3", schema="trades", symbols="ESZ6")
    table.case("error: another data set", OFFICIAL, lambda: refused("GLBX.MDP3", other))

    def full():
        clients = [Client(double).subscribe("trades", "AAPL") for _ in range(10)]
        try:
            refused("connection limit", lambda: Client(double).subscribe("trades", "AAPL"))
        finally:
            for client in clients:
                client.end()
    table.case("error: too many sessions", OFFICIAL, full)
    until("free places", lambda: free(double))

    def invalid():
        for more, words in [({"schema": "mbo"}, "mbo"), ({"schema": "trades", "stype_in": "parent"}, "parent"),
                            ({"schema": "trades", "stype_in": "continuous"}, "continuous")]:
            client = Client(double).subscribe("trades", "AAPL").start(double)
            client.subscribe(symbols={"parent": "ES.FUT", "continuous": "ES.c.0"}.get(more.get("stype_in"), "AAPL"), **more)
            reason = client.reason()
            assert words in reason, reason
            assert [row for row in client.told if isinstance(row, db.ErrorMsg)][0].code == db.ErrorCode.INVALID_SUBSCRIPTION
    table.case("error record: invalid subscription", OFFICIAL, invalid)

    def before():
        reason = Client(double).subscribe("mbo", "AAPL").reason()
        assert "mbo" in reason, reason
    table.case("error record: before the start", OFFICIAL, before)


def free(double):
    """Whether a session can be had."""
    client = Client(double)
    try:
        client.subscribe("trades", "AAPL")
    except db.BentoError:
        return False
    client.end()
    return True


def trouble(double, table):
    """What goes wrong on demand."""
    def cut():
        client = Client(double).subscribe("trades", "AAPL").start(double)
        double.act({"stream": "cut"})
        assert client.reason() == ""
        client = Client(double).subscribe("trades", "AAPL").start(double)
        double.ask("POST", "trades", [trade("AAPL", "88")])
        client.next(db.TradeMsg, lambda row: row.pretty_price == 88)
        client.end()
    table.case("after a cut", OFFICIAL, cut)

    def silence():
        # The client gives a silent gateway up ten seconds after a heartbeat is due, and comes again.
        gaps = []
        client = Client(double, heartbeat_interval_s=5, reconnect_policy="reconnect")
        client.live.add_reconnect_callback(lambda start, end: gaps.append((start, end)))
        client.subscribe("trades", "AAPL").start(double)
        double.ask("POST", "trades", [trade("AAPL", "1")])
        client.next(db.TradeMsg, lambda row: row.pretty_price == 1)
        double.act({"stream": "silent"})
        until("the stream again", lambda: gaps, 40)
        assert gaps[0][0] < gaps[0][1], gaps
        double.ask("POST", "trades", [trade("AAPL", "99")])
        client.next(db.TradeMsg, lambda row: row.pretty_price == 99)
        client.end()
    table.case("after silence", OFFICIAL, silence)

    def spoiled(fault):
        # The client gives up a stream that it cannot read, and one with a record of a kind that it does not know.
        client = Client(double).subscribe("trades", "AAPL").start(double)
        double.act({"stream": fault})
        double.ask("POST", "trades", [trade("AAPL", "1")])
        until("the end of the session", lambda: not client.live.is_connected())
    table.case("garbage", OFFICIAL, lambda: spoiled("garbage"))
    table.case("record of an unknown kind", OFFICIAL, lambda: spoiled("unknown_message"))

    def slow():
        go_on = threading.Event()
        client = Client(double, slow=go_on).subscribe("trades", "AAPL").subscribe("mbp-1", "AAPL").start(double)
        # More than the sockets keep and than the double keeps.
        for _ in range(8):
            double.ask("POST", "trades", [trade("AAPL", "1")] * 5_000)
        # Longer than until a warning, and shorter than until the end.
        time.sleep(1)
        go_on.set()
        client.next(db.SystemMsg, lambda row: row.code == db.SystemCode.SLOW_READER_WARNING, 30)
        table.client("slow reader: warning", OFFICIAL)
        client.next(db.ErrorMsg, lambda row: row.code == db.ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING, 30)
        client.end()
    table.case("slow reader: skipped records", OFFICIAL, slow)


def quiet():
    """Errors of the client's own threads are told by what they lead to; here they would only be in the way."""
    logging.getLogger("databento").addHandler(logging.NullHandler())
    logging.getLogger("asyncio").addHandler(logging.NullHandler())
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None


def main():
    mts, captures = arguments()
    quiet()
    double = Double(mts, "databento")
    try:
        # There are no captures of this vendor.
        table = Table("databento", captures, set())
        session(double, table)
        wishes(double, table)
        refusals(double, table)
        trouble(double, table)
        return table.finish(MESSAGES)
    finally:
        double.end()


if __name__ == "__main__":
    raise SystemExit(main())
