//! Durations, sizes, patterns, secrets and times: what is taken, and what is refused in which words.

#![allow(clippy::unwrap_used, clippy::panic)]

use connect_api::{Duration, Pattern, Secret, Size, time};

#[test]
fn durations_need_a_unit() {
    for (text, milliseconds) in [
        ("200ms", 200),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h 30m", 5_400_000),
        ("1h30m", 5_400_000),
        ("2days", 172_800_000),
        ("0s", 0),
    ] {
        let duration = Duration::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(duration.get().as_millis(), milliseconds, "{text}");
        assert_eq!(
            Duration::parse(&duration.to_string()),
            Ok(duration),
            "{text}"
        );
    }
    for text in [
        "",
        "5",
        "s",
        "5 parsecs",
        "-5s",
        "5s5",
        "1e9s",
        "99999999999999999999s",
        "5.5.5s",
    ] {
        let error = Duration::parse(text).unwrap_err();
        assert!(
            error.contains(&format!("`{text}` is not a duration")),
            "{text}: {error}"
        );
    }
}

#[test]
fn sizes_need_a_unit() {
    for (text, bytes) in [
        ("4MiB", 4 << 20),
        ("4 MiB", 4 << 20),
        ("500kB", 500_000),
        ("1.5KiB", 1536),
        ("0B", 0),
        ("12B", 12),
        ("2GiB", 2 << 30),
    ] {
        let size = Size::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(size.bytes(), bytes, "{text}");
        assert_eq!(Size::parse(&size.to_string()), Ok(size), "{text}");
    }
    for text in [
        "",
        "4",
        "4.5",
        "MiB",
        "4 parsecs",
        "-4MiB",
        "4MiBs",
        "NaNMiB",
        "infB",
        "1e3MiB",
        "1_000kB",
        "99999999999999999999PiB",
    ] {
        let error = Size::parse(text).map(Size::bytes).unwrap_err();
        assert!(
            error.contains(&format!("`{text}` is not a size")),
            "{text}: {error}"
        );
    }
    assert_eq!(Size::from_bytes(4 << 20).to_string(), "4MiB");
    assert_eq!(Size::from_bytes(4 << 30).to_string(), "4GiB");
    assert_eq!(Size::from_bytes((4 << 20) + 1).to_string(), "4194305B");
}

#[test]
fn patterns_are_linear() {
    assert!(Pattern::parse("^sales-.*$").unwrap().is_match("sales-eu"));
    for text in ["(", "[a", r"(?=x)", r"(a)\1", "a{2,1}"] {
        let error = Pattern::parse(text).unwrap_err();
        assert!(error.contains("is not a regular expression"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let secret = Secret::parse("hunter2").unwrap();
    assert_eq!(format!("{secret:?}"), "***");
    assert_eq!(format!("{:#?}", Some(secret.clone())), "Some(\n    ***,\n)");
    assert_eq!(secret.expose(), "hunter2");
}

#[test]
fn times_have_one_text_form() {
    for (milliseconds, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_042, "2023-11-14T22:13:20.042Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(time::format_ms(milliseconds), text);
        assert_eq!(time::parse_ms(text), Some(milliseconds));
    }
    assert_eq!(
        time::parse_ms("2023-11-14T23:13:20.042+01:00"),
        Some(1_700_000_000_042)
    );
    assert_eq!(time::parse_ms("2023-11-14T22:13:20"), None);
    assert_eq!(time::parse_ms("yesterday"), None);
    assert!(time::format_ms(i64::MAX).starts_with("+292278994-"));
    assert!(time::format_ms(i64::MIN).starts_with("-292275055-"));
}
