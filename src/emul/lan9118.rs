//! SMSC LAN9118 Ethernet controller: its identity and registers, with the link down.
//!
//! SMSC LAN9118 data sheet, chapter 5. Compatible `smsc,lan9118` and `smsc,lan9115`.
//! Output line 0 is IRQ, as polarity and type in IRQ_CFG make it.
//!
//! Deviations, for this is the identity tier:
//! - No frame moves. What is written to the TX data FIFO is dropped, the RX FIFOs are empty.
//! - The PHY at address 1 tells its identity and that the link is down; writes to it are kept
//!   for the control and advertisement registers, and a PHY reset ends at once.
//! - The general purpose timer does not run, and the EEPROM answers with a timeout, so the MAC
//!   address is the configured one and stays until it is written.
//! - Only 32-bit accesses: the boards wire the 32-bit bus.

use super::state::{Reader, Writer};
use super::{Cx, Device, Lines, Reset};
use crate::access::{Access, Refusal, Width};
use crate::units::ticks_in;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    /// The four FIFO ports and their status, empty here.
    Fifo,
    IdRev,
    IrqCfg,
    IntSts,
    IntEn,
    ByteTest,
    FifoInt,
    RxCfg,
    TxCfg,
    HwCfg,
    TxFifoInf,
    PmtCtrl,
    GpioCfg,
    GptCfg,
    GptCnt,
    WordSwap,
    FreeRun,
    MacCsrCmd,
    MacCsrData,
    AfcCfg,
    E2pCmd,
    E2pData,
    Undefined,
}

impl Register {
    const fn at(offset: u64) -> Self {
        match offset {
            0x00..=0x4c => Self::Fifo,
            0x50 => Self::IdRev,
            0x54 => Self::IrqCfg,
            0x58 => Self::IntSts,
            0x5c => Self::IntEn,
            0x64 => Self::ByteTest,
            0x68 => Self::FifoInt,
            0x6c => Self::RxCfg,
            0x70 => Self::TxCfg,
            0x74 => Self::HwCfg,
            0x80 => Self::TxFifoInf,
            0x84 => Self::PmtCtrl,
            0x88 => Self::GpioCfg,
            0x8c => Self::GptCfg,
            0x90 => Self::GptCnt,
            0x98 => Self::WordSwap,
            0x9c => Self::FreeRun,
            0xa4 => Self::MacCsrCmd,
            0xa8 => Self::MacCsrData,
            0xac => Self::AfcCfg,
            0xb0 => Self::E2pCmd,
            0xb4 => Self::E2pData,
            _ => Self::Undefined,
        }
    }
}

const IRQ_CFG_INT: u32 = 1 << 12;
const IRQ_CFG_EN: u32 = 1 << 8;
const IRQ_CFG_POL: u32 = 1 << 4;
const IRQ_CFG_WRITABLE: u32 = 0xff00_0111;
/// INT_STS and INT_EN: the software interrupt.
const SW_INT: u32 = 1 << 31;
const INT_EN_WRITABLE: u32 = 0x8387_f1f0 | SW_INT;
/// HW_CFG: must be one, and TX FIFO size 5.
const HW_CFG_RESET: u32 = 0x0005_0000;
const HW_CFG_SRST: u32 = 1;
const PMT_READY: u32 = 1;
const CSR_BUSY: u32 = 1 << 31;
const CSR_READ: u32 = 1 << 30;
const E2P_BUSY: u32 = 1 << 31;
const E2P_TIMEOUT: u32 = 1 << 9;
/// MII_ACC: a write transaction.
const MII_WRITE: u32 = 1 << 1;
const MII_BUSY: u32 = 1;
/// Indices of MAC registers.
const ADDRH: usize = 2;
const ADDRL: usize = 3;
const MII_ACC: usize = 6;

/// Registers that a write changes, and the MAC's and PHY's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    irq_cfg: u32,
    int_sts: u32,
    int_en: u32,
    fifo_int: u32,
    rx_cfg: u32,
    tx_cfg: u32,
    hw_cfg: u32,
    pmt_ctrl: u32,
    gpio_cfg: u32,
    gpt_cfg: u32,
    word_swap: u32,
    csr_cmd: u32,
    csr_data: u32,
    afc_cfg: u32,
    e2p_cmd: u32,
    e2p_data: u32,
    mac: [u32; 16],
    phy_control: u32,
    phy_advertise: u32,
}

/// The controller.
pub struct Lan9118 {
    mac: [u8; 6],
    state: State,
}

impl Lan9118 {
    /// A controller whose EEPROM has given it the address `mac`.
    pub fn new(mac: [u8; 6]) -> Self {
        Self {
            mac,
            state: reset_state(mac),
        }
    }

