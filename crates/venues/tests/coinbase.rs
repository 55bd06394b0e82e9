//! Coinbase's rules, by a plain HTTP client that signs its own tokens.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod client;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use client::{Following, PATIENCE, Reply, Steps, d, exchange, quote, until};
use mts_foundation::double::{Act, Call, CallFault, Happening, StreamFault, VenueDouble};
use mts_foundation::{BrokerOrderId, Clock, Decimal, OrderState};
use mts_venues::{Double, Options, Venue};
use p256::ecdsa::signature::Signer;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;

struct Bench {
    double: Double,
    clock: Arc<Steps>,
    ed25519: bool,
}

impl Bench {
    fn new(variants: &[&str]) -> Self {
        let clock = Arc::new(Steps::new());
        let mut options = Options::new(clock.clone());
        options.variants = variants.iter().map(ToString::to_string).collect();
        let double = Venue::Coinbase.start(options).unwrap();
        let bench = Self { double, clock, ed25519: variants.contains(&"ed25519") };
        bench.double.quote(&quote("BTC-USD", "49999", "50000"));
        bench
    }

    /// A token for a request to the host `x`, or for a message of a stream.
    fn token(&self, uri: Option<String>) -> String {
        let secrets = self.double.credentials();
        let (name, secret) = (secrets["api_key"].expose_secret(), secrets["api_secret"].expose_secret());
        let now = self.clock.now().nanos() / 1_000_000_000;
        let alg = if self.ed25519 { "EdDSA" } else { "ES256" };
        let header = json!({"alg": alg, "kid": name, "nonce": "0f", "typ": "JWT"});
        let mut claims = json!({"sub": name, "iss": "cdp", "nbf": now, "exp": now + 120});
        if let Some(uri) = uri {
            claims["uri"] = json!(uri);
        }
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = if self.ed25519 {
            let both = BASE64_STANDARD.decode(secret).unwrap();
            ed25519_dalek::SigningKey::from_bytes(both[..32].try_into().unwrap())
                .sign(signed.as_bytes())
                .to_vec()
        } else {
            let key = p256::ecdsa::SigningKey::from(p256::SecretKey::from_sec1_pem(secret).unwrap());
            let signature: p256::ecdsa::Signature = key.sign(signed.as_bytes());
            signature.to_bytes().to_vec()
        };
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn send(&self, method: &str, target: &str, body: &Value) -> Reply {
        let target = format!("/api/v3/brokerage{target}");
        let path = target.split('?').next().unwrap();
        let headers = format!("Authorization: Bearer {}\r\n", self.token(Some(format!("{method} x{path}"))));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        exchange(&self.double, PATIENCE, &headers, method, &target, &body).unwrap()
    }

    fn get(&self, target: &str) -> Value {
        let reply = self.send("GET", target, &Value::Null);
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        reply.json()
    }

    /// Submits an order.
    fn submit(&self, id: &str, side: &str, kind: &str, terms: Value) -> Value {
        let body = json!({
            "client_order_id": id, "product_id": "BTC-USD", "side": side, "order_configuration": {kind: terms},
        });
        let reply = self.send("POST", "/orders", &body);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    /// The id of an order to buy that rests.
    fn resting(&self, id: &str) -> String {
        let terms = json!({"base_size": "0.1", "limit_price": "40000", "post_only": false});
        let taken = self.submit(id, "BUY", "limit_limit_gtc", terms);
        assert_eq!(taken["success"], true, "{taken}");
        taken["success_response"]["order_id"].as_str().unwrap().to_owned()
    }

    fn status(&self, id: &str) -> String {
        self.get(&format!("/orders/historical/{id}"))["order"]["status"].as_str().unwrap().to_owned()
    }

    /// A stream of the user's orders: the answers to the subscription are read.
    fn follow(&self, products: &[&str]) -> (Following, Vec<Value>) {
        let mut following = Following::of(&self.double, "/", false).unwrap();
        let jwt = self.token(None);
        following.say(
            &json!({"type": "subscribe", "product_ids": products, "channel": "user", "jwt": jwt}).to_string(),
        );
        let mut told = vec![following.next().unwrap()];
        assert_eq!(told[0]["channel"], "subscriptions");
        loop {
            told.push(following.next().unwrap());
            if told.last().unwrap()["events"][0]["orders"].as_array().unwrap().len() < 50 {
                return (following, told);
            }
        }
    }
}

#[test]
fn every_request_has_a_token_of_its_own() {
    for variants in [&[][..], &["ed25519"]] {
        let bench = Bench::new(variants);
        assert_eq!(bench.get("/key_permissions")["can_transfer"], false);
        // Its time needs none; a token for another path, and none at all, are refused.
        let plain = |headers: &str, target: &str| {
            exchange(&bench.double, PATIENCE, headers, "GET", target, "").unwrap()
        };
        assert_eq!(plain("", "/api/v3/brokerage/time").status, 200);
        let other = format!(
            "Authorization: Bearer {}\r\n",
            bench.token(Some("GET x/api/v3/brokerage/time".to_owned()))
        );
        for headers in ["", &other] {
            let refused = plain(headers, "/api/v3/brokerage/accounts");
            assert_eq!((refused.status, refused.body.as_str()), (401, "Unauthorized\n"));
        }
        let mut stranger = Following::of(&bench.double, "/", false).unwrap();
        stranger.say(r#"{"type": "subscribe", "product_ids": [], "channel": "user", "jwt": "a.b.c"}"#);
        assert_eq!(stranger.next().unwrap()["message"], "authentication failure");
        assert_eq!(stranger.next(), None);
    }
    assert_eq!(Bench::new(&["transfer_key"]).get("/key_permissions")["can_transfer"], true);
    let options = Options { variants: vec!["rsa".to_owned()], ..Options::new(Arc::new(Steps::new())) };
    let error = Venue::Coinbase.start(options).unwrap_err().to_string();
    assert!(
        error.contains("\"rsa\"") && error.contains("ed25519, duplicates_refused, transfer_key"),
        "{error}"
    );
}

#[test]
fn orders_fill_at_the_touch_and_cost_their_fees() {
    let bench = Bench::new(&[]);
    let taken = bench.submit("a", "BUY", "market_market_ioc", json!({"quote_size": "10000"}));
    assert_eq!(taken["order_configuration"], json!({"market_market_ioc": {"quote_size": "10000"}}));
    let id = taken["order_id"].as_str().unwrap().to_owned();
    let order = bench.get(&format!("/orders/historical/{id}"))["order"].clone();
    assert_eq!((order["status"].as_str(), order["filled_size"].as_str()), (Some("FILLED"), Some("0.2")));
    assert_eq!((order["total_fees"].as_str(), order["fee"].as_str()), (Some("80"), Some("")));
    let fill = bench.get("/orders/historical/fills")["fills"][0].clone();
    assert_eq!(
        (fill["commission"].as_str(), fill["liquidity_indicator"].as_str()),
        (Some("80"), Some("TAKER"))
    );
    assert_eq!(fill["entry_id"].as_str().unwrap(), bench.double.fills()[0].id.as_str());
    let accounts = bench.get("/accounts")["accounts"].clone();
    let of = |currency: &str| {
        let row = accounts.as_array().unwrap().iter().find(|row| row["currency"] == currency).unwrap();
        row["available_balance"]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((of("USD"), of("BTC"), of("ETH")), ("989920".to_owned(), "0.2".to_owned(), "0".to_owned()));
    // A sale of more than is held is refused; one that rests holds its units.
    let terms = |size: &str| json!({"base_size": size, "limit_price": "60000", "post_only": true});
    let refused = bench.submit("b", "SELL", "limit_limit_gtc", terms("0.3"));
    assert_eq!(refused["error_response"]["error"], "INSUFFICIENT_FUND");
    bench.submit("c", "SELL", "limit_limit_gtc", terms("0.15"));
    let page = bench.get("/accounts?limit=1");
    assert_eq!(
        (page["has_next"].as_bool(), page["accounts"][0]["currency"].as_str()),
        (Some(true), Some("BTC"))
    );
    assert_eq!(page["accounts"][0]["hold"]["value"], "0.15");
    let next = bench.get(&format!("/accounts?limit=250&cursor={}", page["cursor"].as_str().unwrap()));
    assert_eq!((next["has_next"].as_bool(), next["size"].as_u64()), (Some(false), Some(3)));
}

#[test]
fn what_the_venue_does_not_take_is_refused_in_its_words() {
    let bench = Bench::new(&[]);
    let gtc = |size: &str, price: &str| json!({"base_size": size, "limit_price": price, "post_only": true});
    let stop = |stop: &str, direction: &str| json!({"base_size": "1", "limit_price": "51000", "stop_price": stop, "stop_direction": direction});
    let (up, down) = ("STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN");
    let past = json!({"base_size": "1", "limit_price": "40000", "end_time": "2026-03-02T14:00:00Z"});
    let cases = [
        ("SHORT", "limit_limit_gtc", gtc("1", "40000"), "INVALID_SIDE"),
        ("BUY", "market_market_fok", json!({"base_size": "1"}), "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("BUY", "limit_limit_gtc", gtc("1", "40000.001"), "INVALID_PRICE_PRECISION"),
        ("BUY", "limit_limit_gtc", gtc("0.000000001", "40000"), "INVALID_SIZE_PRECISION"),
        ("BUY", "limit_limit_gtc", gtc("1", "50000"), "INVALID_LIMIT_PRICE_POST_ONLY"),
        ("BUY", "limit_limit_gtc", gtc("30", "40000"), "INSUFFICIENT_FUND"),
        ("BUY", "limit_limit_gtc", gtc("3000000", "40000"), "INVALID_BASE_SIZE_TOO_LARGE"),
        ("BUY", "limit_limit_gtd", past, "INVALID_REQUEST"),
        ("BUY", "stop_limit_stop_limit_gtc", stop("50500", down), "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("BUY", "stop_limit_stop_limit_gtc", stop("50000", up), "STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
    ];
    for (side, kind, terms, reason) in cases {
        let answer = bench.submit("x", side, kind, terms.clone());
        assert_eq!(
            (answer["success"].as_bool(), answer["error_response"]["error"].as_str()),
            (Some(false), Some(reason)),
            "{terms}"
        );
        let order = json!({"product_id": "BTC-USD", "side": side, "order_configuration": {kind: terms}});
        let preview = bench.send("POST", "/orders/preview", &order).json();
        assert_eq!(preview["errs"], json!([format!("PREVIEW_{reason}")]));
    }
    let order = json!({"product_id": "NO-USD", "side": "BUY", "client_order_id": "x", "order_configuration": {"limit_limit_gtc": gtc("1", "1")}});
    assert_eq!(bench.send("POST", "/orders", &order).json()["error_response"]["error"], "INVALID_PRODUCT_ID");
    // Numbers are texts, and a body has its fields.
    for body in [
        json!({}),
        json!([]),
        json!({"client_order_id": "x", "product_id": "BTC-USD", "side": "BUY", "order_configuration": {"limit_limit_gtc": {"base_size": 1, "limit_price": "1"}}}),
    ] {
        let reply = bench.send("POST", "/orders", &body);
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("INVALID_ARGUMENT")), "{body}");
    }
    assert_eq!(bench.send("GET", "/orders/historical/none", &Value::Null).status, 404);
    assert!(bench.double.orders().is_empty());
}

#[test]
fn a_used_client_id_is_answered_with_its_order_or_refused() {
    let bench = Bench::new(&[]);
    let id = bench.resting("once");
    let terms = json!({"base_size": "0.7", "limit_price": "41000", "post_only": false});
    let again = bench.submit("once", "BUY", "limit_limit_gtc", terms.clone());
    assert_eq!((again["success"].as_bool(), again["order_id"].as_str()), (Some(true), Some(id.as_str())));
    assert_eq!(again["order_configuration"]["limit_limit_gtc"]["base_size"], "0.1");
    let bench = Bench::new(&["duplicates_refused"]);
    bench.resting("once");
    let again = bench.submit("once", "BUY", "limit_limit_gtc", terms);
    assert_eq!(again["error_response"]["error"], "DUPLICATE_CLIENT_ORDER_ID");
    assert_eq!(bench.double.orders().len(), 1);
}

#[test]
fn cancellations_come_to_pass_after_their_answer() {
    let bench = Bench::new(&[]);
    let (one, two) = (bench.resting("1"), bench.resting("2"));
    bench
        .double
        .act(&Act::Happen(Happening::Fill {
            order: BrokerOrderId::new(&two).unwrap(),
            quantity: d("0.1"),
            price: None,
        }))
        .unwrap();
    let cancel = |ids: Value| bench.send("POST", "/orders/batch_cancel", &json!({"order_ids": ids}));
    let results = cancel(json!([one, two, "none"])).json()["results"].clone();
    let told: Vec<_> =
        results.as_array().unwrap().iter().map(|row| row["failure_reason"].as_str().unwrap()).collect();
    assert_eq!(told, ["UNKNOWN_CANCEL_FAILURE_REASON", "ORDER_IS_FULLY_FILLED", "UNKNOWN_CANCEL_ORDER"]);
    until("the cancellation", || bench.status(&one) == "CANCELLED");
    assert_eq!(cancel(json!([one])).json()["results"][0]["failure_reason"], "INVALID_CANCEL_REQUEST");
    assert_eq!(cancel(json!([])).status, 400);
}

#[test]
fn an_edit_keeps_the_order_and_meets_the_market_anew() {
    let bench = Bench::new(&[]);
    let id = bench.resting("1");
    let edit = |body: Value| bench.send("POST", "/orders/edit", &body).json();
    let reason =
        |answer: Value| answer["errors"][0]["edit_failure_reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(edit(json!({"order_id": id, "price": "41000", "size": "0.2"}))["success"], true);
    let order = bench.get(&format!("/orders/historical/{id}"))["order"].clone();
    assert_eq!(
        order["order_configuration"]["limit_limit_gtc"],
        json!({"base_size": "0.2", "limit_price": "41000", "post_only": false})
    );
    assert_eq!(reason(edit(json!({"order_id": "none", "size": "1"}))), "ORDER_NOT_FOUND");
    assert_eq!(reason(edit(json!({"order_id": id, "size": "0.000000001"}))), "INVALID_EDITED_SIZE");
    assert_eq!(edit(json!({"order_id": id, "price": "50000"}))["success"], true);
    assert_eq!((bench.status(&id), bench.double.orders()[0].filled), ("FILLED".to_owned(), d("0.2")));
    assert_eq!(reason(edit(json!({"order_id": id, "price": "1"}))), "ORDER_NOT_FOUND");
}

#[test]
fn an_order_until_a_time_ends_then() {
    let bench = Bench::new(&[]);
    let terms = json!({"base_size": "0.1", "limit_price": "40000", "end_time": "2026-03-03T00:00:00Z"});
    let id = bench.submit("day", "BUY", "limit_limit_gtd", terms)["order_id"].as_str().unwrap().to_owned();
    let (mut following, _) = bench.follow(&[]);
    bench.clock.skip(8 * 3_600);
    assert_eq!(bench.status(&id), "OPEN");
    bench.clock.skip(3_600);
    assert_eq!(bench.status(&id), "EXPIRED");
    let row = following.next().unwrap()["events"][0]["orders"][0].clone();
    assert_eq!((row["status"].as_str(), row["leaves_quantity"].as_str()), (Some("EXPIRED"), Some("0")));
}

#[test]
fn lists_come_newest_first_and_in_pages() {
    let bench = Bench::new(&[]);
    let ids: Vec<String> = (0..5).map(|number| bench.resting(&number.to_string())).collect();
    let order = BrokerOrderId::new(&ids[0]).unwrap();
    for _ in 0..5 {
        bench
            .double
            .act(&Act::Happen(Happening::Fill { order: order.clone(), quantity: d("0.01"), price: None }))
            .unwrap();
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("/orders/historical/batch?limit=2&order_status=OPEN{cursor}"));
        found.extend(
            page["orders"].as_array().unwrap().iter().map(|row| row["order_id"].as_str().unwrap().to_owned()),
        );
        if page["has_next"] == false {
            break;
        }
        cursor = format!("&cursor={}", page["cursor"].as_str().unwrap());
    }
    found.reverse();
    assert_eq!(found, ids);
    let first = bench.get(&format!("/orders/historical/fills?limit=3&order_ids={}", ids[0]));
    assert_eq!(first["fills"].as_array().unwrap().len(), 3);
    let rest =
        bench.get(&format!("/orders/historical/fills?limit=3&cursor={}", first["cursor"].as_str().unwrap()));
    assert_eq!(rest["fills"].as_array().unwrap().len(), 2);
    assert!(first["fills"][0]["trade_time"].as_str() > rest["fills"][1]["trade_time"].as_str());
    // There is a cursor on the last page, and nothing behind it.
    let end = bench.get(&format!("/orders/historical/fills?cursor={}", rest["cursor"].as_str().unwrap()));
    assert_eq!(end, json!({"fills": [], "cursor": ""}));
    let both =
        bench.send("GET", "/orders/historical/batch?order_status=OPEN&order_status=PENDING", &Value::Null);
    assert_eq!(both.status, 400);
    assert_eq!(
        bench.get("/orders/historical/fills?start_sequence_timestamp=2027-01-01T00:00:00Z")["fills"],
        json!([])
    );
}

#[test]
fn the_stream_begins_with_all_that_is_open_and_numbers_its_messages() {
    let bench = Bench::new(&[]);
    let ids: Vec<String> = (0..51).map(|number| bench.resting(&number.to_string())).collect();
    let (mut following, told) = bench.follow(&[]);
    let sizes: Vec<usize> =
        told[1..].iter().map(|batch| batch["events"][0]["orders"].as_array().unwrap().len()).collect();
    assert_eq!((sizes, told[1]["events"][0]["type"].as_str()), (vec![50, 1], Some("snapshot")));
    bench
        .double
        .act(&Act::Happen(Happening::Fill {
            order: BrokerOrderId::new(&ids[3]).unwrap(),
            quantity: d("0.04"),
            price: None,
        }))
        .unwrap();
    let update = following.next().unwrap();
    let row = &update["events"][0]["orders"][0];
    assert_eq!(
        (row["cumulative_quantity"].as_str(), row["leaves_quantity"].as_str()),
        (Some("0.04"), Some("0.06"))
    );
    assert_eq!((row["number_of_fills"].as_str(), row["total_fees"].as_str()), (Some("1"), Some("9.6")));
    assert_eq!(update["sequence_num"], 3);
    // What is lost leaves a number out.
    bench.double.act(&Act::Stream(StreamFault::Lost)).unwrap();
    bench.resting("lost");
    bench.resting("next");
    assert_eq!(following.next().unwrap()["sequence_num"], 5);
    let jwt = bench.token(None);
    following.say(&json!({"type": "subscribe", "channel": "heartbeats", "jwt": jwt}).to_string());
    assert_eq!(following.next().unwrap()["channel"], "subscriptions");
    let beat = following.next().unwrap();
    assert_eq!((beat["channel"].as_str(), beat["sequence_num"].as_u64()), (Some("heartbeats"), Some(7)));
    // Another product's orders are not told.
    let (mut other, told) = bench.follow(&["ETH-USD"]);
    assert_eq!(told.len(), 2);
    bench.resting("unseen");
    assert!(other.is_quiet());
}

#[test]
fn troubles_are_in_the_words_of_the_venue() {
    let bench = Bench::new(&[]);
    let fault = |fault| bench.double.act(&Act::Call { call: Call::Account, fault, times: 1 }).unwrap();
    fault(CallFault::TooMany { retry_after: Some(2) });
    let limited = bench.send("GET", "/accounts", &Value::Null);
    assert_eq!(
        (limited.status, limited.json()["errors"][0]["id"].as_str()),
        (429, Some("rate_limit_exceeded"))
    );
    assert!(limited.head.to_lowercase().contains("retry-after: 2"));
    fault(CallFault::NotAuthorised);
    assert_eq!(bench.send("GET", "/accounts", &Value::Null).status, 401);
    for act in [Act::ExpireTokens, Act::Happen(Happening::Cash { amount: Decimal::ONE })] {
        assert!(bench.double.act(&act).is_err(), "{act:?}");
    }
    bench.resting("1");
    let order = bench.double.orders()[0].id.clone();
    bench.double.act(&Act::Happen(Happening::Reject { order: order.clone() })).unwrap();
    assert_eq!(
        (bench.status(order.as_str()).as_str(), bench.double.orders()[0].state),
        ("FAILED", OrderState::Rejected)
    );
}

#[test]
fn tls_and_plain_http_share_a_port() {
    let clock = Arc::new(Steps::new());
    let double = Venue::Coinbase.start(Options { tls: true, ..Options::new(clock) }).unwrap();
    let plain = exchange(&double, PATIENCE, "", "GET", "/api/v3/brokerage/time", "").unwrap();
    assert_eq!(plain.status, 200);
    let mut roots = rustls::RootCertStore::empty();
    let pem = double.certificate().unwrap().lines().filter(|line| !line.starts_with('-')).collect::<String>();
    roots.add(BASE64_STANDARD.decode(pem).unwrap().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut session =
        rustls::ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut socket = std::net::TcpStream::connect(double.address()).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    let request = "GET /api/v3/brokerage/time HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut first = [0_u8; 15];
    std::io::Read::read_exact(&mut stream, &mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
}
