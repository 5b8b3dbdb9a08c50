//! What is in an image: lines that name parts, an empty line, and the parts, each deflated (`kernels/build.py` writes it).

use std::fmt;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

/// The largest part that an honest image may have.
const MAX_PART: usize = 64 << 20;

/// What a part is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// Machine code of a compute capability, times ten.
    Real(u32),
    /// PTX, which a driver compiles for this capability and later ones.
    Virtual(u32),
}

impl Target {
    pub(super) fn real((major, minor): (u32, u32)) -> Self {
        Self::Real(major.saturating_mul(10).saturating_add(minor))
    }

    fn parse(word: &str) -> Option<Self> {
        if let Some(number) = word.strip_prefix("sm_") {
            return number.parse().ok().map(Self::Real);
        }
        word.strip_prefix("compute_")?.parse().ok().map(Self::Virtual)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real(number) => write!(formatter, "sm_{number}"),
            Self::Virtual(number) => write!(formatter, "compute_{number}"),
        }
    }
}

/// A source or a header, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

struct Part {
    name: &'static str,
    /// None for a source.
    target: Option<Target>,
    deflated: &'static [u8],
    n_bytes: usize,
}

pub(super) struct Image {
    parts: Vec<Part>,
}

impl Image {
    pub(super) fn read(bytes: &'static [u8]) -> Result<Self, String> {
        let broken = || "the image of kernels cannot be read".to_owned();
        let header = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or_else(broken)?;
        let (lines, data) = (&bytes[..header], &bytes[header + 2..]);
        let lines = std::str::from_utf8(lines).map_err(|_| broken())?.lines();
        let parts = lines.map(|line| Part::parse(line, data).ok_or_else(broken));
        Ok(Self { parts: parts.collect::<Result<_, _>>()? })
    }

    /// What runs on a device, the best first: code of its family that is not younger than it, then PTX.
    pub(super) fn targets(&self, capability: (u32, u32)) -> Vec<Target> {
        let number = capability.0.saturating_mul(10).saturating_add(capability.1);
        let all = || self.parts.iter().filter_map(|part| part.target);
        let real = all().filter(|target| match target {
            Target::Real(own) => own / 10 == number / 10 && *own <= number,
            Target::Virtual(_) => false,
        });
        let ptx = all().filter(|target| match target {
            Target::Real(_) => false,
            Target::Virtual(own) => *own <= number,
        });
        let rank = |target: &Target| match target {
            Target::Real(own) | Target::Virtual(own) => *own,
        };
        real.max_by_key(rank).into_iter().chain(ptx.max_by_key(rank)).collect()
    }

    /// The code of every source for a target.
    pub(super) fn of(&self, target: Target) -> impl Iterator<Item = Result<Vec<u8>, String>> {
        self.parts.iter().filter(move |part| part.target == Some(target)).map(Part::inflate)
    }

    /// The sources, and the headers that they include.
    pub(super) fn sources(&self) -> Result<(Vec<Source>, Vec<Source>), String> {
        let (mut sources, mut headers) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let Some(name) = part.name.strip_prefix("source/") else { continue };
            let source = Source { name: name.to_owned(), text: part.inflate()? };
            if name.ends_with(".cu") { sources.push(source) } else { headers.push(source) }
        }
        Ok((sources, headers))
    }
}

impl Part {
    fn parse(line: &'static str, data: &'static [u8]) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?;
        let mut number = || words.next()?.parse::<usize>().ok();
        let (offset, n_deflated, n_bytes) = (number()?, number()?, number()?);
        let deflated = data.get(offset..offset.checked_add(n_deflated)?)?;
        let is_source = name.starts_with("source/");
        let target = name.rsplit_once('.').and_then(|(_, target)| Target::parse(target));
        let is_known = is_source || target.is_some();
        is_known.then_some(Self { name, target, deflated, n_bytes })
    }

    fn inflate(&self) -> Result<Vec<u8>, String> {
        let bytes = decompress_to_vec_zlib_with_limit(self.deflated, self.n_bytes.min(MAX_PART));
        match bytes {
            Ok(bytes) if bytes.len() == self.n_bytes => Ok(bytes),
            _ => Err(format!("the part {} of the image of kernels is broken", self.name)),
        }
    }
}