    fn mac_access(&mut self, command: u32) {
        let s = &mut self.state;
        s.csr_cmd = command & !CSR_BUSY;
        let index = (command & 0xff) as usize;
        if command & CSR_BUSY == 0 {
            return;
        }
        if command & CSR_READ != 0 {
            s.csr_data = s.mac.get(index).copied().unwrap_or(0);
        } else if let Some(register) = s.mac.get_mut(index) {
            *register = if index == MII_ACC {
                s.csr_data & !MII_BUSY
            } else {
                s.csr_data
            };
            if index == MII_ACC {
                self.phy_access();
            }
        }
    }

    /// A transaction over the management interface, over at once.
    fn phy_access(&mut self) {
        let s = &mut self.state;
        let [_, _, _, _, _, _, acc, data, ..] = &mut s.mac;
        let (phy, register) = (*acc >> 11 & 0x1f, *acc >> 6 & 0x1f);
        if *acc & MII_WRITE != 0 {
            match (phy, register) {
                // Reset (15) and restart of negotiation (9) clear themselves.
                (1, 0) if *data & 1 << 15 != 0 => s.phy_control = 0x3000,
                (1, 0) => s.phy_control = *data & 0xfd80,
                (1, 4) => s.phy_advertise = *data & 0xffff,
                _ => {}
            }
        } else {
            *data = match (phy, register) {
                (1, 0) => s.phy_control,
                // What it can do; the link is down and no negotiation has ended.
                (1, 1) => 0x7809,
                (1, 2) => 0x0007,
                (1, 3) => 0xc0d1,
                (1, 4) => s.phy_advertise,
                (1, _) => 0,
                _ => 0xffff,
            };
        }
    }

    fn irq(&self) -> bool {
        self.state.int_sts & self.state.int_en != 0
    }
}

fn reset_state([m0, m1, m2, m3, m4, m5]: [u8; 6]) -> State {
    let mut mac = [0; 16];
    let values = [
        (1, 0x0004_0000),
        (ADDRH, u32::from_le_bytes([m4, m5, 0, 0])),
        (ADDRL, u32::from_le_bytes([m0, m1, m2, m3])),
        (9, 0xffff),
        (10, 0xffff),
    ];
    for (index, value) in values {
        if let Some(register) = mac.get_mut(index) {
            *register = value;
        }
    }
    State {
        irq_cfg: 0,
        int_sts: 0,
        int_en: 0,
        fifo_int: 0x4800_0000,
        rx_cfg: 0,
        tx_cfg: 0,
        hw_cfg: HW_CFG_RESET,
        pmt_ctrl: 0,
        gpio_cfg: 0,
        gpt_cfg: 0xffff,
        word_swap: 0,
        csr_cmd: 0,
        csr_data: 0,
        afc_cfg: 0,
        // The address was loaded from the EEPROM.
        e2p_cmd: 1 << 8,
        e2p_data: 0,
        mac,
        phy_control: 0x3000,
        phy_advertise: 0x01e1,
    }
}

fn check(access: Access) -> Result<(), Refusal> {
    if access.region != 0 {
        Err(Refusal::NoRegister)
    } else if access.width != Width::Word || access.offset & 3 != 0 {
        Err(Refusal::Width)
    } else {
        Ok(())
    }
}

impl Device for Lan9118 {
    fn read(&mut self, cx: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        check(access)?;
        let s = &self.state;
        // The chip decodes 256 bytes.
        let value = match Register::at(access.offset & 0xff) {
            Register::Fifo | Register::Undefined => 0,
            Register::IdRev => 0x0118_0001,
            Register::IrqCfg => s.irq_cfg | if self.irq() { IRQ_CFG_INT } else { 0 },
            Register::IntSts => s.int_sts,
            Register::IntEn => s.int_en,
            Register::ByteTest => 0x8765_4321,
            Register::FifoInt => s.fifo_int,
            Register::RxCfg => s.rx_cfg,
            Register::TxCfg => s.tx_cfg,
            Register::HwCfg => s.hw_cfg,
            // Room for TX_FIF_SZ KiB less 512 bytes of status.
            Register::TxFifoInf => (s.hw_cfg >> 6 & 0x3c00).saturating_sub(512),
            Register::PmtCtrl => s.pmt_ctrl | PMT_READY,
            Register::GpioCfg => s.gpio_cfg,
            Register::GptCfg => s.gpt_cfg,
            Register::GptCnt => 0xffff,
            Register::WordSwap => s.word_swap,
            Register::FreeRun => ticks_in(cx.now.0, 25_000_000) as u32,
            Register::MacCsrCmd => s.csr_cmd,
            Register::MacCsrData => s.csr_data,
            Register::AfcCfg => s.afc_cfg,
            Register::E2pCmd => s.e2p_cmd,
            Register::E2pData => s.e2p_data,
        };
        Ok(u64::from(value))
    }

