//! What kubelet is told: CRI's list of images, asked for over its own protocol.
//! It is separate because it needs messages that nothing else here speaks, and a daemon with CRI.

use std::time::{Duration, Instant};

use containerd_client::tonic::Request;
use containerd_client::tonic::client::Grpc;
use tonic_prost::ProstCodec;

use super::Stage;
use crate::support::generations::{Daemon, Generation};
use crate::support::machine::run::TICK;

/// CRI is ready long before.
const LIMIT: Duration = Duration::from_secs(60);

/// `runtime.v1.ListImagesRequest` (kubernetes/cri-api, api.proto), without a filter.
#[derive(Clone, PartialEq, prost::Message)]
struct ListImages {}

/// `runtime.v1.ListImagesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Listed {
    #[prost(message, repeated, tag = "1")]
    images: Vec<Seen>,
}

/// `runtime.v1.Image`, as far as it is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Seen {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "2")]
    tags: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    digests: Vec<String>,
    #[prost(uint64, tag = "4")]
    size: u64,
    #[prost(bool, tag = "8")]
    pinned: bool,
}

/// Asks until CRI has looked through the store, which it does after it answers.
async fn ask(daemon: &Daemon) -> Vec<Seen> {
    let channel = containerd_client::connect(daemon.socket()).await.unwrap();
    let mut client = Grpc::new(channel);
    let start = Instant::now();
    loop {
        client.ready().await.unwrap();
        let path = "/runtime.v1.ImageService/ListImages".parse().unwrap();
        let codec: ProstCodec<ListImages, Listed> = ProstCodec::default();
        match client.unary(Request::new(ListImages {}), path, codec).await {
            Ok(answer) => return answer.into_inner().images,
            Err(status) => {
                let early = status.message().contains("not initialized yet");
                assert!(
                    early && start.elapsed() < LIMIT,
                    "{status}\n{}",
                    daemon.log()
                );
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

fn listed(daemon: &Daemon) -> Vec<Seen> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(ask(daemon))
}

#[test]
fn kubelet_finds_every_image_by_tag_and_digest_and_never_collects_one() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        let daemon = stage.daemon(true);
        let seen = listed(&daemon);
        assert_eq!(seen.len(), stage.images.len(), "{seen:#?}");
        for image in &stage.images {
            let [tag, digest, id] = stage.names(image);
            let found = seen.iter().find(|seen| seen.id == id);
            let found = found.unwrap_or_else(|| panic!("no {tag}: {seen:#?}\n{}", daemon.log()));
            assert_eq!(found.tags, [tag]);
            assert_eq!(found.digests, [digest]);
            assert!(found.size > 0);
            // 1.6.20 is older than the feature; its records have the label all the same.
            assert_eq!(found.pinned, generation != Generation::V16, "{found:?}");
        }
        daemon.stop().unwrap();
    }
}
