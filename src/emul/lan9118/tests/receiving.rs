//! The receive data path, the filter and loopback: 3.3, 3.4 and 3.13 of the data sheet.

use super::*;

const BROADCAST: [u8; 6] = [0xff; 6];
const GROUP: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01];

#[test]
fn a_frame_arrives_whole_with_its_fcs_and_status() {
    let mut rig = Rig::on();
    let frame = with_fcs(&frame_to(MAC, 61));
    rig.arrives(&frame);
    assert_eq!(rig.r(0x7c), inf(1, 68), "rounded up to words");
    assert_eq!(rig.r(0x44), inf(65, 0x20), "peeked at");
    assert_eq!(rig.receive(), Some((inf(65, 0x20), frame)));
    assert_eq!(rig.r(0x7c), 0);
}

#[test]
fn the_offset_and_the_end_alignment_of_rx_cfg_frame_the_data() {
    for (align, words) in [(0, 1), (0x4000_0000, 4), (0x8000_0000, 8)] {
        for offset in 0..32 {
            let mut rig = Rig::on();
            rig.w(0x6c, align | offset << 8);
            let frame = with_fcs(&frame_to(MAC, 61));
            rig.arrives(&frame);
            rig.arrives(&frame);
            let whole = (offset as usize + 65).next_multiple_of(4 * words);
            for _ in 0..2 {
                let data: Vec<u8> = (0..whole / 4)
                    .flat_map(|_| rig.r(0).to_le_bytes())
                    .collect();
                assert_eq!(data[offset as usize..][..65], frame);
                assert!(data[..offset as usize].iter().all(|octet| *octet == 0));
            }
            assert_eq!(rig.r(0x7c) & 0xffff, 0);
            assert_eq!(rig.r(0x58) & source::RXE, 0);
        }
    }
}

#[test]
fn reading_more_than_there_is_is_a_receiver_error() {
    for port in [0x00, 0x1c, 0x40] {
        let mut rig = Rig::on();
        assert_eq!(rig.r(port), 0);
        assert_eq!(rig.r(0x58) & source::RXE, source::RXE, "{port:#x}");
    }
}

#[test]
fn fast_forward_skips_to_the_next_frame_and_leaves_the_status_alone() {
    let mut rig = Rig::on();
    let second = with_fcs(&frame_to(MAC, 64));
    rig.arrives(&with_fcs(&frame_to(MAC, 100)));
    rig.arrives(&second);
    rig.r(0);
    rig.w(0x78, 1 << 31);
    assert_eq!(rig.r(0x78), 0, "done at once");
    assert_eq!(rig.r(0x7c), inf(2, 68));
    rig.r(0x40);
    assert_eq!(rig.receive().unwrap().1, second);
    rig.arrives(&second);
    rig.w(0x78, 1 << 31);
    assert_eq!(rig.r(0x7c), 1 << 16);
}

#[test]
fn a_dump_empties_both_fifos() {
    let mut rig = Rig::on();
    rig.arrives(&with_fcs(&frame_to(MAC, 100)));
    rig.w(0x6c, RX_DUMP | 0x200);
    assert_eq!((rig.r(0x6c), rig.r(0x7c)), (0x200, 0));
}

#[test]
fn the_dma_count_interrupts_when_so_many_words_have_been_read() {
    let mut rig = Rig::on();
    rig.arrives(&with_fcs(&frame_to(MAC, 100)));
    rig.w(0x6c, 2 << 16);
    rig.r(0);
    assert_eq!((rig.r(0x6c), rig.r(0x58) & source::RXD), (1 << 16, 0));
    rig.r(0);
    assert_eq!((rig.r(0x6c), rig.r(0x58) & source::RXD), (0, source::RXD));
}

#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    let mut rig = Rig::on();
    let long = with_fcs(&frame_to(MAC, 1514));
    // 10,560 octets of data, of which the last 16 are not filled (5.3.9).
    for _ in 0..6 {
        assert_eq!(rig.device.room(), FRAME_MAX);
        rig.arrives(&long);
    }
    assert_eq!(rig.r(0x7c), inf(6, 6 * 1520));
    assert_eq!(rig.device.room(), 10_560 - 16 - 6 * 1520);
    rig.arrives(&long);
    assert_eq!(rig.r(0x58) & source::RXDF, source::RXDF);
    assert_eq!((rig.r(0xa0), rig.r(0xa0)), (1, 0), "a read clears it");
    rig.arrives(&with_fcs(&frame_to(MAC, 1400)));
    assert_eq!(rig.r(0xa0), 0);
}

