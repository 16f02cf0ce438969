//! Transmission paced by the baud rate: 10 bits of 16 * (13 + 1/64) / 24 MHz.

use super::*;

/// A character of 8N1, rounded up to a nanosecond.
const CHARACTER: u64 = 86_771;

fn baud() -> Config {
    Config {
        pacing: Pacing::Baud,
        ..Config::new(24_000_000)
    }
}

#[test]
fn a_character_takes_its_bits() {
    let mut bench = Bench::running(baud());
    bench.write(DR, b'a'.into());
    assert_eq!(
        bench.read(FR),
        fr::BUSY | fr::TXFE | fr::RXFE,
        "it is in the shift register"
    );
    assert_eq!(bench.deadline(), Some(CHARACTER));
    bench.advance(CHARACTER - 1);
    assert_eq!(bench.sent(), b"");
    bench.advance(CHARACTER);
    assert_eq!(bench.sent(), b"a");
    assert_eq!(bench.read(FR), 0x90);
    assert_eq!(bench.deadline(), None);
}

#[test]
fn parity_and_a_second_stop_bit_take_their_time() {
    for (lcr_h, bits) in [
        (0x10, 7),
        (0x30, 8),
        (0x70, 10),
        (0x72, 11),
        (0x78, 11),
        (0x7a, 12),
    ] {
        let mut bench = Bench::running(baud());
        bench.write(LCR_H, lcr_h);
        bench.write(DR, 0);
        let ns = (bits * (13 * 64 + 1) * 1_000_000_000_u64).div_ceil(4 * 24_000_000);
        assert_eq!(bench.deadline(), Some(ns), "{lcr_h:#x}");
    }
}

#[test]
fn characters_follow_each_other_without_a_gap() {
    let mut bench = Bench::running(baud());
    bench.write_all(b"abcd");
    bench.advance(3 * CHARACTER + 5);
    assert_eq!(bench.sent(), b"abc");
    assert_eq!(bench.deadline(), Some(4 * CHARACTER));
}

#[test]
fn a_full_fifo_says_so_until_a_character_time_has_passed() {
    let mut bench = Bench::running(baud());
    bench.write_all(&[0; 16]);
    assert_eq!(bench.read(FR) & fr::TXFF, 0, "one is in the shift register");
    bench.write(DR, 0);
    assert_eq!(bench.read(FR) & fr::TXFF, fr::TXFF);
    bench.advance(CHARACTER);
    assert_eq!(bench.read(FR) & fr::TXFF, 0);
}

#[test]
fn the_transmit_interrupt_comes_when_the_fifo_drains_through_its_level() {
    let mut bench = Bench::running(baud());
    bench.write(IMSC, int::TX.into());
    bench.write_all(&[0; 3]);
    bench.advance(4 * CHARACTER);
    assert_eq!(bench.read(RIS), 0, "it was never above the level");
    let start = bench.now;
    bench.write_all(&[0; 10]);
    bench.advance(start + CHARACTER - 1);
    assert!(!bench.line(3));
    bench.advance(start + CHARACTER);
    assert!(bench.line(3), "nine were in the FIFO, eight are left");
}

#[test]
fn without_fifos_the_transmit_interrupt_comes_when_the_character_is_shifted() {
    let mut bench = Bench::running(baud());
    bench.write(LCR_H, 0x60);
    bench.write(DR, b'a'.into());
    assert_eq!(
        bench.read(RIS),
        int::TX,
        "the holding register is empty again"
    );
    bench.write(DR, b'b'.into());
    assert_eq!(bench.read(RIS), 0);
    assert_eq!(bench.read(FR) & fr::TXFF, fr::TXFF);
    bench.advance(CHARACTER);
    assert_eq!(bench.read(RIS), int::TX);
}

#[test]
fn a_divisor_counts_from_the_write_to_uartlcr_h_on() {
    let mut bench = Bench::running(baud());
    bench.write(IBRD, 1);
    bench.write(FBRD, 0);
    assert_eq!((bench.read(IBRD), bench.read(FBRD)), (1, 0));
    bench.write(DR, 0);
    assert_eq!(bench.deadline(), Some(CHARACTER));
    bench.advance(CHARACTER);
    bench.write(LCR_H, 0x70);
    bench.write(DR, 0);
    assert_eq!(bench.deadline(), Some(CHARACTER + 6_667));
}

#[test]
fn without_a_divisor_nothing_leaves() {
    let mut bench = Bench::new(baud());
    bench.write(LCR_H, 0x70);
    bench.write(CR, 0x301);
    bench.write(DR, 0);
    bench.receive(b"x");
    assert_eq!(bench.deadline(), None);
    bench.advance(u64::MAX);
    assert_eq!(bench.sent(), b"");
    assert_eq!(bench.read(FR), fr::BUSY | fr::RXFE, "and nothing is heard");
}

