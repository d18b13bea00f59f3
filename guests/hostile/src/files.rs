//! Every call of the file system, on a directory that was never opened. The host gives no directory, so no other exists.

use guest_sdk::serde_json::{Value, json};
use wasip2::filesystem::types;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};

const PATH: &str = "etc/passwd";
const NO_FLAGS: PathFlags = PathFlags::empty();

pub(crate) fn attack(name: &str) -> Option<Value> {
    let name = name.strip_prefix("wasi-file-")?;
    // SAFETY: none. That is the attack.
    let (root, other) = unsafe { (Descriptor::from_handle(3), Descriptor::from_handle(4)) };
    let survived = reading(name, &root, &other)
        .or_else(|| writing(name, &root))
        .or_else(|| changing(name, &root, &other))
        .or_else(|| foreign(name))?;
    Some(json!({ "survived": survived }))
}

fn reading(name: &str, root: &Descriptor, other: &Descriptor) -> Option<bool> {
    Some(match name {
        "read-via-stream" => root.read_via_stream(0).is_ok(),
        "read" => root.read(1 << 40, 0).is_ok(),
        "read-directory" => root.read_directory().is_ok(),
        "get-flags" => root.get_flags().is_ok(),
        "get-type" => root.get_type().is_ok(),
        "stat" => root.stat().is_ok(),
        "stat-at" => root.stat_at(NO_FLAGS, PATH).is_ok(),
        "readlink-at" => root.readlink_at(PATH).is_ok(),
        "is-same-object" => root.is_same_object(other),
        "metadata-hash" => root.metadata_hash().is_ok(),
        "metadata-hash-at" => root.metadata_hash_at(NO_FLAGS, PATH).is_ok(),
        "advise" => root.advise(0, 1, types::Advice::WillNeed).is_ok(),
        _ => return None,
    })
}

fn writing(name: &str, root: &Descriptor) -> Option<bool> {
    Some(match name {
        "write-via-stream" => root.write_via_stream(0).is_ok(),
        "append-via-stream" => root.append_via_stream().is_ok(),
        "write" => root.write(b"x", 0).is_ok(),
        "set-size" => root.set_size(1 << 60).is_ok(),
        "set-times" => root.set_times(NewTimestamp::Now, NewTimestamp::Now).is_ok(),
        "set-times-at" => {
            root.set_times_at(NO_FLAGS, PATH, NewTimestamp::Now, NewTimestamp::NoChange).is_ok()
        }
        "sync" => root.sync().is_ok(),
        "sync-data" => root.sync_data().is_ok(),
        _ => return None,
    })
}

fn changing(name: &str, root: &Descriptor, other: &Descriptor) -> Option<bool> {
    Some(match name {
        "open-at" => {
            root.open_at(PathFlags::SYMLINK_FOLLOW, PATH, OpenFlags::CREATE, DescriptorFlags::WRITE).is_ok()
        }
        "create-directory-at" => root.create_directory_at("escaped").is_ok(),
        "remove-directory-at" => root.remove_directory_at("tmp").is_ok(),
        "unlink-file-at" => root.unlink_file_at(PATH).is_ok(),
        "rename-at" => root.rename_at(PATH, other, "escaped").is_ok(),
        "link-at" => root.link_at(NO_FLAGS, PATH, other, "escaped").is_ok(),
        "symlink-at" => root.symlink_at("/", "escaped").is_ok(),
        _ => return None,
    })
}

/// The other calls that need a handle that the host never gives.
fn foreign(name: &str) -> Option<bool> {
    // SAFETY: none. That is the attack.
    let error = unsafe { wasip2::io::error::Error::from_handle(5) };
    Some(match name {
        "read-directory-entry" => {
            // SAFETY: as above.
            let entries = unsafe { types::DirectoryEntryStream::from_handle(6) };
            entries.read_directory_entry().is_ok()
        }
        "error-code" => types::filesystem_error_code(&error).is_some(),
        "error-words" => !error.to_debug_string().is_empty(),
        _ => return None,
    })
}
