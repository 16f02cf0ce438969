use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::emul::serial::{Condition, Received};
use crate::memory::NoMemory;
use std::vec::Vec;

mod line;
mod receive;

const DATA: u64 = 0;
const IER: u64 = 1;
const IIR: u64 = 2;
const FCR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;
const SCR: u64 = 7;

/// INTR.
const INTR: u16 = 0;

/// 10 bits at 115,200 baud.
const CHARACTER: u64 = 86_806;

struct Bench {
    uart: Ns16550,
    now: u64,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            uart: Ns16550::new(config),
            now: 0,
        }
    }

    /// A 16550A: 115,200 baud, 8N1, FIFOs on.
    fn running(pacing: Pacing) -> Self {
        let mut bench = Self::new(Config { pacing, ..config() });
        bench.write(LCR, 0x83);
        bench.write(DATA, 1);
        bench.write(LCR, 0x03);
        bench.write(FCR, 0x01);
        bench
    }

    fn cx(&self) -> Cx<'static> {
        Cx::new(Instant(self.now), &NoMemory, None)
    }

    fn read(&mut self, offset: u64) -> u8 {
        let access = Access::word(offset).sized(Width::Byte);
        let mut cx = self.cx();
        self.uart.advance(&mut cx);
        let peeked = self.uart.peek(Instant(self.now), access);
        let before = self.uart.lines();
        let value = self.uart.read(&mut cx, access).unwrap();
        if let Some(peeked) = peeked {
            assert_eq!((peeked, before), (value, self.uart.lines()), "{offset}");
        }
        value as u8
    }

    fn write(&mut self, offset: u64, value: u8) {
        let access = Access::word(offset).sized(Width::Byte);
        self.uart
            .write(&mut self.cx(), access, value.into())
            .unwrap();
    }

    fn write_all(&mut self, text: &[u8]) {
        for &byte in text {
            self.write(DATA, byte);
        }
    }

    fn receive(&mut self, text: &[u8]) {
        for &byte in text {
            self.uart.uart.receive(&mut self.cx(), byte);
        }
    }

    fn receive_with(&mut self, byte: u8, condition: Condition) {
        let received = Received { byte, condition };
        self.uart.uart.receive_with(&mut self.cx(), received);
    }

    fn input(&mut self, line: u16, level: bool) {
        self.uart.input(&mut self.cx(), Line(line), level);
    }

    fn advance(&mut self, now: u64) {
        self.now = now;
        self.uart.advance(&mut self.cx());
    }

    fn sent(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.uart.uart.transmitted()).collect()
    }

    fn line(&self, n: u16) -> bool {
        self.uart.lines().is_high(n)
    }

    fn deadline(&self) -> Option<u64> {
        self.uart.deadline().map(|at| at.0)
    }
}

fn config() -> Config {
    Config::new(Chip::Ns16550a)
}

/// PC16550D, table 1. QEMU 7.2's model starts with OUT2 set and CTS, DSR and DCD asserted, and
/// tells no changes in loopback; the data sheet wins.
#[test]
fn registers_have_the_data_sheets_reset_values() {
    for chip in [Chip::Ns8250, Chip::Ns16450, Chip::Ns16550a] {
        let mut bench = Bench::new(Config::new(chip));
        for (offset, value) in [
            (IER, 0),
            (IIR, 0x01),
            (LCR, 0),
            (MCR, 0),
            (LSR, 0x60),
            (MSR, 0),
            (SCR, 0),
            (DATA, 0),
        ] {
            assert_eq!(bench.read(offset), value, "{chip:?} {offset}");
        }
        assert_eq!(bench.uart.lines(), Lines(1 << 6), "TXRDY");
        assert_eq!(bench.deadline(), None);
    }
}

#[test]
fn registers_keep_their_defined_bits_only() {
    for (chip, scratch, iir) in [
        (Chip::Ns8250, 0, 0x01),
        (Chip::Ns16450, 0xff, 0x01),
        (Chip::Ns16550a, 0xff, 0xc1),
    ] {
        let mut bench = Bench::new(Config::new(chip));
        bench.write(SCR, 0xff);
        assert_eq!(bench.read(SCR), scratch, "{chip:?}");
        bench.write(FCR, 0xff);
        assert_eq!(bench.read(IIR), iir, "{chip:?}");
        bench.write(IER, 0xf0);
        assert_eq!(bench.read(IER), 0);
        bench.write(IER, 0x0f);
        assert_eq!(bench.read(IER), 0x0f);
        bench.write(MCR, 0xff);
        assert_eq!(bench.read(MCR), 0x1f);
        bench.write(LSR, 0xff);
        assert_eq!(bench.read(LSR), 0x60);
    }
}

