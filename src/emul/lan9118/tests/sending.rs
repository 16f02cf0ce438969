//! The transmit data path: 3.12 of the data sheet.

use super::*;

/// TX example 1 (3.12.6.1): 111 octets in three buffers, each with an end alignment of 16 bytes.
fn example_1(rig: &mut Rig, packet: &[u8]) {
    let parts = [
        (7, &packet[..79]),
        (0, &packet[79..94]),
        (10, &packet[94..]),
    ];
    for (n, (offset, part)) in parts.into_iter().enumerate() {
        let ends = [0x2000, 0, 0x1000][n];
        rig.w(0x20, 1 << 24 | offset << 16 | ends | part.len() as u32);
        rig.w(0x20, 0x0007_006f);
        let mut octets = std::vec![0xee; offset as usize];
        octets.extend(part);
        octets.resize(octets.len().next_multiple_of(16), 0xdd);
        for word in words(&octets) {
            rig.w(0x20, word);
        }
    }
}

#[test]
fn the_data_sheets_three_buffers_make_one_frame() {
    let mut rig = Rig::on();
    let packet = frame_to(OTHER, 111);
    example_1(&mut rig, &packet);
    assert_eq!(rig.wire(), Some(with_fcs(&packet)));
    assert_eq!(rig.r(0x80), inf(1, 4608));
    assert_eq!(rig.r(0x4c), 0x0007_0000, "the tag, and no error");
    assert_eq!(rig.r(0x48), 0x0007_0000);
    assert_eq!(rig.r(0x80), 4608);
    assert_eq!(rig.r(0x58) & (source::TXE | source::TDFO), 0);
}

#[test]
fn the_data_fifo_holds_commands_and_data_but_no_whole_words_of_offset_or_alignment() {
    let mut rig = Rig::on();
    rig.w(0x70, 0);
    example_1(&mut rig, &frame_to(OTHER, 111));
    // 3.12.5: commands A, one command B, and 21, 4 and 5 words with data.
    assert_eq!(rig.r(0x80), 4608 - 4 * (3 + 1 + 21 + 4 + 5));
    assert_eq!(rig.wire(), None);
    rig.w(0x70, TX_ON);
    assert_eq!(rig.r(0x80), inf(1, 4608));
    assert!(rig.wire().is_some());
}

#[test]
fn a_short_frame_is_padded_and_gets_its_fcs_unless_command_b_says_otherwise() {
    let mut rig = Rig::on();
    let short = frame_to(OTHER, 20);
    let mut padded = short.clone();
    padded.resize(60, 0);
    rig.send(&short);
    assert_eq!(rig.wire(), Some(with_fcs(&padded)));
    rig.send_tagged(&short, transmit::NO_PADDING);
    assert_eq!(rig.wire(), Some(with_fcs(&short)));
    rig.send_tagged(&short, transmit::NO_PADDING | transmit::NO_CRC);
    assert_eq!(rig.wire(), Some(short.clone()));
    rig.send_tagged(&short, transmit::NO_CRC);
    assert_eq!(rig.wire(), Some(with_fcs(&padded)), "padding brings a FCS");
    let whole = with_fcs(&frame_to(OTHER, 60));
    rig.send_tagged(&whole, transmit::NO_CRC);
    assert_eq!(rig.wire(), Some(whole));
}

#[test]
fn nothing_leaves_until_both_tx_on_and_txen_are_set() {
    let mut rig = Rig::new();
    rig.send(&frame_to(OTHER, 60));
    rig.w(0x70, TX_ON);
    assert_eq!(rig.wire(), None);
    rig.csr_write(1, mac::TXEN | mac::FDPX);
    assert!(rig.wire().is_some());
}

#[test]
fn stop_tx_stops_the_transmitter_and_tells_so() {
    let mut rig = Rig::on();
    rig.w(0x70, TX_ON | STOP_TX);
    assert_eq!(rig.r(0x70), 0);
    assert_eq!(rig.r(0x58) & source::TXSTOP, source::TXSTOP);
    rig.send(&frame_to(OTHER, 60));
    assert_eq!(rig.wire(), None);
    rig.w(0x70, TXD_DUMP);
    assert_eq!(rig.r(0x80), 4608);
    rig.w(0x70, TX_ON);
    assert_eq!(rig.wire(), None);
}

