//! What the layers cost a request, over a client that answers at once.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/desk/mod.rs"]
mod desk;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use mts_foundation::io::{
    DynHttpClient, HttpClient, RequestOptions, Socket, SocketConnector, TransportError,
};
use mts_transport::{Budget, Redactor, Stack};
use secrecy::SecretString;
use std::hint::black_box;
use std::time::Duration;

struct Nothing;

impl HttpClient for Nothing {
    async fn send(
        &self,
        _request: http::Request<Bytes>,
        _options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        Ok(http::Response::builder().header("date", date).body(Bytes::from_static(b"{}")).unwrap())
    }
}

impl SocketConnector for Nothing {
    async fn connect(
        &self,
        _request: http::Request<()>,
        _deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        std::future::pending().await
    }
}

fn request() -> http::Request<Bytes> {
    http::Request::get("https://venue.example/v2/orders?status=open&limit=500")
        .header("x-api-key", "hunter2-hunter2")
        .body(Bytes::new())
        .unwrap()
}

fn overhead(bench: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let redactor = Redactor::new();
    redactor.learn(&SecretString::from("hunter2-hunter2".to_owned()));
    let build = |record: Option<&std::path::Path>| {
        let stack = Stack::builder("bench", desk::clock())
            .redactor(redactor.clone())
            .budgets([Budget::per_minute("", u32::MAX)])
            .seed(7);
        let stack = if let Some(folder) = record { stack.record(folder) } else { stack };
        stack.build_over(Nothing, Nothing).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let (plain, taped) = (build(None), build(Some(folder.path())));
    let mut group = bench.benchmark_group("request");
    let mut measure = |name: &str, client: &dyn DynHttpClient, options: &RequestOptions| {
        group.bench_function(name, |bench| {
            bench.iter(|| runtime.block_on(client.send(black_box(request()), options)).unwrap());
        });
    };
    measure("bare client", &Nothing, &RequestOptions::default());
    measure("stack, order", &*plain.http(), &RequestOptions::default());
    measure("stack, read", &*plain.http(), &RequestOptions::read());
    measure("stack with tape", &*taped.http(), &RequestOptions::default());
    group.finish();
}

criterion_group!(benches, overhead);
criterion_main!(benches);
