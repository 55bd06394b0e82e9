"""Drives the double of Interactive Brokers with ib_async in the text dialect, and with the venue's own client in protobuf."""

import datetime
import importlib.metadata
import json
import threading
import time

import ib_async
from double import Double, Table, arguments, until

# The venue's own client, repacked. Its licence forbids commercial use, so nobody gets it without asking: put
# nautilus_ibapi==10.46.1 and protobuf==7.36.2 into the environment (target/sdk/ibkr) to have the protobuf dialect tried with it.
try:
    from ibapi.client import EClient
    from ibapi.contract import Contract
    from ibapi.execution import ExecutionFilter
    from ibapi.order import Order
    from ibapi.order_cancel import OrderCancel
    from ibapi.wrapper import EWrapper

    OFFICIAL = f"nautilus_ibapi {importlib.metadata.version('nautilus_ibapi')} (protobuf)"
except ImportError:
    OFFICIAL = None
    EClient, EWrapper = type("EClient", (), {}), type("EWrapper", (), {})

OTHER = f"ib_async {ib_async.__version__} (text)"

# Everything that the double says or takes.
MESSAGES = [
    "greeting", "start", "positions", "account summary", "account values", "account values by model", "contract: stock",
    "contract: option", "contract: future", "contract: currency", "contract: crypto", "order: market", "order: limit",
    "order: stop", "order: stop limit", "order: until cancelled", "order: immediate or cancel", "order: fill or kill",
    "order: opening", "order: outside of hours", "order: option", "order: future", "order: currency", "order: crypto",
    "order: what if", "change", "cancel", "cancel all", "open orders", "all open orders", "completed orders", "executions",
    "commissions", "event: partial fill", "event: correction", "event: cancelled", "event: rejected", "event: late commission",
    "event: position", "prices: once", "prices: as they change", "current time", "next id", "after a cut", "data lost (1101)",
    "error 100", "error 103", "error 104", "error 105", "error 110", "error 200", "error 201", "error 326", "error 10147",
    "error 10148", "error 10243", "order: group", "order: bracket", "order: trailing stop", "prices: time and sales", "bars",
    "bars: days", "ticks", "ticks: sides", "ticks: of the past", "error 162", "error 354", "error 420",
]

# Where the id of a request is among the fields of a message of the text dialect.
IDS = {"1": 1, "3": 0, "4": 1, "7": 1, "9": 1, "20": 0, "62": 1, "76": 1, "97": 0}


class Capture:
    """What a client sent to a recorder, by the ids of messages."""

    def __init__(self, table, name):
        self.table, self.name, self.rows, self.greeting = table, f"ibkr_{name}", {}, None
        if table.folder is None:
            return
        file = table.folder / f"{self.name}.json"
        if not file.is_file():
            table.failures.append(f"there is no capture {file.name}")
            return
        self.account = None
        for frame in json.loads(file.read_text())["connections"][0]["frames"]:
            if frame["name"] == "HANDSHAKE":
                self.greeting = frame["text"]
            elif frame["dir"] == "c2s":
                body = frame["fields"] if frame.get("dialect") == "text" else frame["hex"][16:]
                self.rows.setdefault(str(frame["msg_id"]), []).append(body)
            elif frame["name"] == "MANAGED_ACCTS":
                self.account = frame["fields"][1] if "fields" in frame else frame["proto"]["accountsList"]

    def compare(self, message, sent, account, number, place=0):
        """Compares a message of this number with the one of the capture at this place."""
        rows = self.rows.get(number)
        if self.table.folder is None:
            return
        if not rows or len(rows) <= place:
            self.table.failures.append(f"{message}: {self.name} has no {place + 1} messages {number}")
            return
        found = [row["body"] for row in sent if row["target"] == number]
        wanted, got = rows[place], found[0] if found else None
        if got is not None and isinstance(wanted, list):
            got = got.replace(account, self.account).split("\0")[:-1]
            masked = lambda fields: ["ID" if at == IDS.get(number) else field for at, field in enumerate(fields)]
            wanted, got = masked(wanted), masked(got)
        elif got is not None:
            got = got.replace(account.encode().hex(), self.account.encode().hex())
        if got == wanted:
            self.table.rows.setdefault(message, (set(), set()))[1].add(self.name)
        else:
            self.table.failures.append(f"{message}: the client sent\n  {got}\nand {self.name} has\n  {wanted}")


