"""Drives the double of Kraken spot with its most used client, python-kraken-sdk, and with ccxt as a second one."""

import asyncio
import logging
import time
import uuid
from importlib.metadata import version

import ccxt
from double import Double, Table, arguments, until
from kraken import exceptions
from kraken.spot import Market, SpotWSClient, Trade, User

USUAL, OTHER = f"python-kraken-sdk {version('python-kraken-sdk')}", f"ccxt {ccxt.__version__}"

# Everything that the double says or takes.
MESSAGES = [
    "time", "status", "assets", "pairs", "ticker", "balance", "balance with holds", "trade balance", "key", "token",
    "order: market", "order: limit", "order: as JSON", "order: immediate or cancel", "order: fill or kill",
    "order: post only until", "order: stop", "order: stop limit", "order: with a reference", "order: checked only",
    "open orders", "open orders by client id", "closed orders", "orders by id", "page of closed orders", "fills", "fills by id",
    "page of fills", "ledgers", "cancel", "cancel by client id", "cancel all", "cancel all after", "amend", "edit",
    "error: duplicate client id", "error: insufficient", "error: unknown order", "error: unknown pair", "error: least volume",
    "error: least value", "error: price step", "error: post only", "error: deadline", "error: key", "error: signature",
    "error: nonce", "error: rate limit", "error: throttled", "error: unavailable", "stream: status", "stream: pong",
    "stream: subscribed", "stream: snapshot of orders", "stream: snapshot of trades", "stream: pending_new", "stream: new",
    "stream: trade", "stream: filled", "stream: canceled", "stream: expired", "stream: amended", "stream: heartbeat",
    "stream: balances", "stream: add order", "stream: cancel order", "stream: error", "prices: trades", "prices: candles", "stream: prices",
    "order: take profit",
    "order: trailing stop", "order: iceberg", "batch",
]


def cl_ord_id():
    return {"cl_ord_id": str(uuid.uuid4())}


def status(user, txid):
    return user.get_orders_info(txid)[txid]["status"]


def orders(double, table, trade, user):
    """Each type of order that the client can send, with the arguments of the captures."""
    buy = {"side": "buy", "pair": "XBTUSD", "volume": "1.25"}
    sell = buy | {"side": "sell"}
    cases = [
        ("order: market", "submit_market", {"ordertype": "market", "side": "buy", "volume": "0.001", "pair": "XBTUSD"}, "closed"),
        ("order: market", None, {"ordertype": "market", "side": "buy", "volume": "20", "pair": "XBTUSD"}, "closed"),
        ("order: limit", "submit_limit_gtc", buy | {"ordertype": "limit", "price": "37500"}, "closed"),
        ("order: immediate or cancel", "submit_limit_ioc",
         sell | {"ordertype": "limit", "price": "37500", "timeinforce": "IOC"}, "canceled"),
        ("order: fill or kill", None, sell | {"ordertype": "limit", "price": "36990", "timeinforce": "FOK"}, "closed"),
        ("order: post only until", "submit_limit_post_gtd",
         sell | {"ordertype": "limit", "price": "37500", "timeinforce": "GTD", "expiretm": "+3600", "oflags": ["post"]}, "open"),
        ("order: stop", "submit_stop_loss", sell | {"ordertype": "stop-loss", "price": "36000"}, "open"),
        ("order: stop limit", "submit_stop_limit",
         sell | {"ordertype": "stop-loss-limit", "price": "36000", "price2": "35900"}, "open"),
    ]
    for message, capture, fields, wanted in cases:
        def run():
            double.heard()
            mine = cl_ord_id()
            txid = trade.create_order(**fields, extra_params=mine)["txid"][0]
            if capture:
                table.capture(message, capture, double.heard())
            row = user.get_orders_info(txid)[txid]
            assert (row["status"], row["cl_ord_id"]) == (wanted, mine["cl_ord_id"]), row
        table.case(message, USUAL, run)

    def json():
        double.heard()
        fields = {"ordertype": "limit", "type": "buy", "volume": "1.25", "pair": "XBTUSD", "price": "37500"} | cl_ord_id()
        said = trade.request("POST", "/0/private/AddOrder", params=fields, do_json=True)
        table.capture("order: as JSON", "submit_limit_gtc_json", double.heard())
        assert said["descr"]["order"] == "buy 1.25000000 XBTUSD @ limit 37500.0", said
    table.case("order: as JSON", USUAL, json)

    def reference():
        double.heard()
        txid = trade.create_order(ordertype="limit", price="37500", userref=123456789, **buy)["txid"][0]
        table.capture("order: with a reference", "submit_userref", double.heard())
        assert user.get_orders_info(txid)[txid]["userref"] == 123456789
    table.case("order: with a reference", USUAL, reference)

    def checked():
        double.heard()
        before = len(double.get("orders"))
        said = trade.create_order(ordertype="limit", price="37500", validate=True, **buy)
        table.capture("order: checked only", "submit_validate", double.heard())
        assert "txid" not in said and len(double.get("orders")) == before
    table.case("order: checked only", USUAL, checked)


