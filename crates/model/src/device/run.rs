//! One pass: its rows, the layers one after the other, and what is kept and read of it.

use candle_core::{Device, Tensor};
use cuda::shapes::Row;

use super::Twin;
use super::room::{Kind, MOST_FEW_ROWS, MOST_READ, Room, Rows, most_rows};
use crate::Error;
use crate::cache::{Cache, CacheShape};
use crate::config::Config;
use crate::forward::Logits;
use crate::pass::{Climb, Part, Pass, n_rows};

/// Multiplications of a layer that take so long that the host waits for them before it asks whether to go on: what is
/// launched cannot be called back.
const LONG: usize = 1 << 32;

/// Rows that go through the layers together.
struct Group {
    parts: Vec<Part>,
    rows: Rows,
}

impl Group {
    /// The parts of a pass: together where they are few, else one after the other, each in pieces of at most `most` rows.
    ///
    /// What a later loop takes from the one before was made in an earlier pass, and of loop 0's keys it sees those of the
    /// part that went first: nothing depends on whether parts run side by side.
    fn of(parts: &[Part], most: usize) -> Vec<Self> {
        let n = n_rows(parts);
        if n <= MOST_FEW_ROWS {
            return vec![Self { parts: parts.to_vec(), rows: Rows { n, kind: Kind::Few } }];
        }
        let mut groups = Vec::new();
        for Part { loop_idx, positions } in parts {
            for first in positions.clone().step_by(most) {
                let end = positions.end.min(first + most);
                let n = end - first;
                let kind = match n <= MOST_FEW_ROWS {
                    true => Kind::Few,
                    false => Kind::Many { first, is_later: 0 < *loop_idx },
                };
                let part = Part { loop_idx: *loop_idx, positions: first..end };
                groups.push(Self { parts: vec![part], rows: Rows { n, kind } });
            }
        }
        groups
    }

    /// Goes on with what goes through so many layers; returns how many rows do not.
    fn rise(&mut self, climb: Climb, depth: usize) -> usize {
        let n_before = self.rows.n;
        for part in &mut self.parts {
            *part = climb.above(part, depth);
        }
        self.rows.n = n_rows(&self.parts);
        let n_gone = n_before - self.rows.n;
        if let Kind::Many { first, .. } = &mut self.rows.kind {
            *first += n_gone;
        }
        n_gone
    }
}

impl Twin {
    /// `keep_going` is asked before each layer; where it says no, this ends with [`Error::Stopped`].
    pub(crate) fn run(
        &self,
        pass: &Pass<'_>,
        (config, shape): (&Config, &CacheShape),
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        let room = &mut self.place().room;
        self.device.write(&mut room.sequence, 0, &[cache.sequence(shape)?])?;
        let mut logits = Vec::new();
        for mut group in Group::of(&pass.parts, most_rows(config)) {
            self.place_rows(&group, pass, cache, room)?;
            self.embed(config, group.rows.n, room)?;
            self.run_layers(&mut group, pass.climb, room, keep_going)?;
            if 0 < group.rows.n {
                self.finish(&group, pass, config, cache, room, &mut logits)?;
            }
        }
        if logits.is_empty() {
            return Ok(None);
        }
        self.logits(logits, config).map(Some)
    }

    /// Logits of what the last loop made of the last token, if that is there.
    pub(crate) fn read_output(
        &self,
        config: &Config,
        cache: &Cache,
    ) -> Result<Option<Logits>, Error> {
        let Some(output) = cache.device()?.output().filter(|_| cache.has_output()) else {
            return Ok(None);
        };
        let room = &mut self.place().room;
        self.device.copy(output, 0, &mut room.read, 0, config.hidden_size)?;
        let mut logits = Vec::new();
        self.read_rows(1, config, room, &mut logits)?;
        self.logits(logits, config).map(Some)
    }

    fn logits(&self, logits: Vec<f32>, config: &Config) -> Result<Logits, Error> {
        let n_rows = logits.len() / config.vocab_size.max(1);
        Ok(Logits::new(Tensor::from_vec(logits, (n_rows, config.vocab_size), &Device::Cpu)?))
    }

