//! A web address as a hook: the alert is posted as JSON.

use super::Alert;
use super::hook::Outcome;
use bytes::Bytes;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use mts_foundation::secret::{SecretRef, SecretSource};
use mts_transport::ReqwestClient;
use secrecy::ExposeSecret;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Most posts of one alert: the first, and two more when the server fails or is not there.
const ATTEMPTS: u32 = 3;

/// Pause before the second post; before the third it is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// How often is looked whether the run is over.
const LOOK: Duration = Duration::from_millis(20);

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Posts to the address that the secret holds. No text of this names more of the address than its host.
pub(super) fn post(secret: &str, timeout_ms: u64, alert: &Alert, stop: &AtomicBool) -> Outcome {
    let prepared = || -> Result<_, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let secret: SecretRef = secret.parse().map_err(|error| format!("{error}"))?;
        let secrets = crate::secrets::of_environment()?;
        let address = runtime.block_on(secrets.secret(&secret)).map_err(|error| error.to_string())?;
        let address: http::Uri =
            address.expose_secret().trim().parse().map_err(|_| format!("{secret} holds no web address"))?;
        let body = serde_json::to_vec(alert).map_err(|error| error.to_string())?;
        let client = ReqwestClient::new().map_err(|error| error.to_string())?;
        Ok((address, Bytes::from(body), client, runtime))
    };
    match prepared() {
        Ok((address, body, client, runtime)) => runtime.block_on(async {
            let deliver = attempts(&client, &address, &body, Duration::from_millis(timeout_ms));
            until_stopped(deliver, stop).await
        }),
        Err(fault) => Outcome::Failed(fault),
    }
}

/// The outcome, unless the run is over before.
async fn until_stopped(deliver: impl Future<Output = Outcome>, stop: &AtomicBool) -> Outcome {
    let mut deliver = std::pin::pin!(deliver);
    loop {
        match tokio::time::timeout(LOOK, deliver.as_mut()).await {
            Ok(outcome) => return outcome,
            Err(_) if stop.load(Ordering::Relaxed) => return Outcome::Stopped,
            Err(_) => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "servers outside take wall time; nothing in the run depends on it"
)]
async fn attempts(client: &impl HttpClient, address: &http::Uri, body: &Bytes, whole: Duration) -> Outcome {
    let began = Instant::now();
    let mut fault = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * attempt).await;
        }
        let left = whole.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        let request = http::Request::post(address)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body.clone());
        let Ok(request) = request else { return Outcome::Failed("the web address is not usable".to_owned()) };
        let options =
            RequestOptions { deadline: left, max_response_bytes: MAX_ANSWER, ..RequestOptions::default() };
        match client.send(request, &options).await {
            Ok(answer) if answer.status().is_success() => return Outcome::Sent,
            Ok(answer) if answer.status().is_server_error() => {
                fault = format!("the server answers {}", answer.status())
            }
            Ok(answer) if answer.status().is_redirection() => {
                return Outcome::Failed(format!(
                    "the server answers {}; redirects are not followed",
                    answer.status()
                ));
            }
            Ok(answer) => return Outcome::Failed(format!("the server answers {}", answer.status())),
            Err(TransportError { departure: Departure::NotSent, message, .. }) => fault = message,
            // It may have arrived: posting again could tell people twice.
            Err(error) => return Outcome::Failed(error.message),
        }
    }
    Outcome::Failed(if fault.is_empty() { "the time is over".to_owned() } else { fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::Severity;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    /// Posts to a server that gives these answers, one a connection, and hangs where there is none; what it heard.
    fn posted(answers: &'static [&'static str], timeout_ms: u64) -> (Outcome, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut text = String::new();
                let mut part = [0; 4096];
                while !text.ends_with('}') {
                    let length = stream.read(&mut part).unwrap();
                    text.push_str(&String::from_utf8_lossy(&part[..length]));
                }
                heard.push(text);
                if answer.is_empty() {
                    std::thread::sleep(Duration::from_millis(700));
                } else {
                    let length = "content-length: 0\r\nconnection: close\r\n\r\n";
                    stream.write_all(format!("HTTP/1.1 {answer}\r\n{length}").as_bytes()).unwrap();
                }
            }
            heard
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        std::fs::write(&file, format!("http://{address}/T0/hunter2\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let alert = Alert::new(Severity::Critical, "test", "run".to_owned(), "told".to_owned(), "run");
        let secret = format!("file:{}", file.display());
        let outcome = post(&secret, timeout_ms, &alert, &AtomicBool::new(false));
        assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
        (outcome, server.join().unwrap())
    }

    #[test]
    fn an_alert_is_posted_as_json() {
        let (outcome, heard) = posted(&["200 OK"], 5_000);
        assert_eq!(outcome, Outcome::Sent);
        let text = heard.concat().to_lowercase();
        assert!(
            text.starts_with("post /t0/hunter2 ") && text.contains("content-type: application/json"),
            "{text}"
        );
        let body: serde_json::Value = serde_json::from_str(&heard[0][heard[0].find('{').unwrap()..]).unwrap();
        assert_eq!((&body["severity"], &body["message"]), (&"critical".into(), &"told".into()));
    }

    #[test]
    fn a_server_that_fails_is_asked_again_and_not_for_ever() {
        let (outcome, heard) = posted(&["500 no", "200 OK"], 5_000);
        assert_eq!((outcome, heard.len()), (Outcome::Sent, 2));
        let (outcome, heard) = posted(&["500 no", "502 no", "503 no"], 5_000);
        assert!(matches!(&outcome, Outcome::Failed(why) if why.contains("503")), "{outcome:?}");
        assert_eq!(heard.len(), 3);
    }

    #[test]
    fn redirects_refusals_and_silence_are_failures() {
        for (answers, timeout, expected) in [
            (&["302 elsewhere"] as &'static [&'static str], 5_000, "redirects are not followed"),
            (&["404 no"], 5_000, "404"),
            (&[""], 200, "127.0.0.1"),
        ] {
            let (outcome, heard) = posted(answers, timeout);
            assert!(matches!(&outcome, Outcome::Failed(why) if why.contains(expected)), "{outcome:?}");
            assert_eq!(heard.len(), 1, "not asked again");
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_is_named_by_its_source() {
        let alert = Alert::new(Severity::Info, "test", "run".to_owned(), "told".to_owned(), "run");
        let outcome = post("env:MTS_NO_SUCH_ADDRESS", 100, &alert, &AtomicBool::new(false));
        assert!(
            matches!(&outcome, Outcome::Failed(why) if why.contains("MTS_NO_SUCH_ADDRESS")),
            "{outcome:?}"
        );
    }
}
