//! What a check probes, as people write it.

use crate::domain::HealthCheck;
use crate::error::Error;
use crate::ops::check;
use crate::ports::Endpoint;

/// `host:port`, `[address]:port`, or a host alone, whose port is 443.
///
/// # Errors
/// A field error that says how to write it.
pub(crate) fn endpoint(text: &str) -> Result<Endpoint, Error> {
    let wrong = |why: &str| {
        let detail = format!("{why}; write it as host:port, such as shop.example:443 or [2001:db8::1]:8443");
        Error::invalid_field("/endpoint", "bad_endpoint", detail)
    };
    if text.is_empty() {
        return Err(Error::invalid_field("/endpoint", "required", "say what to probe, such as shop.example:443"));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(|| wrong("it has no port"))?)),
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => 443,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 && !port_is_odd(text) => port,
            _ => return Err(wrong("its port is no number from 1 to 65535")),
        },
    };
    let address = host.parse::<std::net::IpAddr>().is_ok();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label);
    if !address && !name {
        return Err(wrong("its host is no name and no address"));
    }
    Ok(Endpoint { host: host.to_owned(), port })
}

/// A sign before a port reads as a number, and is none.
fn port_is_odd(text: &str) -> bool {
    text.rsplit(':').next().is_some_and(|port| port.starts_with('+'))
}

/// Times and thresholds that make sense together.
pub(super) fn bounds(health: &HealthCheck) -> Result<(), Error> {
    check::within("/check_interval_seconds", health.check_interval_seconds, 30..=86_400 * 7)?;
    check::within("/timeout_ms", health.timeout_ms, 100..=60_000)?;
    check::within("/degraded_threshold", health.degraded_threshold, 1..=1_000)?;
    check::within("/down_threshold", health.down_threshold, 1..=1_000)?;
    if health.down_threshold < health.degraded_threshold {
        let detail = format!("it is below degraded_threshold, which is {}", health.degraded_threshold);
        return Err(Error::invalid_field("/down_threshold", "out_of_range", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_hosts_with_ports() {
        let read = |text: &str| endpoint(text).ok().map(|endpoint| endpoint.to_string());
        for (text, is) in [
            ("shop.example:8443", "shop.example:8443"),
            ("shop.example", "shop.example:443"),
            ("192.0.2.7:443", "192.0.2.7:443"),
            ("[2001:db8::1]:8443", "[2001:db8::1]:8443"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("intern_1:9443", "intern_1:9443"),
        ] {
            assert_eq!(read(text).as_deref(), Some(is), "{text}");
        }
        let long = format!("{}.example:443", "a".repeat(64));
        for bad in [
            "",
            "shop.example:0",
            "shop.example:65536",
            "shop.example:+443",
            "shop.example:",
            "https://shop.example",
            ":443",
            "a b:443",
            "[2001:db8::1]443",
            "-a:443",
            "ä.example:443",
            "a..b:443",
            &long,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