def reads(double, table, user, market):
    """What is asked without changing anything."""
    def case(message, capture, run, check=lambda result: result):
        def checked():
            double.heard()
            result = run()
            if capture:
                table.capture(message, capture, double.heard())
            assert check(result), f"{result}"
        table.case(message, USUAL, checked)

    some = next(row for row in double.get("orders") if row["state"] == "accepted")
    fill = double.get("fills")[0]["id"]
    case("time", "server_time", lambda: market.request("GET", "/0/public/Time", auth=False), lambda time: time["unixtime"] > 0)
    case("status", None, market.get_system_status, lambda said: said["status"] == "online")
    case("assets", None, market.get_assets, lambda rows: rows["XXBT"]["altname"] == "XBT")
    case("pairs", "asset_pairs", lambda: market.get_asset_pairs(pair=["XBTUSD", "ETHUSD"]),
         lambda rows: {row["wsname"] for row in rows.values()} == {"XBT/USD", "ETH/USD"})
    case("ticker", "ticker", lambda: market.get_ticker(pair="XBTUSD"), lambda rows: rows["XXBTZUSD"]["b"][0] == "36990.0")
    case("balance", "balance", user.get_account_balance, lambda rows: float(rows["XXBT"]) > 10)
    case("balance with holds", "balance_ex", user.get_balances, lambda rows: float(rows["XXBT"]["hold_trade"]) > 3)
    case("balance with holds", None, lambda: user.get_balance("XBT"), lambda row: row["balance"] - row["available_balance"] > 3)
    case("trade balance", "trade_balance", lambda: user.get_trade_balance(asset="ZUSD"), lambda row: float(row["eb"]) > 900_000)
    case("key", None, lambda: user.request("POST", "/0/private/GetApiKeyInfo"), lambda row: "modify-trades" in row["permissions"])
    case("token", "ws_token", lambda: user.request("POST", "/0/private/GetWebSocketsToken"), lambda row: row["expires"] == 900)
    case("open orders", "list_open_orders", lambda: user.get_open_orders(trades=True), lambda rows: some["id"] in rows["open"])
    case("open orders by client id", "list_open_orders_by_cl_ord_id",
         lambda: user.request("POST", "/0/private/OpenOrders", params={"cl_ord_id": some["client_id"], "trades": True}),
         lambda rows: list(rows["open"]) == [some["id"]])
    case("closed orders", "closed_orders",
         lambda: user.get_closed_orders(trades=True, start=1699990000, ofs=0, closetime="both"), lambda rows: rows["count"] >= 6)
    case("orders by id", "query_orders", lambda: user.get_orders_info(txid=some["id"], trades=True), lambda rows: some["id"] in rows)
    case("fills", "fills", lambda: user.get_trades_history(type_="all", trades=True, start=1699990000, ofs=0),
         lambda rows: fill in rows["trades"] and rows["trades"][fill]["pair"] == "XXBTZUSD")
    case("fills by id", "query_trades", lambda: user.get_trades_info(txid=fill), lambda rows: rows[fill]["vol"] == "0.00100000")

    def cash():
        double.act({"happen": {"cash": {"amount": "-12.5"}}})
        rows = user.get_ledgers_info(type_="withdrawal")["ledger"]
        return [row["amount"] for row in rows.values()] == ["-12.5000"]
    case("ledgers", None, cash)


