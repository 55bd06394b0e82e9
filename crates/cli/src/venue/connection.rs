//! One connection of the venue: lines in, lines out, with what goes wrong on purpose in between.

use super::desk::Question;
use super::faults::{Fate, Faults};
use mts_brokers::loopback::wire::{Answer, MAX_LINE, Request, line};
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot};

/// Speaks with one client until one of the two has enough.
///
/// # Errors
/// When the connection breaks, which needs nobody's attention.
pub(super) async fn converse(
    stream: TcpStream,
    number: u64,
    faults: Arc<Faults>,
    desk: mpsc::Sender<Question>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut random = faults.of_connection(number);
    let mut client = format!("connection {number}");
    let mut text = Vec::new();
    loop {
        text.clear();
        let most = MAX_LINE as u64;
        if (&mut reader).take(most).read_until(b'\n', &mut text).await? == 0 {
            return Ok(());
        }
        let request = match serde_json::from_slice::<Request>(&text) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("the line cannot be read: {error}; see mts_brokers::loopback");
                return tell(&mut writer, &Answer::Refused(why)).await;
            }
        };
        if let Request::Hello { client: name, .. } = &request {
            client = name.to_string();
            let answer = ask(&desk, &client, request).await?;
            tell(&mut writer, &answer).await?;
            continue;
        }
        tokio::time::sleep(faults.latency).await;
        let fate = faults.fate(&mut random);
        if fate == Fate::CutBefore {
            return Ok(());
        }
        if let Request::Events(after) = request {
            let (events, queue) = oneshot::channel();
            desk.send(Question::Follow { after, events }).await.map_err(|_| closed())?;
            let mut queue = queue.await.map_err(|_| closed())?;
            while let Some(event) = queue.recv().await {
                if faults.fate(&mut random) == Fate::CutBefore {
                    return Ok(());
                }
                tell(&mut writer, &Answer::Event(Box::new(event))).await?;
            }
            return Ok(());
        }
        let answer = ask(&desk, &client, request).await?;
        match fate {
            Fate::CutAfter => return Ok(()),
            Fate::NeverAnswered => {}
            _ => tell(&mut writer, &answer).await?,
        }
    }
}

async fn ask(desk: &mpsc::Sender<Question>, client: &str, request: Request) -> Result<Answer> {
    let (answer, given) = oneshot::channel();
    let question = Question::Ask { client: client.to_owned(), request, answer };
    desk.send(question).await.map_err(|_| closed())?;
    given.await.map_err(|_| closed())
}

async fn tell(writer: &mut OwnedWriteHalf, answer: &Answer) -> Result<()> {
    writer.write_all(&line(answer)?).await
}

/// The venue ends.
fn closed() -> Error {
    Error::from(ErrorKind::ConnectionAborted)
}
