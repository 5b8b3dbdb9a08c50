//! Secrets of every kind, and what only looks like one.

use std::path::Path;

use crate::holds_secrets;
use crate::secrets::{mask, secrets};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(mask(text), expected, "{text}");
}

/// `secret` is hidden and nothing else of the line.
#[track_caller]
fn hides(before: &str, secret: &str, after: &str) {
    let text = format!("first\n{before}{secret}{after}\nlast\n");
    let expected = format!("first\n{before}{}{after}\nlast\n", "*".repeat(secret.len()));
    assert_eq!(mask(&text), expected);
}

/// Well mixed letters and digits, put together here so that no scanner of this repository takes them for a secret.
fn random(n: usize) -> String {
    "a9Xk2Qm7Zp4Rt8Vw3Yb6Nc1Ld5Jf0Hg".chars().cycle().take(n).collect()
}

fn hex(n: usize) -> String {
    "3f9a0c7e1b5d8264".chars().cycle().take(n).collect()
}

#[test]
fn tokens_of_known_issuers_are_hidden() {
    for (prefix, rest) in [
        ("AKIA", "Q3EGRI7XUW5NBT2K".to_owned()),
        ("ghp_", random(36)),
        ("github_pat_", random(40)),
        ("glpat-", random(20)),
        ("xoxb-", "1234567890-abcDEF123".to_owned()),
        ("xapp-", "1-A012-345-abcdef0123456789".to_owned()),
        ("sk_live_", random(24)),
        ("rk_test_", random(24)),
        ("whsec_", random(32)),
        ("AIza", random(35)),
        ("GOCSPX-", random(28)),
        ("ya29.", random(60)),
        ("sk-", random(48)),
        ("sk-proj-", random(60)),
        ("sk-ant-", random(60)),
        ("hf_", random(34)),
        ("r8_", random(37)),
        ("gsk_", random(52)),
        ("npm_", random(36)),
        ("pypi-", random(80)),
        ("rubygems_", hex(48)),
        ("cio", random(32)),
        ("oy2", "abcdefghij234567".chars().cycle().take(43).collect()),
        ("dckr_pat_", random(27)),
        ("SG.", format!("{}.{}", random(22), random(43))),
        ("key-", hex(32)),
        ("SK", hex(32)),
        ("123456789:AA", random(33)),
        ("shpat_", hex(32)),
        ("sq0atp-", random(22)),
        ("dop_v1_", hex(64)),
        ("hvs.", random(24)),
        ("dapi", hex(32)),
        ("lin_api_", random(40)),
        ("figd_", random(43)),
        ("ATATT3", random(80)),
        ("NRAK-", random(27)),
        ("glsa_", random(41)),
        ("sntrys_", random(60)),
        ("PMAK-", format!("{}-{}", hex(24), hex(34))),
        ("AGE-SECRET-KEY-1", random(58).to_uppercase()),
    ] {
        hides("call(\"", &format!("{prefix}{rest}"), "\");");
        hides("# ", &format!("{prefix}{rest}"), "");
    }
    hides("u = ", &format!("{}-us12", hex(32)), "");
    hides("", &format!("{}.atlasv1.{}", random(14), random(64)), "");
    hides("hooks.slack.com/services/", "T01234567/B01234567/abcdefghABCDEFGH", "");
    hides("https://discord.com/api/webhooks/", &format!("123456789012345678/{}", random(60)), "");
    hides("discord.login('", &format!("M{}.{}.{}", random(24), random(6), random(30)), "')");
    hides("?sv=1&sig=", &random(44), "&se=2");
    hides("x ", &format!("abc8Q~{}", random(32)), " y");
    hides("t = '", &format!("eyJ{}.eyJ{}.{}", random(20), random(40), random(30)), "'");
}

