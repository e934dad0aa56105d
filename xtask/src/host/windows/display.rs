//! A display that nobody sees: without one Wine has no window station, and so no adapter.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::error::Error;

/// A display, there until it is dropped.
#[derive(Debug)]
pub(crate) struct Display {
    server: Child,
    /// As `DISPLAY` wants it.
    pub(crate) name: String,
}

impl Display {
    /// Starts a server on a display that is free.
    pub(crate) fn start() -> Result<Self, Error> {
        let failed = |what: &str| Error::Failed(format!("cannot start Xvfb (package xvfb): {what}"));
        // The server ends with this process, however that ends.
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "Xvfb", "-displayfd", "1", "-nolisten", "tcp"])
            .args(["-screen", "0", "640x480x24"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let stdout = server.stdout.take().expect("standard output is piped");
        let mut number = String::new();
        let read = BufReader::new(stdout).read_line(&mut number);
        let mut display = Self {
            server,
            name: String::new(),
        };
        match read {
            Ok(_) if number.trim().parse::<u32>().is_ok() => display.name = format!(":{}", number.trim()),
            Ok(_) => return Err(failed("it says no number of a display")),
            Err(error) => return Err(failed(&error.to_string())),
        }
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