    fn write(&mut self, _: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        check(access)?;
        let value = value as u32;
        let s = &mut self.state;
        match Register::at(access.offset & 0xff) {
            Register::IrqCfg => s.irq_cfg = value & IRQ_CFG_WRITABLE,
            Register::IntSts => s.int_sts &= !value,
            Register::IntEn => {
                // Enabling the software interrupt raises it.
                if value & SW_INT != 0 && s.int_en & SW_INT == 0 {
                    s.int_sts |= SW_INT;
                }
                s.int_en = value & INT_EN_WRITABLE;
            }
            Register::FifoInt => s.fifo_int = value,
            Register::RxCfg => s.rx_cfg = value & 0xcfff_1ff0,
            Register::TxCfg => s.tx_cfg = value & 0x6,
            Register::HwCfg if value & HW_CFG_SRST != 0 => {
                // A soft reset leaves the PHY as it is.
                let (control, advertise) = (s.phy_control, s.phy_advertise);
                *s = reset_state(self.mac);
                (s.phy_control, s.phy_advertise) = (control, advertise);
            }
            Register::HwCfg => s.hw_cfg = value & 0x003f_0000 | s.hw_cfg & 4,
            Register::PmtCtrl => s.pmt_ctrl = value & 0x3146,
            Register::GpioCfg => s.gpio_cfg = value & 0x7717_071f,
            Register::GptCfg => s.gpt_cfg = value & 0x2000_ffff,
            Register::WordSwap => s.word_swap = value,
            Register::MacCsrCmd => self.mac_access(value),
            Register::MacCsrData => s.csr_data = value,
            Register::AfcCfg => s.afc_cfg = value & 0x00ff_ffff,
            Register::E2pCmd => {
                let timeout = if value & E2P_BUSY == 0 {
                    0
                } else {
                    E2P_TIMEOUT
                };
                s.e2p_cmd = value & 0x7000_00ff | timeout | s.e2p_cmd & 1 << 8;
            }
            Register::E2pData => s.e2p_data = value & 0xff,
            Register::Fifo
            | Register::IdRev
            | Register::ByteTest
            | Register::TxFifoInf
            | Register::GptCnt
            | Register::FreeRun
            | Register::Undefined => {}
        }
        Ok(())
    }

    fn lines(&self) -> Lines {
        let asserted = self.irq() && self.state.irq_cfg & IRQ_CFG_EN != 0;
        let active_high = self.state.irq_cfg & IRQ_CFG_POL != 0;
        // Until software has chosen the polarity the pin is open-drain and active low; the
        // board's controller takes it for high-active, so rest is told as low.
        Lines::default().with(0, asserted && active_high)
    }

    fn reset(&mut self, _: Reset) {
        self.state = reset_state(self.mac);
    }

