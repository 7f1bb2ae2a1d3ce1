//! What a daemon is, as its own introspection tells it.
//! It is separate because the rule when to trust the store's directories stands here.
//!
//! The sharing policy is an export of the metadata plugin, in 1.6.20, 1.7.24 and 2.1.9 alike. A daemon that exports none
//! is taken for one that does not share: its blobs are sent, which is slow and always right.

use containerd_client::services::v1::{Plugin, PluginsRequest};

use super::Client;
use super::call::RECORD;
use crate::error::{Error, Result};
use crate::host::containerd::Facts;

/// The type of snapshotters, those of other processes included.
const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1";

pub(super) fn facts(client: &Client) -> Result<Facts> {
    let version = client
        .ask(RECORD, client.version_service().version(client.request(())))
        .map_err(|status| client.failed("ask for the version", &status))?;
    let request = client.request(PluginsRequest::default());
    let plugins = client
        .ask(RECORD, client.introspection().plugins(request))
        .map_err(|status| client.failed("ask for the plugins", &status))?
        .into_inner()
        .plugins;
    let told = |kind: &str, id: &str, what: &str| usable(&plugins, kind, id)?.exports.get(what);
    let Some(content) = told("io.containerd.content.v1", "content", "root") else {
        let socket = client.socket.display();
        return Err(
            Error::host(format!("find the content store of containerd at {socket}"))
                .because("it exports no directory")
                .hint("enable its plugin io.containerd.content.v1.content"),
        );
    };
    let policy = told("io.containerd.metadata.v1", "bolt", "policy");
    let snapshotter = usable(&plugins, SNAPSHOTTER, client.snapshotter.as_str());
    let root = snapshotter.and_then(|plugin| plugin.exports.get("root"));
    Ok(Facts {
        version: version.into_inner().version,
        content: content.into(),
        snapshots: snapshotter.is_some(),
        overlayfs: root
            .filter(|_| client.snapshotter.is_overlayfs())
            .map(Into::into),
        shares_content: policy.is_some_and(|policy| policy == "shared"),
    })
}

/// A plugin that was loaded; one that was not says why in the log.
fn usable<'p>(plugins: &'p [Plugin], kind: &str, id: &str) -> Option<&'p Plugin> {
    let plugin = plugins.iter().find(|p| p.r#type == kind && p.id == id)?;
    match &plugin.init_err {
        None => Some(plugin),
        Some(why) => {
            tracing::warn!("containerd's {kind} {id} is not usable: {}", why.message);
            None
        }
    }
}
