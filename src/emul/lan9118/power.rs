//! Power management (data sheet, 3.10 and 5.3.12): states D0 to D2, and what wakes the board.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

const PM_MODE: u32 = 3 << 12;
const PHY_RST: u32 = 1 << 10;
const WOL_EN: u32 = 1 << 9;
const ED_EN: u32 = 1 << 8;
const PME_TYPE: u32 = 1 << 6;
/// WUPS: a frame woke it, or energy on the line.
const WOKEN: u32 = 1 << 5;
const ENERGY: u32 = 1 << 4;
const PME_IND: u32 = 1 << 3;
const PME_POL: u32 = 1 << 2;
const PME_EN: u32 = 1 << 1;
const READY: u32 = 1;
const WRITABLE: u32 = PM_MODE | WOL_EN | ED_EN | PME_TYPE | PME_IND | PME_POL | PME_EN;

#[derive(Clone, Copy, Debug)]
pub(super) struct Power {
    control: u32,
}

impl Power {
    pub(super) const RESET: Self = Self { control: 0 };

    /// Type and polarity of the pin survive a soft reset (NASR).
    pub(super) fn soft_reset(&mut self) {
        self.control &= PME_TYPE | PME_POL;
    }

    pub(super) const fn is_awake(self) -> bool {
        self.control & PM_MODE == 0
    }

    pub(super) const fn read(self) -> u32 {
        self.control | if self.is_awake() { READY } else { 0 }
    }

    /// True if the PHY is to be reset. WUPS is cleared by ones.
    pub(super) fn write(&mut self, value: u32) -> bool {
        let wups = self.control & (WOKEN | ENERGY) & !value;
        self.control = value & WRITABLE | wups;
        value & PHY_RST != 0
    }

    /// PM_MODE clears itself when it is back in D0.
    pub(super) fn wake(&mut self) {
        self.control &= !PM_MODE;
    }

    /// A frame has woken it: true if that is a power management event.
    pub(super) fn woken(&mut self) -> bool {
        self.happens(WOL_EN, WOKEN)
    }

    /// The PHY tells of energy on its line: true if that is news, and an event.
    pub(super) fn energy(&mut self, is: bool) -> bool {
        is && self.control & ENERGY == 0 && self.happens(ED_EN, ENERGY)
    }

    fn happens(&mut self, enable: u32, event: u32) -> bool {
        let enabled = self.control & enable != 0;
        if enabled {
            self.control |= event;
        }
        enabled
    }

    pub(super) fn save(self, out: &mut Writer) {
        out.u32(self.control);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            control: from.u32()? & (WRITABLE | WOKEN | ENERGY),
        })
    }
}
