//! `cargo reliquary demo`.
use super::run::Run;
use super::setup;
use crate::fault::Result;
use crate::workspace;
use clap::Args;

/// Boot a Linux of an old board to its shell: setup, images, build and run in one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary demo
  cargo reliquary demo --host qemu-virt-gicv2")]
pub struct Demo {
    /// The host that QEMU plays: qemu-virt, qemu-virt-max or qemu-virt-gicv2.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

const WELCOME: &str = "
  Debian's 32-bit kernel, its bytes untouched, is about to boot in a VM: an Arm Versatile
  Express board of 2011, every peripheral of it emulated by Reliquary, on a 64-bit machine
  that has none of them (QEMU's virt).

  At the prompt `/ # ` try:   cat /proc/cpuinfo     cat /proc/interrupts     dmesg | less
  To leave:                   Ctrl-A, then x
";

impl Demo {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        setup::ensure()?;
        anstream::println!("{WELCOME}");
        let system = workspace::root().join("systems/vexpress-a15-linux.toml");
        Run::interactive(system, self.host.clone()).run()
    }
}
