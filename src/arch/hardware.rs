//! The physical core under a vCPU: [`reliquary::vm::Core`] on real registers.

use super::guest_memory::GuestMemory;
use super::registers::{mrs, msr};
use super::{barrier_dsb, barrier_isb, counter, hidden_spsr, simd};
use reliquary::access::Width;
use reliquary::memory::BoardMemory;
use reliquary::units::{HostPa, Ipa};
use reliquary::vm::{At, Core, Stage1, SysReg};

/// The core that runs a VM, and the VM's memory.
pub struct Hardware {
    /// The VM's memory.
    pub memory: GuestMemory,
}

/// MDSCR_EL1: software step, and breakpoints on.
const MDSCR_SS: u64 = 1;
const MDSCR_MDE: u64 = 1 << 15;
/// DBGBCR_EL1 (DDI 0487, D17.3.2): on, EL1 only (PMC 0b01, HMC and SSC 0), all four bytes, an
/// unlinked address match.
const BREAKPOINT_ON: u64 = 1 | 0b01 << 1 | 0b1111 << 5;

macro_rules! guest_registers {
    ($(($reg:ident, $name:literal)),* $(,)?) => {
        fn read(reg: SysReg) -> u64 {
            match reg { $(SysReg::$reg => mrs!($name),)* }
        }
        fn write(reg: SysReg, value: u64) {
            match reg { $(SysReg::$reg => msr!($name, value),)* }
        }
    };
}

guest_registers! {
    (SctlrEl1, "sctlr_el1"),
    (VbarEl1, "vbar_el1"),
    (CpacrEl1, "cpacr_el1"),
    (ActlrEl1, "actlr_el1"),
    (Ttbr0El1, "ttbr0_el1"),
    (Ttbr1El1, "ttbr1_el1"),
    (TcrEl1, "tcr_el1"),
    (MairEl1, "mair_el1"),
    (EsrEl1, "esr_el1"),
    (FarEl1, "far_el1"),
    (ElrEl1, "elr_el1"),
    (SpsrEl1, "spsr_el1"),
    (SpEl0, "sp_el0"),
    (SpEl1, "sp_el1"),
    (Ifsr32, "ifsr32_el2"),
    (Dacr32, "dacr32_el2"),
    (SpsrAbt, "spsr_abt"),
    (SpsrUnd, "spsr_und"),
    (SpsrIrq, "spsr_irq"),
    (SpsrFiq, "spsr_fiq"),
    (ContextidrEl1, "contextidr_el1"),
    (TpidrEl0, "tpidr_el0"),
    (TpidrroEl0, "tpidrro_el0"),
    (TpidrEl1, "tpidr_el1"),
    (ParEl1, "par_el1"),
    (CntvCtl, "cntv_ctl_el0"),
    (CntvCval, "cntv_cval_el0"),
    (Csselr, "csselr_el1"),
    (Amair, "amair_el1"),
    (CntkctlEl1, "cntkctl_el1"),
    (Cntvoff, "cntvoff_el2"),
    (Fpexc32, "fpexc32_el2"),
}

/// An address translation instruction's PAR_EL1; the guest's own is put back.
macro_rules! at {
    ($how:literal, $va:expr) => {{
        let kept = mrs!("par_el1");
        // SAFETY: an address translation instruction changes PAR_EL1 only, put back below.
        unsafe { core::arch::asm!(concat!("at ", $how, ", {}"), in(reg) $va, options(nostack)) }
        barrier_isb();
        let par = mrs!("par_el1");
        msr!("par_el1", kept);
        par
    }};
}

/// PAR_EL1.PA.
const fn page_of(par: u64) -> u64 {
    par & 0x000f_ffff_ffff_f000
}

impl Core for Hardware {
    fn get(&self, reg: SysReg) -> u64 {
        read(reg)
    }

    fn set(&mut self, reg: SysReg, value: u64) {
        write(reg, value);
    }

    fn ticks(&self) -> u64 {
        mrs!("cntvct_el0")
    }

    fn hz(&self) -> u64 {
        counter::hz()
    }

    fn translate(&mut self, va: u64, how: At) -> Result<Ipa, u64> {
        let (whole, stage1) = match how {
            At::E1Read => (at!("s12e1r", va), at!("s1e1r", va)),
            At::E1Write => (at!("s12e1w", va), at!("s1e1w", va)),
            At::E0Read => (at!("s12e0r", va), at!("s1e0r", va)),
            At::E0Write => (at!("s12e0w", va), at!("s1e0w", va)),
        };
        // Stage 1 alone gives the IPA that the board knows.
        if stage1 & 1 != 0 {
            return Err(stage1);
        }
        if whole & 1 != 0 {
            return Err(whole);
        }
        Ok(Ipa(page_of(stage1) | va & 0xfff))
    }

    fn stage_1(&mut self, va: u64, how: At) -> Result<Stage1, u64> {
        let par = match how {
            At::E1Read => at!("s1e1r", va),
            At::E1Write => at!("s1e1w", va),
            At::E0Read => at!("s1e0r", va),
            At::E0Write => at!("s1e0w", va),
        };
        if par & 1 != 0 {
            return Err(par);
        }
        // PAR_EL1.ATTR, in MAIR_EL1's encoding (DDI 0487, D17.2.100).
        let attributes = par >> 56;
        Ok(Stage1 {
            page: Ipa(page_of(par)),
            device: attributes & 0xf0 == 0,
            untold: attributes == 0,
            cached: attributes & 0xcc == 0xcc,
        })
    }

    fn simd(&mut self, n: u8) -> u128 {
        simd::get(n)
    }

