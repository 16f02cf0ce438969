//! The legacy images that system files refer to as `image:NAME`: the manifest, and where
//! each one is on this machine.
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::workspace;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

pub mod apt;
pub mod cpio;
pub mod initramfs;

/// legacy-images/manifest.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Files of Debian packages.
    #[serde(default)]
    pub image: Vec<Packaged>,
    /// What the tool builds of them.
    #[serde(default)]
    pub initramfs: Vec<Built>,
}

/// A file of a Debian package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packaged {
    /// How system files refer to it.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// The package that holds it, or (see `through`) that depends on the one that does.
    pub package: String,
    /// The first letters of the dependency of `package` that holds the file.
    pub through: Option<String>,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// Its path in the package; may hold one `*`.
    pub path: String,
    /// The hash last seen.
    pub sha256: String,
}

/// An initramfs that the tool builds around a busybox.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// How system files refer to it.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// The image with the static busybox.
    pub busybox: String,
    /// The images that are put into its /lib: kernel modules.
    #[serde(default)]
    pub modules: Vec<String>,
}

impl Built {
    /// Whether the image of this name is part of it.
    fn holds(&self, image: &str) -> bool {
        self.busybox == image || self.modules.iter().any(|module| module == image)
    }
}

/// One line of `images list`.
#[derive(Debug)]
pub struct Listed {
    /// The image's name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Its size, if it is here.
    pub bytes: Option<u64>,
    /// Whether it is the one last seen, if it is here and there is a hash to compare.
    pub as_seen: Option<bool>,
}

impl Manifest {
    /// Reads the workspace's manifest.
    pub fn read() -> Result<Self> {
        let file = workspace::root().join("legacy-images/manifest.toml");
        let text = fs::read_to_string(&file)
            .doing(|| "cannot read the manifest of images".to_owned())
            .map_err(|fault| fault.in_file(&file))?;
        Ok(toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            Fault::new(error.message()).at(workspace::shown(&file), line)
        })?)
    }

    /// All names, in the manifest's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let packaged = self.image.iter().map(|image| image.name.as_str());
        packaged.chain(self.initramfs.iter().map(|built| built.name.as_str()))
    }

    /// Refuses a name that the manifest does not have.
    pub fn known(&self, name: &str) -> std::result::Result<(), Fault> {
        if self.names().any(|known| known == name) {
            return Ok(());
        }
        let mend = did_you_mean(name, self.names()).map_or_else(
            || "`cargo reliquary images list` names all that are known".to_owned(),
            |near| format!("did you mean \"image:{near}\"?"),
        );
        Err(Fault::new(format!("the image \"{name}\" is not known")).mend(mend))
    }

    /// What is known, and what of it is here.
    pub fn list(&self) -> Vec<Listed> {
        let packaged = self.image.iter().map(|image| Listed {
            name: image.name.clone(),
            what: image.what.clone(),
            bytes: fs::metadata(path(&image.name))
                .ok()
                .map(|metadata| metadata.len()),
            as_seen: fs::read(path(&image.name))
                .ok()
                .map(|bytes| sha256(&bytes) == image.sha256),
        });
        let built = self.initramfs.iter().map(|built| Listed {
            name: built.name.clone(),
            what: built.what.clone(),
            bytes: fs::metadata(path(&built.name))
                .ok()
                .map(|metadata| metadata.len()),
            as_seen: None,
        });
        packaged.chain(built).collect()
    }

    /// Brings the named images here, if they are not; with `again`, in any case.
    pub fn fetch(&self, names: &[&str], again: bool) -> Result<()> {
        for name in names {
            self.known(name)?;
        }
        let missing = |name: &str| again || !path(name).exists();
        let built: Vec<&Built> = self
            .initramfs
            .iter()
            .filter(|built| names.contains(&built.name.as_str()))
            .filter(|built| missing(&built.name) || initramfs::is_stale(built))
            .collect();
        let wanted: Vec<&Packaged> = self
            .image
            .iter()
            .filter(|image| {
                names.contains(&image.name.as_str())
                    || built.iter().any(|built| built.holds(&image.name))
            })
            .filter(|image| missing(&image.name))
            .collect();
        apt::fetch(&wanted)?;
        for built in built {
            initramfs::build(built)?;
        }
        Ok(())
    }
}

/// Where the image of this name is, or will be when it is fetched.
pub fn path(name: &str) -> PathBuf {
    workspace::cache().join("images").join(name)
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The line, from 1, that holds the byte at `offset`.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_the_workspace_is_sound() {
        let manifest = Manifest::read().unwrap();
        for built in &manifest.initramfs {
            manifest.known(&built.busybox).unwrap();
            for module in &built.modules {
                manifest.known(module).unwrap();
            }
        }
        for image in &manifest.image {
            assert_eq!(image.sha256.len(), 64, "{}", image.name);
        }
    }

    #[test]
    fn an_unknown_image_is_told_with_its_nearest_name() {
        let fault = Manifest::read().unwrap().known("vmlinuz-armp").unwrap_err();
        assert_eq!(
            fault.mend.as_deref(),
            Some("did you mean \"image:vmlinuz-armmp\"?")
        );
    }
}
