#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

#[test]
fn integers() {
    let cases: [(&str, Result<i64, &str>); 16] = [
        ("0", Ok(0)),
        ("-0", Ok(0)),
        ("1", Ok(1)),
        ("1.0", Ok(1)),
        ("1e3", Ok(1000)),
        ("1200e-2", Ok(12)),
        ("-9223372036854775808", Ok(i64::MIN)),
        ("-9223372036854775808.0", Ok(i64::MIN)),
        ("9223372036854775807.00", Ok(i64::MAX)),
        ("9223372036854775808", Err("out of range")),
        ("1e19", Err("out of range")),
        ("1e999999999999", Err("out of range")),
        ("1.5", Err("has a fraction")),
        ("1e-1", Err("has a fraction")),
        ("abc", Err("an integer is expected")),
        ("", Err("an integer is expected")),
    ];
    for (digits, expected) in cases {
        for input in [ColumnInput::Number(digits), ColumnInput::Text(digits)] {
            match (integer::<i64>(input), expected) {
                (Ok(found), Ok(number)) => assert_eq!(found, number, "{digits}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{digits}: {found}"),
                (found, _) => unreachable!("{digits}: {found:?}"),
            }
        }
    }
    assert!(integer::<i16>(ColumnInput::Number("32768")).is_err());
    assert_eq!(integer::<i16>(ColumnInput::Number("-32768")), Ok(-32768));
}

#[test]
fn floats() {
    assert_eq!(float8(ColumnInput::Number("0.1")), Ok(0.1));
    assert_eq!(float4(ColumnInput::Number("0.1")), Ok(0.1_f32));
    assert!(float8(ColumnInput::Number("1e400")).is_err());
    assert!(float4(ColumnInput::Number("1e39")).is_err());
    assert_eq!(
        float8(ColumnInput::Text("-Infinity")),
        Ok(f64::NEG_INFINITY)
    );
    assert!(float8(ColumnInput::Text("NaN")).unwrap().is_nan());
    assert!(float8(ColumnInput::Text("infinit")).is_err());
    assert!(float8(ColumnInput::Text("")).is_err());
    assert!(float8(ColumnInput::Bool(true)).is_err());
    for nothing in ["0", "-0.0", "0e-400", "0.00E5"] {
        assert_eq!(float8(ColumnInput::Number(nothing)), Ok(0.0), "{nothing}");
        assert_eq!(float4(ColumnInput::Text(nothing)), Ok(0.0), "{nothing}");
    }
    assert_eq!(float8(ColumnInput::Number("5e-324")), Ok(5e-324));
    assert!(float8(ColumnInput::Number("1e-400")).is_err());
    assert!(float4(ColumnInput::Number("1e-46")).is_err());
}

/// The fields of the binary form: groups, weight, sign, scale, then the groups.
fn binary(digits: &str, precision: Option<(i32, i32)>) -> Result<Vec<i16>, String> {
    let column = Numeric {
        precision: precision.map(|(precision, scale)| NumericPrecision { precision, scale }),
        takes_infinity: true,
    };
    let mut out = Vec::new();
    numeric(ColumnInput::Number(digits), column, &mut out)
        .map_err(|mismatch| mismatch.to_string())?;
    Ok(out
        .chunks(2)
        .map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
        .collect())
}

#[test]
fn numerics() {
    let cases: [(&str, &[i16]); 12] = [
        ("0", &[0, 0, 0, 0]),
        ("0.00", &[0, 0, 0, 2]),
        ("1", &[1, 0, 0, 0, 1]),
        ("-1", &[1, 0, 0x4000, 0, 1]),
        ("10000", &[1, 1, 0, 0, 1]),
        ("12345.6", &[3, 1, 0, 1, 1, 2345, 6000]),
        ("0.0001", &[1, -1, 0, 4, 1]),
        ("0.00001", &[1, -2, 0, 5, 1000]),
        (
            "12345678901234567.89",
            &[6, 4, 0, 2, 1, 2345, 6789, 123, 4567, 8900],
        ),
        ("1.50", &[2, 0, 0, 2, 1, 5000]),
        ("1e5", &[1, 1, 0, 0, 10]),
        ("15e-1", &[2, 0, 0, 1, 1, 5000]),
    ];
    for (digits, expected) in cases {
        assert_eq!(binary(digits, None).unwrap(), expected, "{digits}");
    }
    assert_eq!(binary("1.5", Some((10, 2))).unwrap(), [2, 0, 0, 2, 1, 5000]);
    assert_eq!(
        binary("1.50000", Some((10, 2))).unwrap(),
        [2, 0, 0, 2, 1, 5000]
    );
    assert_eq!(binary("1200", Some((3, -2))).unwrap(), [1, 0, 0, 0, 1200]);
}

/// As text a number takes the long road.
fn check_short(digits: &str, column: Numeric) {
    let (mut short, mut long) = (Vec::new(), Vec::new());
    let taken = numeric(ColumnInput::Number(digits), column, &mut short);
    let expected = numeric(ColumnInput::Text(digits), column, &mut long);
    assert_eq!(taken, expected, "{digits} {column:?}");
    assert_eq!(short, long, "{digits} {column:?}");
}

#[test]
fn short_numbers_are_written_as_others_are() {
    let columns = [
        None,
        Some((12, 2)),
        Some((3, 3)),
        Some((5, 0)),
        Some((20, 10)),
        Some((38, 9)),
        Some((2, -3)),
        Some((2, 4)),
    ];
    let wholes = [
        "0",
        "7",
        "10",
        "9999",
        "10000",
        "100000000",
        "1234567890123456",
        "12345678901234567",
    ];
    let fractions = [
        "",
        ".0",
        ".5",
        ".50",
        ".05",
        ".0005",
        ".00005",
        ".1234567890123456",
        ".12345678901234567",
        ".500000000",
    ];
    for precision in columns {
        let column = Numeric {
            precision: precision.map(|(precision, scale)| NumericPrecision { precision, scale }),
            takes_infinity: true,
        };
        for whole in wholes {
            for fraction in fractions {
                check_short(&format!("{whole}{fraction}"), column);
                check_short(&format!("-{whole}{fraction}"), column);
            }
        }
    }
    let mut out = Vec::new();
    for digits in [
        "", "-", ".", "1.", ".1", "1e1", "1.5e1", "+1", "x", "1x", "1.x",
    ] {
        assert!(
            !short_number::write(digits, Numeric::default(), &mut out),
            "{digits}"
        );
    }
    assert!(out.is_empty());
}

#[test]
fn numerics_that_do_not_fit() {
    let cases = [
        ("1.234", Some((10, 2)), "more than 2 digits after the point"),
        (
            "123456789",
            Some((10, 2)),
            "more than 8 digits before the point",
        ),
        (
            "1e400",
            Some((10, 2)),
            "more than 8 digits before the point",
        ),
        ("1e131073", None, "more than 131072 digits before"),
        ("1e-16384", None, "more than 16383 digits after"),
        ("1e9999999999999999999999", None, "digits before the point"),
    ];
    for (digits, precision, part) in cases {
        let found = binary(digits, precision).unwrap_err();
        assert!(found.contains(part), "{digits}: {found}");
    }
}
