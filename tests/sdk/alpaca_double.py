"""Drives the double of Alpaca with the venue's own client, alpaca-py, and with ccxt as a second one."""

import threading
import uuid
from datetime import datetime, timezone

import alpaca
import alpaca_prices
import ccxt
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import CryptoLatestQuoteRequest, StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.models import TradeActivity
from alpaca.trading.requests import (
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
)
from alpaca.trading.stream import TradingStream
from double import Double, Table, arguments, until

OFFICIAL, OTHER = f"alpaca-py {alpaca.__version__}", f"ccxt {ccxt.__version__}"

# Everything that the double says or takes.
MESSAGES = [
    "account", "positions", "position", "asset", "assets", "clock", "calendar", "stock quote", "crypto quote",
    "order: market", "order: limit", "order: stop", "order: stop limit", "order: by value", "order: fractional",
    "order: extended hours", "order: opening", "order: immediate or cancel", "order: fill or kill", "order: crypto",
    "get order", "get order by client id", "list orders", "page of orders", "cancel", "cancel all", "replace",
    "fills", "page of fills", "cash activity", "error: duplicate client id", "error: insufficient", "error: not found",
    "error: invalid", "error: not authorised", "error: rate limit", "stream: authorised", "stream: new",
    "stream: partial_fill", "stream: fill", "stream: pending_cancel", "stream: canceled", "stream: expired",
    "stream: rejected", "stream: replaced", "stream: after a cut", "order: trailing stop", "order: bracket",
    "order: for the close", "order: option",
]


def refused(code, run):
    """Runs what the venue refuses with a code."""
    try:
        run()
    except APIError as error:
        assert error.code == code, f"code {error.code} for {code}: {error}"
        return
    raise AssertionError(f"it was taken, and {code} was expected")


def orders(double, table, client):
    """Each type of order that the client can send, with the arguments of the captures."""
    fields = {"symbol": "AAPL", "side": OrderSide.BUY, "qty": 10}
    sale = fields | {"side": OrderSide.SELL}
    day, gtc = {"time_in_force": TimeInForce.DAY}, {"time_in_force": TimeInForce.GTC}
    cases = [
        ("order: market", "submit_market_day", MarketOrderRequest, fields | day, "filled"),
        ("order: opening", "submit_market_opg", MarketOrderRequest, fields | {"time_in_force": TimeInForce.OPG}, "accepted"),
        ("order: fractional", "submit_market_fractional", MarketOrderRequest, fields | day | {"qty": 0.5}, "filled"),
        ("order: by value", "submit_market_notional", MarketOrderRequest,
         {"symbol": "AAPL", "side": OrderSide.BUY, "notional": 100.5} | day, "filled"),
        ("order: limit", "submit_limit_gtc", LimitOrderRequest, fields | gtc | {"limit_price": 187.5}, "filled"),
        ("order: extended hours", "submit_limit_day_ext", LimitOrderRequest,
         fields | day | {"limit_price": 187.5, "extended_hours": True}, "filled"),
        ("order: immediate or cancel", "submit_limit_ioc", LimitOrderRequest,
         fields | {"limit_price": 187.5, "time_in_force": TimeInForce.IOC}, "filled"),
        ("order: fill or kill", "submit_limit_fok", LimitOrderRequest,
         sale | {"limit_price": 187.5, "time_in_force": TimeInForce.FOK}, "canceled"),
        ("order: stop", "submit_stop", StopOrderRequest, sale | gtc | {"stop_price": 180.25}, "new"),
        ("order: stop limit", "submit_stop_limit", StopLimitOrderRequest,
         sale | gtc | {"stop_price": 180.25, "limit_price": 180}, "new"),
        ("order: crypto", "submit_crypto_market_gtc", MarketOrderRequest,
         fields | gtc | {"symbol": "BTC/USD", "qty": 0.001}, "filled"),
    ]
    for message, capture, kind, arguments, status in cases:
        def run():
            double.heard()
            wanted = kind(client_order_id=str(uuid.uuid4()), **arguments)
            order = client.submit_order(wanted)
            table.capture(message, capture, double.heard())
            assert order.client_order_id == wanted.client_order_id
            now = client.get_order_by_id(order.id)
            assert now.status.value == status, f"{now.status.value} for {status}"
        table.case(message, OFFICIAL, run)


