//! What the daemon may cost, as people write it: an amount of memory, and a share of a core. In: what was given. Out: bytes
//! and per cent, or what is wrong with it and what would fit.

use super::ConfigError;

/// Without any connection the daemon takes some 90 MiB: most of it are the kernel's rings, and room for owners of sockets.
const LEAST_MEMORY: u64 = 128 << 20;
/// More than any host has.
const MOST_MEMORY: u64 = 1 << 44;
/// Less is within the noise of an idle daemon.
const LEAST_CPU: f64 = 1.0;
/// A hundred cores.
const MOST_CPU: f64 = 10_000.0;

/// Units by which memory is given; `M` is short for `MiB`.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
];

/// Bytes.
pub(super) fn memory(value: String) -> Result<u64, ConfigError> {
    let wrong = |reason: &str| ConfigError::Value {
        name: "max-memory",
        value: value.clone(),
        reason: reason.to_owned(),
    };
    let text = value.trim();
    let unit = UNITS.iter().find_map(|(unit, bytes)| {
        let (number, end) = text.split_at_checked(text.len().checked_sub(unit.len())?)?;
        end.eq_ignore_ascii_case(unit).then_some((number, *bytes))
    });
    let (number, unit) = unit.unwrap_or((text, 1));
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_error| wrong("not a size such as `512MiB` or `2GiB`"))?;
    let bytes = number * unit as f64;
    if (LEAST_MEMORY as f64..=MOST_MEMORY as f64).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(wrong("must be from 128MiB to 16384GiB"))
    }
}

/// Per cent of one core.
pub(super) fn cpu(percent: f64) -> Result<f64, ConfigError> {
    if (LEAST_CPU..=MOST_CPU).contains(&percent) {
        return Ok(percent);
    }
    Err(ConfigError::Value {
        name: "max-cpu",
        value: percent.to_string(),
        reason: String::from("must be from 1 to 10000 per cent of one core"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_in_bytes_or_with_a_unit() {
        for (text, expected) in [
            ("134217728", Some(128 << 20)),
            ("512MiB", Some(512 << 20)),
            ("512 mib", Some(512 << 20)),
            ("512M", Some(512 << 20)),
            ("1.5G", Some(3 << 29)),
            ("200MB", Some(200_000_000)),
            ("16384GiB", Some(1 << 44)),
            ("127MiB", None),
            ("16385GiB", None),
            ("-1G", None),
            ("NaN", None),
            ("M", None),
            ("", None),
            ("512é", None),
            ("512 MiB each", None),
        ] {
            assert_eq!(memory(text.into()).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn cpu_time_is_from_a_hundredth_of_a_core_to_a_hundred_cores() {
        for (percent, fits) in [
            (0.9, false),
            (1.0, true),
            (250.0, true),
            (10_001.0, false),
            (f64::NAN, false),
        ] {
            assert_eq!(cpu(percent).is_ok(), fits, "{percent}");
        }
    }
}