    fn place_rows(
        &self,
        group: &Group,
        pass: &Pass<'_>,
        cache: &Cache,
        room: &mut Room,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(group.rows.n);
        for part in &group.parts {
            let tokens = pass.tokens(part, cache.tokens());
            rows.extend(part.positions.clone().zip(tokens).map(|(position, token)| Row {
                token,
                position: position as u32,
                r#loop: part.loop_idx as u32,
                reserved: 0,
            }));
        }
        Ok(self.device.write(&mut room.rows, 0, &rows)?)
    }

    /// What rows that are placed come into the first layer with.
    pub(super) fn embed(
        &self,
        config: &Config,
        n_rows: usize,
        room: &mut Room,
    ) -> cuda::Result<()> {
        self.device.embed(
            &room.rows,
            &room.sequence,
            &self.embeddings,
            n_rows,
            config.emb_scale as f32,
            config.hidden_scale as f32,
            config.hidden_size,
            &mut room.states,
        )
    }

    /// As far as the rows go; those that are left at the top stay in the group.
    fn run_layers(
        &self,
        group: &mut Group,
        climb: Option<Climb>,
        room: &mut Room,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            if LONG <= group.rows.n * layer.n_weights() {
                self.device.synchronize()?;
            }
            if !keep_going() {
                return Err(Error::Stopped);
            }
            layer.project(&self.device, layer_idx, &self.constants, group.rows, room)?;
            if let Some(climb) = climb {
                let n_gone = group.rise(climb, layer_idx + 1);
                room.drop_first(&self.device, &self.constants, n_gone, group.rows.n)?;
            }
            if group.rows.n == 0 {
                return Ok(());
            }
            layer.finish(&self.device, layer_idx, &self.constants, group.rows, room)?;
        }
        Ok(())
    }

    /// All layers, without a stop.
    pub(super) fn launch_layers(&self, rows: Rows, room: &mut Room) -> cuda::Result<()> {
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            layer.project(&self.device, layer_idx, &self.constants, rows, room)?;
            layer.finish(&self.device, layer_idx, &self.constants, rows, room)?;
        }
        Ok(())
    }

    /// Keeps what loops before the last hand on.
    pub(super) fn hand_on(
        &self,
        config: &Config,
        n_rows: usize,
        room: &mut Room,
    ) -> cuda::Result<()> {
        self.device.hand_on(
            &room.rows,
            &room.sequence,
            &room.states,
            &self.norm,
            self.constants.eps,
            n_rows,
            config.hidden_size,
            config.normalize_per_loop,
            &mut room.normed,
        )
    }

    /// What comes of rows that went through all layers.
    fn finish(
        &self,
        group: &Group,
        pass: &Pass<'_>,
        config: &Config,
        cache: &mut Cache,
        room: &mut Room,
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let (last, n) = (config.n_loops - 1, group.rows.n);
        if group.parts.iter().any(|part| part.loop_idx < last) {
            self.hand_on(config, n, room)?;
        }
        let Some(part) = group.parts.last().filter(|part| part.loop_idx == last) else {
            return Ok(());
        };
        let len = cache.len() + pass.appended.len();
        if part.positions.end == len {
            cache.device_mut()?.keep_output(&room.states, n - 1)?;
            cache.set_output_at(len);
        }
        if pass.reads {
            let first = n - part.positions.len();
            for first in (first..n).step_by(MOST_READ) {
                let n_read = MOST_READ.min(n - first);
                let (from, to) = (first * config.hidden_size, n_read * config.hidden_size);
                self.device.copy(&room.states, from, &mut room.read, 0, to)?;
                self.read_rows(n_read, config, room, logits)?;
            }
        }
        Ok(())
    }

    /// Appends the logits of the first `n` of the states to be read.
    fn read_rows(
        &self,
        n: usize,
        config: &Config,
        room: &mut Room,
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        self.launch_read_out(n, config, room)?;
        let first = logits.len();
        logits.resize(first + n * config.vocab_size, 0.0);
        Ok(self.device.read_into(&room.logits, 0, &mut logits[first..])?)
    }

    pub(super) fn launch_read_out(
        &self,
        n: usize,
        config: &Config,
        room: &mut Room,
    ) -> cuda::Result<()> {
        let hidden = config.hidden_size;
        let eps = self.constants.eps;
        self.device.norm(&room.read, &self.norm, eps, n, hidden, &mut room.normed)?;
        room.read_out(&self.device, self.head(), n)
    }
}
