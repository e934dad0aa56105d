//! Ctrl-C, so that what was begun can be cleaned up.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interruption, or a polite request to end, is noted instead of ending this process at once. Processes it started
/// get it as well and end, so that whoever waits for them goes on. A second one ends this process.
pub fn note() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // A second call in one process finds the handler in place.
    let _ = ctrlc::set_handler(handler);
}

/// Whether somebody asked to stop.
pub fn is_noted() -> bool {
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
    fn interrupt(child: &Child) {
        let id = child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
    }

    #[cfg(windows)]
    #[expect(unsafe_code, reason = "the standard library knows nothing of consoles")]
    // SAFETY: the functions take numbers and return one; no handler is given.
    unsafe extern "system" {
        safe fn GenerateConsoleCtrlEvent(event: u32, group: u32) -> i32;
        safe fn SetConsoleCtrlHandler(handler: usize, ignore: i32) -> i32;
    }

    /// Ctrl-C, for everyone at this console but this process.
    #[cfg(windows)]
    fn interrupt(_: &Child) {
        const CTRL_C_EVENT: u32 = 0;
        SetConsoleCtrlHandler(0, 1);
        let sent = GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
        assert_ne!(sent, 0, "{}", std::io::Error::last_os_error());
    }

    /// Runs the test once more, at a console of its own, where nobody else is interrupted. `false` if this is that run.
    #[cfg(windows)]
    fn at_another_console(test: &str) -> bool {
        const CREATE_NEW_CONSOLE: u32 = 0x10;
        const THERE: &str = "XTASK_TEST_AT_ITS_CONSOLE";
        if std::env::var_os(THERE).is_some() {
            // Whoever ignores Ctrl-C has children that do.
            SetConsoleCtrlHandler(0, 0);
            return false;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(THERE, "1");
        let output = std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NEW_CONSOLE)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{}\n{text}{errors}",
            output.status
        );
        true
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
        #[cfg(windows)]
        if at_another_console("interrupt::tests::an_interruption_is_noted_and_the_second_one_ends_the_process") {
            return;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "interrupt::tests::waits", "--ignored", "--nocapture"]);
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
