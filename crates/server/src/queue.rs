//! The way into the main loop; its length is known, so that a client is read no faster than it is served.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::event::Event;
use crate::gauge::Gauge;

/// Events that wait before the client is read no further.
const LIMIT: usize = 512;

#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<Event>,
    gauge: Gauge,
}

/// The main loop's end.
#[derive(Debug)]
pub(crate) struct Queue {
    receiver: mpsc::Receiver<Event>,
    gauge: Gauge,
}

pub(crate) fn channel() -> (Events, Queue) {
    let (sender, receiver) = mpsc::channel();
    let gauge = Gauge::new(LIMIT);
    (Events { sender, gauge: gauge.clone() }, Queue { receiver, gauge })
}

impl Events {
    /// Never waits; an event after the end of the session is dropped.
    pub(crate) fn send(&self, event: Event) {
        self.gauge.enter();
        if self.sender.send(event).is_err() {
            self.gauge.leave();
            tracing::debug!("an event came after the end of the session");
        }
    }

    /// Waits while too many events wait.
    pub(crate) async fn room(&self) {
        self.gauge.room().await;
    }
}

impl Queue {
    /// `None` when no more can come.
    pub(crate) fn next(&self) -> Option<Event> {
        let event = self.receiver.recv().ok()?;
        self.gauge.leave();
        Some(event)
    }

    pub(crate) fn next_within(&self, limit: Duration) -> Result<Event, RecvTimeoutError> {
        let event = self.receiver.recv_timeout(limit)?;
        self.gauge.leave();
        Ok(event)
    }
}
