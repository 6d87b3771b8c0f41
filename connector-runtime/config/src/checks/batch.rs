//! `[batch]`: the sizes are not zero, and the largest batches fit into `in_flight`.

use connect_api::Size;
use serde_json::Value as Json;

use super::Checks;
use crate::batch::BatchConfig;
use crate::codes;
use crate::inherited;

impl Checks<'_> {
    pub(super) fn batch(&mut self) {
        for key in ["max_bytes", "in_flight"] {
            let pointer = format!("/batch/{key}");
            let size = self.root.pointer(&pointer).and_then(Json::as_str);
            let size = size.and_then(|text| Size::parse(text).ok());
            if size.is_some_and(|size| size.bytes() == 0) {
                let message = format!("`batch.{key}` is zero: nothing could be read");
                let finding = codes::OUT_OF_RANGE.error(pointer, message);
                self.file
                    .add(finding.with_label("expected a size such as \"4MiB\""));
                return;
            }
        }
        let table = inherited::batch(self.root, self.loading);
        let Some(batch) = self.typed::<BatchConfig>("/batch", &table) else {
            return;
        };
        if batch.fits_in_flight() {
            return;
        }
        let written = ["/batch/max_bytes", "/batch/in_flight"];
        let pointer = written.into_iter().find(|pointer| self.has(pointer));
        let (max_bytes, in_flight) = (batch.max_bytes, batch.in_flight);
        let message = format!("batches of {max_bytes} do not fit into {in_flight} in flight");
        let smallest = batch.smallest_in_flight();
        self.file.add(
            codes::BATCH_MEMORY
                .error(pointer.unwrap_or("/batch"), message)
                .with_label("`max_bytes` may be at most a sixth of `in_flight`")
                .with_help(format!(
                    "write in_flight = \"{smallest}\", or smaller batches"
                )),
        );
    }
}
