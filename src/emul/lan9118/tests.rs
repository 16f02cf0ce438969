use super::*;
use crate::crc::Crc32;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

mod control;
mod receiving;
mod sending;

const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
const OTHER: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01];

/// A controller, and the time.
struct Rig {
    device: Lan9118,
    now: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(Config::lan9118(MAC))
    }

    fn with(config: Config) -> Self {
        Self {
            device: Lan9118::new(config),
            now: 0,
        }
    }

    /// With both directions on, in full duplex, and addressed frames only.
    fn on() -> Self {
        let mut rig = Self::new();
        rig.csr_write(1, mac::TXEN | mac::RXEN | mac::FDPX);
        rig.w(0x70, TX_ON);
        rig.w(0x68, 0xff00_0000);
        rig
    }

    fn cx(&self) -> Cx<'static> {
        Cx::new(Instant(self.now), &NoMemory, None)
    }

    fn r(&mut self, offset: u64) -> u32 {
        let mut cx = self.cx();
        self.device.read(&mut cx, Access::word(offset)).unwrap() as u32
    }

    fn w(&mut self, offset: u64, value: u32) {
        let mut cx = self.cx();
        self.device
            .write(&mut cx, Access::word(offset), value.into())
            .unwrap();
    }

    fn csr(&mut self, register: u32) -> u32 {
        self.w(0xa4, 0xc000_0000 | register);
        assert_eq!(self.r(0xa4), 0x4000_0000 | register, "never busy");
        self.r(0xa8)
    }

    fn csr_write(&mut self, register: u32, value: u32) {
        self.w(0xa8, value);
        self.w(0xa4, 0x8000_0000 | register);
    }

    fn phy(&mut self, register: u32) -> u32 {
        self.csr_write(6, 1 << 11 | register << 6);
        assert_eq!(self.csr(6) & 1, 0, "never busy");
        self.csr(7)
    }

    fn phy_write(&mut self, register: u32, value: u32) {
        self.csr_write(7, value);
        self.csr_write(6, 1 << 11 | register << 6 | 2);
    }

    /// Writes a frame of one buffer to the TX data FIFO.
    fn send_tagged(&mut self, octets: &[u8], flags: u32) {
        self.w(0x20, 0x3000 | octets.len() as u32);
        self.w(0x20, flags | octets.len() as u32);
        for word in words(octets) {
            self.w(0x20, word);
        }
    }

    fn send(&mut self, octets: &[u8]) {
        self.send_tagged(octets, 0x1234_0000);
    }

    /// The next frame on the wire.
    fn wire(&mut self) -> Option<Vec<u8>> {
        let mut into = [0; FRAME_MAX];
        let octets = self.device.transmitted(&mut into)?;
        Some(into[..octets].to_vec())
    }

    fn arrives(&mut self, frame: &[u8]) {
        let mut cx = self.cx();
        self.device.receive(&mut cx, frame);
    }

    /// Reads a frame as a driver does that has set no offset and no alignment.
    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        if self.r(0x7c) >> 16 == 0 {
            return None;
        }
        let status = self.r(0x40);
        let octets = (status >> 16 & 0x3fff) as usize;
        let data = (0..octets.div_ceil(4)).flat_map(|_| self.r(0).to_le_bytes());
        let mut data: Vec<u8> = data.collect();
        data.truncate(octets);
        Some((status, data))
    }

    fn advance_to(&mut self, now: u64) {
        self.now = now;
        let mut cx = self.cx();
        self.device.advance(&mut cx);
    }

    fn irq(&self) -> bool {
        self.device.lines().is_high(0)
    }
}

/// RX_FIFO_INF, TX_FIFO_INF, or a status: words or octets above, octets or flags below.
fn inf(above: u32, below: u32) -> u32 {
    above << 16 | below
}

fn words(octets: &[u8]) -> Vec<u32> {
    let word = |part: &[u8]| {
        let mut whole = [0; 4];
        whole[..part.len()].copy_from_slice(part);
        u32::from_le_bytes(whole)
    };
    octets.chunks(4).map(word).collect()
}

