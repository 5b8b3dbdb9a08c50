//! What secrets look like: one rule a kind, after the formats that their issuers document.

use std::ops::Range;

use crate::secrets::entropy::{is_random, is_secret_value};

/// A kind of secret; a line at a time is searched.
pub(super) struct Rule {
    /// For tests and logs.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people and tests"))]
    pub(super) name: &'static str,
    /// A line is searched only if it holds one of these, in any case.
    pub(super) keywords: &'static [&'static str],
    /// The first group is the secret; the whole match where there is no group.
    pub(super) pattern: &'static str,
    /// The last word on what matched.
    pub(super) accept: fn(&str) -> bool,
}

const fn rule(
    name: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
) -> Rule {
    Rule { name, keywords, pattern, accept: |_| true }
}

const fn rule_if(
    name: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    accept: fn(&str) -> bool,
) -> Rule {
    Rule { name, keywords, pattern, accept }
}

/// What names of variables with secrets have in them.
const SECRET_NAMES: &[&str] = &[
    "secret",
    "passw",
    "pwd",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "credential",
    "auth_key",
    "authkey",
    "encryption_key",
    "signing_key",
    "client_key",
    "passphrase",
];

pub(super) const RULES: &[Rule] = &[
    rule(
        "AWS access key id",
        &["akia", "asia", "abia", "acca"],
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
    ),
    rule_if(
        "AWS secret access key",
        &["aws", "secret_access_key", "secretaccesskey"],
        r#"(?i)(?:aws|secret_?access_?key)[a-z_ .-]{0,30}["']?\s*(?:=>|:=|[:=,(])\s*["'`]?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
        is_random,
    ),
    rule(
        "GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{20,255})",
    ),
    rule("GitHub fine-grained token", &["github_pat_"], r"\b(github_pat_[A-Za-z0-9_]{22,255})"),
    rule(
        "GitLab token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-", "glagent-"],
        r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent)-[A-Za-z0-9_.-]{20,300})",
    ),
    rule("Slack token", &["xox"], r"\b(xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250})"),
    rule("Slack app token", &["xapp-"], r"\b(xapp-[0-9]-[A-Za-z0-9-]{20,250})"),
    rule(
        "Slack webhook",
        &["hooks.slack.com"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/_-]{20,120})",
    ),
    rule(
        "Discord webhook",
        &["discord.com/api/webhooks", "discordapp.com/api/webhooks"],
        r"discord(?:app)?\.com/api/webhooks/([0-9]{15,20}/[A-Za-z0-9_-]{40,90})",
    ),
    rule(
        "Discord bot token",
        &["discord", "bot "],
        r"\b([MNO][A-Za-z0-9_-]{23,26}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})",
    ),
    rule(
        "Stripe key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
        r"\b((?:(?:sk|rk)_(?:live|test)|whsec)_[A-Za-z0-9+/=]{10,250})",
    ),
    rule("Google API key", &["aiza"], r"\b(AIza[A-Za-z0-9_-]{35})"),
    rule("Google OAuth client secret", &["gocspx-"], r"\b(GOCSPX-[A-Za-z0-9_-]{28})"),
    rule("Google OAuth access token", &["ya29."], r"\b(ya29\.[A-Za-z0-9_.-]{20,500})"),
    rule_if(
        "OpenAI-style key",
        &["sk-"],
        r"\b(sk-(?:proj-|svcacct-|admin-|ant-|or-v1-|lf-)?[A-Za-z0-9_-]{20,250})",
        is_random,
    ),
    rule("Hugging Face token", &["hf_", "api_org_"], r"\b((?:hf|api_org)_[A-Za-z0-9]{30,60})\b"),
    rule("Replicate token", &["r8_"], r"\b(r8_[A-Za-z0-9]{36,40})\b"),
    rule(
        "Groq, xAI or Perplexity key",
        &["gsk_", "xai-", "pplx-"],
        r"\b((?:gsk_|xai-|pplx-)[A-Za-z0-9]{40,100})\b",
    ),
    rule("npm token", &["npm_"], r"\b(npm_[A-Za-z0-9]{36})\b"),
    rule(
        "npm registry password",
        &["_authtoken", "_password", "_auth"],
        r"(?i)_(?:authtoken|password|auth)\s*=\s*([^\s$]{6,})",
    ),
    rule("PyPI token", &["pypi-"], r"\b(pypi-[A-Za-z0-9_-]{50,500})"),
    rule("RubyGems key", &["rubygems_"], r"\b(rubygems_[a-f0-9]{48})\b"),
    rule_if("crates.io token", &["cio"], r"\b(cio[A-Za-z0-9]{32})\b", is_random),
    rule("NuGet key", &["oy2"], r"\b(oy2[a-z0-9]{43})\b"),
    rule("Docker Hub token", &["dckr_pat_", "dckr_oat_"], r"\b(dckr_[po]at_[A-Za-z0-9_-]{20,60})"),
    rule("SendGrid key", &["sg."], r"\b(SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64})"),
    rule("Mailgun key", &["key-"], r"\b(key-[a-f0-9]{32})\b"),
    rule("Mailchimp key", &["-us"], r"\b([a-f0-9]{32}-us[0-9]{1,2})\b"),
    rule(
        "Twilio key",
        &[
            "sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb",
            "skc", "skd", "ske", "skf",
        ],
        r"\b(SK[a-f0-9]{32})\b",
    ),
    rule("Telegram bot token", &[":aa"], r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{32,34})"),
    rule(
        "Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})\b",
    ),
    rule(
        "Square token",
        &["sq0", "eaaa"],
        r"\b(sq0[a-z]{3}-[A-Za-z0-9_-]{22,60}|EAAA[A-Za-z0-9_-]{60})",
    ),
    rule(
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[a-f0-9]{64})\b",
    ),
    rule("Heroku key", &["hrku-"], r"\b(HRKU-[A-Za-z0-9_-]{36,60})"),
    rule("HashiCorp Vault token", &["hvs.", "hvb.", "hvr."], r"\b(hv[sbr]\.[A-Za-z0-9_-]{20,300})"),
    rule(
        "Terraform Cloud token",
        &[".atlasv1."],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})",
    ),
    rule("Databricks token", &["dapi"], r"\b(dapi[a-f0-9]{32}(?:-[0-9])?)\b"),
    rule(
        "Linear, Notion, Figma or Airtable token",
        &["lin_api_", "secret_", "ntn_", "figd_", "airtable"],
        r"\b(lin_api_[A-Za-z0-9]{40}|secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,50}|figd_[A-Za-z0-9_-]{40,50}|pat[A-Za-z0-9]{14}\.[a-f0-9]{64})",
    ),
    rule("Atlassian token", &["atatt3"], r"\b(ATATT3[A-Za-z0-9_=-]{60,250})"),
    rule(
        "New Relic key",
        &["nrak-", "nrjs-", "nraa-", "nrii-"],
        r"\b(NR(?:AK|JS|AA|II)-[A-Za-z0-9_-]{19,40})",
    ),
    rule("Grafana token", &["glsa_", "glc_"], r"\b(gl(?:sa|c)_[A-Za-z0-9+/_=]{32,400})"),
    rule("Sentry token", &["sntrys_", "sntryu_"], r"\b(sntry[su]_[A-Za-z0-9+/_=]{40,400})"),
    rule(
        "Doppler, Postman, PlanetScale or Supabase token",
        &["dp.pt.", "pmak-", "pscale_", "sbp_"],
        r"\b(dp\.pt\.[A-Za-z0-9]{40,45}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}|sbp_[a-f0-9]{40})",
    ),
    rule(
        "Azure storage key",
        &["accountkey=", "sharedaccesskey="],
        r"(?i)(?:account|sharedaccess)key=([A-Za-z0-9+/]{40,90}={0,2})",
    ),
    rule("Azure shared access signature", &["sig="], r"[?&;]sig=([A-Za-z0-9%+/=]{40,120})"),
    rule("Azure client secret", &["q~"], r"\b([A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34})"),
    rule("age secret key", &["age-secret-key-"], r"(?i)\b(AGE-SECRET-KEY-1[A-Z0-9]{58})\b"),
    rule(
        "JSON web token",
        &["eyj"],
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?)",
    ),
    rule_if(
        "password in a URL",
        &["://"],
        r"[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@'\x22<>]*:([^\s/@'\x22<>]{3,200})@",
        is_written_out,
    ),
    rule_if(
        "bearer token",
        &["bearer "],
        r"(?i)\bbearer\s+([A-Za-z0-9_.~+/=-]{16,1000})",
        is_random,
    ),
    rule_if(
        "basic authorization",
        &["basic "],
        r"(?i)\bbasic\s+([A-Za-z0-9+/]{12,400}={0,2})",
        is_random,
    ),
    rule_if(
        "API key header",
        &["x-api-key", "x-auth-token", "api-key"],
        r#"(?i)(?:x-)?(?:api-key|auth-token)["']?\s*[:=,]\s*["']?([A-Za-z0-9_.~+/=-]{12,400})"#,
        is_random,
    ),
    rule_if(
        "password in a connection string",
        &["password=", "pwd="],
        r#"(?i)\b(?:password|pwd)=([^;\s"'&]{3,200})[;&"']"#,
        is_written_out,
    ),
    rule_if(
        "password of a netrc",
        &["password "],
        r"(?im)\b(?:login|machine)\s+\S+\s+password\s+(\S{3,200})",
        is_written_out,
    ),
    rule_if(
        "password of a command line",
        &["curl", "sshpass"],
        r#"(?i)(?:curl\b.*?\s(?:-u|--user)[ =]["']?[^\s:"']+:|sshpass\s+-p\s*)["']?([^\s"'$]{3,200})"#,
        is_written_out,
    ),
    rule_if(
        "value of a name that says it is a password",
        &["secret", "passw", "pwd", "passphrase"],
        r#"(?i)(?:secret|passw(?:or)?d|passphrase|pwd)["'\]]{0,2}\s*(?::\s*&?[a-z_]+\s*)?(?:=>|:=|=|:|,)\s*(?:[rbuf]{0,2}|@|Some\(|String::from\()["'`]([^"'`\n]{8,400})["'`]"#,
        is_secret_value,
    ),
    rule_if(
        "value of a name that says it is a key",
        SECRET_NAMES,
        r#"(?i)(?:secret|passw(?:or)?d|passphrase|pwd|token|(?:api|access|auth|client|private|encryption|signing)[_-]?key|credentials?)[a-z0-9_]{0,24}["'\]]{0,2}\s*(?::\s*&?[a-z_]+\s*)?(?:=>|:=|=|:|,)\s*(?:[rbuf]{0,2}|@|Some\(|String::from\()["'`]([^"'`\s]{8,400})["'`]"#,
        |value| is_secret_value(value) && is_random(value),
    ),
    rule_if(
        "value of a variable that says it is secret",
        SECRET_NAMES,
        r"(?im)^\s*(?:export\s+|set\s+|ENV\s+|-\s+)?[A-Za-z0-9_.-]*(?:secret|passw(?:or)?d|passphrase|pwd|token|api_?key|access_?key|private_?key|credentials?)[A-Za-z0-9_.-]{0,24}\s*[=:]\s*([^\s\x22'`#(){}\[\];,<>]{8,400})\s*(?:#.*)?$",
        |value| is_secret_value(value) && is_random(value),
    ),
];

