//! One request to a server on the loopback interface: answered in time, and too late.

#![allow(clippy::print_stdout, reason = "an example prints")]

use bytes::Bytes;
use mts_foundation::io::{HttpClient, RequestOptions};
use mts_transport::ReqwestClient;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // The first connection is answered, the second only taken.
    let server = std::thread::spawn(move || -> std::io::Result<_> {
        let (mut first, _) = listener.accept()?;
        let mut seen = [0; 1024];
        let length = first.read(&mut seen)?;
        first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")?;
        drop(first);
        let (second, _) = listener.accept()?;
        Ok((length > 0, second))
    });
    let client = ReqwestClient::new()?;
    let request = || http::Request::get(format!("http://{address}/quotes")).body(Bytes::new());
    let answer = client.send(request()?, &RequestOptions::default()).await?;
    println!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body()));
    let hasty = RequestOptions { deadline: Duration::from_millis(200), ..RequestOptions::default() };
    match client.send(request()?, &hasty).await {
        Ok(answer) => println!("{}", answer.status()),
        Err(error) => println!("timed out: {}; {:?}", error.timed_out, error.departure),
    }
    drop(server.join());
    Ok(())
}
