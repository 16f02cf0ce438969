//! A card's state, saved and restored.

use super::{BLOCK, Data, Erase, SdCard, State, registers};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};

const STATES: [State; 10] = [
    State::Idle,
    State::Ready,
    State::Identification,
    State::Standby,
    State::Transfer,
    State::Sending,
    State::Receiving,
    State::Programming,
    State::Disconnect,
    State::Inactive,
];

fn optional(out: &mut Writer, value: Option<u64>) {
    out.bool(value.is_some());
    out.u64(value.unwrap_or(0));
}

fn read_optional(from: &mut Reader<'_>) -> Result<Option<u64>, Refusal> {
    let there = from.bool()?;
    let value = from.u64()?;
    Ok(there.then_some(value))
}

impl SdCard {
    /// Appends the whole state.
    pub fn save(&self, out: &mut Writer) {
        let state = STATES.iter().position(|state| *state == self.state);
        out.u8(state.unwrap_or(0) as u8);
        out.u32(self.errors);
        out.bool(self.application);
        out.bool(self.interface_known);
        out.u16(self.rca);
        out.bool(self.wide);
        out.u16(self.block_length);
        optional(out, self.erase_start);
        optional(out, self.erase_end);
        let erase = self.erase;
        optional(out, erase.map(|erase| erase.next));
        out.u64(erase.map_or(0, |erase| erase.end));
        out.u64(erase.map_or(0, |erase| erase.due));
        out.u32(self.well_written);
        let (kind, next, multiple) = match self.data {
            Data::Nothing => (0, 0, false),
            Data::Register => (1, 0, false),
            Data::Read { next, multiple } => (2, next, multiple),
            Data::Write { next, multiple } => (3, next, multiple),
        };
        out.u8(kind);
        out.u64(next);
        out.bool(multiple);
        out.bytes(&self.buffer);
        out.u16(self.length);
        out.u16(self.at);
    }

    /// Takes the state that [`save`](Self::save) wrote; on an error the card is as after
    /// power-on.
    pub fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.power_off();
        let mut card = Self::new(self.config);
        let state = STATES.get(usize::from(from.u8()?)).copied();
        card.state = state.ok_or(Refusal::BadState)?;
        card.errors = from.u32()?;
        card.application = from.bool()?;
        card.interface_known = from.bool()?;
        card.rca = from.u16()?;
        card.wide = from.bool()?;
        card.block_length = from.u16()?;
        card.erase_start = read_optional(from)?;
        card.erase_end = read_optional(from)?;
        let next = read_optional(from)?;
        let (end, due) = (from.u64()?, from.u64()?);
        card.erase = next.map(|next| Erase { next, end, due });
        card.well_written = from.u32()?;
        let (kind, next, multiple) = (from.u8()?, from.u64()?, from.bool()?);
        card.data = match kind {
            0 => Data::Nothing,
            1 => Data::Register,
            2 => Data::Read { next, multiple },
            3 => Data::Write { next, multiple },
            _ => return Err(Refusal::BadState),
        };
        for to in &mut card.buffer {
            *to = from.u8()?;
        }
        (card.length, card.at) = (from.u16()?, from.u16()?);
        if !card.is_sound() {
            return Err(Refusal::BadState);
        }
        *self = card;
        Ok(())
    }

    fn is_sound(&self) -> bool {
        let within = |at: Option<u64>| {
            at.is_none_or(|at| at < self.config.bytes && at.is_multiple_of(BLOCK as u64))
        };
        let erase = self.erase.is_none_or(|erase| {
            within(Some(erase.next))
                && erase.next < erase.end
                && erase.end <= self.config.bytes
                && erase.end.is_multiple_of(BLOCK as u64)
                && matches!(self.state, State::Programming | State::Disconnect)
        });
        let data = match self.data {
            Data::Nothing => true,
            Data::Register => self.state == State::Sending,
            Data::Read { next, .. } => {
                self.state == State::Sending && next < self.config.bytes && self.length != 0
            }
            Data::Write { next, .. } => {
                self.state == State::Receiving
                    && next <= self.config.bytes
                    && next.is_multiple_of(BLOCK as u64)
                    && usize::from(self.length) == BLOCK
                    && self.at < self.length
            }
        };
        erase
            && data
            && within(self.erase_start)
            && within(self.erase_end)
            && self.errors & !registers::ERRORS == 0
            && (1..=BLOCK as u16).contains(&self.block_length)
            && self.at <= self.length
            && usize::from(self.length) <= BLOCK
    }
}
