//! What the prelude needs besides the host's calls: text, URLs, digests, chance, time and output.

use super::Natives;
use crate::bindings::wasi::cli::stdout;
use crate::bindings::wasi::random::random;
use crate::digest;
use crate::places::Places;
use crate::system;
use rquickjs::Ctx;
use rquickjs::Result;
use rquickjs::TypedArray;
use url::Url;
use url::form_urlencoded;

pub(super) fn offer(natives: &Natives<'_, '_>) -> Result<()> {
    natives.offer("position", |stack: String| Places::first_in(&stack))?;
    natives.offer("now", system::now_ms)?;
    natives.offer("random", chance)?;
    natives.offer("randomBytes", |ctx, length: u32| {
        TypedArray::<u8>::new_copy(ctx, random::get_random_bytes(length.into()))
    })?;
    natives.offer("print", |text: String| print(&text))?;
    natives.offer("encode", |ctx, text: String| TypedArray::<u8>::new_copy(ctx, text.as_bytes()))?;
    natives.offer("decode", decode)?;
    natives.offer("digest", hash)?;
    natives.offer("url", |url: String, base: Option<String>| {
        parse(&url, base.as_deref()).map(|url| parts(&url))
    })?;
    natives.offer("urlWith", |url: String, part: String, value: String| {
        with(&url, &part, &value).map(|url| parts(&url))
    })?;
    natives.offer("queryPairs", |query: String| pairs(&query))?;
    natives.offer("queryText", |pairs: Vec<Vec<String>>| query(&pairs))
}

/// As `Math.random`: 53 random bits.
fn chance() -> f64 {
    (random::get_random_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// WASI takes 4 KiB at a time. What cannot be written is not kept: the host bounds what a workflow may print.
fn print(text: &str) {
    let out = stdout::get_stdout();
    for chunk in text.as_bytes().chunks(4096) {
        if out.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
}

fn decode(bytes: TypedArray<'_, u8>, fatal: bool) -> Option<String> {
    let bytes = super::content(&bytes);
    match fatal {
        true => String::from_utf8(bytes).ok(),
        false => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn hash<'js>(ctx: Ctx<'js>, name: String, bytes: TypedArray<'js, u8>) -> Result<Option<TypedArray<'js, u8>>> {
    digest::digest(&name, &super::content(&bytes)).map(|digest| TypedArray::new_copy(ctx, digest)).transpose()
}

fn parse(url: &str, base: Option<&str>) -> Option<Url> {
    match base {
        Some(base) => Url::parse(base).ok()?.join(url).ok(),
        None => Url::parse(url).ok(),
    }
}

/// The URL, its origin, and the parts in the order of `PARTS` in prelude/url.js.
fn parts(url: &Url) -> Vec<String> {
    use url::quirks;
    let origin = quirks::origin(url);
    let parts: [&str; 9] = [
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    [url.as_str(), &origin].into_iter().chain(parts).map(str::to_owned).collect()
}

/// The URL with another part. What is not acceptable changes nothing.
fn with(url: &str, part: &str, value: &str) -> Option<Url> {
    use url::quirks;
    let mut url = Url::parse(url).ok()?;
    let changed = match part {
        "protocol" => quirks::set_protocol(&mut url, value),
        "username" => quirks::set_username(&mut url, value),
        "password" => quirks::set_password(&mut url, value),
        "host" => quirks::set_host(&mut url, value),
        "hostname" => quirks::set_hostname(&mut url, value),
        "port" => quirks::set_port(&mut url, value),
        "pathname" => {
            quirks::set_pathname(&mut url, value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, value);
            Ok(())
        }
        _ => Err(()),
    };
    changed.ok().map(|()| url)
}

fn pairs(query: &str) -> Vec<Vec<String>> {
    let query = query.strip_prefix('?').unwrap_or(query);
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| vec![name.into_owned(), value.into_owned()])
        .collect()
}

fn query(pairs: &[Vec<String>]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for pair in pairs {
        if let [name, value] = pair.as_slice() {
            text.append_pair(name, value);
        }
    }
    text.finish()
}
