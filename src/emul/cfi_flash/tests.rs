use super::*;
use crate::access::Width;
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::Ipa;
use alloc::vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

mod amd;

struct Store(Mutex<Vec<u8>>, AtomicUsize);

impl BoardMemory for Store {
    fn read(&self, _: Ipa, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn write(&self, _: Ipa, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_read(&self, _: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        let store = self.0.lock().unwrap();
        into.copy_from_slice(
            store
                .get(offset as usize..offset as usize + into.len())
                .ok_or(Unbacked)?,
        );
        Ok(())
    }
    fn store_write(&self, _: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        self.1.fetch_add(from.len(), Ordering::Relaxed);
        let mut store = self.0.lock().unwrap();
        store
            .get_mut(offset as usize..offset as usize + from.len())
            .ok_or(Unbacked)?
            .copy_from_slice(from);
        Ok(())
    }
}

struct Rig {
    flash: CfiFlash,
    store: Store,
    now: Instant,
    asked: Option<Ask>,
}

const SECTOR: u64 = 256 * 1024;

impl Rig {
    fn with(config: &Config) -> Self {
        let flash = CfiFlash::new(config).unwrap();
        let bytes = (0..flash.store_size()).map(|i| (i % 251) as u8).collect();
        Self {
            flash,
            store: Store(Mutex::new(bytes), AtomicUsize::new(0)),
            now: Instant(1000),
            asked: None,
        }
    }
    /// Two banks of 1 MiB, each of two 16-bit chips.
    fn vexpress() -> Self {
        Self::with(&Config::new(vec![1 << 20, 1 << 20], 4))
    }
    fn at(region: u8, offset: u64, width: Width) -> Access {
        Access {
            region,
            ..Access::word(offset).sized(width)
        }
    }
    fn write(&mut self, region: u8, offset: u64, width: Width, value: u64) {
        let mut cx = Cx::new(self.now, &self.store, Some(StoreId(0)));
        self.flash.advance(&mut cx);
        self.flash
            .write(&mut cx, Self::at(region, offset, width), value)
            .unwrap();
        self.asked = cx.asked();
    }
    fn read(&mut self, region: u8, offset: u64, width: Width) -> u64 {
        let mut cx = Cx::new(self.now, &self.store, Some(StoreId(0)));
        self.flash.advance(&mut cx);
        self.flash
            .read(&mut cx, Self::at(region, offset, width))
            .unwrap()
    }
    fn w(&mut self, offset: u64, value: u64) {
        self.write(0, offset, Width::Word, value);
    }
    fn r(&mut self, offset: u64) -> u64 {
        self.read(0, offset, Width::Word)
    }
    fn finish(&mut self) -> usize {
        let mut steps = 0;
        while let Some(due) = self.flash.deadline() {
            self.now = self.now.max(due);
            self.flash
                .advance(&mut Cx::new(self.now, &self.store, Some(StoreId(0))));
            steps += 1;
            assert!(steps < 100_000);
        }
        steps
    }
    fn bytes(&self, from: u64, len: u64) -> Vec<u8> {
        self.store.0.lock().unwrap()[from as usize..(from + len) as usize].to_vec()
    }
    fn fill(&mut self, byte: u8) {
        self.store.0.lock().unwrap().fill(byte);
    }
}

#[test]
fn array_mode_reads_the_store_at_every_width_and_alignment() {
    let mut rig = Rig::vexpress();
    for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
        for offset in [0, 1, 2, 3, 5, 0xffff8] {
            let want = rig.bytes((1 << 20) + offset, width.bytes());
            assert_eq!(
                &rig.read(1, offset, width).to_le_bytes()[..want.len()],
                want
            );
        }
    }
}

#[test]
fn query_tells_the_geometry_of_two_64_mib_banks() {
    let config = Config::new(vec![64 << 20, 64 << 20], 4);
    let mut flash = CfiFlash::new(&config).unwrap();
    assert_eq!(flash.store_size(), 128 << 20);
    let store = Store(Mutex::new(Vec::new()), AtomicUsize::new(0));
    let mut cx = Cx::new(Instant::ZERO, &store, Some(StoreId(0)));
    let write = |flash: &mut CfiFlash, cx: &mut Cx<'_>, v| {
        flash.write(cx, Access::word(0x55 * 4), v).unwrap();
    };
    write(&mut flash, &mut cx, 0x0098_0098);
    // The whole table of one chip; both lanes answer the same.
    let table: &[(u64, &[u8])] = &[
        (0x10, b"QRY\x01\x00\x31\x00\x00\x00\x00\x00"),
        (0x1b, &[0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0]),
        (0x27, &[25, 2, 0, 11, 0, 1, 255, 0, 0, 2]),
        (
            0x31,
            b"PRI10\x26\x00\x00\x00\x00\x03\x00\x00\x00\x01\x80\x00\x03\x03\x00",
        ),
    ];
    for (from, bytes) in table {
        for (word, byte) in (*from..).zip(*bytes) {
            let got = flash.read(&mut cx, Access::word(word * 4)).unwrap();
            assert_eq!(got, u64::from(*byte) * 0x0001_0001, "query word {word:#x}");
        }
    }
    // The table is there in every block.
    assert_eq!(
        flash
            .read(&mut cx, Access::word(SECTOR * 3 + 0x40))
            .unwrap(),
        0x0051_0051
    );
}