def pages(double, table, trade, user):
    """Lists longer than a page."""
    def fills():
        txid = trade.create_order(ordertype="limit", side="buy", pair="XBTUSD", volume="60", price="100")["txid"][0]
        for _ in range(60):
            double.act({"happen": {"fill": {"order": txid, "quantity": "1", "price": None}}})
        first, found, offset = user.get_trades_history(), {}, 0
        while rows := user.get_trades_history(ofs=offset)["trades"]:
            found |= rows
            offset += len(rows)
        assert len(first["trades"]) == 50 and len(found) == first["count"] == len(double.get("fills")), (len(found), first["count"])
    table.case("page of fills", USUAL, fills)

    def closed():
        for _ in range(51):
            trade.create_order(ordertype="limit", side="buy", pair="XBTUSD", volume="0.001", price="37500", timeinforce="IOC")
        first = user.get_closed_orders()
        rest = user.get_closed_orders(ofs=50)["closed"]
        assert len(first["closed"]) == 50 and not set(rest) & set(first["closed"])
    table.case("page of closed orders", USUAL, closed)


def changes(double, table, trade, user):
    """Cancelling and changing."""
    def resting(**more):
        return trade.create_order(ordertype="limit", side="buy", pair="XBTUSD", volume="1", price="100", **more)["txid"][0]

    def ended(txid, wanted="canceled"):
        until(f"{wanted}", lambda: status(user, txid) == wanted)

    def cancel():
        txid = resting()
        double.heard()
        assert trade.cancel_order(txid=txid)["count"] == 1
        table.capture("cancel", "cancel", double.heard())
        ended(txid)
    table.case("cancel", USUAL, cancel)

    def by_client_id():
        mine = cl_ord_id()
        txid = resting(extra_params=mine)
        double.heard()
        trade.request("POST", "/0/private/CancelOrder", params=mine)
        table.capture("cancel by client id", "cancel_by_cl_ord_id", double.heard())
        ended(txid)
    table.case("cancel by client id", USUAL, by_client_id)

    def amend():
        txid = resting()
        assert trade.amend_order(txid=txid, order_qty="2", limit_price="101")["amend_id"]
        row = user.get_orders_info(txid)[txid]
        assert (row["vol"], row["descr"]["price"]) == ("2.00000000", "101.0"), row
    table.case("amend", USUAL, amend)

    def edit():
        old = resting()
        said = trade.edit_order(txid=old, pair="XBTUSD", volume="3", price="102")
        assert said["originaltxid"] == old and status(user, said["txid"]) == "open" and status(user, old) == "canceled"
    table.case("edit", USUAL, edit)

    def after():
        said = trade.cancel_all_orders_after_x(timeout=60)
        assert said["triggerTime"] > said["currentTime"]
        trade.cancel_all_orders_after_x(timeout=0)
    table.case("cancel all after", USUAL, after)

    def cancel_all():
        txid = resting()
        assert trade.cancel_all_orders()["count"] > 1
        ended(txid)
        assert not user.get_open_orders()["open"]
    table.case("cancel all", USUAL, cancel_all)


