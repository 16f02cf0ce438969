//! Which emulator serves which `compatible`. A device is added by one line of [`TABLE`].

use super::bus::Port;
use super::devicetree::{Node, Tree};
use super::error::MapError;
use super::files;
use super::plan::{CpuPlan, Plan};
use crate::emul::describe::Description;
use crate::emul::serial::Pacing;
use crate::emul::{
    Device, Line, a9_global_timer, a9_scu, a9_timers, cfi_flash, doorbell, dw_uart, fw_cfg, gic,
    gic_v3, lan9118, ns16550, pl011, pl18x, pl031, pl061, pl190, pl310, primecell, ram, sd_card,
    sp804, sp805, sp810, versatile_i2c, versatile_sic, versatile_sysreg, vexpress_sysreg,
};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

/// How much of a device there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A model of the whole part, but for what its header lists.
    Modelled,
    /// Registers that answer; what is behind them is absent or fixed.
    Registers,
    /// The identity registers only.
    Identity,
}

impl Tier {
    /// One word for reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Modelled => "modelled",
            Self::Registers => "registers",
            Self::Identity => "identity",
        }
    }
}

/// What a constructor is told.
pub struct Making<'p, 't, 'a> {
    /// The map.
    pub tree: &'t Tree<'a>,
    /// The device's node.
    pub node: Node<'t, 'a>,
    /// The plan, as far as devices depend on it: CPUs, Secure state.
    pub plan: &'p Plan,
    /// The size of the device's first register block.
    pub bytes: u64,
    /// The card in its slot.
    pub card: Option<sd_card::Config>,
}

type Make = fn(&Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError>;

/// Which output line an entry of the node's `interrupts` is.
type OutputLine = fn(Node<'_, '_>, Output) -> u16;

/// An entry of a node's `interrupts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its index.
    pub index: usize,
    /// How many entries there are.
    pub of: usize,
    /// For a private interrupt: the CPU.
    pub cpu: Option<u8>,
}

/// An interrupt controller's inputs.
#[derive(Clone, Copy)]
pub struct Controller {
    /// Reads a specifier.
    pub input: fn(Node<'_, '_>, &[u32; 4]) -> Result<Input, String>,
    /// Where its outputs lead.
    pub outputs: Outputs,
}

/// Where a controller's outputs lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Line 2 c is nIRQ of CPU c, line 2 c + 1 its nFIQ. The node's `interrupts` are its own
    /// maintenance, and not wired.
    Cpus,
    /// The node's `interrupts`, into the next controller.
    Interrupts,
    /// As `Interrupts` where the node has some, and else as `Cpus`: a controller that can be
    /// chained.
    Chained,
}

/// The input that a specifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// One line for all CPUs.
    Shared(Line),
    /// A private interrupt of each CPU in the mask.
    Private {
        /// Its interrupt ID, 16 to 31.
        id: u16,
        /// Bit n: CPU n.
        cpus: u8,
    },
}

/// One emulator.
pub struct Entry {
    /// The string that picks it.
    pub compatible: &'static str,
    /// How much of the device there is.
    pub tier: Tier,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Makes it.
    pub make: Make,
    /// Its output lines.
    pub line: OutputLine,
    /// Set if it is an interrupt controller.
    pub controller: Option<Controller>,
    /// Whether its register blocks are memory that is read directly while the device says so.
    pub direct_reads: bool,
    /// How it hangs on the bus: by which pieces a wider access reaches it.
    pub port: Port,
    /// Whether CPUs reach a part of it by system registers. The host's CPU must have them too, or
    /// they do not trap.
    pub system_registers: bool,
    /// Whether it has a slot for a memory card: its lines 2 and 3 are then the slot's switches,
    /// which `cd-gpios` and `wp-gpios` lead on.
    pub card_slot: bool,
}

impl Entry {
    /// Whether its first register block is memory that VMs share.
    pub fn shares_memory(&self) -> bool {
        self.compatible == SHARED_MEMORY
    }