/// No variable of a template.
fn is_written_out(value: &str) -> bool {
    let is_template = value.starts_with(['$', '{', '<', '%', '*'])
        || value.contains("${")
        || value.contains("{{");
    !is_template
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "password" | "pass" | "pw" | "pwd" | "xxx"
        )
}

/// Private keys between their armour, and runs of lines that are base64 alone: a key whose header is not in sight.
pub(super) fn key_blocks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut block: Option<usize> = None;
    let mut run: Option<(usize, usize)> = None;
    let mut start = 0;
    let has_armour = text.contains("-----BEGIN");
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if has_armour
            && block.is_none()
            && line.contains("-----BEGIN")
            && line.contains("PRIVATE KEY")
        {
            block = Some(start);
        }
        if let Some(block_start) = block
            && (line.contains("-----END") || 16_384 < end - block_start)
        {
            found.push(block_start..end);
            block = None;
        }
        // Not many lines are long enough, and the armour is looked for in all of them.
        let is_base64 = 60 <= line.len() && is_base64_line(line);
        run = match run {
            Some((run_start, n)) if is_base64 => Some((run_start, n + 1)),
            None if is_base64 => Some((start, 1)),
            Some((run_start, n)) => {
                // The last line of a key is shorter.
                if 4 <= n {
                    found.push(run_start..start);
                }
                None
            }
            None => None,
        };
        start = end;
    }
    if let Some(block_start) = block {
        found.push(block_start..text.len());
    }
    if let Some((run_start, n)) = run
        && 4 <= n
    {
        found.push(run_start..text.len());
    }
    found
}

fn is_base64_line(line: &str) -> bool {
    let line = line.trim().trim_matches(['"', '\'', ',', '+', '\\', ' ']);
    let line = line.strip_suffix("\\n").unwrap_or(line);
    (60..=80).contains(&line.len())
        && line
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        && is_random(line)
}
