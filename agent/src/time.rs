//! Unix seconds and UTC, both ways, for people. The engine knows unix seconds only.

/// `YYYY-MM-DD HH:MM:SS` of a unix time (proleptic Gregorian, UTC).
#[must_use]
pub(crate) fn utc(time_s: u64) -> String {
    let (days, rest) = (time_s / 86_400, time_s % 86_400);
    // Days to civil date by eras of 400 years that start on 1 March (Richards, 2013).
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Unix seconds of a flag: a whole number, `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM` (UTC).
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let expected = || format!("expected unix seconds, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC), got {text}");
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let (date, clock) = text.split_once('T').unwrap_or((text, "00:00"));
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let mut clock = clock.splitn(2, ':').map(str::parse::<u64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (date.next(), date.next(), date.next()) else { return Err(expected()) };
    let (Some(Ok(hour)), Some(Ok(minute))) = (clock.next(), clock.next()) else { return Err(expected()) };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return Err(expected());
    }
    let y = if month <= 2 { year - 1 } else { year };
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (y / 400, y % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted + 2) / 5 + day - 1;
    let time_s = (era * 146_097 + day_of_era - 719_468) * 86_400 + hour * 3_600 + minute * 60;
    // A day that the month does not have comes back as another date.
    if utc(time_s).starts_with(&format!("{year:04}-{month:02}-{day:02}")) { Ok(time_s) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(1_667_865_600), "2022-11-08 00:00:00");
        assert_eq!(parse("2022-11-08"), Ok(1_667_865_600));
        assert_eq!(parse("2022-11-08T12:30"), Ok(1_667_865_600 + 45_000));
        assert_eq!(parse("1667865600"), Ok(1_667_865_600));
        assert_eq!(parse("2024-02-29"), Ok(1_709_164_800));
        for bad in ["2023-02-29", "2022-13-01", "yesterday", "2022-11-08T25:00", "-5", "2022-11"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