    /// Whether its outputs are the CPUs' inputs, with this node.
    pub fn drives_cpus(&self, node: Node<'_, '_>) -> bool {
        self.controller
            .is_some_and(|controller| match controller.outputs {
                Outputs::Cpus => true,
                Outputs::Interrupts => false,
                Outputs::Chained => !node.has("interrupts") && !node.has("interrupts-extended"),
            })
    }
}

const fn entry(compatible: &'static str, tier: Tier, summary: &'static str, make: Make) -> Entry {
    Entry::new(compatible, tier, summary, make)
}
impl Entry {
    /// A device whose interrupts are its output lines in their order.
    pub(super) const fn new(
        compatible: &'static str,
        tier: Tier,
        summary: &'static str,
        make: Make,
    ) -> Self {
        Self {
            compatible,
            tier,
            summary,
            make,
            line: |_, output| output.index as u16,
            controller: None,
            direct_reads: false,
            port: Port::WORD,
            system_registers: false,
            card_slot: false,
        }
    }
    /// With a slot for a memory card.
    const fn card_slot(mut self) -> Self {
        self.card_slot = true;
        self
    }
    /// By another port than one of 32 bits.
    pub(super) const fn port(mut self, port: Port) -> Self {
        self.port = port;
        self
    }
    /// In the private memory region of a Cortex-A9, whose own bus splits nothing: a doubleword
    /// is answered by SLVERR (DDI 0407I, 1.5, permitted access sizes).
    const fn in_the_private_region(self) -> Self {
        self.port(Port::DOUBLE)
    }
    /// A controller of one cell with so many inputs whose outputs are interrupts of another
    /// controller.
    pub(super) const fn cascade<const INPUTS: u32>(self) -> Self {
        self.one_cell::<INPUTS>(Outputs::Interrupts)
    }
    const fn one_cell<const INPUTS: u32>(mut self, outputs: Outputs) -> Self {
        self.controller = Some(Controller {
            input: one_cell_input::<INPUTS>,
            outputs,
        });
        self
    }
    const fn gic(mut self) -> Self {
        self.controller = Some(Controller {
            input: gic_input,
            outputs: Outputs::Cpus,
        });
        self
    }
    /// A GICv3: 64 bits wide, with its CPU interface in system registers.
    const fn gic_v3(mut self) -> Self {
        self.controller = Some(Controller {
            input: gic_v3_input,
            outputs: Outputs::Cpus,
        });
        self.system_registers = true;
        self.port(Port::DOUBLE)
    }
    const fn lines(mut self, line: OutputLine) -> Self {
        self.line = line;
        self
    }
    #[allow(dead_code)]
    pub(super) const fn direct_reads(mut self) -> Self {
        self.direct_reads = true;
        self
    }
}

use Tier::{Identity, Modelled, Registers};

