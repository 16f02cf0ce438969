//! Board vexpress-a9: an SD card behind the PL180 (Arm DDI 0172A), identified, read, written and
//! read back, with one line and with four.
//!
//! The card's medium is 1 MiB: each 32-bit word, little-endian, is its number times 0x9e3779b1.
//! What is printed is the same on QEMU's model of the board.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::device::Device;
use firmware::{VEXPRESS_A9, check, println};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// The medium's blocks of 512 bytes.
const BLOCKS: u32 = 2048;
const WORDS: usize = 128;

const SHORT: u32 = 1 << 6;
const LONG: u32 = SHORT | 1 << 7;
// MCIStatus.
const CMD_CRC_FAIL: u32 = 1;
const CMD_TIME_OUT: u32 = 1 << 2;
const CMD_RESP_END: u32 = 1 << 6;
const CMD_SENT: u32 = 1 << 7;
const DATA_END: u32 = 1 << 8;
const DATA_FAILED: u32 = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9;
const TX_FIFO_FULL: u32 = 1 << 16;
const RX_DATA_AVLBL: u32 = 1 << 21;

fn mci() -> Device {
    // SAFETY: a PL180.
    unsafe { Device::at(0x1000_5000) }
}

fn system() -> Device {
    // SAFETY: the system registers.
    unsafe { Device::at(0x1000_0000) }
}

/// What a command came to.
#[derive(PartialEq)]
enum Outcome {
    Silence,
    Response(u32),
}

/// Gives a command. R3 has no CRC: hardware says that it is wrong, QEMU that it is right.
fn command(index: u32, argument: u32, response: u32) -> Outcome {
    let due = CMD_CRC_FAIL | CMD_TIME_OUT | CMD_RESP_END | CMD_SENT;
    mci().write(0x38, 0x7ff);
    mci().write(0x08, argument);
    mci().write(0x0c, index | response | 1 << 10);
    for _ in 0..1_000_000 {
        let status = mci().read(0x34) & due;
        if status != 0 {
            mci().write(0x0c, 0);
            return if status & CMD_TIME_OUT == 0 {
                Outcome::Response(mci().read(0x14))
            } else {
                Outcome::Silence
            };
        }
    }
    check::fail(format_args!("CMD{index} never ends"))
}

/// Gives a command that is answered.
fn answered(index: u32, argument: u32) -> u32 {
    match command(index, argument, SHORT) {
        Outcome::Response(content) => content,
        Outcome::Silence => check::fail(format_args!("CMD{index} is not answered")),
    }
}

fn application(rca: u32, index: u32, argument: u32) -> u32 {
    answered(55, rca);
    answered(index, argument)
}

/// Enables the data path for whole blocks of two to the power of `block` bytes.
fn data(bytes: u32, block: u32, from_card: bool) {
    mci().write(0x24, 0xffff_ffff);
    mci().write(0x28, bytes);
    mci().write(0x2c, block << 4 | if from_card { 3 } else { 1 });
}

/// Takes so many words of the card's data; with a sum over them.
fn take(words: &mut [u32]) {
    for word in words.iter_mut() {
        while mci().read(0x34) & RX_DATA_AVLBL == 0 {
            if mci().read(0x34) & DATA_FAILED != 0 {
                check::fail(format_args!("no data: {:#x}", mci().read(0x34)));
            }
        }
        *word = mci().read(0x80);
    }
    end_of_data();
}

fn give(words: impl Iterator<Item = u32>) {
    for word in words {
        while mci().read(0x34) & TX_FIFO_FULL != 0 {}
        mci().write(0x80, word);
    }
    end_of_data();
}

fn end_of_data() {
    for _ in 0..1_000_000 {
        let status = mci().read(0x34);
        if status & DATA_FAILED != 0 {
            check::fail(format_args!("data failed: {status:#x}"));
        }
        if status & DATA_END != 0 {
            mci().write(0x2c, 0);
            return;
        }
    }
    check::fail(format_args!("data never ends"))
}

