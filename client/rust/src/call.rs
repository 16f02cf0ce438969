//! One call of the hypervisor's, by the SMC calling convention (DEN 0028E): SMC64 for AArch64, with
//! X0 to X11, and SMC32 for AArch32, with R0 to R7.

use super::BYTES_MAX;

/// A register as wide as the calling state's.
#[cfg(target_arch = "arm")]
type Register = u32;
#[cfg(not(target_arch = "arm"))]
type Register = u64;

const BYTES: usize = size_of::<Register>();
/// The first register of a message.
const MESSAGE: usize = 4;
const COUNT: usize = MESSAGE + BYTES_MAX / BYTES;

/// The registers of a call; the first has the function, then the status.
#[derive(Debug)]
pub struct Registers([Register; COUNT]);

#[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast)] // to a register's width
impl Registers {
    pub fn new(arguments: [u64; 3]) -> Self {
        let mut registers = Self([0; COUNT]);
        for (n, argument) in arguments.into_iter().enumerate() {
            registers.set(n + 1, argument);
        }
        registers
    }

    pub fn set(&mut self, n: usize, value: u64) {
        // Waits that an AArch32 register does not hold are the longest that it does.
        self.0[n] = Register::try_from(value).unwrap_or(Register::MAX);
    }

    pub const fn result(&self, n: usize) -> u64 {
        self.0[n] as u64
    }

    /// Sets a value of 64 bits: in two registers of AArch32.
    pub fn set_wide(&mut self, n: usize, value: u64) {
        self.0[n] = value as Register;
        if BYTES == 4 {
            self.0[n + 1] = (value >> 32) as Register;
        }
    }

    pub const fn wide(&self, n: usize) -> u64 {
        let high = if BYTES == 4 {
            self.result(n + 1) << 32
        } else {
            0
        };
        self.result(n) | high
    }

    /// Puts a message in; none if it is too long.
    pub fn put(&mut self, message: &[u8]) -> Option<()> {
        if message.len() > BYTES_MAX {
            return None;
        }
        for (n, part) in message.chunks(BYTES).enumerate() {
            let mut bytes = [0; BYTES];
            bytes[..part.len()].copy_from_slice(part);
            self.0[MESSAGE + n] = Register::from_le_bytes(bytes);
        }
        Some(())
    }

    /// Takes the message out, whose size is in the second register.
    pub fn get(&self, into: &mut [u8; BYTES_MAX]) -> usize {
        for (part, register) in into.chunks_mut(BYTES).zip(&self.0[MESSAGE..]) {
            part.copy_from_slice(&register.to_le_bytes());
        }
        (self.0[1] as usize).min(BYTES_MAX)
    }
}

/// Calls function `number`: the status.
#[cfg(target_arch = "aarch64")]
pub fn hvc(number: u32, registers: &mut Registers) -> i32 {
    let r = &mut registers.0;
    r[0] = 0xc600_0000 | u64::from(number);
    // SAFETY: the call reads and writes these registers only, and no memory; X12 to X30 stay (DEN
    // 0028E, 2.6).
    unsafe {
        core::arch::asm!(
            "hvc #0",
            inlateout("x0") r[0], inlateout("x1") r[1], inlateout("x2") r[2], inlateout("x3") r[3],
            inlateout("x4") r[4], inlateout("x5") r[5], inlateout("x6") r[6], inlateout("x7") r[7],
            inlateout("x8") r[8], inlateout("x9") r[9], inlateout("x10") r[10], inlateout("x11") r[11],
            options(nostack)
        );
    }
    r[0] as i32
}

/// Calls function `number`: the status.
#[cfg(target_arch = "arm")]
pub fn hvc(number: u32, registers: &mut Registers) -> i32 {
    registers.0[0] = 0x8600_0000 | number;
    // SAFETY: the call reads and writes R0 to R7 only, and no memory but the registers' own here; R6
    // and R7, which the compiler keeps for itself, are back before it goes on.
    unsafe {
        core::arch::asm!(
            ".arch_extension virt",
            "push {{r4, r5, r6, r7}}",
            "ldm r12, {{r0, r1, r2, r3, r4, r5, r6, r7}}",
            "hvc #0",
            "stm r12, {{r0, r1, r2, r3, r4, r5, r6, r7}}",
            "pop {{r4, r5, r6, r7}}",
            in("r12") registers.0.as_mut_ptr(),
            out("r0") _, out("r1") _, out("r2") _, out("r3") _,
        );
    }
    registers.0[0] as i32
}

/// There is no hypervisor under other machines.
#[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
pub fn hvc(_number: u32, _registers: &mut Registers) -> i32 {
    -1
}
