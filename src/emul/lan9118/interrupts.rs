//! The interrupt controller (data sheet, 3.5 and 5.3.1 to 5.3.3): sources that stay until they
//! are cleared, an enable for each, and the IRQ pin with its deassertion interval.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// The bits of INT_STS and INT_EN.
pub(super) mod source {
    pub const SW: u32 = 1 << 31;
    pub const TXSTOP: u32 = 1 << 25;
    pub const RXSTOP: u32 = 1 << 24;
    pub const RXDFH: u32 = 1 << 23;
    pub const TX_IOC: u32 = 1 << 21;
    pub const RXD: u32 = 1 << 20;
    pub const GPT: u32 = 1 << 19;
    pub const PHY: u32 = 1 << 18;
    pub const PME: u32 = 1 << 17;
    pub const TXSO: u32 = 1 << 16;
    pub const RXE: u32 = 1 << 14;
    pub const TXE: u32 = 1 << 13;
    pub const TDFO: u32 = 1 << 10;
    pub const TDFA: u32 = 1 << 9;
    pub const TSFF: u32 = 1 << 8;
    pub const TSFL: u32 = 1 << 7;
    pub const RXDF: u32 = 1 << 6;
    pub const RSFF: u32 = 1 << 4;
    pub const RSFL: u32 = 1 << 3;
    pub const GPIO: u32 = 7;
    pub const ALL: u32 = 0x83bf_e7df;
}

const INT_DEAS: u32 = 0xff00_0000;
const DEAS_CLR: u32 = 1 << 14;
const DEAS_STS: u32 = 1 << 13;
const IRQ_INT: u32 = 1 << 12;
const IRQ_EN: u32 = 1 << 8;
const IRQ_POL: u32 = 1 << 4;
const IRQ_TYPE: u32 = 1;
/// Of INT_DEAS.
const UNIT_NS: u64 = 10_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupts {
    config: u32,
    status: u32,
    enable: u32,
    /// The end of the deassertion interval.
    quiet_until: Instant,
    asserted: bool,
}

impl Interrupts {
    pub(super) const RESET: Self = Self {
        config: 0,
        status: 0,
        enable: 0,
        quiet_until: Instant::ZERO,
        asserted: false,
    };

    /// Polarity and type of the pin survive a soft reset (5.3.1, NASR).
    pub(super) fn soft_reset(&mut self) {
        *self = Self {
            config: self.config & (IRQ_POL | IRQ_TYPE),
            ..Self::RESET
        };
    }

    pub(super) const fn status(&self) -> u32 {
        self.status
    }

    pub(super) const fn enable(&self) -> u32 {
        self.enable
    }

    pub(super) fn raise(&mut self, sources: u32) {
        self.status |= sources;
    }

    pub(super) fn clear(&mut self, sources: u32) {
        self.status &= !sources;
    }

    /// Setting SW_INT_EN is what raises the software interrupt (5.3.2).
    pub(super) fn set_enable(&mut self, enable: u32) {
        self.status |= enable & !self.enable & source::SW;
        self.enable = enable & source::ALL;
    }

    const fn active(&self) -> bool {
        self.status & self.enable != 0
    }

    const fn interval(&self) -> u64 {
        (self.config >> 24) as u64
    }

    pub(super) const fn config(&self, now: Instant) -> u32 {
        let quiet = if now.0 < self.quiet_until.0 {
            DEAS_STS
        } else {
            0
        };
        let active = if self.active() { IRQ_INT } else { 0 };
        self.config | quiet | active
    }

    pub(super) fn set_config(&mut self, now: Instant, value: u32) {
        self.config = value & (INT_DEAS | IRQ_EN | IRQ_POL | IRQ_TYPE);
        // Interval 0 lets a pending interrupt out; DEAS_CLR begins the interval anew.
        if self.interval() == 0 {
            self.quiet_until = Instant::ZERO;
        } else if value & DEAS_CLR != 0 {
            self.begin_interval(now);
        }
    }

    fn begin_interval(&mut self, now: Instant) {
        self.quiet_until = now.saturating_add(self.interval().wrapping_mul(UNIT_NS));
    }

    /// Takes in the sources that stand by their level, and drives the pin.
    pub(super) fn settle(&mut self, now: Instant, levels: u32) {
        self.status |= levels;
        let due = self.active() && self.config & IRQ_EN != 0;
        if self.asserted && !due {
            self.begin_interval(now);
        }
        self.asserted = due && (self.asserted || now >= self.quiet_until);
    }

    /// The pin's level. It is active high only as a push-pull output; open-drain it is pulled up.
    pub(super) const fn pin(&self) -> bool {
        let active_high = self.config & (IRQ_POL | IRQ_TYPE) == IRQ_POL | IRQ_TYPE;
        self.asserted == active_high
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let held = self.active() && self.config & IRQ_EN != 0 && !self.asserted;
        held.then_some(self.quiet_until)
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.config);
        out.u32(self.status);
        out.u32(self.enable);
        out.u64(self.quiet_until.0);
        out.bool(self.asserted);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            config: from.u32()? & (INT_DEAS | IRQ_EN | IRQ_POL | IRQ_TYPE),
            status: from.u32()? & source::ALL,
            enable: from.u32()? & source::ALL,
            quiet_until: Instant(from.u64()?),
            asserted: from.bool()?,
        })
    }
}
