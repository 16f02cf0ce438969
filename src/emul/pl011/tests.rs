use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use registers::dr;
use std::vec::Vec;

mod baud;
mod dma;
mod integration;
mod receive;

const DR: u64 = 0x00;
const RSR: u64 = 0x04;
const FR: u64 = 0x18;
const ILPR: u64 = 0x20;
const IBRD: u64 = 0x24;
const FBRD: u64 = 0x28;
const LCR_H: u64 = 0x2c;
const CR: u64 = 0x30;
const IFLS: u64 = 0x34;
const IMSC: u64 = 0x38;
const RIS: u64 = 0x3c;
const MIS: u64 = 0x40;
const ICR: u64 = 0x44;
const DMACR: u64 = 0x48;

/// A UART and the time on its board.
struct Bench {
    uart: Pl011,
    now: u64,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            uart: Pl011::new(config),
            now: 0,
        }
    }

    /// 24 MHz, 115,200 baud, 8N1, FIFOs on, both directions enabled: 8.68 us a bit.
    fn running(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.write(IBRD, 13);
        bench.write(FBRD, 1);
        bench.write(LCR_H, 0x70);
        bench.write(CR, 0x301);
        bench
    }

    fn cx(&self) -> Cx<'static> {
        Cx::new(Instant(self.now), &NoMemory, None)
    }

    fn read(&mut self, offset: u64) -> u16 {
        self.uart
            .read(&mut self.cx(), Access::word(offset))
            .unwrap() as u16
    }

    fn write(&mut self, offset: u64, value: u64) {
        self.uart
            .write(&mut self.cx(), Access::word(offset), value)
            .unwrap();
    }

    fn write_all(&mut self, text: &[u8]) {
        for &byte in text {
            self.write(DR, byte.into());
        }
    }

    fn receive(&mut self, text: &[u8]) {
        for &byte in text {
            self.uart.receive(&mut self.cx(), byte);
        }
    }

    fn input(&mut self, line: u16, level: bool) {
        self.uart.input(&mut self.cx(), Line(line), level);
    }

    fn advance(&mut self, now: u64) {
        self.now = now;
        self.uart.advance(&mut self.cx());
    }

    fn sent(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.uart.transmitted()).collect()
    }

    fn line(&self, n: u16) -> bool {
        self.uart.lines().is_high(n)
    }

    fn deadline(&self) -> Option<u64> {
        self.uart.deadline().map(|at| at.0)
    }
}

fn at_once() -> Config {
    Config::new(24_000_000)
}

