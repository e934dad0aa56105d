//! Values with units, for people.

/// What a number counts; decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A duration in nanoseconds.
    Nanos,
    /// A number of things: elements, calls.
    Count,
    /// A relative change in per cent, with its sign.
    Change,
    /// A part of a whole, from 0 to 1.
    Share,
    /// A clock in megahertz.
    Megahertz,
    /// A number without unit, in order: a block, a commit.
    Ordinal,
}

impl Unit {
    /// As a person reads it: three significant digits and a unit.
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Nanos => duration(value),
            Self::Count => count(value),
            Self::Change => format!("{}{} %", sign(value), trimmed(value.abs(), 3)),
            Self::Share => format!("{} %", trimmed(value * 100.0, 3)),
            Self::Megahertz => format!("{} MHz", grouped(value)),
            Self::Ordinal => trimmed(value, 6),
        }
    }
}

fn sign(value: f64) -> &'static str {
    match value {
        value if value > 0.0 => "+",
        value if value < 0.0 => "\u{2212}",
        _ => "",
    }
}

/// A duration in nanoseconds as `35.5 µs`.
pub fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos.abs() {
        ns if ns < 999.5 => (nanos, "ns"),
        ns if ns < 999.5e3 => (nanos / 1e3, "µs"),
        ns if ns < 999.5e6 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", trimmed(value, 3))
}

/// A number of things with its thousands apart: `1,000,000`.
pub fn count(value: f64) -> String {
    grouped(value)
}

/// A number of things for a narrow place: `1 M`, `250 k`.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v < 1e3 => trimmed(value, 3),
        v if v < 1e6 => format!("{} k", trimmed(value / 1e3, 3)),
        v if v < 1e9 => format!("{} M", trimmed(value / 1e6, 3)),
        _ => format!("{} G", trimmed(value / 1e9, 3)),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "\u{2212}" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many significant digits, without zeros behind the decimal point.
fn trimmed(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 {
            "0".to_owned()
        } else {
            value.to_string()
        };
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a float")]
    let exponent = value.abs().log10().floor() as i32;
    let places = (digits as i32 - 1 - exponent).clamp(0, 9);
    let text = format!("{value:.*}", places.unsigned_abs() as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_three_digits_and_a_unit() {
        let check = |unit: Unit, value: f64, expected: &str| assert_eq!(unit.write(value), expected);
        check(Unit::Nanos, 0.0, "0 ns");
        check(Unit::Nanos, 130.4, "130 ns");
        check(Unit::Nanos, 999.6, "1 µs");
        check(Unit::Nanos, 35_540.0, "35.5 µs");
        check(Unit::Nanos, 2_820_000.0, "2.82 ms");
        check(Unit::Nanos, 1.5e9, "1.5 s");
        check(Unit::Count, 1_000_000.0, "1,000,000");
        check(Unit::Count, 999.0, "999");
        check(Unit::Change, -3.456, "\u{2212}3.46 %");
        check(Unit::Change, 12.0, "+12 %");
        check(Unit::Change, 0.0, "0 %");
        check(Unit::Share, 0.995, "99.5 %");
        check(Unit::Megahertz, 1980.0, "1,980 MHz");
        check(Unit::Ordinal, 7.0, "7");
        assert_eq!(short(250_000.0), "250 k");
        assert_eq!(short(1e6), "1 M");
        assert_eq!(short(20.0), "20");
    }
}
