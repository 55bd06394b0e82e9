"""Drives the double of Coinbase Advanced Trade with the venue's own client, coinbase-advanced-py, and with ccxt as a second one.

The venue's client knows https alone: the double speaks TLS besides plain HTTP, with a certificate made for the run.
"""

import json
import os
import pathlib
import tempfile
import uuid
from importlib.metadata import version

import ccxt
from coinbase.rest import RESTClient
from coinbase.websocket import WSClient
from double import Double, Table, arguments, until
from requests.exceptions import HTTPError

OFFICIAL = f"coinbase-advanced-py {version('coinbase-advanced-py')}"
OTHER = f"ccxt {ccxt.__version__}"
LATER = "2027-01-01T00:00:00Z"

# Everything that the double says or takes.
MESSAGES = [
    "accounts", "page of accounts", "account", "key permissions", "fees", "time", "product", "products", "best bid and ask",
    "product book", "token: ES256", "token: Ed25519", "order: market by value", "order: market by size", "order: market sale",
    "order: limit gtc", "order: post only", "order: limit gtd", "order: immediate or cancel", "order: fill or kill",
    "order: stop limit gtc", "order: stop limit gtd", "preview", "preview: refused", "get order", "list orders", "page of orders",
    "cancel", "cancel: refused", "edit", "edit: refused", "fills", "page of fills", "duplicate client id: the order",
    "duplicate client id: refused", "error: insufficient", "error: unknown product", "error: invalid", "error: not found",
    "error: not authorised", "error: rate limit", "stream: subscriptions", "stream: snapshot", "stream: heartbeats",
    "stream: open", "stream: filled in part", "stream: filled", "stream: cancel queued", "stream: cancelled", "stream: expired",
    "stream: failed", "stream: not authorised", "stream: unsubscribed", "prices: ticker", "prices: trades",
    "prices: candles", "currencies, exchange rates", "stream: prices", "order: trigger bracket", "order: twap", "portfolios",
]


def refused(status, run):
    """Runs what the venue refuses with a status."""
    try:
        run()
    except HTTPError as error:
        assert error.response.status_code == status, f"{error.response.status_code} for {status}: {error}"
        return
    raise AssertionError(f"it was taken, and {status} was expected")


def reason(answer):
    """Why an order was refused."""
    answer = answer.to_dict()
    assert answer["success"] is False, answer
    return answer["error_response"]["error"]


def taken(answer):
    """The id of an order that was taken."""
    answer = answer.to_dict()
    assert answer["success"] is True, answer
    return answer["success_response"]["order_id"]


def orders(double, table, client):
    """Each kind of order that the client can send, with the arguments of the captures where the market allows it."""
    up, down = "STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"
    cases = [
        ("order: market by value", "submit_market_buy_quote",
         lambda id: client.market_order_buy(id, "BTC-USD", quote_size="10"), "FILLED"),
        ("order: market by size", "submit_market_buy_base",
         lambda id: client.market_order_buy(id, "BTC-USD", base_size="0.001"), "FILLED"),
        ("order: market sale", "submit_market_sell",
         lambda id: client.market_order_sell(id, "BTC-USD", base_size="0.001"), "FILLED"),
        ("order: limit gtc", "submit_limit_gtc",
         lambda id: client.limit_order_gtc_buy(id, "BTC-USD", "0.001", "60000.00", post_only=False), "FILLED"),
        ("order: post only", "submit_limit_gtc_post_only",
         lambda id: client.limit_order_gtc_sell(id, "BTC-USD", "0.001", "60000.00", post_only=True), "OPEN"),
        ("order: limit gtd", "submit_limit_gtd",
         lambda id: client.limit_order_gtd_buy(id, "BTC-USD", "0.001", "40000.00", LATER, post_only=False), "OPEN"),
        ("order: immediate or cancel", "submit_limit_ioc",
         lambda id: client.limit_order_ioc_buy(id, "BTC-USD", "0.001", "60000.00"), "FILLED"),
        ("order: fill or kill", "submit_limit_fok",
         lambda id: client.limit_order_fok_sell(id, "BTC-USD", "0.001", "60000.00"), "CANCELLED"),
        ("order: stop limit gtc", "submit_stop_limit_gtc",
         lambda id: client.stop_limit_order_gtc_sell(id, "BTC-USD", "0.0001", "39000.00", "39500.00", down), "OPEN"),
        ("order: stop limit gtd", "submit_stop_limit_gtd",
         lambda id: client.stop_limit_order_gtd_buy(id, "BTC-USD", "0.001", "61000.00", "60500.00", LATER, up), "OPEN"),
    ]
    for message, capture, run, status in cases:
        def checked():
            double.heard()
            client_id = str(uuid.uuid4())
            order = taken(run(client_id))
            table.capture(message, capture, double.heard(), values=False)
            now = client.get_order(order).order
            assert (now.status, now.client_order_id) == (status, client_id), f"{now.status} for {status}"
        table.case(message, OFFICIAL, checked)


