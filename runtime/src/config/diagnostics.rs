//! `[diagnostics]`: how the run says how it is doing.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// `[diagnostics]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosticsConfig {
    /// Publish it on `/diagnostics`.
    pub publish: bool,
    /// Address of the page for Prometheus; empty: none.
    pub prometheus: String,
    /// Whether other computers may read that page.
    pub prometheus_remote: bool,
}

impl DiagnosticsConfig {
    pub(super) fn validate(&self) -> Result<(), Error> {
        self.address().map(drop)
    }

    /// Address of the page for Prometheus, if there is to be one.
    ///
    /// # Errors
    /// If it is none, or one that other computers can reach although they may not.
    pub fn address(&self) -> Result<Option<SocketAddr>, Error> {
        if self.prometheus.is_empty() {
            return Ok(None);
        }
        let wrong = |expected: &str| Error::ConfigValue {
            key: "diagnostics.prometheus".to_owned(),
            found: format!("\"{}\"", self.prometheus),
            expected: expected.to_owned(),
        };
        let address: SocketAddr = self
            .prometheus
            .parse()
            .map_err(|_| wrong("an address and a port, such as \"127.0.0.1:9464\", or \"\" for no page"))?;
        if !address.ip().is_loopback() && !self.prometheus_remote {
            return Err(wrong(
                "an address of this computer only, such as \"127.0.0.1:9464\"; others could read the page: \
                 `diagnostics.prometheus_remote = true` allows it",
            ));
        }
        Ok(Some(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_read_the_page_only_where_that_was_allowed() {
        let address = |prometheus: &str, prometheus_remote| {
            let config =
                DiagnosticsConfig { publish: true, prometheus: prometheus.to_owned(), prometheus_remote };
            config.address().map_err(|error| error.to_string())
        };
        assert_eq!(address("", false), Ok(None));
        for local in ["127.0.0.1:9464", "[::1]:9464", "127.3.2.1:0"] {
            assert_eq!(address(local, false), Ok(Some(local.parse().unwrap())));
        }
        for remote in ["0.0.0.0:9464", "[::]:9464", "192.168.10.2:9464"] {
            let refusal = address(remote, false).unwrap_err();
            assert!(refusal.contains(remote) && refusal.contains("prometheus_remote"), "{refusal}");
            assert!(address(remote, true).unwrap().is_some());
        }
        for wrong in ["localhost", "9464", "127.0.0.1", "localhost:9464"] {
            assert!(address(wrong, true).unwrap_err().contains("diagnostics.prometheus"), "{wrong}");
        }
    }
}
