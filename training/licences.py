"""Which licences may enter the corpus, and how each ecosystem states the licence of a package."""

from __future__ import annotations

import re
from email.parser import HeaderParser
from fnmatch import fnmatchcase

PERMISSIVE = {
    "mit",
    "mit-0",
    "expat",
    "apache-2.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "0bsd",
    "isc",
    "zlib",
    "cc0-1.0",
    "unlicense",
    "public-domain",
    "curl",
}

# Free-form names that package authors write in place of an SPDX identifier.
SPELLINGS = {
    "mit license": "mit",
    "the mit license": "mit",
    "the mit license (mit)": "mit",
    "mit licence": "mit",
    "apache": "apache-2.0",
    "apache2": "apache-2.0",
    "apache 2": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "apache-2": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache 2.0 license": "apache-2.0",
    "apache license, version 2.0": "apache-2.0",
    "apache license version 2.0": "apache-2.0",
    "apache software license": "apache-2.0",
    "apache software license 2.0": "apache-2.0",
    "bsd license": "bsd",
    "new bsd": "bsd-3-clause",
    "new bsd license": "bsd-3-clause",
    "3-clause bsd license": "bsd-3-clause",
    "bsd 3-clause": "bsd-3-clause",
    "bsd 3-clause license": "bsd-3-clause",
    "bsd-3": "bsd-3-clause",
    "bsd-2": "bsd-2-clause",
    "bsd2": "bsd-2-clause",
    "bsd3": "bsd-3-clause",
    "bsd-3-clause-google": "bsd-3-clause",
    "go": "bsd-3-clause",
    "isc license": "isc",
    "isc license (iscl)": "isc",
    "the unlicense (unlicense)": "unlicense",
    "public domain": "public-domain",
    "pd": "public-domain",
    "sqlite": "public-domain",
}


def is_permissive(expression: str) -> bool:
    """True where some choice that the expression offers is made of permissive licences alone."""
    text = expression.strip().strip("\"'").lower()
    if text in SPELLINGS or text in PERMISSIVE:
        return True
    text = re.sub(r"\s+with\s+[\w.-]+", "", text).replace("/", " or ")
    parts = [p.strip() for p in re.split(r"(\(|\)|\s+or\s+|\s+and\s+|,)", text)]
    return _any_of(["and" if p == "," else p for p in parts if p])


def _any_of(parts: list[str]) -> bool:
    """Reads alternatives up to a closing bracket, consuming `parts`; anything unreadable is not permissive."""
    allowed = _all_of(parts)
    while parts and parts[0] == "or":
        parts.pop(0)
        allowed = _all_of(parts) or allowed
    return allowed


def _all_of(parts: list[str]) -> bool:
    allowed = _one(parts)
    while parts and parts[0] not in ("or", ")"):
        if parts[0] == "and":
            parts.pop(0)
        allowed = _one(parts) and allowed
    return allowed


def _one(parts: list[str]) -> bool:
    if not parts:
        return False
    name = parts.pop(0)
    if name == "(":
        allowed = _any_of(parts)
        return bool(parts) and parts.pop(0) == ")" and allowed
    return SPELLINGS.get(name, name) in PERMISSIVE


def of_wheel(metadata: str) -> str:
    """The licence in a wheel's METADATA: the SPDX field, else a short free-form one, else the classifiers."""
    headers = HeaderParser().parsestr(metadata)
    for field in ("License-Expression", "License"):
        value = (headers.get(field) or "").strip()
        if value and len(value) < 80 and value.upper() != "UNKNOWN" and "\n" not in value:
            return value
    named = [c.split("::")[-1].strip() for c in headers.get_all("Classifier", []) if c.startswith("License ::")]
    return " AND ".join(n for n in named if n != "OSI Approved")


def of_npm(package: dict) -> str:
    """The licence in a package.json, in its present or its older shapes."""
    value = package.get("license") or package.get("licenses") or ""
    if isinstance(value, list):
        return " OR ".join(v.get("type", "") if isinstance(v, dict) else str(v) for v in value)
    return value.get("type", "") if isinstance(value, dict) else str(value)


class DebianCopyright:
    """A machine-readable debian/copyright: the licence of each file, where the last matching stanza wins."""

    def __init__(self, text: str) -> None:
        self.rules: list[tuple[list[str], str]] = []
        for stanza in re.split(r"\n\s*\n", text):
            fields: dict[str, str] = {}
            key = ""
            for line in stanza.splitlines():
                if line[:1] in " \t":
                    fields[key] = fields.get(key, "") + "\n" + line
                elif ":" in line:
                    key, _, value = line.partition(":")
                    key = key.strip().lower()
                    fields[key] = value
            if "files" in fields and "license" in fields:
                short = fields["license"].strip().splitlines()
                self.rules.append((fields["files"].split(), short[0].strip() if short else ""))

    def of_package(self) -> str:
        """The licence of `Files: *`; empty where the file is not machine-readable."""
        return next((licence for globs, licence in self.rules if "*" in globs), "")

    def of_file(self, path: str) -> str:
        """The licence of one file, by its path from the source's root."""
        found = ""
        for globs, licence in self.rules:
            if any(fnmatchcase(path, glob.removeprefix("./")) for glob in globs):
                found = licence
        return found
