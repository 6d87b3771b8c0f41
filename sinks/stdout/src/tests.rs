#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use connect_api::async_trait;
use connect_testkit::conformance::{SinkUnderTest, check_sink};
use connect_testkit::{batch, context, record, tombstone};

use super::*;

/// Passes written bytes on to `out` only when it is flushed, like a buffered pipe.
#[derive(Clone, Default)]
struct Pipe {
    buffered: Vec<u8>,
    out: Arc<Mutex<Vec<u8>>>,
    is_closed: bool,
}

impl Pipe {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.out.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.buffered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let buffered = std::mem::take(&mut self.buffered);
        self.out.lock().unwrap().extend(buffered);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

struct UnderTest(Pipe);

#[async_trait]
impl SinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Printer(
            self.0.clone(),
            Config::default(),
            context(),
        )))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        let offset = |line: &String| {
            let number = line.trim_start_matches(r#"{"id":"#).trim_end_matches('}');
            number.parse().unwrap()
        };
        self.0.lines().iter().map(offset).collect()
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    check_sink(&mut UnderTest(Pipe::default())).await;
}

#[tokio::test]
async fn records_are_lines_and_counted() {
    let records = [record(7, r#"{ "a": 1.50, "b": "\n\u009b" }"#), tombstone(8)];
    for (show_metadata, expected) in [
        (false, [r#"{"a":1.50,"b":"\n\u009b"}"#, "null"]),
        (
            true,
            [
                r#"{"topic":"records","partition":0,"offset":7,"value":{"a":1.50,"b":"\n\u009b"}}"#,
                r#"{"topic":"records","partition":0,"offset":8,"value":null}"#,
            ],
        ),
    ] {
        let (pipe, context) = (Pipe::default(), context());
        let mut sink = Printer(pipe.clone(), Config { show_metadata }, context.clone());
        sink.write(&batch(&records)).await.unwrap();
        assert_eq!(pipe.lines(), expected);
        assert_eq!(context.rows_written.get(), 2);
    }
}

#[tokio::test]
async fn a_closed_pipe_is_an_outage_and_nothing_is_counted() {
    let pipe = Pipe {
        is_closed: true,
        ..Pipe::default()
    };
    let context = context();
    let mut sink = Printer(pipe, Config::default(), context.clone());
    let answer = sink.write(&batch(&[record(1, "{}")])).await;
    assert!(matches!(answer, Err(Failure::Retry(_))), "{answer:?}");
    assert_eq!(context.rows_written.get(), 0);
}
