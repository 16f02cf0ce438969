//! What of a vCPU the core's registers hold while it has the core: saved and loaded whole when
//! another takes its place.
//!
//! DDI 0487, D1.2.3: of the registers that EL1 and EL0 see, all that a guest can reach without a trap.

use crate::arch::registers::{mrs, msr};
use crate::arch::simd::Simd;

macro_rules! kept {
    ($(#[$doc:meta])* $kept:ident, $count:literal, $put:ident: $($name:literal),* $(,)?) => {
        $(#[$doc])*
        struct $kept([u64; $count]);

        impl $kept {
            fn save(&mut self) {
                self.0 = [$(mrs!($name)),*];
            }

            fn load(&self) {
                let mut values = self.0.iter();
                $($put!($name, values.next().copied().unwrap_or(0));)*
            }
        }
    };
}

/// Writes a register that rarely differs.
macro_rules! msr_if_other {
    ($name:literal, $value:expr) => {{
        let value = $value;
        if mrs!($name) != value {
            msr!($name, value);
        }
    }};
}

kept! {
    /// The breakpoints on the UNDEF vector. Those of two guests are mostly alike, and a simulator
    /// forgets what it has translated when one changes.
    Watch, 5, msr_if_other:
    "dbgbvr0_el1",
    "dbgbvr1_el1",
    "dbgbcr0_el1",
    "dbgbcr1_el1",
    "mdscr_el1",
}

kept! {
    /// Registers of EL1 and EL0.
    System, 24, msr:
    "sctlr_el1",
    "vbar_el1",
    "cpacr_el1",
    "ttbr0_el1",
    "ttbr1_el1",
    "tcr_el1",
    "mair_el1",
    "amair_el1",
    "esr_el1",
    "far_el1",
    "afsr0_el1",
    "afsr1_el1",
    "elr_el1",
    "spsr_el1",
    "sp_el0",
    "sp_el1",
    "contextidr_el1",
    "tpidr_el0",
    "tpidrro_el0",
    "tpidr_el1",
    "par_el1",
    "cntkctl_el1",
    "csselr_el1",
    // Its control register comes last: the timer runs when all else is in place.
    "cntv_cval_el0",
}

kept! {
    /// Registers that only an AArch32 guest reaches.
    Aarch32, 7, msr:
    "ifsr32_el2",
    "dacr32_el2",
    "fpexc32_el2",
    "spsr_abt",
    "spsr_und",
    "spsr_irq",
    "spsr_fiq",
}

/// A vCPU that does not have the core.
///
/// X0 to X30, PC and PSTATE are where the vectors saved them ([`Saved`](crate::arch::core_area::Saved)).
pub struct Context {
    system: System,
    aarch32: Aarch32,
    watch: Watch,
    simd: Simd,
    timer_control: u64,
}

/// CNTV_CTL: enabled, and not masked.
const RUNS: u64 = 0b11;
const ENABLED: u64 = 0b01;

impl Context {
    pub fn new() -> Self {
        Self {
            system: System([0; 24]),
            aarch32: Aarch32([0; 7]),
            watch: Watch([0; 5]),
            simd: Simd::new(),
            timer_control: 0,
        }
    }

    /// Takes what the core holds, and quiets the guest's timer there. All SPSRs show.
    pub fn save(&mut self, is_aarch32: bool) {
        self.timer_control = mrs!("cntv_ctl_el0");
        msr!("cntv_ctl_el0", 0);
        self.system.save();
        if is_aarch32 {
            self.aarch32.save();
        }
        self.watch.save();
        self.simd.save();
    }

    /// Puts it back, with the banks of System mode.
    pub fn load(&self, is_aarch32: bool) {
        self.system.load();
        if is_aarch32 {
            self.aarch32.load();
        }
        self.watch.load();
        msr!("cntv_ctl_el0", self.timer_control);
        self.simd.load();
    }

    /// When its virtual timer fires next, as CNTV counts; it is saved.
    pub fn timer_fires(&self) -> Option<u64> {
        let [.., compare] = self.system.0;
        (self.timer_control & RUNS == ENABLED).then_some(compare)
    }

    /// Gives the SIMD registers of nobody to a vCPU that begins.
    pub fn load_nothing(&mut self) {
        self.simd = Simd::new();
        self.simd.load();
    }
}

/// When the guest's virtual timer, in the registers now, fires next, as CNTV counts.
pub fn timer_fires() -> Option<u64> {
    (mrs!("cntv_ctl_el0") & RUNS == ENABLED).then(|| mrs!("cntv_cval_el0"))
}
