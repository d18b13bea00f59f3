//! The location of a bucket.

use std::fmt;
use std::str::FromStr;

/// `s3://BUCKET` or `s3://BUCKET/PREFIX`. Credentials, region and endpoint are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    pub(crate) bucket: String,
    /// The prefix, without a slash at either end. Empty if the whole bucket is used.
    pub(crate) prefix: String,
}

/// A text that is not the URL of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a bucket URL, such as s3://BUCKET/PREFIX, of letters, digits, dots, hyphens and underscores; credentials and the endpoint are given in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
)]
pub struct InvalidBucketUrl;

impl FromStr for BucketUrl {
    type Err = InvalidBucketUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBucketUrl> {
        let rest = text.strip_prefix("s3://").ok_or(InvalidBucketUrl)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_name = |part: &str| {
            !part.is_empty()
                && !part.bytes().all(|byte| byte == b'.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        };
        // A name that needed escapes would be another one in the signature of some servers.
        let valid = is_name(bucket) && (prefix.is_empty() || prefix.split('/').all(is_name));
        if !valid {
            return Err(InvalidBucketUrl);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

impl BucketUrl {
    /// The object's whole name in the bucket.
    pub(crate) fn object(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// The name of an object below the prefix.
    pub(crate) fn name_of<'a>(&self, object: &'a str) -> Option<&'a str> {
        match self.prefix.is_empty() {
            true => Some(object),
            false => object.strip_prefix(&self.prefix)?.strip_prefix('/'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_bucket_and_perhaps_a_prefix() {
        for (text, shown) in [
            ("s3://artifacts", "s3://artifacts"),
            ("s3://artifacts/", "s3://artifacts"),
            ("s3://arti.facts-1/pp/host_2/", "s3://arti.facts-1/pp/host_2"),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.name_of(&url.object("a/b")), Some("a/b"));
        }
        let url: BucketUrl = "s3://artifacts/pp".parse().unwrap();
        assert_eq!((url.name_of("pp2/a"), url.name_of("other")), (None, None));
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for text in [
            "artifacts",
            "https://artifacts",
            "s3://",
            "s3:///pp",
            "s3://key:secret@artifacts",
            "s3://artifacts//pp",
            "s3://artifacts/../pp",
            "s3://artifacts/a b",
            "s3://artifacts/pp?region=x",
        ] {
            assert_eq!(text.parse::<BucketUrl>(), Err(InvalidBucketUrl), "{text}");
        }
    }
}
