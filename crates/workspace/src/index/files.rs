//! Which files are looked at: nothing that holds secrets, nothing that a machine wrote, nothing too large.

use std::path::Path;

use syntax::Language;

/// Files that are longer are data or generated.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Lines that are longer on average are minified.
const MAX_MEAN_LINE: usize = 250;

/// Names of files that usually hold keys, passwords or tokens; the text of such a file belongs into no prompt, open or not.
pub fn holds_secrets(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase())
    else {
        return false;
    };
    let in_folder = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
    if SECRET_NAMES.contains(&name.as_str())
        || [".ssh", ".gnupg", ".aws", ".kube"].iter().any(|folder| in_folder(folder))
    {
        return true;
    }
    if name == ".env"
        || name.starts_with(".env.")
        || name.ends_with(".env")
        || name.starts_with(".envrc")
    {
        return !["example", "sample", "template", "dist"]
            .iter()
            .any(|ending| name.ends_with(ending));
    }
    if name.starts_with("id_rsa")
        || name.starts_with("id_ed25519")
        || name.starts_with("id_ecdsa")
        || name.starts_with("id_dsa")
    {
        return true;
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    if SECRET_EXTENSIONS.contains(&extension) {
        return true;
    }
    // Code that deals with secrets is no secret: only data files are judged by such a name.
    let stem = name.split('.').next().unwrap_or_default();
    let is_data = matches!(
        extension,
        "" | "cfg"
            | "conf"
            | "config"
            | "csv"
            | "ini"
            | "json"
            | "properties"
            | "toml"
            | "txt"
            | "xml"
            | "yaml"
            | "yml"
            | "tfvars"
    );
    let named_secret =
        |word: &&str| stem.split(['-', '_']).any(|part| part == *word) || stem == *word;
    is_data
        && ([
            "secret",
            "secrets",
            "credential",
            "credentials",
            "password",
            "passwords",
            "passwd",
            "htpasswd",
        ]
        .iter()
        .any(named_secret)
            || (stem.starts_with("service") && stem.contains("account")))
}

/// The language of a file that is indexed; `None` for one that is not: no text we know, a lock file, a minified one, or one that holds secrets.
pub(crate) fn indexed(path: &Path) -> Option<Option<Language>> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    if holds_secrets(path) || is_machine_written(&name) {
        return None;
    }
    if let Some(language) = Language::from_path(path) {
        return Some(Some(language));
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    TEXT_EXTENSIONS.contains(&extension).then_some(None)
}

fn is_machine_written(name: &str) -> bool {
    let endings = [
        ".lock",
        "-lock.json",
        "-lock.yaml",
        ".lockb",
        ".min.js",
        ".min.css",
        ".min.mjs",
        ".bundle.js",
        ".map",
        ".snap",
        ".pb.go",
        "_pb2.py",
        "_pb2_grpc.py",
        ".g.dart",
        ".designer.cs",
        ".d.ts.map",
    ];
    endings.iter().any(|ending| name.ends_with(ending))
        || matches!(name, "go.sum" | "npm-shrinkwrap.json")
}

/// Bytes that are text, and text that a person wrote; without a byte order mark.
pub(crate) fn readable(bytes: Vec<u8>) -> Option<String> {
    if bytes.iter().take(8192).any(|byte| *byte == 0) {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    let n_lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    (text.len() / n_lines <= MAX_MEAN_LINE || text.len() < 4 * MAX_MEAN_LINE).then_some(text)
}

const SECRET_NAMES: &[&str] = &[
    ".npmrc",
    ".pypirc",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    ".boto",
    ".s3cfg",
    ".my.cnf",
    ".vault-token",
    ".terraformrc",
    "terraform.rc",
    "credentials",
    "credentials.toml",
    "kubeconfig",
    "shadow",
    "wp-config.php",
    "secring.gpg",
    "application_default_credentials.json",
    "local.settings.json",
    "google-services.json",
    "googleservice-info.plist",
    "master.key",
    ".secrets",
    "auth.json",
    "keystore.properties",
];

const SECRET_EXTENSIONS: &[&str] = &[
    "pem",
    "key",
    "p8",
    "p12",
    "pfx",
    "pkcs12",
    "jks",
    "keystore",
    "bks",
    "crt",
    "cer",
    "der",
    "csr",
    "asc",
    "gpg",
    "pgp",
    "ppk",
    "kdb",
    "kdbx",
    "ovpn",
    "tfstate",
    "tfvars",
    "agekey",
    "mobileprovision",
    "keychain",
    "sqlite",
    "age",
];

/// Kinds of text without a grammar here that people write by hand.
const TEXT_EXTENSIONS: &[&str] = &[
    "astro", "cmake", "css", "cu", "cuh", "dart", "ex", "exs", "elm", "erl", "fs", "gradle",
    "graphql", "groovy", "hcl", "hs", "html", "jl", "kt", "kts", "less", "m", "md", "ml", "mli",
    "mm", "nim", "nix", "php", "pl", "pm", "proto", "r", "rst", "scala", "scss", "sol", "sql",
    "svelte", "swift", "tf", "toml", "v", "vue", "xml", "yaml", "yml", "zig",
];