def order_of(double, reference):
    """The double's id of an order."""
    # The client's text of an order is what the double has as its client id.
    found = [order for order in double.get("orders") if order["client_id"] == reference]
    assert len(found) == 1, f"{len(found)} orders are called {reference}"
    return found[0]["id"]


def text_dialect(double, table, address):
    """ib_async: requests and answers wait for each other."""
    capture = Capture(table, "ib_async_text178")
    double.heard()
    ib, errors = ib_async.IB(), []
    ib.errorEvent += lambda request, code, text, contract: errors.append((request, code, text))

    def case(message, run, number=None, place=0):
        def checked():
            double.heard()
            errors.clear()
            result = run()
            if number:
                capture.compare(message, double.heard(), account, number, place)
            assert result is None or result, f"{result}"
        table.case(message, OTHER, checked)

    def connected():
        ib.connect(*address, clientId=1, timeout=10)
        assert ib.client.serverVersion() == 178
        return True

    table.case("greeting", OTHER, connected)
    if not ib.isConnected():
        return
    account, sent = ib.managedAccounts()[0], double.heard()
    if table.folder is not None:
        assert sent[0]["target"] == "API"
        if sent[0]["body"] == capture.greeting:
            table.rows["greeting"][1].add(capture.name)
        else:
            table.failures.append(f"greeting: {sent[0]['body']} for {capture.greeting}")
    starts = [("start", "71"), ("positions", "61"), ("open orders", "5"), ("completed orders", "99"), ("account values", "6"),
              ("account values by model", "76"), ("executions", "7")]
    for message, number in starts:
        # ib_async asks all of it when it connects, and waits for the ends.
        table.client(message, OTHER)
        capture.compare(message, sent, account, number)
    stock = ib_async.Stock("AAPL", "SMART", "USD")

    def wait(what, check):
        end = time.monotonic() + 10
        while not check():
            assert time.monotonic() < end, f"{what} did not come to pass: {errors}"
            ib.sleep(0.01)
        return True

    def summary():
        values = {row.tag: row.value for row in ib.accountSummary() if row.account == account}
        return values["NetLiquidation"] == "1000000.00" and values["AvailableFunds"] == "1000000.00"

    case("account summary", summary, "62")
    case("account values", lambda: any(row.tag == "CashBalance" and row.currency == "USD" for row in ib.accountValues()))
    case("contract: stock", lambda: ib.qualifyContracts(stock)[0].conId == 265598, "9")
    option, future = ib_async.Option("AAPL", "20291221", 200, "C", "SMART"), ib_async.Future("ES", "202912", "CME")
    currency, crypto = ib_async.Forex("EURUSD"), ib_async.Crypto("BTC", "PAXOS", "USD")
    others = {"option": option, "future": future, "currency": currency, "crypto": crypto}
    for name, contract in others.items():
        case(f"contract: {name}", lambda: ib.qualifyContracts(contract)[0].conId > 0)

    def place(contract, order, status):
        trade = ib.placeOrder(contract, order)
        wait(f"{status} of {order}", lambda: trade.orderStatus.status == status)
        assert trade.order.permId > 0 and trade.orderStatus.permId == trade.order.permId
        return trade

    trades = {}
    limit = lambda price, **more: ib_async.LimitOrder("BUY", 10, price, **more)
    cases = [
        ("order: limit", "limit", stock, limit(150.0, tif="GTC", outsideRth=True, orderRef="key-1"), "Submitted", 0),
        ("order: market", "market", stock, ib_async.MarketOrder("SELL", 4), "Filled", 2),
        ("order: until cancelled", None, stock, limit(150.0, tif="GTC"), "Submitted", None),
        ("order: outside of hours", None, stock, limit(150.0, outsideRth=True), "Submitted", None),
        ("order: stop", None, stock, ib_async.StopOrder("SELL", 4, 150.0), "PreSubmitted", None),
        ("order: stop limit", None, stock, ib_async.StopLimitOrder("SELL", 4, 149.0, 150.0, tif="GTC"), "PreSubmitted", None),
        ("order: immediate or cancel", None, stock, limit(181.0, tif="IOC"), "Filled", None),
        ("order: fill or kill", None, stock, limit(150.0, tif="FOK"), "Cancelled", None),
        ("order: opening", None, stock, ib_async.MarketOrder("BUY", 10, tif="OPG"), "PreSubmitted", None),
        ("order: option", None, option, limit(50.0), "Submitted", None),
        ("order: future", None, future, limit(50.0), "Submitted", None),
        ("order: currency", None, currency, limit(1.1), "Submitted", None),
        ("order: crypto", None, crypto, ib_async.LimitOrder("BUY", 0.25, 50.0, tif="GTC"), "Submitted", None),
    ]
    for message, name, contract, order, status, where in cases:
        def run():
            trades[name] = place(contract, order, status)
        # The first of the capture rests, the second is bought for the third to sell.
        if name == "market":
            case("order: limit", lambda: place(stock, limit(181.0, orderRef="key-2"), "Filled"), "3", 1)
        case(message, run, None if where is None else "3", where or 0)

    def what_if():
        state = ib.whatIfOrder(stock, limit(150.0))
        return float(state.initMarginChange) == 1500
    case("order: what if", what_if)
    filled, resting = trades.get("market"), trades.get("limit")

    def change():
        resting.order.lmtPrice = 151.5
        ib.placeOrder(stock, resting.order)
        wait("the change", lambda: any(row["limit_price"] == "151.5" for row in double.get("orders")))
        # Its answer shall not be counted among those of the next request.
        return ib.sleep(0.2)
    case("change", change)

    def working(found):
        there = [row for row in double.get("orders") if row["state"] in ("accepted", "partially_filled", "triggered")]
        assert len(found) == len(there) > 8, f"{len(found)} of {len(there)}"
        return True
    case("all open orders", lambda: working(ib.reqAllOpenOrders()), "16")
    case("open orders", lambda: working(ib.reqOpenOrders()))

    def cancel():
        ib.cancelOrder(resting.order)
        return wait("the cancellation", lambda: resting.orderStatus.status == "Cancelled" and errors and errors[-1][1] == 202)
    case("cancel", cancel, "4")
    case("executions", lambda: len(ib.reqExecutions()) == 3 and ib.fills()[0].execution.price == 180.01, "7")
    case("commissions", lambda: all(fill.commissionReport.commission == 1 for fill in ib.fills()))
    case("event: position", lambda: ib.positions()[0].position == 16 and ib.portfolio()[0].position == 16)
    case("completed orders", lambda: len(ib.reqCompletedOrders(False)) >= 4)
    case("prices: once", lambda: wait("prices", lambda: ib.reqTickers(stock)[0].bid == 179.99))

    def prices():
        ticker = ib.reqMktData(stock)
        wait("prices", lambda: ticker.ask == 180.01)
        double.quote("AAPL", "179.98", "180.02")
        wait("another price", lambda: ticker.ask == 180.02)
        ib.cancelMktData(stock)
    case("prices: as they change", prices, "1")
    text_market_data(double, ib, stock, case, wait, errors)
    case("current time", ib.reqCurrentTime, "49")

    def fills():
        trade = place(stock, limit(100.0, orderRef="parts"), "Submitted")
        double.act({"happen": {"fill": {"order": order_of(double, "parts"), "quantity": "4", "price": None}}})
        wait("a part", lambda: trade.orderStatus.filled == 4 and trade.fills and trade.fills[0].commissionReport.execId)
        fill = trade.fills[0]
        assert (fill.execution.shares, fill.execution.price, fill.execution.cumQty) == (4, 100, 4), fill
        root, last = fill.execution.execId.rsplit(".", 1)
        assert last == "01"
        corrected = []
        ib.execDetailsEvent += lambda trade, fill: corrected.append(fill)
        double.act({"happen": {"correct": {"fill": root, "quantity": "3", "price": "99"}}})
        wait("the correction", lambda: any(fill.execution.execId == f"{root}.02" for fill in corrected))
        table.client("event: correction", OTHER)
        double.act({"fees_late": 300})
        double.act({"happen": {"fill": {"order": order_of(double, "parts"), "quantity": "7", "price": None}}})
        wait("the rest", lambda: trade.orderStatus.status == "Filled")
        double.act({"fees_late": 0})
        wait("the commission", lambda: trade.fills[-1].commissionReport.execId)
        table.client("event: late commission", OTHER)
    case("event: partial fill", fills)

    for message, act, status in [("event: cancelled", "cancel", "Cancelled"), ("event: rejected", "reject", "Inactive")]:
        def ended():
            trade = place(stock, limit(100.0, orderRef=act), "Submitted")
            double.act({"happen": {act: {"order": order_of(double, act)}}})
            # ib_async takes an error of an order for its end.
            wait(status, lambda: trade.orderStatus.status in (status, "Cancelled"))
        case(message, ended)

    def group():
        first, second = ib.oneCancelsAll([limit(100.0, orderRef="one"), limit(101.0)], "either", 1)
        trades = [place(stock, first, "Submitted"), place(stock, second, "Submitted")]
        double.act({"happen": {"fill": {"order": order_of(double, "one"), "quantity": "10", "price": None}}})
        return wait("the other's end", lambda: [trade.orderStatus.status for trade in trades] == ["Filled", "Cancelled"])
    case("order: group", group)

    def refused(code, contract, order):
        trade = ib.placeOrder(contract, order)
        return wait(f"error {code}", lambda: any(error[:2] == (trade.order.orderId, code) for error in errors))
    case("error 200", lambda: refused(200, ib_async.Stock("NOPE", "SMART", "USD"), ib_async.MarketOrder("BUY", 1)), "3", 3)
    case("error 110", lambda: refused(110, stock, limit(150.005)))
    case("error 201", lambda: refused(201, stock, ib_async.MarketOrder("BUY", 100_000)))
    case("error 10243", lambda: refused(10243, stock, ib_async.MarketOrder("BUY", 0.5)))

    def used():
        client = ib.client
        for code, identity in [(104, filled.order.orderId), (103, resting.order.orderId), (105, trades[None].order.orderId)]:
            client.placeOrder(identity, stock, limit(150.0))
            wait(f"error {code}", lambda: any(error[:2] == (identity, code) for error in errors))
            table.client(f"error {code}", OTHER)
    case("error 103", used)

    def cancelled():
        ib.client.cancelOrder(9_999, "")
        wait("error 10147", lambda: (9_999, 10147) in [error[:2] for error in errors])
        ib.client.cancelOrder(filled.order.orderId, "")
        table.client("error 10147", OTHER)
        return wait("error 10148", lambda: (filled.order.orderId, 10148) in [error[:2] for error in errors])
    case("error 10148", cancelled)

    def in_use():
        second, heard = ib_async.IB(), []
        second.errorEvent += lambda request, code, text, contract: heard.append(code)
        try:
            second.connect(*address, clientId=1, timeout=2)
        except Exception:
            return 326 in heard
        return False
    case("error 326", in_use)

    def lost():
        double.act({"stream": "lost"})
        place(stock, limit(181.0), "Submitted")
        return wait("1100 and 1101", lambda: [error[1] for error in errors if error[1] in (1100, 1101)] == [1100, 1101])
    case("data lost (1101)", lost)

    def cut():
        double.act({"stream": "cut"})
        try:
            wait("the end", lambda: not ib.isConnected())
        except ConnectionError:
            # So ib_async tells whoever waits at that moment.
            pass
        ib.connect(*address, clientId=1, timeout=10)
        # What happened before is there again, and the lost fill with it.
        fills = double.get("fills")
        assert len(ib.fills()) == len(fills), f"{len(ib.fills())} of {len(fills)}"
        return working(ib.openTrades())
    case("after a cut", cut)

    def all_cancelled():
        ib.reqGlobalCancel()
        return wait("the end of all", lambda: not ib.openTrades())
    case("cancel all", all_cancelled)

    def too_fast():
        # At the beginning of a second, which is what the double counts: one message too many is told, three end the connection.
        time.sleep(1.1 - time.time() % 1)
        ib.client.RequestsInterval = 0
        for _ in range(51):
            ib.client.reqCurrentTime()
        try:
            wait("error 100", lambda: any(error[1] == 100 for error in errors))
        except ConnectionError:
            # Who goes on is thrown out.
            assert any(error[1] == 100 for error in errors), f"{errors}"
        # The next second is another one.
        time.sleep(1.1)
    case("error 100", too_fast)
    ib.disconnect()


