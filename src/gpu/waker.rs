//! The thread that wakes tasks: it sleeps until the device is done, so that no executor of futures
//! has to poll.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, mpsc},
    task::Waker,
    time::Instant,
};

use super::{Gpu, faults::lock};

/// A task to be woken, and what it waits for.
pub(super) struct Request {
    pub(super) gpu: Arc<Gpu>,
    /// The submission's.
    pub(super) number: u64,
    pub(super) submission: wgpu::SubmissionIndex,
    pub(super) since: Instant,
    pub(super) waker: Waker,
}

/// A thread that begins with the first request and ends with the executor.
#[derive(Debug, Default)]
pub(super) struct WakerThread {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
}

impl WakerThread {
    /// Wakes a task once its submission is done, has failed, or takes too long.
    pub(super) fn wake(&self, request: Request) {
        let mut requests = lock(&self.requests);
        let unsent = match requests.as_ref() {
            Some(sender) => sender.send(request).err().map(|error| error.0),
            None => Some(request),
        };
        let Some(request) = unsent else { return };
        let (sender, receiver) = mpsc::channel::<Request>();
        let spawned = std::thread::Builder::new()
            .name("gpu-executor-waker".to_owned())
            .spawn(move || serve(&receiver));
        match spawned {
            Ok(_) => {
                let sent = sender.send(request);
                sent.expect("the thread listens as long as there is a sender");
                *requests = Some(sender);
            }
            // Without a thread the task polls again at once: it costs a core, but comes to its end.
            Err(_) => request.waker.wake(),
        }
    }
}

/// Wakes tasks in the order of their submissions, in which these end, whatever the order of
/// waiting.
fn serve(receiver: &mpsc::Receiver<Request>) {
    let mut waiting: Vec<Request> = Vec::new();
    loop {
        if waiting.is_empty() {
            match receiver.recv() {
                Ok(request) => waiting.push(request),
                Err(_) => return,
            }
        }
        for request in receiver.try_iter() {
            // Of a submission the last waker counts, as the contract of futures has it.
            waiting.retain(|earlier| earlier.number != request.number);
            waiting.push(request);
        }
        let first = waiting.iter().enumerate().min_by_key(|(_, request)| request.number);
        let Some((first, request)) = first else { continue };
        if request.gpu.nap(&request.submission, request.since) {
            let Request { gpu, waker, .. } = waiting.swap_remove(first);
            // A waker is a stranger's: its panic, which its thread's hook has told, should not keep
            // others asleep.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
            drop(gpu);
        }
    }
}
