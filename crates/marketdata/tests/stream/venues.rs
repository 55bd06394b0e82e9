//! What the venues' frames mean. The frames are made up after the venues' documents.

use super::world::{ms, wall};
use mts_foundation::io::Frame;
use mts_foundation::{Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::stream::protocol::{Protocol, Said, TopicIndex};
use mts_marketdata::stream::venues::{Alpaca, Binance, Bybit, Coinbase, Kraken, Okx, Polygon};
use mts_marketdata::stream::{Channel, Topic};
use proptest::prelude::*;

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn topics(name: &str, has_bars: bool) -> Vec<Topic> {
    let symbol = symbol(name);
    let mut topics = vec![Topic::trades(symbol.clone()), Topic::quotes(symbol.clone())];
    if has_bars {
        topics.push(Topic::bars(symbol, Interval::MINUTE));
    }
    topics
}

fn all() -> Vec<Box<dyn Protocol>> {
    vec![
        Box::new(Binance::spot(topics("BTC-USDT", true)).unwrap()),
        Box::new(Binance::futures(topics("BTC-USDT-PERP", true)).unwrap()),
        Box::new(Kraken::new(topics("BTC-USD", true)).unwrap()),
        Box::new(Okx::new(topics("BTC-USDT-PERP", false)).unwrap()),
        Box::new(Okx::new([Topic::bars(symbol("BTC-USDT-PERP"), Interval::MINUTE)]).unwrap()),
        Box::new(Coinbase::new(topics("BTC-USD", false)).unwrap()),
        Box::new(Bybit::linear(topics("BTC-USDT-PERP", true)).unwrap()),
    ]
}

fn read(protocol: &dyn Protocol, frame: &str) -> Vec<Said> {
    let mut said = Vec::new();
    protocol.read(frame.as_bytes(), wall(ms(0)), &mut said).unwrap();
    said
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Price, size, id, number, time of the only print.
fn print(said: &[Said]) -> (Decimal, Decimal, String, Option<u64>, Timestamp) {
    let [Said::Trade { trade, number, .. }] = said else { panic!("{said:?}") };
    (trade.price, trade.size, trade.trade_id.to_string(), *number, trade.timestamp)
}

fn touch(said: &[Said]) -> (Option<Decimal>, Option<Decimal>, Timestamp, Option<u64>) {
    let [Said::Touch { bid, ask, time, number, .. }] = said else { panic!("{said:?}") };
    (bid.map(|level| level.price), ask.map(|level| level.price), *time, *number)
}

const BINANCE: &[&str] = &[
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000001","T":1723161255342,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#,
    r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1633998523963,"s":"BTCUSDT","k":{"t":1633998480000,"T":1633998539999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"0.3527","c":"0.3528","h":"0.3529","l":"0.3522","v":"100","n":30,"x":true,"q":"35.26","V":"58","Q":"20.4","B":"0"}}}"#,
    r#"{"result":null,"id":7}"#,
    r#"{"error":{"code":2,"msg":"Invalid request"},"id":8}"#,
];

#[test]
fn binance() {
    let spot = Binance::spot(topics("BTC-USDT", true)).unwrap();
    assert_eq!(
        print(&read(&spot, BINANCE[0])),
        (
            decimal("61837.63"),
            decimal("0.02000001"),
            "3735683259".to_owned(),
            Some(3_735_683_259),
            time("2024-08-08T23:54:15.342Z")
        )
    );
    let quote = touch(&read(&spot, BINANCE[1]));
    let now = wall(ms(0));
    assert_eq!(quote, (Some(decimal("61837.63")), Some(decimal("61837.64")), now, Some(50_093_239_212)));
    let said = read(&spot, BINANCE[2]);
    let [Said::Bar { bar, is_closed: true, .. }] = said.as_slice() else { panic!("{said:?}") };
    // Labelled by the end.
    assert_eq!(bar.timestamp, time("2021-10-12T00:29:00Z"));
    assert_eq!((bar.high, bar.vwap, bar.n_trades), (decimal("0.3529"), Some(decimal("0.3526")), Some(30)));
    assert_eq!(read(&spot, BINANCE[3]), [Said::RequestAcknowledged(7)]);
    assert!(matches!(&*read(&spot, BINANCE[4]), [Said::RequestRefused { request: 8, .. }]));
    let Frame::Text(frame) = spot.subscription(&[0], 3) else { panic!() };
    assert_eq!(frame, r#"{"id":3,"method":"SUBSCRIBE","params":["btcusdt@trade"]}"#);
    // Of futures: a time, and numbers of what is no print.
    let futures = Binance::futures(topics("BTC-USDT-PERP", false)).unwrap();
    let quote = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256314}}"#;
    assert_eq!(touch(&read(&futures, quote)).2, time("2024-08-08T23:54:16.313Z"));
    let fund = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":9,"p":"61800.30","q":"0.006","X":"INSURANCE_FUND","m":false}}"#;
    assert_eq!(read(&futures, fund), [Said::Void { topic: 0, number: 9 }]);
}