#[test]
fn a_wrong_length_or_order_of_segments_is_a_transmitter_error() {
    let wrong: [&[u32]; 3] = [
        // Command B tells another length.
        &[0x3004, 5, 0],
        // A buffer of no frame.
        &[0x1004, 4, 0],
        // A first buffer behind one that was not the last.
        &[0x2004, 8, 0, 0x3004, 4, 0],
    ];
    for case in wrong {
        let mut rig = Rig::on();
        for word in case {
            assert_eq!(rig.r(0x58) & source::TXE, 0);
            rig.w(0x20, *word);
            if rig.r(0x58) & source::TXE != 0 {
                break;
            }
        }
        assert_eq!(rig.r(0x58) & source::TXE, source::TXE, "{case:x?}");
    }
    let mut rig = Rig::on();
    for word in [0x2004, 8, 0, 0x3004, 4, 0x0403_0201] {
        rig.w(0x20, word);
    }
    let frame = rig.wire().unwrap();
    assert_eq!((frame[0], frame[3], rig.wire()), (1, 4, None));
    assert_eq!(rig.r(0x80), inf(1, 4608), "the abandoned frame is gone");
}

#[test]
fn a_full_data_fifo_refuses_what_it_would_store() {
    let mut rig = Rig::new();
    rig.w(0x74, 2 << 16);
    assert_eq!(rig.r(0x80), 1536);
    rig.w(0x20, 0x2640);
    rig.w(0x20, 1600);
    for n in 0..382 {
        rig.w(0x20, n);
    }
    assert_eq!((rig.r(0x80), rig.r(0x58) & source::TDFO), (0, 0));
    rig.w(0x20, 382);
    assert_eq!(rig.r(0x58) & 0x2400, source::TDFO | source::TXE);
}

#[test]
fn a_full_status_fifo_suspends_the_transmitter_unless_overruns_are_allowed() {
    let mut rig = Rig::on();
    for _ in 0..STATUS_WORDS + 2 {
        rig.send(&frame_to(OTHER, 60));
        rig.device.discard();
    }
    assert_eq!(rig.r(0x80) >> 16, STATUS_WORDS as u32);
    assert_eq!(rig.r(0x80) & 0xffff, 4608 - 2 * 68);
    assert_eq!(rig.r(0x58) & source::TSFF, source::TSFF);
    rig.r(0x48);
    assert!(rig.wire().is_some());
    assert_eq!(rig.wire(), None, "its status has filled the FIFO again");
    rig.w(0x70, TX_ON | TXSAO);
    assert!(rig.wire().is_some());
    assert_eq!(rig.r(0x80), inf(STATUS_WORDS as u32, 4608));
    assert_eq!(rig.r(0x58) & source::TXSO, source::TXSO);
    rig.w(0x70, TX_ON | TXS_DUMP);
    assert_eq!(rig.r(0x80), 4608);
}

#[test]
fn a_buffer_that_asks_for_it_tells_of_its_completion() {
    let mut rig = Rig::on();
    rig.w(0x20, 0x8000_2004);
    rig.w(0x20, 8);
    assert_eq!(rig.r(0x58) & source::TX_IOC, 0);
    rig.w(0x20, 0);
    assert_eq!(rig.r(0x58) & source::TX_IOC, source::TX_IOC);
}

#[test]
fn many_queued_frames_leave_in_bounded_bursts() {
    let mut rig = Rig::on();
    rig.w(0x70, 0);
    for _ in 0..60 {
        rig.send(&frame_to(OTHER, 60));
    }
    assert_eq!(rig.device.deadline(), None);
    rig.w(0x70, TX_ON);
    let mut steps = 0;
    while rig.device.deadline().is_some() {
        rig.advance_to(0);
        steps += 1;
    }
    assert_eq!(steps, 60 / BURST);
    assert_eq!(core::iter::from_fn(|| rig.wire()).count(), 60);
}

