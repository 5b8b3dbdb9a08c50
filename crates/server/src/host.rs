//! What all sessions of one process have in common: models, indexes and figures.

use std::sync::Arc;

use crate::figures::Figures;
use crate::indexes::Indexes;
use crate::models::{Models, Pool};

/// Give the same one to every session that is to share models.
#[derive(Debug)]
pub struct Host {
    pub(crate) pool: Arc<Pool>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) indexes: Indexes,
}

impl Host {
    pub fn new(models: impl Models + 'static) -> Self {
        Self {
            pool: Arc::new(Pool::new(Box::new(models))),
            figures: Arc::default(),
            indexes: Indexes::new(false),
        }
    }

    /// Keeps the indexes of folders in the user's cache from one process to the next.
    #[must_use]
    pub fn saving_indexes(mut self) -> Self {
        self.indexes = Indexes::new(true);
        self
    }
}
