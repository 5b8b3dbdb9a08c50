//! Runs steps one after the other, and sums up in words and in one line of counts.

use std::fmt;
use std::time::{Duration, Instant};

use crate::step::Step;
use crate::tools::MissingTool;

/// What became of each step; its text ends with a line `N passed, N failed, N skipped`.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Summary {
    /// Runs `steps` until one fails; those after it count as skipped.
    ///
    /// A missing tool that is required fails its step where `must_be_complete`; any other skips it.
    pub(crate) fn of(steps: &[&Step], must_be_complete: bool) -> Self {
        let mut summary = Self::default();
        let mut failed = None;
        for step in steps {
            let start = Instant::now();
            let outcome = match failed {
                Some(name) => Outcome::Skipped(format!("not reached: {name} failed")),
                None => {
                    println!("==> {}: {}", step.name, step.about);
                    outcome(step, must_be_complete)
                }
            };
            let row = Row { name: step.name, took: start.elapsed(), outcome };
            if failed.is_none() {
                println!("<== {row}\n");
            }
            if matches!(row.outcome, Outcome::Failed(_)) {
                failed = Some(step.name);
            }
            summary.rows.push(row);
        }
        summary
    }

    pub(crate) fn is_green(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) == 0
    }

    fn count(&self, is_counted: fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|row| is_counted(&row.outcome)).count()
    }
}

fn outcome(step: &Step, must_be_complete: bool) -> Outcome {
    match (step.run)() {
        Ok(()) => Outcome::Passed,
        Err(error)
            if error
                .downcast_ref::<MissingTool>()
                .is_some_and(|tool| !(must_be_complete && tool.is_required)) =>
        {
            Outcome::Skipped(format!("{error:#}"))
        }
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, reason) = match &self.outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(reason) => ("FAILED", reason.as_str()),
            Outcome::Skipped(reason) => ("skipped", reason.as_str()),
        };
        let row = format!("{word:8} {:15} {:6.1} s  {reason}", self.name, self.took.as_secs_f64());
        formatter.write_str(row.trim_end())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(formatter, "{row}")?;
        }
        let n_passed = self.count(|outcome| matches!(outcome, Outcome::Passed));
        let n_failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let n_skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        writeln!(formatter, "{n_passed} passed, {n_failed} failed, {n_skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Result, bail};

    fn good() -> Result<()> {
        Ok(())
    }

    fn bad() -> Result<()> {
        bail!("it broke")
    }

    fn missing() -> Result<()> {
        Err(missing_tool(true))
    }

    fn missing_extra() -> Result<()> {
        Err(missing_tool(false))
    }

    fn missing_tool(is_required: bool) -> anyhow::Error {
        let (name, reason) = ("hammer".to_owned(), "no nails".to_owned());
        MissingTool { name, reason, is_required }.into()
    }

    fn step(name: &'static str, run: fn() -> Result<()>) -> Step {
        Step { name, about: "", run }
    }

    #[track_caller]
    fn check(steps: &[Step], must_be_complete: bool, expected: &str) -> Summary {
        let summary = Summary::of(&steps.iter().collect::<Vec<_>>(), must_be_complete);
        let text = summary.to_string();
        assert_eq!(text.lines().last(), Some(expected));
        assert!(text.ends_with('\n'));
        summary
    }

    #[test]
    fn all_good() {
        let summary =
            check(&[step("a", good), step("b", good)], true, "2 passed, 0 failed, 0 skipped");
        assert!(summary.is_green());
    }

    #[test]
    fn nothing_runs_after_a_failure() {
        let summary = check(
            &[step("a", good), step("b", bad), step("c", good)],
            true,
            "1 passed, 1 failed, 1 skipped",
        );
        assert!(!summary.is_green());
        let text = summary.to_string();
        assert!(text.contains("it broke"), "{text}");
        assert!(text.contains("not reached: b failed"), "{text}");
    }

    #[test]
    fn a_missing_tool_is_a_failure_where_all_must_run() {
        let summary =
            check(&[step("a", missing), step("b", good)], true, "0 passed, 1 failed, 1 skipped");
        assert!(!summary.is_green());
    }

    #[test]
    fn a_missing_tool_that_is_not_required_is_a_skip_everywhere() {
        let summary = check(
            &[step("a", missing_extra), step("b", good)],
            true,
            "1 passed, 0 failed, 1 skipped",
        );
        assert!(summary.is_green());
    }

    #[test]
    fn a_missing_tool_is_a_named_skip_elsewhere() {
        let summary =
            check(&[step("a", missing), step("b", good)], false, "1 passed, 0 failed, 1 skipped");
        assert!(summary.is_green());
        assert!(summary.to_string().contains("hammer is missing: no nails"));
    }
}