#[test]
fn identifier_mode_tells_codes_and_each_blocks_lock() {
    let mut rig = Rig::vexpress();
    rig.w(SECTOR, 0x0060_0060);
    rig.w(SECTOR, 0x0001_0001);
    rig.w(0, 0x0090_0090);
    for (offset, want) in [
        (0, 0x0089_0089),
        (4, 0x0018_0018),
        (8, 0),
        (20, 0xbfcf_bfcf),
        (0x200, 0xfffc_fffc),
        (SECTOR + 8, 0x0001_0001),
        (SECTOR * 2 + 8, 0),
    ] {
        assert_eq!(rig.r(offset), want, "{offset:#x}");
    }
}

#[test]
fn leaving_array_mode_takes_direct_reads_away_and_entering_it_gives_them_back() {
    let mut rig = Rig::vexpress();
    assert!(rig.flash.direct_reads(0) && rig.flash.direct_reads(1) && !rig.flash.direct_reads(2));
    rig.write(1, 0, Width::Word, 0x0070_0070);
    assert_eq!(
        rig.asked,
        Some(Ask::DirectReads {
            region: 1,
            on: false
        })
    );
    assert!(rig.flash.direct_reads(0) && !rig.flash.direct_reads(1));
    rig.write(1, 0, Width::Word, 0x0098_0098);
    assert_eq!(rig.asked, None);
    rig.write(1, 0, Width::Word, 0x00ff_00ff);
    assert_eq!(
        rig.asked,
        Some(Ask::DirectReads {
            region: 1,
            on: true
        })
    );
}

#[test]
fn banks_keep_command_states_of_their_own() {
    let mut rig = Rig::vexpress();
    rig.w(0, 0x0098_0098);
    rig.write(1, 0, Width::Word, 0x0070_0070);
    assert_eq!(rig.r(0x40), 0x0051_0051);
    assert_eq!(rig.read(1, 0x40, Width::Word), 0x0080_0080);
}

#[test]
fn chips_of_a_bank_are_commanded_one_by_one_through_their_lanes() {
    let mut rig = Rig::vexpress();
    rig.write(0, 2, Width::Half, 0x98);
    let array = rig.bytes(0x40, 2);
    assert_eq!(
        rig.r(0x40),
        u64::from(u16::from_le_bytes([array[0], array[1]])) | 0x51 << 16
    );
    assert!(!rig.flash.direct_reads(0));
    rig.write(0, 2, Width::Half, 0xff);
    assert_eq!(
        rig.asked,
        Some(Ask::DirectReads {
            region: 0,
            on: true
        })
    );
}

impl Rig {
    /// One bank of 1 MiB: two 16-bit chips in step.
    fn in_step() -> Self {
        Self::with(&Config {
            in_step: true,
            ..Config::new(vec![1 << 20], 4)
        })
    }
    fn halves(&mut self, writes: &[(u64, u64)]) {
        for (offset, value) in writes {
            self.write(0, *offset, Width::Half, *value);
        }
    }
}