def errors(double, table, trade, user, keys):
    """Refusals, as the client's exceptions."""
    limit = {"ordertype": "limit", "side": "buy", "pair": "XBTUSD", "volume": "1", "price": "100"}
    mine = cl_ord_id()
    trade.create_order(**limit, extra_params=mine)
    rest = double.endpoints["rest"]
    late = User(keys[0], keys[1], url=rest)
    late.get_nonce = lambda: "1"

    def faulty(call, fault, run):
        double.act({"call": {"call": call, "fault": fault, "times": 1}})
        return run()

    cases = [
        ("error: insufficient", exceptions.KrakenInsufficientFundsError,
         lambda: trade.create_order(**(limit | {"volume": "1000000"}))),
        ("error: unknown order", exceptions.KrakenUnknownOrderError, lambda: trade.cancel_order(txid="OAAAAA-AAAAA-AAAAAA")),
        ("error: unknown pair", exceptions.KrakenUnknownAssetError, lambda: trade.create_order(**(limit | {"pair": "NONE"}))),
        ("error: least volume", exceptions.KrakenInvalidArgumentsError,
         lambda: trade.create_order(**(limit | {"volume": "0.00001"}))),
        ("error: least value", exceptions.KrakenCostMinimumNotMetError,
         lambda: trade.create_order(**(limit | {"volume": "0.0001"}))),
        ("error: price step", exceptions.KrakenTickSizeInvalidCheckError,
         lambda: trade.create_order(**(limit | {"price": "100.01"}))),
        ("error: deadline", exceptions.KrakenDeadlineElapsedError,
         lambda: trade.create_order(**limit, deadline="2026-01-02T00:00:00Z")),
        ("error: key", exceptions.KrakenInvalidAPIKeyError, lambda: User("no", keys[1], url=rest).get_account_balance()),
        ("error: signature", exceptions.KrakenInvalidSignatureError,
         lambda: User(keys[0], "bm90IGl0", url=rest).get_account_balance()),
        ("error: nonce", exceptions.KrakenInvalidNonceError, late.get_account_balance),
        ("error: rate limit", exceptions.KrakenApiLimitExceededError,
         lambda: faulty("positions", {"too_many": {"retry_after": None}}, user.get_account_balance)),
        ("error: unavailable", exceptions.KrakenServiceUnavailableError,
         lambda: faulty("submit", {"down": {"status": 503}}, lambda: trade.create_order(**limit))),
    ]
    for message, kind, run in cases:
        def refused():
            try:
                said = run()
            except kind:
                return
            raise AssertionError(f"it was answered with {said}, and {kind.__name__} was expected")
        table.case(message, USUAL, refused)

    # The client has no exceptions for these: it hands the answer on.
    for message, text, run in [
        ("error: duplicate client id", "clordid", lambda: trade.create_order(**limit, extra_params=mine)),
        ("error: post only", "Post only", lambda: trade.create_order(**(limit | {"price": "37000"}), oflags=["post"])),
        ("error: throttled", "Throttled",
         lambda: faulty("positions", {"too_many": {"retry_after": 2}}, user.get_account_balance)),
    ]:
        def told():
            said = run()
            assert text in said["error"][0], said
        table.case(message, USUAL, told)


