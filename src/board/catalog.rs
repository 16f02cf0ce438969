//! Which emulator serves which `compatible`. A device is added by one line of [`TABLE`].

use super::bus::Port;
use super::devicetree::{Node, Tree};
use super::error::MapError;
use super::files;
use super::plan::Plan;
use crate::emul::describe::Description;
use crate::emul::{
    Device, Line, a9_global_timer, a9_scu, a9_timers, cfi_flash, fw_cfg, gic, lan9118, pl011,
    pl031, pl310, primecell, ram, sp804, sp810, versatile_i2c, vexpress_sysreg,
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
}

impl Entry {
    /// Whether its outputs are the CPUs' inputs.
    pub fn drives_cpus(&self) -> bool {
        self.controller
            .is_some_and(|controller| controller.outputs == Outputs::Cpus)
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
        }
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
    /// A controller of one cell whose output is an interrupt of another controller.
    #[cfg(test)]
    pub(super) const fn cascade(mut self) -> Self {
        self.controller = Some(Controller {
            input: |_, specifier| Ok(Input::Shared(Line(specifier[0] as u16))),
            outputs: Outputs::Interrupts,
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
        Ok(Box::new(pl011::Pl011::new(config)))
    }),
    entry("arm,pl031", Modelled, "PL031 real-time clock", |m| {
        let config = pl031::Config::new(m.plan.unix_seconds);
        Ok(Box::new(pl031::Pl031::new(config)))
    }),
    entry("arm,sp804", Modelled, "SP804 dual timer", |_| {
        Ok(Box::new(sp804::Sp804::new(sp804::Config::new())))
    })
    .lines(sp804_line),
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
];

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
        "arm,pl031" => &pl031::DESCRIPTION,
        "arm,sp804" => &sp804::DESCRIPTION,
        "arm,cortex-a9-gic" => &gic::description::V1,
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

/// A GIC's input line for PPI `id` (16 to 31) of a CPU.
pub const fn ppi_line(cpu: u8, id: u16) -> Line {
    Line(
        1024u16
            .wrapping_add((cpu as u16).wrapping_mul(16))
            .wrapping_add(id & 15),
    )
}

impl Making<'_, '_, '_> {
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
