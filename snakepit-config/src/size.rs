//! Sizes in bytes, as people write them: `512MiB`.

const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Bytes in `text`: a whole number and a unit, bytes without one. None where it is no size or too large to count.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `bytes` in the largest binary unit that divides it.
pub(crate) fn format(bytes: u64) -> String {
    let (unit, factor) = UNITS
        .iter()
        .filter(|(name, _)| name.contains('i'))
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_unit_and_bytes_without() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("1 GiB", 1 << 30),
            ("64KiB", 64 << 10),
            ("2MB", 2_000_000),
            ("3kB", 3_000),
            ("7B", 7),
            ("1048576", 1 << 20),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "1.5MiB",
            "-1",
            "1mib",
            "1 M iB",
            "99999999999GiB",
            "1TiB",
            "１MiB",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_size_reads_back(bytes: u64) {
            prop_assert_eq!(parse(&format(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
