//! The AMD command set: S29GL-P_00_A7, chapter 7 and tables 12.1 to 12.4.

use super::*;

const KIB: u64 = 1024;
/// A chip's sector.
const SECTOR: u64 = 128 * KIB;

fn config(bank_width: u8, device_width: u8) -> Config {
    Config::amd(vec![1 << 20], bank_width, device_width)
}

/// One bank of 1 MiB on a bus of two bytes, one chip.
struct Amd(Rig);

impl Amd {
    fn new() -> Self {
        Self::with(&config(2, 2))
    }

    fn with(config: &Config) -> Self {
        let mut rig = Rig::with(config);
        rig.fill(0);
        Self(rig)
    }

    /// Writes at a word of the chip.
    fn w(&mut self, word: u64, value: u64) {
        self.0.write(0, word * 2, Width::Half, value);
    }

    fn r(&mut self, word: u64) -> u64 {
        self.0.read(0, word * 2, Width::Half)
    }

    fn unlock(&mut self, command: u64) {
        self.w(0x555, 0xaa);
        self.w(0x2aa, 0x55);
        self.w(0x555, command);
    }

    fn erase(&mut self, word: u64) {
        self.unlock(0x80);
        self.w(0x555, 0xaa);
        self.w(0x2aa, 0x55);
        self.w(word, 0x30);
    }

    fn program(&mut self, word: u64, value: u64) {
        self.unlock(0xa0);
        self.w(word, value);
    }

    fn at(&mut self, now: u64) {
        self.0.now = Instant(now);
        let mut cx = Cx::new(self.0.now, &self.0.store, Some(StoreId(0)));
        self.0.flash.advance(&mut cx);
        if cx.asked().is_some() {
            self.0.asked = cx.asked();
        }
    }

    fn direct(&self) -> bool {
        self.0.flash.direct_reads(0)
    }
}

/// The words of a sector.
const WORDS: u64 = SECTOR / 2;

#[test]
fn query_tells_the_geometry_and_the_extended_table() {
    let mut amd = Amd::new();
    amd.w(0x54, 0x98);
    assert_eq!(amd.r(0x10), 0, "only at 0x55");
    amd.w(0x55, 0x98);
    let table: &[(u64, &[u8])] = &[
        (0x10, b"QRY\x02\x00\x40\x00\x00\x00\x00\x00"),
        (0x1b, &[0x27, 0x36, 0, 0, 6, 6, 9, 19, 3, 5, 3, 2]),
        (0x27, &[20, 2, 0, 6, 0, 1, 7, 0, 0, 2]),
        (
            0x40,
            b"PRI13\x14\x02\x01\x00\x08\x00\x00\x02\xb5\xc5\x00\x00",
        ),
    ];
    for (from, bytes) in table {
        for (word, byte) in (*from..).zip(*bytes) {
            assert_eq!(amd.r(word), u64::from(*byte), "query word {word:#x}");
        }
    }
    assert!(!amd.direct());
    amd.w(0, 0xf0);
    assert!(amd.direct());
    assert_eq!(amd.r(0x10), 0);
}

#[test]
fn autoselect_tells_the_codes_and_each_sectors_protection() {
    let mut amd = Amd::with(&Config::amd(vec![32 << 20], 2, 2));
    amd.unlock(0x90);
    let codes = [0, 1, 2, 3, 0xe, 0xf].map(|word| amd.r(word));
    assert_eq!(codes, [0x01, 0x227e, 0, 0x19, 0x2222, 0x2201]);
    assert_eq!(amd.r(WORDS + 1), 0x227e, "in every sector");
    amd.w(0x55, 0x98);
    assert_eq!(amd.r(0x10), u64::from(b'Q'));
    amd.w(0, 0xf0);
    assert_eq!(amd.r(1), 0x227e, "back in autoselect mode");
    amd.w(0, 0xf0);
    assert!(amd.direct());
}

