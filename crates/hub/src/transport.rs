//! One HTTP request: follows redirects itself, so that the token reaches the hub and nobody else.

use std::time::Duration;

use ureq::http::{Response, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::error::Error;
use crate::settings::{Settings, Token};

const MAX_REDIRECTS: usize = 10;
/// A server that is silent for as long is taken for gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a request brought nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// May be different next time.
    Passing(String),
    Lasting(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    endpoint: String,
    origin: String,
    token: Option<Token>,
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let endpoint = settings.endpoint.clone();
        let Some((origin, host)) = origin(&endpoint) else {
            return Err(Error::Endpoint { endpoint });
        };
        // The system's certificates, as a mirror inside of a company has one that only the company knows.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("dacapo/", env!("CARGO_PKG_VERSION")))
            // Lengths and ranges count the bytes of the file, so they must come as they are.
            .accept_encoding("identity")
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE));
        if matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
            config = config.proxy(None);
        }
        let token = settings.token.clone();
        Ok(Self { agent: config.build().new_agent(), endpoint, origin, token })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether `url` is of the hub itself.
    pub(crate) fn is_own(&self, url: &str) -> bool {
        origin(url).is_some_and(|(origin, _)| origin == self.origin)
    }

    /// An answer with status 200, 206, 401, 403, 404 or 416; `start` asks for the bytes from there on.
    pub(crate) fn get(&self, url: &str, start: Option<u64>) -> Result<Response<Body>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(token) = &self.token
                && self.is_own(&url)
            {
                request = request.header(header::AUTHORIZATION, token.header());
            }
            if let Some(start) = start {
                request = request.header(header::RANGE, format!("bytes={start}-"));
            }
            let response = request.call().map_err(|error| failure(&url, &error))?;
            let status = response.status().as_u16();
            match status {
                200 | 206 | 404 | 416 => return Ok(response),
                401 | 403 if self.is_own(&url) => return Ok(response),
                // A signed address on another host that has expired: the hub gives a new one next time.
                401 | 403 | 408 | 429 | 500..=599 => {
                    return Err(Failure::Passing(format!("status {status}")));
                }
                301 | 302 | 303 | 307 | 308 => url = redirected(&url, &response)?,
                _ => return Err(Error::Status { url: without_query(&url), status }.into()),
            }
        }
        let reason = format!("more than {MAX_REDIRECTS} redirects");
        Err(Error::Request { url: without_query(&url), reason }.into())
    }
}

/// A signed address lets anyone in, so messages leave the signature out.
pub(crate) fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or(url).to_owned()
}

fn failure(url: &str, error: &ureq::Error) -> Failure {
    let reason = error.to_string();
    match error {
        // How the TLS library says that a certificate is not to be trusted, which time does not mend.
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            Error::Request { url: without_query(url), reason }.into()
        }
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => Failure::Passing(reason),
        _ => Error::Request { url: without_query(url), reason }.into(),
    }
}

fn redirected(url: &str, response: &Response<Body>) -> Result<String, Error> {
    let refuse =
        |reason: &str| Error::Request { url: without_query(url), reason: reason.to_owned() };
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refuse("a redirect to nowhere"))?;
    let next = match (location.starts_with("//"), location.starts_with('/'), scheme(url)) {
        (true, _, Some(scheme)) => format!("{scheme}:{location}"),
        (false, true, _) => {
            let (origin, _) = origin(url).ok_or_else(|| refuse("a redirect to nowhere"))?;
            format!("{origin}{location}")
        }
        _ => location.to_owned(),
    };
    match (origin(&next), scheme(url), scheme(&next)) {
        (Some(_), Some("https"), Some("http")) => {
            Err(refuse("a redirect from https to http, which would let others read along"))
        }
        (Some(_), _, _) => Ok(next),
        (None, _, _) => Err(refuse("a redirect that is no address")),
    }
}

fn scheme(url: &str) -> Option<&str> {
    url.split_once("://")
        .map(|(scheme, _)| scheme)
        .filter(|scheme| matches!(*scheme, "http" | "https"))
}

/// Scheme with host and port, and the host alone; `None` unless `url` is http or https and names no user.
fn origin(url: &str) -> Option<(String, String)> {
    let scheme = scheme(url)?;
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((format!("{scheme}://{host}:{port}"), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_origin(url: &str, expected: Option<&str>) {
        assert_eq!(origin(url).map(|(origin, _)| origin).as_deref(), expected, "{url:?}");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        check_origin("https://Hub.example/a?b", Some("https://hub.example:443"));
        check_origin("http://hub.example:81", Some("http://hub.example:81"));
        for url in ["", "hub.example", "ftp://a/", "file:///etc", "https://user:word@a/", "http://"]
        {
            check_origin(url, None);
        }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_not_asked_again() {
        let of = |kind: std::io::ErrorKind| failure("u", &ureq::Error::Io(kind.into()));
        assert!(matches!(of(std::io::ErrorKind::InvalidData), Failure::Lasting(_)));
        assert!(matches!(of(std::io::ErrorKind::ConnectionReset), Failure::Passing(_)));
    }

    #[track_caller]
    fn check_redirect(from: &str, location: &str, expected: Option<&str>) {
        let response = Response::builder().header("location", location);
        let response = response.body(Body::builder().data("")).unwrap();
        assert_eq!(redirected(from, &response).ok().as_deref(), expected);
    }

    #[test]
    fn a_redirect_leads_to_an_address_that_is_no_less_safe() {
        let from = "https://a/x/y";
        check_redirect(from, "https://b/z?k=1", Some("https://b/z?k=1"));
        check_redirect(from, "/z", Some("https://a:443/z"));
        check_redirect(from, "//b/z", Some("https://b/z"));
        check_redirect(from, "http://b/z", None);
        check_redirect(from, "file:///etc/passwd", None);
        check_redirect("http://a/", "http://b/", Some("http://b/"));
    }
}
