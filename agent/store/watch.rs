//! What a fill tells, handed on to a meter: layers as pieces, images and mishaps as lines.
//! It is separate because `image` and `bake` watch the same work.

use super::{Event, Progress};
use crate::host::meter::Meter;

/// A meter that follows a fill.
pub struct Watched<'a>(pub &'a dyn Meter);

impl std::fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Progress for Watched<'_> {
    fn event(&self, event: &Event<'_>) {
        let meter = self.0;
        match event {
            Event::Phase(phase) => tracing::debug!("phase {}", phase.word()),
            Event::Planned { layers, bytes, .. } => meter.total(*layers, *bytes),
            Event::LayerBegun { layer, size, .. } => meter.begin(layer.short(), *size),
            Event::LayerBytes { layer, bytes } => meter.more(layer.short(), *bytes),
            Event::LayerAgain {
                layer,
                bytes,
                failure,
            } => {
                meter.less(layer.short(), *bytes);
                meter.say(&format!("again {}: {failure}", layer.short()));
            }
            Event::LayerDone { layer } => meter.end(layer.short()),
            Event::LayerFailed { layer, failure } => {
                meter.end(layer.short());
                tracing::debug!("layer {layer}: {failure}");
            }
            Event::ImageDone { image } => meter.say(&format!("done {image}")),
            Event::ImageFailed { image, failure } => {
                meter.say(&format!(
                    "failed {image}: {}: {}",
                    failure.class,
                    failure.error.one_line()
                ));
            }
            Event::Mended { what } => meter.say(&format!("mended: {what}")),
        }
    }
}
