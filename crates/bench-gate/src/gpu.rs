//! Clocks of NVIDIA's GPUs, as NVML tells them where it is installed. They are recorded and shown, and
//! never used to select or adjust: load causes them, and a slower head may raise them.

use nvml_wrapper::{Nvml, bitmasks::device::ThrottleReasons, enum_wrappers::device::Clock as Of};

use crate::record::Clock;

/// NVML, if it is there.
#[derive(Debug, Default)]
pub struct Gpus(Option<Nvml>);

impl Gpus {
    /// Looks for NVML; without it there are no GPUs.
    #[must_use]
    pub fn find() -> Self {
        Self(Nvml::init().ok())
    }

    /// The clock of every GPU now. One that does not tell is left out.
    #[must_use]
    pub fn clocks(&self) -> Vec<Clock> {
        let Some(nvml) = &self.0 else { return Vec::new() };
        let clock = |index| {
            let device = nvml.device_by_index(index).ok()?;
            let reasons = device.current_throttle_reasons().unwrap_or(ThrottleReasons::empty());
            Some(Clock {
                sm_mhz: device.clock_info(Of::SM).ok()?,
                reasons: reasons
                    .iter_names()
                    .map(|(name, _)| name.to_ascii_lowercase().replace('_', " "))
                    .collect(),
            })
        };
        (0..nvml.device_count().unwrap_or_default()).filter_map(clock).collect()
    }
}

/// A line for reports: how the clocks were spread over windows, and why they were not higher. `None`
/// without clocks.
#[must_use]
pub fn sentence<'a>(clocks: impl Iterator<Item = &'a Clock>) -> Option<String> {
    let mut mhz = Vec::new();
    let mut reasons = std::collections::BTreeMap::<&str, usize>::new();
    for clock in clocks {
        mhz.push(clock.sm_mhz);
        for reason in &clock.reasons {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    mhz.sort_unstable();
    let (lowest, highest) = (mhz.first()?, mhz.last()?);
    let share = |n: usize| 100 * n / mhz.len();
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, n)| format!("{reason} {} %", share(*n)))
        .collect();
    let reasons = if reasons.is_empty() {
        "no reason given".to_owned()
    } else {
        reasons.join(", ")
    };
    Some(format!(
        "GPU clock {lowest} to {highest} MHz, median {}; held back by: {reasons} of {} windows",
        mhz[mhz.len() / 2],
        mhz.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_summed_up_with_their_reasons() {
        let clock = |sm_mhz, reason: &str| Clock {
            sm_mhz,
            reasons: [reason]
                .iter()
                .filter(|r| !r.is_empty())
                .map(|r| (*r).to_owned())
                .collect(),
        };
        let clocks = [
            clock(345, "gpu idle"),
            clock(1980, ""),
            clock(1980, ""),
            clock(900, "gpu idle"),
        ];
        assert_eq!(
            sentence(clocks.iter()).unwrap(),
            "GPU clock 345 to 1980 MHz, median 1980; held back by: gpu idle 50 % of 4 windows"
        );
        assert!(sentence(clocks[1..3].iter()).unwrap().contains("no reason given"));
        assert_eq!(sentence([].iter()), None);
    }
}
