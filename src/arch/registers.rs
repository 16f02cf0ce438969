//! System registers that `aarch64-cpu` does not have, by name.

/// Reads a system register.
macro_rules! mrs {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a system register that EL2 may read has no effect on memory.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register that the hypervisor owns, or that is its guest's.
macro_rules! msr {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the registers written through this macro govern the guest or the interrupt
        // hardware, never the hypervisor's own translation, stack or vectors. The memory
        // clobber keeps accesses on their side of it.
        unsafe {
            core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value,
                options(nostack, preserves_flags));
        }
    }};
}

pub(crate) use {mrs, msr};