/// FNV-1a.
fn sum(words: &[u32]) -> u32 {
    words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .fold(0x811c_9dc5, |sum, byte| {
            (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
}

/// The medium's word.
fn original(word: u32) -> u32 {
    word.wrapping_mul(0x9e37_79b1)
}

fn is_original(words: &[u32], block: u32) -> bool {
    let first = block * WORDS as u32;
    (first..).zip(words).all(|(n, word)| *word == original(n))
}

fn read_block(block: u32, words: &mut [u32; WORDS]) {
    data(512, 9, true);
    answered(17, block * 512);
    take(words);
}

/// Identifies the card; its RCA in bits 31 to 16.
fn identify(checks: &mut check::Checks) -> u32 {
    mci().write(0x00, 0x3);
    mci().write(0x04, 0x11d); // 400 kHz of 24 MHz
    checks.that("CMD0 is sent", command(0, 0, 0) == Outcome::Response(0));
    checks.equal("CMD8 is echoed", answered(8, 0x1aa).into(), 0x1aa);
    checks.that(
        "CMD5 is not answered: no SDIO",
        command(5, 0, SHORT) == Outcome::Silence,
    );
    let mut ocr = 0;
    for _ in 0..100_000 {
        ocr = application(0, 41, 0x40ff_8000);
        if ocr >> 31 != 0 {
            break;
        }
    }
    // Bits 23 to 20 are 3.2 V to 3.6 V, bit 30 high capacity.
    checks.equal("ACMD41", u64::from(ocr & 0xc0f0_0000), 0x80f0_0000);
    checks.that("CMD2 gives a CID", command(2, 0, LONG) != Outcome::Silence);
    let rca = answered(3, 0) & 0xffff_0000;
    checks.that("CMD3 gives an RCA", rca != 0);
    command(9, rca, LONG);
    let csd = [0x14, 0x18, 0x1c, 0x20].map(|at| mci().read(at));
    checks.equal("the CSD's version", u64::from(csd[0] >> 30), 0);
    let read_bl_len = csd[1] >> 16 & 0xf;
    let c_size = (csd[1] & 0x3ff) << 2 | csd[2] >> 30;
    let mult = csd[2] >> 15 & 7;
    let blocks = (c_size + 1) << (mult + 2 + read_bl_len - 9);
    checks.equal("the CSD's size in blocks", blocks.into(), BLOCKS.into());
    answered(7, rca);
    mci().write(0x04, 0x100);
    checks.equal(
        "the card is selected",
        u64::from(answered(13, rca) >> 9 & 0xf),
        4,
    );
    rca
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("sd-a9", &VEXPRESS_A9);
    checks.equal(
        "SYS_MCI: a card is in",
        u64::from(system().read(0x48) & 3),
        1,
    );
    let rca = identify(&mut checks);
    let mut words = [0; WORDS];

    application(rca, 51, 0);
    data(8, 3, true);
    take(&mut words[..2]);
    checks.equal("SCR: version 2.00", u64::from(words[0] & 0xff), 2);
    checks.equal("SCR: one line and four", u64::from(words[0] >> 8 & 5), 5);

    answered(16, 512);
    for block in [0, 5, BLOCKS - 1] {
        read_block(block, &mut words);
        println!("block {block}: {:#010x}", sum(&words));
        checks.that("it is the medium's", is_original(&words, block));
    }
    // OUT_OF_RANGE; QEMU's card says ADDRESS_ERROR.
    checks.that(
        "CMD17 behind the end is refused",
        answered(17, BLOCKS * 512) >> 30 != 0,
    );

    data(512, 9, false);
    answered(24, 7 * 512);
    give((0..128).map(|n| n * 3));
    read_block(7, &mut words);
    println!("block 7, written: {:#010x}", sum(&words));
    checks.that(
        "what is written is read",
        (0..128).zip(words).all(|(n, word)| word == n * 3),
    );
    read_block(8, &mut words);
    checks.that("the block behind it is as it was", is_original(&words, 8));

    // Four lines, several blocks.
    application(rca, 6, 2);
    mci().write(0x04, 0x900);
    application(rca, 23, 4);
    answered(25, 100 * 512);
    data(4 * 512, 9, false);
    give((0..512).map(|n| !n));
    checks.equal("CMD12 ends it", u64::from(answered(12, 0) & 0xfdff_e000), 0);
    while answered(13, rca) >> 8 & 0x1f != 0x9 {}
    let mut all = [0; 5 * WORDS];
    data(5 * 512, 9, true);
    answered(18, 100 * 512);
    take(&mut all);
    answered(12, 0);
    println!("blocks 100 to 104: {:#010x}", sum(&all));
    checks.that(
        "blocks written together are read together",
        (0..512).zip(all).all(|(n, word)| word == !n) && is_original(&all[512..], 104),
    );

    answered(32, 101 * 512);
    answered(33, 102 * 512);
    answered(38, 0);
    while answered(13, rca) >> 8 & 0x1f != 0x9 {}
    read_block(101, &mut words);
    checks.that(
        "an erased block is all zeroes or all ones",
        words.iter().all(|word| *word == words[0]) && matches!(words[0], 0 | 0xffff_ffff),
    );
    read_block(103, &mut words);
    checks.equal(
        "the block behind it is not",
        words[0].into(),
        u64::from(!384_u32),
    );

    // MCIINTR0 and MCIINTR1 are SPI 9 and 10.
    // SAFETY: the distributor.
    let distributor = unsafe { Device::at(0x1e00_1000) };
    let pending = || u64::from(distributor.read(0x204) >> 9 & 3);
    mci().write(0x38, 0x7ff);
    mci().write(0x3c, CMD_RESP_END);
    mci().write(0x40, CMD_RESP_END);
    checks.equal("no interrupt yet", pending(), 0);
    mci().write(0x08, rca);
    mci().write(0x0c, 0x0d | SHORT | 1 << 10);
    while mci().read(0x34) & CMD_RESP_END == 0 {}
    checks.equal("MCIINTR0 and MCIINTR1", pending(), 3);
    mci().write(0x38, 0x7ff);
    checks.equal("cleared", u64::from(mci().read(0x34) & CMD_RESP_END), 0);
    checks.finish()
}