#[test]
fn a_probe_by_narrow_writes_leaves_chips_in_step_in_array_mode_and_others_not() {
    // The probe of U-Boot's qemu_arm: bytes, then halfwords, whose 0x98 reaches the odd lane
    // and whose 0xff the even one only.
    let probe = |rig: &mut Rig| {
        rig.write(0, 0x55, Width::Byte, 0x98);
        rig.write(0, 0, Width::Byte, 0xff);
        rig.halves(&[(0, 0xf0), (0, 0xff), (0xaa, 0x98), (0xaaa, 0x98)]);
        rig.halves(&[(0, 0xf0), (0, 0xff), (0x154, 0x98)]);
        let query = rig.read(0, 0x40, Width::Half);
        rig.halves(&[(0, 0xff)]);
        query
    };
    let mut rig = Rig::in_step();
    assert_eq!(probe(&mut rig), u64::from(b'Q'));
    assert_eq!(
        rig.asked,
        Some(Ask::DirectReads {
            region: 0,
            on: true
        })
    );
    assert!(rig.flash.direct_reads(0));
    let mut apart = Rig::vexpress();
    assert_eq!(probe(&mut apart), u64::from(b'Q'));
    assert!(!apart.flash.direct_reads(0), "the odd lane still answers");
}

#[test]
fn chips_in_step_program_only_the_bytes_that_a_write_drives() {
    let mut rig = Rig::in_step();
    rig.fill(0xff);
    rig.halves(&[(0x102, 0x40), (0x102, 0x1234)]);
    assert_eq!(rig.r(0) & 0xff, 0x80, "ready");
    rig.write(0, 0x105, Width::Byte, 0x40);
    rig.write(0, 0x105, Width::Byte, 0x56);
    rig.halves(&[(0, 0xff)]);
    assert_eq!((rig.r(0x100), rig.r(0x104)), (0x1234_ffff, 0xffff_56ff));
    assert!(rig.bytes(0x108, 0x1000).iter().all(|byte| *byte == 0xff));
}

#[test]
fn chips_in_step_erase_their_blocks_together_by_a_narrow_command() {
    let mut rig = Rig::in_step();
    rig.fill(0);
    rig.halves(&[(SECTOR, 0x20), (SECTOR, 0xd0)]);
    rig.finish();
    assert!(rig.bytes(SECTOR, SECTOR).iter().all(|byte| *byte == 0xff));
    assert!(rig.bytes(0, SECTOR).iter().all(|byte| *byte == 0));
    assert!(rig.bytes(2 * SECTOR, SECTOR).iter().all(|byte| *byte == 0));
}

#[test]
fn chips_in_step_take_a_buffer_of_narrow_writes_up_to_a_blocks_end() {
    // 1,024 halfwords: as many writes as a buffer has words, half as many words.
    let from = 2 * SECTOR - 2048;
    let mut rig = Rig::in_step();
    rig.fill(0xff);
    rig.halves(&[(from, 0xe8), (from, 0x3ff)]);
    for i in 0..1024 {
        rig.halves(&[(from + 2 * i, 0x5000 + i)]);
    }
    rig.halves(&[(from, 0xd0)]);
    assert_eq!(rig.r(0), 0x0080_0080, "no error");
    rig.halves(&[(0, 0xff)]);
    for i in 0..1024 {
        assert_eq!(rig.read(0, from + 2 * i, Width::Half), 0x5000 + i);
    }
    assert_eq!(
        (rig.r(from - 4), rig.r(2 * SECTOR)),
        (u64::from(u32::MAX), u64::from(u32::MAX))
    );
}

#[test]
fn a_word_program_only_clears_bits() {
    let mut rig = Rig::vexpress();
    rig.fill(0x5a);
    rig.w(0x100, 0x0040_0040);
    rig.w(0x100, 0xf0ff_ff0f);
    assert_eq!(rig.r(0), 0x0080_0080);
    rig.w(0, 0x00ff_00ff);
    assert_eq!(rig.r(0x100), 0x505a_5a0a);
    assert_eq!(rig.r(0xfc), 0x5a5a_5a5a);
    assert_eq!(rig.r(0x104), 0x5a5a_5a5a);
}

