//! SMSC LAN9118 Ethernet controller, with its PHY and its EEPROM.
//!
//! Manual: SMSC LAN9118 data sheet, revision 1.5 (07-11-08); AN 12.12, revision 1.0.
//! Device tree: `smsc,lan9118`, `smsc,lan9115`.
//!
//! Lines: output 0 is the IRQ pin, at the level that it has: high at rest, until IRQ_CFG makes it
//! push-pull and active high. Inputs 0 to 2 are the pins GPIO0 to GPIO2, pulled up.
//! Frames: what it sends and receives goes over [`Device::frames`].
//!
//! Deviations:
//! - A frame takes no time on the wire: it has left when its last word is written, if the
//!   transmitter is on, and comes when the board gives it. A negotiation ends as it begins;
//!   resets, MII, MAC and EEPROM commands end at once, so no busy bit is ever seen.
//! - There are no collisions: no back pressure; half duplex differs in that what the chip sends in
//!   loopback is not received with RCVOWN, and that a frame sent without a link has no carrier.
//! - A frame is sent when it is complete in the TX data FIFO; TTM and TR are storage.
//! - A frame of more than 1,536 octets is neither sent nor received, so RWT never comes.
//! - WORD_SWAP is storage; only 32-bit accesses, for the boards wire the 32-bit bus.
//! - The PME pin leads nowhere. In D1 and D2 all registers but PMT_CTRL read 0.
//! - The EEPROM's contents are the map's after a cold reset: they are kept nowhere.
//! - The deassertion interval holds PME back, too.
//!
//! QEMU's model differs, and the data sheet wins: its TX buffers have no end alignment, it has 512
//! words of TX status, short frames are not padded, levels other than RSFL raise nothing, INT_DEAS
//! does nothing, GPIO pins, wake-up, flow control and frame drops are not there, and an EEPROM
//! write only clears bits.

mod eeprom;
mod fifo;
mod flow;
mod interrupts;
mod mac;
mod phy;
mod power;
mod receive;
mod registers;
mod saved;
#[cfg(test)]
mod tests;
mod timer;
mod transmit;
mod wake;

use super::frames::{FRAME_MAX, FramePort, Sent};
use super::state::{Reader, Writer};
use super::{Cx, Device, Line, Lines, Reset};
use crate::access::{Access, Refusal, Width};
use crate::units::{Instant, ticks_in};
use alloc::vec;
use alloc::vec::Vec;
use eeprom::Eeprom;
use flow::Flow;
use interrupts::{Interrupts, source};
use mac::Mac;
use phy::Phy;
use power::Power;
use receive::Receiver;
use registers::Register;
use timer::Timer;
use transmit::{STATUS_WORDS, Transmitter};
use wake::Wake;

pub use registers::DESCRIPTION;

/// TX_CFG.
const TXS_DUMP: u32 = 1 << 15;
const TXD_DUMP: u32 = 1 << 14;
const TXSAO: u32 = 1 << 2;
const TX_ON: u32 = 1 << 1;
const STOP_TX: u32 = 1;
/// RX_CFG: what is kept, and RX_DUMP.
const RX_CFG_WRITABLE: u32 = 0xc000_1f00;
const RX_DUMP: u32 = 1 << 15;
/// HW_CFG: TX FIFO of 5 KiB, on a 32-bit bus.
const HW_CFG_RESET: u32 = 0x0005_0004;
const HW_CFG_WRITABLE: u32 = 0x003f_3000;
const SRST: u32 = 1;
const GPIO_CFG_WRITABLE: u32 = 0x7777_071f;
/// MAC_CSR_CMD.
const CSR_BUSY: u32 = 1 << 31;
const CSR_READ: u32 = 1 << 30;
/// MII_ACC: a write transaction.
const MII_WRITE: u32 = 1 << 1;
/// TX status: no carrier from the PHY, and what sums errors up.
const NO_CARRIER: u32 = 1 << 15 | 1 << 11 | 1 << 10;
/// The PHY's address.
const PHY: u32 = 1;
/// How many frames leave in one call; the others follow by the deadline.
const BURST: usize = 8;

