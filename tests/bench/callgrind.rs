//! What callgrind counted, by rooms of the program.

use std::collections::HashMap;
use std::path::Path;

/// A room and how the names of its functions are told: a piece of a Rust path, or the beginning of a C name. The first
/// room that fits counts.
const ROOMS: [(&str, &[&str], &[&str]); 10] = [
    (
        "allocation",
        &["__rust_alloc", "__rust_dealloc", "__rust_realloc", "__rdl_"],
        &[
            "malloc",
            "free",
            "calloc",
            "realloc",
            "_int_",
            "tcache",
            "sysmalloc",
            "unlink_chunk",
            "cfree",
            "posix_memalign",
            "__libc_",
            "arena_get",
            "systrim",
            "alloc_perturb",
            "checked_request",
        ],
    ),
    (
        "copies",
        &[],
        &["mem", "bcmp", "__mem", "strlen", "__strlen"],
    ),
    ("contract", &["connect_contracts::", "jsonschema::"], &[]),
    ("encode", &["connect_sink_postgres::"], &[]),
    ("value", &["connect_api::value", "jiter::"], &[]),
    ("engine", &["connect_engine::", "connect_api::"], &[]),
    (
        "Kafka",
        &["connect_kafka::", "rdkafka::"],
        &[
            "rd_", "rdkafka", "LZ4", "XXH", "crc32", "rkb", "ZSTD", "HUF", "mtx_", "cnd_", "cJSON",
        ],
    ),
    (
        "TLS",
        &["native_tls::", "openssl::", "tokio_native_tls::"],
        &[
            "SSL",
            "ssl",
            "EVP",
            "evp",
            "aes",
            "AES",
            "gcm",
            "gcm_",
            "CRYPTO",
            "BIO",
            "bio",
            "tls",
            "ossl",
            "OSSL",
            "OPENSSL",
            "RECORD",
            "ERR_",
            "WPACKET",
            "rand_",
            "_aesni",
            "_gcm",
            "generic_",
            "cipher_",
            "do_ssl3",
            "OSSL_PARAM",
            "ASYNC",
            "buffer_",
            "RAND",
            "statem",
            "state_",
        ],
    ),
    (
        "driver",
        &["sqlx_core::", "sqlx_postgres::", "tokio::", "sqlx::"],
        &[],
    ),
    ("rest", &[""], &[]),
];

/// Instructions of each room, in the order of [`names`].
pub(crate) struct Counts([i64; ROOMS.len()]);

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROOMS.iter().map(|(name, ..)| *name)
}

impl Counts {
    /// Reads the file that callgrind leaves. Each line of costs belongs to the function named last, except the line
    /// behind `calls=`: that is what the called function took, which its own lines say again.
    pub(crate) fn read(file: &Path) -> Counts {
        let text = std::fs::read_to_string(file).expect("callgrind left its counts");
        let mut counts = Counts([0; ROOMS.len()]);
        let mut functions: HashMap<&str, usize> = HashMap::new();
        let (mut room, mut is_called) = (ROOMS.len() - 1, false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                room = room_of(name, &mut functions);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                room_of(name, &mut functions);
            } else if line.starts_with("calls=") {
                is_called = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                let cost = line.split_ascii_whitespace().nth(1);
                let cost: i64 = cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
                if !std::mem::take(&mut is_called) {
                    counts.0[room] += cost;
                }
            }
        }
        counts
    }

    /// For each record of those that `self` has more than `fewer`.
    pub(crate) fn for_each_record(&self, fewer: &Counts, records: u64) -> Vec<f64> {
        let pairs = self.0.iter().zip(fewer.0);
        pairs
            .map(|(more, fewer)| (more - fewer) as f64 / records as f64)
            .collect()
    }
}

/// The room of `(number) name`, or of a `(number)` whose name came before.
fn room_of<'a>(name: &'a str, functions: &mut HashMap<&'a str, usize>) -> usize {
    let (number, name) = name.split_once(' ').unwrap_or((name, ""));
    *functions.entry(number).or_insert_with(|| {
        let fits = |(_, paths, starts): &(&str, &[&str], &[&str])| {
            paths.iter().any(|path| name.contains(path))
                || (!name.contains("::") && starts.iter().any(|start| name.starts_with(start)))
        };
        ROOMS
            .iter()
            .position(fits)
            .expect("the last room takes all")
    })
}
