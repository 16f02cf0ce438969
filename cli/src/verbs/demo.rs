//! `cargo reliquary demo`.
use super::run::Run;
use super::setup;
use crate::fault::Result;
use crate::workspace;
use clap::Args;

/// Boot two old boards with Linux, joined by wires: setup, images, build and run in one.
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
  Debian's 32-bit kernel, its bytes untouched, is about to boot in two VMs: Arm Versatile
  Express boards of 2011, `press` with a Cortex-A9 and `panel` with a Cortex-A15, every peripheral
  of them emulated by Reliquary, on a 64-bit machine that has none of them (QEMU's virt). A serial
  line joins their second UARTs, and a cable their Ethernet controllers.

  To the other console:       Ctrl-A, then n
  The serial line, at both:   stty -F /dev/ttyAMA1 115200 raw -echo
    at one:                   cat /dev/ttyAMA1
    at the other:             echo hello > /dev/ttyAMA1
  The cable, at both:         for m in libphy smsc smsc911x; do insmod /lib/$m.ko; done
    at press:                 ifconfig eth0 10.0.0.1 up
    at panel:                 ifconfig eth0 10.0.0.2 up; ping 10.0.0.1
  To leave:                   Ctrl-A, then x
";

impl Demo {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        setup::ensure()?;
        anstream::println!("{WELCOME}");
        let system = workspace::root().join("systems/two-boards.toml");
        Run::interactive(system, self.host.clone()).run()
    }
}
