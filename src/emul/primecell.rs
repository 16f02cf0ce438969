//! PrimeCell identity: the registers by which software recognizes a part, and a device that
//! has no others.
//!
//! Manuals: each PrimeCell's reference manual, "Peripheral identification registers" and
//! "PrimeCell identification registers"; [`PARTS`] names each. Eight word-spaced registers of
//! one byte each end the block: PeriphID0 to 3 (part number, designer, revision,
//! configuration) and PCellID0 to 3 (0xB105F00D).
//!
//! Device tree: a node with one of [`PARTS`]' `compatible` strings beside `arm,primecell`. A
//! node's `arm,primecell-periphid` can replace the identity ([`Identity::from_periphid`]).
//!
//! Lines: none.
//!
//! Deviation of [`IdentityOnly`]: identity only. Every other offset reads as 0 and ignores
//! writes; no line ever rises.

use crate::access::{Access, Refusal};
use crate::emul::describe::{Allowed, Bound, Description, Register, register};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Reset, apb};

/// PCellID3 to PCellID0 as one word: the same for every PrimeCell.
const PCELL_ID: u32 = 0xb105_f00d;

/// Bytes of the identity registers, which end a PrimeCell's block.
const IDENTITY_BYTES: u64 = 32;

/// PeriphID0 to 3, for a PrimeCell's description.
pub const PERIPH_ID: Register = register(0xfe0, "PeriphID").times(4);

/// PCellID0 to 3.
pub const PCELL_ID_REGISTERS: Register = register(0xff0, "PCellID").times(4);

/// Of a part that answers by its identity only.
pub static DESCRIPTION: Description =
    Description::of("each part's own", &[PERIPH_ID, PCELL_ID_REGISTERS])
        .bounds(&[Bound {
            register: PERIPH_ID.name,
            field: None,
            allowed: Allowed::Instead {
                source: "qemu-",
                mask: u64::MAX,
                theirs: 0x81,
                ours: 0x80,
            },
            reason: "a Versatile Express has a PL180 (DUI 0447, 4.1); QEMU's a PL181",
        }])
        .deviations(&["every other register reads as 0"]);

/// What a PrimeCell answers in its peripheral identification registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u32);

impl Identity {
    /// A part of Arm's (designer 0x41): its part number, revision and configuration.
    #[must_use]
    pub const fn arm(part: u16, revision: u8, configuration: u8) -> Self {
        Self(
            (part as u32 & 0xfff)
                | 0x41 << 12
                | (revision as u32 & 0xf) << 20
                | (configuration as u32) << 24,
        )
    }

    /// From PeriphID3 to PeriphID0 as one word, as `arm,primecell-periphid` has it.
    #[must_use]
    pub const fn from_periphid(periphid: u32) -> Self {
        Self(periphid)
    }

    /// PeriphID3 to PeriphID0 as one word.
    #[must_use]
    pub const fn periphid(self) -> u32 {
        self.0
    }

    /// The register `offset` bytes after PeriphID0. Behind the eighth there is nothing: 0.
    #[must_use]
    pub const fn read(self, offset: u64) -> u32 {
        let (word, byte) = match offset / 4 {
            n @ 0..4 => (self.0, n),
            n @ 4..8 => (PCELL_ID, n.wrapping_sub(4)),
            _ => return 0,
        };
        word.wrapping_shr((byte as u32).wrapping_mul(8)) & 0xff
    }
}

/// A part whose identity is known.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The string that its node's `compatible` holds.
    pub compatible: &'static str,
    /// What it is, for reports, and the manual that gives the identity.
    pub name: &'static str,
    /// The identity in that manual.
    pub identity: Identity,
}

const fn part(compatible: &'static str, name: &'static str, identity: Identity) -> Part {
    Part {
        compatible,
        name,
        identity,
    }
}

