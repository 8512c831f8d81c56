//! Unix time in words, UTC.

/// Year, month and day of a unix time (Gregorian, counted from 0000-03-01 in eras of 400 years).
pub(crate) fn date(time_s: u64) -> (u64, u64, u64) {
    let days = time_s / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

/// `2024-01-05 13:37`, UTC.
#[must_use]
pub fn utc(time_s: u64) -> String {
    let (year, month, day) = date(time_s);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", time_s / 3_600 % 24, time_s / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(utc(0), "1970-01-01 00:00");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00");
        assert_eq!(utc(1_704_412_823), "2024-01-05 00:00");
        assert_eq!(utc(1_735_689_599), "2024-12-31 23:59");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00");
    }
}
