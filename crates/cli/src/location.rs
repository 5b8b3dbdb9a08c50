//! `FILE:LINE:COL` and `FILE:LINE:COL-LINE:COL` on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use text::{Buffer, Encoding, Position};

/// A place in a file; line and column are 1-based, columns count Unicode scalar values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(rest, column)| {
            let (file, line) = rest.rsplit_once(':')?;
            let one_based = |number: &str| number.parse::<u32>().ok().filter(|number| *number != 0);
            Some((file, one_based(line)?, one_based(column)?))
        });
        match parsed {
            Some((file, line, column)) if !file.is_empty() => {
                Ok(Self { file: file.into(), line, column })
            }
            _ => Err("expected FILE:LINE:COL with LINE and COL counted from 1".to_owned()),
        }
    }
}

/// A place or a range in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Location,
    /// In the same file; `None` for a place.
    pub(crate) end: Option<Location>,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = text.rsplit_once('-').and_then(|(start, end)| {
            let start: Location = start.parse().ok()?;
            let end = format!("{}:{end}", start.file.display()).parse().ok()?;
            Some(Self { start, end: Some(end) })
        });
        match range {
            Some(span) => Ok(span),
            None => text.parse().map(|start| Self { start, end: None }).map_err(|_: String| {
                "expected FILE:LINE:COL or FILE:LINE:COL-LINE:COL with LINE and COL counted from 1"
                    .to_owned()
            }),
        }
    }
}

impl Location {
    /// Byte offset of this place in the file's text; an error where there is no such place.
    pub(crate) fn offset(&self, buffer: &Buffer) -> Result<usize> {
        let n_lines = buffer.n_lines();
        let line = (self.line - 1) as usize;
        if n_lines <= line {
            bail!(
                "line {} is past the end: {} has {n_lines} lines",
                self.line,
                self.file.display()
            );
        }
        let end = buffer.position(buffer.line_range(line).end, Encoding::Utf32).column;
        if end < self.column - 1 {
            bail!(
                "column {} is past the end: line {} has {end} characters, so its last column is {}",
                self.column,
                self.line,
                end + 1
            );
        }
        let position = Position { line: self.line - 1, column: self.column - 1 };
        Ok(buffer.offset(position, Encoding::Utf32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_contain_colons() {
        let location: Location = "C:/a:b.rs:3:7".parse().unwrap();
        assert_eq!(location, Location { file: "C:/a:b.rs".into(), line: 3, column: 7 });
    }

    #[test]
    fn ranges_and_hyphens_in_paths() {
        let location = |line, column| Location { file: "a-1:2-b.rs".into(), line, column };
        let span: Span = "a-1:2-b.rs:3:7".parse().unwrap();
        assert_eq!(span, Span { start: location(3, 7), end: None });
        let span: Span = "a-1:2-b.rs:3:7-4:1".parse().unwrap();
        assert_eq!(span, Span { start: location(3, 7), end: Some(location(4, 1)) });
        for text in ["a.rs", "a.rs:1:1-2", "a.rs:1-2:1", "a.rs:1:1-0:1"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn zero_and_missing_numbers_are_refused() {
        for text in ["a.rs", "a.rs:1", "a.rs:0:1", "a.rs:1:0", "a.rs:x:1", ":1:1", "a.rs:1:-1"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }

    #[track_caller]
    fn check_offset(text: &str, place: &str, expected: Result<usize, &str>) {
        let location: Location = format!("f:{place}").parse().unwrap();
        let found = location.offset(&Buffer::from(text)).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn columns_count_scalar_values() {
        check_offset("a\n🦀é!\r\n", "2:1", Ok(2));
        check_offset("a\n🦀é!\r\n", "2:3", Ok(8));
        check_offset("a\n🦀é!\r\n", "2:4", Ok(9));
        check_offset("a\n🦀é!\r\n", "3:1", Ok(11));
    }

    #[test]
    fn places_past_the_end_are_errors() {
        check_offset("ab\n", "3:1", Err("line 3 is past the end: f has 2 lines"));
        check_offset(
            "ab\n",
            "1:4",
            Err("column 4 is past the end: line 1 has 2 characters, so its last column is 3"),
        );
    }
}
