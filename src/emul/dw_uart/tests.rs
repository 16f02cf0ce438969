use super::*;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const RBR: u64 = 0x00;
const IER: u64 = 0x04;
const IIR: u64 = 0x08;
const FCR: u64 = 0x08;
const LCR: u64 = 0x0c;
const MCR: u64 = 0x10;
const LSR: u64 = 0x14;
const MSR: u64 = 0x18;
const SRBR: u64 = 0x30;
const FAR: u64 = 0x70;
const TFR: u64 = 0x74;
const RFW: u64 = 0x78;
const USR: u64 = 0x7c;
const TFL: u64 = 0x80;
const RFL: u64 = 0x84;
const SRR: u64 = 0x88;
const SRTS: u64 = 0x8c;
const SBCR: u64 = 0x90;
const SDMAM: u64 = 0x94;
const SFE: u64 = 0x98;
const SRT: u64 = 0x9c;
const STET: u64 = 0xa0;
const HTX: u64 = 0xa4;

const INTR: u16 = 0;
/// 10 bits at 115,200 baud of 24 MHz divided by 16 times 13.
const CHARACTER: u64 = 86_667;

struct Bench {
    uart: DwUart,
    now: u64,
}

impl Bench {
    fn new(pacing: Pacing) -> Self {
        let clock = 24_000_000;
        Self {
            uart: DwUart::new(Config { clock, pacing }),
            now: 0,
        }
    }

    /// 115,200 baud, 8N1, FIFOs on.
    fn running(pacing: Pacing) -> Self {
        let mut bench = Self::new(pacing);
        bench.write(LCR, 0x83);
        bench.write(RBR, 13);
        bench.write(LCR, 0x03);
        bench.write(FCR, 0x01);
        bench
    }

    fn cx(&self) -> Cx<'static> {
        Cx::new(Instant(self.now), &NoMemory, None)
    }

    fn read(&mut self, offset: u64) -> u32 {
        let access = Access::word(offset);
        let mut cx = self.cx();
        self.uart.advance(&mut cx);
        let peeked = self.uart.peek(Instant(self.now), access);
        let before = self.uart.lines();
        let value = self.uart.read(&mut cx, access).unwrap();
        if let Some(peeked) = peeked {
            assert_eq!((peeked, before), (value, self.uart.lines()), "{offset:#x}");
        }
        value as u32
    }

    fn write(&mut self, offset: u64, value: u64) {
        self.uart
            .write(&mut self.cx(), Access::word(offset), value)
            .unwrap();
    }

    fn receive(&mut self, text: &[u8]) {
        for &byte in text {
            let mut cx = self.cx();
            self.uart.serial().unwrap().receive(&mut cx, byte);
        }
    }

    fn advance(&mut self, now: u64) {
        self.now = now;
        self.uart.advance(&mut self.cx());
    }

    fn sent(&mut self) -> Vec<u8> {
        let port = self.uart.serial().unwrap();
        std::iter::from_fn(|| port.transmitted()).collect()
    }

    fn line(&self, n: u16) -> bool {
        self.uart.lines().is_high(n)
    }
}

#[test]
fn registers_have_the_databooks_reset_values() {
    let mut bench = Bench::new(Pacing::AtOnce);
    for (offset, value) in [
        (RBR, 0),
        (IER, 0),
        (IIR, 0x01),
        (LCR, 0),
        (MCR, 0),
        (LSR, 0x60),
        (MSR, 0),
        (0x1c, 0),
        (0x20, 0),
        (SRBR, 0),
        (FAR, 0),
        (TFR, 0),
        (RFW, 0),
        (USR, 0x06),
        (TFL, 0),
        (RFL, 0),
        (SRR, 0),
        (SRTS, 0),
        (SBCR, 0),
        (SDMAM, 0),
        (SFE, 0),
        (SRT, 0),
        (STET, 0),
        (HTX, 0),
        (0xa8, 0),
        (0xc0, 0),
        (0xf4, 0x0001_3f32),
        (0xf8, 0x3331_342a),
        (0xfc, 0x4457_0110),
    ] {
        assert_eq!(bench.read(offset), value, "{offset:#x}");
    }
}