/// The emulators, by `compatible`.
pub static TABLE: &[Entry] = &[
    entry("arm,pl011", Modelled, "PL011 UART", |m| {
        let uartclk = m.clock(0).unwrap_or(24_000_000);
        let mut config = pl011::Config::new(uartclk);
        config.left_running = m.plan.firmware_ran && m.node.has("reliquary,left-running");
        config.pacing = m.pacing();
        Ok(Box::new(pl011::Pl011::new(config)))
    }),
    entry("ns8250", Modelled, "8250 UART", |m| {
        m.ns16550(ns16550::Chip::Ns8250)
    }),
    entry("ns16450", Modelled, "16450 UART", |m| {
        m.ns16550(ns16550::Chip::Ns16450)
    }),
    entry("ns16550", Modelled, "16550 UART", |m| {
        m.ns16550(ns16550::Chip::Ns16550a)
    }),
    entry("ns16550a", Modelled, "16550A UART", |m| {
        m.ns16550(ns16550::Chip::Ns16550a)
    }),
    entry("snps,dw-apb-uart", Modelled, "DesignWare APB UART", |m| {
        let shift = m.node.u32("reg-shift")?.unwrap_or(2);
        if shift != 2 {
            let wrong = m.node.wrong("its registers are a word apart");
            return Err(wrong.property("reg-shift").mend("write reg-shift = <2>"));
        }
        let config = dw_uart::Config {
            clock: m.uart_clock()?,
            pacing: m.pacing(),
        };
        Ok(Box::new(dw_uart::DwUart::new(config)))
    }),
    entry("arm,pl031", Modelled, "PL031 real-time clock", |m| {
        let mut config = pl031::Config::new(m.plan.unix_seconds);
        config.unix_ns = m.plan.unix_ns;
        Ok(Box::new(pl031::Pl031::new(config)))
    }),
    entry("arm,pl061", Modelled, "PL061 GPIO", |_| {
        Ok(Box::new(pl061::Pl061::new()))
    }),
    entry("arm,sp804", Modelled, "SP804 dual timer", |_| {
        Ok(Box::new(sp804::Sp804::new(sp804::Config::new())))
    })
    .lines(sp804_line),
    entry("arm,sp805", Modelled, "SP805 watchdog", |m| {
        let hz = m.clock(0).unwrap_or(WDOGCLK_OF_THE_A9_TILE);
        Ok(Box::new(sp805::Sp805::new(sp805::Config { hz })))
    }),
    entry(
        "arm,cortex-a15-gic",
        Modelled,
        "GICv2 interrupt controller",
        |m| {
            let config = gic::Config::cortex_a15(m.cpus(), gic_ids(m.node), m.plan.secure);
            Ok(Box::new(gic::Gic::new(config)))
        },
    )
    .gic(),
    entry(
        "arm,cortex-a9-gic",
        Modelled,
        "GICv1 interrupt controller",
        |m| {
            Ok(Box::new(gic::Gic::new(gic::Config::cortex_a9(
                m.cpus(),
                gic_ids(m.node),
            ))))
        },
    )
    .gic()
    .in_the_private_region(),
    entry(
        "arm,pl390",
        Modelled,
        "PL390 interrupt controller (GICv1)",
        |m| {
            let config = gic::Config::pl390(m.cpus(), gic_ids(m.node));
            Ok(Box::new(gic::Gic::new(config)))
        },
    )
    .gic(),
    entry(
        "arm,gic-400",
        Modelled,
        "GIC-400 interrupt controller",
        |m| {
            let config = gic::Config::gic_400(m.cpus(), gic_ids(m.node), m.plan.secure);
            Ok(Box::new(gic::Gic::new(config)))
        },
    )
    .gic(),
    entry(
        "reliquary,gicv2",
        Modelled,
        "GICv2 of QEMU's virt machine",
        |m| {
            Ok(Box::new(gic::Gic::new(gic::Config::plain_v2(
                m.cpus(),
                gic_ids(m.node),
            ))))
        },
    )
    .gic(),
    entry("arm,gic-v3", Modelled, "GICv3 interrupt controller", gic_v3).gic_v3(),
    entry(
        "arm,pl190-vic",
        Modelled,
        "PL190 vectored interrupt controller",
        vic,
    )
    .one_cell::<34>(Outputs::Chained),
    entry(
        "arm,versatile-vic",
        Modelled,
        "PL190 vectored interrupt controller",
        vic,
    )
    .one_cell::<34>(Outputs::Chained),
    entry(
        "arm,versatile-sic",
        Modelled,
        "Versatile secondary interrupt controller",
        |_| Ok(Box::new(versatile_sic::VersatileSic::new())),
    )
    .cascade::<32>()
    .lines(sic_line),
    entry(
        "arm,cortex-a9-scu",
        Registers,
        "Cortex-A9 snoop control unit",
        |m| Ok(Box::new(a9_scu::Scu::new(a9_scu::Config::new(m.cpus())))),
    )
    .in_the_private_region(),
    entry(
        "arm,cortex-a9-twd-timer",
        Modelled,
        "Cortex-A9 private timer",
        |m| {
            Ok(Box::new(a9_timers::PrivateTimer::new(
                m.cpus(),
                m.a9_periphclk(),
            )))
        },
    )
    .lines(line_of_cpu)
    .in_the_private_region(),
    entry(
        "arm,cortex-a9-twd-wdt",
        Modelled,
        "Cortex-A9 private watchdog",
        |m| {
            Ok(Box::new(a9_timers::Watchdog::new(
                m.cpus(),
                m.a9_periphclk(),
            )))
        },
    )
    .lines(line_of_cpu)
    .in_the_private_region(),
    entry(
        "arm,cortex-a9-global-timer",
        Modelled,
        "Cortex-A9 global timer",
        |m| {
            Ok(Box::new(a9_global_timer::GlobalTimer::new(
                m.cpus(),
                m.a9_periphclk(),
            )))
        },
    )
    .lines(line_of_cpu)
    .in_the_private_region(),
    entry(
        "arm,pl310-cache",
        Registers,
        "L2C-310 level 2 cache controller",
        |_| Ok(Box::new(pl310::Pl310::new(pl310::Config::R3P2))),
    )
    // Its slave ports have 64 bits; registers take words only, else SLVERR (DDI 0246H, 3.1).
    .port(Port::DOUBLE),
    entry(
        "arm,vexpress-sysreg",
        Modelled,
        "Versatile Express system registers",
        |m| {
            let config = if m.tree.root().is_compatible("arm,vexpress,v2p-ca15") {
                vexpress_sysreg::Config::vexpress_a15()
            } else {
                vexpress_sysreg::Config::vexpress_a9()
            };
            Ok(Box::new(vexpress_sysreg::VexpressSysreg::new(config)))
        },
    ),
    entry(
        "arm,core-module-versatile",
        Modelled,
        "Versatile system registers",
        versatile_sysreg,
    ),
    entry(
        "arm,versatile-sysreg",
        Modelled,
        "Versatile system registers",
        versatile_sysreg,
    ),
    entry(
        "arm,realview-pba8-syscon",
        Modelled,
        "RealView PB-A8 system registers",
        |_| {
            let config = versatile_sysreg::Config::realview_pba8();
            Ok(Box::new(versatile_sysreg::VersatileSysreg::new(config)))
        },
    ),
    entry("arm,pl180", Modelled, "PL180 card interface", |m| {
        Ok(card_interface(m, pl18x::Part::Pl180))
    })
    .card_slot(),
    entry("arm,pl181", Modelled, "PL181 card interface", |m| {
        Ok(card_interface(m, pl18x::Part::Pl181))
    })
    .card_slot(),
    entry("arm,sp810", Registers, "SP810 system controller", |_| {
        Ok(Box::new(sp810::Sp810::new()))
    }),
    entry(
        "arm,versatile-i2c",
        Modelled,
        "Versatile two-wire bus",
        |_| Ok(Box::new(versatile_i2c::VersatileI2c::new())),
    ),
    entry("cfi-flash", Modelled, "CFI flash", flash).direct_reads(),
    entry(
        "smsc,lan9118",
        Modelled,
        "LAN9118 Ethernet controller",
        ethernet,
    ),
    entry(
        "smsc,lan9115",
        Modelled,
        "LAN9115 Ethernet controller",
        ethernet,
    ),
    entry(
        "qemu,fw-cfg-mmio",
        Modelled,
        "QEMU's firmware configuration",
        |m| {
            let items = files::items(m.node, m.cpus().into())?;
            Ok(Box::new(fw_cfg::FwCfg::new(items)))
        },
    )
    .port(Port::DOUBLE),
    entry(
        "reliquary,ram",
        Modelled,
        "memory of which every access traps",
        trapping_ram,
    )
    .port(Port::DOUBLE),
    entry(
        SHARED_MEMORY,
        Modelled,
        "memory that VMs share, with doorbells",
        doorbells,
    ),
];