/// What a controller is set up with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The address that its EEPROM holds.
    pub mac: [u8; 6],
    /// ID_REV.
    pub id: u32,
    /// Whether the wire has a live partner.
    pub link: bool,
}

impl Config {
    /// ID_REV of a LAN9115.
    pub const LAN9115: u32 = 0x0115_0001;

    /// A LAN9118 whose link is up.
    #[must_use]
    pub const fn lan9118(mac: [u8; 6]) -> Self {
        Self {
            mac,
            id: 0x0118_0001,
            link: true,
        }
    }
}

/// The registers that only keep what is written.
#[derive(Clone, Copy, Debug)]
struct Plain {
    fifo_int: u32,
    rx_cfg: u32,
    tx_cfg: u32,
    hw_cfg: u32,
    gpio_cfg: u32,
    word_swap: u32,
    csr_cmd: u32,
    csr_data: u32,
    afc_cfg: u32,
    mii_acc: u32,
    mii_data: u32,
}

impl Plain {
    const RESET: Self = Self {
        fifo_int: 0x4800_0000,
        rx_cfg: 0,
        tx_cfg: 0,
        hw_cfg: HW_CFG_RESET,
        gpio_cfg: 0,
        word_swap: 0,
        csr_cmd: 0,
        csr_data: 0,
        afc_cfg: 0,
        mii_acc: 0,
        mii_data: 0,
    };
}

/// The controller.
pub struct Lan9118 {
    config: Config,
    plain: Plain,
    irq: Interrupts,
    transmitter: Transmitter,
    receiver: Receiver,
    mac: Mac,
    wake: Wake,
    phy: Phy,
    power: Power,
    flow: Flow,
    timer: Timer,
    eeprom: Eeprom,
    /// When FREE_RUN was 0.
    since: Instant,
    /// The levels of the GPIO pins.
    pins: u32,
    sent: Sent,
    /// Where a frame is put together.
    frame: Vec<u8>,
}