#[test]
fn passwords_in_urls_headers_and_connection_strings_are_hidden() {
    hides("postgres://shop:", "hunter2x", "@db.local/shop");
    hides("redis://:", "pa55w0rd", "@cache:6379/0");
    hides("Authorization: Bearer ", &random(40), "");
    hides("-H 'Authorization: Basic ", "dXNlcjE6cGFzc3dvcmQy", "'");
    hides("X-Api-Key: ", &random(32), "");
    hides("Server=db;User Id=sa;Password=", "S3cur3!pw", ";Encrypt=true");
    hides("DefaultEndpointsProtocol=https;AccountKey=", &format!("{}==", random(86)), ";");
    hides("machine host login me password ", "hunter2x", "");
    hides("curl -u me:", "hunter2x", " https://x");
    hides("//registry.npmjs.org/:_authToken=", "abcd-1234-efgh", "");
}

#[test]
fn values_of_names_that_say_so_are_hidden() {
    hides("aws_secret_access_key = ", &random(40), "");
    hides("const apiKey = \"", "k3y-9f8e7d6c5b", "\";");
    hides("  \"client_secret\": \"", "Zx9!kq2#Lm", "\",");
    hides("password: '", "correct horse battery", "'");
    hides("let db_password: &str = \"", "tr0ub4dor&3", "\";");
    hides("DB_PASSWORD=", "tr0ub4dor3xQ9z", "");
    hides("export GITHUB_TOKEN=", "9f8e7d6c5b4a39281706", "");
    hides("    private_key => '", "Zx9kq2LmTr0ub4", "',");
    hides("api_token := `", "Zx9kq2LmTr0ub4", "`");
}

#[test]
fn private_keys_are_hidden_with_or_without_their_header() {
    let line = format!("{}\n", random(64));
    let body = line.repeat(6);
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\n");
    let masked = mask(&key).into_owned();
    assert!(masked.len() == key.len() && !masked.contains(&random(8)), "{masked}");
    assert_eq!(masked.lines().count(), key.lines().count());
    assert!(!mask(&body).contains(&random(8)));
    let cut = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{line}");
    assert!(!mask(&cut).contains(&random(8)));
    let public = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n";
    check(public, public);
}

#[test]
fn code_that_deals_with_secrets_is_left_alone() {
    for text in [
        "let token = lexer.next_token(kind, options);",
        "password = os.environ[\"DB_PASSWORD\"]",
        "api_key: str = Field(default=None)",
        "fn parse_token(token: &str) -> Result<SecretToken, ParseError> {",
        "if (token === 'identifier') return secretKey;",
        "const TOKEN_KIND = \"punctuation\";",
        "url = f\"https://{user}:{password}@{host}\"",
        "postgres://$USER:$PASSWORD@localhost/db",
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        "password = \"changeme123\"",
        "token = \"<your token here>\"",
        "see https://example.org:8080/path@2x.png",
        "git@github.com:owner/name.git",
        "sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        "import { AkiaList } from 'asia-map';",
        "sk-button-primary-large sk-",
        "data:image/png;base64,iVBORw0KGgo=",
        "Password=;User=x",
    ] {
        check(text, text);
    }
}

#[test]
fn the_length_and_the_lines_stay() {
    let text = format!("é = 1\r\npassword = \"größe😀{}\"\r\nß", random(9));
    let masked = mask(&text);
    assert_eq!(masked.len(), text.len());
    assert!(masked.starts_with("é = 1\r\npassword = \"****") && masked.ends_with("\"\r\nß"));
    assert_eq!(secrets("nothing here").len(), 0);
    assert_eq!(mask(""), "");
}

#[test]
fn files_that_hold_secrets_are_known_by_name() {
    for path in [
        ".env",
        ".env.local",
        "prod.env",
        "a/server.pem",
        "id_rsa",
        "id_ed25519.pub",
        "cert.crt",
        "x.p12",
        ".npmrc",
        "b/.netrc",
        "credentials",
        "credentials.json",
        "secrets.yaml",
        "app-secrets.toml",
        "service-account.json",
        "home/.ssh/config",
        "terraform.tfstate",
        "prod.tfvars",
        "release.keystore",
        ".htpasswd",
        "master.key",
    ] {
        assert!(holds_secrets(Path::new(path)), "{path}");
    }
    for path in [
        ".env.example",
        "secrets.rs",
        "src/credentials.py",
        "token.ts",
        "keys.go",
        "environment.rb",
        "password_reset.html",
        "",
    ] {
        assert!(!holds_secrets(Path::new(path)), "{path}");
    }
}
