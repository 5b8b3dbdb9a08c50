//! One pass: its rows, the layers one after the other, and what is kept and read of it.

use candle_core::{Device, Tensor};
use cuda::shapes::Row;

use super::ahead::Ahead;
use super::few::FewRows;
use super::room::{Kind, MOST_FEW_ROWS, MOST_READ, Room, Rows, most_rows};
use super::{Place, Twin};
use crate::Error;
use crate::cache::{Cache, CacheShape};
use crate::choose::Choice;
use crate::config::Config;
use crate::forward::Logits;
use crate::pass::{Climb, Output, Part, Pass, Reads, n_rows};

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

    /// Some rows are of a loop before the last.
    fn hands_on(&self, config: &Config) -> bool {
        0 < self.rows.n && self.parts.iter().any(|part| part.loop_idx + 1 < config.n_loops)
    }

    /// The rows of the last loop, which come last.
    fn last_loop(&self, config: &Config) -> Option<&Part> {
        self.parts
            .last()
            .filter(|part| part.loop_idx + 1 == config.n_loops && !part.positions.is_empty())
    }

    /// Rows whose logits are wanted, the last of all.
    fn n_read(&self, pass: &Pass<'_>, config: &Config) -> usize {
        match pass.reads {
            Reads::Nothing => 0,
            Reads::Logits | Reads::Choices(_) => {
                self.last_loop(config).map_or(0, |part| part.positions.len())
            }
        }
    }

    fn few_rows(&self, pass: &Pass<'_>, config: &Config) -> FewRows {
        FewRows {
            n: self.rows.n,
            hands_on: self.hands_on(config),
            n_read: self.n_read(pass, config),
        }
    }
}

impl Twin {
    /// `keep_going` is asked before each layer, or once where rows are few; where it says no, this ends with
    /// [`Error::Stopped`].
    pub(crate) fn run(
        &self,
        pass: &Pass<'_>,
        (config, shape): (&Config, &CacheShape),
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Output, Error> {
        let Place { room, graphs, ahead } = &mut *self.place();
        self.device.write(&mut room.sequence, 0, &[cache.sequence(shape)?])?;
        let mut reader = Reader::new(pass.reads);
        for mut group in Group::of(&pass.parts, most_rows(config)) {
            self.place_rows(&group, pass, cache, room)?;
            let is_few = group.rows.kind == Kind::Few && pass.climb.is_none();
            if is_few {
                if !keep_going() {
                    return Err(Error::Stopped);
                }
                self.run_few(group.few_rows(pass, config), config, room, graphs)?;
            } else {
                self.embed(config, group.rows.n, room)?;
                self.run_layers(&mut group, pass.climb, room, keep_going)?;
                if group.hands_on(config) {
                    self.hand_on(config, group.rows.n, room)?;
                }
            }
            self.keep_output(&group, pass, config, cache, room)?;
            let (n, n_read) = (group.rows.n, group.n_read(pass, config));
            for first in (n - n_read..n).step_by(MOST_READ) {
                let n_read = MOST_READ.min(n - first);
                if !is_few {
                    self.launch_read_out(first, n_read, config, room)?;
                }
                self.read(n_read, config, room, ahead, &mut reader)?;
            }
        }
        reader.finish(config)
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
        let Place { room, ahead, .. } = &mut *self.place();
        self.device.copy(output, 0, &mut room.states, 0, config.hidden_size)?;
        self.launch_read_out(0, 1, config, room)?;
        let mut reader = Reader::new(Reads::Logits);
        self.read(1, config, room, ahead, &mut reader)?;
        Ok(reader.finish(config)?.logits())
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

    /// Keeps what the last loop made of the last token, if that is among the rows.
    fn keep_output(
        &self,
        group: &Group,
        pass: &Pass<'_>,
        config: &Config,
        cache: &mut Cache,
        room: &Room,
    ) -> Result<(), Error> {
        let len = cache.len() + pass.appended.len();
        if group.last_loop(config).is_some_and(|part| part.positions.end == len) {
            cache.device_mut()?.keep_output(&room.states, group.rows.n - 1)?;
            cache.set_output_at(len);
        }
        Ok(())
    }

    /// Logits of so many rows from row `first` on.
    pub(super) fn launch_read_out(
        &self,
        first: usize,
        n: usize,
        config: &Config,
        room: &mut Room,
    ) -> cuda::Result<()> {
        let hidden = config.hidden_size;
        self.device.copy(&room.states, first * hidden, &mut room.read, 0, n * hidden)?;
        let eps = self.constants.eps;
        self.device.norm(&room.read, &self.norm, eps, n, hidden, &mut room.normed)?;
        room.read_out(&self.device, self.head(), n)
    }

    /// Takes what is wanted of the first `n` logits that lie in `room`.
    fn read(
        &self,
        n: usize,
        config: &Config,
        room: &Room,
        ahead: &mut Ahead,
        reader: &mut Reader<'_>,
    ) -> Result<(), Error> {
        match reader.reads {
            Reads::Nothing => {}
            Reads::Logits => {
                let first = reader.logits.len();
                reader.logits.resize(first + n * config.vocab_size, 0.0);
                self.device.read_into(&room.logits, 0, &mut reader.logits[first..])?;
            }
            Reads::Choices(draws) => {
                let chosen = self.choose(n, reader.choices.len(), draws, config, room, ahead)?;
                reader.choices.extend(chosen);
            }
        }
        Ok(())
    }
}

/// What was read so far.
struct Reader<'a> {
    reads: Reads<'a>,
    logits: Vec<f32>,
    choices: Vec<Option<Choice>>,
}

impl<'a> Reader<'a> {
    fn new(reads: Reads<'a>) -> Self {
        Self { reads, logits: Vec::new(), choices: Vec::new() }
    }

    fn finish(self, config: &Config) -> Result<Output, Error> {
        if !self.choices.is_empty() {
            return Ok(Output::Choices(self.choices));
        }
        if self.logits.is_empty() {
            return Ok(Output::Nothing);
        }
        let n_rows = self.logits.len() / config.vocab_size.max(1);
        let rows = Tensor::from_vec(self.logits, (n_rows, config.vocab_size), &Device::Cpu)?;
        Ok(Output::Logits(Logits::new(rows)))
    }
}
