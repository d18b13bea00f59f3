//! A bucket, on threads of its own.

use crate::error::{BucketError, has_code, is_refused, words};
use crate::location::BucketUrl;
use crate::sign::Hashes;
use crate::transport::Transport;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, Error, ObjectStore as _, ObjectStoreExt as _, PutPayload, RetryConfig};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use store::{Answer, ObjectStorage, StoreError};
use tokio::runtime::{Builder, Runtime};

/// The attempts of a request that the server did not answer, and the time limit of all attempts together.
const TRIES: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(15);

/// The endpoint that error messages name if none is set.
const AMAZON: &str = "Amazon S3";

/// The variable that names another server than Amazon's, and the variable that has precedence over it.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// The variables that name the source of credentials. If none is set, the machine's metadata service is used.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// A bucket of S3-compatible object storage. Its `Debug` has no credentials.
pub struct Bucket {
    inner: Arc<Inner>,
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

struct Inner {
    client: AmazonS3,
    url: BucketUrl,
    endpoint: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.inner.url)
    }
}

impl Bucket {
    /// The bucket at that location, with the settings that Amazon's own tools read from the environment: `AWS_ACCESS_KEY_ID`,
    /// `AWS_ENDPOINT_URL` and so on. Sends nothing yet.
    ///
    /// # Errors
    /// When a setting is not valid, or says that there are no credentials.
    pub fn open(
        url: BucketUrl,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BucketError> {
        let settings: Vec<_> = settings.into_iter().filter(|(name, _)| name.starts_with("AWS_")).collect();
        let place = url.to_string();
        let setting =
            |wanted: &str| settings.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let is_given = CREDENTIALS.iter().any(|name| setting(name).is_some());
        if !is_given && setting("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value == "true") {
            let problem = "none is set, and AWS_EC2_METADATA_DISABLED forbids to ask for them".to_owned();
            return Err(BucketError::NoCredentials { place, problem });
        }
        let endpoint = ENDPOINTS.iter().find_map(|name| setting(name)).unwrap_or_else(|| AMAZON.to_owned());
        let wrong = |problem: String| BucketError::Settings { place: place.clone(), problem };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in &settings {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() };
        let client = builder
            .with_bucket_name(&url.bucket)
            .with_http_connector(Transport::new().map_err(wrong)?)
            .with_crypto_provider(Arc::new(Hashes))
            // One object for each request: not every server supports removing several.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig { backoff, max_retries: TRIES, retry_timeout: TIMEOUT })
            .build()
            .map_err(|error| wrong(words(&error)))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pp-host-bucket")
            .enable_all()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner { client, url, endpoint }), runtime: Some(runtime) })
    }

    fn work<T, F>(&self, act: impl FnOnce(Arc<Inner>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (promise, answer) = Answer::promised();
        let (inner, acting) = (Arc::clone(&self.inner), act(Arc::clone(&self.inner)));
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                promise.answer(match acting.await {
                    Ok(done) => Ok(done),
                    Err(error) => Err(inner.meaning(&error).await),
                });
            });
        }
        answer
    }
}

impl Inner {
    fn path(&self, name: &str) -> Path {
        Path::from(self.url.object(name))
    }

    async fn meaning(&self, error: &Error) -> StoreError {
        let (place, problem) = (self.url.to_string(), words(error));
        // If there are no credentials, no request was sent; otherwise they are known already, and this sends none.
        if let Err(error) = self.client.credentials().get_credential().await {
            return BucketError::NoCredentials { place, problem: words(&error) }.into();
        }
        let endpoint = self.endpoint.clone();
        let error = match error {
            error if has_code(error, "NoSuchBucket") => {
                BucketError::NoBucket { bucket: self.url.bucket.clone(), endpoint }
            }
            error if is_refused(error) => BucketError::Refused { place, problem },
            _ => BucketError::Unreachable { place, endpoint, problem },
        };
        error.into()
    }
}

/// Whether an object is missing. A bucket that is missing is an error.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !has_code(error, "NoSuchBucket")
}

impl ObjectStorage for Bucket {
    fn place(&self) -> String {
        self.inner.url.to_string()
    }

    fn check(&self) -> Answer<()> {
        self.work(|inner| async move {
            let prefix = Path::from(inner.url.prefix.clone());
            inner.client.list(Some(&prefix)).try_next().await.map(drop)
        })
    }

    fn put(&self, name: &str, bytes: Arc<[u8]>) -> Answer<()> {
        let path = self.inner.path(name);
        self.work(|inner| async move {
            let payload = PutPayload::from(bytes.to_vec());
            drop(bytes);
            inner.client.put(&path, payload).await.map(drop)
        })
    }

    fn get(&self, name: &str) -> Answer<Option<Vec<u8>>> {
        let path = self.inner.path(name);
        self.work(|inner| async move {
            match inner.client.get(&path).await {
                Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn has(&self, name: &str) -> Answer<bool> {
        let path = self.inner.path(name);
        self.work(|inner| async move {
            match inner.client.head(&path).await {
                Ok(_) => Ok(true),
                Err(error) if is_missing(&error) => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    fn remove(&self, name: &str) -> Answer<()> {
        let path = self.inner.path(name);
        self.work(|inner| async move {
            match inner.client.delete(&path).await {
                Err(error) if !is_missing(&error) => Err(error),
                _ => Ok(()),
            }
        })
    }

    fn names(&self, under: &str) -> Answer<Vec<String>> {
        let path = self.inner.path(under);
        self.work(|inner| async move {
            let found: Vec<_> = inner.client.list(Some(&path)).try_collect().await?;
            let names = found.iter().filter_map(|object| inner.url.name_of(object.location.as_ref()));
            Ok(names.map(str::to_owned).collect())
        })
    }
}

/// A runtime that is dropped inside of another one panics; this way it does not wait.
impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
