//! How a system file names an image: a path relative to it, `image:NAME` of the manifest, or
//! `firmware:NAME` of the project's own test firmware.
use super::reader::Located;
use crate::fault::{Fault, Result};
use crate::images::{self, Manifest};
use crate::{progress, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A reference to an image, and the line that it was on.
#[derive(Debug, Clone)]
pub struct Reference {
    /// As it was written.
    pub text: String,
    /// Its line.
    pub line: usize,
}

impl Reference {
    /// As it was written.
    pub fn new(text: Located<String>) -> Self {
        Self {
            text: text.value,
            line: text.line,
        }
    }

    /// The name of the manifest's image that it means, if it means one.
    pub fn image(&self) -> Option<&str> {
        self.text.strip_prefix("image:")
    }

    /// The last part of its name, for messages.
    pub fn short(&self) -> &str {
        self.text.rsplit(['/', ':']).next().unwrap_or(&self.text)
    }

    /// The file itself. Test firmware is built; `wide` says for which of the architectures.
    pub fn find(&self, system: &Path, wide: bool) -> Result<PathBuf> {
        if let Some(name) = self.image() {
            Manifest::read()?
                .known(name)
                .map_err(|fault| fault.at(system, self.line))?;
            let path = images::path(name);
            if !path.exists() {
                return Err(Fault::new(format!("the image \"{name}\" is not here yet"))
                    .at(system, self.line)
                    .mend(format!("cargo reliquary images fetch {name}"))
                    .into());
            }
            return Ok(path);
        }
        if let Some(name) = self.text.strip_prefix("firmware:") {
            return firmware(name, wide).map_err(|mut faults| {
                for fault in &mut faults.0 {
                    fault
                        .at
                        .get_or_insert((system.to_path_buf(), Some(self.line)));
                }
                faults
            });
        }
        let path = system.parent().unwrap_or(Path::new(".")).join(&self.text);
        if path.is_file() {
            return Ok(path);
        }
        let shown = workspace::shown(&path);
        Err(Fault::new(format!("there is no file {}", shown.display()))
            .at(system, self.line)
            .mend("write its path relative to the system file, or image:NAME of `cargo reliquary images list`")
            .into())
    }
}

/// Builds a program of the project's test firmware, and gives its ELF file.
pub(crate) fn firmware(name: &str, wide: bool) -> Result<PathBuf> {
    let folder = workspace::root().join("legacy-images/firmware");
    let target = if wide {
        "aarch64-unknown-none-softfloat"
    } else {
        "armv7a-none-eabi"
    };
    let step = progress::step(format!("building firmware {name} for {target}"));
    let into = workspace::target().join("firmware");
    let output = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--bin",
            name,
            "--target",
            target,
        ])
        .arg("--target-dir")
        .arg(&into)
        .current_dir(&folder)
        .output();
    let output = output.map_err(|error| Fault::new(format!("cannot run cargo: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::new(format!(
            "the firmware \"{name}\" does not build:\n{}",
            said.trim()
        ))
        .mend("the programs are in legacy-images/firmware; `cargo reliquary setup` brings targets")
        .into());
    }
    step.finish();
    Ok(into.join(target).join("release").join(name))
}
