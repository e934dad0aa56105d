//! Places on the PCI bus.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Where a device is on the PCI bus. It tells equal GPUs of a machine apart, and is what
/// `nvidia-smi` and `lspci` list.
///
/// ```
/// use gpu_executor::PciId;
///
/// let id: PciId = "65:00.0".parse()?;
/// assert_eq!(id.to_string(), "0000:65:00.0");
/// assert_eq!(id, "00000000:65:00.0".parse()?, "as nvidia-smi writes it");
/// # Ok::<(), gpu_executor::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PciId {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        f.pad(&format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
    }
}

impl FromStr for PciId {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self, Error> {
        parse(given.trim()).ok_or_else(|| Error::BadPciId {
            given: given.to_owned(),
        })
    }
}

/// `[domain:]bus:device.function`, each in hexadecimal digits and nothing else.
fn parse(text: &str) -> Option<PciId> {
    let number = |digits: &str, most: usize| {
        let is_plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let (place, function) = text.rsplit_once('.')?;
    let (rest, device) = place.rsplit_once(':')?;
    let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
    let device = number(device, 2).filter(|&device| device < 32)?;
    let function = number(function, 1).filter(|&function| function < 8)?;
    Some(PciId {
        domain: number(domain, 8)?,
        bus: u8::try_from(number(bus, 2)?).ok()?,
        device: u8::try_from(device).ok()?,
        function: u8::try_from(function).ok()?,
    })
}

impl TryFrom<String> for PciId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<PciId> for String {
    fn from(id: PciId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_the_usual_tools_write_it() {
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<PciId>().unwrap().to_string(), expected);
        check("0000:65:00.0", "0000:65:00.0");
        check(" 65:00.0 ", "0000:65:00.0");
        check("00000000:CA:1F.7", "0000:ca:1f.7");
        check("0001:00:00.1", "0001:00:00.1");
        check("10000:e1:00.0", "10000:e1:00.0");
    }

    #[test]
    fn what_is_no_id_is_named() {
        for text in [
            "",
            "65",
            "65:00",
            "0000:65:00",
            "x:65:00.0",
            "+0:65:00.0",
            "0000:165:00.0",
            "65:20.0",
            "65:00.8",
            "65:00.",
            ":65:00.0",
            "0:0:65:00.0",
            "123456789:65:00.0",
        ] {
            let error = text.parse::<PciId>().unwrap_err();
            assert_eq!(error, Error::BadPciId { given: text.to_owned() });
        }
    }
}