#[test]
fn wrong_unlock_cycles_do_nothing() {
    for cycles in [
        &[(0x555, 0xaa), (0x2aa, 0x55), (0x2aa, 0xa0), (8, 0)][..],
        &[(0x555, 0xaa), (0x555, 0x55), (0x555, 0xa0), (8, 0)],
        &[(0x2aa, 0xaa), (0x2aa, 0x55), (0x555, 0xa0), (8, 0)],
        &[(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0x12), (8, 0)],
    ] {
        let mut amd = Amd::new();
        amd.0.fill(0xff);
        for (word, value) in cycles {
            amd.w(*word, *value);
        }
        assert_eq!(amd.r(8), 0xffff, "{cycles:x?}");
        amd.program(8, 0x1234);
        assert_eq!(amd.r(8), 0x1234);
    }
}

#[test]
fn only_eleven_address_bits_of_an_unlock_cycle_count() {
    let mut amd = Amd::new();
    amd.0.fill(0xff);
    for (word, value) in [(0xfd55, 0xaa), (0x12aa, 0xff55), (0x8555, 0xa0), (9, 0x5a)] {
        amd.w(word, value);
    }
    assert_eq!(amd.r(9), 0x5a);
}

#[test]
fn a_program_clears_bits_and_tells_its_progress() {
    let mut amd = Amd::with(&Config {
        program_ns: 700,
        ..config(2, 2)
    });
    amd.0.fill(0xff);
    amd.program(0x100, 0xffa5);
    assert!(!amd.direct());
    // DQ7 is the complement of the data's, DQ6 toggles.
    let first = amd.r(0x100);
    assert_eq!(first & 0x80, 0);
    assert_eq!((first ^ amd.r(0x100)) & 0xff, 0x40);
    amd.w(0, 0xf0);
    assert_eq!(
        (amd.r(0) ^ amd.r(0)) & 0xff,
        0x40,
        "other commands are lost"
    );
    assert_eq!(amd.0.flash.deadline(), Some(Instant(1_700)));
    amd.at(1_700);
    assert_eq!(
        amd.0.asked,
        Some(Ask::DirectReads {
            region: 0,
            on: true
        })
    );
    assert_eq!(amd.r(0x100), 0xffa5);
    amd.program(0x100, 0x0fff);
    amd.at(5_000);
    assert_eq!(amd.r(0x100), 0x0fa5, "a zero stays, and it is no error");
}

#[test]
fn a_program_that_takes_no_time_leaves_direct_reads_alone() {
    let mut amd = Amd::new();
    amd.program(8, 0);
    assert!(amd.direct());
    assert_eq!(amd.0.asked, None);
}

#[test]
fn unlock_bypass_programs_and_erases_in_two_cycles_until_its_reset() {
    let mut amd = Amd::new();
    amd.0.fill(0xff);
    amd.unlock(0x20);
    for word in 0..4 {
        amd.w(0, 0xa0);
        amd.w(word, word);
    }
    assert_eq!([0, 1, 2, 3].map(|word| amd.r(word)), [0, 1, 2, 3]);
    amd.w(0, 0x80);
    amd.w(0, 0x30);
    amd.0.finish();
    assert_eq!(amd.r(3), 0xffff);
    amd.w(0, 0x90);
    amd.w(0, 0x00);
    amd.w(0, 0xa0);
    amd.w(8, 0);
    assert_eq!(amd.r(8), 0xffff);
}

#[test]
fn an_erase_waits_for_further_sectors_then_fills_them() {
    let mut amd = Amd::new();
    amd.erase(WORDS);
    // The time-out has not gone by: DQ7 0, DQ6 and DQ2 toggle, DQ3 0.
    let first = amd.r(WORDS);
    assert_eq!(first & 0x88, 0);
    assert_eq!((first ^ amd.r(WORDS)) & 0xff, 0x44);
    assert_eq!(
        (amd.r(0) ^ amd.r(0)) & 0xff,
        0x40,
        "not this one: DQ2 stays"
    );
    amd.at(40_000);
    amd.w(3 * WORDS + 7, 0x30);
    assert_eq!(amd.0.flash.deadline(), Some(Instant(90_000)));
    amd.at(90_000);
    assert_eq!(amd.r(WORDS) & 0x88, 8, "DQ3: it has begun");
    amd.w(0, 0x30);
    amd.w(0, 0xf0);
    amd.0.finish();
    assert!(amd.direct());
    let sectors: Vec<bool> = (0..8)
        .map(|n| amd.0.bytes(n * SECTOR, SECTOR))
        .map(|bytes| bytes.iter().all(|byte| *byte == 0xff))
        .collect();
    let due = [false, true, false, true, false, false, false, false];
    assert_eq!(sectors, due);
}

