//! Tokens that the GPU chooses itself, and text without a word from the host: a step of all loops of a token is one graph,
//! which takes its token from the step before and is launched again before the host has seen what that one chose.

use std::time::{Duration, Instant};

use cuda::shapes::{Choice as Chosen, Row};
use cuda::{Buffer, Graph, Pinned};

use super::few::FewRows;
use super::room::{MOST_READ, Room};
use super::{Place, Twin};
use crate::Error;
use crate::cache::{Cache, CacheShape};
use crate::choose::{Choice, Draws, Rule};
use crate::config::Config;

/// Steps that are under way at once: while the host looks at the token of one the device is at the next.
const DEPTH: usize = 2;

/// Steps that room is made for at a time, unless a chunk is shorter.
const STRETCH: usize = 64;

/// Choices that the ring holds, and numbers to draw by; a power of two, so that a count of 32 bits may wrap.
const RING: usize = 64;

/// A step that takes longer has failed, or waits for a device that somebody else uses: the driver is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Times that the host looks at the ring before it begins to sleep between looks.
const N_LOOKS: usize = 2000;

/// Between looks.
const NAP: Duration = Duration::from_micros(20);

#[derive(Debug)]
pub(super) struct Ahead {
    /// Of each row that is read.
    choices: Buffer<Chosen>,
    /// What was chosen, in the order of the steps, and how many.
    ring: Pinned<Chosen>,
    count: Pinned<u32>,
    /// What steps draw by, at the same places of the ring; and what was last written there.
    uniforms: (Buffer<f32>, [f32; RING]),
    /// Steps that were launched since the model was loaded; those whose token nobody wanted, too.
    n_launched: u32,
    /// The step, and the rule that it chooses by.
    step: Option<(Graph, Rule)>,
}

impl Ahead {
    pub(super) fn new(device: &cuda::Device) -> Result<Self, Error> {
        Ok(Self {
            choices: device.zeroed(MOST_READ)?,
            ring: device.pinned(RING)?,
            count: device.pinned(1)?,
            uniforms: (device.zeroed(RING)?, [0.0; RING]),
            n_launched: 0,
            step: None,
        })
    }

    /// What is chosen next is drawn by these numbers; at most as many as the ring holds. Steps under way have had theirs
    /// when this comes to pass.
    fn draw_by(&mut self, device: &cuda::Device, uniforms: &[f32]) -> cuda::Result<()> {
        if uniforms.is_empty() {
            return Ok(());
        }
        let (buffer, numbers) = &mut self.uniforms;
        for (i, uniform) in uniforms.iter().enumerate() {
            numbers[(self.n_launched as usize + i) % RING] = *uniform;
        }
        device.write(buffer, 0, numbers.as_slice())
    }

    /// Launches the choice from each of so many rows of logits.
    fn launch_choice(
        &mut self,
        device: &cuda::Device,
        logits: &Buffer<f32>,
        n_rows: usize,
        rule: Rule,
        vocab_size: usize,
    ) -> cuda::Result<()> {
        let Rule { n_usable_tokens, temperature, top_p, top_k } = rule;
        device.sample(
            logits,
            n_rows,
            vocab_size,
            n_usable_tokens,
            temperature,
            top_k,
            top_p,
            &self.uniforms.0,
            &self.count,
            &mut self.choices,
        )
    }

    /// What step `idx` chose, once it has.
    fn wait(&self, device: &cuda::Device, idx: u32) -> Result<Chosen, Error> {
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
    /// Chooses from the first `n_rows` logits in `room`, of which `n_before` were chosen before by the numbers that come first.
    pub(super) fn choose(
        &self,
        n_rows: usize,
        n_before: usize,
        draws: Draws<'_>,
        config: &Config,
        room: &Room,
        ahead: &mut Ahead,
    ) -> Result<Vec<Option<Choice>>, Error> {
        let n_rows = n_rows.min(draws.most().saturating_sub(n_before));
        if n_rows == 0 {
            return Ok(Vec::new());
        }
        let uniforms = draws.uniforms.get(n_before..).unwrap_or_default();
        ahead.draw_by(&self.device, &uniforms[..n_rows.min(uniforms.len())])?;
        let vocab_size = config.vocab_size;
        ahead.launch_choice(&self.device, &room.logits, n_rows, draws.rule, vocab_size)?;
        let chosen = self.device.read(&ahead.choices, 0..n_rows)?;
        Ok(chosen.into_iter().map(choice).collect())
    }

    /// As [`crate::Plt::decode_while`], of a settled sequence with room for `max` more tokens.
    pub(crate) fn decode_while(
        &self,
        token: u32,
        cache: &mut Cache,
        (config, shape): (&Config, &CacheShape),
        draws: Draws<'_>,
        max: usize,
        each: &mut dyn FnMut(Choice) -> bool,
    ) -> Result<usize, Error> {
        let place = &mut *self.place();
        self.capture(draws.rule, config, place)?;
        let Place { room, ahead, .. } = place;
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
                    let uniforms = draws.uniforms.get(n_launched..n_with_room);
                    ahead.draw_by(&self.device, uniforms.unwrap_or_default())?;
                }
                let Some((step, _)) = &ahead.step else { return Ok(n_chosen) };
                step.launch()?;
                ahead.n_launched = ahead.n_launched.wrapping_add(1);
                n_launched += 1;
            }
            let chosen = ahead.wait(&self.device, first.wrapping_add(n_chosen as u32))?;
            n_chosen += 1;
            cache.advance(&[token]);
            for loop_idx in 1..config.n_loops {
                cache.extend_span(loop_idx, cache.len());
            }
            let choice = choice(chosen).ok_or(Error::NotFinite)?;
            if !each(choice) {
                break;
            }
            token = choice.token;
        }
        Ok(n_chosen)
    }

    /// Makes the step that chooses by `rule`, unless it is there.
    fn capture(&self, rule: Rule, config: &Config, place: &mut Place) -> Result<(), Error> {
        let Place { room, ahead, .. } = place;
        if ahead.step.as_ref().is_some_and(|(_, of)| *of == rule) {
            return Ok(());
        }
        let n_loops = config.n_loops;
        let rows = FewRows { n: n_loops, hands_on: 1 < n_loops, n_read: 1 };
        let graph = self.device.capture(|device| {
            self.launch_few(rows, config, room)?;
            ahead.launch_choice(device, &room.logits, 1, rule, config.vocab_size)?;
            let Ahead { choices, ring, count, .. } = &*ahead;
            device.next(&mut room.rows, n_loops, choices, ring, count)
        })?;
        ahead.step = Some((graph, rule));
        Ok(())
    }
}

fn choice(chosen: Chosen) -> Option<Choice> {
    let Chosen { token, log_probability, is_finite, .. } = chosen;
    (is_finite != 0).then_some(Choice { token, log_probability })
}

/// Makes room for the tokens at these positions, which lie behind those that the sequence holds or will soon hold.
fn make_room(cache: &mut Cache, from: usize, to: usize) -> Result<(), Error> {
    cache.reserve(to - cache.len())?;
    for loop_idx in 1..=cache.spans().len() {
        cache.make_room(loop_idx, &(from..to))?;
    }
    Ok(())
}