#[test]
fn a_write_to_lcr_while_busy_is_refused_by_an_interrupt() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.receive(b"x");
    assert_eq!(bench.read(USR), 0x0f, "something waits to be read");
    bench.write(LCR, 0x1b);
    assert_eq!(bench.read(LCR), 0x03);
    assert!(bench.line(INTR));
    assert_eq!(bench.read(IIR), 0xc7);
    assert_eq!(bench.read(IIR), 0xc7);
    assert_eq!(bench.read(USR), 0x0f);
    assert!(!bench.line(INTR), "reading USR ended it");
    assert_eq!(bench.read(IIR), 0xc1);
    bench.read(RBR);
    bench.write(LCR, 0x1b);
    assert_eq!(bench.read(LCR), 0x1b);
}

#[test]
fn busy_detect_has_the_lowest_priority() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x09);
    bench.receive(b"x");
    bench.write(LCR, 0);
    assert_eq!(bench.read(IIR), 0xc4);
    bench.uart.input(&mut bench.cx(), Line(0), true);
    bench.read(RBR);
    assert_eq!(bench.read(IIR), 0xc0);
    bench.read(MSR);
    assert_eq!(bench.read(IIR), 0xc7);
}

#[test]
fn the_divisor_is_not_written_while_a_character_is_on_the_line() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(LCR, 0x83);
    bench.write(LCR, 0x03);
    bench.write(RBR, b'a'.into());
    assert_eq!(bench.read(USR) & 1, 1);
    bench.write(LCR, 0x83);
    assert_eq!(bench.read(LCR), 0x03);
    bench.advance(CHARACTER);
    assert_eq!(bench.read(USR), 0x06);
    bench.write(LCR, 0x83);
    assert_eq!(bench.read(RBR), 13);
    assert_eq!(bench.sent(), b"a");
}

#[test]
fn usr_and_the_levels_tell_what_is_in_the_fifos() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(HTX, 1);
    for n in 0..16 {
        assert_eq!(bench.read(TFL), n);
        bench.write(RBR, n.into());
    }
    assert_eq!((bench.read(TFL), bench.read(USR)), (16, 0x01));
    bench.receive(&[0; 16]);
    assert_eq!((bench.read(RFL), bench.read(USR)), (16, 0x19));
    assert_eq!(bench.sent(), b"");
    bench.write(HTX, 0);
    assert_eq!(bench.sent().len(), 16);
    assert_eq!((bench.read(TFL), bench.read(USR)), (0, 0x1f));
}

#[test]
fn the_shadow_registers_are_those_that_they_shadow() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(SRTS, 1);
    assert_eq!((bench.read(MCR), bench.read(SRTS)), (2, 1));
    assert!(bench.line(1));
    bench.write(SBCR, 1);
    assert_eq!((bench.read(LCR), bench.read(SBCR)), (0x43, 1));
    bench.write(SBCR, 0);
    assert_eq!(bench.read(LCR), 0x03);
    bench.write(SRT, 2);
    bench.write(STET, 3);
    bench.write(SDMAM, 1);
    assert_eq!([SRT, STET, SDMAM, SFE].map(|n| bench.read(n)), [2, 3, 1, 1]);
    bench.write(FCR, 0x41);
    assert_eq!([SRT, STET, SDMAM, SFE].map(|n| bench.read(n)), [1, 0, 0, 1]);
    bench.write(SFE, 0);
    assert_eq!(bench.read(IIR), 0x01);
}

#[test]
fn the_shadow_data_registers_reach_the_fifos_at_sixteen_places() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.receive(b"0123456789abcdef");
    for n in 0..16 {
        assert_eq!(
            bench.read(SRBR + 4 * n),
            b"0123456789abcdef"[n as usize].into()
        );
        bench.write(SRBR + 4 * n, u64::from(b'A') + n);
    }
    assert_eq!(bench.sent(), b"ABCDEFGHIJKLMNOP");
    bench.write(LCR, 0x83);
    bench.write(SRBR, b'x'.into());
    assert_eq!(bench.sent(), b"x", "DLAB does not hide it");
}

