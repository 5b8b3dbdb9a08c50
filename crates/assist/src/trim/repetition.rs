//! Models that have lost the thread say the same thing over and over.

use crate::lines::numbered;

/// A line this often in a row is a loop.
const N_LINES: usize = 3;

/// A piece of a line this often in a row is one, if it all is long enough to be seen as one.
const N_CYCLES: usize = 4;
const MIN_CYCLING: usize = 32;
const MAX_PERIOD: usize = 48;

/// The end of what was said before it was said again; the first `n_seen` bytes hold no cycle.
pub(super) fn stop(text: &str, n_seen: usize) -> Option<usize> {
    [repeated_line(text), repeated_piece(text, n_seen)].into_iter().flatten().min()
}

/// Whole lines only, and only such as have a word: closing brackets come in rows, and bare comment leaders between lines.
fn repeated_line(text: &str) -> Option<usize> {
    let n_whole = text.matches('\n').count();
    let mut run_end = 0;
    let mut n_same = 0;
    let mut last = "";
    for (start, line) in numbered(text).take(n_whole) {
        let line = line.trim();
        if !line.contains(char::is_alphanumeric) {
            continue;
        }
        if line == last {
            n_same += 1;
        } else {
            last = line;
            n_same = 1;
            run_end = start + text.get(start..)?.find('\n')?;
        }
        if n_same == N_LINES {
            return Some(run_end);
        }
    }
    None
}

/// A cycle of characters; rulers such as `=====` in a line of their own end after the first turn too.
fn repeated_piece(text: &str, n_seen: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    for end in MIN_CYCLING.max(n_seen + 1)..=bytes.len() {
        let Some(seen) = bytes.get(..end) else { break };
        for period in 1..=MAX_PERIOD {
            let n_bytes = (N_CYCLES * period).max(MIN_CYCLING.next_multiple_of(period));
            let Some(start) = end.checked_sub(n_bytes) else { break };
            let tail = seen.get(start..)?;
            let cycles = tail.iter().zip(tail.iter().skip(period)).all(|(a, b)| a == b);
            let is_visible = tail.iter().take(period).any(|byte| !byte.is_ascii_whitespace());
            if cycles && is_visible {
                return Some(text.floor_char_boundary(start + period));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::stop;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let kept = stop(text, 0).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn lines() {
        check("a();\na();\n", "a();\na();\n");
        check("let total = 1;\nlet total = 1;\nlet total = 1;\n", "let total = 1;");
        check("x = 1\n  y()\n\n  y()\n  y()\n", "x = 1\n  y()");
        check("f();\n}\n}\n}\n}\n", "f();\n}\n}\n}\n}\n");
        check("/// A b.\n///\n/// A b.\n///\n/// A b.\n", "/// A b.");
        check("g();\nf();\ng();\nf();\ng();\n", "g();\nf();\ng();\nf();\ng();\n");
    }

    #[test]
    fn pieces_of_a_line() {
        check("[0, 0, 0, 0, 0]", "[0, 0, 0, 0, 0]");
        check(&format!("x = {}", "foo(bar(".repeat(6)), "x = foo(bar(");
        check(&format!("// {}", "=".repeat(40)), "// =");
        check(&" ".repeat(60), &" ".repeat(60));
        check(&"é".repeat(40), "é");
    }
}
