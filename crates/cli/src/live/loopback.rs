//! The rehearsal venue as the broker of a live run.

use crate::app::BrokerContext;
use crate::config::BrokerSection;
use crate::error::{CliError, ExitKind, OrExit};
use mts_brokers::{LoopbackBroker, LoopbackConfig};
use mts_foundation::broker::DynBroker;
use mts_transport::TcpConnector;
use std::net::SocketAddr;
use std::sync::Arc;

/// The address of a section: `broker.params.address`, and nothing else.
pub(crate) fn loopback_address(section: &BrokerSection) -> Result<SocketAddr, CliError> {
    let fault = |message: String| CliError::new(ExitKind::Config, message);
    if let Some(other) = section.params.keys().find(|name| *name != "address") {
        return Err(fault(format!("broker.params.{other} is not known to loopback; it has address")));
    }
    let address = section.params.get("address").and_then(serde_json::Value::as_str).unwrap_or_default();
    address.parse().map_err(|_| {
        fault(format!(
            "broker.params.address is {address:?}; write where mts venue serve listens, such as \"127.0.0.1:7411\""
        ))
    })
}

/// The broker of a configuration.
pub(crate) fn make(context: BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> {
    let config = LoopbackConfig {
        client: format!("mts {}", std::process::id()).into(),
        ..LoopbackConfig::new(loopback_address(context.section)?)
    };
    let broker = LoopbackBroker::new(config, Arc::new(TcpConnector::default())).or_exit(ExitKind::Config)?;
    Ok(Arc::new(broker))
}
