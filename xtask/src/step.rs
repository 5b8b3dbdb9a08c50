//! One named check, and the choice of checks by name.

use anyhow::{Result, bail};

/// A check that CI runs.
#[derive(Debug)]
pub(crate) struct Step {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<()>,
}

/// The steps of those names, in the order of `all`; every step if no name is given.
///
/// # Errors
/// If a name is not that of a step.
pub(crate) fn select<'a>(all: &'a [Step], names: &[String]) -> Result<Vec<&'a Step>> {
    for name in names {
        if !all.iter().any(|step| step.name == name) {
            let known: Vec<_> = all.iter().map(|step| step.name).collect();
            bail!("there is no step `{name}`; the steps are {}", known.join(", "));
        }
    }
    Ok(all
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Step] = &[
        Step { name: "one", about: "", run: || Ok(()) },
        Step { name: "two", about: "", run: || Ok(()) },
        Step { name: "three", about: "", run: || Ok(()) },
    ];

    #[track_caller]
    fn check(names: &[&str], expected: &[&str]) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let steps = select(ALL, &names).unwrap();
        assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_name_takes_all() {
        check(&[], &["one", "two", "three"]);
    }

    #[test]
    fn names_keep_the_order_of_the_list() {
        check(&["three", "one"], &["one", "three"]);
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = select(ALL, &["four".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "there is no step `four`; the steps are one, two, three");
    }
}
