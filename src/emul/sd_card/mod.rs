//! An SD memory card, in SD mode, as its bus sees it: commands in, responses and blocks out.
//!
//! Specification: SD Specifications Part 1, Physical Layer Simplified Specification, version
//! 2.00 ("PLSS"). The card claims that version (SCR SD_SPEC = 2): standard capacity up to 2 GiB,
//! high capacity above, or on request.
//!
//! The medium is the backing store of the device that holds the card ([`Cx::store_read`],
//! [`Cx::store_write`]): a block passes through one buffer, and is acknowledged when the store
//! has it. An answer and a block are there at once; an erase takes [`ERASE_STEP_NS`] for each
//! [`ERASE_STEP`] bytes, during which the card is in the programming state.
//!
//! Deviations:
//! - The bus does not garble: no command or block ever arrives with a wrong CRC.
//! - No password (class 7), no write-protection groups (class 6), no CMD27, CMD56 nor security;
//!   those commands are illegal. No function group but the default functions (CMD6).
//! - A block has at most 512 bytes, also where READ_BL_LEN says 1024 (from 1 GiB to 2 GiB).
//! - The write-protect switch of a real card is the slot's to tell. A [read-only](Config) card
//!   also has TMP_WRITE_PROTECT in its CSD, and refuses to be written.
//! - ACMD41 is never answered as busy, but for a high-capacity card without HCS.
//! - Erased blocks read as 0.
//!
//! QEMU's card differs and the specification wins: there an address behind the end is an
//! ADDRESS_ERROR, erased blocks read as ones (and SCR says zeroes), and an erase takes no time.

mod command;
mod data;
mod geometry;
mod registers;
mod saved;
#[cfg(test)]
pub(super) mod tests;

pub use geometry::{Config, Unfit};

use super::Cx;
use crate::units::Instant;

/// Bytes of a block.
pub const BLOCK: usize = 512;
/// Bytes that are erased at a time.
pub const ERASE_STEP: u64 = 4096;
/// How long that takes.
pub const ERASE_STEP_NS: u64 = 1000;

/// What a card says to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing.
    None,
    /// 48 bits.
    Short {
        /// Bits 45:40, the command's index.
        index: u8,
        /// Bits 39:8.
        content: u32,
        /// Whether there is a CRC: R3 has ones in its place.
        crc: bool,
    },
    /// R2's 128 bits, the CID or CSD, from the most significant word on.
    Long([u32; 4]),
}

/// What CURRENT_STATE says (PLSS 4.1, 4.10.1), and two in which a card says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Ready,
    Identification,
    Standby,
    Transfer,
    Sending,
    Receiving,
    Programming,
    Disconnect,
    Inactive,
}

/// What the blocks on the data lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// There is none.
    Nothing,
    /// A register, all of it in the buffer.
    Register,
    /// The medium, read on from byte `next`.
    Read { next: u64, multiple: bool },
    /// The medium, to be written from byte `next` on.
    Write { next: u64, multiple: bool },
}

/// Bytes of the medium that are being erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Erase {
    next: u64,
    end: u64,
    /// When the next step is over.
    due: u64,
}

/// A card.
pub struct SdCard {
    config: Config,
    state: State,
    /// Error bits of the card status that have not been told yet.
    errors: u32,
    /// The next command is an application's.
    application: bool,
    /// CMD8 was answered.
    interface_known: bool,
    rca: u16,
    /// Whether ACMD6 chose four lines.
    wide: bool,
    /// CMD16.
    block_length: u16,
    /// CMD32 and CMD33, in bytes.
    erase_start: Option<u64>,
    erase_end: Option<u64>,
    erase: Option<Erase>,
    /// ACMD22.
    well_written: u32,
    data: Data,
    buffer: [u8; BLOCK],
    /// How many bytes of the buffer there are, and how many have passed.
    length: u16,
    at: u16,
}

impl SdCard {
    /// A card as after power-on.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Idle,
            errors: 0,
            application: false,
            interface_known: false,
            rca: 0,
            wide: false,
            block_length: BLOCK as u16,
            erase_start: None,
            erase_end: None,
            erase: None,
            well_written: 0,
            data: Data::Nothing,
            buffer: [0; BLOCK],
            length: 0,
            at: 0,
        }
    }

    /// The power goes. What was being erased stays as it is.
    pub fn power_off(&mut self) {
        *self = Self::new(self.config);
    }

    /// Whether its write-protect switch is in the lock position.
    #[must_use]
    pub const fn is_protected(&self) -> bool {
        self.config.read_only
    }

    /// Whether it uses four data lines.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        self.wide
    }

    /// Erases what is to be erased up to `cx.now`, at most [`ERASE_STEP`] bytes a call.
    pub fn advance(&mut self, cx: &Cx<'_>) {
        let Some(erase) = self.erase.filter(|erase| erase.due <= cx.now.0) else {
            return;
        };
        let step = erase.end.saturating_sub(erase.next).min(ERASE_STEP);
        let mut done = 0;
        while done < step {
            let block = [0; BLOCK];
            if cx
                .store_write(erase.next.wrapping_add(done), &block)
                .is_err()
            {
                self.errors |= registers::ERROR;
            }
            done = done.wrapping_add(BLOCK as u64);
        }
        let next = erase.next.wrapping_add(step);
        self.erase = (next < erase.end).then_some(Erase {
            next,
            end: erase.end,
            due: erase.due.saturating_add(ERASE_STEP_NS),
        });
        if self.erase.is_none() {
            self.programmed();
        }
    }

    /// When [`advance`](Self::advance) is next owed.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.erase.map(|erase| Instant(erase.due))
    }

    /// The end of the programming state.
    fn programmed(&mut self) {
        self.state = match self.state {
            State::Programming => State::Transfer,
            State::Disconnect => State::Standby,
            other => other,
        };
    }
}
