//! How tasks reach an adapter: what a calibration finds, a file keeps, and a person can set.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{env::TUNING_ENV, error::Error};

/// Whether the host and the kernel share a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferMode {
    /// The kernel reads what the host wrote, or writes what the host reads: no copy on the device.
    /// Needs `MAPPABLE_PRIMARY_BUFFERS`, which Vulkan, DX12 and Metal have.
    Direct,
    /// The device copies between a buffer of the host's and one of the kernel's.
    Staged,
}

/// The transfer modes of inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The mode of the inputs.
    pub upload: TransferMode,
    /// The mode of the output.
    pub readback: TransferMode,
}

impl Transfer {
    /// Everything direct.
    pub const DIRECT: Self = Self {
        upload: TransferMode::Direct,
        readback: TransferMode::Direct,
    };
    /// Everything staged.
    pub const STAGED: Self = Self {
        upload: TransferMode::Staged,
        readback: TransferMode::Staged,
    };
    /// Every combination.
    pub const ALL: [Self; 4] = [
        Self::DIRECT,
        Self {
            upload: TransferMode::Direct,
            readback: TransferMode::Staged,
        },
        Self {
            upload: TransferMode::Staged,
            readback: TransferMode::Direct,
        },
        Self::STAGED,
    ];
}

/// How an executor sends tasks to its adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// The modes of chunks with inputs below [`Tuning::MEDIUM_FROM_BYTES`].
    pub small: Transfer,
    /// The modes of chunks with inputs from there to [`Tuning::LARGE_FROM_BYTES`].
    pub medium: Transfer,
    /// The modes of larger chunks.
    pub large: Transfer,
    /// Largest input or output of one dispatch; a longer task runs in chunks, so that the host
    /// copies one while the device computes another.
    pub chunk_bytes: u64,
    /// For how many microseconds a wait polls before it sleeps; 0 to sleep at once.
    pub spin_us: u64,
    /// Size from which on a copy of the host's uses several threads.
    pub threads_from_bytes: u64,
}

impl Tuning {
    /// Where chunks begin to be of medium size, by the bytes of all inputs.
    pub const MEDIUM_FROM_BYTES: u64 = 64 << 10;
    /// Where chunks begin to be large, by the bytes of all inputs.
    pub const LARGE_FROM_BYTES: u64 = 2 << 20;

    /// One mode for all sizes, whole tasks, no spinning, one thread.
    #[must_use]
    pub const fn plain(transfer: Transfer) -> Self {
        Self {
            small: transfer,
            medium: transfer,
            large: transfer,
            chunk_bytes: u64::MAX,
            spin_us: 0,
            threads_from_bytes: u64::MAX,
        }
    }

    /// The transfer modes of a chunk, by the bytes of its inputs.
    #[must_use]
    pub fn transfer(&self, input_bytes: u64) -> Transfer {
        if input_bytes < Self::MEDIUM_FROM_BYTES {
            self.small
        } else if input_bytes < Self::LARGE_FROM_BYTES {
            self.medium
        } else {
            self.large
        }
    }

    /// Each size's modes, to be changed.
    pub(crate) fn transfers(&mut self) -> [&mut Transfer; 3] {
        [&mut self.small, &mut self.medium, &mut self.large]
    }
}

/// As [`TUNING_ENV`] has it: `small=direct/direct,…,chunk=…`.
impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |mode| match mode {
            TransferMode::Direct => "direct",
            TransferMode::Staged => "staged",
        };
        for (size, t) in [("small", self.small), ("medium", self.medium), ("large", self.large)] {
            write!(f, "{size}={}/{},", name(t.upload), name(t.readback))?;
        }
        write!(
            f,
            "chunk={},spin={},threads-from={}",
            self.chunk_bytes, self.spin_us, self.threads_from_bytes
        )
    }
}

/// Parts of a tuning that a person set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    transfers: [(Option<TransferMode>, Option<TransferMode>); 3],
    chunk_bytes: Option<u64>,
    spin_us: Option<u64>,
    threads_from_bytes: Option<u64>,
}