def reads(double, table, client):
    """What is asked without changing anything."""
    def case(message, capture, run, check=lambda result: result):
        def checked():
            double.heard()
            result = run()
            if capture:
                table.capture(message, capture, double.heard())
            assert check(result), f"{result}"
        table.case(message, OFFICIAL, checked)

    some = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=1))[0]
    case("account", "account", client.get_account, lambda account: account.status.value == "ACTIVE")
    case("positions", "positions", client.get_all_positions, lambda rows: {row.symbol for row in rows} == {"AAPL", "BTCUSD"})
    case("position", None, lambda: client.get_open_position("AAPL"), lambda row: float(row.qty) > 40)
    case("asset", "asset", lambda: client.get_asset("AAPL"), lambda asset: asset.shortable)
    case("assets", None, client.get_all_assets, lambda rows: len(rows) > 3)
    case("clock", "clock", client.get_clock, lambda clock: clock.next_close > clock.timestamp)
    case("calendar", None, lambda: client.get_calendar(GetCalendarRequest(start="2026-07-01", end="2026-07-06")),
         lambda days: len(days) == 3)
    case("get order", "get_order", lambda: client.get_order_by_id(some.id), lambda order: order.id == some.id)
    case("get order by client id", "get_order_by_client_id",
         lambda: client.get_order_by_client_id(some.client_order_id), lambda order: order.id == some.id)
    listing = GetOrdersRequest(
        status=QueryOrderStatus.OPEN, limit=500, nested=False, direction="asc",
        after=datetime(2023, 11, 14, tzinfo=timezone.utc), symbols=["AAPL", "MSFT"])
    case("list orders", "list_open_orders", lambda: client.get_orders(listing), lambda rows: len(rows) == 3)

    def pages():
        found, after = [], datetime(2023, 11, 14, tzinfo=timezone.utc)
        while rows := client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=4, direction="asc", after=after)):
            found += [row.id for row in rows]
            # The client's instants have microseconds; the venue's have more, and the last row comes again.
            if after == (after := rows[-1].submitted_at):
                break
        everything = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500))
        return set(found) == {row.id for row in everything}
    case("page of orders", None, pages)

    start = {"direction": "asc", "page_size": 100}
    fills = "/account/activities/FILL"
    read = lambda rows: [TradeActivity(**row) for row in rows]
    case("fills", "fills", lambda: read(client.get(fills, {"after": "2023-11-14T00:00:00Z"} | start)), lambda rows: len(rows) >= 6)
    first = client.get(fills, {"direction": "asc", "page_size": 2})
    case("page of fills", "fills_page2", lambda: read(client.get(fills, start | {"page_token": first[-1]["id"]})),
         lambda rows: rows and rows[0].id not in {row["id"] for row in first})

    def cash():
        double.act({"happen": {"cash": {"amount": "-12.5"}}})
        rows = client.get("/account/activities", {"activity_types": "CSD,CSW"})
        return rows[0]["net_amount"] == "-12.5"
    case("cash activity", None, cash)


def prices(double, table, keys):
    """The data API, with the client's own classes."""
    for message, capture, kind, request, symbol in [
        ("stock quote", "stock_latest_quote", StockHistoricalDataClient, StockLatestQuoteRequest, "AAPL"),
        ("crypto quote", "crypto_latest_quote", CryptoHistoricalDataClient, CryptoLatestQuoteRequest, "BTC/USD"),
    ]:
        def run():
            client = kind(*keys, url_override=double.endpoints["data"])
            double.heard()
            wanted = request(symbol_or_symbols=[symbol])
            ask = client.get_stock_latest_quote if kind is StockHistoricalDataClient else client.get_crypto_latest_quote
            quote = ask(wanted)[symbol]
            table.capture(message, capture, double.heard())
            assert 0 < quote.bid_price < quote.ask_price
        table.case(message, OFFICIAL, run)