def reads(double, table, client):
    """What is asked without changing anything."""
    def case(message, capture, run, check):
        def checked():
            double.heard()
            result = run()
            if capture:
                table.capture(message, capture, double.heard())
            result = result.to_dict()
            assert check(result), f"{result}"
        table.case(message, OFFICIAL, checked)

    case("accounts", "accounts", lambda: client.get_accounts(limit=250),
         lambda told: {row["currency"] for row in told["accounts"]} == {"USD", "BTC", "ETH", "SOL"})
    first = client.get_accounts(limit=1)
    case("page of accounts", None, lambda: client.get_accounts(limit=1, cursor=first.cursor),
         lambda told: told["accounts"][0]["uuid"] != first.accounts[0].uuid and told["has_next"])
    case("account", None, lambda: client.get_account(first.accounts[0].uuid),
         lambda told: told["account"]["currency"] == first.accounts[0].currency)
    case("key permissions", None, client.get_api_key_permissions,
         lambda told: told["can_trade"] and not told["can_transfer"])
    case("fees", "fees", client.get_transaction_summary, lambda told: float(told["fee_tier"]["taker_fee_rate"]) == 0.008)
    case("time", "server_time", client.get_unix_time, lambda told: int(told["epoch_millis"]) > 1_700_000_000_000)
    case("product", "product", lambda: client.get_product("BTC-USD"), lambda told: told["base_increment"] == "0.00000001")
    case("products", None, client.get_products, lambda told: len(told["products"]) == 3)
    case("best bid and ask", "best_bid_ask", lambda: client.get_best_bid_ask(["BTC-USD", "ETH-USD"]),
         lambda told: float(told["pricebooks"][0]["bids"][0]["price"]) < float(told["pricebooks"][0]["asks"][0]["price"]))
    case("product book", None, lambda: client.get_product_book("BTC-USD"), lambda told: told["pricebook"]["asks"])

    some = client.list_orders(limit=1).orders[0]
    case("get order", "get_order", lambda: client.get_order(some.order_id),
         lambda told: told["order"]["client_order_id"] == some.client_order_id)
    case("list orders", "list_open_orders",
         lambda: client.list_orders(order_status=["OPEN"], product_ids=["BTC-USD", "ETH-USD"], limit=100),
         lambda told: len(told["orders"]) == 4 and not told["has_next"])

    def pages(ask, rows, key):
        found, cursor = [], None
        while True:
            page = ask(cursor)
            found += [getattr(row, key) for row in getattr(page, rows)]
            cursor = page.cursor
            if not getattr(page, rows) or not cursor:
                return found

    def orders_of_pages():
        double.heard()
        first = client.list_orders(limit=4)
        double.heard()
        client.list_orders(cursor=first.cursor, limit=100)
        table.capture("page of orders", "list_orders_page2", double.heard())
        found = pages(lambda cursor: client.list_orders(limit=4, cursor=cursor), "orders", "order_id")
        assert len(found) == len(set(found)) == len(double.get("orders")), found
    table.case("page of orders", OFFICIAL, orders_of_pages)

    filled = double.get("fills")[0]["order"]
    case("fills", "fills", lambda: client.get_fills(
        order_ids=[filled], start_sequence_timestamp="2021-01-01T00:00:00.123Z", limit=100),
        lambda told: len(told["fills"]) == 1 and float(told["fills"][0]["commission"]) > 0)

    def fills_of_pages():
        first = client.get_fills(limit=2)
        double.heard()
        client.get_fills(cursor=first.cursor, limit=100)
        table.capture("page of fills", "fills_page2", double.heard())
        found = pages(lambda cursor: client.get_fills(limit=2, cursor=cursor), "fills", "entry_id")
        assert sorted(found) == sorted(row["id"] for row in double.get("fills")), found
    table.case("page of fills", OFFICIAL, fills_of_pages)