#[test]
fn another_command_in_the_time_out_gives_the_erase_up() {
    let mut amd = Amd::new();
    amd.erase(0);
    amd.w(0, 0xf0);
    assert!(amd.direct());
    amd.0.finish();
    assert_eq!(amd.r(0), 0);
}

#[test]
fn an_erase_goes_on_in_bounded_steps_and_keeps_its_time() {
    let mut amd = Amd::with(&Config {
        erase_ns: 5_000_000,
        ..config(2, 2)
    });
    amd.erase(0);
    let before = amd.0.store.1.load(Ordering::Relaxed);
    amd.at(51_000);
    assert!(amd.0.store.1.load(Ordering::Relaxed) - before <= TRANSFER_MAX);
    assert!(amd.0.finish() >= 31);
    assert_eq!(amd.0.now, Instant(1_000 + 50_000 + 5_000_000));
}

#[test]
fn a_chip_erase_fills_all_but_protected_sectors_and_cannot_be_suspended() {
    let mut amd = Amd::new();
    amd.unlock(0xe0);
    amd.w(0, 0xa0);
    amd.w(2 * WORDS, 0);
    amd.w(0, 0x90);
    amd.w(0, 0);
    amd.unlock(0x80);
    amd.unlock(0x10);
    amd.w(0, 0xb0);
    assert_eq!(amd.r(0) & 0x88, 8);
    amd.0.finish();
    for n in 0..8 {
        let due = if n == 2 { 0 } else { 0xff };
        let bytes = amd.0.bytes(n * SECTOR, SECTOR);
        assert!(bytes.iter().all(|byte| *byte == due), "sector {n}");
    }
}

#[test]
fn a_suspended_erase_lets_others_be_read_and_programmed_and_goes_on_after_resume() {
    let mut amd = Amd::with(&Config {
        erase_ns: 1_000_000,
        ..config(2, 2)
    });
    amd.0.fill(0x0f);
    amd.erase(0);
    amd.at(100_000);
    amd.w(0, 0xb0);
    assert_eq!(amd.0.flash.deadline(), None);
    assert_eq!(amd.r(WORDS), 0x0f0f);
    // In the sector: DQ7 1, DQ6 still, DQ2 toggles.
    let first = amd.r(0);
    assert_eq!(first & 0x80, 0x80);
    assert_eq!(first ^ amd.r(0), 4);
    amd.program(WORDS, 0);
    assert_eq!(amd.r(WORDS), 0);
    amd.program(8, 0);
    amd.unlock(0x90);
    assert_eq!(amd.r(1), 0x227e);
    amd.w(0, 0xf0);
    amd.unlock(0x80);
    assert_eq!(amd.r(WORDS), 0, "no second erase");
    amd.at(2_000_000);
    amd.w(0, 0x30);
    assert_eq!((amd.r(0) ^ amd.r(0)) & 0x40, 0x40);
    amd.0.finish();
    assert_eq!(amd.0.now, Instant(2_000_000 + 951_000));
    assert_eq!((amd.r(0), amd.r(8)), (0xffff, 0xffff));
}

#[test]
fn a_write_buffer_programs_its_words_in_one_page() {
    let mut amd = Amd::new();
    amd.0.fill(0xff);
    amd.w(0x555, 0xaa);
    amd.w(0x2aa, 0x55);
    amd.w(WORDS, 0x25);
    amd.w(WORDS, 3);
    for (word, value) in [(0x25, 5), (0x23, 3), (0x24, 4), (0x25, 6)] {
        amd.w(WORDS + word, value);
    }
    assert_eq!(amd.r(WORDS + 0x25), 0xffff, "before the confirmation");
    amd.w(WORDS, 0x29);
    let words: Vec<u64> = (0x22..0x27).map(|word| amd.r(WORDS + word)).collect();
    assert_eq!(words, [0xffff, 3, 4, 6, 0xffff], "the last data counts");
}