impl Lan9118 {
    /// A controller as after a cold reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut device = Self {
            config,
            plain: Plain::RESET,
            irq: Interrupts::RESET,
            transmitter: Transmitter::new(),
            receiver: Receiver::new(),
            mac: Mac::RESET,
            wake: Wake::RESET,
            phy: Phy::new(config.link),
            power: Power::RESET,
            flow: Flow::RESET,
            timer: Timer::RESET,
            eeprom: Eeprom::new(config.mac),
            since: Instant::ZERO,
            pins: source::GPIO,
            sent: Sent::new(),
            frame: vec![0; FRAME_MAX],
        };
        device.load_address();
        device
    }

    /// The address comes from the EEPROM, if that has one.
    fn load_address(&mut self) {
        if let Some(address) = self.eeprom.address() {
            self.mac.address = address;
        }
    }

    /// HW_CFG.SRST: all but the PHY, and what the data sheet calls NASR.
    fn soft_reset(&mut self, now: Instant) {
        self.plain = Plain {
            // NASR.
            word_swap: self.plain.word_swap,
            ..Plain::RESET
        };
        self.irq.soft_reset();
        self.transmitter.reset();
        self.receiver.reset();
        self.mac = Mac::RESET;
        self.wake = Wake::RESET;
        self.power.soft_reset();
        self.flow = Flow::RESET;
        self.timer = Timer::RESET;
        self.since = now;
        self.eeprom.reset();
        self.load_address();
    }

    /// TX_FIF_SZ, as a valid one.
    const fn tx_kib(&self) -> u32 {
        match self.plain.hw_cfg >> 16 & 0xf {
            0..=2 => 2,
            size @ 3..=13 => size,
            _ => 14,
        }
    }

    /// The TX data FIFO's size in octets: 512 of TX_FIF_SZ are status (5.3.9).
    const fn tx_data_size(&self) -> u32 {
        self.tx_kib().wrapping_mul(1024).wrapping_sub(512)
    }

    /// The sizes of the RX data and status FIFOs in octets: of what TX leaves of 16 KiB, one in
    /// sixteen is status (5.3.9).
    const fn rx_sizes(&self) -> (u32, u32) {
        let all = 16_u32.wrapping_sub(self.tx_kib()).wrapping_mul(1024);
        (all.wrapping_sub(all / 16), all / 16)
    }

    const fn tx_free(&self) -> u32 {
        self.tx_data_size().saturating_sub(self.transmitter.used())
    }

    /// The sources that stand as long as something is so (5.3.2, 5.3.6).
    fn levels(&self) -> u32 {
        let [rx_level, _, tx_level, free_level] = self.plain.fifo_int.to_le_bytes();
        let (rx, tx) = (self.receiver.status.len(), self.transmitter.status.len());
        let (_, rx_status) = self.rx_sizes();
        let standing = [
            (source::RSFL, rx > usize::from(rx_level)),
            (source::RSFF, rx >= (rx_status / 4) as usize),
            (source::TSFL, tx > usize::from(tx_level)),
            (source::TSFF, tx >= STATUS_WORDS),
            (
                source::TDFA,
                self.tx_free() > u32::from(free_level).wrapping_mul(64),
            ),
            (source::PHY, self.phy.interrupts()),
        ];
        let gpio = self.gpio_active();
        standing
            .into_iter()
            .filter(|(_, is)| *is)
            .fold(gpio, |all, (bit, _)| all | bit)
    }

    /// The GPIO pins that are inputs and have the level that interrupts (5.3.13).
    const fn gpio_active(&self) -> u32 {
        let cfg = self.plain.gpio_cfg;
        let inputs = !(cfg >> 28 | cfg >> 8);
        inputs & !(self.pins ^ cfg >> 24) & source::GPIO
    }

    const fn gpio(&self) -> u32 {
        let cfg = self.plain.gpio_cfg;
        let inputs = !(cfg >> 8) & source::GPIO;
        cfg & !inputs | self.pins & inputs
    }

    /// What has happened so far reaches the interrupts.
    fn settle(&mut self, now: Instant) {
        if self.power.energy(self.phy.energy()) {
            self.irq.raise(source::PME);
        }
        let levels = self.levels();
        self.irq.settle(now, levels);
    }

    fn csr(&mut self, command: u32) {
        self.plain.csr_cmd = command & (CSR_READ | 0xff);
        if command & CSR_BUSY == 0 {
            return;
        }
        let (register, value) = (command & 0xff, self.plain.csr_data);
        if command & CSR_READ != 0 {
            self.plain.csr_data = match register {
                6 => self.plain.mii_acc,
                7 => self.plain.mii_data,
                12 => self.wake.control(),
                _ => self.mac.read(register),
            };
            return;
        }
        match register {
            1 => {
                let before = self.mac.is(mac::RXEN);
                self.mac.write(1, value);
                if before && !self.mac.is(mac::RXEN) {
                    self.irq.raise(source::RXSTOP);
                }
            }
            6 => self.mii(value),
            7 => self.plain.mii_data = value & 0xffff,
            8 => {
                self.mac.write(8, value);
                if value & mac::FCBSY != 0 {
                    self.send_pause((value >> 16) as u16);
                }
            }
            11 => self.wake.set_filter(value),
            12 => self.wake.set_control(value),
            _ => self.mac.write(register, value),
        }
    }

    /// A transaction over the management interface. No other PHY is there, so reads of theirs
    /// find the wire pulled up.
    fn mii(&mut self, access: u32) {
        self.plain.mii_acc = access & 0xffc2;
        let (phy, register) = (access >> 11 & 0x1f, access >> 6 & 0x1f);
        match (phy, access & MII_WRITE != 0) {
            (PHY, true) => self.phy.write(register, self.plain.mii_data as u16),
            (PHY, false) => self.plain.mii_data = self.phy.read(register).into(),
            (_, true) => {}
            (_, false) => self.plain.mii_data = 0xffff,
        }
    }

    fn looped(&self) -> bool {
        self.mac.is(mac::LOOPBK) || self.phy.loopback()
    }

    /// Whether a frame that is complete may leave now.
    fn may_send(&self, now: Instant) -> bool {
        let status = self.transmitter.status.len() < STATUS_WORDS || self.plain.tx_cfg & TXSAO != 0;
        status && self.sends_at(now)
    }

    fn sends_at(&self, now: Instant) -> bool {
        self.plain.tx_cfg & TX_ON != 0
            && self.mac.is(mac::TXEN)
            && self.power.is_awake()
            && now >= self.flow.paused_until
    }

    /// Lets frames leave, at most [`BURST`].
    fn transmit(&mut self, now: Instant) {
        for _ in 0..BURST {
            if !self.transmitter.waiting() || !self.may_send(now) {
                return;
            }
            let mut frame = core::mem::take(&mut self.frame);
            let leaving = self.transmitter.next(&mut frame);
            if let Some(transmit::Leaving { octets, command_b }) = leaving {
                let carrier = self.looped() || self.phy.link() || self.mac.is(mac::FDPX);
                let word = command_b & 0xffff_0000 | if carrier { 0 } else { NO_CARRIER };
                if self.transmitter.status.len() < STATUS_WORDS {
                    self.transmitter.status.push(word);
                } else {
                    self.irq.raise(source::TXSO);
                }
                let pad = command_b & transmit::NO_PADDING == 0;
                let crc = command_b & transmit::NO_CRC == 0;
                let whole = mac::finish(&mut frame, octets, pad, crc);
                if let Some(frame) = whole.and_then(|whole| frame.get(..whole)) {
                    self.leave(now, frame);
                }
            }
            self.frame = frame;
        }
    }

    /// A frame goes to the wire, or back into the receiver.
    fn leave(&mut self, now: Instant, frame: &[u8]) {
        if self.looped() {
            // A half-duplex MAC may be told not to hear itself (5.4.1, RCVOWN).
            if self.mac.is(mac::FDPX) || !self.mac.is(mac::RCVOWN) {
                self.arrive(now, frame);
            }
        } else if self.phy.link() {
            self.sent.push(frame);
        }
    }

    /// A frame reaches the MAC.
    fn arrive(&mut self, now: Instant, frame: &[u8]) {
        if !self.mac.is(mac::RXEN) {
            return;
        }
        let verdict = self.mac.judge(frame);
        if self.wake.watches() {
            let to = frame.first_chunk::<6>();
            let passes = to.is_some_and(|to| self.mac.passes(*to));
            if self.wake.sees(frame, self.mac.address, passes) && self.power.woken() {
                self.irq.raise(source::PME);
            }
            return;
        }
        if !self.power.is_awake() {
            return;
        }
        if let Some(slots) = verdict.pause {
            self.flow.pause(now, slots, self.phy.is_fast());
        }
        if let (Some(word), Some(octets)) = (verdict.status, frame.get(..verdict.octets)) {
            let (data, status) = self.rx_sizes();
            let raised = self.receiver.store(octets, word, data, status);
            self.irq.raise(raised);
            self.watch_level();
        }
    }

    fn write_tx_cfg(&mut self, value: u32) {
        if value & TXS_DUMP != 0 {
            self.transmitter.status.clear();
        }
        if value & TXD_DUMP != 0 {
            self.transmitter.dump();
        }
        self.plain.tx_cfg = value & (TXSAO | TX_ON);
        // No frame is ever half sent, so the transmitter stops at once.
        if value & STOP_TX != 0 {
            self.plain.tx_cfg &= !TX_ON;
            self.irq.raise(source::TXSTOP);
        }
    }

    fn write_rx_cfg(&mut self, value: u32) {
        if value & RX_DUMP != 0 {
            self.receiver.dump();
        }
        self.plain.rx_cfg = value & RX_CFG_WRITABLE;
        self.receiver.set_countdown(value >> 16 & 0xfff);
    }

    fn write_pmt(&mut self, value: u32) {
        if self.power.write(value) {
            self.phy.reset();
        }
    }

    fn read_register(&mut self, now: Instant, register: Register) -> u32 {
        if !self.power.is_awake() && register != Register::PmtCtrl {
            return 0;
        }
        let (value, raised) = match register {
            Register::RxData => {
                let read = self.receiver.read(self.plain.rx_cfg);
                self.watch_level();
                read
            }
            Register::RxStatus => self.receiver.read_status(),
            Register::RxStatusPeek => (self.receiver.status.peek().unwrap_or(0), 0),
            Register::TxStatus => {
                let word = self.transmitter.status.pop().unwrap_or(0);
                self.transmit(now);
                (word, 0)
            }
            Register::TxStatusPeek => (self.transmitter.status.peek().unwrap_or(0), 0),
            Register::IdRev => (self.config.id, 0),
            Register::IrqCfg => (self.irq.config(now), 0),
            Register::IntSts => (self.irq.status(), 0),
            Register::IntEn => (self.irq.enable(), 0),
            Register::ByteTest => (0x8765_4321, 0),
            Register::FifoInt => (self.plain.fifo_int, 0),
            Register::RxCfg => (self.plain.rx_cfg | self.receiver.countdown() << 16, 0),
            Register::TxCfg => (self.plain.tx_cfg, 0),
            Register::HwCfg => (self.plain.hw_cfg, 0),
            Register::RxFifoInf => {
                let words = self.receiver.status.len() as u32;
                (words << 16 | self.receiver.used() & 0xffff, 0)
            }
            Register::TxFifoInf => {
                let words = self.transmitter.status.len() as u32;
                (words << 16 | self.tx_free() & 0xffff, 0)
            }
            Register::PmtCtrl => (self.power.read(), 0),
            Register::GpioCfg => (self.gpio(), 0),
            Register::GptCfg => (self.timer.config(), 0),
            Register::GptCnt => (self.timer.count(now), 0),
            Register::WordSwap => (self.plain.word_swap, 0),
            Register::FreeRun => (ticks_in(now.since(self.since), 25_000_000) as u32, 0),
            Register::RxDrop => (self.receiver.take_dropped(), 0),
            Register::MacCsrCmd => (self.plain.csr_cmd, 0),
            Register::MacCsrData => (self.plain.csr_data, 0),
            Register::AfcCfg => (self.plain.afc_cfg, 0),
            Register::E2pCmd => (self.eeprom.command(), 0),
            Register::E2pData => (self.eeprom.data(), 0),
            Register::TxData | Register::RxDpCtrl | Register::Reserved => (0, 0),
        };
        self.irq.raise(raised);
        value
    }

    fn write_register(&mut self, now: Instant, register: Register, value: u32) {
        if !self.power.is_awake() {
            // A write of BYTE_TEST brings it back to D0 (3.10.2); others are lost.
            if register == Register::ByteTest {
                self.power.wake();
            }
            return;
        }
        match register {
            Register::TxData => {
                let size = self.tx_data_size();
                let raised = self.transmitter.write(value, size);
                self.irq.raise(raised);
            }
            Register::IrqCfg => self.irq.set_config(now, value),
            Register::IntSts => self.irq.clear(value),
            Register::IntEn => self.irq.set_enable(value),
            Register::FifoInt => self.plain.fifo_int = value & 0xffff_00ff,
            Register::RxCfg => self.write_rx_cfg(value),
            Register::TxCfg => self.write_tx_cfg(value),
            Register::HwCfg if value & SRST != 0 => self.soft_reset(now),
            Register::HwCfg => self.plain.hw_cfg = value & HW_CFG_WRITABLE | HW_CFG_RESET & 4,
            Register::RxDpCtrl if value >> 31 != 0 => {
                self.receiver.fast_forward(self.plain.rx_cfg);
                self.watch_level();
            }
            Register::PmtCtrl => self.write_pmt(value),
            Register::GpioCfg => self.plain.gpio_cfg = value & GPIO_CFG_WRITABLE,
            Register::GptCfg => self.timer.set_config(now, value),
            Register::WordSwap => self.plain.word_swap = value,
            Register::MacCsrCmd => self.csr(value),
            Register::MacCsrData => self.plain.csr_data = value,
            Register::AfcCfg => self.plain.afc_cfg = value & 0x00ff_ffff,
            Register::E2pCmd if self.eeprom.run(value) => self.load_address(),
            Register::E2pData => self.eeprom.set_data(value),
            Register::RxData
            | Register::RxStatus
            | Register::RxStatusPeek
            | Register::TxStatus
            | Register::TxStatusPeek
            | Register::IdRev
            | Register::ByteTest
            | Register::RxDpCtrl
            | Register::RxFifoInf
            | Register::TxFifoInf
            | Register::GptCnt
            | Register::FreeRun
            | Register::RxDrop
            | Register::E2pCmd
            | Register::Reserved => {}
        }
        self.transmit(now);
    }
}