def changes(double, table, client):
    """Previews, cancellations and edits."""
    def resting(size="0.001"):
        return taken(client.limit_order_gtc_buy(str(uuid.uuid4()), "BTC-USD", size, "40000"))

    def preview():
        double.heard()
        told = client.preview_limit_order_gtc_buy("BTC-USD", "0.001", "60000.00").to_dict()
        table.capture("preview", "preview_limit", double.heard())
        assert told["errs"] == [] and float(told["order_total"]) > 60, told
    table.case("preview", OFFICIAL, preview)

    def preview_refused():
        told = client.preview_limit_order_gtc_buy("BTC-USD", "900", "40000").to_dict()
        assert told["errs"] == ["PREVIEW_INSUFFICIENT_FUND"], told
    table.case("preview: refused", OFFICIAL, preview_refused)

    def cancel():
        one, two = resting(), resting()
        double.heard()
        results = client.cancel_orders([one, two]).to_dict()["results"]
        table.capture("cancel", "cancel", double.heard(), values=False)
        assert [row["success"] for row in results] == [True, True], results
        until("the cancellation", lambda: client.get_order(two).order.status == "CANCELLED")
    table.case("cancel", OFFICIAL, cancel)

    def cancel_refused():
        results = client.cancel_orders([str(uuid.uuid4())]).to_dict()["results"]
        assert results[0]["failure_reason"] == "UNKNOWN_CANCEL_ORDER", results
    table.case("cancel: refused", OFFICIAL, cancel_refused)

    def edit():
        order = resting()
        told = client.edit_order(order, size="0.002", price="41000").to_dict()
        assert told["success"] is True, told
        terms = client.get_order(order).to_dict()["order"]["order_configuration"]["limit_limit_gtc"]
        assert (terms["base_size"], terms["limit_price"]) == ("0.002", "41000"), terms
    table.case("edit", OFFICIAL, edit)

    def edit_refused():
        told = client.edit_order(str(uuid.uuid4()), size="1", price="1").to_dict()
        assert told["success"] is False and told["errors"][0]["edit_failure_reason"] == "ORDER_NOT_FOUND", told
    table.case("edit: refused", OFFICIAL, edit_refused)


def errors(double, table, client, address):
    """Refusals."""
    limit = lambda size, price, product="BTC-USD": client.limit_order_gtc_buy(str(uuid.uuid4()), product, size, price)

    def again():
        once = str(uuid.uuid4())
        first = taken(client.limit_order_gtc_buy(once, "BTC-USD", "0.001", "40000"))
        assert taken(client.limit_order_gtc_buy(once, "BTC-USD", "0.002", "40000")) == first
    table.case("duplicate client id: the order", OFFICIAL, again)
    for message, wanted, run in [
        ("error: insufficient", "INSUFFICIENT_FUND", lambda: limit("900", "40000")),
        ("error: unknown product", "INVALID_PRODUCT_ID", lambda: limit("1", "1", "NO-USD")),
    ]:
        def checked():
            assert reason(run()) == wanted
        table.case(message, OFFICIAL, checked)
    table.case("error: invalid", OFFICIAL, lambda: refused(400, lambda: limit("minus one", "40000")))
    table.case("error: not found", OFFICIAL, lambda: refused(404, lambda: client.get_order(str(uuid.uuid4()))))
    secrets = double.secrets
    stranger = RESTClient(secrets["api_key"] + "x", secrets["api_secret"], base_url=address)
    table.case("error: not authorised", OFFICIAL, lambda: refused(401, stranger.get_accounts))

    def too_many():
        double.act({"call": {"call": "account", "fault": {"too_many": {"retry_after": 1}}, "times": 1}})
        refused(429, client.get_accounts)
    table.case("error: rate limit", OFFICIAL, too_many)


