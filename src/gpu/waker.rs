//! The thread that wakes tasks: it sleeps until the device is done, so that no executor of futures has to look.

use std::{
    sync::{Arc, Mutex, mpsc},
    task::Waker,
};

use super::{Gpu, faults::lock};

/// A task to be woken, and what it waits for.
struct Request {
    gpu: Arc<Gpu>,
    submission: wgpu::SubmissionIndex,
    waker: Waker,
}

/// A thread that begins with the first request and ends with the executor.
#[derive(Debug, Default)]
pub(super) struct WakerThread {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
}

impl WakerThread {
    /// Wakes a task once a submission is done or has failed.
    pub(super) fn wake(&self, gpu: &Arc<Gpu>, submission: wgpu::SubmissionIndex, waker: Waker) {
        let request = Request {
            gpu: Arc::clone(gpu),
            submission,
            waker,
        };
        let mut requests = lock(&self.requests);
        let unsent = match requests.as_ref() {
            Some(sender) => sender.send(request).err().map(|error| error.0),
            None => Some(request),
        };
        let Some(request) = unsent else { return };
        let (sender, receiver) = mpsc::channel::<Request>();
        let spawned = std::thread::Builder::new()
            .name("gpu-executor-waker".to_owned())
            .spawn(move || {
                for request in receiver {
                    request.gpu.sleep(&request.submission);
                    request.waker.wake();
                }
            });
        match spawned {
            Ok(_) => {
                let sent = sender.send(request);
                sent.expect("the thread listens as long as there is a sender");
                *requests = Some(sender);
            }
            // Without a thread the task looks again at once: it costs a core, but comes to its end.
            Err(_) => request.waker.wake(),
        }
    }
}