/// 8.3.
#[test]
fn dlab_shows_the_divisor_latch() {
    let mut bench = Bench::new(config());
    bench.write(IER, 0x05);
    bench.write(LCR, 0x80);
    bench.write(DATA, 0x34);
    bench.write(IER, 0x12);
    assert_eq!((bench.read(DATA), bench.read(IER)), (0x34, 0x12));
    bench.write(LCR, 0x03);
    assert_eq!(bench.read(IER), 0x05);
    bench.write(LCR, 0x80);
    assert_eq!((bench.read(DATA), bench.read(IER)), (0x34, 0x12));
    bench.uart.reset(Reset::Warm);
    bench.write(LCR, 0x80);
    assert_eq!(bench.read(DATA), 0x34, "MR leaves it");
    assert_eq!(bench.sent(), b"");
}

#[test]
fn a_character_leaves_at_once_and_thre_interrupts_anew() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x02);
    assert!(bench.line(INTR), "THRE was set when it was enabled");
    assert_eq!(bench.read(IIR), 0xc2);
    assert_eq!(bench.read(IIR), 0xc1, "reading it ended it");
    assert!(!bench.line(INTR));
    bench.write_all(b"hello");
    assert_eq!(bench.read(LSR), 0x60);
    assert!(bench.line(INTR));
    assert_eq!(bench.sent(), b"hello");
}

/// Table 4.
#[test]
fn iir_shows_the_interrupt_of_the_highest_priority() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x0f);
    bench.input(0, true);
    bench.receive_with(b'x', Condition::Parity);
    assert_eq!(bench.read(IIR), 0xc6);
    assert_eq!(bench.read(LSR), 0xe5);
    assert_eq!(bench.read(IIR), 0xc4);
    assert_eq!(bench.read(DATA), b'x');
    assert_eq!(bench.read(IIR), 0xc2, "THRE was not shown before");
    assert_eq!(bench.read(IIR), 0xc0);
    assert!(bench.line(INTR));
    assert_eq!(bench.read(MSR), 0x11);
    assert_eq!(bench.read(IIR), 0xc1);
    assert!(!bench.line(INTR));
}

/// 8.9.
#[test]
fn msr_tells_inputs_and_their_changes() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x08);
    for (line, level, delta) in [(0, 0x10, 0x01), (1, 0x20, 0x02), (2, 0x80, 0x08)] {
        bench.input(line, true);
        assert!(bench.line(INTR));
        assert_eq!(bench.read(MSR), level | delta);
        assert_eq!(bench.read(MSR), level);
        assert!(!bench.line(INTR));
        bench.input(line, false);
        assert_eq!(bench.read(MSR), delta);
    }
    bench.input(3, true);
    assert!(!bench.line(INTR), "of RI, the trailing edge only");
    assert_eq!(bench.read(MSR), 0x40);
    bench.input(3, false);
    assert!(bench.line(INTR));
    assert_eq!(bench.read(MSR), 0x04);
}

/// 8.8.
#[test]
fn mcr_drives_the_modem_outputs() {
    let mut bench = Bench::new(config());
    for (bit, line) in [(0x02, 1), (0x01, 2), (0x04, 3), (0x08, 4)] {
        bench.write(MCR, bit);
        assert_eq!(bench.uart.lines(), Lines(1 << line | 1 << 6));
    }
}

#[test]
fn loopback_joins_what_goes_out_to_what_comes_in() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.input(1, true);
    bench.read(MSR);
    bench.write(MCR, 0x10);
    assert_eq!(bench.read(MSR), 0x02, "the pin is off");
    for (mcr, msr) in [(0x11, 0x22), (0x12, 0x13), (0x14, 0x40), (0x18, 0x8c)] {
        bench.write(MCR, mcr);
        let changed = bench.read(MSR);
        assert_eq!(changed & msr, msr, "{mcr:#x}: {changed:#x}");
        assert_eq!(bench.uart.lines().0 & 0x1e, 0, "the pins are inactive");
    }
    bench.write_all(b"self");
    assert_eq!(bench.sent(), b"");
    assert_eq!(bench.uart.uart.room(), 0);
    bench.receive(b"outside");
    assert_eq!([0; 4].map(|_| bench.read(DATA)), *b"self");
    assert_eq!(bench.read(LSR), 0x60);
    bench.write(LCR, 0x43);
    assert_eq!(bench.read(LSR), 0xf1, "its own break");
}

