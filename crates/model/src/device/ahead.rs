//! Greedy text without a word from the host: a step of all loops of a token is one graph, which takes its token from the
//! step before and is launched again before the host has seen what that one chose.

use std::time::{Duration, Instant};

use cuda::shapes::{Choice, Row};
use cuda::{Buffer, Graph, Pinned};

use super::room::{Kind, Room, Rows};
use super::{Place, Twin};
use crate::Error;
use crate::cache::{Cache, CacheShape};
use crate::config::Config;

/// Steps that are under way at once: while the host looks at the token of one the device is at the next.
const DEPTH: usize = 2;

/// Steps that room is made for at a time, unless a chunk is shorter.
const STRETCH: usize = 64;

/// Choices that the ring holds; a power of two, so that a count of 32 bits may wrap.
const RING: usize = 64;

/// A step that takes longer has failed, or waits for a device that somebody else uses: the driver is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Times that the host looks at the ring before it begins to sleep between looks.
const N_LOOKS: usize = 2000;

/// Between looks.
const NAP: Duration = Duration::from_micros(20);

#[derive(Debug)]
pub(super) struct Ahead {
    choice: Buffer<Choice>,
    /// What was chosen, in the order of the steps, and how many.
    ring: Pinned<Choice>,
    count: Pinned<u32>,
    /// Steps that were launched since the model was loaded; those whose token nobody wanted, too.
    n_launched: u32,
    /// The step, and the number of ids it chooses from.
    step: Option<(Graph, usize)>,
}

impl Ahead {
    pub(super) fn new(device: &cuda::Device) -> Result<Self, Error> {
        Ok(Self {
            choice: device.zeroed(1)?,
            ring: device.pinned(RING)?,
            count: device.pinned(1)?,
            n_launched: 0,
            step: None,
        })
    }

    /// What step `idx` chose, once it has.
    fn wait(&self, device: &cuda::Device, idx: u32) -> Result<Choice, Error> {
        let is_there = || {
            let count = self.count.get(0).unwrap_or_default();
            (1..=RING as u32).contains(&count.wrapping_sub(idx))
        };
        let started = Instant::now();
        let mut n_looks = 0;
        while !is_there() {
            n_looks += 1;
            if n_looks < N_LOOKS {
                std::hint::spin_loop();
                continue;
            }
            if PATIENCE < started.elapsed() {
                device.synchronize()?;
                if !is_there() {
                    return Err(Error::NotOnDevice { reason: "a step made no token".to_owned() });
                }
            }
            std::thread::sleep(NAP);
        }
        let idx = idx as usize % RING;
        self.ring.get(idx).ok_or(Error::NotFinite)
    }
}

impl Twin {
    /// As [`crate::Plt::decode_while`], of a settled sequence with room for `max` more tokens.
    pub(crate) fn decode_while(
        &self,
        token: u32,
        cache: &mut Cache,
        (config, shape): (&Config, &CacheShape),
        (n_usable_tokens, max): (usize, usize),
        each: &mut dyn FnMut(u32, f32) -> bool,
    ) -> Result<usize, Error> {
        let place = &mut *self.place();
        self.capture(n_usable_tokens.min(config.vocab_size), config, place)?;
        let Place { room, ahead } = place;
        let Some((step, _)) = &ahead.step else { return Ok(0) };
        let start = cache.len();
        let rows: Vec<Row> = (0..config.n_loops as u32)
            .map(|r| Row { token, position: start as u32, r#loop: r, reserved: 0 })
            .collect();
        self.device.write(&mut room.rows, 0, &rows)?;
        let first = ahead.n_launched;
        let (mut n_launched, mut n_chosen, mut n_with_room) = (0, 0, 0);
        let mut token = token;
        while n_chosen < max {
            while n_launched < max.min(n_chosen + DEPTH) {
                if n_launched == n_with_room {
                    n_with_room = max.min(n_launched + STRETCH.min(shape.chunk));
                    make_room(cache, start + n_launched, start + n_with_room)?;
                    self.device.write(&mut room.sequence, 0, &[cache.sequence(shape)?])?;
                }
                step.launch()?;
                ahead.n_launched = ahead.n_launched.wrapping_add(1);
                n_launched += 1;
            }
            let choice = ahead.wait(&self.device, first.wrapping_add(n_chosen as u32))?;
            n_chosen += 1;
            cache.advance(&[token]);
            for loop_idx in 1..config.n_loops {
                cache.extend_span(loop_idx, cache.len());
            }
            if choice.is_finite == 0 {
                return Err(Error::NotFinite);
            }
            if !each(choice.token, choice.log_probability) {
                break;
            }
            token = choice.token;
        }
        Ok(n_chosen)
    }

    /// Makes the step that chooses from the first `n_usable_tokens` ids, unless it is there.
    fn capture(
        &self,
        n_usable_tokens: usize,
        config: &Config,
        place: &mut Place,
    ) -> Result<(), Error> {
        let Place { room, ahead } = place;
        if ahead.step.as_ref().is_some_and(|(_, n)| *n == n_usable_tokens) {
            return Ok(());
        }
        let graph = self.device.capture(|_| {
            self.launch_step(config, room)?;
            let (logits, choice) = (&room.logits, &mut ahead.choice);
            self.device.argmax(logits, 1, config.vocab_size, n_usable_tokens, choice)?;
            self.device.next(
                &mut room.rows,
                config.n_loops,
                &ahead.choice,
                &ahead.ring,
                &ahead.count,
            )
        })?;
        ahead.step = Some((graph, n_usable_tokens));
        Ok(())
    }

    /// All loops of the token in the first rows, up to its logits.
    fn launch_step(&self, config: &Config, room: &mut Room) -> cuda::Result<()> {
        let n_rows = config.n_loops;
        self.embed(config, n_rows, room)?;
        self.launch_layers(Rows { n: n_rows, kind: Kind::Few }, room)?;
        if 1 < n_rows {
            self.hand_on(config, n_rows, room)?;
        }
        let hidden = config.hidden_size;
        self.device.copy(&room.states, (n_rows - 1) * hidden, &mut room.read, 0, hidden)?;
        self.launch_read_out(1, config, room)
    }
}

/// Makes room for the tokens at these positions, which lie behind those that the sequence holds or will soon hold.
fn make_room(cache: &mut Cache, from: usize, to: usize) -> Result<(), Error> {
    cache.reserve(to - cache.len())?;
    for loop_idx in 1..=cache.spans().len() {
        cache.make_room(loop_idx, &(from..to))?;
    }
    Ok(())
}