#[test]
fn a_full_status_fifo_drops_and_is_an_error() {
    let mut rig = Rig::on();
    rig.w(0x74, 14 << 16);
    rig.w(0x68, 31);
    // 2 KiB for RX: 128 octets of status, 1,920 of data.
    let runt = with_fcs(&frame_to(MAC, 14));
    rig.csr_write(1, mac::RXEN | mac::PASSBAD);
    for n in 1..=32 {
        rig.arrives(&runt);
        assert_eq!(rig.r(0x58) & source::RSFL != 0, n > 31);
    }
    assert_eq!(rig.r(0x58) & source::RSFF, source::RSFF);
    assert_eq!((rig.device.room(), rig.r(0x58) & source::RXE), (0, 0));
    rig.arrives(&runt);
    assert_eq!(rig.r(0x58) & source::RXE, source::RXE);
    assert_eq!((rig.r(0xa0), rig.r(0x7c) >> 16), (1, 32));
}

/// The bits of RX status beside the length.
fn flags(rig: &mut Rig, frame: &[u8]) -> Option<u32> {
    rig.arrives(frame);
    rig.receive().map(|(status, _)| status & 0xc000_ffff)
}

#[test]
fn the_status_tells_what_kind_of_frame_it_is() {
    let mut rig = Rig::on();
    rig.csr_write(1, mac::RXEN | 1 << 18);
    let mut length = frame_to(MAC, 60);
    length[12..14].copy_from_slice(&[0, 46]);
    assert_eq!(flags(&mut rig, &with_fcs(&length)), Some(0));
    length[13] = 3;
    assert_eq!(flags(&mut rig, &with_fcs(&length)), Some(0), "padded");
    length[13] = 47;
    assert_eq!(flags(&mut rig, &with_fcs(&length)), Some(0x1000));
    let of = |to, octets| with_fcs(&frame_to(to, octets));
    assert_eq!(flags(&mut rig, &of(BROADCAST, 60)), Some(0x2020));
    assert_eq!(flags(&mut rig, &of(GROUP, 60)), Some(0x0420));
    assert_eq!(flags(&mut rig, &of(OTHER, 1514)), Some(0x20));
    assert_eq!(flags(&mut rig, &of(OTHER, 1515)), Some(0x80a0));
    let mut bad = of(MAC, 60);
    bad[20] ^= 1;
    assert_eq!(flags(&mut rig, &bad), Some(0x8022));
}

#[test]
fn a_tagged_frame_may_be_longer() {
    let mut rig = Rig::on();
    let mut tagged = frame_to(MAC, 1518);
    tagged[12..14].copy_from_slice(&[0x81, 0x00]);
    assert_eq!(flags(&mut rig, &with_fcs(&tagged)), Some(0x80a0));
    rig.csr_write(9, 0x8100);
    assert_eq!(flags(&mut rig, &with_fcs(&tagged)), Some(0x20));
}

#[test]
fn a_runt_is_passed_only_with_passbad() {
    let mut rig = Rig::on();
    let runt = with_fcs(&frame_to(MAC, 40));
    assert_eq!(flags(&mut rig, &runt), None);
    rig.csr_write(1, mac::RXEN | mac::PASSBAD);
    assert_eq!(flags(&mut rig, &runt), Some(0x8820));
    assert_eq!(flags(&mut rig, &[1, 2, 3]), None, "no frame at all");
}

#[test]
fn padding_is_stripped_on_request() {
    let mut rig = Rig::on();
    rig.csr_write(1, mac::RXEN | 1 << 8);
    let mut frame = frame_to(MAC, 60);
    frame[12..14].copy_from_slice(&[0, 3]);
    rig.arrives(&with_fcs(&frame));
    assert_eq!(rig.receive().unwrap().1, frame[..17]);
    frame[13] = 46;
    rig.arrives(&with_fcs(&frame));
    assert_eq!(rig.receive().unwrap().1, with_fcs(&frame));
}