const SHARED_MEMORY: &str = "reliquary,shared-memory";

fn doorbells(m: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let number = |name| {
        let number = m.node.u32(name).ok().flatten();
        number.and_then(|number| u8::try_from(number).ok())
    };
    let own = number("reliquary,peer").zip(number("reliquary,peers"));
    match own.and_then(|(own, count)| doorbell::Doorbell::new(own, count)) {
        Some(bell) => Ok(Box::new(bell)),
        None => Err(m
            .node
            .wrong("it does not say which of 2 to 8 VMs it is of")
            .property("reliquary,peer")
            .mend("write [[shared-memory]] in the system file; the tool makes the node")),
    }
}

/// The A9 tile's watchdog hangs on an oscillator of which the tree tells a range only; this is
/// what the configuration bus tells of it (oscillator 2).
const WDOGCLK_OF_THE_A9_TILE: u64 = 66_670_000;

fn trapping_ram(m: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let wrong = |what| m.node.wrong(what).property("reg");
    if m.node.reg()?.len() != 1 {
        return Err(wrong("not one block").mend("give each block a node of its own"));
    }
    let ram = ram::Ram::new(m.bytes).ok_or_else(|| {
        wrong("memory that traps has at most 64 KiB")
            .mend("make it smaller, or plain memory: compatible = \"mmio-sram\"")
    })?;
    Ok(Box::new(ram))
}

