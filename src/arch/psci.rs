//! The host's own firmware: PSCI (DEN 0022), by SMC or HVC as its device tree says.

use core::arch::asm;

/// How the host's firmware is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// `smc #0`.
    Smc,
    /// `hvc #0`. EL2 itself is who would answer: usable only below another hypervisor.
    Hvc,
}

const CPU_ON: u64 = 0xc400_0003;
const SYSTEM_OFF: u64 = 0x8400_0008;

fn call(conduit: Conduit, function: u64, x1: u64, x2: u64, x3: u64) -> i64 {
    let mut x0 = function;
    // SAFETY: SMCCC (DEN 0028): a call changes X0 to X17 at most; firmware touches no memory
    // of ours but as PSCI says.
    unsafe {
        match conduit {
            Conduit::Smc => asm!("smc #0", inout("x0") x0, inout("x1") x1 => _,
                inout("x2") x2 => _, inout("x3") x3 => _, clobber_abi("C")),
            Conduit::Hvc => asm!("hvc #0", inout("x0") x0, inout("x1") x1 => _,
                inout("x2") x2 => _, inout("x3") x3 => _, clobber_abi("C")),
        }
    }
    x0.cast_signed()
}

/// Starts the core of affinity `mpidr` at `entry` with X0 = `context`. Err: PSCI's number.
pub fn cpu_on(conduit: Conduit, mpidr: u64, entry: u64, context: u64) -> Result<(), i64> {
    match call(conduit, CPU_ON, mpidr, entry, context) {
        0 => Ok(()),
        error => Err(error),
    }
}

/// Switches the host off. Returns only if the firmware cannot.
pub fn system_off(conduit: Conduit) {
    call(conduit, SYSTEM_OFF, 0, 0, 0);
}
