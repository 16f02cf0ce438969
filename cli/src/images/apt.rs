//! Fetches files of Debian packages, foreign architectures too, with apt's own verification,
//! and leaves the user's apt set-up as it was: lists, cache and status are private folders.
use super::Packaged;
use crate::fault::{Doing, Fault, Result};
use crate::{progress, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// apt, on private folders, for one architecture.
struct Apt {
    folder: PathBuf,
    architecture: String,
    sources: PathBuf,
}

/// Fetches all of `images` into the cache; one download a package.
pub fn fetch(images: &[&Packaged]) -> Result<()> {
    let mut left: Vec<&Packaged> = images.to_vec();
    while let Some(first) = left.first().copied() {
        let (now, later) = left
            .into_iter()
            .partition(|image| image.architecture == first.architecture);
        left = later;
        fetch_architecture(&first.architecture, now)?;
    }
    Ok(())
}

fn fetch_architecture(architecture: &str, mut images: Vec<&Packaged>) -> Result<()> {
    let apt = Apt::new(architecture)?;
    let step = progress::step(format!("reading Debian's package lists for {architecture}"));
    // Some index files failing does not matter if the download works.
    let listed = apt.command("apt-get").arg("update").output();
    step.finish();
    let listed = listed
        .doing(|| "cannot run apt-get".to_owned())
        .map_err(|fault| {
            fault.mend("images come from Debian packages: run this on Debian or with apt installed")
        })?;
    while let Some(first) = images.first().copied() {
        let (now, later): (Vec<_>, Vec<_>) = images
            .into_iter()
            .partition(|image| image.package == first.package && image.through == first.through);
        images = later;
        let package = match &first.through {
            Some(prefix) => apt.dependency(&first.package, prefix),
            None => Ok(first.package.clone()),
        };
        let fetched = package.and_then(|package| apt.fetch(&package, &now));
        fetched.map_err(|mut faults| {
            if !listed.status.success() {
                let said = String::from_utf8_lossy(&listed.stderr);
                let mend = format!("apt could not read all lists: {}", last_line(&said));
                faults
                    .0
                    .iter_mut()
                    .for_each(|fault| fault.mend = Some(mend.clone()));
            }
            faults
        })?;
    }
    Ok(())
}

impl Apt {
    fn new(architecture: &str) -> Result<Self> {
        let folder = workspace::cache().join("apt").join(architecture);
        for part in [
            "lists/partial",
            "cache/archives/partial",
            "none",
            "download",
        ] {
            fs::create_dir_all(folder.join(part))
                .doing(|| format!("cannot make {}", folder.join(part).display()))?;
        }
        let sources = [
            "/etc/apt/sources.list.d/debian.sources",
            "/etc/apt/sources.list",
        ];
        let sources = sources.iter().map(PathBuf::from).find(|file| file.exists());
        let sources = sources.ok_or_else(|| {
            Fault::new("this machine has no list of Debian's package sources")
                .mend("put one at /etc/apt/sources.list.d/debian.sources")
        })?;
        Ok(Self {
            folder,
            architecture: architecture.to_owned(),
            sources,
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |part: &str| self.folder.join(part).display().to_string();
        for option in [
            format!("APT::Architecture={}", self.architecture),
            format!("APT::Architectures={}", self.architecture),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Etc::SourceParts={}", at("none")),
            format!("Dir::Etc::sourcelist={}", self.sources.display()),
            "Acquire::Languages=none".to_owned(),
            // The sandbox user cannot write into a private folder.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
            .current_dir(self.folder.join("download"))
            .stdin(Stdio::null())
            .env("LC_ALL", "C");
        command
    }

    /// The first dependency of `package` whose name begins with `prefix`.
    fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let output = self
            .command("apt-cache")
            .args(["depends", package])
            .output()
            .doing(|| "cannot run apt-cache".to_owned())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found = dependency_in(&said, prefix);
        Ok(found.ok_or_else(|| {
            Fault::new(format!(
                "Debian's package {package} names no dependency {prefix}*"
            ))
        })?)
    }

    fn fetch(&self, package: &str, images: &[&Packaged]) -> Result<()> {
        let step = progress::step(format!("fetching {package}:{}", self.architecture));
        let download = self.folder.join("download");
        // What an earlier, interrupted run left would be mistaken for this download.
        remove_packages(&download);
        let output = self
            .command("apt-get")
            .args(["download", package])
            .output()
            .doing(|| "cannot run apt-get".to_owned())?;
        let deb = packages_in(&download).into_iter().next().ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            Fault::new(format!("cannot download {package}: {}", last_line(&said)))
                .mend("look whether this machine reaches Debian's mirror, then try again")
        })?;
        step.finish();
        let step = progress::step(format!("unpacking {package}"));
        for image in images {
            take_file(&deb, image)?;
        }
        remove_packages(&download);
        step.finish();
        Ok(())
    }
}

/// Takes one file out of a package into the cache, and says so when its hash is a new one.
fn take_file(deb: &Path, image: &Packaged) -> Result<()> {
    let mut unpack = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .doing(|| "cannot run dpkg-deb".to_owned())?;
    let tar = unpack
        .stdout
        .take()
        .ok_or_else(|| Fault::new("dpkg-deb has no output"))?;
    let output = Command::new("tar")
        .args(["-x", "-f", "-", "-O", "--wildcards"])
        .arg(format!("./{}", image.path))
        .stdin(tar)
        .output()
        .doing(|| "cannot run tar".to_owned());
    let _ = unpack.wait();
    let bytes = output?.stdout;
    if bytes.is_empty() {
        let deb = deb
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        return Err(Fault::new(format!("{deb} holds no {}", image.path))
            .mend("the package has changed: correct `path` in legacy-images/manifest.toml")
            .into());
    }
    let seen = super::sha256(&bytes);
    if seen != image.sha256 {
        progress::note(&format!(
            "{}: not the one last seen (now sha256 {seen}); Debian has moved on, used all the same",
            image.name
        ));
    }
    store(&image.name, &bytes)
}

/// Puts an image into the cache, whole or not at all.
pub fn store(name: &str, bytes: &[u8]) -> Result<()> {
    let file = super::path(name);
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    fs::create_dir_all(&folder).doing(|| format!("cannot make {}", folder.display()))?;
    let part = folder.join(format!(".{name}.{}", std::process::id()));
    fs::write(&part, bytes).doing(|| format!("cannot write {}", part.display()))?;
    Ok(fs::rename(&part, &file).doing(|| format!("cannot write {}", file.display()))?)
}

fn packages_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect()
}

fn remove_packages(folder: &Path) {
    for deb in packages_in(folder) {
        let _ = fs::remove_file(deb);
    }
}

fn dependency_in(depends: &str, prefix: &str) -> Option<String> {
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with(prefix))
        .map(str::to_owned)
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_package_is_found_by_its_dependency() {
        let said = "linux-image-armmp\n  Depends: initramfs-tools\n  Depends: linux-image-6.1.0-50-armmp\n";
        let found = dependency_in(said, "linux-image-");
        assert_eq!(found.as_deref(), Some("linux-image-6.1.0-50-armmp"));
        assert_eq!(dependency_in(said, "u-boot"), None);
    }
}
