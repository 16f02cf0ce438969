//! A chip's state, out and in.

use super::erase::Erase;
use super::{Chip, DYB, Mode, PPB, QUEUED, Sequence, buffer_words};
use crate::access::Refusal;
use crate::emul::cfi_flash::chip::Part;
use crate::emul::state::{Reader, Writer};

impl Chip {
    pub fn save(&self, out: &mut Writer) {
        out.u8(match self.mode {
            Mode::Array => 0,
            Mode::Autoselect => 1,
            Mode::Query => 2,
            Mode::AutoselectQuery => 3,
            Mode::Dyb => 4,
            Mode::Ppb => 5,
            Mode::PpbLock => 6,
        });
        let (kind, of) = match self.sequence {
            Sequence::Command => (0, [0; 3]),
            Sequence::Unlock => (1, [0; 3]),
            Sequence::Unlocked => (2, [0; 3]),
            Sequence::Program => (3, [0; 3]),
            Sequence::Erase => (4, [0; 3]),
            Sequence::EraseUnlock => (5, [0; 3]),
            Sequence::EraseUnlocked => (6, [0; 3]),
            Sequence::Exit => (7, [0; 3]),
            Sequence::BufferCount { sector } => (8, [sector, 0, 0]),
            Sequence::BufferData { sector, page, left } => (9, [sector, page, left]),
            Sequence::Aborted => (10, [0; 3]),
            Sequence::AbortedUnlock => (11, [0; 3]),
            Sequence::AbortedUnlocked => (12, [0; 3]),
        };
        out.u8(kind);
        for word in of {
            out.u32(word);
        }
        out.bool(self.erase.is_some());
        if let Some(erase) = self.erase {
            out.bool(erase.chip);
            out.bool(erase.suspended);
            out.u64(erase.opens_until);
            out.u64(erase.until);
            out.u32(erase.sector);
            out.u32(erase.done);
        }
        out.bool(self.program.is_some());
        out.u64(self.program.unwrap_or(0));
        out.u16(self.data);
        for flag in [
            self.bypass,
            self.frozen,
            self.failed,
            self.toggle_6,
            self.toggle_2,
        ] {
            out.bool(flag);
        }
        out.bytes(&self.sectors);
        self.buffer.iter().for_each(|word| out.u16(*word));
    }

    pub fn load(&mut self, part: &Part, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.mode = match from.u8()? {
            0 => Mode::Array,
            1 => Mode::Autoselect,
            2 => Mode::Query,
            3 => Mode::AutoselectQuery,
            4 => Mode::Dyb,
            5 => Mode::Ppb,
            6 => Mode::PpbLock,
            _ => return Err(Refusal::BadState),
        };
        let kind = from.u8()?;
        let (sector, page, left) = (from.u32()?, from.u32()?, from.u32()?);
        let words = buffer_words(part);
        let aligned = page & words.wrapping_sub(1) == 0 && part.block_of(page) == sector;
        let in_page = left <= words && (aligned || page == u32::MAX);
        self.sequence = match kind {
            0 => Sequence::Command,
            1 => Sequence::Unlock,
            2 => Sequence::Unlocked,
            3 => Sequence::Program,
            4 => Sequence::Erase,
            5 => Sequence::EraseUnlock,
            6 => Sequence::EraseUnlocked,
            7 => Sequence::Exit,
            8 if sector < part.blocks => Sequence::BufferCount { sector },
            9 if sector < part.blocks && in_page => Sequence::BufferData { sector, page, left },
            10 => Sequence::Aborted,
            11 => Sequence::AbortedUnlock,
            12 => Sequence::AbortedUnlocked,
            _ => return Err(Refusal::BadState),
        };
        self.erase = if from.bool()? {
            let erase = Erase {
                chip: from.bool()?,
                suspended: from.bool()?,
                opens_until: from.u64()?,
                until: from.u64()?,
                sector: from.u32()?,
                done: from.u32()?,
            };
            if erase.sector > part.blocks || erase.done >= part.block_words() {
                return Err(Refusal::BadState);
            }
            Some(erase)
        } else {
            None
        };
        let busy = from.bool()?;
        let until = from.u64()?;
        self.program = busy.then_some(until);
        self.data = from.u16()?;
        for flag in [
            &mut self.bypass,
            &mut self.frozen,
            &mut self.failed,
            &mut self.toggle_6,
            &mut self.toggle_2,
        ] {
            *flag = from.bool()?;
        }
        self.sectors
            .copy_from_slice(from.bytes(part.blocks as usize)?);
        if self
            .sectors
            .iter()
            .any(|sector| sector & !(QUEUED | DYB | PPB) != 0)
        {
            return Err(Refusal::BadState);
        }
        for word in &mut self.buffer {
            *word = from.u16()?;
        }
        Ok(())
    }
}
