//! Files and a caret in one raw string: `//- /path` begins a file, `$0` marks the caret.

const HEADER: &str = "//- ";
const CARET: &str = "$0";

/// Unit of a column; its own type, so that tests of positions have an oracle of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    Utf8,
    Utf16,
    Utf32,
}

impl Units {
    pub const ALL: [Self; 3] = [Self::Utf8, Self::Utf16, Self::Utf32];

    /// Name in LSP (3.17, `PositionEncodingKind`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
        }
    }

    /// Length of `text` in these units.
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Utf32 => text.chars().count(),
        }
    }
}

/// Zero-based line and column of byte `offset`; lines end in LF, CRLF or CR (LSP 3.17, "Text Documents").
pub fn line_and_column(text: &str, offset: usize, units: Units) -> (usize, usize) {
    let before = &text[..offset];
    let bytes = text.as_bytes();
    let mut line = 0;
    let mut line_start = 0;
    for (at, byte) in before.bytes().enumerate() {
        let ends_line = match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends_line {
            line += 1;
            line_start = at + 1;
        }
    }
    (line, units.count(&before[line_start..]))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute, with forward slashes.
    pub path: String,
    /// Without the caret's mark.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    pub files: Vec<File>,
    caret: Option<(usize, usize)>,
}

impl Fixture {
    /// Reads `raw`, less one leading line break and the indentation that all its lines share.
    ///
    /// Panics on a path that is not absolute, on text before the first header, and on more than one caret.
    #[track_caller]
    pub fn parse(raw: &str) -> Self {
        let raw = dedent(raw.strip_prefix('\n').unwrap_or(raw));
        let mut files: Vec<File> = Vec::new();
        for line in raw.split_inclusive('\n') {
            match (line.strip_prefix(HEADER), files.last_mut()) {
                (Some(path), _) => {
                    let path = path.trim().to_owned();
                    assert!(path.starts_with('/'), "the path {path:?} is not absolute");
                    files.push(File { path, text: String::new() });
                }
                (None, Some(file)) => file.text.push_str(line),
                (None, None) => panic!("a fixture begins with `//- /path`"),
            }
        }
        let mut caret = None;
        for (idx, file) in files.iter_mut().enumerate() {
            while let Some(offset) = file.text.find(CARET) {
                assert!(caret.is_none(), "more than one caret");
                caret = Some((idx, offset));
                file.text.replace_range(offset..offset + CARET.len(), "");
            }
        }
        Self { files, caret }
    }

    /// The file that holds the caret, and its byte offset in there.
    #[track_caller]
    pub fn caret(&self) -> (&File, usize) {
        let (idx, offset) = self.caret.expect("the fixture has no caret");
        (&self.files[idx], offset)
    }
}

fn dedent(raw: &str) -> String {
    let indent = raw
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    raw.split_inclusive('\n').map(|line| line.get(indent..).unwrap_or("\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_caret() {
        let fixture = Fixture::parse(
            "
            //- /a/b.rs
            fn f() {
                $0

            }
            //- /c.py
            ",
        );
        assert_eq!(fixture.files.len(), 2);
        assert_eq!(
            fixture.files[0],
            File { path: "/a/b.rs".into(), text: "fn f() {\n    \n\n}\n".into() }
        );
        assert_eq!(fixture.files[1].path, "/c.py");
        assert_eq!(fixture.caret(), (&fixture.files[0], 13));
    }

    #[track_caller]
    fn check(marked: &str, expected: [(usize, usize); 3]) {
        let offset = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        assert_eq!(Units::ALL.map(|units| line_and_column(&text, offset, units)), expected);
    }

    #[test]
    fn columns_in_each_unit() {
        check("|", [(0, 0); 3]);
        check("aé𝄞|b", [(0, 7), (0, 4), (0, 3)]);
        check("a\r\nb\rc\n𝄞|", [(3, 4), (3, 2), (3, 1)]);
        check("a|\r\n", [(0, 1); 3]);
    }
}
