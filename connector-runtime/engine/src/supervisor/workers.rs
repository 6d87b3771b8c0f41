//! The threads that run the plugins of one connector.

use std::future::Future;

use connect_api::Cause;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::control::TaskEnd;

/// Each connector has its own: a plugin that never returns its thread blocks only its own connector (P6).
pub(crate) struct Workers(Option<Runtime>);

impl Workers {
    pub(crate) fn new(connector: &str, tasks: u32) -> Result<Workers, Cause> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(tasks.max(1) as usize)
            .thread_name(format!("work-{connector}"))
            .enable_all()
            .build()
            .map_err(|error| Cause::new(format!("no worker threads: {error}")))?;
        Ok(Workers(Some(runtime)))
    }

    pub(crate) fn spawn(
        &self,
        tasks: &mut JoinSet<TaskEnd>,
        task: impl Future<Output = TaskEnd> + Send + 'static,
    ) {
        if let Some(runtime) = &self.0 {
            tasks.spawn_on(task, runtime.handle());
        }
    }
}

impl Drop for Workers {
    /// Does not wait: a thread that does not return is left behind.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