/// The parts whose identity is known. Where boards are known to hold another revision than the
/// manual's first (QEMU 7.2's vexpress models, for one), theirs is taken, and the name says so.
///
/// The PL330 is not among them: by its identity alone a driver takes it for a DMA engine, which
/// then moves nothing.
pub const PARTS: &[Part] = &[
    part(
        "arm,pl022",
        "PL022 SSP (DDI 0194G), r1p3",
        Identity::arm(0x022, 2, 0),
    ),
    part(
        "arm,pl030",
        "PL030 RTC (DDI 0140A)",
        Identity::arm(0x030, 0, 0),
    ),
    // The configuration byte counts the FIFOs' depth in non-compact mode; that of the boards.
    part(
        "arm,pl041",
        "PL041 AACI (DDI 0173B)",
        Identity::arm(0x041, 0, 0x29),
    ),
    part(
        "arm,pl050",
        "PL050 KMI (DDI 0143C)",
        Identity::arm(0x050, 0, 0),
    ),
    part(
        "arm,pl061",
        "PL061 GPIO (DDI 0190B)",
        Identity::arm(0x061, 0, 0),
    ),
    part(
        "arm,pl080",
        "PL080 DMAC (DDI 0196G)",
        Identity::arm(0x080, 0, 0x0a),
    ),
    part(
        "arm,pl081",
        "PL081 DMAC (DDI 0218E)",
        Identity::arm(0x081, 0, 0x0a),
    ),
    part(
        "arm,pl110",
        "PL110 CLCD (DDI 0161E)",
        Identity::arm(0x110, 0, 0),
    ),
    part(
        "arm,pl111",
        "PL111 CLCD (DDI 0293C), r0p2",
        Identity::arm(0x111, 2, 0),
    ),
    part(
        "arm,pl180",
        "PL180 MMCI (DDI 0172A)",
        Identity::arm(0x180, 0, 0),
    ),
    part(
        "arm,pl181",
        "PL181 MMCI (DDI 0205B)",
        Identity::arm(0x181, 0, 0),
    ),
    part(
        "arm,pl190",
        "PL190 VIC (DDI 0181E)",
        Identity::arm(0x190, 0, 0),
    ),
    part(
        "arm,pl192",
        "PL192 VIC (DDI 0273A)",
        Identity::arm(0x192, 0, 0),
    ),
    part(
        "arm,pl341",
        "PL341 DMC (DDI 0418E), r0p0",
        Identity::arm(0x341, 0, 0),
    ),
    part(
        "arm,pl353",
        "PL353 SMC (DDI 0380G), r0p0",
        Identity::arm(0x353, 0, 0),
    ),
    part(
        "arm,pl354",
        "PL354 SMC (DDI 0380G), r0p0",
        Identity::arm(0x354, 0, 0),
    ),
    part(
        "arm,sp804",
        "SP804 timers (DDI 0271D)",
        Identity::arm(0x804, 1, 0),
    ),
    part(
        "arm,sp805",
        "SP805 watchdog (DDI 0270B)",
        Identity::arm(0x805, 1, 0),
    ),
    part(
        "arm,sp810",
        "SP810 system controller (DDI 0254B)",
        Identity::arm(0x810, 0, 0),
    ),
    part(
        "arm,pl011",
        "PL011 UART (DDI 0183G), r1p1",
        Identity::arm(0x011, 1, 0),
    ),
    part(
        "arm,pl031",
        "PL031 RTC (DDI 0224C), r1",
        Identity::arm(0x031, 1, 0),
    ),
];

/// The part with this `compatible`, if it is known.
#[must_use]
pub fn find(compatible: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.compatible == compatible)
}

/// How an [`IdentityOnly`] is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What it answers.
    pub identity: Identity,
    /// Size of its block in bytes; the identity registers are the last 32.
    pub size: u64,
}

impl Config {
    /// A part in the usual block of 4 KiB.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self {
            identity,
            size: 0x1000,
        }
    }
}

/// A part that answers its identity registers, and nothing else.
pub struct IdentityOnly {
    config: Config,
}

impl IdentityOnly {
    /// A part with the identity and block size of `config`.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config }
    }
}

