//! The hosts that a system can be made for: platforms/host-*.dts, and how QEMU plays them.
use super::reader::Located;
use crate::fault::{Fault, did_you_mean};
use crate::tree::Tree;
use crate::workspace;
use std::path::{Path, PathBuf};

/// A host SoC.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name: `qemu-virt`.
    pub name: String,
    /// Its device tree's source.
    pub file: PathBuf,
    /// Its device tree.
    pub tree: Tree,
}

/// How QEMU plays a host; those that are boards only have none.
const QEMU: [(&str, &[&str]); 3] = [
    (
        "qemu-virt",
        &[
            "-M",
            "virt,virtualization=on,gic-version=3",
            "-cpu",
            "cortex-a57",
            "-smp",
            "2",
            "-m",
            "1G",
        ],
    ),
    (
        "qemu-virt-max",
        &[
            "-M",
            "virt,virtualization=on,gic-version=3",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1G",
        ],
    ),
    (
        "qemu-virt-gicv2",
        &[
            "-M",
            "virt,virtualization=on,gic-version=2",
            "-cpu",
            "cortex-a57",
            "-smp",
            "2",
            "-m",
            "1G",
        ],
    ),
];

impl Host {
    /// The host of this name.
    pub fn find(name: &str) -> crate::fault::Result<Self> {
        let file = workspace::root().join(format!("platforms/host-{name}.dts"));
        if !file.exists() {
            let names = names();
            let known = names.iter().map(String::as_str);
            let mend = did_you_mean(name, known).map_or_else(
                || format!("known hosts: {}", names.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            return Err(Fault::new(format!("the host \"{name}\" is not known"))
                .mend(mend)
                .into());
        }
        let tree = Tree::of_file(&file)?;
        Ok(Self {
            name: name.to_owned(),
            file,
            tree,
        })
    }

    /// Its number of cores.
    pub fn cores(&self) -> usize {
        self.tree.cpus().len()
    }

    /// Its RAM in bytes.
    pub fn memory(&self) -> u64 {
        self.tree.memory().iter().map(|region| region.size).sum()
    }

    /// The rate of its generic timer, CNTFRQ, as its map says.
    pub fn timer_frequency(&self) -> Option<u32> {
        let nodes = self.tree.walk();
        nodes.iter().find_map(|(_, node, _)| {
            node.cell("reliquary,timer-frequency").or_else(|| {
                node.is_compatible("arm,armv8-timer")
                    .then(|| node.cell("clock-frequency"))
                    .flatten()
            })
        })
    }

    /// Whether it has a GICv3.
    pub fn has_gicv3(&self) -> bool {
        let nodes = self.tree.walk();
        nodes
            .iter()
            .any(|(_, node, _)| node.is_compatible("arm,gic-v3"))
    }

    /// Its PL011: the one that `/chosen` names, or else the first.
    pub fn console(&self) -> Option<u64> {
        let nodes = self.tree.walk();
        let chosen = self.tree.node("/chosen");
        let named = chosen
            .and_then(|chosen| chosen.text("stdout-path"))
            .and_then(|path| path.split(':').next());
        let mut uarts = nodes
            .iter()
            .filter(|(_, node, _)| node.is_compatible("arm,pl011"));
        let (_, _, regions) = uarts
            .clone()
            .find(|(path, _, _)| Some(path.as_str()) == named)
            .or_else(|| uarts.next())?;
        regions.first().map(|region| region.base)
    }

    /// QEMU's arguments, if it can play this host.
    pub fn qemu(&self) -> std::result::Result<&'static [&'static str], Fault> {
        let found = QEMU.iter().find(|(name, _)| *name == self.name);
        found.map(|(_, arguments)| *arguments).ok_or_else(|| {
            let names: Vec<_> = QEMU.iter().map(|(name, _)| *name).collect();
            Fault::new(format!("QEMU does not play the host {}", self.name))
                .mend(format!("run it with --host {}", names.join(" or --host ")))
        })
    }

    /// Says that a system file's host is not known.
    pub fn of_system(file: &Path, name: &Located<String>) -> crate::fault::Result<Self> {
        Self::find(&name.value).map_err(|mut faults| {
            for fault in &mut faults.0 {
                fault
                    .at
                    .get_or_insert((file.to_path_buf(), Some(name.line)));
            }
            faults
        })
    }
}

/// The names of all hosts.
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(workspace::root().join("platforms"));
    let files = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_prefix("host-")?.strip_suffix(".dts")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_console_for_messages_before_its_tree_is_read() {
        for name in names() {
            let host = Host::find(&name).unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(host.console(), Some(0x0900_0000), "{name}");
        }
    }
}
