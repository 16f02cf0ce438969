//! The board: RAM, memory that traps, a UART, a GIC, a tapped window, a ROM, and holes.

use reliquary::board::Plan;
use reliquary::board::plan::{CannotEmulate, Exclusives, Unclaimed, Window, WindowKind};
use reliquary::units::{HostPa, Ipa};
use vm_fdt::{FdtWriter, FdtWriterResult};

pub const RAM: u64 = 0x6000_0000;
pub const RAM_BYTES: u64 = 0x4000;
/// `reliquary,ram`.
pub const DEVICE: u64 = 0x1000_0000;
pub const DEVICE_BYTES: u64 = 0x2000;
pub const UART: u64 = 0x1000_9000;
pub const TAPPED: u64 = 0x1001_0000;
pub const PAGE: u64 = 0x1000;
/// Where the tapped window is on the host.
pub const HOST: u64 = 0x9000_0000;
pub const GIC: u64 = 0x1e00_1000;
pub const ROM: u64 = 0x2000_0000;
pub const NOWHERE: u64 = 0x3000_0000;

/// A CPU and the policies of a board with it.
pub struct Variant {
    pub cpu: &'static str,
    pub exclusives: Exclusives,
    pub cannot: CannotEmulate,
    pub unclaimed: Unclaimed,
    /// The host hides the SPSR of the guest's own mode, as QEMU 7.2 does.
    pub hides_spsr: bool,
}

pub const VARIANTS: [Variant; 6] = {
    const fn of(cpu: &'static str, carry_out: bool, stop: bool, unclaimed: Unclaimed) -> Variant {
        Variant {
            cpu,
            exclusives: if carry_out {
                Exclusives::CarryOut
            } else {
                Exclusives::Abort
            },
            cannot: if stop {
                CannotEmulate::Stop
            } else {
                CannotEmulate::Abort
            },
            unclaimed,
            hides_spsr: false,
        }
    }
    let hidden = Variant {
        hides_spsr: true,
        ..of("arm,cortex-a9", true, false, Unclaimed::Abort)
    };
    [
        of("arm,cortex-a9", false, true, Unclaimed::Abort),
        hidden,
        of("arm,cortex-a15", true, true, Unclaimed::Ignore),
        of("arm,cortex-a15", false, false, Unclaimed::Learn),
        of("arm,cortex-a57", true, true, Unclaimed::Abort),
        of("arm,cortex-a57", false, false, Unclaimed::Ignore),
    ]
};

/// The plan of a variant's board.
pub fn plan(variant: &Variant) -> Plan {
    let map = map(variant.cpu).expect("a device tree");
    let mut plan = Plan::read(&map).unwrap_or_else(|errors| panic!("{errors:?}"));
    plan.exclusives = variant.exclusives;
    plan.cannot_emulate = variant.cannot;
    plan.unclaimed = variant.unclaimed;
    // The host's tree would bind the tapped window.
    let tapped = WindowKind::PassThrough {
        host_node: String::from("/tapped"),
        region: 0,
        host: Some(HostPa(HOST)),
        tap: true,
    };
    for (at, kind) in [(TAPPED, tapped), (ROM, WindowKind::Rom)] {
        plan.windows.push(Window {
            at: Ipa(at),
            bytes: PAGE,
            node: String::from("/window"),
            kind,
        });
    }
    plan.windows.sort_by_key(|window| window.at);
    plan
}

fn map(cpu: &str) -> FdtWriterResult<Vec<u8>> {
    let mut f = FdtWriter::new()?;
    let root = f.begin_node("")?;
    f.property_u32("#address-cells", 1)?;
    f.property_u32("#size-cells", 1)?;
    f.property_string("compatible", "test,board")?;
    f.property_string("model", "A small board")?;
    f.property_u32("interrupt-parent", 1)?;
    let cpus = f.begin_node("cpus")?;
    f.property_u32("#address-cells", 1)?;
    f.property_u32("#size-cells", 0)?;
    let node = f.begin_node("cpu@0")?;
    f.property_string("device_type", "cpu")?;
    f.property_string("compatible", cpu)?;
    f.property_u32("reg", 0)?;
    f.end_node(node)?;
    f.end_node(cpus)?;
    let memory = f.begin_node("memory@60000000")?;
    f.property_string("device_type", "memory")?;
    f.property_array_u32("reg", &[RAM as u32, RAM_BYTES as u32])?;
    f.end_node(memory)?;
    let gic = f.begin_node("interrupt-controller@1e001000")?;
    f.property_string("compatible", "arm,cortex-a15-gic")?;
    f.property_u32("#interrupt-cells", 3)?;
    f.property_null("interrupt-controller")?;
    f.property_array_u32("reg", &[GIC as u32, 0x1000, GIC as u32 + 0x1000, 0x2000])?;
    f.property_phandle(1)?;
    f.end_node(gic)?;
    let ram = f.begin_node("ram@10000000")?;
    f.property_string("compatible", "reliquary,ram")?;
    f.property_array_u32("reg", &[DEVICE as u32, DEVICE_BYTES as u32])?;
    f.end_node(ram)?;
    let uart = f.begin_node("serial@10009000")?;
    f.property_string_list(
        "compatible",
        vec!["arm,pl011".into(), "arm,primecell".into()],
    )?;
    f.property_array_u32("reg", &[UART as u32, 0x1000])?;
    f.property_array_u32("interrupts", &[0, 5, 4])?;
    f.end_node(uart)?;
    f.end_node(root)?;
    f.finish()
}