/// The register of an access: the chip decodes 256 bytes, and takes words.
fn decode(access: Access) -> Result<Register, Refusal> {
    if access.region != 0 {
        Err(Refusal::NoRegister)
    } else if access.width != Width::Word || access.offset & 3 != 0 {
        Err(Refusal::Width)
    } else {
        Ok(Register::at(access.offset & 0xff))
    }
}

impl Device for Lan9118 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        let register = decode(access)?;
        self.advance(cx);
        let value = self.read_register(cx.now, register);
        self.settle(cx.now);
        Ok(value.into())
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        let register = decode(access)?;
        self.advance(cx);
        self.write_register(cx.now, register, value as u32);
        self.settle(cx.now);
        Ok(())
    }

    fn input(&mut self, cx: &mut Cx<'_>, Line(line): Line, level: bool) {
        if line < 3 {
            let pin = 1_u32.wrapping_shl(line.into());
            self.pins = self.pins & !pin | if level { pin } else { 0 };
            self.settle(cx.now);
        }
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        if self.timer.advance(cx.now) && self.irq.enable() & source::GPT != 0 {
            self.irq.raise(source::GPT);
        }
        self.transmit(cx.now);
        self.settle(cx.now);
    }

    fn lines(&self) -> Lines {
        Lines::default().with(0, self.irq.pin())
    }

    fn deadline(&self) -> Option<Instant> {
        let expects = self.irq.enable() & !self.irq.status() & source::GPT != 0;
        let timer = if expects { self.timer.wraps_at() } else { None };
        let sends = self.transmitter.waiting() && self.may_send(self.flow.paused_until);
        let frame = sends.then_some(self.flow.paused_until);
        [self.irq.deadline(), timer, frame]
            .into_iter()
            .flatten()
            .min()
    }

    /// The board's reset line is its nRESET pin, and brings about the same as power-on. The
    /// EEPROM is the map's after a cold reset only.
    fn reset(&mut self, kind: Reset) {
        if kind == Reset::Cold {
            self.eeprom = Eeprom::new(self.config.mac);
            self.phy = Phy::new(self.config.link);
            self.pins = source::GPIO;
            self.sent.clear();
        }
        let since = if kind == Reset::Cold {
            Instant::ZERO
        } else {
            self.since
        };
        self.soft_reset(since);
        self.plain.word_swap = 0;
        self.irq = Interrupts::RESET;
        self.power = Power::RESET;
        self.phy = Phy::new(self.phy.wire());
    }

    fn save(&self, out: &mut Writer) {
        self.save_state(out);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        let loaded = self.load_state(from);
        if loaded.is_err() {
            self.reset(Reset::Cold);
        }
        loaded
    }

    fn sends(&self) -> bool {
        !self.sent.is_empty()
    }

    fn frames(&mut self) -> Option<&mut dyn FramePort> {
        Some(self)
    }
}

impl FramePort for Lan9118 {
    fn transmitted(&mut self, into: &mut [u8; FRAME_MAX]) -> Option<usize> {
        self.sent.pop(into)
    }

    fn discard(&mut self) {
        self.sent.clear();
    }

    fn room(&self) -> usize {
        if !self.mac.is(mac::RXEN) || !self.phy.link() || self.wake.watches() {
            return FRAME_MAX;
        }
        let (data, status) = self.rx_sizes();
        self.receiver.room(data, status).min(FRAME_MAX)
    }

    fn receive(&mut self, cx: &mut Cx<'_>, frame: &[u8]) {
        self.advance(cx);
        if self.phy.link() && !self.looped() && frame.len() <= FRAME_MAX {
            self.arrive(cx.now, frame);
        }
        self.settle(cx.now);
    }

    fn connect(&mut self, cx: &mut Cx<'_>, live: bool) {
        self.advance(cx);
        self.phy.connect(live);
        self.settle(cx.now);
    }
}
