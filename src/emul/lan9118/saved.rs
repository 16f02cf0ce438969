//! The whole state, out and in.

use super::eeprom::Eeprom;
use super::flow::Flow;
use super::interrupts::{Interrupts, source};
use super::mac::Mac;
use super::phy::Phy;
use super::power::Power;
use super::timer::Timer;
use super::wake::Wake;
use super::{Lan9118, Plain};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

impl Lan9118 {
    pub(super) fn save_state(&self, out: &mut Writer) {
        let mut plain = self.plain;
        plain.words().into_iter().for_each(|word| out.u32(*word));
        self.irq.save(out);
        self.transmitter.save(out);
        self.receiver.save(out);
        self.mac.save(out);
        self.wake.save(out);
        self.phy.save(out);
        self.power.save(out);
        out.u64(self.flow.paused_until.0);
        out.bool(self.flow.asked);
        self.timer.save(out);
        self.eeprom.save(out);
        out.u64(self.since.0);
        out.u8(self.pins as u8);
        self.sent.save(out);
    }

    pub(super) fn load_state(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        for word in self.plain.words() {
            *word = from.u32()?;
        }
        self.irq = Interrupts::load(from)?;
        self.transmitter.load(from)?;
        self.receiver.load(from)?;
        self.mac = Mac::load(from)?;
        self.wake = Wake::load(from)?;
        self.phy = Phy::load(from)?;
        self.power = Power::load(from)?;
        self.flow = Flow {
            paused_until: Instant(from.u64()?),
            asked: from.bool()?,
        };
        self.timer = Timer::load(from)?;
        self.eeprom = Eeprom::load(from)?;
        self.since = Instant(from.u64()?);
        self.pins = u32::from(from.u8()?) & source::GPIO;
        self.sent.load(from)
    }
}

impl Plain {
    fn words(&mut self) -> [&mut u32; 11] {
        [
            &mut self.fifo_int,
            &mut self.rx_cfg,
            &mut self.tx_cfg,
            &mut self.hw_cfg,
            &mut self.gpio_cfg,
            &mut self.word_swap,
            &mut self.csr_cmd,
            &mut self.csr_data,
            &mut self.afc_cfg,
            &mut self.mii_acc,
            &mut self.mii_data,
        ]
    }
}