/// A frame to `to` of so many octets without its FCS, of an Ethernet type.
fn frame_to(to: [u8; 6], octets: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = to.into_iter().chain(OTHER).chain([0x08, 0x00]).collect();
    frame.extend((14..octets).map(|n| n as u8));
    frame
}

fn with_fcs(frame: &[u8]) -> Vec<u8> {
    let mut whole = frame.to_vec();
    whole.extend(Crc32::of(frame).to_le_bytes());
    whole
}

#[test]
fn registers_reset_to_the_data_sheets_values() {
    let mut rig = Rig::new();
    // Reads of the empty RX FIFOs would be errors.
    for offset in (0x20..0x100).step_by(4).filter(|at| *at != 0x40) {
        let due = match offset {
            0x50 => 0x0118_0001,
            0x64 => 0x8765_4321,
            0x68 => 0x4800_0000,
            0x74 => 0x0005_0004,
            0x80 => 0x1200,
            0x84 => 1,
            // The GPIO pins are pulled up.
            0x88 => 7,
            0x8c | 0x90 => 0xffff,
            0xb0 => 0x100,
            _ => 0,
        };
        assert_eq!(rig.r(offset), due, "{offset:#x}");
    }
    let csrs = [
        (1, 0x0004_0000),
        (2, 0x5634),
        (3, 0x1200_5452),
        (4, 0),
        (5, 0),
        (6, 0),
        (7, 0),
        (8, 0),
        (9, 0xffff),
        (10, 0xffff),
        (11, 0),
        (12, 0),
    ];
    for (register, due) in csrs {
        assert_eq!(rig.csr(register), due, "MAC CSR {register}");
    }
    assert!(rig.irq(), "open-drain, and pulled up");
}

#[test]
fn the_phys_registers_reset_to_the_data_sheets_values() {
    let mut rig = Rig::with(Config {
        link: false,
        ..Config::lan9118(MAC)
    });
    for register in 0..32 {
        let due = match register {
            0 => 0x3000,
            1 => 0x7809,
            2 => 0x0007,
            3 => 0xc0d1,
            4 => 0x01e1,
            5 => 0x0001,
            18 => 0x00e1,
            // No link, so what it advertises: 100BASE-TX in full duplex.
            31 => 0x0058,
            _ => 0,
        };
        assert_eq!(rig.phy(register), due, "PHY register {register}");
    }
    rig.csr_write(6, 2 << 11 | 2 << 6);
    assert_eq!(rig.csr(7), 0xffff, "no other PHY is there");
}

#[test]
fn the_registers_are_seen_again_every_256_bytes_and_take_words_only() {
    let mut rig = Rig::new();
    assert_eq!(rig.r(0x150), 0x0118_0001);
    assert_eq!(rig.r(0xff64), 0x8765_4321);
    let mut cx = rig.cx();
    for width in [Width::Byte, Width::Half, Width::Double] {
        let access = Access::word(0x50).sized(width);
        assert_eq!(rig.device.read(&mut cx, access), Err(Refusal::Width));
    }
    assert_eq!(
        rig.device.write(&mut cx, Access::word(0x52), 0),
        Err(Refusal::Width)
    );
}

#[test]
fn a_soft_reset_keeps_the_phy_and_what_is_not_affected_by_it() {
    let mut rig = Rig::on();
    rig.phy_write(4, 0x0061);
    rig.w(0x54, 0x2200_0111);
    rig.w(0x98, 0xffff_ffff);
    rig.w(0x84, 0x46);
    rig.csr_write(3, 0);
    rig.arrives(&with_fcs(&frame_to(MAC, 60)));
    rig.now = 1_000_000;
    rig.w(0x74, 1);
    assert_eq!(rig.r(0x54), 0x0000_0011);
    assert_eq!(rig.r(0x98), 0xffff_ffff);
    assert_eq!(rig.r(0x84), 0x45);
    assert_eq!(rig.r(0x74), HW_CFG_RESET);
    assert_eq!(rig.phy(4), 0x0061);
    assert_eq!(rig.csr(3), 0x1200_5452, "loaded anew");
    assert_eq!(rig.csr(1), 0x0004_0000);
    assert_eq!((rig.r(0x7c), rig.r(0x9c)), (0, 0));
    rig.now += 40;
    assert_eq!(rig.r(0x9c), 1);
}

