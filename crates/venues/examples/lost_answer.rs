//! A double of Alpaca takes an order and loses its answer: the client cannot know, the venue has it.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::double::{Act, Call, CallFault, VenueDouble};
use mts_foundation::{Clock, Timestamp};
use mts_venues::{Options, Venue};
use secrecy::ExposeSecret;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-03-02T17:00:00Z".parse().unwrap_or(Timestamp::EPOCH)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let double = Venue::Alpaca.start(Options::new(Arc::new(Noon)))?;
    double.act(&Act::Call { call: Call::Submit, fault: CallFault::AnswerLost, times: 1 })?;
    let secrets = double.credentials();
    let secret = |name: &str| secrets.get(name).map_or("", |secret| secret.expose_secret());
    let order = r#"{"symbol":"AAPL","qty":"10","side":"buy","type":"limit","limit_price":"180","time_in_force":"gtc","client_order_id":"mine"}"#;
    let request = format!(
        "POST /v2/orders HTTP/1.1\r\nHost: double\r\nAPCA-API-KEY-ID: {}\r\nAPCA-API-SECRET-KEY: {}\r\nContent-Length: {}\r\n\r\n{order}",
        secret("key_id"),
        secret("secret_key"),
        order.len()
    );
    let mut stream = TcpStream::connect(double.address())?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("the client has read {} bytes", answer.len());
    for order in double.orders() {
        let client_id = order.client_id.unwrap_or_default();
        println!("the venue has {client_id}: {} {} is {}", order.quantity, order.symbol, order.state);
    }
    Ok(())
}
