//! Numbers for people to read.

/// A number with three significant digits, as short as it goes; very large and small ones with an exponent.
#[must_use]
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-3..=5).contains(&exponent) {
        let decimals = (2 - exponent).max(0) as usize;
        return with_minus(trim(&format!("{value:.decimals$}")));
    }
    with_minus(&format!("{}e{exponent}", trim(mantissa)))
}

/// A number of the size of one, such as a correlation, with two digits after the point.
#[must_use]
pub fn ratio(value: f64) -> String {
    if value.abs() >= 99.995 {
        return short(value);
    }
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { with_minus(&text) }
}

/// A share of the whole in percent.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share))
}

/// A whole number with its thousands set apart.
#[must_use]
pub fn count(value: impl TryInto<u64>) -> String {
    let digits = value.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(THIN_SPACE);
        }
        text.push(digit);
    }
    text
}

/// Does not break at a line's end.
const THIN_SPACE: char = '\u{202f}';

/// A quantity's name with its unit, as an axis or a table's head has it.
#[must_use]
pub fn with_unit(quantity: &str, unit: &str) -> String {
    if unit.is_empty() { quantity.to_owned() } else { format!("{quantity} [{unit}]") }
}

fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A minus as wide as a plus.
fn with_minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_no_more() {
        let texts = [0.0, 1.0, 0.5, 0.123_456, 9.999, 1234.56, -0.012_345, 1.5e-7, 2e9, 0.001, 99_999.0];
        let short: Vec<String> = texts.into_iter().map(short).collect();
        assert_eq!(
            short,
            ["0", "1", "0.5", "0.123", "10", "1235", "−0.0123", "1.5e−7", "2e9", "0.001", "99999"]
        );
    }

    #[test]
    fn ratios_have_two_decimals() {
        assert_eq!([0.987, -0.001, -3.456, 1e9].map(ratio), ["0.99", "0.00", "−3.46", "1e9"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0_u64, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
    }
}
