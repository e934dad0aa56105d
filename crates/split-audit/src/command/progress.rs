//! What an audit is doing, on standard error, where it takes longer than two seconds.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The first line comes after this long, the next ones as long after each other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Dropping it ends the lines.
pub(super) struct Progress {
    /// What for, and what.
    doing: Arc<Mutex<(String, String)>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn start() -> Self {
        let doing = Arc::new(Mutex::new((String::new(), "reading the workspace".to_owned())));
        let (end, ended) = channel();
        let shown = Arc::clone(&doing);
        let thread = std::thread::spawn(move || tell(&shown, &ended));
        Self {
            doing,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// What the next steps are for.
    pub(super) fn task(&self, task: String) {
        self.doing.lock().expect("no thread panics while it holds the lock").0 = task + ": ";
    }

    /// What is being done from here on.
    pub(super) fn step(&self, step: String) {
        self.doing.lock().expect("no thread panics while it holds the lock").1 = step;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say of its own.
            let _ = thread.join();
        }
    }
}

fn tell(doing: &Mutex<(String, String)>, ended: &Receiver<()>) {
    let started = Instant::now();
    while ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        let (task, step) = doing.lock().expect("no thread panics while it holds the lock").clone();
        anstream::eprintln!("split-audit: {} s: {task}{step}", started.elapsed().as_secs());
    }
}