#[test]
fn fifo_access_reaches_the_far_ends() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(RFW, 1);
    assert_eq!(bench.read(RFL), 0, "not unless FAR says so");
    bench.receive(b"x");
    bench.write(FAR, 1);
    assert_eq!(bench.read(RFL), 0, "the FIFOs are treated as empty");
    bench.write(RBR, b'a'.into());
    bench.write(RBR, b'b'.into());
    assert_eq!(bench.sent(), b"");
    assert_eq!(
        [0; 3].map(|_| bench.read(TFR)),
        [b'a'.into(), b'b'.into(), 0]
    );
    bench.write(RFW, 0x241);
    assert_eq!(bench.read(LSR), 0xe9, "a framing error");
    assert_eq!(bench.read(RBR), 0x41);
    bench.write(FAR, 0);
    bench.write(RBR, b'c'.into());
    assert_eq!(bench.sent(), b"c");
}

#[test]
fn a_software_reset_resets_what_it_names() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(HTX, 1);
    bench.write(RBR, 1);
    bench.receive(b"x");
    bench.write(SRR, 2);
    assert_eq!((bench.read(RFL), bench.read(TFL)), (0, 1));
    bench.write(SRR, 4);
    assert_eq!(bench.read(TFL), 0);
    assert_eq!(bench.read(SFE), 1);
    bench.write(SRR, 1);
    assert_eq!([LCR, SFE, HTX, USR].map(|n| bench.read(n)), [0, 0, 0, 6]);
}

#[test]
fn a_programmed_level_tells_of_the_transmit_fifo_before_it_is_empty() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(FCR, 0x31); // half full
    bench.write(IER, 0x82);
    bench.read(IIR);
    for _ in 0..17 {
        bench.write(RBR, 0);
    }
    assert_eq!(bench.read(LSR), 0x20, "THRE tells that it is full");
    bench.advance(8 * CHARACTER - 1);
    assert!(!bench.line(INTR));
    assert_eq!(bench.read(LSR), 0);
    bench.advance(8 * CHARACTER);
    assert_eq!(bench.read(TFL), 8);
    assert_eq!(bench.read(IIR), 0xc2);
    assert_eq!(bench.read(IIR), 0xc1);
}

#[test]
fn at_once_a_programmed_level_is_told_after_every_write() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(FCR, 0x31);
    bench.write(IER, 0x82);
    for _ in 0..3 {
        assert_eq!(bench.read(IIR), 0xc2);
        bench.write(RBR, b'x'.into());
    }
    assert_eq!(bench.sent(), b"xxx");
}

#[test]
fn automatic_flow_control_waits_for_cts_and_holds_rts_back() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(FCR, 0x41);
    bench.write(IER, 0x08);
    bench.write(MCR, 0x22);
    bench.write(RBR, b'x'.into());
    assert_eq!(bench.sent(), b"");
    assert!(bench.line(1));
    bench.uart.input(&mut bench.cx(), Line(0), true);
    assert_eq!(bench.sent(), b"x");
    assert!(!bench.line(INTR), "DCTS does not interrupt then");
    bench.receive(b"1234");
    assert!(!bench.line(1), "at the trigger level");
    for _ in 0..3 {
        bench.read(RBR);
    }
    assert!(!bench.line(1), "until it is empty");
    bench.read(RBR);
    assert!(bench.line(1));
}

#[test]
fn saved_state_goes_on_where_it_was_and_damage_is_refused() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(RBR, b'a'.into());
    bench.write(LCR, 0);
    bench.receive(b"x");
    let mut out = Writer::default();
    bench.uart.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = Bench::new(Pacing::Baud);
    let mut from = Reader::new(&bytes);
    other.uart.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.uart.lines(), bench.uart.lines());
    other.advance(CHARACTER);
    assert_eq!(other.sent(), b"a");
    assert_eq!(other.read(IIR), 0xc7);
    assert_eq!(other.read(RBR), b'x'.into());
    for len in 0..bytes.len() {
        let cut = other.uart.load(&mut Reader::new(&bytes[..len]));
        assert_eq!(cut, Err(Refusal::BadState));
        assert_eq!(other.read(USR), 6);
    }
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets: Vec<u64> = (0..0xac).step_by(4).collect();
    for seed in 1..=10 {
        for pacing in [Pacing::AtOnce, Pacing::Baud] {
            let config = Config {
                clock: 24_000_000,
                pacing,
            };
            random_walk::walk(|| DwUart::new(config), &offsets, seed, 3000);
        }
    }
}
