//! A UART's state as bytes.

use super::receiver::Receiver;
use super::{Chip, Config, Uart};
use crate::access::Refusal;
use crate::emul::serial::{Arriving, Sender};
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

impl Uart {
    pub(in crate::emul) fn save(&self, out: &mut Writer) {
        out.bytes(&[
            self.ier,
            self.fcr,
            self.lcr,
            self.mcr,
            self.scr,
            self.pins,
            self.modem,
            self.deltas,
        ]);
        out.u16(self.divisor);
        out.bool(self.low);
        out.bool(self.thre);
        out.bool(self.rxrdy);
        out.bool(self.txrdy);
        out.bool(self.held);
        out.bool(self.halted);
        out.bool(self.busy_detect);
        out.u64(self.now.0);
        self.sender.save(out);
        self.receiver.save(out);
        self.arriving.save(out);
    }

    /// What [`save`](Self::save) wrote, if it is a state that a UART can have.
    pub(in crate::emul) fn load(config: Config, from: &mut Reader<'_>) -> Result<Self, Refusal> {
        let loaded = Self {
            config,
            ier: from.u8()?,
            fcr: from.u8()?,
            lcr: from.u8()?,
            mcr: from.u8()?,
            scr: from.u8()?,
            pins: from.u8()?,
            modem: from.u8()?,
            deltas: from.u8()?,
            divisor: from.u16()?,
            low: from.bool()?,
            thre: from.bool()?,
            rxrdy: from.bool()?,
            txrdy: from.bool()?,
            held: from.bool()?,
            halted: from.bool()?,
            busy_detect: from.bool()?,
            now: Instant(from.u64()?),
            sender: Sender::load(from)?,
            receiver: Receiver::load(from)?,
            arriving: Arriving::load(from)?,
        };
        let dw = config.chip == Chip::DesignWare;
        let fcr = match config.chip {
            Chip::Ns8250 | Chip::Ns16450 => 0,
            Chip::Ns16550a => 0xc9,
            Chip::DesignWare => 0xf9,
        };
        let (waiting, received) = loaded.levels();
        let sound = loaded.ier & !(if dw { 0x8f } else { 0x0f }) == 0
            && loaded.fcr & !fcr == 0
            && loaded.mcr & !loaded.mcr_bits() == 0
            && (loaded.pins | loaded.modem).is_multiple_of(16)
            && loaded.deltas < 16
            && (dw || !loaded.halted && !loaded.busy_detect)
            && waiting <= loaded.depth()
            && received <= loaded.depth();
        if sound {
            Ok(loaded)
        } else {
            Err(Refusal::BadState)
        }
    }
}
