//! Numbers and times as people read them; integers only. No locale, no clock.

use std::fmt::Write as _;

/// How raw units of a pool's tokens are read. The log does not say it: whoever asks for the report does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Units {
    /// Name of the quote token.
    pub quote: String,
    /// Its decimals.
    pub quote_decimals: u8,
    /// Name of the base token.
    pub base: String,
    /// Its decimals.
    pub base_decimals: u8,
}

impl std::str::FromStr for Units {
    type Err = probity_strategy::DomainError;

    /// `USDC:6/WETH:18`: quote, then base.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let token = |part: &str| {
            let (name, decimals) = part.split_once(':')?;
            let plain = !name.is_empty() && name.len() <= 12 && name.bytes().all(|b| b.is_ascii_alphanumeric());
            Some((plain.then(|| name.to_owned())?, decimals.parse().ok().filter(|d| *d <= 30)?))
        };
        let both = text.split_once('/').and_then(|(quote, base)| Some((token(quote)?, token(base)?)));
        let ((quote, quote_decimals), (base, base_decimals)) = both.ok_or_else(|| {
            probity_strategy::DomainError::new(
                "units",
                "QUOTE:DECIMALS/BASE:DECIMALS, as USDC:6/WETH:18",
                text.chars().take(60).collect::<String>(),
            )
        })?;
        Ok(Self { quote, quote_decimals, base, base_decimals })
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && digits.len().saturating_sub(i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A raw amount, scaled if its token is known.
pub(crate) fn amount(raw: u128, token: Option<(&str, u8)>) -> String {
    let Some((name, decimals)) = token else { return format!("{} raw", grouped(raw)) };
    let unit = 10u128.checked_pow(decimals.into()).unwrap_or(u128::MAX);
    let (whole, part) = (raw.checked_div(unit).unwrap_or(0), raw.checked_rem(unit).unwrap_or(0));
    let shown = decimals.min(if whole >= 1_000 { 2 } else { 4 });
    let cut = 10u128.checked_pow(decimals.saturating_sub(shown).into()).unwrap_or(1);
    let part = part.checked_div(cut).unwrap_or(0);
    if shown == 0 {
        format!("{} {name}", grouped(whole))
    } else {
        format!("{}.{part:0>width$} {name}", grouped(whole), width = usize::from(shown))
    }
}

/// Parts of a million as a signed percentage with two digits.
pub(crate) fn percent(ppm: i64) -> String {
    let hundredths = ppm.unsigned_abs().saturating_add(50) / 100;
    let sign = if ppm < 0 && hundredths > 0 { "\u{2212}" } else { "" };
    format!("{sign}{}.{:02}\u{202f}%", hundredths / 100, hundredths % 100)
}

/// Basis points as a percentage.
pub(crate) fn bps(bps: u128) -> String {
    format!("{}.{:02}\u{202f}%", grouped(bps / 100), bps % 100)
}

/// A Unix time as `2023-11-14 22:13:20 UTC`.
pub(crate) fn utc(time_s: u64) -> String {
    let (days, rest) = (time_s / 86_400, time_s % 86_400);
    // Years of the proleptic Gregorian calendar from an era of 400 years, March first.
    let z = days.saturating_add(719_468);
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = doe.saturating_sub(doe / 1_460).saturating_add(doe / 36_524).saturating_sub(doe / 146_096) / 365;
    let doy = doe.saturating_sub(yoe.saturating_mul(365).saturating_add(yoe / 4).saturating_sub(yoe / 100));
    let mp = doy.saturating_mul(5).saturating_add(2) / 153;
    let day = doy.saturating_sub(mp.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month = if mp < 10 { mp.saturating_add(3) } else { mp.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(yoe).saturating_add(u64::from(month <= 2));
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// A span of seconds in its largest unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Text that means nothing to HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Direction marks and control characters could make a page read differently from what it says.
            c if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_right() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_700_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (percent(-12_345), percent(0), percent(1_000_049)),
            ("\u{2212}1.23\u{202f}%".into(), "0.00\u{202f}%".into(), "100.00\u{202f}%".into())
        );
        assert_eq!(amount(1_500_000, Some(("USDC", 6))), "1.5000 USDC");
        assert_eq!(amount(12_345_678_901, Some(("USDC", 6))), "12\u{202f}345.67 USDC");
        assert_eq!(amount(7, None), "7 raw");
        assert_eq!(span(90), "90 s");
    }

    #[test]
    fn units_are_two_tokens() {
        let units: Units = "USDC:6/WETH:18".parse().unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!((units.quote.as_str(), units.base_decimals), ("USDC", 18));
        for bad in ["", "USDC:6", "USDC:6/WETH", "<b>:6/WETH:18", "USDC:31/WETH:18", "USDC:6/WETH:18/X:1"] {
            assert!(bad.parse::<Units>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_of_a_log_is_markup() {
        assert_eq!(escape("<a href='x'>&\"\u{202e}\n"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\u{202e}\\u{a}");
    }
}
