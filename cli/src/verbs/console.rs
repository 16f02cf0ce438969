//! `cargo reliquary console`.
use crate::fault::{Doing, Fault, Result};
use crate::machine::{self, Devices, End, Machine};
use crate::outside::Outside;
use crate::pty::Ptys;
use crate::script::Script;
use crate::system::System;
use crate::verbs::build;
use clap::Args;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Boot a system, each console, the monitor and each wire that leads outside at a pty of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary console systems/two-boards.toml --link /tmp/boards
  minicom -D /tmp/boards/press
  cargo reliquary console systems/two-boards.toml --device /dev/ttyUSB0 --baud 115200
  cargo reliquary console systems/two-boards.toml --socket localhost:4000

It says which pty is whose, a line each: `press: /dev/pts/7`; a serial wire that leads outside has
one by the name of its other end, `press.serial1: /dev/pts/8`. The monitor's takes the commands of
docs/reference/monitor.md, and shows the log and the reports. Ctrl-C ends it.")]
pub struct Console {
    /// The system file.
    system: PathBuf,
    /// The host that QEMU plays: qemu-virt, qemu-virt-max or qemu-virt-gicv2.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Make symbolic links to the ptys in this folder, by the VMs' names.
    #[arg(long, value_name = "DIR")]
    link: Option<PathBuf>,
    /// Start nothing: the system runs on a board, whose UART is at this serial device.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["socket", "host", "virtio_console", "net"])]
    device: Option<PathBuf>,
    /// The device's rate in bits per second.
    #[arg(long, value_name = "N", default_value_t = 115_200, requires = "device")]
    baud: u32,
    /// Start nothing: the system's UART is at this socket, a path or HOST:PORT.
    #[arg(long, value_name = "WHERE", conflicts_with_all = ["host", "virtio_console", "net"])]
    socket: Option<String>,
    /// End after so many seconds.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    #[command(flatten)]
    devices: Devices,
    /// Further arguments of QEMU.
    #[arg(last = true, value_name = "QEMU ARGUMENTS")]
    qemu: Vec<String>,
}

impl Console {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let system = System::read(&self.system)?;
        self.devices.fit(&system)?;
        let vms: Vec<String> = system.vms.iter().map(|vm| vm.name.value.clone()).collect();
        let outside = Outside::all(&system);
        let timeout = self.timeout.map(Duration::from_secs);
        if let Some(device) = &self.device {
            let port = open_device(device, self.baud)?;
            let from = port
                .try_clone()
                .doing(|| format!("cannot read {}", device.display()))?;
            let ptys = self.ptys(&vms, &outside)?;
            return ended(&machine::attach(from, port, &vms, &ptys, timeout)?, "");
        }
        if let Some(place) = &self.socket {
            let cannot = || format!("cannot connect to {place}");
            return if place.contains('/') {
                let socket = UnixStream::connect(place).doing(cannot)?;
                let from = socket.try_clone().doing(cannot)?;
                let ptys = self.ptys(&vms, &outside)?;
                ended(&machine::attach(from, socket, &vms, &ptys, timeout)?, "")
            } else {
                let socket = TcpStream::connect(place).doing(cannot)?;
                let from = socket.try_clone().doing(cannot)?;
                let ptys = self.ptys(&vms, &outside)?;
                ended(&machine::attach(from, socket, &vms, &ptys, timeout)?, "")
            };
        }
        let built = build::build(&system, self.host.as_deref())?;
        let image = build::kept_at(&system, &built.host.name);
        built.write(&image)?;
        let ptys = self.ptys(&vms, &outside)?;
        let qemu = self.devices.with(&self.qemu);
        let outcome = Machine {
            image: &image,
            elf: &built.elf,
            host: &built.host,
            vms: &built.vms,
            outside: &built.outside,
            script: &Script::default(),
            timeout,
            icount: false,
            qemu: &qemu,
            log: None,
            recording: None,
            taps: None,
            show: false,
            interactive: true,
            ptys: Some(&ptys),
        }
        .run()?;
        ended(&outcome.end, outcome.qemu_said.trim())
    }

    fn ptys(&self, vms: &[String], outside: &[Outside]) -> Result<Ptys> {
        let ptys = Ptys::open(vms, outside, self.link.as_deref())?;
        for (name, path) in ptys.paths() {
            anstream::println!("{name}: {}", path.display());
        }
        Ok(ptys)
    }
}

fn ended(end: &End, said: &str) -> Result<()> {
    if *end == End::Off && !said.is_empty() {
        return Err(Fault::new(format!("QEMU ended: {said}")).into());
    }
    let why = match end {
        End::Off => "the machine went off, or its link was closed",
        End::Timeout => "the time is up",
        End::Left | End::Done => "left",
    };
    anstream::eprintln!("{why}");
    Ok(())
}

/// Opens a serial device, raw, at this rate.
fn open_device(path: &Path, baud: u32) -> Result<File> {
    let cannot = |why: rustix::io::Errno| {
        Fault::new(format!("cannot set {}: {why}", path.display()))
            .mend("it must be a serial device, and the rate one that it has")
    };
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .doing(|| format!("cannot open {}", path.display()))?;
    let mut modes = tcgetattr(&port).map_err(cannot)?;
    modes.make_raw();
    modes.set_speed(baud).map_err(cannot)?;
    tcsetattr(&port, OptionalActions::Now, &modes).map_err(cannot)?;
    Ok(port)
}