#[test]
fn a_wrong_write_buffer_aborts_until_its_own_reset() {
    let cases: &[&[(u64, u64)]] = &[
        &[(0, 32)],
        &[(WORDS, 0)],
        &[(0, 1), (0, 1), (32, 2)],
        &[(0, 0), (WORDS, 1)],
        &[(0, 0), (0, 1), (0, 0xf0)],
        &[(0, 0), (0, 1), (WORDS, 0x29)],
    ];
    for case in cases {
        let mut amd = Amd::new();
        amd.0.fill(0xff);
        amd.w(0x555, 0xaa);
        amd.w(0x2aa, 0x55);
        amd.w(0, 0x25);
        for (word, value) in *case {
            amd.w(*word, *value);
        }
        assert_eq!(amd.r(0) & 0x22, 2, "DQ1, and not DQ5: {case:x?}");
        assert_eq!((amd.r(0) ^ amd.r(0)) & 0xff, 0x40);
        amd.w(0, 0xf0);
        assert_eq!(amd.r(0) & 2, 2);
        amd.unlock(0xf0);
        assert_eq!(amd.r(0), 0xffff);
        assert!(amd.direct());
    }
}

#[test]
fn dynamic_bits_protect_a_sector_until_they_are_cleared_or_reset() {
    let mut amd = Amd::new();
    let dyb = |amd: &mut Amd, value| {
        amd.unlock(0xe0);
        amd.w(0, 0xa0);
        amd.w(WORDS, value);
        let read = [amd.r(0), amd.r(WORDS)];
        amd.w(0, 0x90);
        amd.w(0, 0);
        read
    };
    amd.0.fill(0xff);
    assert_eq!(dyb(&mut amd, 0), [1, 0]);
    amd.program(WORDS, 0);
    amd.program(0, 0);
    amd.erase(WORDS);
    amd.0.finish();
    assert_eq!((amd.r(WORDS), amd.r(0)), (0xffff, 0));
    amd.unlock(0x90);
    assert_eq!([2, WORDS + 2].map(|word| amd.r(word)), [0, 1]);
    amd.w(0, 0xf0);
    assert_eq!(dyb(&mut amd, 1), [1, 1]);
    amd.program(WORDS, 0);
    assert_eq!(amd.r(WORDS), 0);
    dyb(&mut amd, 0);
    amd.0.flash.reset(Reset::Warm);
    amd.erase(WORDS);
    amd.0.finish();
    assert_eq!(amd.r(WORDS), 0xffff);
}

#[test]
fn persistent_bits_outlive_a_reset_and_can_be_frozen() {
    let mut amd = Amd::new();
    amd.0.fill(0xff);
    let leave = |amd: &mut Amd| {
        amd.w(0, 0x90);
        amd.w(0, 0);
    };
    let protect = |amd: &mut Amd, sector: u64| {
        amd.unlock(0xc0);
        amd.w(0, 0xa0);
        amd.w(sector * WORDS, 0);
        let read = amd.r(sector * WORDS);
        leave(amd);
        read
    };
    assert_eq!(protect(&mut amd, 1), 0);
    amd.0.flash.reset(Reset::Warm);
    amd.program(WORDS, 0);
    assert_eq!(amd.r(WORDS), 0xffff);
    amd.unlock(0x50);
    assert_eq!(amd.r(0), 1);
    amd.w(0, 0xa0);
    amd.w(0, 0);
    assert_eq!(amd.r(0), 0);
    leave(&mut amd);
    assert_eq!(protect(&mut amd, 2), 1, "frozen");
    let clear = |amd: &mut Amd| {
        amd.unlock(0xc0);
        amd.w(0, 0x80);
        amd.w(0, 0x30);
        let read = amd.r(WORDS);
        leave(amd);
        read
    };
    assert_eq!(clear(&mut amd), 0);
    amd.0.flash.reset(Reset::Warm);
    assert_eq!(clear(&mut amd), 1);
    assert_eq!(protect(&mut amd, 1), 0);
    amd.0.flash.reset(Reset::Cold);
    amd.program(WORDS, 0);
    assert_eq!(amd.r(WORDS), 0);
}

#[test]
fn a_store_that_ends_too_soon_exceeds_the_time_limit() {
    let mut amd = Amd::new();
    amd.0.store.0.lock().unwrap().truncate(0x100);
    amd.program(0x100, 0);
    assert_eq!(amd.r(0) & 0x20, 0x20, "DQ5");
    amd.w(0, 0xf0);
    assert!(amd.direct());
    amd.erase(0);
    amd.0.finish();
    assert_eq!(amd.r(0) & 0x20, 0x20);
    amd.w(0, 0xf0);
    assert_eq!(amd.r(0), 0xffff, "as far as it came");
}

