//! What all sessions of one process have in common: models and figures.

use std::sync::Arc;

use crate::figures::Figures;
use crate::models::{Models, Pool};

/// Give the same one to every session that is to share models.
#[derive(Debug)]
pub struct Host {
    pub(crate) pool: Arc<Pool>,
    pub(crate) figures: Arc<Figures>,
}

impl Host {
    pub fn new(models: impl Models + 'static) -> Self {
        Self { pool: Arc::new(Pool::new(Box::new(models))), figures: Arc::default() }
    }
}
