//! Moves messages between a client and the service, and decides when a session is over.
//!
//! This stands in for the framework's `Server`, which stops reading at the first malformed body, leaves requests whose
//! method begins with `$/` unanswered, and holds back messages when many requests are in flight.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt};
use futures::{SinkExt, poll};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tower_lsp_server::jsonrpc::{Error, Id, Request, Response};
use tower_lsp_server::{ClientSocket, ExitedError, LspService};
use tower_service::Service;

use crate::adapter::Adapter;
use crate::event::Event;
use crate::frame::{self, Frame, FrameReader};
use crate::session::Message;

/// How long a client that has gone is given to take its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) service: LspService<Adapter>,
    pub(crate) socket: ClientSocket,
    pub(crate) events: Sender<Event>,
    pub(crate) outgoing: UnboundedSender<Message>,
    pub(crate) messages: UnboundedReceiver<Message>,
}

type Handler = BoxFuture<'static, Result<Option<Response>, ExitedError>>;

/// Handlers at work.
#[derive(Default)]
struct InFlight {
    requests: FuturesUnordered<Handler>,
    notifications: FuturesUnordered<Handler>,
}

/// Serves until the client exits, closes `input` or takes no more `output`; tells whether it sent `shutdown` first.
pub(crate) async fn run<I, O>(input: I, output: O, connection: Connection) -> bool
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
{
    let Connection { service, socket, events, outgoing, messages } = connection;
    let mut in_flight = InFlight::default();
    let mut writer = pin!(write(messages, output));
    let writer_ended = tokio::select! {
        () = read(input, service, socket, &mut in_flight, &outgoing) => false,
        () = &mut writer => true,
    };

    let (reply, shutdown_received) = oneshot::channel();
    let _ = events.send(Event::End(reply));
    let shutdown_received = shutdown_received.await.unwrap_or(false);
    if writer_ended {
        return shutdown_received;
    }
    let last_answers = async {
        // Notifications are not waited for: their handlers may wait for the client.
        while let Some(answered) = in_flight.requests.next().await {
            answer(&outgoing, answered);
        }
        outgoing.close_channel();
        writer.await;
    };
    if tokio::time::timeout(LAST_ANSWERS, last_answers).await.is_err() {
        tracing::warn!("the client left without its last answers");
    }
    shutdown_received
}

/// Dispatches what comes in until `exit` or the end of the input.
async fn read<I: AsyncRead + Unpin>(
    input: I,
    mut service: LspService<Adapter>,
    socket: ClientSocket,
    in_flight: &mut InFlight,
    outgoing: &UnboundedSender<Message>,
) {
    let (mut requests_to_client, mut answers_of_client) = socket.split();
    let frames = stream::unfold(FrameReader::new(input), |mut reader| async {
        reader.next().await.map(|frame| (frame, reader))
    });
    let mut frames = pin!(frames);
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            Some(answered) = in_flight.requests.next() => {
                answer(outgoing, answered);
                continue;
            }
            Some(_) = in_flight.notifications.next() => continue,
            Some(request) = requests_to_client.next() => {
                let _ = outgoing.unbounded_send(Message::Request(request));
                continue;
            }
        };
        let Some(frame) = frame else {
            return;
        };
        match parse(frame) {
            Incoming::Request(request) => {
                let is_exit = request.method() == "exit";
                if poll_fn(|ctx| service.poll_ready(ctx)).await.is_err() {
                    return;
                }
                let is_request = request.id().is_some();
                let mut handler = service.call(request);
                // The first poll sends the handler's event, so it happens here, in the order of the messages.
                match poll!(&mut handler) {
                    Poll::Ready(answered) => answer(outgoing, answered),
                    Poll::Pending if is_request => in_flight.requests.push(handler),
                    Poll::Pending => in_flight.notifications.push(handler),
                }
                if is_exit {
                    return;
                }
            }
            // It fails after `exit` alone.
            Incoming::Response(response) => drop(answers_of_client.send(response).await),
            Incoming::Refused(response) => {
                drop(outgoing.unbounded_send(Message::Response(response)))
            }
            Incoming::Dropped => {}
        }
    }
}

fn answer(outgoing: &UnboundedSender<Message>, answered: Result<Option<Response>, ExitedError>) {
    if let Ok(Some(response)) = answered {
        // The channel is closed only when the client is gone.
        let _ = outgoing.unbounded_send(Message::Response(response));
    }
}

enum Incoming {
    /// A request or a notification.
    Request(Request),
    Response(Response),
    /// Answered here.
    Refused(Response),
    Dropped,
}

fn parse(frame: Frame) -> Incoming {
    let body = match frame {
        Frame::Body(body) => body,
        Frame::Malformed => return refuse(Id::Null, Error::parse_error()),
    };
    let message: Value = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(_) => return refuse(Id::Null, Error::parse_error()),
    };
    let id = message.get("id").cloned().and_then(|id| serde_json::from_value::<Id>(id).ok());
    let method = message.get("method").and_then(Value::as_str);
    if method.is_none() && (message.get("result").is_some() || message.get("error").is_some()) {
        return match serde_json::from_value(message) {
            Ok(response) => Incoming::Response(response),
            Err(_) => {
                tracing::warn!("a malformed response from the client");
                Incoming::Dropped
            }
        };
    }
    match (&id, method) {
        // Left to itself the framework would not answer these (LSP 3.17, "$ Notifications and Requests").
        (Some(id), Some(method)) if method.starts_with("$/") => {
            return refuse(id.clone(), Error::method_not_found());
        }
        (_, Some(_)) => {}
        (_, None) => return refuse(id.unwrap_or_default(), Error::invalid_request()),
    }
    match serde_json::from_value(message) {
        Ok(request) => Incoming::Request(request),
        Err(_) => refuse(id.unwrap_or_default(), Error::invalid_request()),
    }
}

fn refuse(id: Id, error: Error) -> Incoming {
    tracing::warn!(%error, "a message was refused");
    Incoming::Refused(Response::from_error(id, error))
}

/// Writes messages until there can be no more, or the client takes no more.
async fn write<O: AsyncWrite + Unpin>(mut messages: UnboundedReceiver<Message>, mut output: O) {
    while let Some(message) = messages.next().await {
        let body = match &message {
            Message::Request(request) => serde_json::to_vec(request),
            Message::Response(response) => serde_json::to_vec(response),
        };
        let Ok(body) = body else {
            tracing::error!("a message cannot be written as JSON");
            continue;
        };
        if frame::write(&mut output, &body).await.is_err() {
            tracing::info!("the client takes no more messages");
            return;
        }
    }
}
