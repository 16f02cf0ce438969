//! The test registers (DDI 0183G, chapter 4).

use super::*;

const TCR: u64 = 0x80;
const ITIP: u64 = 0x84;
const ITOP: u64 = 0x88;
const TDR: u64 = 0x8c;

#[test]
fn each_bit_of_uartitop_drives_its_output() {
    let lines = [
        (15, 10),
        (14, 11),
        (13, 12),
        (12, 13),
        (11, 1),
        (10, 2),
        (9, 3),
        (8, 4),
        (7, 5),
        (6, 0),
    ];
    let mut bench = Bench::new(at_once());
    bench.write(TCR, 1);
    // The pins are active low, and lines say what is asserted.
    let pins = 0xf << 6;
    assert_eq!(bench.uart.lines(), Lines(pins));
    for (bit, line) in lines {
        bench.write(ITOP, 1 << bit);
        assert_eq!(bench.uart.lines(), Lines(pins | 1 << line), "bit {bit}");
        assert_eq!(bench.read(ITOP), 1 << bit);
    }
    for (bit, line) in [(5, 9), (4, 8), (3, 6), (2, 7)] {
        bench.write(ITOP, 1 << bit);
        assert_eq!(bench.uart.lines(), Lines(pins & !(1 << line)), "bit {bit}");
    }
    bench.write(TCR, 0);
    assert_eq!(bench.uart.lines(), Lines(0));
}

#[test]
fn uartitop_shows_the_outputs_while_it_does_not_drive_them() {
    let mut bench = Bench::running(at_once());
    bench.write(IMSC, int::RX.into());
    bench.write(DMACR, 1);
    bench.write(ITOP, 0xffff);
    bench.receive(&[0; 8]);
    assert_eq!(
        bench.read(ITOP),
        1 << 13 | 1 << 12 | 1 << 10 | 1 << 6 | 0x3f
    );
}

#[test]
fn uartitip_shows_the_inputs_and_drives_the_dma_clears() {
    let mut bench = Bench::running(at_once());
    assert_eq!(
        bench.read(ITIP),
        0x3f,
        "nothing is asserted, both lines idle"
    );
    for (line, bit) in [(0, 3), (1, 2), (2, 4), (3, 5)] {
        bench.input(line, true);
        assert_eq!(bench.read(ITIP), 0x3f & !(1 << bit));
        bench.input(line, false);
    }
    for (line, bit) in [(4, 7), (5, 6)] {
        bench.input(line, true);
        assert_eq!(bench.read(ITIP), 0x3f | 1 << bit);
        bench.input(line, false);
    }
    bench.write(TCR, 1);
    bench.write(ITIP, 0xff);
    assert_eq!(bench.read(ITIP), 0xff);
    bench.write(TCR, 0);
    assert_eq!(bench.read(ITIP), 0x3f);
}

#[test]
fn uarttdr_reaches_the_far_ends_of_the_fifos() {
    let mut bench = Bench::running(at_once());
    bench.write(CR, 0x300);
    bench.write_all(b"out");
    assert_eq!(bench.read(TDR), 0, "not unless UARTTCR says so");
    bench.write(TDR, 1);
    bench.write(TCR, 2);
    assert_eq!(
        [0; 4].map(|_| bench.read(TDR)),
        [b'o', b'u', b't', 0].map(u16::from)
    );
    bench.write(TDR, 0x241);
    assert_eq!(bench.read(RIS) & int::ERROR, int::PE);
    assert_eq!(bench.read(DR), 0x241);
    assert_eq!(bench.read(FR) & fr::RXFE, fr::RXFE);
}
