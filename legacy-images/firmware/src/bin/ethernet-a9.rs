//! Board vexpress-a9: its Ethernet controller, with frames that the PHY loops back, so that no
//! wire is needed (SMSC LAN9118 data sheet, 3.12, 3.13, 5.3 to 5.5).
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm32::{Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::Gic;
use firmware::lan9118::{GPT_INT, Lan9118, RSFL, SW_INT};
use firmware::{VEXPRESS_A9, check, println};

/// SPI 15.
const INTID: u32 = 47;

/// What INT_STS had of the enabled sources, in interrupts since it was last taken.
static SOURCES: AtomicU32 = AtomicU32::new(0);

fn lan() -> Lan9118 {
    // SAFETY: the Ethernet controller.
    Lan9118(unsafe { Device::at(0x4e00_0000) })
}

fn gic() -> Gic {
    // SAFETY: the Cortex-A9's private peripherals.
    let private = unsafe { Device::at(0x1e00_0000) };
    Gic {
        distributor: private.part(0x1000),
        interface: private.part(0x100),
    }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    frame.lr -= 4;
    let acknowledged = gic().acknowledge();
    if acknowledged & 0x3ff == INTID {
        let enabled = lan().0.read(0x5c);
        let sources = lan().0.read(0x58) & enabled;
        lan().0.write(0x5c, 0);
        lan().0.write(0x58, sources);
        SOURCES.fetch_or(sources, Ordering::Relaxed);
    }
    gic().end(acknowledged);
}

/// Waits for an interrupt of the controller: its sources.
fn taken() -> u64 {
    loop {
        interrupts(false);
        let sources = SOURCES.swap(0, Ordering::Relaxed);
        if sources != 0 {
            return u64::from(sources);
        }
        wait();
        interrupts(true);
    }
}

/// A frame of 100 octets to this address.
fn frame_to(to: [u8; 6]) -> [u8; 100] {
    let mut frame = [0; 100];
    for (n, octet) in frame.iter_mut().enumerate() {
        *octet = (n * 7) as u8;
    }
    frame[..6].copy_from_slice(&to);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("ethernet-a9", &VEXPRESS_A9);
    let lan = lan();
    checks.equal("BYTE_TEST", lan.0.read(0x64).into(), 0x8765_4321);
    checks.equal("ID_REV: a LAN9118", (lan.0.read(0x50) >> 16).into(), 0x0118);
    lan.0.write(0x74, 1);
    while lan.0.read(0x74) & 1 != 0 {}
    checks.equal("HW_CFG", lan.0.read(0x74).into(), 0x0005_0004);
    checks.equal("FIFO_INT", lan.0.read(0x68).into(), 0x4800_0000);
    checks.equal("TX_FIFO_INF: room", lan.0.read(0x80).into(), 4608);
    checks.equal("PMT_CTRL: ready", u64::from(lan.0.read(0x84) & 1), 1);
    checks.equal("MAC_CR: promiscuous", lan.mac(1).into(), 0x0004_0000);

    checks.equal("the EEPROM has an address", lan.eeprom(0).into(), 0xa5);
    let mut own = [0; 6];
    for (octet, n) in own.iter_mut().zip(1..) {
        *octet = lan.eeprom(n) as u8;
    }
    let [a, b, c, d, e, f] = own;
    println!("address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    let low = u32::from_le_bytes([a, b, c, d]);
    checks.equal("ADDRL is what it holds", lan.mac(3).into(), low.into());
    let high = u32::from_le_bytes([e, f, 0, 0]);
    checks.equal("ADDRH is, too", u64::from(lan.mac(2) & 0xffff), high.into());

    checks.equal("PHY ID 1", lan.phy(2).into(), 0x0007);
    checks.equal("PHY ID 2", lan.phy(3).into(), 0xc0d1);
    checks.equal("BSR: link up, negotiated", lan.phy(1).into(), 0x782d);

    gic().open();
    gic().enable(INTID);
    lan.0.write(0x58, !0);
    lan.0.write(0x54, 0x111); // IRQ_CFG: enabled, active high, push-pull
    lan.0.write(0x5c, SW_INT);
    checks.equal("the software interrupt", taken(), SW_INT.into());
    lan.0.write(0x5c, GPT_INT);
    lan.0.write(0x8c, 1 << 29 | 20); // 2 ms
    checks.equal("the timer's interrupt", taken(), GPT_INT.into());
    lan.0.write(0x8c, 0xffff);
    let then = lan.0.read(0x9c);
    while lan.0.read(0x9c).wrapping_sub(then) < 2500 {}
    checks.that("FREE_RUN runs", true);

    lan.set_phy(0, 0x6100); // loopback, 100 Mb/s, full duplex
    checks.equal("BMCR", lan.phy(0).into(), 0x6100);
    lan.set_mac(1, 0x0010_000c); // full duplex, perfect filter, both directions on
    lan.0.write(0x70, 2); // TX_ON
    lan.0.write(0x68, 0x4800_0000);
    let mut into = [0; 128];
    for (what, to, flags) in [("to itself", own, 0), ("to all", [0xff; 6], 0x2000)] {
        println!("a frame {what}");
        let frame = frame_to(to);
        lan.0.write(0x58, !0);
        lan.0.write(0x5c, RSFL);
        lan.send(&frame, 0x1234, 100);
        checks.equal("the interrupt of the RX status", taken(), RSFL.into());
        let status = lan.receive(&mut into, 0).unwrap_or(0);
        checks.equal("its length, with the FCS", u64::from(status >> 16), 104);
        checks.equal("its kind", u64::from(status & 0xa400), flags);
        checks.that("its octets", into[..100] == frame);
        checks.equal("TX status: the tag", lan.0.read(0x48).into(), 0x1234_0000);
    }
    let mut other = own;
    other[5] ^= 1;
    lan.send(&frame_to(other), 1, 100);
    checks.that(
        "a frame to another is not received",
        lan.receive(&mut into, 0).is_none(),
    );
    lan.set_mac(1, 0x8010_000c); // RXALL
    lan.send(&frame_to(other), 2, 100);
    let status = lan.receive(&mut into, 0).unwrap_or(0);
    checks.equal("with RXALL it is, and marked", u64::from(status >> 30), 1);

    lan.0.write(0x6c, 2 << 8); // RX_CFG: an offset of two octets
    let frame = frame_to(own);
    lan.send(&frame, 3, 37);
    let status = lan.receive(&mut into, 2).unwrap_or(0);
    checks.equal("three buffers make one frame", u64::from(status >> 16), 104);
    checks.that("which is read behind its offset", into[2..102] == frame);
    checks.equal("nothing is left", lan.0.read(0x7c).into(), 0);
    lan.send(&frame, 4, 100);
    lan.0.write(0x78, 1 << 31); // RX_FFWD
    while lan.0.read(0x78) >> 31 != 0 {}
    let _ = lan.0.read(0x40);
    checks.equal("TX statuses", u64::from(lan.0.read(0x80) >> 16), 4);
    for tag in 1..=4 {
        checks.equal("each with its tag", u64::from(lan.0.read(0x48) >> 16), tag);
    }
    checks.finish()
}
