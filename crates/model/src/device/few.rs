//! Passes of few rows as graphs, each captured when the first of its shape comes and launched again for the others.

use std::collections::HashMap;

use cuda::Graph;

use super::Twin;
use super::room::{Kind, Room, Rows};
use crate::Error;
use crate::config::Config;

/// What such a pass does, but for the numbers in its rows and in the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FewRows {
    pub(super) n: usize,
    /// Some are of a loop before the last.
    pub(super) hands_on: bool,
    /// The last so many are read out.
    pub(super) n_read: usize,
}

#[derive(Debug, Default)]
pub(super) struct Graphs {
    of_shape: HashMap<FewRows, Graph>,
}

impl Twin {
    /// All of a pass of few rows, which are placed, without a stop; logits of those that are read lie in `room`.
    pub(super) fn run_few(
        &self,
        rows: FewRows,
        config: &Config,
        room: &mut Room,
        graphs: &mut Graphs,
    ) -> Result<(), Error> {
        if let Some(graph) = graphs.of_shape.get(&rows) {
            return Ok(graph.launch()?);
        }
        let graph = self.device.capture(|_| self.launch_few(rows, config, room))?;
        graph.launch()?;
        graphs.of_shape.insert(rows, graph);
        Ok(())
    }

    /// The same, kernel by kernel.
    pub(super) fn launch_few(
        &self,
        FewRows { n, hands_on, n_read }: FewRows,
        config: &Config,
        room: &mut Room,
    ) -> cuda::Result<()> {
        self.embed(config, n, room)?;
        let rows = Rows { n, kind: Kind::Few };
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            layer.project(&self.device, layer_idx, &self.constants, rows, room)?;
            layer.finish(&self.device, layer_idx, &self.constants, rows, room)?;
        }
        if hands_on {
            self.hand_on(config, n, room)?;
        }
        if 0 < n_read {
            self.launch_read_out(n - n_read, n_read, config, room)?;
        }
        Ok(())
    }
}