#[test]
fn registers_are_where_the_binding_says() {
    for (shift, io_width, offset, width, at) in [
        (0, 1, 0, Width::Byte, 7),
        (2, 1, 0, Width::Byte, 28),
        (2, 4, 0, Width::Word, 28),
        (2, 2, 0, Width::Half, 28),
        (0, 4, 0x100, Width::Byte, 0x107),
        (3, 4, 0x10, Width::Word, 0x48),
        (1, 2, 0, Width::Half, 14),
    ] {
        let mut uart = Ns16550::new(Config {
            shift,
            io_width,
            offset,
            ..config()
        });
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        let access = Access::word(at).sized(width);
        uart.write(&mut cx, access, 0x5a).unwrap();
        assert_eq!(uart.read(&mut cx, access), Ok(0x5a), "{shift} {io_width}");
        let behind = Access::word(offset + (8 << shift)).sized(width);
        uart.write(&mut cx, behind, 0xff).unwrap();
        assert_eq!(uart.read(&mut cx, behind), Ok(0));
    }
}

#[test]
fn an_access_that_leaves_its_register_is_refused() {
    let mut uart = Ns16550::new(config());
    let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
    for access in [Access::word(0), Access::word(2).sized(Width::Half)] {
        assert_eq!(uart.read(&mut cx, access), Err(Refusal::Width));
        assert_eq!(uart.write(&mut cx, access, 0), Err(Refusal::Width));
        assert_eq!(uart.peek(Instant::ZERO, access), None);
    }
    let mut uart = Ns16550::new(Config {
        shift: 2,
        ..config()
    });
    let second = Access::word(0x1d).sized(Width::Byte);
    uart.write(&mut cx, Access::word(0x1c), 0x5a).unwrap();
    assert_eq!(
        uart.read(&mut cx, second),
        Ok(0),
        "the lowest byte is the register"
    );
    assert_eq!(
        uart.read(&mut cx, Access::word(0x1e)),
        Err(Refusal::Width),
        "misaligned"
    );
}

#[test]
fn a_reset_forgets_all_but_the_pins() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(IER, 0x0f);
    bench.input(0, true);
    bench.receive(b"abc");
    bench.write_all(b"xyz");
    bench.uart.reset(Reset::Cold);
    assert_eq!((bench.read(MSR), bench.read(LSR)), (0x10, 0x60));
    assert_eq!((bench.read(IER), bench.read(IIR)), (0, 1));
    assert_eq!(bench.deadline(), None);
}

#[test]
fn saved_state_goes_on_where_it_was() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(IER, 0x0f);
    bench.input(2, true);
    bench.receive(b"in");
    bench.write_all(b"out");
    bench.advance(CHARACTER + 5);
    let mut out = Writer::default();
    bench.uart.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = Bench::new(bench.uart.config);
    other.now = bench.now;
    let mut from = Reader::new(&bytes);
    other.uart.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.uart.lines(), bench.uart.lines());
    assert_eq!(other.deadline(), bench.deadline());
    for bench in [&mut bench, &mut other] {
        bench.advance(10 * CHARACTER);
        assert_eq!(bench.sent(), b"out");
        assert_eq!(bench.read(DATA), b'i');
        assert_eq!(bench.read(MSR), 0x88);
    }
}

#[test]
fn damaged_state_is_refused_and_leaves_a_reset_device() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.receive(b"in");
    let mut out = Writer::default();
    bench.uart.save(&mut out);
    let bytes = out.into_bytes();
    for len in 0..bytes.len() {
        let cut = bench.uart.load(&mut Reader::new(&bytes[..len]));
        assert_eq!(cut, Err(Refusal::BadState));
        assert_eq!(bench.read(LCR), 0);
    }
    for (at, value) in [(0, 0x10), (1, 0x02), (3, 0x20), (5, 1), (7, 0x10)] {
        let mut damaged = bytes.clone();
        damaged[at] = value;
        let outcome = bench.uart.load(&mut Reader::new(&damaged));
        assert_eq!(outcome, Err(Refusal::BadState), "{at}");
    }
    bench.uart.load(&mut Reader::new(&bytes)).unwrap();
    assert_eq!(bench.read(DATA), b'i');
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets: Vec<u64> = (0..8).map(|n| n * 4).collect();
    for seed in 1..=8 {
        for chip in [Chip::Ns8250, Chip::Ns16450, Chip::Ns16550a] {
            for pacing in [Pacing::AtOnce, Pacing::Baud] {
                let config = Config {
                    pacing,
                    shift: 2,
                    io_width: 4,
                    ..Config::new(chip)
                };
                random_walk::walk(|| Ns16550::new(config), &offsets, seed, 2000);
            }
        }
    }
}