#[allow(clippy::unnecessary_wraps)] // A constructor of the table.
fn vic(_: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    Ok(Box::new(pl190::Pl190::new()))
}

#[allow(clippy::unnecessary_wraps)] // A constructor of the table.
fn versatile_sysreg(_: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let config = versatile_sysreg::Config::versatile_pb();
    Ok(Box::new(versatile_sysreg::VersatileSysreg::new(config)))
}

/// The first is output 31, of all sources together; those behind it pass through, from 21 on.
fn sic_line(_: Node<'_, '_>, output: Output) -> u16 {
    match output.index as u16 {
        0 => 31,
        n => n.saturating_add(20),
    }
}

/// A CPU's redistributor is in the first region of them that has room.
fn gic_v3(m: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let affinity = |cpu: &CpuPlan| {
        let aff3 = (cpu.affinity >> 8) as u32 & 0xff00_0000;
        aff3 | cpu.affinity as u32 & 0x00ff_ffff
    };
    let mut affinities = [0; gic::MAX_CPUS];
    for (at, cpu) in affinities.iter_mut().zip(&m.plan.cpus) {
        *at = affinity(cpu);
    }
    let cpus = usize::from(m.cpus());
    let ids = gic_ids(m.node);
    let affinities = affinities.get(..cpus).unwrap_or_default();
    let mut config = gic_v3::Config::new(affinities, ids, m.plan.secure);
    let stride = m.node.cells("redistributor-stride")?;
    if let Some(stride) = stride.and_then(|mut cells| cells.take_u64(cells.len())) {
        config.stride = stride.max(gic_v3::REDISTRIBUTOR_BYTES);
    }
    let regions = m.node.u32("#redistributor-regions")?.unwrap_or(1) as usize;
    let blocks = m.node.reg()?;
    config.redistributors = [0; gic::MAX_CPUS];
    let rooms = config.redistributors.iter_mut().zip(blocks.iter().skip(1));
    let mut room = 0usize;
    for (here, block) in rooms.take(regions) {
        let frames = block.bytes.checked_div(config.stride).unwrap_or(0);
        *here = frames.min(gic::MAX_CPUS as u64) as u8;
        room = room.saturating_add(usize::from(*here));
    }
    if room < cpus {
        let what = format!("its redistributors have room for {room} CPUs, and there are {cpus}");
        let mend = "after the distributor give it a region of 0x20000 bytes for each CPU";
        return Err(m.node.wrong(what).property("reg").mend(mend));
    }
    Ok(Box::new(gic_v3::GicV3::new(config)))
}

fn card_interface(m: &Making<'_, '_, '_>, part: pl18x::Part) -> Box<dyn Device> {
    Box::new(pl18x::Pl18x::new(pl18x::Config {
        part,
        mclk: m.clock(0).unwrap_or(24_000_000),
        card: m.card,
    }))
}

/// Registers and interrupt are banked: the line of each CPU.
fn line_of_cpu(_: Node<'_, '_>, output: Output) -> u16 {
    u16::from(output.cpu.unwrap_or(0))
}