const KRAKEN: &[&str] = &[
    r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":0.5117,"qty":40.00000001,"ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"},{"symbol":"BTC/USD","side":"buy","price":61837.1,"qty":1e-8,"ord_type":"limit","trade_id":4665907,"timestamp":"2023-09-25T07:49:37.708706Z"}]}"#,
    r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":0.10025,"bid_qty":740.0,"ask":0.10036,"ask_qty":1361.44813783,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17}]}"#,
    r#"{"method":"subscribe","result":{"channel":"trade","snapshot":false,"symbol":"BTC/USD"},"success":true,"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z","req_id":1}"#,
    r#"{"error":"Currency pair not supported BTC/USD","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/USD","time_in":"x","time_out":"x"}"#,
    r#"{"channel":"heartbeat"}"#,
    r#"{"method":"pong","req_id":101,"time_in":"2023-09-24T14:10:23.799685Z","time_out":"2023-09-24T14:10:23.799703Z"}"#,
    r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"online","api_version":"v2","connection_id":13834774380200032777}]}"#,
];

#[test]
fn kraken() {
    let kraken = Kraken::new(topics("BTC-USD", true)).unwrap();
    let said = read(&kraken, KRAKEN[0]);
    let (price, size, id, number, at) = print(&said[..1]);
    // Every digit counts, although it is a JSON number.
    assert_eq!((price, size), (decimal("0.5117"), decimal("40.00000001")));
    assert_eq!((id.as_str(), number, at), ("4665906", Some(4_665_906), time("2023-09-25T07:49:37.708706Z")));
    assert_eq!(print(&said[1..]).1, decimal("0.00000001"));
    assert_eq!(touch(&read(&kraken, KRAKEN[1])).1, Some(decimal("0.10036")));
    assert_eq!(read(&kraken, KRAKEN[2]), [Said::Acknowledged(0)]);
    assert_eq!(read(&kraken, KRAKEN[3]).len(), 3, "the pair is refused in all channels");
    assert_eq!(read(&kraken, KRAKEN[4]), []);
    assert_eq!(read(&kraken, KRAKEN[5]), [Said::Pong]);
    assert_eq!(read(&kraken, KRAKEN[6]), []);
    let Frame::Text(frame) = kraken.subscription(&[2], 3) else { panic!() };
    let expected = r#"{"method":"subscribe","params":{"channel":"ohlc","interval":1,"snapshot":false,"symbol":["BTC/USD"]},"req_id":3}"#;
    assert_eq!(frame, expected);
}

const OKX: &[&str] = &[
    r#"{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}"#,
    r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"asks":[["111.06","55154","0","2"]],"bids":[["111.05","57745","0","2"]],"ts":"1670324386802","seqId":363996337}]}"#,
    r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1597026360000","8533.02","8553.74","8527.17","8548.26","45247","529.5858061","5529.5","1"]]}"#,
    r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"connId":"a4d3ae55"}"#,
    r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}"#,
    r#"{"event":"error","code":"60009","msg":"Login failed.","connId":"a4d3ae55"}"#,
    r#"{"id":"4","event":"error","code":"60018","msg":"Wrong URL or channel","connId":"a4d3ae55"}"#,
    "pong",
];