#[test]
fn interleaved_chips_take_their_lanes_of_each_cycle() {
    let mut rig = Rig::with(&config(4, 2));
    rig.fill(0xff);
    let both = |value: u64| value * 0x0001_0001;
    for (word, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0x90)] {
        rig.w(word * 4, both(value));
    }
    assert_eq!(rig.r(4), both(0x227e));
    rig.w(0, both(0xf0));
    // One chip alone.
    for (word, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0xa0), (8, 0x1234)] {
        rig.write(0, word * 4 + 2, Width::Half, value);
    }
    assert_eq!(rig.r(32), 0x1234_ffff);
    for (word, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0x80)] {
        rig.w(word * 4, both(value));
    }
    for (word, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0, 0x30)] {
        rig.w(word * 4, both(value));
    }
    let first = rig.r(0);
    assert_eq!(
        first ^ rig.r(0),
        both(0x44),
        "one toggle for a read of both"
    );
    rig.finish();
    assert_eq!(rig.r(32), 0xffff_ffff);
    assert!(rig.bytes(0, 2 * SECTOR).iter().all(|byte| *byte == 0xff));
}

#[test]
fn a_chip_of_8_bits_is_commanded_at_the_same_addresses() {
    let mut rig = Rig::with(&config(1, 1));
    rig.fill(0xff);
    let w = |rig: &mut Rig, offset, value| rig.write(0, offset, Width::Byte, value);
    for (at, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0x90)] {
        w(&mut rig, at, value);
    }
    assert_eq!(
        [0, 1, 0xe].map(|at| rig.read(0, at, Width::Byte)),
        [1, 0x7e, 0x22]
    );
    w(&mut rig, 0x55, 0x98);
    assert_eq!(rig.read(0, 0x28, Width::Byte), 0);
    w(&mut rig, 0, 0xf0);
    w(&mut rig, 0, 0xf0);
    for (at, value) in [(0x555, 0xaa), (0x2aa, 0x55), (0x555, 0xa0), (3, 0x5a)] {
        w(&mut rig, at, value);
    }
    assert_eq!(rig.bytes(2, 3), [0xff, 0x5a, 0xff]);
}

#[test]
fn hostile_cycles_do_no_harm_and_every_state_can_be_saved() {
    const COMMANDS: [u64; 16] = [
        0xaa, 0x55, 0xaa, 0x55, 0x90, 0xa0, 0x80, 0x30, 0x10, 0xf0, 0x20, 0x25, 0x29, 0xb0, 0xe0,
        0xc0,
    ];
    let config = Config {
        banks: vec![1 << 13, 1 << 13],
        sector: 1 << 12,
        erase_ns: 40,
        program_ns: 3,
        ..Config::amd(vec![], 4, 2)
    };
    hostile(
        &config,
        &COMMANDS,
        &[0x555 * 4, 0x2aa * 4, 0x555 * 4, 0x2aa * 4, 0, 0x55 * 4],
    );
    let in_step = Config {
        in_step: true,
        ..config
    };
    hostile(&in_step, &COMMANDS, &[0x555 * 4, 0x2aa * 4, 0, 0x55 * 4]);
}

#[test]
fn damaged_saved_states_are_refused_or_harmless() {
    let config = Config {
        banks: vec![1 << 13],
        sector: 1 << 12,
        ..Config::amd(vec![], 2, 2)
    };
    let mut amd = Amd::with(&config);
    amd.w(0x555, 0xaa);
    amd.w(0x2aa, 0x55);
    amd.w(0, 0x25);
    amd.w(0, 2);
    amd.w(0, 1);
    let mut out = Writer::default();
    amd.0.flash.save(&mut out);
    let saved = out.into_bytes();
    for index in 0..saved.len() {
        for bit in 0..8 {
            let mut damaged = saved.clone();
            damaged[index] ^= 1 << bit;
            if amd.0.flash.load(&mut Reader::new(&damaged)).is_err() {
                assert!(amd.direct(), "as after a reset");
            }
            for value in [0x30, 3, 0x29, 0xf0] {
                amd.w(4, value);
                amd.r(8);
            }
            amd.0.finish();
        }
    }
}
