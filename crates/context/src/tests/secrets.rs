//! No secret of a repository in any prompt.

use super::repositories::Repository;
use super::*;

/// Each is put together here so that no scanner takes this file for a leak.
fn secrets() -> Vec<(&'static str, String)> {
    let alphabet = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzC";
    let random = |n: usize| alphabet.chars().cycle().skip(n % 7).take(n).collect::<String>();
    let upper = |n: usize| random(n).to_uppercase();
    let hex =
        |n: usize| "0f1e2d3c4b5a69788796a5b4c3d2e1f0".chars().cycle().take(n).collect::<String>();
    vec![
        ("aws_access_key", format!("AKIA{}", &"QWERTYUIOP234567ASDF"[..16])),
        ("aws_secret_access_key", random(40)),
        ("github_token", format!("ghp_{}", random(36))),
        ("github_oauth", format!("gho_{}", random(36))),
        ("github_app", format!("ghs_{}", random(36))),
        ("github_fine", format!("github_pat_{}_{}", random(22), random(59))),
        ("gitlab", format!("glpat-{}", random(20))),
        ("slack_bot", format!("xoxb-{}-{}-{}", "123456789012", "123456789012", random(24))),
        (
            "slack_hook",
            format!("https://hooks.slack.com/services/T{}/B{}/{}", upper(8), upper(8), random(24)),
        ),
        ("stripe", format!("sk_live_{}", random(24))),
        ("stripe_restricted", format!("rk_live_{}", random(24))),
        ("google", format!("AIza{}", random(35))),
        ("google_oauth", format!("GOCSPX-{}", random(28))),
        ("openai", format!("sk-{}", random(48))),
        ("openai_project", format!("sk-proj-{}", random(48))),
        ("anthropic", format!("sk-ant-api03-{}", random(80))),
        ("npm", format!("npm_{}", random(36))),
        ("pypi", format!("pypi-AgEIcHlwaS5vcmc{}", random(60))),
        ("huggingface", format!("hf_{}", random(34))),
        ("sendgrid", format!("SG.{}.{}", random(22), random(43))),
        ("twilio", format!("SK{}", hex(32))),
        ("mailgun", format!("key-{}", hex(32))),
        ("telegram", format!("123456789:AA{}", random(33))),
        ("digitalocean", format!("dop_v1_{}", hex(64))),
        ("shopify", format!("shpat_{}", hex(32))),
        ("square", format!("sq0atp-{}", random(22))),
        ("jwt", format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", random(43))),
        ("database", format!("postgres://admin:{}@db.internal:5432/app", random(18))),
        ("mongo", format!("mongodb+srv://admin:{}@cluster0.example.net/app", random(18))),
        ("bearer", format!("Authorization: Bearer {}", random(40))),
        ("basic", format!("https://deploy:{}@git.internal/app.git", random(20))),
        ("password", format!("password = \"{}\"", random(20))),
        ("api_secret", format!("api_secret: '{}'", random(32))),
        ("client_secret", format!("client_secret=\"{}\"", random(32))),
    ]
}

/// What must not be shown of a secret: its longest run without punctuation.
fn core(secret: &str) -> &str {
    let runs = secret.split(|character: char| !character.is_ascii_alphanumeric());
    runs.max_by_key(|run| run.len()).unwrap_or(secret)
}

/// Every layout and every source, and what goes with an instruction about the whole file, with all the room there is.
fn prompts(repository: &Repository) -> Vec<String> {
    let settings = |layout| Settings { layout, ..Settings::new(&TOKENIZER, 60_000) };
    let prompt = |layout| {
        let prompt = repository.prompt(&settings(layout));
        let pieces = prompt.pieces.iter().map(|piece| piece.text.as_str());
        spelled(&prompt) + &pieces.collect::<String>()
    };
    let told = repository.background(60_000);
    let told = told.into_iter().map(|piece| piece.text).collect::<String>();
    let Surroundings { before, after, elsewhere } = repository.surroundings(Sources::ALL);
    let counted = [vec![before, after], elsewhere].concat().concat();
    let counted: String =
        counted.iter().map(|id| String::from_utf8_lossy(TOKENIZER.bytes(*id))).collect();
    let others = [told + "near_the_caret", counted];
    Layout::ALL.into_iter().map(prompt).chain(others).collect()
}

#[track_caller]
fn check_absent(name: &str, secret: &str, repository: &Repository) {
    for prompt in prompts(repository) {
        assert!(prompt.contains("near_the_caret"), "{name}: the prompt shows nothing");
        let core = core(secret);
        assert!(!prompt.contains(core), "{name}: {core} is in a prompt:\n{prompt}");
    }
}

#[test]
fn secrets_in_ordinary_files_are_in_no_prompt() {
    let secrets = secrets();
    assert!(30 <= secrets.len());
    for (name, secret) in &secrets {
        let line = if secret.contains(['=', ':', ' ']) && !secret.contains("//") {
            format!("# {secret}")
        } else {
            format!("{name} = \"{secret}\"")
        };
        // In another file, in the caret's file before and after the caret, and in a file that was edited.
        let raw = format!(
            "//- /repo/config.py\ndef near_the_caret_too(option):\n    {line}\n    return option\n\n//- /repo/main.py\nfrom config import near_the_caret_too\n\n{line}\n\ndef near_the_caret(option):\n    near_the_caret_too($0)\n\n{line}\n"
        );
        let mut repository = Repository::new(&raw);
        check_absent(name, secret, &repository);
        assert!(!repository.background(60_000).is_empty());
        repository.open(
            "/repo/config.py",
            &format!("def near_the_caret_too(option):\n    {line}\n    return 1\n"),
        );
        repository.edit("/repo/config.py", "return 1", "return option");
        check_absent(name, secret, &repository);
    }
}

#[test]
fn files_that_usually_hold_secrets_are_in_no_prompt() {
    for path in [
        ".env",
        ".env.production",
        "config/.npmrc",
        ".netrc",
        ".pypirc",
        "id_rsa",
        "deploy/server.pem",
        "deploy/server.key",
        "credentials.json",
        "secrets.yaml",
        "secrets.toml",
        ".git-credentials",
        "terraform.tfvars",
        "service-account.json",
        "kubeconfig",
    ] {
        let secret = "nearthecaretsecret";
        let raw = format!(
            "//- /repo/{path}\nnear_the_caret_too = {secret}\noption = {secret}\n//- /repo/main.py\ndef near_the_caret(option):\n    near_the_caret_too($0)\n"
        );
        let mut repository = Repository::new(&raw);
        check_absent(path, secret, &repository);
        // Open or not.
        let path = format!("/repo/{path}");
        repository.open(&path, &format!("near_the_caret_too = {secret}\n"));
        repository.edit(&path, "near_the_caret_too", "near_the_caret_three");
        check_absent(&path, secret, &repository);
    }
}

#[test]
fn a_private_key_is_in_no_prompt() {
    let line = "MIIEowIBAAKCAQEA75qr0123456789abcdefghijklmnopqrstuvwxyzABCDEF+/\n";
    let key = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}-----END RSA PRIVATE KEY-----\n",
        line.repeat(12)
    );
    let raw = format!(
        "//- /repo/keys.py\nnear_the_caret_too = '''\n{key}'''\n//- /repo/main.py\nKEY = '''\n{key}'''\n\ndef near_the_caret(option):\n    near_the_caret_too($0)\n"
    );
    check_absent(
        "private key",
        "MIIEowIBAAKCAQEA75qr0123456789abcdefghijklmnopqrstuvwxyzABCDEF",
        &Repository::new(&raw),
    );
}
