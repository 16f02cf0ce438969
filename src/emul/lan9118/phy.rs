//! The internal PHY at address 1 (data sheet, 5.5), reached over MII_ACC and MII_DATA.
//!
//! Its partner, when there is one, can do all that it can. A negotiation ends when it begins.

use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

const RESET: u16 = 1 << 15;
const LOOPBACK: u16 = 1 << 14;
const SPEED_100: u16 = 1 << 13;
const NEGOTIATE: u16 = 1 << 12;
const POWER_DOWN: u16 = 1 << 11;
const RESTART: u16 = 1 << 9;
const FULL_DUPLEX: u16 = 1 << 8;
/// BMCR: those that stay as they are written.
const BMCR_WRITABLE: u16 = 0x7980;
const BMCR_RESET: u16 = SPEED_100 | NEGOTIATE;

/// BSR: 100BASE-TX and 10BASE-T, each in full and half duplex, negotiation, extended registers.
const ABILITIES: u16 = 0x7809;
const NEGOTIATED: u16 = 1 << 5;
const LINK: u16 = 1 << 2;

const ADVERTISE_RESET: u16 = 0x01e1;
/// What the partner can do, with its acknowledgement and symmetric pause.
const PARTNER: u16 = 0x45e1;

/// The bits of the interrupt registers.
const ENERGY_ON: u8 = 1 << 7;
const COMPLETE: u8 = 1 << 6;
const LINK_DOWN: u8 = 1 << 4;
const ACKNOWLEDGED: u8 = 1 << 3;
const PAGE: u8 = 1 << 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Phy {
    /// Whether a live partner is at the other end of the wire.
    wire: bool,
    control: u16,
    advertise: u16,
    /// Mode Control/Status: EDPWRDOWN.
    mode: u16,
    /// Special Modes, which no soft reset changes.
    special: u16,
    indications: u16,
    sources: u8,
    mask: u8,
    /// The link has been down since BSR was last read.
    was_down: bool,
    /// A page has come since ANER was last read.
    page: bool,
}

impl Phy {
    pub(super) fn new(wire: bool) -> Self {
        let mut phy = Self {
            wire,
            control: BMCR_RESET,
            advertise: ADVERTISE_RESET,
            mode: 0,
            special: 0x00e1,
            indications: 0,
            sources: 0,
            mask: 0,
            was_down: !wire,
            page: false,
        };
        phy.came_up();
        phy
    }

    /// Its reset by BMCR or PMT_CTRL.
    pub(super) fn reset(&mut self) {
        let special = self.special;
        *self = Self::new(self.wire);
        self.special = special;
    }

    pub(super) const fn link(&self) -> bool {
        self.wire && self.control & POWER_DOWN == 0
    }

    pub(super) const fn loopback(&self) -> bool {
        self.control & LOOPBACK != 0
    }

    pub(super) const fn interrupts(&self) -> bool {
        self.sources & self.mask != 0
    }

    /// Whether the line came alive since the source was last read: what ED_EN waits for.
    pub(super) const fn energy(&self) -> bool {
        self.sources & self.mask & ENERGY_ON != 0
    }

    pub(super) const fn wire(&self) -> bool {
        self.wire
    }

    /// The partner comes or goes.
    pub(super) fn connect(&mut self, live: bool) {
        let before = self.link();
        self.wire = live;
        self.changed(before);
    }

    fn changed(&mut self, before: bool) {
        match (before, self.link()) {
            (false, true) => self.came_up(),
            (true, false) => {
                self.was_down = true;
                self.sources |= LINK_DOWN;
            }
            _ => {}
        }
    }

    fn came_up(&mut self) {
        if self.link() {
            self.sources |= ENERGY_ON;
            self.negotiate();
        }
    }

    fn negotiate(&mut self) {
        if self.link() && self.control & NEGOTIATE != 0 {
            self.sources |= COMPLETE | ACKNOWLEDGED | PAGE;
            self.page = true;
        }
    }

    const fn negotiated(&self) -> bool {
        self.link() && self.control & NEGOTIATE != 0
    }

    /// Speed and duplex as register 31 tells them: the best that both can do.
    const fn speed(&self) -> u16 {
        if self.control & NEGOTIATE == 0 {
            let fast = self.control & SPEED_100 != 0;
            let full = self.control & FULL_DUPLEX != 0;
            return (if fast { 0b010 } else { 0b001 }) | (if full { 0b100 } else { 0 });
        }
        match self.advertise & 0x1e0 {
            0x100.. => 0b110,
            0x080.. => 0b010,
            0x040.. => 0b101,
            _ => 0b001,
        }
    }

    /// Whether the line runs at 100 Mb/s.
    pub(super) const fn is_fast(&self) -> bool {
        self.speed() & 0b010 != 0
    }

    pub(super) fn read(&mut self, register: u32) -> u16 {
        match register {
            0 => self.control,
            1 => {
                let link = if self.link() && !self.was_down {
                    LINK
                } else {
                    0
                };
                self.was_down = !self.link();
                ABILITIES | link | if self.negotiated() { NEGOTIATED } else { 0 }
            }
            2 => 0x0007,
            3 => 0xc0d1,
            4 => self.advertise,
            5 if self.negotiated() => PARTNER,
            5 => 1,
            6 => {
                let able = u16::from(self.negotiated());
                able | u16::from(core::mem::take(&mut self.page)) << 1
            }
            17 => self.mode | u16::from(self.link()) << 1,
            18 => self.special,
            27 => self.indications,
            29 => u16::from(core::mem::take(&mut self.sources)),
            30 => u16::from(self.mask),
            31 => 0x0040 | self.speed() << 2 | u16::from(self.negotiated()) << 12,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, register: u32, value: u16) {
        match register {
            0 if value & RESET != 0 => self.reset(),
            0 => {
                let (before, negotiated) = (self.link(), self.control & NEGOTIATE != 0);
                self.control = value & BMCR_WRITABLE;
                self.changed(before);
                if before && (value & RESTART != 0 || !negotiated) {
                    self.negotiate();
                }
            }
            4 => self.advertise = value & 0x2de0 | 1,
            17 => self.mode = value & 0x2000,
            18 => self.special = value & 0x00ff,
            27 => self.indications = value & 0x0400,
            30 => self.mask = value as u8 & 0xfe,
            _ => {}
        }
    }

    pub(super) fn save(&self, out: &mut Writer) {
        for word in [
            self.control,
            self.advertise,
            self.mode,
            self.special,
            self.indications,
        ] {
            out.u16(word);
        }
        out.u8(self.sources);
        out.u8(self.mask);
        for flag in [self.wire, self.was_down, self.page] {
            out.bool(flag);
        }
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            control: from.u16()? & BMCR_WRITABLE,
            advertise: from.u16()?,
            mode: from.u16()?,
            special: from.u16()?,
            indications: from.u16()?,
            sources: from.u8()?,
            mask: from.u8()?,
            wire: from.bool()?,
            was_down: from.bool()?,
            page: from.bool()?,
        })
    }
}
