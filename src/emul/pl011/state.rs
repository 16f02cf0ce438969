//! A UART's state as bytes.

use super::dma::Dma;
use super::integration::Integration;
use super::line::LineControl;
use super::receiver::Receiver;
use super::registers::{cr, fr, int};
use super::transmit::TransmitLevel;
use super::{Config, Pl011};
use crate::access::Refusal;
use crate::emul::serial::{Arriving, Sender};
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

impl Pl011 {
    pub(super) fn save_state(&self, out: &mut Writer) {
        out.u8(self.ilpr);
        out.u16(self.ibrd);
        out.u8(self.fbrd);
        out.u8(self.line.lcr_h);
        out.u32(self.line.divisor);
        out.u16(self.cr);
        out.u8(self.ifls);
        out.u16(self.imsc);
        out.u16(self.ris);
        self.dma.save(out);
        self.integration.save(out);
        out.u16(self.pins);
        out.u16(self.modem);
        out.u64(self.now.0);
        self.transmitter.save(out);
        out.bool(self.transmit_level.low);
        self.receiver.save(out);
        self.arriving.save(out);
    }

    /// What [`save_state`](Self::save_state) wrote, if it is a state that a UART can have.
    pub(super) fn load_state(config: Config, from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let loaded = Self {
            config,
            ilpr: from.u8()?,
            ibrd: from.u16()?,
            fbrd: from.u8()?,
            line: LineControl {
                lcr_h: from.u8()?,
                divisor: from.u32()?,
            },
            cr: from.u16()?,
            ifls: from.u8()?,
            imsc: from.u16()?,
            ris: from.u16()?,
            dma: Dma::load(from)?,
            integration: Integration::load(from)?,
            pins: from.u16()?,
            modem: from.u16()?,
            now: Instant(from.u64()?),
            transmitter: Sender::load(from)?,
            transmit_level: TransmitLevel { low: from.bool()? },
            receiver: Receiver::load(from)?,
            arriving: Arriving::load(from)?,
        };
        let sound = loaded.fbrd < 64
            && loaded.line.divisor < 1 << 22
            && loaded.cr & !cr::DEFINED == 0
            && loaded.ifls < 64
            && (loaded.imsc | loaded.ris) & !int::ALL == 0
            && (loaded.pins | loaded.modem) & !fr::MODEM == 0
            && loaded.transmitter.level() <= loaded.depth()
            && loaded.receiver.level() <= loaded.depth();
        if sound {
            Ok(loaded)
        } else {
            Err(Refusal::BadState)
        }
    }
}