impl Overrides {
    /// What [`TUNING_ENV`] says, if it is set and right.
    pub(crate) fn text_from_env() -> Result<Option<String>, Error> {
        let Some(list) = std::env::var_os(TUNING_ENV) else {
            return Ok(None);
        };
        let text = list.to_string_lossy().into_owned();
        text.parse::<Self>()?;
        Ok(Some(text))
    }

    /// Whether nothing is left to calibrate.
    pub(crate) fn is_complete(&self) -> bool {
        self.transfers.iter().all(|(up, down)| up.is_some() && down.is_some())
            && self.chunk_bytes.is_some()
            && self.spin_us.is_some()
            && self.threads_from_bytes.is_some()
    }

    pub(crate) fn apply(&self, tuning: &mut Tuning) {
        for (transfer, (upload, readback)) in tuning.transfers().into_iter().zip(self.transfers) {
            transfer.upload = upload.unwrap_or(transfer.upload);
            transfer.readback = readback.unwrap_or(transfer.readback);
        }
        tuning.chunk_bytes = self.chunk_bytes.unwrap_or(tuning.chunk_bytes);
        tuning.spin_us = self.spin_us.unwrap_or(tuning.spin_us);
        tuning.threads_from_bytes = self.threads_from_bytes.unwrap_or(tuning.threads_from_bytes);
    }
}

impl FromStr for Overrides {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self, Error> {
        let mut overrides = Self::default();
        for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            overrides
                .set(part)
                .ok_or_else(|| Error::BadTuning { part: part.to_owned() })?;
        }
        Ok(overrides)
    }
}

impl Overrides {
    /// Takes one `key=value`; `None` if it is none.
    fn set(&mut self, part: &str) -> Option<()> {
        let mode = |name: &str| match name {
            "direct" => Some(TransferMode::Direct),
            "staged" => Some(TransferMode::Staged),
            _ => None,
        };
        let (key, value) = part.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        match key {
            "upload" => {
                let upload = mode(value)?;
                self.transfers.iter_mut().for_each(|t| t.0 = Some(upload));
            }
            "readback" => {
                let readback = mode(value)?;
                self.transfers.iter_mut().for_each(|t| t.1 = Some(readback));
            }
            "small" | "medium" | "large" => {
                let (upload, readback) = value.split_once('/')?;
                let size = ["small", "medium", "large"].iter().position(|s| *s == key)?;
                self.transfers[size] = (Some(mode(upload)?), Some(mode(readback)?));
            }
            "chunk" => self.chunk_bytes = Some(value.parse().ok().filter(|&bytes: &u64| bytes > 0)?),
            "spin" => self.spin_us = Some(value.parse().ok()?),
            "threads-from" => self.threads_from_bytes = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuning_reads_back_as_it_is_written() {
        let tuning = Tuning {
            medium: Transfer::ALL[1],
            large: Transfer::STAGED,
            chunk_bytes: 1 << 22,
            spin_us: 80,
            ..Tuning::plain(Transfer::DIRECT)
        };
        let overrides: Overrides = tuning.to_string().parse().unwrap();
        assert!(overrides.is_complete());
        let mut other = Tuning::plain(Transfer::STAGED);
        overrides.apply(&mut other);
        assert_eq!(other, tuning);
    }

    #[test]
    fn a_part_is_set_and_the_rest_stays() {
        let overrides: Overrides = " upload=staged, spin=7,".parse().unwrap();
        let mut tuning = Tuning::plain(Transfer::DIRECT);
        overrides.apply(&mut tuning);
        let up_staged = Tuning {
            spin_us: 7,
            ..Tuning::plain(Transfer::ALL[2])
        };
        assert_eq!((tuning, overrides.is_complete()), (up_staged, false));
    }

    #[test]
    fn what_is_no_setting_is_named() {
        for part in [
            "direct",
            "upload=fast",
            "chunk=0",
            "chunk=4M",
            "spin=-1",
            "large=direct",
            "speed=9",
        ] {
            let error = part.parse::<Overrides>().unwrap_err();
            assert_eq!(error, Error::BadTuning { part: part.to_owned() });
        }
    }
}