fn flash(m: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let banks = m.node.reg()?.iter().map(|reg| reg.bytes).collect();
    let width = m
        .node
        .u32("bank-width")?
        .and_then(|width| u8::try_from(width).ok())
        .unwrap_or(4);
    let chip = m.node.u32("device-width")?;
    let chip = chip.map_or(width.min(2), |width| u8::try_from(width).unwrap_or(0));
    let amd = match m.node.str("reliquary,command-set")? {
        None => m.node.strings("compatible").any(|c| c.starts_with("amd,")),
        Some("amd") => true,
        Some("intel") => false,
        Some(_) => {
            return Err(m
                .node
                .wrong("no command set has this name")
                .property("reliquary,command-set")
                .mend("it is \"intel\" or \"amd\""));
        }
    };
    let mut config = if amd {
        cfi_flash::Config::amd(banks, width, chip)
    } else {
        cfi_flash::Config::new(banks, width)
    };
    config.device_width = chip;
    config.in_step = m.node.has("reliquary,chips-in-step");
    let flash = cfi_flash::CfiFlash::new(&config)
        .map_err(|why| m.node.wrong(format!("no flash is built like this: {why}")))?;
    Ok(Box::new(flash))
}

/// A controller whose EEPROM holds the address that the node tells, or one of those that are
/// assigned locally.
fn ethernet(m: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    let mut config = lan9118::Config::lan9118([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);
    if !m.node.is_compatible("smsc,lan9118") {
        config.id = lan9118::Config::LAN9115;
    }
    for name in ["mac-address", "local-mac-address"] {
        let Some(bytes) = m.node.property(name) else {
            continue;
        };
        config.mac = bytes.try_into().map_err(|_| {
            m.node
                .wrong("an Ethernet address has six bytes")
                .property(name)
        })?;
    }
    config.link = !m.node.has("reliquary,link-down");
    Ok(Box::new(lan9118::Lan9118::new(config)))
}

/// One interrupt is the combined one; of two, each timer has its own. `arm,sp804-has-irq`
/// says which timer's a single one is.
fn sp804_line(node: Node<'_, '_>, output: Output) -> u16 {
    match (output.of, node.u32("arm,sp804-has-irq")) {
        (1, Ok(Some(timer @ 1..=2))) => timer as u16,
        (1, _) => 0,
        _ => (output.index as u16).saturating_add(1),
    }
}

/// The emulator of a node with `reliquary,identity`.
pub static IDENTITY: Entry = entry(
    "reliquary,identity",
    Identity,
    "PrimeCell identity registers only",
    |m| {
        let identity =
            identity_of(m.node).ok_or_else(|| m.node.wrong("its identity is not known"))?;
        Ok(Box::new(primecell::IdentityOnly::new(primecell::Config {
            identity,
            size: m.bytes,
        })))
    },
);

/// The emulator of `compatible`.
pub fn find(compatible: &str) -> Option<&'static Entry> {
    if compatible == IDENTITY.compatible {
        return Some(&IDENTITY);
    }
    #[cfg(test)]
    if let Some(entry) = super::tests::DEVICES
        .iter()
        .find(|e| e.compatible == compatible)
    {
        return Some(entry);
    }
    TABLE.iter().find(|entry| entry.compatible == compatible)
}

