//! `dacapo eval cut`: holes cut in the files of repositories.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use eval::{CutConfig, Kind, Manifest};

use crate::arguments::Cut;

pub(crate) fn run(arguments: &Cut) -> Result<ExitCode> {
    if let Some(path) = &arguments.manifest {
        let manifest = Manifest::read(path)?;
        for directory in &arguments.directories {
            manifest.check(directory, &arguments.split)?;
        }
    }
    let config = CutConfig {
        kinds: match arguments.kinds.is_empty() {
            true => Kind::CUT.to_vec(),
            false => arguments.kinds.clone(),
        },
        languages: arguments.languages.clone(),
        n_each: arguments.each,
        seed: arguments.seed,
        set_directory: arguments.out.parent().unwrap_or(Path::new("")).to_owned(),
        inline_files: arguments.inline_files,
    };
    let holes = eval::cut(&arguments.directories, &config)?;
    if holes.is_empty() {
        bail!("found no place for a hole; look at --kinds, --languages and what .gitignore names");
    }
    let cannot_write = || format!("cannot write {}", arguments.out.display());
    let mut out = BufWriter::new(File::create(&arguments.out).with_context(cannot_write)?);
    let mut counts: BTreeMap<(&str, Kind), usize> = BTreeMap::new();
    for hole in &holes {
        serde_json::to_writer(&mut out, hole)?;
        writeln!(out).with_context(cannot_write)?;
        *counts.entry((hole.language.name(), hole.kind)).or_default() += 1;
    }
    out.flush().with_context(cannot_write)?;
    for ((language, kind), n) in counts {
        eprintln!("{n:5}  {language} {kind}");
    }
    eprintln!("{:5}  in all, in {}", holes.len(), arguments.out.display());
    Ok(ExitCode::SUCCESS)
}