def stream(double, table, client):
    """The user channel and the heartbeats."""
    told = []
    secrets = double.secrets
    resting = lambda: taken(client.limit_order_gtc_buy(str(uuid.uuid4()), "BTC-USD", "0.001", "40000"))
    double.heard()
    follower = WSClient(
        secrets["api_key"], secrets["api_secret"], base_url=double.endpoints["stream"],
        on_message=lambda text: told.append(json.loads(text)), retry=False)
    follower.open()
    follower.subscribe([], ["user"])
    found = lambda check: lambda: next((message for message in told if check(message)), None)

    def subscribed():
        until("the subscription", found(lambda message: message["channel"] == "subscriptions"))
        said = [row["body"] for row in double.heard() if row["method"] == "MESSAGE"]
        table.capture("stream: subscriptions", "ws_override_plain", said)
    table.case("stream: subscriptions", OFFICIAL, subscribed)

    def snapshot():
        message = until("a snapshot", found(lambda message: message["channel"] == "user"))
        assert message["events"][0]["type"] == "snapshot", message
        rows = {row["order_id"] for row in message["events"][0]["orders"]}
        assert rows == {row.order_id for row in client.list_orders(order_status=["OPEN"]).orders}, message
    table.case("stream: snapshot", OFFICIAL, snapshot)

    def update(order, status, filled):
        def rows():
            for message in told:
                for event in message.get("events", []):
                    for row in event.get("orders", []):
                        if (row["order_id"], row["status"], float(row["cumulative_quantity"])) == (order, status, filled):
                            return row
            return None
        return until(f"{status} of {order}", rows)

    def fills():
        order = resting()
        row = update(order, "OPEN", 0)
        assert float(row["leaves_quantity"]) == 0.001, row
        table.client("stream: open", OFFICIAL)
        double.act({"happen": {"fill": {"order": order, "quantity": "0.0004", "price": None}}})
        row = update(order, "OPEN", 0.0004)
        assert float(row["avg_price"]) == 40000 and float(row["total_fees"]) > 0, row
        table.client("stream: filled in part", OFFICIAL)
        double.act({"happen": {"fill": {"order": order, "quantity": "0.0006", "price": "39000"}}})
        row = update(order, "FILLED", 0.001)
        assert float(row["avg_price"]) == 39400 and int(row["number_of_fills"]) == 2, row
    table.case("stream: filled", OFFICIAL, fills)

    def cancel():
        order = resting()
        client.cancel_orders([order])
        update(order, "CANCEL_QUEUED", 0)
        table.client("stream: cancel queued", OFFICIAL)
        update(order, "CANCELLED", 0)
    table.case("stream: cancelled", OFFICIAL, cancel)
    for status, act in [("EXPIRED", "expire"), ("FAILED", "reject")]:
        def ended():
            order = resting()
            double.act({"happen": {act: {"order": order}}})
            update(order, status, 0)
        table.case(f"stream: {status.lower()}", OFFICIAL, ended)

    def heartbeats():
        follower.subscribe([], ["heartbeats"])
        until("a heartbeat", found(lambda message: message["channel"] == "heartbeats"))
        numbers = [message["sequence_num"] for message in told]
        assert numbers == list(range(len(numbers))), numbers
    table.case("stream: heartbeats", OFFICIAL, heartbeats)

    def unsubscribed():
        follower.unsubscribe([], ["user"])
        until("no channel", found(lambda message: message["channel"] == "subscriptions"
                                  and "user" not in message["events"][0]["subscriptions"]))
    table.case("stream: unsubscribed", OFFICIAL, unsubscribed)
    follower.close()

    def stranger():
        said = []
        client = WSClient(secrets["api_key"] + "x", secrets["api_secret"], base_url=double.endpoints["stream"],
                          on_message=lambda text: said.append(json.loads(text)), retry=False)
        client.open()
        client.subscribe([], ["user"])
        until("a refusal", lambda: any(message.get("type") == "error" for message in said))
    table.case("stream: not authorised", OFFICIAL, stranger)


def second(double, table):
    """The same with ccxt, over plain HTTP."""
    client = ccxt.coinbase({"apiKey": double.secrets["api_key"], "secret": double.secrets["api_secret"]})
    client.urls["api"] = {name: double.rest for name in client.urls["api"]}
    # Its lists of markets take several other calls of the older API.
    client.options["fetchCurrencies"] = False
    market = {
        "id": "BTC-USD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "baseId": "BTC", "quoteId": "USD",
        "type": "spot", "spot": True, "active": True, "contract": False, "limits": {}, "info": {},
        "precision": {"amount": 1e-8, "price": 0.01},
    }
    client.set_markets([market])
    pair, sent = "BTC/USD", {}

    def case(message, capture, run, check=lambda result: True):
        def checked():
            double.heard()
            sent[capture] = run()
            table.capture(message, f"ccxt_{capture}", double.heard(), values=False)
            assert check(sent[capture]), sent[capture]
        table.case(message, OTHER, checked)

    order = lambda kind, side, price=None, more=None: client.create_order(pair, kind, side, 0.001, price, more or {})
    case("accounts", "balance", lambda: client.fetch_balance({"v3": True}), lambda told: told["USD"]["total"] > 900_000)
    case("order: market by value", "market_buy",
         lambda: client.create_order(pair, "market", "buy", 10, None, {"cost": 10}))
    case("order: market sale", "market_sell", lambda: order("market", "sell"))
    case("order: limit gtc", "limit", lambda: order("limit", "buy", 37500))
    case("order: immediate or cancel", "limit_ioc", lambda: order("limit", "buy", 37500, {"timeInForce": "IOC"}))
    case("order: fill or kill", "limit_fok", lambda: order("limit", "buy", 37500, {"timeInForce": "FOK"}))
    case("order: stop limit gtc", "stop_limit",
         lambda: client.create_order(pair, "limit", "sell", 0.0001, 35900, {"stopLossPrice": 36000}))
    resting = (sent.get("limit") or {}).get("id")
    case("get order", "order", lambda: client.fetch_order(resting, pair), lambda told: told["status"] == "open")
    case("list orders", "open_orders", lambda: client.fetch_open_orders(pair), lambda rows: len(rows) > 2)
    case("fills", "fills", lambda: client.fetch_my_trades(pair, 1699990000000), lambda rows: rows and rows[-1]["fee"]["cost"] > 0)
    case("cancel", "cancel", lambda: client.cancel_order(resting, pair))


