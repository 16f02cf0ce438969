//! The transmit side and the line's pace (PC16550D, 8.1, 8.3).

use super::*;

#[test]
fn a_character_takes_its_bits() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(DATA, b'a');
    assert_eq!(
        bench.read(LSR),
        0x20,
        "THR is empty, the shift register not"
    );
    assert_eq!(bench.deadline(), Some(CHARACTER));
    bench.advance(CHARACTER - 1);
    assert_eq!(bench.sent(), b"");
    bench.advance(CHARACTER);
    assert_eq!(bench.read(LSR), 0x60);
    assert_eq!(bench.sent(), b"a");
}

#[test]
fn the_format_makes_the_time() {
    for (lcr, half_bits) in [
        (0x00, 14),
        (0x04, 15), // five bits: one and a half stop bits
        (0x03, 20),
        (0x07, 22),
        (0x0b, 22),
        (0x0f, 24),
    ] {
        let mut bench = Bench::running(Pacing::Baud);
        bench.write(LCR, lcr);
        bench.write(DATA, 0);
        let ns = (half_bits * 16 * 1_000_000_000_u64).div_ceil(2 * 1_843_200);
        assert_eq!(bench.deadline(), Some(ns), "{lcr:#x}");
    }
}

#[test]
fn a_character_has_the_bits_of_its_word_length() {
    for (wls, sent) in [(0, 0x1f), (1, 0x3f), (2, 0x7f), (3, 0xff)] {
        let mut bench = Bench::running(Pacing::AtOnce);
        bench.write(LCR, wls);
        bench.write(DATA, 0xff);
        assert_eq!(bench.sent(), [sent]);
        bench.receive(&[0xff]);
        assert_eq!(bench.read(DATA), sent);
    }
}

#[test]
fn thre_interrupts_when_the_fifo_is_empty() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(IER, 0x02);
    bench.read(IIR);
    bench.write_all(b"abc");
    assert!(!bench.line(INTR));
    assert_eq!(bench.read(LSR), 0x00);
    bench.advance(2 * CHARACTER - 1);
    assert!(!bench.line(INTR));
    bench.advance(2 * CHARACTER);
    assert!(bench.line(INTR), "the last is in the shift register");
    assert_eq!(bench.read(LSR), 0x20);
    bench.write(DATA, b'd');
    assert!(!bench.line(INTR), "a write ends it");
}

#[test]
fn a_character_beyond_a_full_fifo_is_lost_and_without_fifos_it_replaces() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write_all(b"_0123456789abcdefLOST");
    bench.advance(30 * CHARACTER);
    assert_eq!(bench.sent(), b"_0123456789abcdef");
    bench.write(FCR, 0);
    bench.write_all(b"abc");
    bench.advance(60 * CHARACTER);
    assert_eq!(bench.sent(), b"ac");
}

#[test]
fn a_received_character_takes_its_bits() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(IER, 0x01);
    bench.receive(b"ab");
    assert_eq!(bench.uart.uart.room(), 14);
    bench.advance(CHARACTER - 1);
    assert!(!bench.line(INTR));
    bench.advance(CHARACTER);
    assert!(bench.line(INTR));
    assert_eq!(bench.read(DATA), b'a');
    bench.advance(2 * CHARACTER);
    assert_eq!(bench.read(DATA), b'b');
}

#[test]
fn without_a_divisor_nothing_moves() {
    let mut bench = Bench::new(Config {
        pacing: Pacing::Baud,
        ..config()
    });
    bench.write(LCR, 0x03);
    bench.write(DATA, 0);
    bench.receive(b"x");
    bench.advance(1 << 40);
    assert_eq!(bench.sent(), b"");
    assert_eq!(bench.read(LSR), 0x00);
}

#[test]
fn a_wire_that_nobody_drains_fills_the_fifo_and_loses_nothing() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x02);
    let mut written = 0_usize;
    while bench.read(LSR) & 0x20 != 0 {
        bench.write(DATA, written as u8);
        written += 1;
    }
    assert_eq!(written, 257);
    assert!(!bench.line(INTR));
    bench.write_all(&[7; 15]);
    assert_eq!(bench.sent().len(), 256 + 16);
    assert!(bench.line(INTR));
    assert_eq!(bench.read(LSR), 0x60);
}

#[test]
fn txrdy_follows_the_dma_mode() {
    let mut bench = Bench::running(Pacing::Baud);
    assert!(bench.line(6));
    bench.write_all(b"ab");
    assert!(!bench.line(6), "mode 0: something waits");
    bench.write(FCR, 0x09);
    bench.write(FCR, 0x0d);
    assert!(bench.line(6));
    bench.write_all(&[0; 15]);
    assert!(bench.line(6), "mode 1: until it is full");
    bench.write(DATA, 0);
    assert!(!bench.line(6));
    bench.advance(3 * CHARACTER);
    assert!(!bench.line(6), "until it is empty");
    bench.advance(40 * CHARACTER);
    assert!(bench.line(6));
}

#[test]
fn a_break_goes_behind_the_character_that_is_being_sent() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.write(DATA, b'a');
    bench.write(LCR, 0x43);
    assert!(!bench.uart.uart.transmitted_break());
    bench.advance(CHARACTER);
    assert!(bench.uart.uart.transmitted_break());
    bench.write(DATA, b'b');
    bench.advance(2 * CHARACTER);
    assert_eq!(bench.sent(), b"", "the line is low");
    bench.write(LCR, 0x03);
    bench.write(DATA, b'c');
    bench.advance(3 * CHARACTER);
    assert_eq!(bench.sent(), b"c");
}