def text_market_data(double, ib, stock, case, wait, errors):
    """Prints, ticks and bars of the past."""
    second = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    at = lambda **back: second - datetime.timedelta(**back)
    stamp = lambda time: time.isoformat().replace("+00:00", "Z")

    def printed(*trades, time=second):
        rows = [{"trade_id": "", "symbol": "AAPL", "price": price, "size": size, "venue": "sdk", "timestamp": stamp(time)}
                for price, size in trades]
        double.ask("POST", "trades", rows)

    def time_and_sales():
        ticker = ib.reqMktData(stock, "233")
        wait("prices", lambda: ticker.bid > 0)
        before = 0 if ticker.volume != ticker.volume else ticker.volume
        printed(("180.02", "10"), ("180.03", "4"))
        wait("the prints", lambda: ticker.last == 180.03 and ticker.lastSize == 4 and ticker.rtVolume == before + 14)
        assert ticker.volume == before + 14 and ticker.rtTime == second, f"{ticker}"
        ib.cancelMktData(stock)
    case("prices: time and sales", time_and_sales)

    def ticks(kind):
        seen = []
        ticker = ib.reqTickByTickData(stock, kind)
        ticker.updateEvent += lambda ticker: seen.extend(ticker.tickByTicks)
        ib.sleep(0.2)
        return ticker, seen

    def prints():
        ticker, seen = ticks("Last")
        printed(("180.02", "10"), ("180.04", "3"))
        wait("the prints", lambda: [(tick.price, tick.size) for tick in seen] == [(180.02, 10), (180.04, 3)])
        # Their times are those of ib_async's receipt.
        assert seen[0].exchange == "NASDAQ", f"{seen}"
        ib.cancelTickByTickData(stock, "Last")
    case("ticks", prints, "97")

    def sides():
        ticker, seen = ticks("BidAsk")
        double.quote("AAPL", "179.97", "180.02")
        wait("another side", lambda: seen and (seen[-1].bidPrice, seen[-1].askPrice) == (179.97, 180.02))
        ib.cancelTickByTickData(stock, "BidAsk")
    case("ticks: sides", sides)

    def past():
        # The two of the last second before the end come both, although one was asked for.
        printed(("181", "1"), time=at(minutes=10))
        printed(("182", "2"), ("183", "3"), time=at(minutes=9))
        found = ib.reqHistoricalTicks(stock, "", at(minutes=8), 1, "TRADES", False)
        return [(tick.price, tick.size, tick.time) for tick in found] == [(182, 2, at(minutes=9)), (183, 3, at(minutes=9))]
    case("ticks: of the past", past)

    def bar(interval, close, end):
        row = {"symbol": "AAPL", "interval": interval, "open": "180", "high": "190", "low": "179", "close": close, "volume": "300",
               "vwap": "181.5", "n_trades": 3, "timestamp": stamp(end)}
        double.ask("POST", "bars", [row])

    def bars():
        minute = second.replace(second=0)
        ends = [minute - datetime.timedelta(minutes=back) for back in (2, 1, 0)]
        for end, close in zip(ends, ("181", "182", "183")):
            bar("1m", close, end)
        found = ib.reqHistoricalData(stock, "", "1 D", "1 min", "TRADES", True)
        starts = [end - datetime.timedelta(minutes=1) for end in ends]
        told = [(bar.date.astimezone(datetime.timezone.utc), bar.close) for bar in found]
        assert told == list(zip(starts, (181, 182, 183))), f"{told}"
        first = found[0]
        assert (first.open, first.high, first.low, first.volume, first.average, first.barCount) == (180, 190, 179, 300, 181.5, 3)
        # The page before.
        found = ib.reqHistoricalData(stock, starts[1], "60 S", "1 min", "TRADES", True)
        return [bar.close for bar in found] == [181]
    case("bars", bars, "20")

    def days():
        bar("1d", "185", datetime.datetime(2026, 3, 2, 21, tzinfo=datetime.timezone.utc))
        found = ib.reqHistoricalData(stock, datetime.datetime(2026, 3, 4, tzinfo=datetime.timezone.utc), "1 W", "1 day", "TRADES", True)
        return [(bar.date, bar.close) for bar in found] == [(datetime.date(2026, 3, 2), 185)]
    case("bars: days", days)

    def refused(code, fault, ask):
        errors.clear()
        double.act({"call": {"call": "prices", "fault": fault, "times": 1}})
        ask()
        return wait(f"error {code}", lambda: any(error[1] == code for error in errors))
    history = lambda: ib.reqHistoricalData(stock, "", "1 D", "1 min", "TRADES", True)
    case("error 162", lambda: refused(162, {"too_many": {"retry_after": None}}, history))
    case("error 354", lambda: refused(354, "not_authorised", lambda: ib.reqMktData(stock)))
    case("error 420", lambda: refused(420, {"too_many": {"retry_after": None}}, lambda: ib.reqTickByTickData(stock, "AllLast")))


