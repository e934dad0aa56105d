//! Threshold scans as files: `size,device,duration_ms,first,backend_mask_hint`.

/// The columns, in order.
pub(crate) const HEADER: &str = "size,device,duration_ms,first,backend_mask_hint";

/// A scan of one backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scan {
    pub(crate) backend: String,
    /// Whole milliseconds by size, in the order of the file.
    pub(crate) cpu_ms: Vec<(u64, u64)>,
    pub(crate) gpu_ms: Vec<(u64, u64)>,
}

impl Scan {
    /// Reads a scan.
    ///
    /// # Errors
    /// The line at fault, counted from 1, and what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, (u64, String)> {
        // Windows writes a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let at = |error: &csv::Error| (error.position().map_or(1, csv::Position::line), error.to_string());
        let headers = reader
            .headers()
            .map_err(|error| at(&error))?
            .iter()
            .collect::<Vec<_>>()
            .join(",");
        if headers != HEADER {
            return Err((1, format!("the columns are `{headers}`, those of a scan `{HEADER}`")));
        }
        let mut scan = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| at(&error))?;
            let line = record.position().map_or(1, csv::Position::line);
            let field = |number: usize| record.get(number).unwrap_or_default();
            let whole = |number: usize, name: &str| -> Result<u64, (u64, String)> {
                let wrong = || (line, format!("`{name}` is not an integer: \"{}\"", field(number)));
                field(number).parse().map_err(|_| wrong())
            };
            let (size, ms) = (whole(0, "size")?, whole(2, "duration_ms")?);
            let backend = field(4);
            if !scan.backend.is_empty() && scan.backend != backend {
                return Err((
                    line,
                    format!("a second backend, `{backend}`, in the scan of `{}`", scan.backend),
                ));
            }
            if backend.is_empty() {
                return Err((line, "`backend_mask_hint` is empty".to_owned()));
            }
            scan.backend = backend.to_owned();
            let times = match field(1) {
                "Cpu" => &mut scan.cpu_ms,
                "Gpu" => &mut scan.gpu_ms,
                other => return Err((line, format!("`device` is neither Cpu nor Gpu: \"{other}\""))),
            };
            if times.iter().any(|(known, _)| *known == size) {
                return Err((line, format!("second time of {} at {size}", field(1))));
            }
            times.push((size, ms));
        }
        if scan.gpu_ms.is_empty() {
            return Err((1, "no time of a Gpu".to_owned()));
        }
        Ok(scan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scan of the seed, word by word.
    const SEED: &str = "\
size,device,duration_ms,first,backend_mask_hint
20000,Cpu,0,0,dx12
20000,Gpu,13,0,dx12
50000,Cpu,0,0,dx12
50000,Gpu,4,0,dx12
100000,Cpu,0,0,dx12
100000,Gpu,1,0,dx12
250000,Cpu,0,0,dx12
250000,Gpu,2,0,dx12
500000,Cpu,0,0,dx12
500000,Gpu,2,0,dx12
1000000,Cpu,1,0,dx12
1000000,Gpu,4,0,dx12
";

    #[test]
    fn the_seeds_scan_is_read_with_either_line_end() {
        let windows = format!("\u{feff}{}", SEED.replace('\n', "\r\n"));
        for text in [SEED, &windows] {
            let scan = Scan::parse(text).unwrap();
            assert_eq!(scan.backend, "dx12");
            assert_eq!(
                scan.gpu_ms,
                [
                    (20_000, 13),
                    (50_000, 4),
                    (100_000, 1),
                    (250_000, 2),
                    (500_000, 2),
                    (1_000_000, 4)
                ]
            );
            assert_eq!(
                scan.cpu_ms.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(),
                [0, 0, 0, 0, 0, 1]
            );
        }
    }

    #[test]
    fn a_file_that_is_no_scan_is_refused_with_its_line() {
        let check = |from: &str, to: &str, line: u64, expected: &str| {
            assert!(SEED.contains(from));
            let (at, message) = Scan::parse(&SEED.replacen(from, to, 1)).unwrap_err();
            assert!(at == line && message.contains(expected), "{at}: {message}");
        };
        check("duration_ms", "duration", 1, "the columns are");
        check(
            "20000,Gpu,13,0",
            "20000,Gpu,1.3,0",
            3,
            "`duration_ms` is not an integer: \"1.3\"",
        );
        check("50000,Gpu", "5e4,Gpu", 5, "`size` is not an integer");
        check("50000,Gpu", "50000,Tpu", 5, "neither Cpu nor Gpu: \"Tpu\"");
        check("50000,Gpu", "20000,Gpu", 5, "second time of Gpu at 20000");
        check("20000,Gpu,13,0,dx12", "20000,Gpu,13,0,gles", 3, "a second backend");
        check("20000,Cpu,0,0,dx12", "20000,Cpu,0,0", 2, "`backend_mask_hint` is empty");
        assert!(Scan::parse("").is_err());
        assert!(
            Scan::parse(&format!("{HEADER}\n"))
                .unwrap_err()
                .1
                .contains("no time of a Gpu")
        );
    }
}
