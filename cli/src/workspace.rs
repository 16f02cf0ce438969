//! Where the workspace's files are.
use std::path::{Path, PathBuf};

/// The workspace's folder: the one that the tool was built in, or the nearest above the
/// current folder that looks like one.
pub fn root() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf);
    if let Some(root) = built_in.filter(|root| root.join("Cargo.toml").exists()) {
        return root;
    }
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors()
        .find(|folder| folder.join("legacy-images/manifest.toml").exists())
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Where fetched and built files are kept, outside git: `$RELIQUARY_CACHE`, or `.cache` in
/// the workspace.
pub fn cache() -> PathBuf {
    std::env::var_os("RELIQUARY_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from)
}

/// `path` as a message should show it: relative to the current folder where it is below it.
pub fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .map_or_else(|_| path.to_path_buf(), Path::to_path_buf)
}

/// Where cargo builds: `$CARGO_TARGET_DIR`, or `target` in the workspace.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