def changes(double, table, client):
    """Cancelling and replacing."""
    def resting():
        wanted = LimitOrderRequest(symbol="AAPL", side=OrderSide.BUY, qty=10, limit_price=50, time_in_force=TimeInForce.GTC)
        return client.submit_order(wanted)

    def cancel():
        order = resting()
        double.heard()
        client.cancel_order_by_id(order.id)
        table.capture("cancel", "cancel", double.heard())
        until("the cancellation", lambda: client.get_order_by_id(order.id).status.value == "canceled")
    table.case("cancel", OFFICIAL, cancel)

    def replace():
        order = resting()
        double.heard()
        new = client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=5, limit_price=188))
        table.capture("replace", "replace", double.heard())
        assert new.replaces == order.id and client.get_order_by_id(order.id).replaced_by == new.id
    table.case("replace", OFFICIAL, replace)

    def cancel_all():
        order = resting()
        double.heard()
        rows = client.cancel_orders()
        table.capture("cancel all", "cancel_all", double.heard())
        assert order.id in {row.id for row in rows}
        until("no open order", lambda: not client.get_orders())
    table.case("cancel all", OFFICIAL, cancel_all)


def errors(double, table, client):
    """Refusals, as the client's exceptions."""
    market = {"symbol": "AAPL", "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    once = MarketOrderRequest(qty=1, client_order_id=str(uuid.uuid4()), **market)
    client.submit_order(once)
    cases = [
        ("error: duplicate client id", 40010001, lambda: client.submit_order(once)),
        ("error: insufficient", 40310000, lambda: client.submit_order(MarketOrderRequest(qty=1_000_000, **market))),
        ("error: not found", 40410000, lambda: client.get_order_by_id(str(uuid.uuid4()))),
        ("error: invalid", 42210000, lambda: client.submit_order(
            LimitOrderRequest(qty=1, limit_price=187.555, **market))),
        ("error: not authorised", 40110000,
         lambda: TradingClient("no", "key", url_override=double.endpoints["rest"]).get_account()),
    ]
    for message, code, run in cases:
        table.case(message, OFFICIAL, lambda: refused(code, run))

    def too_many():
        # The client comes again by itself, after three seconds.
        double.act({"call": {"call": "account", "fault": {"too_many": {"retry_after": 1}}, "times": 1}})
        double.heard()
        client.get_account()
        assert len(double.heard()) == 2
    table.case("error: rate limit", OFFICIAL, too_many)


def stream(double, table, client, keys):
    """The stream of trade updates."""
    told = []
    follower = TradingStream(*keys, url_override=double.endpoints["stream"])

    async def take(update):
        told.append(update)
    follower.subscribe_trade_updates(take)
    double.heard()
    threading.Thread(target=follower.run, daemon=True).start()
    table.case("stream: authorised", OFFICIAL, lambda: until("a stream", lambda: double.get("")["streams"] == 1))
    said = [row["body"] for row in double.heard() if row["method"] == "MESSAGE"]
    table.capture("stream: authorised", "ws_override_plain", said)

    def resting():
        wanted = LimitOrderRequest(symbol="AAPL", side=OrderSide.BUY, qty=10, limit_price=50, time_in_force=TimeInForce.GTC)
        return str(client.submit_order(wanted).id)

    def event(name, order):
        def found():
            return [update for update in told if update.event == name and str(update.order.id) == order]
        return until(f"{name} of {order}", found)[-1]

    def fills():
        order = resting()
        event("new", order)
        double.act({"happen": {"fill": {"order": order, "quantity": "4", "price": None}}})
        part = event("partial_fill", order)
        assert (part.qty, part.price, float(part.order.filled_qty)) == (4, 50, 4), part
        table.client("stream: new", OFFICIAL)
        table.client("stream: partial_fill", OFFICIAL)
        double.act({"happen": {"fill": {"order": order, "quantity": "6", "price": "49.5"}}})
        whole = event("fill", order)
        assert (whole.qty, whole.price, float(whole.order.filled_qty)) == (6, 49.5, 10), whole
    table.case("stream: fill", OFFICIAL, fills)

    def cancel():
        order = resting()
        client.cancel_order_by_id(order)
        event("pending_cancel", order)
        table.client("stream: pending_cancel", OFFICIAL)
        event("canceled", order)
    table.case("stream: canceled", OFFICIAL, cancel)

    def replaced():
        order = resting()
        client.replace_order_by_id(order, ReplaceOrderRequest(limit_price=51))
        event("replaced", order)
    table.case("stream: replaced", OFFICIAL, replaced)
    for name, act in [("expired", "expire"), ("rejected", "reject")]:
        def ended():
            order = resting()
            double.act({"happen": {act: {"order": order}}})
            event(name, order)
        table.case(f"stream: {name}", OFFICIAL, ended)

    def cut():
        double.act({"stream": "cut"})
        until("the stream again", lambda: double.get("")["streams"] == 1)
        event("new", resting())
    table.case("stream: after a cut", OFFICIAL, cut)
    follower.stop()


def second(double, table, keys):
    """The same with ccxt, which knows crypto alone."""
    client = ccxt.alpaca({"apiKey": keys[0], "secret": keys[1]})
    client.urls["api"] = {name: double.rest for name in client.urls["api"]}
    table.case("assets", OTHER, client.load_markets)
    pair, sent = "BTC/USD", {}

    def case(message, capture, run):
        def checked():
            double.heard()
            sent[capture] = run()
            table.capture(message, f"ccxt_{capture}", double.heard())
        table.case(message, OTHER, checked)

    case("order: crypto", "market", lambda: client.create_order(pair, "market", "buy", 0.001))
    case("order: limit", "limit", lambda: client.create_order(pair, "limit", "buy", 0.001, 37000))
    case("order: stop limit", "stop_limit", lambda: client.create_order(
        pair, "limit", "sell", 0.001, 36900, {"triggerPrice": 37000}))
    resting = (sent.get("limit") or {}).get("id")
    case("get order", "order", lambda: client.fetch_order(resting, pair))
    case("list orders", "open_orders", lambda: client.fetch_open_orders())
    case("cancel", "cancel", lambda: client.cancel_order(resting, pair))

    def fills():
        double.heard()
        rows = client.fetch_my_trades(pair, 1699990000000)
        table.capture("fills", "ccxt_fills", double.heard())
        assert rows and rows[-1]["price"] > 0, rows
    table.case("fills", OTHER, fills)

    def holds(check):
        assert check
    since = client.milliseconds() - 5 * 3_600_000
    table.case("data: crypto bars", OTHER, lambda: holds(len(client.fetch_ohlcv(pair, "1h", since)) in (5, 6)))
    table.case("data: crypto trades and quotes", OTHER, lambda: holds(len(client.fetch_trades(pair, since, 20)) == 20))
    table.case("data: crypto snapshot", OTHER, lambda: holds((row := client.fetch_ticker(pair))["bid"] < row["ask"]))
    table.case("data: crypto book", OTHER, lambda: holds(client.fetch_order_book(pair)["bids"][0][0] > 0))


def main():
    mts, captures = arguments()
    double = Double(mts, "alpaca")
    try:
        double.quote("AAPL", "187.4", "187.5")
        double.quote("BTC-USD", "49999.5", "50000")
        keys = (double.secrets["key_id"], double.secrets["secret_key"])
        table = Table("alpaca", captures, {"client_order_id", "page_token", "after"})
        client = TradingClient(*keys, url_override=double.endpoints["rest"])
        orders(double, table, client)
        reads(double, table, client)
        prices(double, table, keys)
        changes(double, table, client)
        errors(double, table, client)
        stream(double, table, client, keys)
        second(double, table, keys)
        alpaca_prices.prices(double, table, OFFICIAL, keys)
        return table.finish(MESSAGES + alpaca_prices.MESSAGES)
    finally:
        double.end()


if __name__ == "__main__":
    raise SystemExit(main())
