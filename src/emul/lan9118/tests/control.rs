//! Interrupts, timers, PHY, EEPROM, power management and pins.

use super::*;

#[test]
fn setting_its_enable_raises_the_software_interrupt() {
    let mut rig = Rig::new();
    rig.w(0x54, 0x111);
    assert!(!rig.irq(), "active high now");
    rig.w(0x5c, source::SW);
    assert_eq!(rig.r(0x58), source::SW);
    assert_eq!((rig.r(0x54), rig.irq()), (0x1111, true));
    rig.w(0x58, source::SW);
    assert_eq!((rig.r(0x54), rig.irq()), (0x0111, false));
    rig.w(0x5c, source::SW);
    assert_eq!(rig.r(0x58), 0, "it was set already");
}

#[test]
fn the_pin_is_active_high_only_as_a_push_pull_output() {
    for (cfg, asserted) in [
        (0x100, false),
        (0x101, false),
        (0x110, false),
        (0x111, true),
    ] {
        let mut rig = Rig::new();
        rig.w(0x54, cfg);
        assert_eq!(rig.irq(), !asserted, "{cfg:#x} at rest");
        rig.w(0x5c, source::SW);
        assert_eq!(rig.irq(), asserted, "{cfg:#x}");
        rig.w(0x54, cfg & !0x100);
        assert_eq!(rig.irq(), !asserted, "without IRQ_EN");
        assert_eq!(
            rig.r(0x54) & 0x1000,
            0x1000,
            "which IRQ_INT does not look at"
        );
    }
}

#[test]
fn the_deassertion_interval_keeps_the_pin_quiet_for_its_time() {
    let mut rig = Rig::new();
    rig.now = 500;
    rig.w(0x54, 22 << 24 | 0x111);
    rig.w(0x5c, source::SW);
    assert!(rig.irq(), "the first is not held back");
    rig.w(0x58, source::SW);
    assert_eq!(rig.r(0x54), 22 << 24 | 0x2111);
    rig.w(0x5c, 0);
    rig.w(0x5c, source::SW);
    assert!(!rig.irq());
    assert_eq!(rig.device.deadline(), Some(Instant(220_500)));
    rig.advance_to(220_499);
    assert!(!rig.irq());
    rig.advance_to(220_500);
    assert!(rig.irq());
    assert_eq!(rig.device.deadline(), None);
    // DEAS_CLR begins an interval, and interval 0 ends it.
    rig.w(0x58, source::SW);
    rig.advance_to(300_000);
    rig.w(0x54, 22 << 24 | 0x4111);
    rig.w(0x5c, 0);
    rig.w(0x5c, source::SW);
    assert_eq!(rig.device.deadline(), Some(Instant(520_000)));
    rig.w(0x54, 0x111);
    assert!(rig.irq());
}

#[test]
fn the_timer_wraps_past_zero_and_tells_those_that_enabled_it() {
    let mut rig = Rig::new();
    rig.now = 7;
    rig.w(0x8c, 1 << 29 | 9);
    assert_eq!((rig.r(0x90), rig.device.deadline()), (9, None));
    rig.now = 7 + 900_000;
    assert_eq!(rig.r(0x90), 0);
    rig.now = 7 + 1_000_000;
    assert_eq!((rig.r(0x90), rig.r(0x58)), (0xffff, 0), "not enabled");
    rig.w(0x5c, source::GPT);
    let next = 7 + (10 + 65_536) * 100_000;
    assert_eq!(rig.device.deadline(), Some(Instant(next)));
    rig.advance_to(next - 1);
    assert_eq!(rig.r(0x58), 0);
    rig.advance_to(next);
    assert_eq!((rig.r(0x58), rig.r(0x90)), (source::GPT, 0xffff));
    assert_eq!(rig.device.deadline(), None, "it stays until it is cleared");
    rig.w(0x58, source::GPT);
    assert_eq!(rig.r(0x58), 0);
    rig.w(0x8c, 9);
    assert_eq!((rig.r(0x90), rig.device.deadline()), (0xffff, None));
}

