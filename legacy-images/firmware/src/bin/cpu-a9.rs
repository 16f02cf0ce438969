//! Board vexpress-a9: what a Cortex-A9 is (Arm DDI 0388, DDI 0406).
#![no_std]
#![no_main]

use firmware::arm32::Frame;
use firmware::{VEXPRESS_A9, check, cp, identity, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    identity::exception(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("cpu-a9", &VEXPRESS_A9);
    identity::common(&mut checks, 0xc09);
    identity::peripheral_base(&mut checks, 0x1e00_0000);

    // The register with the errata's switches: not documented, written by every kernel.
    let diagnostic = cp!(read "p15, 0, {}, c15, c0, 1");
    println!("diagnostic register {diagnostic:#x}");
    let switches = diagnostic | 1 << 6 | 1 << 4;
    cp!(write "p15, 0, {}, c15, c0, 1", switches);
    let kept = cp!(read "p15, 0, {}, c15, c0, 1");
    checks.equal(
        "the diagnostic register keeps its bits",
        u64::from(kept),
        switches.into(),
    );
    let power = cp!(read "p15, 0, {}, c15, c0, 0");
    println!("power control register {power:#x}");

    identity::undefined_l2(&mut checks);
    identity::undefined(&mut checks);
    checks.finish()
}
