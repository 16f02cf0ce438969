//! PL180 and PL181 MultiMedia card interface, with the slot that it leads to.
//!
//! Manuals: ARM PrimeCell MultiMedia Card Interface, PL180 (DDI 0172A) and PL181 (DDI 0205B).
//! Device tree: `arm,pl180`, `arm,pl181`.
//!
//! Lines: outputs 0 and 1 are MCIINTR0 and MCIINTR1; 2 is the slot's card-detect switch (high: a
//! card is in), 3 its write-protect switch (high: locked), which the board's `cd-gpios` and
//! `wp-gpios` lead to its system registers; 4 to 7 are MCIDMASREQ, MCIDMABREQ, MCIDMALSREQ,
//! MCIDMALBREQ.
//!
//! The card is a machine of its own ([`sd_card`]); the slot may be empty.
//!
//! Time: a response, a block and an acknowledgement come at once, as in QEMU's model. What does
//! not come takes its time: a command without a response times out 64 periods of MCICLK after
//! its 48 bits, data after MCIDataTimer periods. With MCICLK stopped (no MCIClock.Enable, or
//! MCIPower not "on") nothing moves.
//!
//! Deviations:
//! - MCICLK waits where the FIFO is full or empty: TxUnderrun and RxOverrun are never set.
//! - A card's data waits until the data path is enabled, and data for a card that takes none
//!   waits in the FIFO until MCIDataTimer.
//! - Stream mode moves an SD card's blocks, which has no streams, without looking at their ends.
//! - The DMA requests are levels that follow the FIFO; MCIDMACLR is not looked at.
//! - Nobody answers a command with MCICommand.Interrupt late: it waits until it is given up.
//!
//! QEMU's model differs and the manual wins: there R3, which has ones for a CRC, is not a
//! CmdCrcFail; MCICommand.Enable clears itself; a timeout takes no time; MCIClock, MCIPower and
//! the width of the bus do not matter.

mod data_path;
mod registers;
#[cfg(test)]
mod tests;

pub use registers::DESCRIPTION;

use crate::access::{Access, Refusal};
use crate::emul::primecell::Identity;
use crate::emul::sd_card::{self, Response, SdCard};
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, Device, Lines, Reset, apb};
use crate::units::Instant;
use data_path::DataPath;
use registers::{
    CLOCK_BITS, CLOCK_BYPASS, CLOCK_DIV, CLOCK_ENABLE, CLOCK_WIDE_BUS, CMD_ACTIVE, CMD_CRC_FAIL,
    CMD_RESP_END, CMD_SENT, CMD_TIME_OUT, COMMAND_BITS, COMMAND_ENABLE, COMMAND_INDEX,
    COMMAND_INTERRUPT, COMMAND_LONG_RSP, COMMAND_PENDING, COMMAND_RESPONSE, DATA_BITS, MASK_BITS,
    POWER_BITS, POWER_CTRL, POWER_OFF, POWER_ON, Register, SELECT_BITS, STATIC_BITS,
};

/// Which of the two it is: they differ in their part number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// PL180.
    Pl180,
    /// PL181.
    Pl181,
}

/// How an interface is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Which part.
    pub part: Part,
    /// MCLK in Hz.
    pub mclk: u64,
    /// What is in its slot.
    pub card: Option<sd_card::Config>,
}

/// Periods of MCICLK that a command and its missing response take: 48 bits, and 64 of N_CR.
const SILENCE: u64 = 48 + 64;

/// The command path's state machine (DDI 0205B, 2.4.2), as far as it can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommandPath {
    Idle,
    /// The command waits for MCICLK, or for the end of data.
    Pending,
    /// Nobody responds; the timeout, if there is one.
    Silence(Option<u64>),
}

/// A PL180 or PL181.
pub struct Pl18x {
    config: Config,
    card: Option<SdCard>,
    power: u32,
    clock: u32,
    argument: u32,
    command: u32,
    path: CommandPath,
    resp_cmd: u32,
    response: [u32; 4],
    /// MCIStatus's static bits.
    status: u32,
    mask: [u32; 2],
    select: u32,
    data: DataPath,
}