def public(double, table):
    """Prices with ccxt, without a key, and with its own reading of the lists of markets."""
    client = ccxt.coinbase()
    client.urls["api"] = {name: double.rest for name in client.urls["api"]}
    table.case("products", OTHER, lambda: client.load_markets()["BTC/USD"]["precision"]["price"] == 0.01 or 1 / 0)
    table.client("currencies, exchange rates", OTHER)
    pair = "BTC/USD"

    def ticker():
        row = client.fetch_ticker(pair)
        assert 0 < row["bid"] < row["ask"] and row["last"] > 0, row
    table.case("prices: ticker", OTHER, ticker)

    def trades():
        rows = client.fetch_trades(pair, limit=500)
        assert len(rows) == 500 and {row["side"] for row in rows} == {"buy", "sell"}, len(rows)
        assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    table.case("prices: trades", OTHER, trades)

    def candles():
        since = client.milliseconds() - 5 * 3_600_000
        minutes, hours = (client.fetch_ohlcv(pair, length, since) for length in ("1m", "1h"))
        assert len(hours) in (5, 6) and len(minutes) > 100, (len(hours), len(minutes))
        inside = [row for row in minutes if hours[0][0] <= row[0] < hours[1][0]]
        assert max(row[2] for row in inside) == hours[0][2] and abs(sum(row[5] for row in inside) - hours[0][5]) < 1e-6
        for length in ("5m", "15m", "30m", "2h", "6h", "1d"):
            assert client.fetch_ohlcv(pair, length), length
    table.case("prices: candles", OTHER, candles)


def other_kinds(mts, table):
    """Keys of the other kind, and the other answer to a used client id."""
    double = Double(mts, "coinbase", "--variant", "ed25519", "--variant", "duplicates_refused", "--tls", os.environ["REQUESTS_CA_BUNDLE"])
    try:
        address = double.rest.removeprefix("http://")
        client = RESTClient(double.secrets["api_key"], double.secrets["api_secret"], base_url=address)

        def accounts():
            double.heard()
            assert client.get_accounts().accounts
            table.capture("token: Ed25519", "accounts_ed25519_key", double.heard())
        table.case("token: Ed25519", OFFICIAL, accounts)

        def again():
            once = str(uuid.uuid4())
            taken(client.limit_order_gtc_buy(once, "BTC-USD", "0.001", "40"))
            assert reason(client.limit_order_gtc_buy(once, "BTC-USD", "0.001", "40")) == "DUPLICATE_CLIENT_ORDER_ID"
        table.case("duplicate client id: refused", OFFICIAL, again)
    finally:
        double.end()


def main():
    mts, captures = arguments()
    with tempfile.TemporaryDirectory() as folder:
        # The clients read the certificate from here; it is written before the double says where it listens.
        os.environ["REQUESTS_CA_BUNDLE"] = str(pathlib.Path(folder) / "certificate.pem")
        table = Table("coinbase", captures, {"client_order_id", "cursor", "start_sequence_timestamp", "order_ids"})
        double = Double(mts, "coinbase", "--tls", os.environ["REQUESTS_CA_BUNDLE"])
        try:
            double.quote("BTC-USD", "49999", "50000")
            double.quote("ETH-USD", "1999", "2000")
            address = double.rest.removeprefix("http://")
            client = RESTClient(double.secrets["api_key"], double.secrets["api_secret"], base_url=address)

            def first():
                double.heard()
                assert client.get_accounts().accounts
                table.capture("token: ES256", "override_base_url", double.heard())
            table.case("token: ES256", OFFICIAL, first)
            taken(client.market_order_buy(str(uuid.uuid4()), "BTC-USD", base_size="1"))
            orders(double, table, client)
            reads(double, table, client)
            changes(double, table, client)
            errors(double, table, client, address)
            stream(double, table, client)
            second(double, table)
            public(double, table)
        finally:
            double.end()
        other_kinds(mts, table)
        return table.finish(MESSAGES)


if __name__ == "__main__":
    raise SystemExit(main())
