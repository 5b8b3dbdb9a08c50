//! One token through all loops in a single pass, on memory that is there already.

use crate::Error;
use crate::cache::Cache;
use crate::host::Host;
use crate::pass::Part;
use crate::plt::Plt;
use crate::stack::Single;

impl Plt {
    /// Appends `token` to a settled sequence and writes the logits after it.
    pub(crate) fn decode_with(
        &self,
        host: &Host,
        single: &Single,
        token: u32,
        cache: &mut Cache,
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        self.check(&[token])?;
        cache.reserve(1)?;
        let (start, hidden) = (cache.len(), self.config.hidden_size);
        let n_loops = self.config.n_loops;
        for loop_idx in 1..n_loops {
            cache.make_room(loop_idx, &(start..start + 1))?;
        }
        let memory = cache.host_mut()?;
        let room = &mut *single.room();
        room.set_rows(
            (0..n_loops).map(|loop_idx| Part { loop_idx, positions: start..start + 1 }),
            &self.config,
        );
        room.states.resize(n_loops * hidden, 0.0);
        room.normed.resize(hidden, 0.0);
        let (embedded, later) = room.states.split_at_mut(hidden);
        host.embeddings.read(&[token], embedded);
        let emb_scale = self.config.emb_scale as f32;
        let hidden_scale = self.config.hidden_scale as f32;
        for (loop_idx, row) in (1..).zip(later.chunks_exact_mut(hidden)) {
            let before = match start.checked_sub(1) {
                Some(before) => memory.carried_at(loop_idx - 1, before, &mut room.normed),
                None => {
                    room.normed.fill(0.0);
                    &room.normed
                }
            };
            for ((x, embedded), before) in row.iter_mut().zip(&*embedded).zip(before) {
                *x = embedded * emb_scale + before * hidden_scale;
            }
        }
        for (layer_idx, layer) in single.layers.iter().enumerate() {
            layer.project(layer_idx, room, memory);
            layer.finish(layer_idx, room, memory);
        }

        let (handed_on, last) = room.states.split_at((n_loops - 1) * hidden);
        for (loop_idx, state) in handed_on.chunks_exact(hidden).enumerate() {
            let state = match self.config.normalize_per_loop {
                true => {
                    single.norm.apply(state, &mut room.normed);
                    &room.normed
                }
                false => state,
            };
            memory.write_carried(loop_idx, start, state);
        }
        cache.advance(&[token]);
        for loop_idx in 1..n_loops {
            cache.extend_span(loop_idx, cache.len());
        }
        single.norm.apply(last, &mut room.normed);
        host.head.apply(&room.normed, &mut room.operands, logits);
        Ok(())
    }
}