#[test]
fn the_levels_of_the_tx_fifos_interrupt_while_they_stand() {
    let mut rig = Rig::on();
    rig.w(0x68, 0x4702_0000);
    rig.w(0x58, !0);
    assert_eq!(rig.r(0x58), source::TDFA, "4608 is more than 0x47 times 64");
    rig.w(0x68, 0x4802_0000);
    rig.w(0x58, !0);
    assert_eq!(rig.r(0x58), 0);
    for n in 1..=3 {
        rig.send(&frame_to(OTHER, 60));
        assert_eq!(rig.r(0x58) & source::TSFL != 0, n > 2);
    }
    rig.w(0x58, !0);
    assert_eq!(rig.r(0x58), source::TSFL, "it stands as long as the level");
    rig.r(0x48);
    assert_eq!(rig.r(0x58), source::TSFL, "and until it is cleared");
    rig.w(0x58, !0);
    assert_eq!(rig.r(0x58), 0);
}

#[test]
fn a_frame_that_finds_no_carrier_says_so_in_half_duplex() {
    let mut rig = Rig::with(Config {
        link: false,
        ..Config::lan9118(MAC)
    });
    rig.w(0x70, TX_ON);
    rig.csr_write(1, mac::TXEN);
    rig.send(&frame_to(OTHER, 60));
    assert_eq!((rig.wire(), rig.r(0x48)), (None, 0x1234_8c00));
    rig.csr_write(1, mac::TXEN | mac::FDPX);
    rig.send(&frame_to(OTHER, 60));
    assert_eq!((rig.wire(), rig.r(0x48)), (None, 0x1234_0000));
}

#[test]
fn a_pause_frame_is_obeyed_for_its_time() {
    let mut rig = Rig::on();
    rig.csr_write(8, 2);
    let mut pause = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01].to_vec();
    pause.extend(OTHER);
    pause.extend([0x88, 0x08, 0, 1, 0, 100]);
    pause.resize(60, 0);
    rig.now = 1_000;
    rig.arrives(&with_fcs(&pause));
    assert_eq!(rig.receive(), None, "its address is not ours");
    rig.send(&frame_to(OTHER, 60));
    assert_eq!(rig.device.deadline(), Some(Instant(1_000 + 100 * 5_120)));
    rig.advance_to(1_000 + 100 * 5_120 - 1);
    assert_eq!(rig.wire(), None);
    rig.advance_to(1_000 + 100 * 5_120);
    assert!(rig.wire().is_some());
    // FCPASS shows it to the host.
    rig.csr_write(8, 6);
    rig.arrives(&with_fcs(&pause));
    assert_eq!(rig.receive().unwrap().1, with_fcs(&pause));
}

#[test]
fn a_pause_frame_is_sent_on_command_and_as_the_rx_fifo_fills_and_empties() {
    let mut rig = Rig::on();
    let time = |frame: &[u8]| u16::from_be_bytes([frame[16], frame[17]]);
    rig.csr_write(8, 0x0123_0001);
    let frame = rig.wire().unwrap();
    assert_eq!(frame[..6], [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01]);
    assert_eq!(frame[6..12], MAC);
    assert_eq!((frame.len(), time(&frame)), (64, 0x123));
    assert_eq!(with_fcs(&frame[..60]), frame);
    assert_eq!(rig.csr(8), 0x0123_0000, "FCBSY has cleared itself");

    rig.w(0xac, 0x0002_0101);
    rig.arrives(&with_fcs(&frame_to(MAC, 60)));
    assert_eq!(rig.wire(), None);
    rig.arrives(&with_fcs(&frame_to(MAC, 60)));
    assert_eq!(time(&rig.wire().unwrap()), 0x123);
    rig.arrives(&with_fcs(&frame_to(MAC, 60)));
    assert_eq!(rig.wire(), None, "it is sent once");
    rig.receive();
    assert_eq!(rig.wire(), None);
    rig.receive();
    assert_eq!(time(&rig.wire().unwrap()), 0, "go on");
}