/// What the registers of a `compatible` are called. The hypervisor's image does not ask.
pub fn description(compatible: &str) -> Option<&'static Description> {
    Some(match compatible {
        "arm,pl011" => &pl011::DESCRIPTION,
        "ns8250" | "ns16450" | "ns16550" | "ns16550a" => &ns16550::DESCRIPTION,
        "snps,dw-apb-uart" => &dw_uart::DESCRIPTION,
        "arm,gic-v3" => &gic_v3::DESCRIPTION,
        "arm,pl031" => &pl031::DESCRIPTION,
        "arm,pl180" | "arm,pl181" => &pl18x::DESCRIPTION,
        "arm,sp804" => &sp804::DESCRIPTION,
        "arm,cortex-a9-gic" | "arm,pl390" => &gic::description::V1,
        "arm,cortex-a15-gic" | "arm,gic-400" | "reliquary,gicv2" => &gic::description::V2,
        "arm,cortex-a9-scu" => &a9_scu::DESCRIPTION,
        "arm,cortex-a9-twd-timer" => &a9_timers::TIMER_DESCRIPTION,
        "arm,cortex-a9-twd-wdt" => &a9_timers::WATCHDOG_DESCRIPTION,
        "arm,cortex-a9-global-timer" => &a9_global_timer::DESCRIPTION,
        "arm,pl310-cache" => &pl310::DESCRIPTION,
        "arm,vexpress-sysreg" => &vexpress_sysreg::DESCRIPTION,
        "arm,sp810" => &sp810::DESCRIPTION,
        "arm,versatile-i2c" => &versatile_i2c::DESCRIPTION,
        "cfi-flash" => &cfi_flash::DESCRIPTION,
        "qemu,fw-cfg-mmio" => &fw_cfg::DESCRIPTION,
        "reliquary,ram" => &ram::DESCRIPTION,
        SHARED_MEMORY => &doorbell::DESCRIPTION,
        "arm,pl061" => &pl061::DESCRIPTION,
        "arm,sp805" => &sp805::DESCRIPTION,
        "arm,pl190-vic" | "arm,versatile-vic" => &pl190::DESCRIPTION,
        "arm,versatile-sic" => &versatile_sic::DESCRIPTION,
        "arm,core-module-versatile" | "arm,versatile-sysreg" | "arm,realview-pba8-syscon" => {
            &versatile_sysreg::DESCRIPTION
        }
        "smsc,lan9118" | "smsc,lan9115" => &lan9118::DESCRIPTION,
        "reliquary,identity" => &primecell::DESCRIPTION,
        _ => return None,
    })
}

/// The PrimeCell identity of a node: `arm,primecell-periphid`, or its part's.
pub fn identity_of(node: Node<'_, '_>) -> Option<primecell::Identity> {
    match node.u32("arm,primecell-periphid") {
        Ok(Some(id)) => Some(primecell::Identity::from_periphid(id)),
        _ => node
            .strings("compatible")
            .find_map(primecell::find)
            .map(|part| part.identity),
    }
}

/// How many interrupt IDs a GIC has: `reliquary,interrupt-ids`, or what the known boards have.
pub fn gic_ids(node: Node<'_, '_>) -> u16 {
    match node.u32("reliquary,interrupt-ids") {
        Ok(Some(ids)) => ids.clamp(32, 1020) as u16,
        // The Versatile Express daughterboards: 64 SPIs (Cortex-A9), 128 (Cortex-A15).
        _ if node.is_compatible("arm,cortex-a15-gic") => 160,
        _ if node.is_compatible("arm,cortex-a9-gic") => 96,
        _ => 288,
    }
}

/// The binding of `arm,gic-v3`: as a GICv2's, but a private interrupt is every CPU's.
fn gic_v3_input(node: Node<'_, '_>, specifier: &[u32; 4]) -> Result<Input, String> {
    let [kind, number, flags, _] = *specifier;
    if matches!(kind, 2 | 3) {
        return Err(format!(
            "interrupt kind {kind} is of the extended ranges, which are not emulated"
        ));
    }
    gic_input(node, &[kind, number, flags & 0xff | 0xff00, 0])
}

/// The binding of `arm,gic`: kind (0 is SPI, 1 is PPI), number, flags with the CPUs' mask.
fn gic_input(node: Node<'_, '_>, specifier: &[u32; 4]) -> Result<Input, String> {
    let [kind, number, flags, _] = *specifier;
    let ids = gic_ids(node);
    match kind {
        0 => match u16::try_from(number).ok().and_then(|n| n.checked_add(32)) {
            Some(id) if id < ids => Ok(Input::Shared(Line(id))),
            _ => Err(format!(
                "interrupt SPI {number} is out of range: {} has SPIs 0 to {}",
                node.path(),
                ids.saturating_sub(33)
            )),
        },
        1 if number < 16 => Ok(Input::Private {
            id: number as u16 | 16,
            cpus: (flags >> 8 & 0xff) as u8,
        }),
        1 => Err(format!(
            "interrupt PPI {number} is out of range: there are PPIs 0 to 15"
        )),
        _ => Err(format!(
            "interrupt kind {kind} is neither SPI (0) nor PPI (1)"
        )),
    }
}

