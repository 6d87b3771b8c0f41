//! The two text formats of a scrape. The library writes OpenMetrics; Prometheus's older format, which `promtool check
//! metrics` and many agents read, differs in the lines that describe a family.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum TextFormat {
    OpenMetrics,
    Prometheus,
}

impl TextFormat {
    /// OpenMetrics, unless the client accepts plain text only.
    pub(in crate::http) fn accepted_by(accept: &str) -> TextFormat {
        let accepts_plain = accept.contains("text/plain");
        if accepts_plain && !accept.contains("application/openmetrics-text") {
            TextFormat::Prometheus
        } else {
            TextFormat::OpenMetrics
        }
    }

    pub(in crate::http) fn content_type(self) -> &'static str {
        match self {
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// In the older format a family has the name of its samples (`…_total`, `…_info`), units do not exist, and an info is
/// a gauge.
pub(super) fn prometheus(open_metrics: &str) -> String {
    let kinds: Vec<(&str, &str)> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let suffix = |name: &str| match kinds.iter().find(|(family, _)| *family == name) {
        Some((_, "counter")) => "_total",
        Some((_, "info")) => "_info",
        _ => "",
    };
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described = ["# HELP ", "# TYPE "].iter().find_map(|word| {
            let (name, rest) = line.strip_prefix(word)?.split_once(' ')?;
            let rest = if rest == "info" { "gauge" } else { rest };
            Some(format!("{word}{name}{} {rest}", suffix(name)))
        });
        text.push_str(described.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_answered_where_only_that_is_asked_for() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, expected) in [
            ("", TextFormat::OpenMetrics),
            ("*/*", TextFormat::OpenMetrics),
            ("text/plain", TextFormat::Prometheus),
            ("text/plain;version=0.0.4, */*", TextFormat::Prometheus),
            (of_prometheus, TextFormat::OpenMetrics),
        ] {
            assert_eq!(TextFormat::accepted_by(accept), expected, "{accept}");
        }
    }

    #[test]
    fn families_are_named_as_their_samples() {
        let open_metrics = "# HELP a Records.\n# TYPE a counter\na_total{x=\"# TYPE a\"} 1\n\
            # HELP b_seconds Age.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2\n\
            # HELP c Program.\n# TYPE c info\nc_info{v=\"1\"} 1\n# EOF\n";
        let expected = "# HELP a_total Records.\n# TYPE a_total counter\na_total{x=\"# TYPE a\"} 1\n\
            # HELP b_seconds Age.\n# TYPE b_seconds gauge\nb_seconds 2\n\
            # HELP c_info Program.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n";
        assert_eq!(prometheus(open_metrics), expected);
    }
}