#[test]
fn a_live_wire_is_negotiated_to_100_mbit_in_full_duplex() {
    let mut rig = Rig::new();
    assert_eq!(rig.phy(1), 0x782d);
    assert_eq!(rig.phy(5), 0x45e1);
    assert_eq!((rig.phy(6), rig.phy(6)), (3, 1), "a page had come");
    assert_eq!(rig.phy(17), 2);
    assert_eq!(rig.phy(31), 0x1058);
    assert_eq!((rig.phy(29), rig.phy(29)), (0xca, 0), "a read clears it");
    for (advertised, speed) in [(0x0e1, 0b010), (0x061, 0b101), (0x021, 0b001)] {
        rig.phy_write(4, advertised);
        rig.phy_write(0, 0x3200);
        assert_eq!(rig.phy(31) >> 2 & 7, speed);
        assert_eq!((rig.phy(0), rig.phy(29)), (0x3000, 0x4a), "negotiated");
    }
    rig.phy_write(0, 0x0100);
    assert_eq!(
        (rig.phy(31), rig.phy(1)),
        (0x0054, 0x780d),
        "as it was told"
    );
    rig.phy_write(0, 0x8000);
    assert_eq!((rig.phy(0), rig.phy(4)), (0x3000, 0x01e1));
}

#[test]
fn a_wire_that_dies_is_latched_and_interrupts_through_the_mask() {
    let mut rig = Rig::new();
    rig.w(0x54, 0x111);
    rig.w(0x5c, source::PHY);
    rig.phy(29);
    rig.phy_write(30, 0x50);
    assert!(!rig.irq());
    let mut cx = rig.cx();
    rig.device.connect(&mut cx, false);
    assert!(rig.irq());
    assert_eq!(rig.phy(29), 0x10);
    rig.w(0x58, source::PHY);
    assert!(!rig.irq());
    rig.device.connect(&mut cx, true);
    assert!(rig.irq(), "negotiation is complete");
    assert_eq!((rig.phy(1), rig.phy(1)), (0x7829, 0x782d), "it was down");
    // The PHY's power-down is a dead wire, too.
    rig.phy_write(0, 0x3800);
    assert_eq!((rig.phy(1), rig.phy(17)), (0x7809, 0));
    rig.arrives(&with_fcs(&frame_to(MAC, 60)));
    assert_eq!(rig.r(0x7c), 0);
}

fn eeprom(rig: &mut Rig, command: u32, address: u32) -> u32 {
    rig.w(0xb0, 1 << 31 | command << 28 | address);
    assert_eq!(rig.r(0xb0) >> 31, 0, "never busy");
    rig.r(0xb4)
}

#[test]
fn the_eeprom_holds_the_address_and_takes_writes_when_they_are_enabled() {
    let mut rig = Rig::new();
    let held: Vec<u32> = (0..8).map(|n| eeprom(&mut rig, 0, n)).collect();
    assert_eq!(held, [0xa5, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0xff]);
    rig.w(0xb4, 0x77);
    eeprom(&mut rig, 3, 6);
    assert_eq!(eeprom(&mut rig, 0, 6), 0x56, "still write-protected");
    eeprom(&mut rig, 2, 0);
    rig.w(0xb4, 0x77);
    eeprom(&mut rig, 3, 6);
    assert_eq!(eeprom(&mut rig, 0, 6), 0x77);
    assert_eq!(rig.csr(2), 0x5634);
    eeprom(&mut rig, 7, 0);
    assert_eq!((rig.csr(2), rig.r(0xb0)), (0x7734, 0x7000_0100));
    eeprom(&mut rig, 5, 0);
    eeprom(&mut rig, 7, 0);
    assert_eq!(rig.r(0xb0), 0x7000_0000, "no signature, no address");
    rig.w(0xb4, 0x12);
    eeprom(&mut rig, 4, 0);
    assert_eq!([0, 127].map(|n| eeprom(&mut rig, 0, n)), [0x12; 2]);
    eeprom(&mut rig, 6, 0);
    assert_eq!([0, 127].map(|n| eeprom(&mut rig, 0, n)), [0xff; 2]);
    eeprom(&mut rig, 1, 0);
    rig.w(0xb4, 0);
    eeprom(&mut rig, 4, 0);
    assert_eq!(eeprom(&mut rig, 0, 5), 0xff);
    rig.device.reset(Reset::Warm);
    assert_eq!(eeprom(&mut rig, 0, 0), 0xff, "the board's reset keeps it");
    rig.device.reset(Reset::Cold);
    assert_eq!(eeprom(&mut rig, 0, 0), 0xa5);
}