/// The hash as its definition has it: the CRC register of IEEE 802.3, fed the low bit first.
fn hash(to: [u8; 6]) -> u32 {
    let mut crc = u32::MAX;
    for octet in to {
        for bit in 0..8 {
            let feedback = crc >> 31 ^ u32::from(octet >> bit & 1);
            crc <<= 1;
            if feedback != 0 {
                crc ^= 0x04c1_1db7;
            }
        }
    }
    crc >> 26
}

#[test]
fn the_filter_passes_what_its_table_says() {
    const MCPAS: u32 = 1 << 19;
    const PRMS: u32 = 1 << 18;
    const INVFILT: u32 = 1 << 17;
    const HO: u32 = 1 << 15;
    const HPFILT: u32 = 1 << 13;
    const BCAST: u32 = 1 << 11;
    const HASHED_STRANGER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
    const HASHED: [u8; 6] = [0x01, 0x00, 0x5e, 0x12, 0x34, 0x56];
    // Table 3.1: ours, a stranger's, a group, a group and a stranger in the hash table, broadcast.
    let table = [
        (0, [true, false, false, false, false, true]),
        (HPFILT, [true, false, false, true, false, true]),
        (HO | HPFILT, [false, false, false, true, true, true]),
        (INVFILT, [false, true, true, true, true, true]),
        (PRMS, [true; 6]),
        (PRMS | INVFILT | HO, [true; 6]),
        (MCPAS, [true, false, true, true, false, true]),
        (MCPAS | HO | HPFILT, [false, false, true, true, true, true]),
        (BCAST, [true, false, false, false, false, false]),
    ];
    for (control, due) in table {
        let mut rig = Rig::on();
        for to in [HASHED, HASHED_STRANGER] {
            let bit = 1 << (hash(to) & 31);
            let register = if hash(to) & 32 == 0 { 5 } else { 4 };
            let old = rig.csr(register);
            rig.csr_write(register, old | bit);
        }
        let to = [MAC, OTHER, GROUP, HASHED, HASHED_STRANGER, BROADCAST];
        rig.csr_write(1, mac::RXEN | control);
        let passed = to.map(|to| flags(&mut rig, &with_fcs(&frame_to(to, 60))).is_some());
        assert_eq!(passed, due, "{control:#x}");
        // RXALL takes them all, and marks those that the filter would not have.
        rig.csr_write(1, mac::RXEN | mac::RXALL | control);
        let marked = to.map(|to| flags(&mut rig, &with_fcs(&frame_to(to, 60))).unwrap() >> 30 == 0);
        assert_eq!(marked, due, "{control:#x}");
    }
}

#[test]
fn a_receiver_that_is_off_takes_nothing_and_tells_when_it_stops() {
    let mut rig = Rig::on();
    rig.w(0x58, !0);
    rig.csr_write(1, mac::TXEN);
    assert_eq!(rig.r(0x58) & source::RXSTOP, source::RXSTOP);
    assert_eq!(flags(&mut rig, &with_fcs(&frame_to(MAC, 60))), None);
    assert_eq!((rig.r(0xa0), rig.device.room()), (0, FRAME_MAX));
}

#[test]
fn both_loopbacks_bring_a_frame_back_and_keep_the_wire_out() {
    for mac in [true, false] {
        let mut rig = Rig::on();
        if mac {
            rig.csr_write(1, mac::TXEN | mac::RXEN | mac::FDPX | mac::LOOPBK);
        } else {
            rig.phy_write(0, 0x6100);
        }
        let frame = frame_to(MAC, 60);
        rig.send(&frame);
        assert_eq!(rig.wire(), None);
        assert_eq!(rig.receive().unwrap().1, with_fcs(&frame));
        rig.send(&frame_to(OTHER, 60));
        assert_eq!(rig.receive(), None, "the filter is there, too");
        rig.arrives(&with_fcs(&frame));
        assert_eq!(rig.receive(), None);
    }
}

#[test]
fn a_half_duplex_mac_need_not_hear_itself() {
    let mut rig = Rig::on();
    rig.phy_write(0, 0x4000);
    rig.csr_write(1, mac::TXEN | mac::RXEN);
    rig.send(&frame_to(MAC, 60));
    assert!(rig.receive().is_some());
    rig.csr_write(1, mac::TXEN | mac::RXEN | mac::RCVOWN);
    rig.send(&frame_to(MAC, 60));
    assert_eq!(rig.receive(), None);
}