/// A specifier of one cell: the number of the input.
fn one_cell_input<const INPUTS: u32>(
    node: Node<'_, '_>,
    specifier: &[u32; 4],
) -> Result<Input, String> {
    let [number, ..] = *specifier;
    if number < INPUTS {
        Ok(Input::Shared(Line(number as u16)))
    } else {
        Err(format!(
            "interrupt {number} is out of range: {} has inputs 0 to {}",
            node.path(),
            INPUTS.saturating_sub(1)
        ))
    }
}

/// A GIC's input line for PPI `id` (16 to 31) of a CPU.
pub const fn ppi_line(cpu: u8, id: u16) -> Line {
    Line(
        1024u16
            .wrapping_add((cpu as u16).wrapping_mul(16))
            .wrapping_add(id & 15),
    )
}

impl Making<'_, '_, '_> {
    /// When a UART's characters leave.
    fn pacing(&self) -> Pacing {
        if self.node.has("reliquary,baud-paced") {
            Pacing::Baud
        } else {
            Pacing::AtOnce
        }
    }

    /// The input clock of a UART of the 8250 family; the PC's, if the tree tells none.
    fn uart_clock(&self) -> Result<u64, MapError> {
        let told = self.node.u32("clock-frequency")?.map(u64::from);
        Ok(told.or_else(|| self.clock(0)).unwrap_or(1_843_200))
    }

    /// The binding `serial/8250`.
    fn ns16550(&self, chip: ns16550::Chip) -> Result<Box<dyn Device>, MapError> {
        if self.node.has("big-endian") {
            let wrong = self.node.wrong("a big-endian UART is not emulated");
            return Err(wrong.property("big-endian"));
        }
        let within = |name, usual, most: u32| match self.node.u32(name)?.unwrap_or(usual) {
            value if value <= most => Ok(value),
            _ => {
                let wrong = self.node.wrong(format!("it is above {most}"));
                Err(wrong.property(name))
            }
        };
        let mut config = ns16550::Config::new(chip);
        config.clock = self.uart_clock()?;
        config.pacing = self.pacing();
        config.shift = within("reg-shift", 0, 8)? as u8;
        config.io_width = within("reg-io-width", 1, 4)? as u8;
        config.offset = within("reg-offset", 0, u32::MAX)?.into();
        Ok(Box::new(ns16550::Ns16550::new(config)))
    }

    /// The number of CPUs, at least 1.
    pub fn cpus(&self) -> u8 {
        self.plan.cpus.len().clamp(1, 8) as u8
    }

    /// PERIPHCLK of a Cortex-A9's private peripherals: its `clocks`, or 100 MHz (which the
    /// guest measures, as the old trees do not tell it).
    fn a9_periphclk(&self) -> u64 {
        self.clock(0).unwrap_or(100_000_000)
    }

    /// The frequency of entry `index` of the node's `clocks`, as far as the tree tells it: a
    /// fixed clock's, or an oscillator's whose range is one value.
    pub fn clock(&self, index: usize) -> Option<u64> {
        let mut cells = self.node.cells("clocks").ok()??;
        let mut at = 0usize;
        while let Some(phandle) = cells.next() {
            let provider = self.tree.phandle(phandle)?;
            let arguments = provider.u32("#clock-cells").ok()?.unwrap_or(0);
            for _ in 0..arguments {
                cells.next()?;
            }
            if at == index {
                if let Ok(Some(hz)) = provider.u32("clock-frequency") {
                    return Some(u64::from(hz));
                }
                let mut range = provider.cells("freq-range").ok()??;
                let (low, high) = (range.next()?, range.next()?);
                return (low == high).then_some(u64::from(low));
            }
            at = at.saturating_add(1);
        }
        None
    }
}