#[test]
fn an_erase_fills_its_block_in_bounded_steps_and_nothing_else() {
    let mut rig = Rig::vexpress();
    rig.fill(0);
    rig.w(SECTOR + 8, 0x0020_0020);
    let before = rig.store.1.load(Ordering::Relaxed);
    rig.w(SECTOR + 8, 0x00d0_00d0);
    // Both chips write the interleaved span that each of them read.
    assert!(rig.store.1.load(Ordering::Relaxed) - before <= 2 * TRANSFER_MAX);
    let mut cx = Cx::new(rig.now, &rig.store, Some(StoreId(0)));
    assert_eq!(rig.flash.read(&mut cx, Access::word(0)).unwrap(), 0, "busy");
    assert!(rig.finish() > 32);
    assert_eq!(rig.r(0), 0x0080_0080);
    assert!(rig.bytes(SECTOR, SECTOR).iter().all(|byte| *byte == 0xff));
    assert!(rig.bytes(0, SECTOR).iter().all(|byte| *byte == 0));
    assert!(
        rig.bytes(SECTOR * 2, 2 * SECTOR)
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_eq!(
        rig.bytes(SECTOR * 4, SECTOR * 4),
        vec![0; SECTOR as usize * 4]
    );
}

#[test]
fn one_chips_erase_leaves_the_other_lanes_bytes() {
    let mut rig = Rig::vexpress();
    rig.fill(0);
    rig.write(0, 0, Width::Half, 0x20);
    rig.write(0, 0, Width::Half, 0xd0);
    rig.finish();
    assert!(
        rig.bytes(0, SECTOR)
            .chunks(4)
            .all(|word| word == [0xff, 0xff, 0, 0])
    );
}

#[test]
fn polling_alone_brings_an_erase_to_its_end() {
    let mut rig = Rig::vexpress();
    rig.w(0, 0x0020_0020);
    rig.w(0, 0x00d0_00d0);
    let polls = (0..1000).take_while(|_| rig.r(0) != 0x0080_0080).count();
    assert!((1..500).contains(&polls), "{polls}");
}

#[test]
fn a_busy_time_is_kept_to_the_nanosecond() {
    let config = Config {
        program_ns: 500,
        erase_ns: 9_000_000,
        ..Config::new(vec![1 << 20], 2)
    };
    let mut rig = Rig::with(&config);
    rig.write(0, 0, Width::Half, 0x40);
    rig.write(0, 0, Width::Half, 0x1234);
    assert_eq!(rig.flash.deadline(), Some(Instant(1500)));
    rig.now = Instant(1499);
    assert_eq!(rig.read(0, 0, Width::Half), 0);
    rig.now = Instant(1500);
    assert_eq!(rig.read(0, 0, Width::Half), 0x80);
    rig.write(0, 0, Width::Half, 0x20);
    rig.write(0, 0, Width::Half, 0xd0);
    rig.finish();
    assert_eq!(rig.now, Instant(9_001_500));
    assert_eq!(rig.flash.deadline(), None);
}

#[test]
fn a_buffered_program_writes_its_words_and_no_other() {
    let mut rig = Rig::vexpress();
    rig.fill(0xff);
    rig.w(SECTOR, 0x00e8_00e8);
    assert_eq!(rig.r(SECTOR), 0x0080_0080, "the buffer is there");
    rig.w(SECTOR, 0x0003_0003);
    for i in 0..4 {
        rig.w(SECTOR + 0x20 + 4 * i, 0x1111_2222 * (i + 1));
    }
    assert!(
        rig.bytes(SECTOR, 0x100).iter().all(|byte| *byte == 0xff),
        "before the confirmation"
    );
    rig.w(SECTOR, 0x00d0_00d0);
    rig.w(0, 0x00ff_00ff);
    for i in 0..4 {
        assert_eq!(rig.r(SECTOR + 0x20 + 4 * i), 0x1111_2222 * (i + 1));
    }
    assert_eq!(
        (rig.r(SECTOR + 0x1c), rig.r(SECTOR + 0x30)),
        (0xffff_ffff, 0xffff_ffff)
    );
}

#[test]
fn a_full_buffer_of_both_chips_is_programmed() {
    let mut rig = Rig::vexpress();
    rig.fill(0xff);
    rig.w(0, 0x00e8_00e8);
    rig.w(0, 0x03ff_03ff);
    for i in 0..1024 {
        rig.w(i * 4, i * 0x0001_0001);
    }
    rig.w(0, 0x00d0_00d0);
    assert_eq!(rig.r(0), 0x0080_0080);
    rig.w(0, 0x00ff_00ff);
    assert!((0..1024).all(|i| rig.r(i * 4) == i * 0x0001_0001));
    assert_eq!(rig.r(4096), 0xffff_ffff);
}

#[test]
fn a_wrong_buffered_program_is_a_sequence_error_and_changes_nothing() {
    let cases: &[&[(u64, u64)]] = &[
        &[(0, 0xe8), (0, 1024)],
        &[(0, 0xe8), (SECTOR, 0)],
        &[(0, 0xe8), (0, 1), (0, 7), (0x1000, 7)],
        &[(0, 0xe8), (0, 1), (8, 7), (4, 7)],
        &[(0, 0xe8), (0, 1), (SECTOR, 7)],
        &[(0, 0xe8), (0, 1), (SECTOR - 4, 7)],
        &[(0, 0xe8), (0, 0), (0, 7), (0, 0xff)],
        &[(0, 0xe8), (0, 0), (0, 7), (SECTOR, 0xd0)],
    ];
    for case in cases {
        let mut rig = Rig::vexpress();
        rig.fill(0xff);
        for (offset, value) in *case {
            rig.w(*offset, value * 0x0001_0001);
        }
        assert_eq!(rig.r(0), 0x00b0_00b0, "{case:x?}");
        rig.w(0, 0x0050_0050);
        assert_eq!(rig.r(0), 0x0080_0080);
        assert!(rig.bytes(0, 2 << 20).iter().all(|byte| *byte == 0xff));
    }
}

#[test]
fn an_unconfirmed_erase_or_lock_is_a_sequence_error() {
    for setup in [0x0020_0020, 0x0060_0060] {
        let mut rig = Rig::vexpress();
        let before = rig.bytes(0, SECTOR);
        rig.w(0, setup);
        rig.w(0, 0x00ff_00ff);
        assert_eq!(rig.r(0), 0x00b0_00b0);
        assert_eq!(rig.bytes(0, SECTOR), before);
    }
}

#[test]
fn a_locked_block_is_neither_programmed_nor_erased() {
    let mut rig = Rig::with(&Config {
        locked_at_reset: true,
        ..Config::new(vec![1 << 20], 4)
    });
    let before = rig.bytes(0, 1 << 20);
    for (cycles, want) in [
        (&[0x40_u64, 0][..], 0x0092_0092),
        (&[0x20, 0xd0], 0x00a2_00a2),
        (&[0xe8, 0, 0, 0xd0], 0x0092_0092),
        (&[0xc0, 0], 0x0092_0092),
    ] {
        for cycle in cycles {
            rig.w(0, cycle * 0x0001_0001);
        }
        assert_eq!(rig.r(0), want, "{cycles:x?}");
        rig.w(0, 0x0050_0050);
    }
    assert_eq!(rig.bytes(0, 1 << 20), before);
    rig.w(0, 0x0060_0060);
    rig.w(0, 0x00d0_00d0);
    rig.w(0, 0x0040_0040);
    rig.w(0, 0);
    assert_eq!(rig.r(0), 0x0080_0080);
    assert_eq!(rig.bytes(0, 4), [0; 4]);
}

#[test]
fn a_locked_down_block_stays_locked_until_a_reset() {
    let mut rig = Rig::vexpress();
    for second in [0x2f, 0xd0] {
        rig.w(0, 0x0060_0060);
        rig.w(0, second * 0x0001_0001);
    }
    rig.w(0, 0x0090_0090);
    assert_eq!(rig.r(8), 0x0003_0003);
    rig.flash.reset(Reset::Warm);
    assert!(rig.flash.direct_reads(0));
    rig.w(0, 0x0090_0090);
    assert_eq!(rig.r(8), 0);
}

#[test]
fn a_suspended_erase_reads_as_such_and_goes_on_after_resume() {
    let mut rig = Rig::vexpress();
    rig.fill(0);
    rig.w(0, 0x0020_0020);
    rig.w(0, 0x00d0_00d0);
    rig.w(0, 0x00b0_00b0);
    assert_eq!(rig.r(0), 0x00c0_00c0);
    assert_eq!(rig.flash.deadline(), None);
    rig.w(0, 0x00ff_00ff);
    assert_eq!(rig.r(SECTOR), 0);
    // Nothing else is programmed or erased meanwhile.
    rig.w(SECTOR, 0x0040_0040);
    assert_eq!(rig.r(SECTOR), 0);
    rig.w(0, 0x00d0_00d0);
    rig.finish();
    assert_eq!(rig.r(0), 0x0080_0080);
    assert!(rig.bytes(0, SECTOR).iter().all(|byte| *byte == 0xff));
}

#[test]
fn a_busy_chip_takes_only_suspend_and_status() {
    let mut rig = Rig::with(&Config {
        erase_ns: 1000,
        ..Config::new(vec![1 << 20], 4)
    });
    rig.w(0, 0x0020_0020);
    rig.w(0, 0x00d0_00d0);
    for command in [0xff, 0x98, 0x90, 0x40, 0xe8, 0x60, 0x50, 0xd0] {
        rig.w(0, command * 0x0001_0001);
        assert_eq!(rig.r(0x40), 0);
    }
    rig.finish();
    assert_eq!(rig.r(0x40), 0x0080_0080);
}

#[test]
fn a_store_that_ends_too_soon_is_a_failed_program_or_erase() {
    let mut rig = Rig::vexpress();
    rig.store.0.lock().unwrap().truncate(0x100);
    rig.w(0x200, 0x0040_0040);
    rig.w(0x200, 0);
    assert_eq!(rig.r(0), 0x0090_0090);
    rig.w(0, 0x0050_0050);
    rig.w(0, 0x0020_0020);
    rig.w(0, 0x00d0_00d0);
    rig.finish();
    assert_eq!(rig.r(0), 0x00a0_00a0);
}

#[test]
fn narrow_chips_answer_on_narrow_buses() {
    let mut byte = Rig::with(&Config::new(vec![1 << 20], 1));
    byte.write(0, 0, Width::Byte, 0x98);
    assert_eq!(
        byte.read(0, 0x10, Width::Word),
        u64::from(u32::from_le_bytes(*b"QRY\x01"))
    );
    assert_eq!(byte.read(0, 0x27, Width::Byte), 20);
    assert_eq!(byte.read(0, 0x28, Width::Byte), 0);
    let mut half = Rig::with(&Config::new(vec![1 << 20], 2));
    half.write(0, 0, Width::Half, 0x98);
    assert_eq!(half.read(0, 0x20, Width::Half), 0x51);
    assert_eq!(half.read(0, 0x50, Width::Half), 2);
    half.write(0, 0, Width::Half, 0xf0);
    half.fill(0xff);
    half.write(0, 6, Width::Half, 0x10);
    half.write(0, 6, Width::Half, 0xbeef);
    assert_eq!(half.bytes(4, 6), [0xff, 0xff, 0xef, 0xbe, 0xff, 0xff]);
}

#[test]
fn an_access_past_its_bank_is_refused() {
    let mut rig = Rig::vexpress();
    let mut cx = Cx::new(rig.now, &rig.store, Some(StoreId(0)));
    for access in [
        Rig::at(2, 0, Width::Word),
        Rig::at(0, 1 << 20, Width::Byte),
        Rig::at(1, (1 << 20) - 2, Width::Word),
        Rig::at(0, u64::MAX, Width::Double),
    ] {
        assert_eq!(rig.flash.read(&mut cx, access), Err(Refusal::NoRegister));
        assert_eq!(
            rig.flash.write(&mut cx, access, 0),
            Err(Refusal::NoRegister)
        );
    }
}

#[test]
fn impossible_flashes_are_refused() {
    let good = Config::new(vec![1 << 20], 4);
    for (config, why) in [
        (
            Config {
                bank_width: 3,
                ..good.clone()
            },
            Unbuildable::Width,
        ),
        (
            Config {
                device_width: 4,
                ..good.clone()
            },
            Unbuildable::Width,
        ),
        (
            Config {
                bank_width: 1,
                ..good.clone()
            },
            Unbuildable::Width,
        ),
        (
            Config {
                banks: vec![],
                ..good.clone()
            },
            Unbuildable::Banks,
        ),
        (
            Config {
                banks: vec![1 << 20; 9],
                ..good.clone()
            },
            Unbuildable::Banks,
        ),
        (
            Config {
                banks: vec![3 << 20],
                ..good.clone()
            },
            Unbuildable::Size,
        ),
        (
            Config {
                banks: vec![1 << 17],
                ..good.clone()
            },
            Unbuildable::Size,
        ),
        (
            Config {
                banks: vec![0],
                ..good.clone()
            },
            Unbuildable::Size,
        ),
        (
            Config {
                sector: 3 << 16,
                ..good.clone()
            },
            Unbuildable::Size,
        ),
        (
            Config {
                sector: 0,
                ..good.clone()
            },
            Unbuildable::Size,
        ),
        (
            Config {
                sector: 1 << 31,
                banks: vec![1 << 40],
                ..good.clone()
            },
            Unbuildable::Size,
        ),
    ] {
        assert_eq!(CfiFlash::new(&config).err(), Some(why), "{config:?}");
    }
}

/// Random cycles, many of them commands, never panic, never set a bit without an erase, and a
/// flash restored at any moment goes on exactly as the one that was saved.
#[test]
fn hostile_cycles_do_no_harm_and_every_state_can_be_saved() {
    hostile_cycles(false);
    hostile_cycles(true);
}

fn hostile_cycles(in_step: bool) {
    const COMMANDS: [u64; 16] = [
        0xff, 0x70, 0x90, 0x98, 0x50, 0xd0, 0x10, 0x40, 0x20, 0x60, 0xc0, 0xe8, 0x01, 0x2f, 0xb0,
        0x03,
    ];
    let config = Config {
        banks: vec![1 << 13, 1 << 13],
        sector: 1 << 12,
        erase_ns: 40,
        in_step,
        ..Config::new(vec![], 4)
    };
    hostile(&config, &COMMANDS, &[]);
}

/// Random cycles: most of them are these commands, and half of them at these offsets, if any.
fn hostile(config: &Config, commands: &[u64; 16], places: &[u64]) {
    let (mut one, mut two) = (Rig::with(config), Rig::with(config));
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..40_000 {
        let pick = random();
        let width = [
            Width::Word,
            Width::Word,
            Width::Half,
            Width::Byte,
            Width::Double,
        ][(pick % 5) as usize];
        let region = (pick >> 8 & 1) as u8;
        let offset = (pick >> 16) % (8192 - 8);
        let offset = if pick >> 60 < 12 {
            offset & !3 & 0x1fff
        } else {
            offset
        };
        let offset = match places.get((pick >> 33) as usize % (2 * places.len()).max(1)) {
            Some(place) => *place % (8192 - 8),
            None => offset,
        };
        let value = if pick >> 40 & 7 < 6 {
            commands[(pick >> 44 & 15) as usize] * 0x0001_0001_0001_0001
        } else {
            random()
        } & width.mask();
        if pick >> 48 & 1 == 0 {
            one.write(region, offset, width, value);
            two.write(region, offset, width, value);
            assert_eq!(one.asked, two.asked);
        }
        assert_eq!(
            one.read(region, offset, width),
            two.read(region, offset, width),
            "round {round}"
        );
        assert_eq!(one.flash.deadline(), two.flash.deadline());
        one.now.0 += pick >> 52 & 15;
        two.now = one.now;
        if round % 64 == 0 {
            let mut out = Writer::default();
            one.flash.save(&mut out);
            let saved = out.into_bytes();
            let mut restored = CfiFlash::new(config).unwrap();
            let mut from = Reader::new(&saved);
            restored.load(&mut from).unwrap();
            from.end().unwrap();
            two.flash = restored;
        }
    }
    assert_eq!(one.bytes(0, 1 << 14), two.bytes(0, 1 << 14));
}

#[test]
fn damaged_saved_states_are_refused_or_harmless() {
    let config = Config {
        banks: vec![1 << 13],
        sector: 1 << 12,
        ..Config::new(vec![], 4)
    };
    let mut rig = Rig::with(&config);
    rig.w(0, 0x00e8_00e8);
    rig.w(0, 0x0003_0003);
    rig.w(0, 1);
    let mut out = Writer::default();
    rig.flash.save(&mut out);
    let saved = out.into_bytes();
    for index in 0..80 {
        for bit in 0..8 {
            let mut damaged = saved.clone();
            damaged[index] ^= 1 << bit;
            if rig.flash.load(&mut Reader::new(&damaged)).is_err() {
                assert!(rig.flash.direct_reads(0), "as after a reset");
            }
            for value in [3, 0x00d0_00d0, 0x00ff_00ff] {
                rig.w(4, value);
                rig.r(8);
            }
            rig.finish();
        }
    }
    assert_eq!(
        rig.flash.load(&mut Reader::new(&saved[..saved.len() - 1])),
        Err(Refusal::BadState)
    );
}
