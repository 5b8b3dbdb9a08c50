//! What the configuration files say where no editor says anything: the model, its device, and what is kept from it.

use std::path::Path;

use anyhow::Result;
use model::DeviceChoice;
use serde_json::json;
use server::{Options, config};

use crate::arguments::ModelFlag;
use crate::model_source::{ModelSource, device_choice};

/// A model and where it is to run.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// As the flag or the configuration names it.
    pub(crate) name: String,
    pub(crate) source: ModelSource,
    pub(crate) device: DeviceChoice,
}

pub(crate) fn options() -> Options {
    Options { user_file: config::user_file(|name| std::env::var_os(name)), command_line: json!({}) }
}

impl ModelFlag {
    /// What the flags say, else the user's configuration and that of `folder`.
    pub(crate) fn choose(&self, folder: Option<&Path>) -> Result<Chosen> {
        let config::Resolved { config, problems, .. } = options().resolve(folder);
        for problem in problems {
            eprintln!("dacapo: {problem}");
        }
        let name = self.model.clone().unwrap_or(config.model.name);
        let source = ModelSource::find(&name)?;
        let device = self.device.device.unwrap_or_else(|| device_choice(config.model.device));
        Ok(Chosen { name, source, device })
    }

    /// As [`Self::choose`], where the program was started.
    pub(crate) fn choose_here(&self) -> Result<Chosen> {
        self.choose(std::env::current_dir().ok().as_deref())
    }
}
