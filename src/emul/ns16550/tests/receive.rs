//! The receive side (PC16550D, 8.4, 8.5, "FIFO interrupt mode operation").

use super::*;

/// Four characters' time.
const TIMEOUT: u64 = 347_223;

#[test]
fn received_characters_are_read_in_order() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.receive(b"abc");
    assert_eq!(bench.read(LSR), 0x61);
    assert_eq!([0; 3].map(|_| bench.read(DATA)), *b"abc");
    assert_eq!(bench.read(LSR), 0x60);
    assert_eq!(bench.read(DATA), 0, "nothing there");
}

#[test]
fn received_data_are_available_at_the_trigger_level() {
    for (fcr, level) in [(0x01, 1), (0x41, 4), (0x81, 8), (0xc1, 14)] {
        let mut bench = Bench::running(Pacing::AtOnce);
        bench.write(FCR, fcr);
        bench.write(IER, 0x01);
        bench.receive(&[0; 16][..level - 1]);
        assert!(!bench.line(INTR), "{level}");
        bench.receive(&[0]);
        assert!(bench.line(INTR), "{level}");
        assert_eq!(bench.read(IIR), 0xc4);
        bench.read(DATA);
        assert!(!bench.line(INTR), "{level}");
    }
}

#[test]
fn a_character_that_waits_for_four_characters_time_interrupts() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(FCR, 0x81);
    bench.write(IER, 0x01);
    bench.receive(b"ab");
    assert_eq!(bench.deadline(), Some(TIMEOUT));
    bench.advance(TIMEOUT - 1);
    assert!(!bench.line(INTR));
    bench.advance(TIMEOUT);
    assert_eq!(bench.read(IIR), 0xcc);
    bench.read(DATA);
    assert!(!bench.line(INTR), "reading one ends it");
    assert_eq!(bench.deadline(), Some(2 * TIMEOUT), "and starts anew");
    bench.now += 1000;
    bench.receive(b"c");
    assert_eq!(bench.deadline(), Some(2 * TIMEOUT + 1000));
    bench.advance(3 * TIMEOUT);
    bench.receive(b"d");
    assert_eq!(bench.read(IIR), 0xcc, "another one does not end it");
}

#[test]
fn without_fifos_there_is_no_timeout_and_an_overrun_replaces() {
    let mut bench = Bench::new(Config::new(Chip::Ns16450));
    bench.write(LCR, 0x03);
    bench.write(IER, 0x05);
    bench.receive(b"a");
    assert_eq!(bench.deadline(), None);
    assert_eq!((bench.read(IIR), bench.read(LSR)), (0x04, 0x61));
    bench.receive(b"b");
    assert_eq!(bench.read(IIR), 0x06);
    assert_eq!(bench.read(LSR), 0x63);
    assert_eq!(bench.read(LSR), 0x61);
    assert_eq!(bench.read(DATA), b'b', "the first is destroyed");
}

#[test]
fn an_overrun_keeps_the_fifo() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.receive(b"0123456789abcdefLOST");
    assert_eq!(bench.uart.uart.room(), 0);
    assert_eq!(bench.read(LSR), 0x63);
    let read: Vec<u8> = (0..16).map(|_| bench.read(DATA)).collect();
    assert_eq!(read, b"0123456789abcdef");
    assert_eq!(bench.read(LSR), 0x60);
}

#[test]
fn errors_show_when_their_character_is_next() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(IER, 0x04);
    bench.receive(b"a");
    for (byte, condition) in [
        (b'p', Condition::Parity),
        (b'f', Condition::Framing),
        (0, Condition::Break),
    ] {
        bench.receive_with(byte, condition);
    }
    assert!(!bench.line(INTR));
    assert_eq!(bench.read(LSR), 0xe1, "somewhere in the FIFO");
    assert_eq!(bench.read(DATA), b'a');
    assert!(bench.line(INTR));
    assert_eq!((bench.read(LSR), bench.read(LSR)), (0xe5, 0xe1));
    assert_eq!((bench.read(DATA), bench.read(LSR)), (b'p', 0xe9));
    assert_eq!((bench.read(DATA), bench.read(LSR)), (b'f', 0xf1));
    assert_eq!(bench.read(LSR), 0x61, "none is left in the FIFO");
    assert_eq!((bench.read(DATA), bench.read(LSR)), (0, 0x60));
}

#[test]
fn without_fifos_lsr_does_not_tell_of_errors_in_one() {
    let mut bench = Bench::new(Config::new(Chip::Ns16450));
    bench.receive_with(0, Condition::Framing);
    assert_eq!(bench.read(LSR), 0x69);
}

#[test]
fn fcr_empties_the_fifos() {
    let mut bench = Bench::running(Pacing::Baud);
    bench.uart.uart.store(Received::from(b'a'));
    bench.write_all(b"xyz");
    bench.write(FCR, 0x03);
    assert_eq!(bench.read(LSR), 0x00, "received are gone");
    bench.write(FCR, 0x05);
    assert_eq!(bench.read(LSR), 0x20, "one is in the shift register");
    bench.uart.uart.store(Received::from(b'a'));
    bench.write(FCR, 0x00);
    assert_eq!(bench.read(LSR), 0x20);
    assert_eq!(bench.read(IIR), 0x01);
    bench.write(FCR, 0xc8);
    bench.write(FCR, 0x01);
    bench.write(IER, 0x01);
    bench.uart.uart.store(Received::from(b'a'));
    assert!(
        bench.line(INTR),
        "without bit 0 the others are not programmed"
    );
}

#[test]
fn rxrdy_follows_the_dma_mode() {
    let mut bench = Bench::running(Pacing::AtOnce);
    bench.write(FCR, 0x41);
    bench.receive(b"a");
    assert!(bench.line(5), "mode 0");
    bench.write(FCR, 0x4b);
    bench.receive(b"abc");
    assert!(!bench.line(5));
    bench.receive(b"d");
    assert!(bench.line(5), "mode 1: the trigger level");
    for _ in 0..3 {
        bench.read(DATA);
    }
    assert!(bench.line(5), "until it is empty");
    bench.read(DATA);
    assert!(!bench.line(5));
    bench.receive(b"e");
    bench.advance(TIMEOUT);
    assert!(bench.line(5), "or the timeout");
}

#[test]
fn at_once_a_divisor_that_was_never_set_counts_as_115200() {
    let mut bench = Bench::new(config());
    bench.write(LCR, 0x03);
    bench.write(FCR, 0x41);
    bench.receive(b"a");
    assert_eq!(bench.deadline(), Some(TIMEOUT));
    bench.write_all(b"out");
    assert_eq!(bench.sent(), b"out");
}

#[test]
fn a_break_is_one_character() {
    let mut bench = Bench::running(Pacing::AtOnce);
    let mut cx = bench.cx();
    bench.uart.uart.receive_break(&mut cx);
    assert_eq!(bench.read(LSR), 0xf1);
    assert_eq!((bench.read(DATA), bench.read(LSR)), (0, 0x60));
}
