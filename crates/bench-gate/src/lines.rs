//! Lines that a program says, which may be any bytes, and may never end.

use std::io::{BufRead as _, BufReader, ErrorKind, Read};

/// What is kept of a line: answers have some tens of kilobytes at the most.
const MOST_BYTES: usize = 1 << 20;

/// The lines read until the end, each without its line end, and cut where it is longer than anything that is worth reading.
pub fn lines(reader: impl Read) -> impl Iterator<Item = String> {
    let mut reader = BufReader::new(reader);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let mut is_there = false;
        loop {
            let buffer = match reader.fill_buf() {
                Ok([]) => break,
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            is_there = true;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            line.extend_from_slice(&part[..part.len().min(MOST_BYTES - line.len())]);
            let read = part.len() + usize::from(end.is_some());
            reader.consume(read);
            if end.is_some() {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        is_there.then(|| String::from_utf8_lossy(&line).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are() {
        let check = |bytes: &[u8], expected: &[&str]| assert_eq!(lines(bytes).collect::<Vec<_>>(), expected);
        check(b"", &[]);
        check(b"one\ntwo\r\n\nthree", &["one", "two", "", "three"]);
        check(b"\xFFa\nb\n", &["\u{FFFD}a", "b"]);
    }

    #[test]
    fn a_line_that_hardly_ends_is_cut_and_the_next_is_whole() {
        let endless = std::io::repeat(b'x').take(40 * MOST_BYTES as u64);
        let mut lines = lines(endless.chain(&b"\nnext\n"[..]));
        assert_eq!(lines.next().unwrap().len(), MOST_BYTES);
        assert_eq!(lines.next().as_deref(), Some("next"));
        assert_eq!(lines.next(), None);
    }
}
