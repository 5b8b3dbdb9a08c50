//! Text token by token, where nothing is asked in between but whether to go on.

use crate::Error;
use crate::cache::Cache;
use crate::choose::{Choice, Draws};
use crate::plt::{Backend, Plt};

impl Plt {
    /// Appends `token`, chooses the token to follow it as the next, and so on; no more than `max` times.
    ///
    /// `each` gets what was chosen and says whether to go on. Then the sequence holds `token` and all that was chosen but the
    /// last, as if each had gone through [`Plt::decode`]. Returns how many were chosen.
    pub fn decode_while(
        &self,
        token: u32,
        cache: &mut Cache,
        draws: Draws<'_>,
        max: usize,
        mut each: impl FnMut(Choice) -> bool,
    ) -> Result<usize, Error> {
        self.check(&[token])?;
        if !cache.is_settled() {
            self.settle(cache, || true)?;
        }
        let max_positions = self.config.max_positions;
        let n_room = max_positions - cache.len();
        if n_room == 0 && 0 < max {
            return Err(Error::ContextFull { position: cache.len(), n_context: max_positions });
        }
        let max = max.min(n_room).min(draws.most());
        match &self.backend {
            Backend::Host(_) => {
                let mut logits = Vec::new();
                let mut next = token;
                for idx in 0..max {
                    self.decode_into(next, cache, &mut logits)?;
                    let choice = draws.choose(idx, &logits).ok_or(Error::NotFinite)?;
                    if !each(choice) {
                        return Ok(idx + 1);
                    }
                    next = choice.token;
                }
                Ok(max)
            }
            Backend::Device(twin) => {
                let shape = (&self.config, &self.cache_shape);
                twin.decode_while(token, cache, shape, draws, max, &mut each)
            }
        }
    }

    /// Whether [`Plt::decode_while`] is faster than as many calls of [`Plt::decode`], as the next token is on its way while
    /// the last is looked at.
    pub fn runs_ahead(&self) -> bool {
        match &self.backend {
            Backend::Host(_) => false,
            Backend::Device(_) => true,
        }
    }
}