class App(EWrapper, EClient):
    """The venue's client: everything that it is told is kept."""

    def __init__(self):
        EClient.__init__(self, self)
        self.told = []

    def keep(self, name, *values):
        self.told.append((name, *values))

    def find(self, *beginning):
        return [told for told in list(self.told) if told[: len(beginning)] == beginning]


def keeper(name):
    return lambda self, *values: self.keep(name, *values)


for name in (
    "nextValidId managedAccounts openOrder openOrderEnd orderStatus completedOrder completedOrdersEnd execDetails execDetailsEnd"
    " commissionAndFeesReport position positionEnd accountSummary accountSummaryEnd updateAccountValue updatePortfolio"
    " updateAccountTime accountDownloadEnd accountUpdateMulti accountUpdateMultiEnd contractDetails contractDetailsEnd tickPrice"
    " tickSnapshotEnd marketDataType tickReqParams currentTime currentTimeInMillis connectionClosed"
).split():
    setattr(App, name, keeper(name))
App.error = lambda self, request, at, code, text, advanced="": self.keep("error", request, code, text)


def contract_of(symbol="AAPL", kind="STK", exchange="SMART", **more):
    contract = Contract()
    contract.symbol, contract.secType, contract.exchange, contract.currency = symbol, kind, exchange, "USD"
    for name, value in more.items():
        setattr(contract, name, value)
    return contract