#[test]
fn the_free_running_counter_counts_at_25_mhz() {
    let mut rig = Rig::new();
    rig.now = 79;
    assert_eq!(rig.r(0x9c), 1);
    rig.now = 40 << 32;
    assert_eq!(rig.r(0x9c), 0);
}

const OFFSETS: [u64; 32] = [
    0x00, 0x20, 0x20, 0x20, 0x20, 0x24, 0x40, 0x44, 0x48, 0x4c, 0x54, 0x58, 0x5c, 0x64, 0x68, 0x6c,
    0x70, 0x74, 0x78, 0x7c, 0x80, 0x84, 0x88, 0x8c, 0x90, 0xa0, 0xa4, 0xa8, 0xac, 0xb0, 0xb4,
    0x1b8,
];

#[test]
fn random_accesses_do_no_harm_and_its_saved_state_is_all_of_it() {
    random_walk::walk(Rig::on_device, &OFFSETS, 7, 20_000);
    random_walk::walk(|| Lan9118::new(Config::lan9118(MAC)), &OFFSETS, 8, 20_000);
}

impl Rig {
    fn on_device() -> Lan9118 {
        Self::on().device
    }
}

fn saved(device: &Lan9118) -> Vec<u8> {
    let mut out = Writer::default();
    device.save(&mut out);
    out.into_bytes()
}

#[test]
fn a_state_saved_amid_frames_goes_on_as_the_one_it_was_saved_from() {
    let mut rig = Rig::on();
    rig.w(0x6c, 0x4000_0300);
    rig.arrives(&with_fcs(&frame_to(MAC, 70)));
    rig.arrives(&with_fcs(&frame_to(MAC, 61)));
    for _ in 0..3 {
        rig.r(0);
    }
    rig.w(0x20, 0x0003_303e);
    rig.w(0x20, 62);
    for word in words(&frame_to(OTHER, 30)) {
        rig.w(0x20, word);
    }
    let mut copy = Rig::on();
    copy.device
        .load(&mut Reader::new(&saved(&rig.device)))
        .unwrap();
    for rig in [&mut rig, &mut copy] {
        for word in 0..9 {
            rig.w(0x20, word);
        }
    }
    let left = rig.wire();
    assert!(left.is_some() && left == copy.wire());
    for _ in 0..60 {
        assert_eq!(rig.r(0), copy.r(0));
    }
    assert_eq!(rig.r(0x40), copy.r(0x40));
}

#[test]
fn damaged_saved_states_are_refused_or_harmless() {
    let mut rig = Rig::on();
    rig.arrives(&with_fcs(&frame_to(MAC, 70)));
    rig.r(0);
    rig.send(&frame_to(OTHER, 70));
    rig.w(0x20, 0x303e);
    rig.w(0x20, 62);
    let state = saved(&rig.device);
    for index in 0..state.len() {
        for bit in [0, 3, 7] {
            let mut damaged = state.clone();
            damaged[index] ^= 1 << bit;
            if rig.device.load(&mut Reader::new(&damaged)).is_err() {
                assert_eq!(saved(&rig.device), saved(&Rig::new().device));
            }
            for offset in OFFSETS {
                rig.r(offset);
                rig.w(offset, 0x3010);
            }
            rig.arrives(&with_fcs(&frame_to(MAC, 70)));
            rig.wire();
        }
    }
    let short = &state[..state.len() - 1];
    assert!(rig.device.load(&mut Reader::new(short)).is_err());
}
