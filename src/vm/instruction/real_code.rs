//! Code of real firmware, as it is in Debian 12's images, against the devices that it drives.
//!
//! tests/decoder/binaries.rs finds the same instructions at the same offsets of the images.

use super::super::fake::RAM;
use super::super::tests::{A9, A15, Guest, plan_with};
use super::*;
use crate::memory::BoardMemory;
use crate::units::Ipa;
use crate::vcpu::psr;
use std::vec::Vec;

/// Where the code is put.
const CODE: u64 = RAM + 0x2000;
/// The controller of the Allwinner H3's DRAM, with its PHY.
const DRAM_PHY: u64 = 0x01c6_3000;

/// From 0xae4 of orangepi_plus/u-boot-sunxi-with-spl.bin (2023.01+dfsg-2+deb12u3): eleven delays
/// of a byte lane to as many registers.
const LANE_DELAYS: [u16; 16] = [
    0x4618, 0x460a, 0xf103, 0x062c, 0xf892, 0x702d, 0xf812, 0x5f01, 0xea45, 0x2507, 0xf3bf, 0x8f5f,
    0xf840, 0x5b04, 0x4286, 0xd1f3,
];

/// From 0xb1a of it: the delays of addresses and commands.
const COMMAND_DELAYS: [u16; 9] = [
    0xf811, 0x2f01, 0x0212, 0xf3bf, 0x8f5f, 0xf843, 0x2b04, 0x4283, 0xd1f6,
];

/// The guest executes Thumb from `CODE` to behind these halfwords. What does not fault is done
/// here, as its CPU would.
fn run(g: &mut Guest, code: &[u16]) {
    let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    g.core.ram.write(Ipa(CODE), &bytes).unwrap();
    g.regs.spsr |= psr::T;
    g.regs.pc = CODE;
    let mut equal = false;
    for _ in 0..1000 {
        let Some(&first) = code.get(((g.regs.pc - CODE) / 2) as usize) else {
            return;
        };
        let second = code.get(((g.regs.pc - CODE) / 2 + 1) as usize);
        let x = &mut g.regs.x;
        let byte = |at: u64| {
            let mut byte = [0];
            g.core.ram.read(Ipa(at), &mut byte).unwrap();
            u64::from(byte[0])
        };
        let mut length = 2;
        match first {
            0x4618 => x[0] = x[3],
            0x460a => x[2] = x[1],
            0x0212 => x[2] <<= 8,
            0x4283 => equal = x[3] == x[0],
            0x4286 => equal = x[6] == x[0],
            0xd1f3 | 0xd1f6 if equal => {}
            0xd1f3 | 0xd1f6 => {
                let back = u64::from(0x100 - (first & 0xff)) * 2;
                g.regs.pc = g.regs.pc + 4 - back;
                continue;
            }
            _ => {
                length = 4;
                match (first, *second.expect("of 32 bits")) {
                    (0xf103, 0x062c) => x[6] = x[3] + 44,
                    (0xf892, 0x702d) => x[7] = byte(x[2] + 45),
                    (0xf812, 0x5f01) => {
                        x[2] += 1;
                        x[5] = byte(x[2]);
                    }
                    (0xf811, 0x2f01) => {
                        x[1] += 1;
                        x[2] = byte(x[1]);
                    }
                    (0xea45, 0x2507) => x[5] |= x[7] << 8,
                    (0xf3bf, 0x8f5f) => {}
                    (0xf840, 0x5b04) => {
                        let (at, pc) = (x[0], g.regs.pc);
                        assert_eq!(g.trap_at(0x24, 1 << 6 | 7, at), Next::Resume);
                        assert_eq!(g.regs.pc, pc + 4, "at {at:#x}");
                        continue;
                    }
                    (0xf843, 0x2b04) => {
                        let (at, pc) = (x[3], g.regs.pc);
                        assert_eq!(g.trap_at(0x24, 1 << 6 | 7, at), Next::Resume);
                        assert_eq!(g.regs.pc, pc + 4, "at {at:#x}");
                        continue;
                    }
                    other => panic!("not of this code: {other:x?}"),
                }
            }
        }
        g.regs.pc += length;
    }
    panic!("the loop does not end: {:?}", g.regs);
}

