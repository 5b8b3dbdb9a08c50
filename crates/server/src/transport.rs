//! Moves messages between a client and the service, and decides when a session is over.
//!
//! This stands in for the framework's `Server`, which stops reading at the first malformed body, leaves requests whose
//! method begins with `$/` unanswered, and holds back messages when many requests are in flight.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

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
use crate::outgoing::{Message, Messages, Outgoing};
use crate::proto::dialect;
use crate::queue::Events;
use crate::watch;

/// How long a client that has gone is given to take its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) service: LspService<Adapter>,
    pub(crate) socket: ClientSocket,
    pub(crate) events: Events,
    pub(crate) outgoing: Outgoing,
    pub(crate) messages: Messages,
    /// The process that the client says it is.
    pub(crate) client_process: oneshot::Receiver<u32>,
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
    let Connection { service, socket, events, outgoing, messages, client_process } = connection;
    let mut in_flight = InFlight::default();
    let mut writer = pin!(write(messages, output));
    let writer_ended = tokio::select! {
        () = read(input, service, socket, &mut in_flight, &events, &outgoing) => false,
        () = end_of(client_process) => {
            tracing::info!("the client's process has ended");
            true
        }
        () = &mut writer => true,
    };

    let (reply, shutdown_received) = oneshot::channel();
    events.send(Event::End(reply));
    let shutdown_received = shutdown_received.await.unwrap_or(false);
    if writer_ended {
        return shutdown_received;
    }
    let last_answers = async {
        // Notifications are not waited for: their handlers may wait for the client.
        while let Some(answered) = in_flight.requests.next().await {
            answer(&outgoing, answered);
        }
        outgoing.close();
        writer.await;
    };
    if tokio::time::timeout(LAST_ANSWERS, last_answers).await.is_err() {
        tracing::warn!("the client left without its last answers");
    }
    shutdown_received
}

async fn end_of(process: oneshot::Receiver<u32>) {
    match process.await {
        Ok(process_id) => watch::end_of(process_id).await,
        Err(_) => std::future::pending().await,
    }
}

/// Dispatches what comes in until `exit` or the end of the input.
async fn read<I: AsyncRead + Unpin>(
    input: I,
    mut service: LspService<Adapter>,
    socket: ClientSocket,
    in_flight: &mut InFlight,
    events: &Events,
    outgoing: &Outgoing,
) {
    let (mut requests_to_client, mut answers_of_client) = socket.split();
    let frames = stream::unfold(FrameReader::new(input), |mut reader| async {
        reader.next().await.map(|frame| (frame, reader))
    });
    let mut frames = pin!(frames);
    loop {
        let frame = tokio::select! {
            frame = async {
                events.room().await;
                outgoing.room().await;
                frames.next().await
            } => frame,
            Some(answered) = in_flight.requests.next() => {
                answer(outgoing, answered);
                continue;
            }
            Some(_) = in_flight.notifications.next() => continue,
            Some(request) = requests_to_client.next() => {
                outgoing.send(Message::Request(request));
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
            Incoming::Refused(response) => outgoing.send(Message::Response(response)),
            Incoming::Dropped => {}
        }
    }
}

fn answer(outgoing: &Outgoing, answered: Result<Option<Response>, ExitedError>) {
    if let Ok(Some(response)) = answered {
        outgoing.send(Message::Response(response));
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
    let mut message: Value = match serde_json::from_slice(&body) {
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
    if method == Some("initialize") {
        let params = message.get_mut("params").map(Value::take).unwrap_or_default();
        message["params"] = dialect::initialize_params(params);
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
async fn write<O: AsyncWrite + Unpin>(mut messages: Messages, mut output: O) {
    while let Some(message) = messages.next().await {
        let body = match &message {
            Message::Request(request) => serde_json::to_vec(request),
            Message::Response(response) => serde_json::to_vec(response),
        };
        let Ok(body) = body else {
            tracing::error!("a message cannot be written as JSON");
            continue;
        };
        let written = frame::write(&mut output, &body).await;
        messages.written();
        if written.is_err() {
            tracing::info!("the client takes no more messages");
            return;
        }
    }
}