def order_for(kind, quantity=10, **more):
    order = Order()
    order.action, order.orderType, order.totalQuantity, order.tif = "BUY", kind, quantity, "DAY"
    for name, value in more.items():
        setattr(order, name, value)
    return order


def protobuf_dialect(double, table, address):
    """The venue's own client: calls of one thread, answers in another."""
    capture = Capture(table, "official_proto225")
    double.heard()
    app = App()

    def case(message, run, number=None, place=0):
        def checked():
            double.heard()
            app.told.clear()
            result = run()
            if number:
                capture.compare(message, double.heard(), account, number, place)
            assert result, f"{result}"
        table.case(message, OFFICIAL, checked)

    def wait(*beginning):
        try:
            return until(str(beginning), lambda: app.find(*beginning))[-1]
        except AssertionError as error:
            raise AssertionError(f"{error}; told were {app.told[-6:]}") from None

    def connected():
        app.connect(*address, clientId=7)
        assert app.serverVersion() == 225
        threading.Thread(target=app.run, daemon=True).start()
        return wait("nextValidId") and wait("managedAccounts")
    table.case("greeting", OFFICIAL, connected)
    if not app.find("managedAccounts"):
        return
    account, sent = app.find("managedAccounts")[0][1], double.heard()
    if table.folder is not None and sent[0]["body"] == capture.greeting:
        table.rows["greeting"][1].add(capture.name)
    table.client("start", OFFICIAL)
    capture.compare("start", sent, account, "71")

    stock = contract_of()
    case("positions", lambda: app.reqPositions() or wait("positionEnd") and app.find("position"), "61")
    case("open orders", lambda: app.reqOpenOrders() or wait("openOrderEnd"), "5")

    def summary():
        app.reqAccountSummary(9001, "All", "NetLiquidation,TotalCashValue")
        wait("accountSummaryEnd", 9001)
        return len(app.find("accountSummary", 9001, account)) == 2
    case("account summary", summary, "62")

    def values():
        app.reqAccountUpdates(True, account)
        wait("accountDownloadEnd", account)
        app.reqAccountUpdates(False, account)
        return app.find("updatePortfolio") and [told for told in app.find("updateAccountValue", "CashBalance") if told[3] == "USD"]
    case("account values", values, "6")
    case("account values by model", lambda: app.reqAccountUpdatesMulti(5, account, "", True) or wait("accountUpdateMultiEnd", 5))
    case("completed orders", lambda: app.reqCompletedOrders(False) or wait("completedOrdersEnd") and app.find("completedOrder"), "99")
    option = contract_of(kind="OPT", lastTradeDateOrContractMonth="20291221", strike=200.0, right="C", multiplier="100")
    future = contract_of("ES", "FUT", "CME", lastTradeDateOrContractMonth="202912")
    others = {"stock": stock, "option": option, "future": future, "currency": contract_of("EUR", "CASH", "IDEALPRO"),
              "crypto": contract_of("BTC", "CRYPTO", "PAXOS")}
    for name, contract in others.items():
        def details():
            app.reqContractDetails(10, contract)
            wait("contractDetailsEnd", 10)
            return app.find("contractDetails", 10)[0][2].contract.conId > 0
        case(f"contract: {name}", details, "9" if name == "stock" else None)

    def place(identity, contract, order, status):
        app.placeOrder(identity, contract, order)
        found = wait("orderStatus", identity, status)
        opened = app.find("openOrder", identity)
        assert opened and opened[-1][3].permId == found[6] > 0, f"{opened}"
        return found

    limit = lambda price, **more: order_for("LMT", lmtPrice=price, **more)
    case("order: limit", lambda: place(1, stock, limit(150.0, tif="GTC", outsideRth=True, orderRef="key-1"), "Submitted"), "3", 0)

    def cancel():
        app.cancelOrder(1, OrderCancel())
        return wait("orderStatus", 1, "Cancelled") and wait("error", 1, 202)
    case("cancel", cancel, "4")

    def fill():
        double.act({"matching": False})
        place(2, stock, limit(181.0, orderRef="key-2"), "Submitted")
        double.act({"happen": {"fill": {"order": order_of_id(double, app, 2), "quantity": "4", "price": "180.01"}}})
        part = wait("orderStatus", 2, "Submitted")
        until("the part", lambda: app.find("orderStatus", 2, "Submitted")[-1][3] == 4)
        execution = app.find("execDetails")[-1][3]
        assert (execution.shares, execution.price, execution.side) == (4, 180.01, "BOT"), part
        double.act({"happen": {"fill": {"order": order_of_id(double, app, 2), "quantity": "6", "price": "180.02"}}})
        wait("orderStatus", 2, "Filled")
        until("commissions", lambda: len(app.find("commissionAndFeesReport")) == 2)
        report = app.find("commissionAndFeesReport")[0][1]
        double.act({"matching": True})
        return (report.execId, report.commissionAndFees, report.currency) == (execution.execId, 1, "USD")
    case("event: partial fill", fill, "3", 1)
    if app.find("commissionAndFeesReport"):
        table.client("commissions", OFFICIAL)

    def correction():
        root = double.get("fills")[-1]["id"]
        double.act({"happen": {"correct": {"fill": root, "quantity": "5", "price": "180"}}})
        return until("the correction", lambda: [told for told in app.find("execDetails") if told[3].execId == f"{root}.02"])
    case("event: correction", correction)
    case("error 10148", lambda: app.cancelOrder(2, OrderCancel()) or wait("error", 2, 10148), "4", 1)
    case("error 200", lambda: app.placeOrder(3, contract_of("NOPE"), order_for("MKT", 1)) or wait("error", 3, 200), "3", 2)

    def executions():
        wanted = ExecutionFilter()
        wanted.clientId = 0
        app.reqExecutions(55, wanted)
        return wait("execDetailsEnd", 55) and len(app.find("execDetails", 55)) == 2
    case("executions", executions, "7")

    def prices():
        app.reqMktData(11, stock, "", False, False, [])
        until("a price", lambda: [told for told in app.find("tickPrice", 11, 1) if told[3] == 179.98])
        double.quote("AAPL", "179.97", "180.02")
        until("another price", lambda: [told for told in app.find("tickPrice", 11, 1) if told[3] == 179.97])
        app.cancelMktData(11)
        return True
    case("prices: as they change", prices, "1")
    case("prices: once", lambda: app.reqMktData(14, stock, "", True, False, []) or wait("tickSnapshotEnd", 14))
    case("current time", lambda: app.reqCurrentTime() or wait("currentTime"), "49")
    case("next id", lambda: app.reqIds(1) or wait("nextValidId", 3))
    cases = [
        ("order: market", stock, order_for("MKT"), "Filled"),
        ("order: stop", stock, order_for("STP", auxPrice=190.0), "PreSubmitted"),
        ("order: stop limit", stock, order_for("STP LMT", auxPrice=190.0, lmtPrice=191.0, tif="GTC"), "PreSubmitted"),
        ("order: until cancelled", stock, limit(150.0, tif="GTC"), "Submitted"),
        ("order: outside of hours", stock, limit(150.0, outsideRth=True), "Submitted"),
        ("order: immediate or cancel", stock, limit(181.0, tif="IOC"), "Filled"),
        ("order: fill or kill", stock, limit(150.0, tif="FOK"), "Cancelled"),
        ("order: opening", stock, order_for("MKT", tif="OPG"), "PreSubmitted"),
        ("order: option", option, limit(50.0), "Submitted"),
        ("order: future", future, limit(50.0), "Submitted"),
        ("order: currency", others["currency"], limit(1.1), "Submitted"),
        ("order: crypto", others["crypto"], limit(50.0, tif="GTC"), "Submitted"),
    ]
    for identity, (message, contract, order, status) in enumerate(cases, 20):
        case(message, lambda: place(identity, contract, order, status))

    def what_if():
        app.placeOrder(40, stock, limit(150.0, whatIf=True))
        return float(wait("openOrder", 40)[4].initMarginChange) == 1500
    case("order: what if", what_if)

    def change():
        app.placeOrder(23, stock, limit(151.5, tif="GTC"))
        return until("the change", lambda: [told for told in app.find("openOrder", 23) if told[3].lmtPrice == 151.5])
    case("change", change)
    case("all open orders", lambda: app.reqAllOpenOrders() or wait("openOrderEnd") and len(app.find("openOrder")) > 8)
    for code, identity, order in [(104, 20, order_for("MKT")), (103, 1, limit(150.0)), (105, 24, order_for("MKT")),
                                  (110, 41, limit(150.005)), (201, 41, order_for("MKT", 100_000)), (10243, 41, order_for("MKT", 0.5))]:
        case(f"error {code}", lambda: app.placeOrder(identity, stock, order) or wait("error", identity, code))
    case("error 10147", lambda: app.cancelOrder(9_999, OrderCancel()) or wait("error", 9_999, 10147))
    for message, act, status, code in [("event: cancelled", "cancel", "Cancelled", 202), ("event: rejected", "reject", "Inactive", 201)]:
        def ended():
            identity = 50 if act == "cancel" else 51
            place(identity, stock, limit(100.0), "Submitted")
            double.act({"happen": {act: {"order": order_of_id(double, app, identity)}}})
            return wait("orderStatus", identity, status) and wait("error", identity, code)
        case(message, ended)

    def late():
        double.act({"fees_late": 300})
        app.placeOrder(52, stock, order_for("MKT"))
        wait("execDetails")
        assert not app.find("commissionAndFeesReport")
        double.act({"fees_late": 0})
        return wait("commissionAndFeesReport")
    case("event: late commission", late)

    def lost():
        double.act({"stream": "lost"})
        app.placeOrder(53, stock, order_for("MKT"))
        return wait("error", -1, 1100) and wait("error", -1, 1101)
    case("data lost (1101)", lost)

    def all_cancelled():
        app.reqGlobalCancel(OrderCancel())
        return until("the end of all", lambda: not [row for row in double.get("orders") if row["state"] in ("accepted", "triggered")])
    case("cancel all", all_cancelled)

    def in_use():
        second = App()
        second.connect(*address, clientId=7)
        threading.Thread(target=second.run, daemon=True).start()
        return until("error 326", lambda: second.find("error", -1, 326))
    case("error 326", in_use)

    def cut():
        double.act({"stream": "cut"})
        wait("connectionClosed")
        again = App()
        again.connect(*address, clientId=7)
        threading.Thread(target=again.run, daemon=True).start()
        until("the next id", lambda: again.find("nextValidId", 54))
        again.disconnect()
        return True
    case("after a cut", cut)
    app.disconnect()


def order_of_id(double, app, identity):
    """The double's id of an order: the one that stays the same for all clients."""
    return str(app.find("openOrder", identity)[-1][3].permId)


def main():
    mts, captures = arguments()
    double = Double(mts, "ibkr")
    try:
        for symbol, bid, ask in [("AAPL", "179.99", "180.01"), ("EUR-USD", "1.1999", "1.2"), ("BTC-USD", "59999", "60000")]:
            double.quote(symbol, bid, ask)
        table = Table("ibkr", captures, set())
        address = (double.endpoints["host"], int(double.endpoints["port"]))
        text_dialect(double, table, address)
        if OFFICIAL:
            protobuf_dialect(double, table, address)
        else:
            print("the protobuf dialect is not tried: nautilus_ibapi is not installed (this file says why)")
        return table.finish(MESSAGES)
    finally:
        double.end()


if __name__ == "__main__":
    raise SystemExit(main())