def stream(double, table, trade, keys):
    """The private stream, with the steps of the capture and then what happens in it."""
    heard = []

    async def follow():
        async def take(message):
            heard.append(message)

        async def told(what, is_it):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                found = [message for message in heard if is_it(message)]
                if found:
                    return found[-1]
                await asyncio.sleep(0.02)
            raise AssertionError(f"{what} was not told: {heard[-5:]}")

        def row(order, exec_type):
            return lambda message: message.get("channel") == "executions" and any(
                row["order_id"] == order and row["exec_type"] == exec_type for row in message["data"])

        async def case(message, run):
            try:
                await run
            except Exception as error:  # whatever the client makes of it
                table.failures.append(f"{message} ({USUAL}): {type(error).__name__}: {str(error)[:500]}")
                return
            table.client(message, USUAL)

        double.heard()
        address = double.endpoints["stream"].removesuffix("/v2")
        client = SpotWSClient(*keys, callback=take, rest_url=double.endpoints["rest"], auth_ws_url=address, no_public=True)
        await client.start()
        await case("stream: status", told("the status", lambda message: message.get("channel") == "status"))
        await client.subscribe(
            params={"channel": "executions", "snap_trades": True, "snap_orders": True, "order_status": True}, req_id=1)
        await client.subscribe(params={"channel": "balances", "snapshot": True}, req_id=2)
        await case("stream: subscribed", told("a subscription", lambda message: message.get("req_id") == 2 and message["success"]))
        mine = [cl_ord_id()["cl_ord_id"], cl_ord_id()["cl_ord_id"]]
        await client.send_message({"method": "add_order", "params": {
            "order_type": "limit", "side": "buy", "order_qty": 1.25, "symbol": "BTC/USD", "limit_price": 100,
            "time_in_force": "gtc", "cl_ord_id": mine[0]}, "req_id": 3})
        await client.send_message({"method": "add_order", "params": {
            "order_type": "stop-loss-limit", "side": "sell", "order_qty": 1.25, "symbol": "BTC/USD", "limit_price": 35900,
            "limit_price_type": "static", "triggers": {"reference": "last", "price": 36000, "price_type": "static"},
            "cl_ord_id": mine[1]}, "req_id": 4})
        await case("stream: add order", told("an order", lambda message: message.get("req_id") == 4 and message["success"]))
        stop = (await told("the order", lambda message: message.get("req_id") == 4))["result"]["order_id"]
        await client.send_message({"method": "cancel_order", "params": {"cl_ord_id": [mine[0]]}, "req_id": 5})
        await client.send_message({"method": "cancel_order", "params": {"order_id": [stop]}, "req_id": 6})
        await case("stream: cancel order", told("a cancellation", lambda message: message.get("req_id") == 6 and message["success"]))
        said = [message["body"] for message in double.heard() if message["method"] == "MESSAGE"]
        table.capture("stream: add order", "ws_v2_override_plain", said)
        await case("stream: pong", told("a pong", lambda message: message.get("method") == "pong"))
        snapshot = lambda message: message.get("channel") == "executions" and message["type"] == "snapshot"
        has = lambda kinds: lambda message: snapshot(message) and any(row["exec_type"] in kinds for row in message["data"])
        await case("stream: snapshot of orders", told("the snapshot", has({"new"})))
        await case("stream: snapshot of trades", told("the snapshot", has({"trade"})))
        resting = lambda: trade.create_order(ordertype="limit", side="buy", pair="XBTUSD", volume="10", price="100")["txid"][0]
        order = await asyncio.to_thread(resting)
        for exec_type in ["pending_new", "new"]:
            await case(f"stream: {exec_type}", told(exec_type, row(order, exec_type)))
        await asyncio.to_thread(trade.amend_order, txid=order, order_qty="8")
        await case("stream: amended", told("amended", row(order, "amended")))
        double.act({"happen": {"fill": {"order": order, "quantity": "8", "price": "99.5"}}})
        await case("stream: trade", told("the trade", row(order, "trade")))
        fill = (await told("the trade", row(order, "trade")))["data"][0]
        if (fill["exec_id"], fill["last_qty"], fill["last_price"]) != (double.get("fills")[-1]["id"], 8, 99.5):
            table.failures.append(f"stream: trade: {fill}")
        await case("stream: filled", told("the end", row(order, "filled")))
        moved = lambda message: message.get("channel") == "balances" and message["type"] == "update"
        await case("stream: balances", told("balances", moved))
        for exec_type, act in [("canceled", "cancel"), ("expired", "expire")]:
            order = await asyncio.to_thread(resting)
            double.act({"happen": {act: {"order": order}}})
            await case(f"stream: {exec_type}", told(exec_type, row(order, exec_type)))
        await client.send_message({"method": "cancel_order", "params": {"order_id": [order]}, "req_id": 9})
        await case("stream: error", told("a refusal", lambda message: message.get("req_id") == 9 and "Unknown order" in message["error"]))
        await case("stream: heartbeat", told("a heartbeat", lambda message: message.get("channel") == "heartbeat"))
        numbers = [message["sequence"] for message in heard if message.get("channel") == "executions"]
        if numbers != list(range(1, len(numbers) + 1)):
            table.failures.append(f"the numbers of the stream are {numbers}")
        # It ends with the loop, and says much about that; its own end would wait for ten seconds.
        logging.disable(logging.CRITICAL)

    try:
        asyncio.run(asyncio.wait_for(follow(), 60))
    except Exception as error:
        table.failures.append(f"stream ({USUAL}): {type(error).__name__}: {str(error)[:500]}")


