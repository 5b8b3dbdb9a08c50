//! Messages on their way to the client; their number is bounded by what the client takes.

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use serde::Serialize;
use serde_json::Value;
use tower_lsp_server::jsonrpc::{Request, Response};

use crate::gauge::Gauge;

/// Messages that wait before the client is read no further and is told nothing that can be left out.
///
/// A client that is suspended comes back to its session; so it is not dropped for being slow, and what waits for it is
/// bounded: an answer needs a request, and those are not read.
const LIMIT: usize = 256;

#[derive(Debug)]
pub(crate) enum Message {
    /// A request or a notification.
    Request(Request),
    Response(Response),
}

#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    sender: UnboundedSender<Message>,
    gauge: Gauge,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Messages {
    receiver: UnboundedReceiver<Message>,
    gauge: Gauge,
}

pub(crate) fn channel() -> (Outgoing, Messages) {
    let (sender, receiver) = mpsc::unbounded();
    let gauge = Gauge::new(LIMIT);
    (Outgoing { sender, gauge: gauge.clone() }, Messages { receiver, gauge })
}

impl Outgoing {
    /// A client that has gone away does not mind.
    pub(crate) fn send(&self, message: Message) {
        self.gauge.enter();
        if self.sender.unbounded_send(message).is_err() {
            self.gauge.leave();
        }
    }

    pub(crate) fn notify(&self, method: &'static str, params: impl Serialize) {
        let params = serde_json::to_value(params).unwrap_or(Value::Null);
        self.send(Message::Request(Request::build(method).params(params).finish()));
    }

    /// Whether the client takes less than it is sent.
    pub(crate) fn is_full(&self) -> bool {
        self.gauge.is_full()
    }

    /// Waits while too many messages wait.
    pub(crate) async fn room(&self) {
        self.gauge.room().await;
    }

    /// What was sent is still written, and no more.
    pub(crate) fn close(&self) {
        self.sender.close_channel();
    }
}

impl Messages {
    /// `None` when no more can come.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.receiver.next().await
    }

    /// The message that came last has been written.
    pub(crate) fn written(&self) {
        self.gauge.leave();
    }
}