    fn save(&self, out: &mut Writer) {
        let mut copy = self.state;
        for word in words(&mut copy) {
            out.u32(*word);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.state = reset_state(self.mac);
        let mut next = self.state;
        for word in words(&mut next) {
            *word = from.u32()?;
        }
        self.state = next;
        Ok(())
    }
}

/// The state's words in the order in which they are saved.
fn words(s: &mut State) -> impl Iterator<Item = &mut u32> {
    [
        &mut s.irq_cfg,
        &mut s.int_sts,
        &mut s.int_en,
        &mut s.fifo_int,
        &mut s.rx_cfg,
        &mut s.tx_cfg,
        &mut s.hw_cfg,
        &mut s.pmt_ctrl,
        &mut s.gpio_cfg,
        &mut s.gpt_cfg,
        &mut s.word_swap,
        &mut s.csr_cmd,
        &mut s.csr_data,
        &mut s.afc_cfg,
        &mut s.e2p_cmd,
        &mut s.e2p_data,
        &mut s.phy_control,
        &mut s.phy_advertise,
    ]
    .into_iter()
    .chain(&mut s.mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::NoMemory;
    use crate::units::Instant;

    const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    fn read(dev: &mut Lan9118, offset: u64) -> u64 {
        dev.read(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Access::word(offset),
        )
        .unwrap()
    }
    fn write(dev: &mut Lan9118, offset: u64, value: u64) {
        dev.write(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Access::word(offset),
            value,
        )
        .unwrap();
    }
    fn mac_read(dev: &mut Lan9118, index: u64) -> u64 {
        write(dev, 0xa4, 0xc000_0000 | index);
        assert_eq!(read(dev, 0xa4) >> 31, 0);
        read(dev, 0xa8)
    }
    fn mac_write(dev: &mut Lan9118, index: u64, value: u64) {
        write(dev, 0xa8, value);
        write(dev, 0xa4, 0x8000_0000 | index);
    }
    fn phy_read(dev: &mut Lan9118, phy: u64, register: u64) -> u64 {
        mac_write(dev, 6, phy << 11 | register << 6 | 1);
        assert_eq!(mac_read(dev, 6) & 1, 0, "the interface is never busy");
        mac_read(dev, 7)
    }

    #[test]
    fn registers_reset_to_the_data_sheets_values() {
        let mut dev = Lan9118::new(MAC);
        for offset in (0..0x100).step_by(4) {
            let want = match offset {
                0x50 => 0x0118_0001,
                0x64 => 0x8765_4321,
                0x68 => 0x4800_0000,
                0x74 => 0x0005_0000,
                0x80 => 0x1200,
                0x84 => 1,
                0x8c | 0x90 => 0xffff,
                0xb0 => 0x100,
                _ => 0,
            };
            assert_eq!(read(&mut dev, offset), want, "{offset:#x}");
        }
        let mac: std::vec::Vec<_> = (0..17).map(|index| mac_read(&mut dev, index)).collect();
        assert_eq!(mac[1..5], [0x0004_0000, 0x5634, 0x1200_5452, 0]);
        assert_eq!(mac[9..12], [0xffff, 0xffff, 0]);
    }

    #[test]
    fn the_phy_is_at_address_1_with_its_link_down() {
        let mut dev = Lan9118::new(MAC);
        assert_eq!([2, 3].map(|r| phy_read(&mut dev, 1, r)), [0x0007, 0xc0d1]);
        assert_eq!(phy_read(&mut dev, 1, 1) & 1 << 2, 0);
        assert_eq!(phy_read(&mut dev, 2, 2), 0xffff);
        mac_write(&mut dev, 7, 0x0de1);
        mac_write(&mut dev, 6, 1 << 11 | 4 << 6 | 3);
        assert_eq!(phy_read(&mut dev, 1, 4), 0x0de1);
    }

    #[test]
    fn the_software_interrupt_reaches_the_line_when_enabled() {
        let mut dev = Lan9118::new(MAC);
        write(&mut dev, 0x5c, 1 << 31);
        assert_eq!(read(&mut dev, 0x58), 1 << 31);
        assert!(!dev.lines().is_high(0));
        write(&mut dev, 0x54, 0x111);
        assert!(dev.lines().is_high(0));
        assert_eq!(read(&mut dev, 0x54), 0x1111);
        write(&mut dev, 0x58, 1 << 31);
        assert!(!dev.lines().is_high(0));
    }

    #[test]
    fn a_soft_reset_ends_at_once_and_restores_the_address() {
        let mut dev = Lan9118::new(MAC);
        mac_write(&mut dev, 3, 0);
        assert_eq!(mac_read(&mut dev, 3), 0);
        write(&mut dev, 0x74, 1);
        assert_eq!(read(&mut dev, 0x74), 0x0005_0000);
        assert_eq!(mac_read(&mut dev, 3), 0x1200_5452);
    }

    #[test]
    fn the_eeprom_times_out() {
        let mut dev = Lan9118::new(MAC);
        write(&mut dev, 0xb0, 0x8000_0000);
        assert_eq!(read(&mut dev, 0xb0) & 0x8000_0200, 0x200);
    }

    #[test]
    fn hostile_writes_do_no_harm_and_saved_state_comes_back() {
        let mut dev = Lan9118::new(MAC);
        for round in 0..4_u64 {
            for offset in (0..0x100).step_by(4) {
                write(
                    &mut dev,
                    offset,
                    0xffff_ffff_u64.wrapping_mul(round + offset) & 0xffff_ffff,
                );
                read(&mut dev, offset);
            }
        }
        let mut out = Writer::default();
        dev.save(&mut out);
        let saved = out.into_bytes();
        let mut two = Lan9118::new(MAC);
        two.load(&mut Reader::new(&saved)).unwrap();
        assert_eq!(two.state, dev.state);
        assert_eq!(
            two.load(&mut Reader::new(&saved[1..])),
            Err(Refusal::BadState)
        );
        assert_eq!(two.state, reset_state(MAC));
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        assert_eq!(
            dev.read(&mut cx, Access::word(0x50).sized(Width::Half)),
            Err(Refusal::Width)
        );
    }
}