impl Device for IdentityOnly {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let first = self.config.size.saturating_sub(IDENTITY_BYTES);
        apb::read(access, |offset| {
            offset
                .checked_sub(first)
                .map_or(0, |offset| self.config.identity.read(offset))
        })
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        apb::write(access, value, |_, _| {})
    }

    fn reset(&mut self, _: Reset) {}

    fn save(&self, _: &mut Writer) {}

    fn load(&mut self, _: &mut Reader<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Width;
    use crate::memory::NoMemory;
    use crate::units::Instant;
    use std::vec::Vec;

    fn read(part: &mut IdentityOnly, access: Access) -> Result<u64, Refusal> {
        part.read(&mut Cx::new(Instant::ZERO, &NoMemory, None), access)
    }

    /// PeriphID0 to PCellID3.
    fn bytes(compatible: &str) -> Vec<u64> {
        let mut part = IdentityOnly::new(Config::new(find(compatible).unwrap().identity));
        (0xfe0..0x1000)
            .step_by(4)
            .map(|offset| read(&mut part, Access::word(offset)).unwrap())
            .collect()
    }

    #[test]
    fn parts_answer_what_their_manuals_and_the_boards_say() {
        let cell = [0x0d, 0xf0, 0x05, 0xb1];
        for (compatible, periph) in [
            ("arm,pl041", [0x41, 0x10, 0x04, 0x29]),
            ("arm,pl050", [0x50, 0x10, 0x04, 0x00]),
            ("arm,pl061", [0x61, 0x10, 0x04, 0x00]),
            ("arm,pl110", [0x10, 0x11, 0x04, 0x00]),
            ("arm,pl111", [0x11, 0x11, 0x24, 0x00]),
            ("arm,pl180", [0x80, 0x11, 0x04, 0x00]),
            ("arm,pl181", [0x81, 0x11, 0x04, 0x00]),
            ("arm,pl341", [0x41, 0x13, 0x04, 0x00]),
            ("arm,pl354", [0x54, 0x13, 0x04, 0x00]),
            ("arm,sp804", [0x04, 0x18, 0x14, 0x00]),
            ("arm,sp805", [0x05, 0x18, 0x14, 0x00]),
            ("arm,sp810", [0x10, 0x18, 0x04, 0x00]),
        ] {
            let bytes = bytes(compatible);
            assert_eq!(bytes[..4], periph, "{compatible}");
            assert_eq!(bytes[4..], cell, "{compatible}");
        }
    }

    #[test]
    fn no_part_is_listed_twice() {
        for (n, part) in PARTS.iter().enumerate() {
            assert!(
                PARTS[n + 1..]
                    .iter()
                    .all(|other| other.compatible != part.compatible)
            );
        }
        assert!(find("arm,pl999").is_none());
    }

    #[test]
    fn a_board_may_give_the_identity_as_one_word() {
        let identity = Identity::from_periphid(0x1004_1180);
        assert_eq!(
            [0, 4, 8, 12].map(|n| identity.read(n)),
            [0x80, 0x11, 0x04, 0x10]
        );
        assert_eq!(identity.read(32), 0);
        assert_eq!(Identity::arm(0x180, 0, 0x10), identity);
    }

    #[test]
    fn a_larger_block_has_its_identity_at_its_end() {
        let identity = Identity::arm(0x061, 0, 0);
        let mut part = IdentityOnly::new(Config {
            identity,
            size: 0x10000,
        });
        assert_eq!(read(&mut part, Access::word(0xffe0)), Ok(0x61));
        assert_eq!(read(&mut part, Access::word(0xfe0)), Ok(0));
    }

    #[test]
    fn other_offsets_read_as_zero_and_ignore_writes() {
        let mut part = IdentityOnly::new(Config::new(Identity::arm(0x050, 0, 0)));
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        for offset in (0..0x1000).step_by(4) {
            part.write(&mut cx, Access::word(offset), 0xffff_ffff)
                .unwrap();
        }
        assert!(
            (0..0xfe0)
                .step_by(4)
                .all(|n| read(&mut part, Access::word(n)) == Ok(0))
        );
        assert_eq!(read(&mut part, Access::word(0xfe0)), Ok(0x50));
        assert_eq!(
            read(&mut part, Access::word(0xfe4).sized(Width::Byte)),
            Ok(0x10)
        );
        assert_eq!(part.lines().0, 0);
    }
}
