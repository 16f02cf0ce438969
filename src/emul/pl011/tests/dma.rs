//! The DMA requests (DDI 0183G, "UART DMA interface").

use super::*;

const TX_SINGLE: u16 = 10;
const TX_BURST: u16 = 11;
const RX_SINGLE: u16 = 12;
const RX_BURST: u16 = 13;
const TX_CLEAR: u16 = 4;
const RX_CLEAR: u16 = 5;

fn requests(bench: &Bench) -> Vec<u16> {
    (TX_SINGLE..=RX_BURST).filter(|n| bench.line(*n)).collect()
}

#[test]
fn a_transmit_fifo_with_room_asks_for_characters() {
    let mut bench = Bench::running(at_once());
    assert!(requests(&bench).is_empty());
    bench.write(DMACR, 2);
    assert_eq!(requests(&bench), [TX_SINGLE, TX_BURST]);
    bench.write(CR, 0x300);
    assert!(requests(&bench).is_empty(), "the UART is off");
    bench.write_all(&[0; 9]);
    bench.write(CR, 0x201);
    assert_eq!(requests(&bench), [TX_SINGLE], "more than the level wait");
    bench.write_all(&[0; 7]);
    bench.input(TX_CLEAR, true);
    bench.input(TX_CLEAR, false);
    assert!(requests(&bench).is_empty(), "full");
}

#[test]
fn a_receive_fifo_asks_to_be_emptied() {
    let mut bench = Bench::running(at_once());
    bench.write(DMACR, 1);
    bench.receive(b"1234567");
    assert_eq!(requests(&bench), [RX_SINGLE]);
    bench.receive(b"8");
    assert_eq!(requests(&bench), [RX_SINGLE, RX_BURST]);
}

#[test]
fn a_request_stays_until_its_clear_and_may_come_again_behind_it() {
    let mut bench = Bench::running(at_once());
    bench.write(DMACR, 1);
    bench.receive(b"12");
    bench.read(DR);
    bench.input(RX_CLEAR, true);
    assert!(requests(&bench).is_empty());
    bench.input(RX_CLEAR, false);
    assert_eq!(requests(&bench), [RX_SINGLE], "one is left");
    bench.read(DR);
    assert_eq!(requests(&bench), [RX_SINGLE], "not cleared yet");
    bench.input(RX_CLEAR, true);
    bench.input(RX_CLEAR, false);
    assert!(requests(&bench).is_empty());
}

#[test]
fn without_fifos_there_are_single_requests_only() {
    let mut bench = Bench::running(at_once());
    bench.write(LCR_H, 0x60);
    bench.write(DMACR, 3);
    bench.receive(b"x");
    assert_eq!(requests(&bench), [TX_SINGLE, RX_SINGLE]);
}

#[test]
fn dmaonerr_silences_the_receive_requests_while_an_error_interrupts() {
    let mut bench = Bench::running(at_once());
    bench.write(IMSC, int::PE.into());
    bench.write(DMACR, 7);
    let mut cx = bench.cx();
    let (byte, condition) = (1, Condition::Parity);
    bench
        .uart
        .receive_with(&mut cx, Received { byte, condition });
    assert_eq!(requests(&bench), [TX_SINGLE, TX_BURST]);
    bench.write(ICR, int::PE.into());
    assert_eq!(requests(&bench), [TX_SINGLE, TX_BURST, RX_SINGLE]);
}