    fn set_simd(&mut self, n: u8, value: u128) {
        simd::set(n, value);
    }

    fn zero_block_bytes(&self) -> u64 {
        4 << (mrs!("dczid_el0") & 0xf)
    }

    fn code(&mut self, va: u64, into: &mut [u8]) -> Option<()> {
        let whole = at!("s12e1r", va);
        let host = (whole & 1 == 0).then(|| page_of(whole) | va & 0xfff)?;
        self.memory.host_read(host, into).ok()
    }

    #[inline]
    fn code_word(&mut self, va: u64) -> Option<u32> {
        let whole = at!("s12e1r", va);
        let host = (whole & 1 == 0).then(|| page_of(whole) | va & 0xfff)?;
        self.memory.host_word(host)
    }

    fn hides_spsr(&self) -> bool {
        hidden_spsr::hides()
    }

    fn change_banks(&mut self, from: u64, to: u64) {
        hidden_spsr::change_mode(from, to);
    }

    fn memory(&self) -> &dyn BoardMemory {
        &self.memory
    }

    fn host_read(&mut self, at: HostPa, width: Width) -> u64 {
        host_register_read(at, width)
    }

    fn host_write(&mut self, at: HostPa, width: Width, value: u64) {
        host_register_write(at, width, value);
    }

    fn watch_undef_vectors(&mut self, at: Option<[u64; 2]>) {
        let control = if at.is_some() { BREAKPOINT_ON } else { 0 };
        let [low, high] = at.unwrap_or_default();
        msr!("dbgbvr0_el1", low);
        msr!("dbgbvr1_el1", high);
        msr!("dbgbcr0_el1", control);
        msr!("dbgbcr1_el1", control);
        let mdscr = mrs!("mdscr_el1");
        msr!(
            "mdscr_el1",
            if at.is_some() {
                mdscr | MDSCR_MDE
            } else {
                mdscr & !MDSCR_MDE
            }
        );
        barrier_isb();
    }

    fn step(&mut self, on: bool) {
        let mdscr = mrs!("mdscr_el1");
        msr!(
            "mdscr_el1",
            if on {
                mdscr | MDSCR_SS
            } else {
                mdscr & !MDSCR_SS
            }
        );
        barrier_isb();
    }

    fn clean_invalidate(&mut self, from: Ipa, bytes: u64) {
        let Some(host) = self.memory.host_address(from, bytes) else {
            return;
        };
        let line = 4u64 << (mrs!("ctr_el0") >> 16 & 0xf);
        let mut at = host & !(line - 1);
        while at < host + bytes {
            // SAFETY: cache maintenance of mapped RAM changes no data.
            unsafe { core::arch::asm!("dc civac, {}", in(reg) at, options(nostack)) }
            at += line;
        }
        barrier_dsb();
    }

    fn invalidate_code(&mut self) {
        // SAFETY: what is fetched again is the same code, or the guest's newer.
        unsafe { core::arch::asm!("ic ialluis", options(nostack)) }
        barrier_dsb();
    }
}

/// SCTLR as a reset leaves it in AArch32: its RES1 bits and reset values (DDI 0487, G8.2.126).
pub const SCTLR_A32: u64 = 0x00c5_0078;
/// The same in AArch64 (D17.2.118).
const SCTLR_A64: u64 = 0x30d0_0800;

/// EL1 as a reset leaves it; what the architecture leaves unknown is zero.
pub fn reset_el1(a32: bool) {
    msr!("sctlr_el1", if a32 { SCTLR_A32 } else { SCTLR_A64 });
    macro_rules! zero {
        ($($name:literal),* $(,)?) => { $(msr!($name, 0);)* };
    }
    zero!(
        "vbar_el1",
        "cpacr_el1",
        "ttbr0_el1",
        "ttbr1_el1",
        "tcr_el1",
        "mair_el1",
        "amair_el1",
        "esr_el1",
        "far_el1",
        "elr_el1",
        "spsr_el1",
        "sp_el0",
        "sp_el1",
        "ifsr32_el2",
        "dacr32_el2",
        "spsr_abt",
        "spsr_und",
        "spsr_irq",
        "spsr_fiq",
        "contextidr_el1",
        "tpidr_el0",
        "tpidrro_el0",
        "tpidr_el1",
        "par_el1",
        "cntkctl_el1",
        "csselr_el1",
        "fpexc32_el2",
        "afsr0_el1",
        "afsr1_el1",
        "cntv_cval_el0",
    );
}

/// Reads a tapped register of the host.
fn host_register_read(at: HostPa, width: Width) -> u64 {
    // SAFETY: the board answers with a host address only inside a tapped window, whose pages
    // were mapped as device memory when the VM was built; reading them is the guest's own
    // access, which it would make itself without the tap.
    unsafe {
        match width {
            Width::Byte => u64::from((at.0 as *const u8).read_volatile()),
            Width::Half => u64::from((at.0 as *const u16).read_volatile()),
            Width::Word => u64::from((at.0 as *const u32).read_volatile()),
            Width::Double => (at.0 as *const u64).read_volatile(),
        }
    }
}

/// Writes a tapped register of the host.
fn host_register_write(at: HostPa, width: Width, value: u64) {
    // SAFETY: as in `host_register_read`.
    unsafe {
        match width {
            Width::Byte => (at.0 as *mut u8).write_volatile(value as u8),
            Width::Half => (at.0 as *mut u16).write_volatile(value as u16),
            Width::Word => (at.0 as *mut u32).write_volatile(value as u32),
            Width::Double => (at.0 as *mut u64).write_volatile(value),
        }
    }
}