#[test]
fn okx() {
    let okx = Okx::new(topics("BTC-USDT-PERP", false)).unwrap();
    assert!(okx.url().ends_with("/public"));
    let (price, size, id, number, _) = print(&read(&okx, OKX[0]));
    assert_eq!((price, size), (decimal("42219.9"), decimal("0.12060306")));
    assert_eq!((id.as_str(), number), ("130639474", None));
    assert_eq!(touch(&read(&okx, OKX[1])).3, Some(363_996_337));
    assert_eq!(read(&okx, OKX[3]), [Said::Acknowledged(0)]);
    assert_eq!(read(&okx, OKX[4]), [Said::EndsSoon]);
    assert!(matches!(&*read(&okx, OKX[5]), [Said::Fatal(_)]));
    assert!(matches!(&*read(&okx, OKX[6]), [Said::RequestRefused { request: 4, .. }]));
    assert_eq!(read(&okx, OKX[7]), [Said::Pong]);
    let bars = Okx::new([Topic::bars(symbol("BTC-USDT-PERP"), Interval::MINUTE)]).unwrap();
    assert!(bars.url().ends_with("/business"));
    let said = read(&bars, OKX[2]);
    let [Said::Bar { bar, is_closed: true, .. }] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((bar.volume, bar.timestamp), (decimal("529.5858061"), time("2020-08-10T02:27:00Z")));
    let both = Okx::new(topics("BTC-USDT", true)).unwrap_err().to_string();
    assert!(both.contains("make a feed of each"), "{both}");
}

const COINBASE: &[&str] = &[
    r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"a","taker_order_id":"b","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
    r#"{"type":"last_match","trade_id":9,"sequence":49,"maker_order_id":"a","taker_order_id":"b","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
    r#"{"type":"ticker","sequence":37475248783,"product_id":"BTC-USD","price":"1285.22","open_24h":"1310.79","volume_24h":"245532.79269678","low_24h":"1280.52","high_24h":"1313.8","volume_30d":"9788783.60117027","best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}"#,
    r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]},{"name":"ticker","product_ids":["BTC-USD"]}]}"#,
    r#"{"type":"error","message":"Failed to subscribe","reason":"BTC-USD is not a valid product"}"#,
    r#"{"type":"error","message":"Authentication Failed"}"#,
    r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}"#,
];

#[test]
fn coinbase() {
    let coinbase = Coinbase::new(topics("BTC-USD", false)).unwrap();
    let (price, size, id, number, at) = print(&read(&coinbase, COINBASE[0]));
    assert_eq!((price, size), (decimal("400.23"), decimal("5.23512")));
    assert_eq!((id.as_str(), number, at), ("10", Some(10), time("2014-11-07T08:19:27.028459Z")));
    assert_eq!(read(&coinbase, COINBASE[1]), [Said::Newest { topic: 0, number: 9 }]);
    assert_eq!(touch(&read(&coinbase, COINBASE[2])).0, Some(decimal("1285.04")));
    assert_eq!(read(&coinbase, COINBASE[3]), [Said::Acknowledged(0), Said::Acknowledged(1)]);
    assert!(matches!(&*read(&coinbase, COINBASE[4]), [Said::Refused { .. }, Said::Refused { .. }]));
    assert!(matches!(&*read(&coinbase, COINBASE[5]), [Said::Fatal(_)]));
    assert_eq!(read(&coinbase, COINBASE[6]), []);
    assert!(Coinbase::new(topics("BTC-USD", true)).unwrap_err().to_string().contains("make them of prints"));
}

const BYBIT: &[&str] = &[
    r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"seq":1783284617}]}"#,
    r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}"#,
    r#"{"topic":"orderbook.1.BTCUSDT","type":"delta","ts":1672304484979,"data":{"s":"BTCUSDT","b":[["16493.50","0"],["16493.00","2"]],"a":[],"u":18521289,"seq":7961638725}}"#,
    r#"{"topic":"kline.1.BTCUSDT","type":"snapshot","ts":1672324988882,"data":[{"start":1672324800000,"end":1672324859999,"interval":"1","open":"16649.5","close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324988882}]}"#,
    r#"{"success":true,"ret_msg":"","conn_id":"2324d924","req_id":"3","op":"subscribe"}"#,
    r#"{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.X","conn_id":"2324d924","req_id":"4","op":"subscribe"}"#,
    r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817","req_id":"","op":"ping"}"#,
];

#[test]
fn bybit() {
    let bybit = Bybit::linear(topics("BTC-USDT-PERP", true)).unwrap();
    let (price, _, id, number, at) = print(&read(&bybit, BYBIT[0]));
    assert_eq!((price, number, at), (decimal("16578.5"), None, time("2022-12-29T09:01:26.865Z")));
    assert_eq!(id, "20f43950-d8dd-5b31-9112-a178eb6023af");
    assert_eq!(touch(&read(&bybit, BYBIT[1])).1, Some(decimal("16611")));
    assert_eq!(
        (touch(&read(&bybit, BYBIT[2])).0, touch(&read(&bybit, BYBIT[2])).1),
        (Some(decimal("16493")), None)
    );
    let said = read(&bybit, BYBIT[3]);
    let [Said::Bar { bar, is_closed: true, .. }] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((bar.close, bar.timestamp), (decimal("16677"), time("2022-12-29T14:41:00Z")));
    assert_eq!(read(&bybit, BYBIT[4]), [Said::RequestAcknowledged(3)]);
    assert!(matches!(&*read(&bybit, BYBIT[5]), [Said::RequestRefused { request: 4, .. }]));
    assert_eq!(read(&bybit, BYBIT[6]), [Said::Pong]);
}