#[test]
fn registers_have_the_manuals_reset_values() {
    let mut bench = Bench::new(at_once());
    for (offset, value) in [
        (DR, 0),
        (RSR, 0),
        (FR, 0x90),
        (ILPR, 0),
        (IBRD, 0),
        (FBRD, 0),
        (LCR_H, 0),
        (CR, 0x300),
        (IFLS, 0x12),
        (IMSC, 0),
        (RIS, 0),
        (MIS, 0),
        (ICR, 0),
        (DMACR, 0),
        (0x08, 0),
        (0x4c, 0),
        (0x80, 0),
        (0x84, 0x3f),
        (0x88, 0),
        (0x8c, 0),
        (0x90, 0),
        (0xfdc, 0),
    ] {
        assert_eq!(bench.read(offset), value, "{offset:#x}");
    }
    let identity: Vec<u16> = (0xfe0..0x1000).step_by(4).map(|n| bench.read(n)).collect();
    assert_eq!(identity, [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(bench.uart.lines(), Lines(0));
    assert_eq!(bench.deadline(), None);
}

/// QEMU 7.2's model keeps the reserved bits too; the manual wins.
#[test]
fn registers_keep_their_defined_bits_only() {
    let mut bench = Bench::new(at_once());
    for (offset, bits) in [
        (ILPR, 0xff),
        (IBRD, 0xffff),
        (FBRD, 0x3f),
        (LCR_H, 0xff),
        (CR, 0xff87),
        (IFLS, 0x3f),
        (IMSC, 0x7ff),
        (DMACR, 7),
        (0x80, 7),
        (MIS, 0),
        (0xfe0, 0x11),
    ] {
        bench.write(offset, 0xffff_ffff);
        assert_eq!(bench.read(offset), bits, "{offset:#x}");
        bench.write(offset, 0);
    }
}

#[test]
fn each_revision_has_its_number_and_its_fifos() {
    for (revision, id, depth) in [
        (Revision::R1p0, 0x04, 16),
        (Revision::R1p1, 0x14, 16),
        (Revision::R1p4, 0x24, 16),
        (Revision::R1p5, 0x34, 32),
    ] {
        let mut bench = Bench::running(Config {
            revision,
            ..at_once()
        });
        assert_eq!(bench.read(0xfe8), id);
        assert_eq!(bench.uart.room(), depth);
        bench.receive(&[0; 15]);
        assert_eq!(bench.read(FR) & fr::RXFF, 0);
        bench.receive(&[0; 17]);
        assert_eq!(bench.read(FR) & fr::RXFF, fr::RXFF);
        assert_eq!(bench.read(RIS) & int::OE != 0, depth == 16);
    }
}

#[test]
fn a_character_leaves_at_once() {
    let mut bench = Bench::running(at_once());
    bench.write_all(b"hello");
    assert_eq!(bench.read(FR), 0x90, "not busy, both FIFOs empty");
    assert_eq!(bench.sent(), b"hello");
}

#[test]
fn a_character_written_while_the_transmitter_is_off_waits_in_the_fifo() {
    let mut bench = Bench::running(at_once());
    bench.write(CR, 0x300);
    bench.write_all(b"wait");
    assert_eq!(bench.read(FR), fr::BUSY | fr::RXFE);
    assert_eq!(bench.sent(), b"");
    bench.write(CR, 0x201);
    assert_eq!(bench.sent(), b"", "UARTEN without TXE");
    bench.write(CR, 0x101);
    assert_eq!(bench.read(FR), 0x90);
    assert_eq!(bench.sent(), b"wait");
}

#[test]
fn a_uart_left_running_sends_before_it_is_set_up() {
    let mut bench = Bench::new(Config {
        left_running: true,
        ..at_once()
    });
    assert_eq!(bench.read(CR), 0x301);
    assert_eq!(bench.read(LCR_H), 0x70);
    assert_eq!((bench.read(IBRD), bench.read(FBRD)), (13, 1));
    bench.write_all(b"early");
    assert_eq!(bench.sent(), b"early");
    bench.uart.reset(Reset::Warm);
    assert_eq!(bench.read(CR), 0x301);
}

#[test]
fn a_wire_that_nobody_drains_fills_the_fifo_and_loses_nothing() {
    let mut bench = Bench::running(at_once());
    bench.write(IMSC, int::TX.into());
    let mut written = Vec::new();
    while bench.read(FR) & fr::TXFF == 0 {
        let byte = written.len() as u8;
        bench.write(DR, byte.into());
        written.push(byte);
    }
    assert_eq!(written.len(), 256 + 16);
    assert_eq!(bench.read(FR), fr::BUSY | fr::TXFF | fr::RXFE);
    assert!(!bench.line(3), "a full FIFO does not ask for more");
    for byte in &written[..7] {
        assert_eq!(bench.uart.transmitted(), Some(*byte));
    }
    assert_eq!(bench.read(FR), fr::BUSY | fr::RXFE);
    assert!(!bench.line(3), "nine left: not yet down to eight");
    assert_eq!(bench.uart.transmitted(), Some(written[7]));
    assert!(bench.line(3));
    assert_eq!(bench.sent(), written[8..]);
    assert_eq!(bench.read(FR), 0x90);
}

#[test]
fn a_character_beyond_a_full_fifo_is_lost_and_the_others_stay() {
    let mut bench = Bench::running(at_once());
    bench.write(CR, 0x300);
    bench.write_all(b"0123456789abcdefLOST");
    bench.write(CR, 0x301);
    assert_eq!(bench.sent(), b"0123456789abcdef");
}

#[test]
fn the_transmit_interrupt_comes_by_a_transition_and_goes_by_a_clear() {
    let mut bench = Bench::running(at_once());
    bench.write(IMSC, int::TX.into());
    assert!(!bench.line(3), "an empty FIFO raises nothing by itself");
    bench.write(DR, 1);
    assert_eq!([0, 3].map(|n| bench.line(n)), [true; 2]);
    assert_eq!((bench.read(RIS), bench.read(MIS)), (int::TX, int::TX));
    bench.write(ICR, int::TX.into());
    assert_eq!([0, 3].map(|n| bench.line(n)), [false; 2]);
    assert_eq!(bench.read(RIS), 0);
}

#[test]
fn a_write_above_the_trigger_level_clears_the_transmit_interrupt() {
    let mut bench = Bench::running(at_once());
    bench.write(DR, 1);
    bench.write(CR, 0x300);
    bench.write_all(&[0; 8]);
    assert_eq!(bench.read(RIS), int::TX);
    bench.write(DR, 0);
    assert_eq!(bench.read(RIS), 0);
    bench.write(CR, 0x301);
    assert_eq!(bench.read(RIS), int::TX);
}

#[test]
fn the_transmit_trigger_level_is_what_uartifls_says() {
    for (select, level) in [(0, 2), (1, 4), (2, 8), (3, 12), (4, 14), (7, 14)] {
        let mut bench = Bench::running(at_once());
        bench.write(IFLS, select);
        bench.write(DR, 1);
        bench.write(CR, 0x300);
        bench.write_all(&[0; 16][..level]);
        assert_eq!(bench.read(RIS), int::TX, "{level}");
        bench.write(DR, 0);
        assert_eq!(bench.read(RIS), 0, "{level}");
    }
}

#[test]
fn without_fifos_one_character_fills_the_transmitter() {
    let mut bench = Bench::running(at_once());
    bench.write(LCR_H, 0x60);
    bench.write(CR, 0x300);
    bench.write(DR, b'x'.into());
    assert_eq!(bench.read(FR), fr::TXFF | fr::BUSY | fr::RXFE);
    bench.write(DR, b'y'.into());
    bench.write(CR, 0x301);
    assert_eq!(bench.sent(), b"x");
    assert_eq!(bench.read(RIS), int::TX);
}

#[test]
fn disabling_the_fifos_flushes_them() {
    let mut bench = Bench::running(at_once());
    bench.receive(b"in");
    bench.write(CR, 0x300);
    bench.write_all(b"out");
    bench.write(LCR_H, 0x60);
    assert_eq!(bench.read(FR), 0x90);
    bench.write(CR, 0x301);
    assert_eq!(bench.sent(), b"");
}

#[test]
fn a_character_has_the_bits_of_its_word_length() {
    for (wlen, sent) in [(0, 0x1f), (1, 0x3f), (2, 0x7f), (3, 0xff)] {
        let mut bench = Bench::running(at_once());
        bench.write(LCR_H, 0x10 | wlen << 5);
        bench.write(DR, 0xff);
        assert_eq!(bench.sent(), [sent]);
        bench.receive(&[0xff]);
        assert_eq!(bench.read(DR), sent.into());
    }
}

#[test]
fn modem_inputs_show_in_uartfr_and_interrupt_by_change() {
    let mut bench = Bench::new(at_once());
    bench.write(IMSC, int::MODEM.into());
    for (line, flag, interrupt) in [
        (0, fr::CTS, int::CTS),
        (1, fr::DSR, int::DSR),
        (2, fr::DCD, int::DCD),
        (3, fr::RI, int::RI),
    ] {
        for level in [true, false] {
            bench.input(line, level);
            assert_eq!(bench.read(FR) & fr::MODEM, if level { flag } else { 0 });
            assert_eq!(bench.read(RIS), interrupt);
            assert_eq!([0, 1].map(|n| bench.line(n)), [true; 2]);
            bench.write(ICR, interrupt.into());
            assert_eq!([0, 1].map(|n| bench.line(n)), [false; 2]);
        }
        bench.input(line, false);
        assert_eq!(bench.read(RIS), 0, "no change, no interrupt");
    }
}

#[test]
fn modem_outputs_follow_uartcr() {
    let mut bench = Bench::new(at_once());
    for (bit, line) in [(cr::RTS, 6), (cr::DTR, 7), (cr::OUT1, 8), (cr::OUT2, 9)] {
        bench.write(CR, bit.into());
        assert_eq!(bench.uart.lines(), Lines(0).with(line, true));
    }
}

#[test]
fn hardware_flow_control_holds_the_transmitter_until_cts() {
    let mut bench = Bench::running(at_once());
    bench.write(CR, (0x301 | cr::CTSEN).into());
    bench.write_all(b"held");
    assert_eq!(bench.sent(), b"");
    bench.input(0, true);
    assert_eq!(bench.sent(), b"held");
}

#[test]
fn narrow_accesses_reach_their_registers() {
    let mut bench = Bench::running(at_once());
    let mut cx = bench.cx();
    let uart = &mut bench.uart;
    uart.write(&mut cx, Access::word(DR).sized(Width::Byte), b'b'.into())
        .unwrap();
    uart.write(&mut cx, Access::word(DR).sized(Width::Half), b'h'.into())
        .unwrap();
    assert_eq!(
        uart.read(&mut cx, Access::word(FR).sized(Width::Half)),
        Ok(0x90)
    );
    assert_eq!(
        uart.read(&mut cx, Access::word(FR).sized(Width::Byte)),
        Ok(0x90)
    );
    assert_eq!(
        uart.read(&mut cx, Access::word(CR + 1).sized(Width::Byte)),
        Ok(0x03)
    );
    assert_eq!(
        uart.read(&mut cx, Access::word(IBRD + 1)),
        Err(Refusal::Width)
    );
    assert_eq!(
        uart.read(&mut cx, Access::word(LCR_H - 4).sized(Width::Double)),
        Err(Refusal::Width),
        "the board makes two words of it"
    );
    assert_eq!(bench.sent(), b"bh");
}

#[test]
fn a_cold_reset_forgets_all_but_the_pins() {
    let mut bench = Bench::running(at_once());
    bench.write(IMSC, 0x7ff);
    bench.input(0, true);
    bench.receive(b"abc");
    bench.write_all(b"xyz");
    bench.uart.reset(Reset::Cold);
    assert_eq!(bench.read(FR), 0x91);
    assert_eq!(
        (bench.read(CR), bench.read(IMSC), bench.read(RIS)),
        (0x300, 0, 0)
    );
    assert_eq!(bench.deadline(), None);
    assert_eq!(bench.sent(), b"");
}

#[test]
fn saved_state_goes_on_where_it_was() {
    let mut bench = Bench::running(Config {
        pacing: Pacing::Baud,
        ..at_once()
    });
    bench.write(IMSC, 0x7ff);
    bench.input(2, true);
    bench.receive(b"in");
    bench.write_all(b"out");
    bench.advance(100_000);
    let mut out = Writer::default();
    bench.uart.save(&mut out);
    let bytes = out.into_bytes();

    let mut other = Bench::new(bench.uart.config);
    let mut from = Reader::new(&bytes);
    other.uart.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.uart.lines(), bench.uart.lines());
    assert_eq!(other.deadline(), bench.deadline());
    for bench in [&mut bench, &mut other] {
        bench.advance(1_000_000);
        assert_eq!(bench.sent(), b"out");
        assert_eq!(bench.read(DR), b'i'.into());
        assert_eq!(bench.read(RIS), bench.read(MIS));
    }
    let mut again = [Writer::default(), Writer::default()];
    bench.uart.save(&mut again[0]);
    other.uart.save(&mut again[1]);
    let [one, two] = again.map(Writer::into_bytes);
    assert_eq!(one, two);
}

#[test]
fn damaged_state_is_refused_and_leaves_a_reset_device() {
    let mut bench = Bench::running(at_once());
    bench.receive(b"in");
    let mut out = Writer::default();
    bench.uart.save(&mut out);
    let bytes = out.into_bytes();
    for len in 0..bytes.len() {
        assert_eq!(
            bench.uart.load(&mut Reader::new(&bytes[..len])),
            Err(Refusal::BadState)
        );
        assert_eq!(bench.read(CR), 0x300);
    }
    // More in the transmit FIFO than any holds.
    let fifo = bytes.len() - bytes_after_registers(&bench);
    let mut damaged = bytes.clone();
    damaged[fifo] = 33;
    assert_eq!(
        bench.uart.load(&mut Reader::new(&damaged)),
        Err(Refusal::BadState)
    );
    bench.uart.load(&mut Reader::new(&bytes)).unwrap();
    assert_eq!(bench.read(DR), b'i'.into());
}

/// What transmitter and receiver save, with two characters received.
fn bytes_after_registers(_: &Bench) -> usize {
    let mut bench = Bench::running(at_once());
    bench.receive(b"in");
    let mut out = Writer::default();
    bench.uart.transmitter.save(&mut out);
    out.bool(true);
    bench.uart.receiver.save(&mut out);
    bench.uart.arriving.save(&mut out);
    out.into_bytes().len()
}

#[test]
fn lines_change_at_the_deadline_and_not_before() {
    let offsets: Vec<u64> = (0..0x4c).chain(0x80..0x90).step_by(4).collect();
    for seed in 1..=20 {
        for pacing in [Pacing::AtOnce, Pacing::Baud] {
            let config = Config {
                pacing,
                left_running: seed % 2 == 0,
                ..at_once()
            };
            random_walk::walk(|| Pl011::new(config), &offsets, seed, 2000);
        }
    }
}