#[test]
fn a_magic_packet_wakes_the_board_from_d1() {
    let mut rig = Rig::on();
    rig.w(0x5c, source::PME);
    rig.csr_write(12, 2);
    rig.w(0x84, 1 << 12 | 1 << 9 | 2);
    assert_eq!(rig.r(0x84), 0x1202, "not ready");
    assert_eq!(rig.r(0x64), 0, "nothing else answers");
    let mut packet = frame_to(OTHER, 20);
    packet.extend([0xff; 6]);
    packet.extend(MAC.repeat(16));
    rig.arrives(&with_fcs(&packet));
    assert_eq!(rig.r(0x84), 0x1202, "to another");
    packet[..6].copy_from_slice(&MAC);
    rig.arrives(&with_fcs(&packet));
    assert_eq!(rig.r(0x84), 0x1222);
    rig.w(0x70, 0);
    assert_eq!(rig.r(0x84), 0x1222, "other writes are lost");
    rig.w(0x64, 0);
    assert_eq!((rig.r(0x84), rig.r(0x70)), (0x0223, TX_ON));
    assert_eq!(rig.r(0x58) & source::PME, source::PME);
    assert_eq!(rig.csr(12), 0x22, "MPR");
    rig.csr_write(12, 0x20);
    assert_eq!(rig.csr(12), 0);
    rig.w(0x84, 0x20);
    assert_eq!(rig.r(0x84), 1);
    assert_eq!(rig.r(0x7c), 0, "it was looked at, not received");
}

#[test]
fn a_wake_up_frame_is_known_by_the_crc_of_its_masked_octets() {
    let mut rig = Rig::on();
    // Octets 12 and 13, the type, of frames to one address, and again with a group address.
    let mut crc = 0xffff_u16;
    for octet in [0x08_u8, 0x06] {
        for bit in 0..8 {
            let feedback = crc >> 15 ^ u16::from(octet >> bit & 1);
            crc = crc << 1 ^ if feedback == 0 { 0 } else { 0x8005 };
        }
    }
    for word in [3, 0, 0, 0, 1, 12, u32::from(crc), 0] {
        rig.csr_write(11, word);
    }
    rig.csr_write(12, 4);
    let mut frame = frame_to(MAC, 60);
    rig.arrives(&with_fcs(&frame));
    assert_eq!(rig.csr(12), 4);
    frame[13] = 0x06;
    let mut group = frame.clone();
    group[..6].copy_from_slice(&[0xff; 6]);
    rig.arrives(&with_fcs(&group));
    assert_eq!(rig.csr(12), 4, "for one address only");
    rig.arrives(&with_fcs(&frame));
    assert_eq!(rig.csr(12), 0x44, "WUFR");
    rig.csr_write(12, 0x204 | 0x40);
    frame[13] = 0;
    rig.arrives(&with_fcs(&frame));
    assert_eq!(rig.csr(12), 0x244, "any unicast");
}

#[test]
fn energy_on_the_line_is_a_power_management_event() {
    let mut rig = Rig::with(Config {
        link: false,
        ..Config::lan9118(MAC)
    });
    rig.phy_write(30, 0x80);
    rig.w(0x84, 1 << 8);
    let mut cx = rig.cx();
    rig.device.connect(&mut cx, true);
    assert_eq!(rig.r(0x84), 0x111);
    assert_eq!(rig.r(0x58) & source::PME, source::PME);
}

#[test]
fn a_gpio_pin_interrupts_at_the_level_that_is_asked_for() {
    let mut rig = Rig::new();
    let mut cx = rig.cx();
    rig.device.input(&mut cx, Line(1), false);
    assert_eq!(rig.r(0x88), 5);
    assert_eq!(rig.r(0x58), 2, "active low");
    rig.w(0x88, 0x0700_0000);
    rig.w(0x58, 7);
    assert_eq!(rig.r(0x58), 5, "active high");
    // As outputs, or as LED drivers, they do not.
    rig.w(0x88, 0x4700_0102);
    rig.w(0x58, 7);
    assert_eq!(rig.r(0x58), 0);
    assert_eq!(rig.r(0x88), 0x4700_0104, "GPIO0 is an output, and low");
}

#[test]
fn the_fifos_share_16_kib_as_hw_cfg_says() {
    // Table 5.3.
    let table = [
        (2, 1536, 13440, 896),
        (5, 4608, 10560, 704),
        (14, 13824, 1920, 128),
    ];
    for (size, tx, rx, status) in table {
        let mut rig = Rig::new();
        rig.w(0x74, size << 16);
        assert_eq!(rig.r(0x80), tx);
        assert_eq!(rig.device.rx_sizes(), (rx, status));
    }
}
