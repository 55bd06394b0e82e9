//! The client against loopback servers that behave and that do not.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use bytes::Bytes;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use mts_transport::ReqwestClient;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves every connection after having read the request's head, and posts to it.
async fn ask<F, A>(answer: A, options: RequestOptions) -> Result<http::Response<Bytes>, TransportError>
where
    A: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = [0; 4096];
            assert!(stream.read(&mut seen).await.unwrap() > 0);
            answer(stream).await;
        }
    });
    let request = http::Request::post(format!("http://{address}/T0/hunter2?token=hunter2"))
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    let said = ReqwestClient::new().unwrap().send(request, &options).await;
    server.abort();
    if let Err(error) = &said {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    said
}

fn short() -> RequestOptions {
    RequestOptions {
        deadline: Duration::from_millis(300),
        max_response_bytes: 1000,
        ..RequestOptions::default()
    }
}

async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let serve = |mut stream| async move {
        write(
            &mut stream,
            "HTTP/1.1 503 no\r\nX-Why: busy\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nlater",
        )
        .await;
    };
    let answer = ask(serve, RequestOptions::default()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (503, &b"later"[..]));
    assert_eq!(answer.headers()["x-why"], "busy");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_at_the_deadline() {
    let hang = |stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    };
    let error = ask(hang, short()).await.unwrap_err();
    assert!(error.timed_out && error.message.contains("300 ms"), "{error}");
    assert_eq!(error.departure, Departure::MayHaveLeft);
}

#[tokio::test]
async fn an_answer_that_drips_is_left_at_the_deadline() {
    let drip = |mut stream: TcpStream| async move {
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n").await;
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(ask(drip, short()).await.unwrap_err().timed_out);
}

#[tokio::test]
async fn endless_bytes_are_cut_at_the_limit() {
    let flood = |mut stream: TcpStream| async move {
        write(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 512]).await.is_ok() {}
    };
    let options = RequestOptions { deadline: Duration::from_secs(20), ..short() };
    let error = ask(flood, options).await.unwrap_err();
    assert!(error.message.contains("longer than 1000 bytes") && !error.timed_out, "{error}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let redirect = |mut stream| async move {
        write(&mut stream, "HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            .await;
    };
    assert_eq!(ask(redirect, short()).await.unwrap().status(), 307);
}

#[tokio::test]
async fn a_connection_that_closes_early_may_have_carried_the_request() {
    let close = |mut stream| async move {
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf").await;
    };
    let error = ask(close, RequestOptions::default()).await.unwrap_err();
    assert!(!error.timed_out);
    assert_eq!(error.departure, Departure::MayHaveLeft);
    let silent = ask(|stream| async move { drop(stream) }, RequestOptions::default()).await.unwrap_err();
    assert_eq!(silent.departure, Departure::MayHaveLeft);
}

#[tokio::test]
async fn what_was_never_connected_was_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let request = http::Request::get(format!("http://{free}/")).body(Bytes::new()).unwrap();
    let error = ReqwestClient::new().unwrap().send(request, &RequestOptions::default()).await.unwrap_err();
    assert_eq!(error.departure, Departure::NotSent);
    assert!(!error.timed_out && error.message.contains("127.0.0.1"), "{error}");
}
