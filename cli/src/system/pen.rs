//! The holding pen of a Versatile Express: what its boot monitor has in flash, and where every CPU but
//! the first waits until a kernel sends for it (DUI 0447 and DUI 0448 tell of SYS_FLAGS; the kernel
//! writes the address there and sends a software-generated interrupt).

use super::board::VmBoard;
use super::place::Placed;
use reliquary::board::plan::WindowKind;

/// SYS_FLAGS, from the start of the system registers.
const SYS_FLAGS: u64 = 0x30;
/// Its name among what is placed.
const NAME: &str = "holding pen";

/// A32, with two words behind it: the GIC's CPU interface, and SYS_FLAGS.
const CODE: [u32; 11] = [
    0xe59f_0024, //      ldr  r0, gicc
    0xe3a0_1001, //      mov  r1, #1
    0xe580_1000, //      str  r1, [r0]        GICC_CTLR: on
    0xe3a0_10ff, //      mov  r1, #0xff
    0xe580_1004, //      str  r1, [r0, #4]    GICC_PMR: every priority
    0xe59f_2014, //      ldr  r2, flags
    0xe320_f003, // pen: wfi
    0xe592_1000, //      ldr  r1, [r2]
    0xe351_0000, //      cmp  r1, #0
    0x0aff_fffb, //      beq  pen
    0xe12f_ff11, //      bx   r1
];

/// The pen at the start of the board's first flash, if the board is one that has it.
pub fn of(board: &VmBoard, line: usize) -> Option<Placed> {
    let flags = register_block(board, &["arm,vexpress-sysreg"], 0)? + SYS_FLAGS;
    let gic = ["arm,cortex-a9-gic", "arm,cortex-a15-gic", "arm,gic-400"];
    let interface = register_block(board, &gic, 1)?;
    let flash = board.flashes.first()?;
    let words = CODE.into_iter().chain([interface as u32, flags as u32]);
    Some(Placed {
        name: NAME.to_owned(),
        at: flash.base,
        bytes: words.flat_map(u32::to_le_bytes).collect(),
        line,
    })
}

/// Where a device's `region`-th block of registers is.
fn register_block(board: &VmBoard, compatible: &[&str], region: u8) -> Option<u64> {
    let mut devices = board.plan.devices.iter();
    let device = devices.position(|device| compatible.contains(&device.compatible.as_str()))?;
    board
        .plan
        .windows
        .iter()
        .find_map(|window| match window.kind {
            WindowKind::Device {
                device: d,
                region: r,
            } if d == device && r == region => Some(window.at.0),
            _ => None,
        })
}