#[test]
fn order_books_are_asked_for_and_asked_for_anew() {
    let book = |name: &str| [Topic::book(symbol(name))];
    let texts = |frames: Vec<Frame>| -> Vec<String> {
        let text = |frame| match frame {
            Frame::Text(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
        frames.into_iter().map(text).collect()
    };
    let said = |protocol: &dyn Protocol| {
        let mut frames = vec![protocol.subscription(&[0], 3)];
        frames.extend(protocol.book_anew(0, 4));
        texts(frames)
    };
    assert_eq!(
        said(&Kraken::new(book("BTC-USD")).unwrap()),
        [("subscribe", 3), ("unsubscribe", 4), ("subscribe", 4)].map(|(word, id)| format!(
            r#"{{"method":"{word}","params":{{"channel":"book","depth":100,"symbol":["BTC/USD"]}},"req_id":{id}}}"#
        ))
    );
    assert_eq!(
        said(&Okx::new(book("BTC-USDT")).unwrap()),
        [("subscribe", 3), ("unsubscribe", 4), ("subscribe", 4)].map(|(word, id)| format!(
            r#"{{"args":[{{"channel":"books","instId":"BTC-USDT"}}],"id":"{id}","op":"{word}"}}"#
        ))
    );
    assert_eq!(
        said(&Bybit::spot(book("BTC-USDT")).unwrap()),
        [("subscribe", 3), ("unsubscribe", 4), ("subscribe", 4)].map(|(word, id)| format!(
            r#"{{"args":["orderbook.200.BTCUSDT"],"op":"{word}","req_id":"{id}"}}"#
        ))
    );
    // The heartbeats go on.
    let channels =
        |word: &str| if word == "subscribe" { r#""level2_batch","heartbeat""# } else { r#""level2_batch""# };
    assert_eq!(
        said(&Coinbase::new(book("BTC-USD")).unwrap()),
        ["subscribe", "unsubscribe", "subscribe"].map(|word| format!(
            r#"{{"channels":[{}],"product_ids":["BTC-USD"],"type":"{word}"}}"#,
            channels(word)
        ))
    );
    // Binance's stream goes on, and the snapshot comes by a request.
    let spot = Binance::spot(book("BTC-USDT")).unwrap();
    assert_eq!(said(&spot), [r#"{"id":3,"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"]}"#]);
    let url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000";
    assert_eq!(spot.book_request(0), Some((url.to_owned(), 50)));
    let futures = Binance::futures(book("BTC-USDT-PERP")).unwrap();
    let url = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000";
    assert_eq!(futures.book_request(0), Some((url.to_owned(), 20)));
    let other =
        Binance::new(book("BTC-USDT"), &mts_marketdata::stream::venues::binance::SPOT, "wss://x").unwrap();
    let (url, _) = other.with_snapshots("https://x/depth").book_request(0).unwrap();
    assert_eq!(url, "https://x/depth?symbol=BTCUSDT&limit=1000");
    // Nobody asks for the snapshot of what is no book.
    assert_eq!(Binance::spot(topics("BTC-USDT", false)).unwrap().book_request(0), None);
    assert!(Polygon::new(book("AAPL"), "key".into()).is_err());
    assert!(
        Alpaca::stocks(book("AAPL"), mts_marketdata::alpaca::Feed::Sip, ("id".into(), "key".into())).is_err()
    );
}

/// Binance, OKX and Bybit say themselves whether a candle is over.
#[test]
fn a_candle_that_forms_is_not_closed() {
    let spot = Binance::spot(topics("BTC-USDT", true)).unwrap();
    let bars = Okx::new([Topic::bars(symbol("BTC-USDT-PERP"), Interval::MINUTE)]).unwrap();
    let bybit = Bybit::linear(topics("BTC-USDT-PERP", true)).unwrap();
    for said in [
        read(&spot, &BINANCE[2].replace(r#""x":true"#, r#""x":false"#)),
        read(&bars, &OKX[2].replace(r#""5529.5","1"]"#, r#""5529.5","0"]"#)),
        read(&bybit, &BYBIT[3].replace(r#""confirm":true"#, r#""confirm":false"#)),
    ] {
        assert!(matches!(*said, [Said::Bar { is_closed: false, .. }]), "{said:?}");
    }
}

#[test]
fn what_a_venue_does_not_have_is_refused_before_anything_is_sent() {
    let two = "2m".parse::<Interval>().unwrap();
    assert!(Binance::spot([Topic::bars(symbol("BTC-USDT"), two)]).is_err());
    assert!(Kraken::new([Topic::bars(symbol("BTC-USD"), two)]).is_err());
    assert!(Binance::spot([Topic::trades(symbol("AAPL"))]).is_err());
    assert!(Bybit::spot(Vec::new()).is_err());
    let many = (0..1_025).map(|number| Topic::trades(symbol(&format!("A{number}-USDT"))));
    assert!(Binance::spot(many).unwrap_err().to_string().contains("use several"));
    let twice =
        Binance::spot([Topic::trades(symbol("BTC-USDT")), Topic::trades(symbol("BTC-USDT"))]).unwrap();
    assert_eq!(twice.topics().len(), 1);
}

#[test]
fn what_is_not_wanted_says_nothing() {
    let other = BINANCE[0].replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt");
    assert_eq!(read(&Binance::spot(topics("BTC-USDT", false)).unwrap(), &other), []);
    let other = KRAKEN[0].replace("BTC/USD", "ETH/USD");
    assert_eq!(read(&Kraken::new(topics("BTC-USD", false)).unwrap(), &other), []);
}

fn corpus() -> Vec<&'static str> {
    [BINANCE, KRAKEN, OKX, COINBASE, BYBIT].concat()
}

/// Every topic that a frame speaks of exists.
fn check(frame: &[u8]) {
    for protocol in all() {
        let mut said = Vec::new();
        let _ = protocol.read(frame, wall(ms(0)), &mut said);
        for said in said {
            let index: Option<TopicIndex> = match said {
                Said::Trade { topic, trade, .. } => {
                    assert_eq!(protocol.topics()[topic].symbol, trade.symbol);
                    assert_eq!(protocol.topics()[topic].channel, Channel::Trades);
                    Some(topic)
                }
                Said::Void { topic, .. }
                | Said::Newest { topic, .. }
                | Said::Touch { topic, .. }
                | Said::Bar { topic, .. }
                | Said::Acknowledged(topic)
                | Said::Refused { topic, .. } => Some(topic),
                _ => None,
            };
            assert!(index.is_none_or(|index| index < protocol.topics().len()));
        }
    }
}

#[test]
fn the_corpus_is_read_by_everybody() {
    corpus().into_iter().for_each(|frame| check(frame.as_bytes()));
    for hostile in [
        "",
        "[]",
        "{}",
        "null",
        "[[[[[[",
        "{\"data\":null}",
        "{\"topic\":\".\"}",
        "{\"stream\":\"@\",\"data\":1}",
    ] {
        check(hostile.as_bytes());
    }
    check(&[b'['; 100_000]);
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    /// Frames that are nearly right: bytes changed, parts cut out or doubled, numbers made extreme.
    #[test]
    fn no_frame_that_is_nearly_right_does(
        which in 0..corpus().len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        number in prop::sample::select(vec!["0", "-1", "1e400", "99999999999999999999", "\"\"", "null", "1e-30", "\"NaN\""]),
        digit in any::<prop::sample::Index>(),
    ) {
        let frame = corpus()[which];
        let mut bytes = frame.as_bytes().to_vec();
        for (place, byte) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        check(&bytes);
        let (from, to) = (cut.0.index(frame.len()), cut.1.index(frame.len()));
        check(&frame.as_bytes()[from.min(to)..from.max(to)]);
        // A value of the frame becomes another.
        let starts: Vec<usize> = frame.match_indices(':').map(|(at, _)| at + 1).collect();
        if !starts.is_empty() {
            let start = starts[digit.index(starts.len())];
            let end = frame[start..].find([',', '}', ']']).map_or(frame.len(), |end| start + end);
            check(format!("{}{number}{}", &frame[..start], &frame[end..]).as_bytes());
        }
    }
}