#[test]
fn a_transmitter_switched_off_ends_its_character_and_keeps_the_rest() {
    let mut bench = Bench::running(baud());
    bench.write_all(b"ab");
    bench.write(CR, 0x300);
    bench.advance(10 * CHARACTER);
    assert_eq!(bench.sent(), b"a");
    assert_eq!(bench.read(FR), fr::BUSY | fr::RXFE);
    bench.write(CR, 0x301);
    bench.advance(20 * CHARACTER);
    assert_eq!(bench.sent(), b"b");
}

#[test]
fn a_full_wire_holds_the_transmitter_up_and_loses_nothing() {
    let mut bench = Bench::running(baud());
    let mut written = 0_u64;
    for n in 0..300 {
        bench.advance(n * CHARACTER);
        if bench.read(FR) & fr::TXFF == 0 {
            bench.write(DR, written & 0xff);
            written += 1;
        }
    }
    assert_eq!(written, 256 + 1 + 16);
    assert_eq!(
        bench.deadline(),
        None,
        "nothing will happen until somebody drains"
    );
    assert_eq!(bench.uart.transmitted(), Some(0));
    assert!(
        bench.deadline().is_some_and(|at| at <= bench.now),
        "overdue"
    );
    let now = 1000 * CHARACTER;
    bench.advance(now);
    assert_eq!(bench.deadline(), None, "full again");
    let mut sent = bench.sent();
    bench.advance(now + 1);
    bench.advance(now + 20 * CHARACTER);
    sent.extend(bench.sent());
    assert_eq!(sent.len(), written as usize - 1);
    assert!(
        sent.iter()
            .zip(1_u64..)
            .all(|(byte, n)| *byte == (n & 0xff) as u8)
    );
}

#[test]
fn loopback_at_baud_hears_a_character_when_it_has_left() {
    let mut bench = Bench::running(baud());
    bench.write(CR, (0x301 | cr::LBE).into());
    bench.write(DR, b'a'.into());
    bench.advance(CHARACTER - 1);
    assert_eq!(bench.read(FR) & fr::RXFE, fr::RXFE);
    bench.advance(CHARACTER);
    assert_eq!(bench.read(DR), b'a'.into());
}

#[test]
fn a_received_character_takes_its_bits() {
    let mut bench = Bench::running(baud());
    bench.write(IMSC, int::RT.into());
    bench.receive(b"ab");
    assert_eq!(bench.uart.room(), 14, "those on the line have their places");
    assert_eq!(bench.deadline(), Some(CHARACTER));
    bench.advance(CHARACTER - 1);
    assert_eq!(bench.read(FR), fr::TXFE | fr::RXFE);
    bench.advance(CHARACTER);
    assert_eq!(bench.read(DR), b'a'.into());
    assert_eq!(bench.read(FR), fr::TXFE | fr::RXFE);
    assert_eq!(bench.deadline(), Some(2 * CHARACTER), "without a gap");
    bench.advance(2 * CHARACTER);
    assert_eq!(bench.deadline(), Some(2 * CHARACTER + 277_667));
}

#[test]
fn the_receive_trigger_level_is_reached_at_the_lines_pace() {
    let mut bench = Bench::running(baud());
    bench.write(IMSC, int::RX.into());
    bench.receive(&[0; 16]);
    bench.advance(8 * CHARACTER - 1);
    assert!(!bench.line(2));
    bench.advance(8 * CHARACTER);
    assert!(bench.line(2));
}

#[test]
fn a_paced_line_that_nobody_reads_overruns() {
    let mut bench = Bench::running(baud());
    bench.receive(&[0; 17]);
    bench.advance(16 * CHARACTER);
    assert_eq!(bench.read(RIS) & int::OE, 0);
    bench.advance(17 * CHARACTER);
    assert_eq!(bench.read(RIS) & int::OE, int::OE);
}

#[test]
fn a_late_advance_hears_every_character_at_its_time() {
    let mut bench = Bench::running(baud());
    bench.write(IMSC, int::RT.into());
    bench.receive(b"abc");
    bench.advance(3 * CHARACTER + 277_666);
    assert_eq!(bench.read(RIS), 0);
    assert_eq!(bench.deadline(), Some(3 * CHARACTER + 277_667));
}

#[test]
fn a_break_goes_behind_the_character_that_is_being_sent() {
    let mut bench = Bench::running(baud());
    bench.write_all(b"ab");
    bench.write(LCR_H, 0x71);
    assert!(!bench.uart.transmitted_break());
    bench.advance(CHARACTER);
    assert_eq!(bench.uart.transmitted(), Some(b'a'));
    assert!(bench.uart.transmitted_break());
    bench.advance(5 * CHARACTER);
    assert_eq!(bench.sent(), b"", "the line is low");
    bench.write(LCR_H, 0x70);
    bench.advance(6 * CHARACTER);
    assert_eq!(bench.sent(), b"b");
}
