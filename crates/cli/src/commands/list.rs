//! `dacapo model list`: the built-in model and those that were pulled.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::arguments::List;
use crate::model_source::ModelSource;
use crate::terminal::{print_json, size};

#[derive(Serialize)]
struct ListReport {
    /// Where pulled models are kept.
    directory: String,
    models: Vec<ModelReport>,
}

#[derive(Serialize)]
struct ModelReport {
    /// What `--model` takes.
    name: String,
    /// None for the built-in model.
    path: Option<String>,
    bytes: u64,
    /// None if the configuration cannot be read.
    parameters: Option<usize>,
    complete: bool,
}

pub(crate) fn run(arguments: &List) -> Result<ExitCode> {
    let directory = hub::models_directory(|name| std::env::var_os(name))?;
    let built_in =
        [default_model::CONFIG.len(), default_model::TOKENIZER.len(), default_model::WEIGHTS.len()];
    let mut models = vec![ModelReport {
        name: "default".to_owned(),
        path: None,
        bytes: built_in.iter().map(|len| *len as u64).sum(),
        parameters: n_parameters(&ModelSource::Embedded),
        complete: true,
    }];
    for model in hub::list_local(&directory)? {
        models.push(ModelReport {
            name: model.repository.to_string(),
            path: Some(model.directory.display().to_string()),
            bytes: model.n_bytes,
            parameters: n_parameters(&ModelSource::Directory(model.directory)),
            complete: model.is_complete,
        });
    }
    let report = ListReport { directory: directory.display().to_string(), models };
    match arguments.json {
        true => print_json(&report)?,
        false => print(&report)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn n_parameters(source: &ModelSource) -> Option<usize> {
    source.config().ok().map(|config| config.n_parameters())
}

fn print(report: &ListReport) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let width = report.models.iter().map(|model| model.name.len()).max().unwrap_or(0);
    for ModelReport { name, path, bytes, parameters, complete } in &report.models {
        let parameters = parameters.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        let path = path.as_deref().unwrap_or("built in");
        writeln!(
            stdout,
            "{name:width$}  {:>9}  {parameters:>14} parameters  {path}",
            size(*bytes)
        )?;
        if !complete {
            writeln!(stdout, "{:width$}  incomplete: `dacapo model pull {name}` goes on", "")?;
        }
    }
    Ok(())
}
