//! A session with a server on the loopback interface, through the whole stack, onto a tape and back; and no secret anywhere.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod desk;

use bytes::Bytes;
use desk::{answer, clock, serve};
use futures_util::{SinkExt, StreamExt};
use mts_foundation::io::{Departure, DynHttpClient, DynSocketConnector, Frame, RequestOptions};
use mts_transport::{Player, Redactor, RetryOptions, Secrets, Stack, TapeError};
use secrecy::ExposeSecret;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");

/// Stands in every place of a session that a secret can take.
const CANARY: &str = "CANARY/b7+0123456789=";

/// What an adapter does: two requests and a conversation, with a secret and a nonce.
async fn session(
    http: &dyn DynHttpClient,
    sockets: &dyn DynSocketConnector,
    base: &str,
    secret: &str,
    nonce: u64,
) -> Result<Vec<String>, String> {
    let mut seen = Vec::new();
    let said = |error: mts_foundation::io::TransportError| error.message;
    let read = http::Request::get(format!("{base}/v1/account?api_key={}&nonce={nonce}", in_query(secret)))
        .header("authorization", format!("Bearer {secret}"))
        .header("x-api-key", secret)
        .header("x-timestamp", nonce.to_string())
        .body(Bytes::new())
        .unwrap();
    let account = http.send(read, &RequestOptions::read()).await.map_err(said)?;
    seen.push(format!("{} {:?}", account.status(), account.headers().get("x-limit")));
    let body = format!(r#"{{"nonce":{nonce},"passphrase":"{secret}","qty":"1.50"}}"#);
    let order = http::Request::post(format!("{base}/v1/orders")).body(Bytes::from(body)).unwrap();
    let order = http.send(order, &RequestOptions::default()).await.map_err(said)?;
    seen.push(format!("{} {}", order.status(), String::from_utf8_lossy(order.body())));
    let stream = base.replace("http://", "ws://");
    let request = http::Request::get(format!("{stream}/stream")).body(()).unwrap();
    let mut socket = sockets.connect(request, Duration::from_secs(5)).await.map_err(said)?;
    let subscribe = format!(r#"{{"op":"auth","secret":"{secret}","nonce":{nonce}}}"#);
    socket.send(Frame::Text(Bytes::from(subscribe))).await.map_err(said)?;
    while let Some(frame) = socket.receive().await.map_err(said)? {
        seen.push(format!("{frame:?}"));
    }
    Ok(seen)
}

fn in_query(secret: &str) -> String {
    secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")
}

/// Answers with secrets it heard, as careless servers do.
async fn venue() -> String {
    let (http, _) = serve(|request| {
        if request.line().starts_with("GET") {
            let head = format!("x-limit: 7\r\nset-cookie: id={CANARY}\r\nx-echo: {CANARY}\r\n");
            return answer(200, &head, &format!(r#"{{"cash":"0.10","token":"{CANARY}"}}"#));
        }
        answer(201, "", &format!(r#"{{"id":1,"filled":0.10,"echo":"{CANARY}"}}"#))
    })
    .await;
    // One address for both, as venues have it.
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", front.local_addr().unwrap());
    let behind = http.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = front.accept().await {
            tokio::spawn(greet(stream, behind.clone()));
        }
    });
    address
}

async fn greet(mut stream: TcpStream, behind: String) {
    let mut first = [0; 12];
    while stream.peek(&mut first).await.unwrap() < first.len() {}
    if &first != b"GET /stream " {
        let mut to = TcpStream::connect(behind).await.unwrap();
        tokio::io::copy_bidirectional(&mut stream, &mut to).await.ok();
        return;
    }
    let mut peer = tokio_tungstenite::accept_async(stream).await.unwrap();
    let heard = peer.next().await.unwrap().unwrap();
    peer.send(heard).await.unwrap();
    peer.send(Message::Binary(Bytes::from([&b"\xff\x07"[..], CANARY.as_bytes()].concat()))).await.unwrap();
    peer.close(None).await.unwrap();
    while let Some(Ok(_)) = peer.next().await {}
}

/// A redactor that was told the secret by the secrets that handed it out.
fn redactor(folder: &Path) -> (Redactor, String) {
    let redactor = Redactor::new();
    let name = desk::secret_file(folder, CANARY);
    let secret = Secrets::new(redactor.clone()).local(&name).unwrap();
    (redactor, secret.expose_secret().to_owned())
}

async fn recorded(folder: &Path, base: &str) -> (PathBuf, Vec<String>) {
    let (redactor, secret) = redactor(folder);
    let stack = Stack::builder("venue", clock())
        .redactor(redactor)
        .seed(7)
        .certificates(AUTHORITY)
        .record(folder.join("tapes"))
        .build()
        .unwrap();
    let seen = session(&*stack.http(), &*stack.sockets(), base, &secret, 17).await.unwrap();
    (stack.tape().unwrap().to_owned(), seen)
}

#[tokio::test]
async fn a_session_comes_back_from_its_tape_and_another_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let base = venue().await;
    let (tape, seen) = recorded(folder.path(), &base).await;
    let (redactor, _) = redactor(folder.path());
    let play = || Player::open(&tape, redactor.clone()).unwrap();
    // Another key and another nonce, as another day has them.
    let player = play();
    let again = session(&player, &player, &base, "another-key-0123456789", 18).await.unwrap();
    assert_eq!(player.adapter(), "venue");
    player.finish().unwrap();
    let clean: Vec<String> = seen.iter().map(|text| redactor.text(text).into_owned()).collect();
    assert_eq!((&again[..2], again.len()), (&clean[..2], seen.len()));
    assert!(again[1].contains("\"filled\":0.10"), "numbers stay as they were written: {}", again[1]);

    let player = play();
    let other = http::Request::get(format!("{base}/v1/positions")).body(Bytes::new()).unwrap();
    let error = DynHttpClient::send(&player, other, &RequestOptions::default()).await.unwrap_err();
    assert_eq!(error.departure, Departure::NotSent);
    assert!(
        error.message.contains("request 1: the request is") && error.message.contains("positions"),
        "{error}"
    );
    assert!(
        matches!(player.finish(), Err(TapeError::Different { message, .. }) if message.contains("positions"))
    );
    let unasked = play().finish().unwrap_err().to_string();
    assert!(unasked.contains("request 1, GET") && unasked.contains("was not asked for"), "{unasked}");
}

#[tokio::test]
async fn a_frame_that_the_tape_does_not_have_is_an_error_that_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let base = venue().await;
    let (tape, _) = recorded(folder.path(), &base).await;
    let player = Player::open(&tape, redactor(folder.path()).0).unwrap();
    let stream = http::Request::get(format!("{}/stream", base.replace("http", "ws"))).body(()).unwrap();
    let mut socket = DynSocketConnector::connect(&player, stream.clone(), Duration::ZERO).await.unwrap();
    // What came after something that was sent does not come before.
    assert!(tokio::time::timeout(Duration::from_millis(50), socket.receive()).await.is_err());
    let error = socket.send(Frame::Text(Bytes::from_static(b"{\"op\":\"ping\"}"))).await.unwrap_err();
    assert!(error.message.contains("ping") && error.message.contains("auth"), "{error}");
    let error = DynSocketConnector::connect(&player, stream, Duration::ZERO).await.err().unwrap();
    assert!(error.message.contains("connection 2") && error.message.contains("has 1 and no more"), "{error}");
}

#[test]
fn what_is_no_tape_is_refused_by_line() {
    let head = r#"{"tape":1,"adapter":"a","program":"p","began":"b"}"#;
    for (text, expected) in [
        ("", "line 1"),
        ("{\"tape\":1}", "line 1"),
        (&head.replace("1,", "2,"), "version 2"),
        (
            &format!("{head}\n{{\"ms\":1,\"id\":4,\"event\":\"connected\"}}"),
            "line 2: nothing with the id 4 began",
        ),
        (&format!("{head}\n\nhunter"), "line 3"),
    ] {
        let error = Player::from_text(Path::new("x.tape"), text, Redactor::new()).err().unwrap().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In any of its forms, or the part of it that all of them have.
fn assert_clean(what: &str, text: &str) {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    for form in [CANARY.to_owned(), in_query(CANARY), "0123456789".to_owned(), hex] {
        assert!(!text.contains(&form), "{form} in {what}: {text}");
    }
}

#[tokio::test]
async fn no_secret_is_in_any_output() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let base = venue().await;
    let (tape, _) = recorded(folder.path(), &base).await;
    let (redactor, secret) = redactor(folder.path());
    assert_clean("the tape", &std::fs::read_to_string(&tape).unwrap());

    // Everything that fails: no server, half an answer, one that is too long, a server that hangs up or refuses.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (broken, _) = serve(|request| match request.line() {
        line if line.contains("half") => {
            Some(format!("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{CANARY}"))
        }
        line if line.contains("long") => answer(200, "", &CANARY.repeat(100)),
        line if line.contains("refused") => answer(503, &format!("x-echo: {CANARY}\r\n"), CANARY),
        _ => None,
    })
    .await;
    let stack = Stack::builder("broken", clock())
        .redactor(redactor.clone())
        .retry(RetryOptions { first_pause: Duration::from_millis(1), ..RetryOptions::default() })
        .certificates(AUTHORITY)
        .record(folder.path().join("tapes"))
        .build()
        .unwrap();
    let mut said = Vec::new();
    let hidden = in_query(&secret);
    for address in [
        format!("http://{closed}/{hidden}?token={hidden}"),
        format!("{broken}/half?token={hidden}"),
        format!("{broken}/long?x={hidden}"),
        format!("{broken}/refused?x={hidden}"),
        format!("{broken}/none/{hidden}"),
    ] {
        let request = http::Request::get(&address).header("x-any", &secret).body(Bytes::new()).unwrap();
        let options = RequestOptions { max_response_bytes: 100, ..RequestOptions::read() };
        if let Err(error) = stack.http().send(request, &options).await {
            assert!(error.message.starts_with("request "), "{error}");
            said.push(format!("{error} {error:?}"));
        }
        let request = http::Request::get(address.replace("http", "ws")).body(()).unwrap();
        let error = stack.sockets().connect(request, Duration::from_secs(5)).await.err().unwrap();
        said.push(format!("{error} {error:?}"));
        stack.reconnects().forgive("127.0.0.1");
    }
    assert_eq!(said.len(), 9);
    let player = Player::open(&tape, redactor).unwrap();
    let other = http::Request::get(format!("{base}/{hidden}?token={hidden}")).body(Bytes::new()).unwrap();
    said.push(format!(
        "{:?}",
        DynHttpClient::send(&player, other, &RequestOptions::read()).await.unwrap_err()
    ));
    for text in &said {
        assert_clean("an error", text);
    }
    assert_clean("the second tape", &std::fs::read_to_string(stack.tape().unwrap()).unwrap());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_clean("the log", &log);
    // The test sees what it looks at.
    assert!(log.contains("mts::transport") && log.contains("attempt=4") && log.contains("REDACTED"), "{log}");
    assert!(log.contains("request{id=") && log.contains("/v1/account?api_key=REDACTED"), "{log}");
    assert!(std::fs::read_to_string(&tape).unwrap().contains("REDACTED"));
}