impl Pl18x {
    /// An interface as after a reset, with its card as after power-on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            card: config.card.map(SdCard::new),
            config,
            power: 0,
            clock: 0,
            argument: 0,
            command: 0,
            path: CommandPath::Idle,
            resp_cmd: 0,
            response: [0; 4],
            status: 0,
            mask: [0; 2],
            select: 0,
            data: DataPath::new(),
        }
    }

    const fn is_clocked(&self) -> bool {
        self.power & POWER_CTRL == POWER_ON && self.clock & CLOCK_ENABLE != 0
    }

    /// How long so many periods of MCICLK take (DDI 0205B, MCIClock).
    fn periods(&self, n: u64) -> u64 {
        let divider = if self.clock & CLOCK_BYPASS != 0 {
            1
        } else {
            u64::from(self.clock & CLOCK_DIV)
                .wrapping_add(1)
                .wrapping_mul(2)
        };
        let ticks = u128::from(n).wrapping_mul(u128::from(divider));
        let ns = ticks.wrapping_mul(1_000_000_000);
        let ns = ns.checked_div(u128::from(self.config.mclk)).unwrap_or(0);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    fn status(&self) -> u32 {
        let active = self.path != CommandPath::Idle;
        self.status | if active { CMD_ACTIVE } else { 0 } | self.data.status()
    }

    /// Does what there is to do now: commands, then data.
    fn run(&mut self, cx: &Cx<'_>) {
        if let Some(card) = &mut self.card {
            card.advance(cx);
        }
        if let CommandPath::Silence(Some(until)) = self.path
            && until <= cx.now.0
        {
            self.path = CommandPath::Idle;
            self.status |= CMD_TIME_OUT;
        }
        if !self.is_clocked() {
            self.data.stand();
            return;
        }
        self.run_data(cx);
        // Sent with the data's last bits: so they have gone before.
        let data_goes_on = self.command & COMMAND_PENDING != 0 && self.data.is_moving();
        if self.path == CommandPath::Pending && !data_goes_on {
            self.send(cx);
            self.run_data(cx);
        }
    }

    fn run_data(&mut self, cx: &Cx<'_>) {
        let timeout = self.periods(u64::from(self.data.timer));
        let wide = self.clock & CLOCK_WIDE_BUS != 0;
        self.status |= self.data.run(cx, self.card.as_mut(), wide, timeout);
    }

    /// Sends the command, and takes the response.
    fn send(&mut self, cx: &Cx<'_>) {
        let index = (self.command & COMMAND_INDEX) as u8;
        let response = match &mut self.card {
            None => Response::None,
            Some(card) => {
                // What the card sent and nobody listened to has gone by.
                if !self.data.is_receiving() && card.ends_by_itself() {
                    card.unheard(cx);
                }
                card.command(cx, index, self.argument)
            }
        };
        self.path = CommandPath::Idle;
        if self.command & COMMAND_RESPONSE == 0 {
            self.status |= CMD_SENT;
            return;
        }
        let long = self.command & COMMAND_LONG_RSP != 0;
        let sound = match response {
            Response::None => {
                let until = cx.now.0.saturating_add(self.periods(SILENCE));
                let waits = self.command & COMMAND_INTERRUPT != 0;
                self.path = CommandPath::Silence((!waits).then_some(until));
                return;
            }
            Response::Short {
                index,
                content,
                crc,
            } => {
                self.resp_cmd = index.into();
                self.response = [content, 0, 0, 0];
                crc && !long
            }
            Response::Long(words) => {
                let [a, b, c, d] = words;
                // The reserved bits stand where a short response has the index.
                self.resp_cmd = COMMAND_INDEX;
                self.response = if long {
                    [a, b, c, d & !1]
                } else {
                    [a, 0, 0, 0]
                };
                long
            }
        };
        self.status |= if sound { CMD_RESP_END } else { CMD_CRC_FAIL };
    }

    fn read_register(&mut self, cx: &Cx<'_>, offset: u64) -> u32 {
        match Register::at(offset) {
            Register::Power => self.power,
            Register::Clock => self.clock,
            Register::Argument => self.argument,
            Register::Command => self.command,
            Register::RespCmd => self.resp_cmd,
            Register::Response(n) => self.response.get(n).copied().unwrap_or(0),
            Register::DataTimer => self.data.timer,
            Register::DataLength => self.data.length.into(),
            Register::DataCtrl => self.data.control,
            Register::DataCnt => self.data.count.into(),
            Register::Status => self.status(),
            Register::Mask(n) => self.mask.get(n).copied().unwrap_or(0),
            Register::Select => self.select,
            Register::FifoCnt => u32::from(self.data.count).div_ceil(4),
            Register::Fifo => {
                let word = self.data.pop();
                self.run(cx);
                word
            }
            Register::Identity(n) => {
                let part = match self.config.part {
                    Part::Pl180 => 0x180,
                    Part::Pl181 => 0x181,
                };
                Identity::arm(part, 0, 0).read(n)
            }
            Register::Clear | Register::Reserved => 0,
        }
    }

    fn write_register(&mut self, cx: &Cx<'_>, offset: u64, value: u32) {
        match Register::at(offset) {
            Register::Power => {
                self.power = value & POWER_BITS;
                if self.power & POWER_CTRL == POWER_OFF
                    && let Some(card) = &mut self.card
                {
                    card.power_off();
                }
                self.run(cx);
            }
            Register::Clock => {
                self.clock = value & CLOCK_BITS;
                self.run(cx);
            }
            Register::Argument => self.argument = value,
            Register::Command => {
                self.command = value & COMMAND_BITS;
                self.path = if value & COMMAND_ENABLE == 0 {
                    CommandPath::Idle
                } else {
                    CommandPath::Pending
                };
                self.run(cx);
            }
            Register::DataTimer => self.data.timer = value,
            Register::DataLength => self.data.length = value as u16,
            Register::DataCtrl => {
                self.status |= self.data.start(value & DATA_BITS);
                self.run(cx);
            }
            Register::Clear => self.status &= !(value & STATIC_BITS),
            Register::Mask(n) => {
                if let Some(mask) = self.mask.get_mut(n) {
                    *mask = value & MASK_BITS;
                }
            }
            Register::Select => self.select = value & SELECT_BITS,
            Register::Fifo => {
                self.data.push(value);
                self.run(cx);
            }
            Register::RespCmd
            | Register::Response(_)
            | Register::DataCnt
            | Register::Status
            | Register::FifoCnt
            | Register::Identity(_)
            | Register::Reserved => {}
        }
    }
}

