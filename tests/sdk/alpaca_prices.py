"""Drives the data API of the double of Alpaca, and its streams of prices, with the venue's own client."""

import threading
from datetime import datetime, timedelta, timezone

from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestTradeRequest,
    CryptoQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from double import until

# Everything that the data API and its streams say.
MESSAGES = [
    "data: stock bars", "data: stock bars of 15Min, 4Hour, 1Day, 1Week, 1Month", "data: stock trades", "data: stock quotes",
    "data: pages", "data: latest stock trade and bar", "data: stock snapshot", "data: crypto bars",
    "data: crypto trades and quotes", "data: latest crypto trade and bar", "data: crypto book", "data: crypto snapshot",
    "data: error", "prices: authenticated", "prices: subscription", "prices: trade", "prices: quote", "prices: bar",
    "prices: updated bar", "prices: daily bar", "prices: status, LULD", "prices: correction, cancel",
    "prices: crypto trade, quote, book, bar", "prices: error: auth failed", "prices: error: insufficient subscription",
    "prices: error: symbol limit", "prices: error: connection limit", "prices: after a cut", "prices: JSON",
]


def history(double, table, who, keys):
    """What is asked for."""
    shares = StockHistoricalDataClient(*keys, url_override=double.endpoints["data"])
    crypto = CryptoHistoricalDataClient(*keys, url_override=double.endpoints["data"])
    end = datetime.now(timezone.utc)
    # From midnight on, so that no bar begins before the first print that is asked for.
    span = {"start": (end - timedelta(days=8)).replace(hour=0, minute=0, second=0, microsecond=0), "end": end}

    def case(message, run):
        def checked():
            double.heard()
            assert run()
        table.case(message, who, checked)

    def bars():
        rows = shares.get_stock_bars(StockBarsRequest(symbol_or_symbols=["AAPL", "MSFT"], timeframe=TimeFrame.Minute, **span))
        prints = shares.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", **span))["AAPL"]
        told, made = sum(row.trade_count for row in rows["AAPL"]), len(prints)
        assert abs(sum(row.volume for row in rows["AAPL"]) - sum(row.size for row in prints)) < 1e-3
        return set(rows.data) == {"AAPL", "MSFT"} and told == made > 1000
    case("data: stock bars", bars)

    def lengths():
        units = [(15, TimeFrameUnit.Minute), (4, TimeFrameUnit.Hour), (1, TimeFrameUnit.Day), (1, TimeFrameUnit.Week),
                 (1, TimeFrameUnit.Month)]
        counts = []
        for count, unit in units:
            # A bar belongs to the span that it starts in, so that it begins before the month.
            start = {"start": end - timedelta(days=45), "end": end}
            wanted = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame(count, unit), **start)
            counts.append(len(shares.get_stock_bars(wanted)["AAPL"]))
        return counts == sorted(counts, reverse=True) and counts[0] > 100 and counts[-1] in (1, 2)
    case("data: stock bars of 15Min, 4Hour, 1Day, 1Week, 1Month", lengths)
    case("data: stock trades", lambda: shares.get_stock_trades(
        StockTradesRequest(symbol_or_symbols="AAPL", limit=5, **span))["AAPL"][4].price > 90)
    case("data: stock quotes", lambda: all(row.bid_price < row.ask_price for row in shares.get_stock_quotes(
        StockQuotesRequest(symbol_or_symbols="AAPL", limit=50, **span))["AAPL"]))

    def pages():
        rows = crypto.get_crypto_trades(CryptoTradesRequest(symbol_or_symbols=["BTC/USD", "ETH/USD"], **span)).data
        asked = [row for row in double.heard() if "/trades" in row["target"]]
        ids = [row.id for row in rows["BTC/USD"]]
        return len(asked) > 2 and ids == sorted(set(ids)) and len(ids) + len(rows["ETH/USD"]) > 20_000
    case("data: pages", pages)
    case("data: latest stock trade and bar", lambda: shares.get_stock_latest_trade(
        StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"].price and shares.get_stock_latest_bar(
        StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"].close)

    def snapshot(rows, symbol):
        row = rows[symbol]
        return row.latest_quote.bid_price and row.latest_trade.price and row.previous_daily_bar.timestamp < row.daily_bar.timestamp
    case("data: stock snapshot", lambda: snapshot(shares.get_stock_snapshot(
        StockSnapshotRequest(symbol_or_symbols=["AAPL"])), "AAPL"))

    pair = {"symbol_or_symbols": "BTC/USD"}
    case("data: crypto bars", lambda: len(crypto.get_crypto_bars(
        CryptoBarsRequest(timeframe=TimeFrame.Hour, **pair, **span))["BTC/USD"]) in range(191, 218))
    case("data: crypto trades and quotes", lambda: len(crypto.get_crypto_trades(
        CryptoTradesRequest(limit=10, **pair, **span))["BTC/USD"]) == 10 == len(crypto.get_crypto_quotes(
            CryptoQuoteRequest(limit=10, **pair, **span))["BTC/USD"]))
    case("data: latest crypto trade and bar", lambda: crypto.get_crypto_latest_trade(
        CryptoLatestTradeRequest(**pair))["BTC/USD"].price and crypto.get_crypto_latest_bar(
        CryptoLatestBarRequest(**pair))["BTC/USD"].close)
    case("data: crypto book", lambda: crypto.get_crypto_latest_orderbook(
        CryptoLatestOrderbookRequest(**pair))["BTC/USD"].bids[0].price > 0)
    case("data: crypto snapshot", lambda: snapshot(crypto.get_crypto_snapshot(CryptoSnapshotRequest(**pair)), "BTC/USD"))

    def refused():
        try:
            shares.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", feed=DataFeed.SIP))
        except APIError as error:
            return error.status_code == 403 and "recent SIP" in str(error)
    case("data: error", refused)


class Follower:
    """One of the client's streams in a thread, and what it was told."""

    def __init__(self, stream, wanted):
        self.stream, self.told = stream, []

        async def take(message):
            self.told.append(message)
        for subscribe, symbol in wanted:
            getattr(stream, f"subscribe_{subscribe}")(take, symbol)
        threading.Thread(target=stream.run, daemon=True).start()

    def next(self, what, check):
        return until(what, lambda: [message for message in self.told if check(message)])[-1]


def errors(double, table, who, keys):
    """Streams that are refused: what the double said, and that the client took it for that."""
    import asyncio

    def refused(path, secret):
        async def run():
            stream = StockDataStream(keys[0], secret, url_override=double.rest.replace("http", "ws") + path)
            try:
                await stream._start_ws()
            except ValueError as error:
                return str(error)
            finally:
                await stream.close()
        return asyncio.run(run())

    def case(message, wanted, run):
        def checked():
            words = run()
            assert words == wanted, words
        table.case(message, who, checked)
    case("prices: error: auth failed", "auth failed", lambda: refused("/v2/iex", "wrong"))
    case("prices: error: insufficient subscription", "insufficient subscription", lambda: refused("/v2/sip", keys[1]))
    case("prices: error: connection limit", "connection limit exceeded", lambda: refused("/v2/iex", keys[1]))


def streams(double, table, who, keys):
    """What is told, in MessagePack, which is what the client speaks."""
    base = double.rest.replace("http", "ws")
    wanted = [(name, "AAPL") for name in ("trades", "quotes", "bars", "updated_bars", "daily_bars")]
    double.heard()
    shares = Follower(StockDataStream(*keys, url_override=base + "/v2/iex"), wanted)
    table.case("prices: authenticated", who, lambda: until("a stream", lambda: double.get("")["streams"] == 1))
    table.client("prices: subscription", who)
    trade = {"trade_id": "", "symbol": "AAPL", "price": "101.25", "size": "7", "venue": "sdk", "timestamp": "2026-01-02T15:00:00Z"}
    bar = {"symbol": "AAPL", "interval": "1m", "open": "100", "high": "110", "low": "99", "close": "105.5", "volume": "12",
           "vwap": "104", "n_trades": 3, "timestamp": "2026-01-02T15:01:00Z"}

    def told(message, kind, act, check):
        def run():
            act()
            shares.next(message, lambda row: type(row).__name__ == kind and check(row))
        table.case(message, who, run)
    told("prices: trade", "Trade", lambda: double.ask("POST", "trades", [trade]), lambda row: (row.price, row.size) == (101.25, 7))
    told("prices: quote", "Quote", lambda: double.quote("AAPL", "101.2", "101.3"), lambda row: row.ask_price == 101.3)
    start = datetime(2026, 1, 2, 15, tzinfo=timezone.utc)
    told("prices: bar", "Bar", lambda: double.ask("POST", "bars", [bar]), lambda row: row.close == 105.5 and row.timestamp == start)
    told("prices: updated bar", "Bar", lambda: double.ask("POST", "bars", [bar | {"close": "106"}]),
         lambda row: row.close == 106 and row.timestamp == start)
    errors(double, table, who, keys)

    def limit():
        async def nothing(_):
            pass
        double.heard()
        before = len(shares.told)
        shares.stream.subscribe_trades(nothing, *[f"S{number}" for number in range(40)])
        # The client logs the error and goes on, and so does the stream.
        double.ask("POST", "trades", [trade | {"price": "99"}])
        shares.next("a print after the refusal", lambda row: getattr(row, "price", None) == 99 and len(shares.told) > before)
        for number in range(40):
            del shares.stream._handlers["trades"][f"S{number}"]
    table.case("prices: error: symbol limit", who, limit)

    def cut():
        double.act({"stream": "cut"})
        until("the end of the stream", lambda: double.get("")["streams"] == 0)
        until("the stream again", lambda: double.get("")["streams"] == 1)
        double.ask("POST", "trades", [trade | {"price": "77"}])
        shares.next("a print after the cut", lambda row: getattr(row, "price", None) == 77)
    table.case("prices: after a cut", who, cut)

    def crypto():
        wanted = [(name, "BTC/USD") for name in ("trades", "quotes", "orderbooks", "bars")]
        follower = Follower(CryptoDataStream(*keys, url_override=base + "/v1beta3/crypto/us"), wanted)
        until("two streams", lambda: double.get("")["streams"] == 2)
        double.ask("POST", "trades", [trade | {"symbol": "BTC-USD", "size": "0.001"}])
        double.quote("BTC-USD", "49999.5", "50000")
        double.ask("POST", "bars", [bar | {"symbol": "BTC-USD"}])
        for kind in ("Trade", "Quote", "Orderbook", "Bar"):
            follower.next(kind, lambda row: type(row).__name__ == kind and row.symbol == "BTC/USD")
        follower.stream.stop()
    table.case("prices: crypto trade, quote, book, bar", who, crypto)
    shares.stream.stop()


def prices(double, table, who, keys):
    """All of it."""
    history(double, table, who, keys)
    streams(double, table, who, keys)