def second(double, table, keys):
    """The same with ccxt."""
    client = ccxt.kraken({"apiKey": keys[0], "secret": keys[1]})
    client.urls["api"] = {name: double.rest for name in client.urls["api"]}
    # Above those of the first client, which counts in shorter steps.
    client.nonce = time.time_ns
    table.case("pairs", OTHER, client.load_markets)
    pair, sent, mine = "BTC/USD", {}, cl_ord_id()["cl_ord_id"]

    def case(message, capture, run, check=lambda result: result is not None):
        def checked():
            double.heard()
            sent[capture] = run()
            table.capture(message, f"ccxt_{capture}", double.heard())
            assert check(sent[capture]), sent[capture]
        table.case(message, OTHER, checked)

    order = client.create_order
    case("order: market", "market", lambda: order(pair, "market", "buy", 0.001, None, {"clientOrderId": mine}))
    double.quote("BTC-USD", "37990", "38000")
    case("order: limit", "limit", lambda: order(pair, "limit", "buy", 0.001, 37500, {"clientOrderId": mine}))
    case("order: immediate or cancel", "limit_ioc", lambda: order(pair, "limit", "buy", 0.001, 37500, {"timeInForce": "IOC"}))
    case("order: post only until", "limit_post", lambda: order(pair, "limit", "buy", 0.001, 37500, {"postOnly": True}))
    case("order: stop", "stop", lambda: order(pair, "market", "sell", 0.001, None, {"stopLossPrice": 36000}))
    case("order: stop limit", "stop_limit", lambda: order(pair, "limit", "sell", 0.001, 35900, {"stopLossPrice": 36000}))
    resting = lambda name: (sent.get(name) or {}).get("id")
    case("open orders", "open_orders", lambda: client.fetch_open_orders(pair), lambda rows: len(rows) >= 4)
    case("open orders by client id", "open_orders_by_cl",
         lambda: client.fetch_open_orders(None, None, None, {"clientOrderId": mine}), lambda rows: len(rows) == 1)
    case("orders by id", "order", lambda: client.fetch_order(resting("limit")),
         lambda row: (row["status"], row["symbol"], row["price"]) == ("open", pair, 37500))
    case("cancel", "cancel", lambda: client.cancel_order(resting("limit_post"), pair))
    case("cancel by client id", "cancel_by_cl", lambda: client.cancel_order(None, pair, {"clientOrderId": mine}))
    case("fills", "fills", lambda: client.fetch_my_trades(pair, 1699990000000),
         lambda rows: rows and rows[-1]["price"] > 0 and rows[-1]["fee"]["currency"] == "USD")
    case("balance with holds", "balance", client.fetch_balance, lambda said: said["BTC"]["total"] > 1)


def public(double, table):
    """Prices with ccxt, without a key."""
    client = ccxt.kraken()
    client.urls["api"] = {name: double.rest for name in client.urls["api"]}
    pair = "BTC/USD"

    def ticker():
        row = client.fetch_ticker(pair)
        assert row["bid"] < row["ask"] and row["low"] <= row["vwap"] <= row["high"] and row["baseVolume"] > 0, row
    table.case("ticker", OTHER, ticker)

    def trades():
        rows = client.fetch_trades(pair)
        assert len(rows) == 1000 and {row["side"] for row in rows} == {"buy", "sell"}, len(rows)
        since = rows[500]["timestamp"]
        later = client.fetch_trades(pair, since, 10)
        assert len(later) == 10 and all(row["timestamp"] >= since for row in later), later
    table.case("prices: trades", OTHER, trades)

    def candles():
        since = client.milliseconds() - 5 * 3_600_000
        minutes, hours = (client.fetch_ohlcv(pair, length, since) for length in ("1m", "1h"))
        assert len(hours) in (5, 6) and len(minutes) > 100, (len(hours), len(minutes))
        inside = [row for row in minutes if hours[1][0] <= row[0] < hours[2][0]]
        assert max(row[2] for row in inside) == hours[1][2] and abs(sum(row[5] for row in inside) - hours[1][5]) < 1e-6
        for length in ("5m", "15m", "30m", "4h", "1d", "1w"):
            assert client.fetch_ohlcv(pair, length), length
    table.case("prices: candles", OTHER, candles)


def main():
    mts, captures = arguments()
    double = Double(mts, "kraken")
    try:
        double.quote("BTC-USD", "36990", "37000")
        keys, rest = (double.secrets["api_key"], double.secrets["api_secret"]), double.endpoints["rest"]
        table = Table("kraken", captures, {"nonce", "cl_ord_id", "txid", "order_id"})
        trade, user, market = Trade(*keys, url=rest), User(*keys, url=rest), Market(url=rest)
        orders(double, table, trade, user)
        reads(double, table, user, market)
        pages(double, table, trade, user)
        changes(double, table, trade, user)
        errors(double, table, trade, user, keys)
        stream(double, table, trade, keys)
        second(double, table, keys)
        public(double, table)
        return table.finish(MESSAGES)
    finally:
        double.end()


if __name__ == "__main__":
    raise SystemExit(main())
