//! Registers of a device, by plain loads and stores.
//!
//! Written in assembly, so that the compiler cannot choose a form (write-back, pairs) for which
//! the architecture gives a hypervisor no syndrome: a program that wants those says so.

use core::arch::asm;

/// A device's registers.
#[derive(Clone, Copy)]
pub struct Device(usize);

impl Device {
    /// The device at `base`.
    ///
    /// # Safety
    ///
    /// Its registers' accesses must not change memory that Rust knows of.
    #[must_use]
    pub const unsafe fn at(base: usize) -> Self {
        Self(base)
    }

    /// A device at another offset of the same block.
    #[must_use]
    pub const fn part(self, offset: usize) -> Self {
        Self(self.0 + offset)
    }

    /// The address of a register.
    #[must_use]
    pub const fn address(self, offset: usize) -> usize {
        self.0 + offset
    }

    /// Reads the 32-bit register at `offset`.
    #[must_use]
    pub fn read(self, offset: usize) -> u32 {
        let at = self.0 + offset;
        let value: u32;
        // SAFETY: `at`'s promise; a load.
        unsafe {
            #[cfg(target_arch = "aarch64")]
            asm!("ldr {:w}, [{}]", out(reg) value, in(reg) at, options(nostack));
            #[cfg(target_arch = "arm")]
            asm!("ldr {}, [{}]", out(reg) value, in(reg) at, options(nostack));
        }
        value
    }

    /// Writes the 32-bit register at `offset`.
    pub fn write(self, offset: usize, value: u32) {
        let at = self.0 + offset;
        // SAFETY: `at`'s promise; a store to a device.
        unsafe {
            #[cfg(target_arch = "aarch64")]
            asm!("str {:w}, [{}]", in(reg) value, in(reg) at, options(nostack));
            #[cfg(target_arch = "arm")]
            asm!("str {}, [{}]", in(reg) value, in(reg) at, options(nostack));
        }
    }

    /// Writes one byte of the registers.
    pub fn write_byte(self, offset: usize, value: u8) {
        let at = self.0 + offset;
        // SAFETY: `at`'s promise; a store to a device.
        unsafe {
            #[cfg(target_arch = "aarch64")]
            asm!("strb {:w}, [{}]", in(reg) u32::from(value), in(reg) at, options(nostack));
            #[cfg(target_arch = "arm")]
            asm!("strb {}, [{}]", in(reg) u32::from(value), in(reg) at, options(nostack));
        }
    }
}