impl Device for Pl18x {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        self.advance(cx);
        apb::read(access, |offset| self.read_register(cx, offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        self.advance(cx);
        apb::write(access, value, |offset, value| {
            self.write_register(cx, offset, value);
        })
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        self.run(cx);
    }

    fn lines(&self) -> Lines {
        let status = self.status();
        let [mask0, mask1] = self.mask;
        let card = self.card.as_ref();
        let dma = self.data.dma_requests();
        Lines(u64::from(dma) << 4)
            .with(0, status & mask0 != 0)
            .with(1, status & mask1 != 0)
            .with(2, card.is_some())
            .with(3, card.is_some_and(SdCard::is_protected))
    }

    fn deadline(&self) -> Option<Instant> {
        let silence = match self.path {
            CommandPath::Silence(until) => until.map(Instant),
            CommandPath::Idle | CommandPath::Pending => None,
        };
        let card = self.card.as_ref().and_then(SdCard::deadline);
        let data = self.data.timeout().filter(|_| self.is_clocked());
        [silence, card, data].into_iter().flatten().min()
    }

    /// PRESETn; the slot's power goes with MCIPower.
    fn reset(&mut self, _: Reset) {
        *self = Self::new(self.config);
    }

    fn save(&self, out: &mut Writer) {
        for word in [
            self.power,
            self.clock,
            self.argument,
            self.command,
            self.resp_cmd,
            self.status,
            self.select,
        ] {
            out.u32(word);
        }
        self.response.iter().for_each(|word| out.u32(*word));
        self.mask.iter().for_each(|word| out.u32(*word));
        let (path, until) = match self.path {
            CommandPath::Idle => (0, 0),
            CommandPath::Pending => (1, 0),
            CommandPath::Silence(None) => (2, 0),
            CommandPath::Silence(Some(until)) => (3, until),
        };
        out.u8(path);
        out.u64(until);
        self.data.save(out);
        out.bool(self.card.is_some());
        if let Some(card) = &self.card {
            card.save(out);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let mut new = Self::new(self.config);
        new.load_registers(from)?;
        *self = new;
        Ok(())
    }
}

impl Pl18x {
    fn load_registers(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let word = |from: &mut Reader<'_>, bits: u32| match from.u32()? {
            word if word & !bits == 0 => Ok(word),
            _ => Err(Refusal::BadState),
        };
        self.power = word(from, POWER_BITS)?;
        self.clock = word(from, CLOCK_BITS)?;
        self.argument = from.u32()?;
        self.command = word(from, COMMAND_BITS)?;
        self.resp_cmd = word(from, COMMAND_INDEX)?;
        self.status = word(from, STATIC_BITS)?;
        self.select = word(from, SELECT_BITS)?;
        for response in &mut self.response {
            *response = from.u32()?;
        }
        for mask in &mut self.mask {
            *mask = word(from, MASK_BITS)?;
        }
        let (path, until) = (from.u8()?, from.u64()?);
        self.path = match path {
            0 => CommandPath::Idle,
            1 => CommandPath::Pending,
            2 => CommandPath::Silence(None),
            3 => CommandPath::Silence(Some(until)),
            _ => return Err(Refusal::BadState),
        };
        self.data.load(from)?;
        if from.bool()? != self.card.is_some() {
            return Err(Refusal::BadState);
        }
        self.card.as_mut().map_or(Ok(()), |card| card.load(from))
    }
}