/// The registers of the PHY from `at` on.
fn phy(g: &mut Guest, at: u64, count: u64) -> Vec<u64> {
    (0..count)
        .map(|n| {
            assert_eq!(g.word(at + 4 * n, 4, false), Next::Resume);
            g.regs.x[4]
        })
        .collect()
}

fn h3() -> Guest {
    Guest::of(&plan_with(A9, &|f| {
        let node = f.begin_node("dram-phy@1c63000").unwrap();
        f.property_string("compatible", "reliquary,ram").unwrap();
        f.property_array_u32("reg", &[DRAM_PHY as u32, 0x1000])
            .unwrap();
        f.end_node(node).unwrap();
    }))
}

#[test]
fn the_h3s_spl_writes_the_delays_of_addresses_and_commands() {
    let mut g = h3();
    let table = RAM + 0x800;
    let delays: Vec<u8> = (0..31).map(|n| n * 3 + 1).collect();
    g.core.ram.write(Ipa(table), &delays).unwrap();
    // The literals at 0xbc0 and 0xbc4 of the image.
    (g.regs.x[3], g.regs.x[0]) = (0x01c6_3210, 0x01c6_328c);
    g.regs.x[1] = table - 1;
    run(&mut g, &COMMAND_DELAYS);
    assert_eq!(g.regs.x[3], 0x01c6_328c);
    let expected: Vec<u64> = delays.iter().map(|delay| u64::from(*delay) << 8).collect();
    assert_eq!(phy(&mut g, 0x01c6_3210, 31), expected);
    assert_eq!(phy(&mut g, 0x01c6_328c, 1), [0], "and no further one");
}

#[test]
fn the_h3s_spl_writes_the_delays_of_a_byte_lane() {
    let mut g = h3();
    let table = RAM + 0x800;
    let delays: Vec<u8> = (0..60).map(|n| n * 3 + 1).collect();
    g.core.ram.write(Ipa(table), &delays).unwrap();
    // The literal at 0xbbc of the image.
    g.regs.x[3] = 0x01c6_3310;
    g.regs.x[1] = table - 1;
    run(&mut g, &LANE_DELAYS);
    assert_eq!(g.regs.x[0], 0x01c6_3310 + 44);
    let expected: Vec<u64> = (0..11)
        .map(|n| u64::from(delays[n]) | u64::from(delays[n + 44]) << 8)
        .collect();
    assert_eq!(phy(&mut g, 0x01c6_3310, 11), expected);
    assert_eq!(phy(&mut g, 0x01c6_3310 + 44, 1), [0], "and no further one");
}

#[test]
fn u_boot_starts_a_transfer_of_fw_cfg_by_one_strd() {
    // 0x3fc24 of qemu_arm/u-boot.bin (2023.01+dfsg-2+deb12u3): STRD r2, r3, [r1, #16].
    const STRD: u32 = 0xe1c1_21f0;
    const FW_CFG: u64 = 0x0902_0000;
    let mut g = Guest::of(&plan_with(A15, &|f| {
        let node = f.begin_node("fw-cfg@9020000").unwrap();
        f.property_string("compatible", "qemu,fw-cfg-mmio").unwrap();
        f.property_array_u32("reg", &[FW_CFG as u32, 0x18]).unwrap();
        f.end_node(node).unwrap();
    }));
    // Select the signature and read its four bytes into RAM.
    let (descriptor, to) = (RAM + 0x800, RAM + 0x900);
    for (offset, word) in [(0, 0xau32), (4, 4), (8, 0), (12, to as u32)] {
        g.put(descriptor + offset, word.swap_bytes());
    }
    g.regs.x[1] = FW_CFG;
    g.regs.x[2] = 0;
    g.regs.x[3] = u64::from((descriptor as u32).swap_bytes());
    let (before, at) = (g.regs.clone(), g.regs.pc);
    g.put(at, STRD);
    assert_eq!(g.trap_at(0x24, 1 << 6 | 7, FW_CFG + 16), Next::Resume);
    assert_eq!((g.regs.x, g.regs.pc), (before.x, at + 4));
    let mut done = [0xee; 4];
    g.core.ram.read(Ipa(descriptor), &mut done).unwrap();
    assert_eq!(done, [0; 4], "the control word");
    g.core.ram.read(Ipa(to), &mut done).unwrap();
    assert_eq!(&done, b"QEMU");
}
