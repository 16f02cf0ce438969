//! The small initramfs that ends in a shell on the console.
use super::cpio::Archive;
use super::{Built, apt, path};
use crate::fault::{Doing, Result};
use crate::{progress, workspace};
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::Write;

/// `setsid cttyhack` gives the shell a controlling terminal, so that it has job control and
/// Ctrl-C; when the user leaves the shell, the board is switched off.
const INIT: &str = "\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
export PATH=/bin HOME=/ PS1='/ # ' TERM=vt102
setsid cttyhack sh
poweroff -f
";

/// The applets that get a name of their own in /bin; `busybox NAME` reaches the others.
const APPLETS: &str = "\
ash cat chmod cmp cp cttyhack cut date dd devmem df dmesg du echo env false find free grep head \
hexdump hostname id ifconfig init insmod ip kill ln ls lsmod md5sum mkdir mknod mount mv nproc ping \
poweroff printf ps pwd reboot rm sed seq setsid sh sha256sum sleep sort stty sync tail taskset \
tee test time top touch tr true tty umount uname uniq uptime vi watch wc which xargs yes";

/// Whether the busybox in the cache is newer than the initramfs made of it, or the recipe is.
pub fn is_stale(built: &Built) -> bool {
    let stamp = workspace::cache()
        .join("images")
        .join(format!("{}.recipe", built.name));
    fs::read_to_string(stamp).ok() != recipe(built).ok()
}

fn recipe(built: &Built) -> Result<String> {
    let mut recipe = format!("{}\n", super::sha256(&bytes(&built.busybox)?));
    for module in &built.modules {
        let hash = super::sha256(&bytes(module)?);
        recipe = format!("{recipe}{module} {hash}\n");
    }
    Ok(recipe + INIT + APPLETS)
}

fn bytes(image: &str) -> Result<Vec<u8>> {
    let file = path(image);
    Ok(fs::read(&file).doing(|| format!("cannot read {}", file.display()))?)
}

/// Builds it into the cache.
pub fn build(built: &Built) -> Result<()> {
    let step = progress::step(format!("building {}", built.name));
    let busybox = bytes(&built.busybox)?;
    let mut modules = Vec::new();
    for module in &built.modules {
        modules.push((module.as_str(), bytes(module)?));
    }
    apt::store(&built.name, &gzip(&archive(&busybox, &modules))?)?;
    apt::store(&format!("{}.recipe", built.name), recipe(built)?.as_bytes())?;
    step.finish();
    Ok(())
}

fn archive(busybox: &[u8], modules: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "lib", "proc", "sys", "tmp", "root"] {
        archive.directory(folder);
    }
    archive.character_device("dev/console", 5, 1);
    archive.character_device("dev/null", 1, 3);
    archive.file("bin/busybox", 0o755, busybox);
    for applet in APPLETS.split(' ') {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    for (name, bytes) in modules {
        archive.file(&format!("lib/{name}"), 0o644, bytes);
    }
    archive.file("init", 0o755, INIT.as_bytes());
    archive.finish()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    // No name and no time in the header: the same bytes on every build.
    let mut out = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    out.write_all(bytes)
        .doing(|| "cannot compress".to_owned())?;
    Ok(out.finish().doing(|| "cannot compress".to_owned())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initramfs_is_reproducible_and_holds_init_and_a_shell() {
        let plain = archive(b"\x7fELF", &[("a.ko", b"module".to_vec())]);
        let again = archive(b"\x7fELF", &[("a.ko", b"module".to_vec())]);
        assert_eq!(gzip(&plain).unwrap(), gzip(&again).unwrap());
        let holds = |text: &[u8]| plain.windows(text.len()).any(|window| window == text);
        assert!(holds(b"\0init\0") || holds(b"init\0"));
        assert!(holds(b"bin/sh\0"));
        assert!(holds(b"lib/a.ko\0"));
    }
}
