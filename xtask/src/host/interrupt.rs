//! Ctrl-C, so that what was begun can be cleaned up.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interruption, or a polite request to end, is noted instead of ending this process at once. Processes it started
/// get it as well and end, so that whoever waits for them goes on. A second one ends this process.
pub(crate) fn note() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // A second call in one process finds the handler in place.
    let _ = ctrlc::set_handler(handler);
}

/// Whether somebody asked to stop.
pub(crate) fn is_noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Child, Command, ExitStatus, Stdio},
        time::{Duration, Instant},
    };

    use super::*;

    const READY: &str = "waits for an interruption";

    /// What [`an_interruption_is_noted_and_the_second_one_ends_the_process`] starts as a process of its own.
    #[test]
    #[ignore = "run by the test behind it, as a process of its own, to be interrupted"]
    #[allow(clippy::print_stdout, reason = "its parent reads it")]
    fn waits() {
        note();
        println!("{READY}");
        let end = Instant::now() + Duration::from_secs(60);
        while !is_noted() {
            assert!(Instant::now() < end, "nobody interrupted");
            std::thread::sleep(Duration::from_millis(10));
        }
        println!("{READY} again");
        std::thread::sleep(Duration::from_secs(60));
    }

    #[cfg(unix)]
    fn apart(_: &mut Command) {}

    #[cfg(unix)]
    fn interrupt(child: &Child) {
        let id = child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
    }

    /// In a group of processes of its own, so that nobody else is interrupted.
    #[cfg(windows)]
    fn apart(command: &mut Command) {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
    }

    /// Ctrl-Break: Ctrl-C does not reach such a group.
    #[cfg(windows)]
    fn interrupt(child: &Child) {
        #[expect(unsafe_code, reason = "the standard library does not interrupt processes")]
        // SAFETY: the function takes two numbers and returns one.
        unsafe extern "system" {
            safe fn GenerateConsoleCtrlEvent(event: u32, group: u32) -> i32;
        }
        const CTRL_BREAK_EVENT: u32 = 1;
        let sent = GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id());
        assert_ne!(sent, 0, "{}", std::io::Error::last_os_error());
    }

    fn ended(child: &mut Child) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
                panic!("it goes on: {:?}", child.wait());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn an_interruption_is_noted_and_the_second_one_ends_the_process() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "host::interrupt::tests::waits", "--ignored", "--nocapture"]);
        apart(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut until = |text: &str| {
            let found = lines.find(|line| line.as_ref().is_ok_and(|line| line.ends_with(text)));
            assert!(found.is_some(), "it ended before it said `{text}`");
        };
        until(READY);
        interrupt(&child);
        until(&format!("{READY} again"));
        interrupt(&child);
        assert_eq!(ended(&mut child).code(), Some(130));
    }
}
