//! The device against what QEMU 7.2's `virt` answered to the same accesses, and a model that
//! goes byte by byte.

use super::*;
use crate::emul::{TRANSFER_MAX, random_walk};
use crate::memory::{BoardMemory, NoMemory, StoreId, Unbacked};
use crate::random::Random;
use crate::units::Ipa;
use std::borrow::ToOwned;
use std::cell::{Cell, RefCell};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const RAM: u64 = 0x4000_0000;
const RAM_BYTES: usize = 0x8000;
const END: u64 = RAM + RAM_BYTES as u64;

/// RAM of eight pages, which counts what is copied to it.
struct Memory {
    ram: RefCell<Vec<u8>>,
    copied: Cell<usize>,
}

impl Memory {
    fn new() -> Self {
        Self {
            ram: RefCell::new(vec![0xee; RAM_BYTES]),
            copied: Cell::new(0),
        }
    }
    fn range(at: Ipa, bytes: usize) -> Result<core::ops::Range<usize>, Unbacked> {
        let at = at.0.checked_sub(RAM).ok_or(Unbacked)?;
        let end = at.checked_add(bytes as u64).ok_or(Unbacked)?;
        if end > RAM_BYTES as u64 {
            return Err(Unbacked);
        }
        Ok(at as usize..end as usize)
    }
    fn word(&self, at: u64) -> u32 {
        let mut bytes = [0; 4];
        self.read(Ipa(at), &mut bytes).expect("it is RAM");
        u32::from_be_bytes(bytes)
    }
    fn bytes(&self, at: u64, bytes: usize) -> Vec<u8> {
        self.ram.borrow()[Self::range(Ipa(at), bytes).expect("it is RAM")].to_vec()
    }
}

impl BoardMemory for Memory {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        into.copy_from_slice(&self.ram.borrow()[Self::range(at, into.len())?]);
        Ok(())
    }
    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        let range = Self::range(at, from.len())?;
        self.copied.set(self.copied.get() + from.len());
        self.ram.borrow_mut()[range].copy_from_slice(from);
        Ok(())
    }
    fn store_read(&self, _: StoreId, _: u64, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_write(&self, _: StoreId, _: u64, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
}

fn file(name: &str, bytes: Vec<u8>) -> File {
    File {
        name: name.to_owned(),
        bytes,
    }
}

fn long() -> Vec<u8> {
    Random(9).bytes(20_000)
}

fn device() -> FwCfg {
    let files = vec![
        file("opt/org.example/hello", b"hello world".to_vec()),
        file("etc/empty", Vec::new()),
        file("opt/org.example/long", long()),
    ];
    FwCfg::new(Items::new(2, files).expect("they fit"))
}

struct Bench {
    dev: FwCfg,
    memory: Memory,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            dev: device(),
            memory: Memory::new(),
            now: 0,
        }
    }
    fn access(&mut self, offset: u64, width: Width, value: Option<u64>) -> Result<u64, Refusal> {
        let mut cx = Cx::new(Instant(self.now), &self.memory, None);
        let access = Access::word(offset).sized(width);
        self.dev.advance(&mut cx);
        match value {
            None => self.dev.read(&mut cx, access),
            Some(value) => self.dev.write(&mut cx, access, value).map(|()| 0),
        }
    }
    fn read(&mut self, offset: u64, width: Width) -> u64 {
        self.access(offset, width, None).expect("it reads")
    }
    fn write(&mut self, offset: u64, width: Width, value: u64) {
        self.access(offset, width, Some(value))
            .expect("it is written");
    }
    fn select(&mut self, key: u16) {
        self.write(8, Width::Half, u64::from(key.swap_bytes()));
    }
    fn take(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| self.read(0, Width::Byte) as u8)
            .collect()
    }
    /// Puts a descriptor into RAM, if that is where it lies.
    fn describe(&mut self, at: u64, control: u32, length: u32, address: u64) {
        let fields = u128::from(control) << 96 | u128::from(length) << 64 | u128::from(address);
        let _ = self.memory.write(Ipa(at), &fields.to_be_bytes());
        self.memory.copied.set(0);
    }
    fn start(&mut self, at: u64) {
        self.write(16, Width::Double, at.swap_bytes());
    }
    /// Lets time pass until nothing is on its way; each step is a bounded one.
    fn finish(&mut self) {
        while let Some(due) = self.dev.deadline() {
            assert!(due.0 > self.now, "the guest gets its turn");
            self.now = due.0 - 1;
            self.advance();
            assert_eq!(self.memory.copied.get(), 0, "before its time");
            self.now = due.0;
            self.advance();
        }
    }
    fn advance(&mut self) {
        self.memory.copied.set(0);
        let mut cx = Cx::new(Instant(self.now), &self.memory, None);
        self.dev.advance(&mut cx);
        // The data, and a control word.
        assert!(self.memory.copied.get() <= TRANSFER_MAX + 4);
    }
    /// An operation by a descriptor at 0x100, to its end: the control word.
    fn operate(&mut self, control: u32, length: u32, address: u64) -> u32 {
        self.describe(RAM + 0x100, control, length, address);
        self.start(RAM + 0x100);
        self.finish();
        self.memory.word(RAM + 0x100)
    }
}

const ERROR: u32 = 1;
const READ: u32 = 2;
const SKIP: u32 = 4;
const SELECT: u32 = 8;
const WRITE: u32 = 16;

const fn select(key: u16) -> u32 {
    (key as u32) << 16 | SELECT
}

#[test]
fn the_signature_is_selected_at_reset_and_the_dma_register_reads_another() {
    let mut b = Bench::new();
    assert_eq!(b.take(6), b"QEMU\0\0");
    assert_eq!(b.read(16, Width::Double), 0x4746_4320_554d_4551);
    assert_eq!(b.read(16, Width::Word), 0x554d_4551);
    assert_eq!(b.read(20, Width::Word), 0x4746_4320);
    assert_eq!(b.read(19, Width::Byte), u64::from(b'U'));
    b.select(5);
    b.dev.reset(Reset::Warm);
    assert_eq!(b.take(4), b"QEMU");
}

#[test]
fn each_item_reads_as_on_qemus_board_and_zeroes_follow() {
    let mut b = Bench::new();
    for (key, bytes) in [
        (0x0000, b"QEMU".as_slice()),
        (0x0001, &[3, 0, 0, 0]),
        (0x0005, &[2, 0]),
        (0x0020, b"hello world"),
        (0x0021, b""),
        (0x4005, &[2, 0]),
        (0x4020, b"hello world"),
        (0x0002, b""),
        (0x0023, b""),
        (0x8000, b""),
        (0x8005, b""),
        (0xffff, b""),
    ] {
        b.select(key);
        let mut expected = bytes.to_vec();
        expected.resize(24, 0);
        assert_eq!(b.take(24), expected, "{key:#x}");
    }
}

#[test]
fn a_wide_read_is_the_next_bytes_in_the_order_of_memory() {
    let mut b = Bench::new();
    b.select(0x20);
    assert_eq!(b.read(0, Width::Word).to_le_bytes()[..4], *b"hell");
    assert_eq!(b.read(6, Width::Half).to_le_bytes()[..2], *b"o ");
    assert_eq!(b.read(0, Width::Double).to_le_bytes(), *b"world\0\0\0");
    b.select(0x20);
    assert_eq!(b.read(0, Width::Double).to_le_bytes(), *b"hello wo");
    b.write(0, Width::Byte, 0x7f);
    assert_eq!(b.take(3), b"rld", "a write is ignored, and moves nothing");
}

#[test]
fn the_directory_lists_size_key_and_name_of_each_file() {
    let mut b = Bench::new();
    b.select(0x19);
    assert_eq!(b.take(4), [0, 0, 0, 3]);
    for (size, key, name) in [
        (11_u32, 0x20_u16, "opt/org.example/hello"),
        (0, 0x21, "etc/empty"),
        (20_000, 0x22, "opt/org.example/long"),
    ] {
        let entry = b.take(64);
        assert_eq!(entry[..4], size.to_be_bytes());
        assert_eq!(entry[4..6], key.to_be_bytes());
        assert_eq!(entry[6..8], [0, 0]);
        let (text, padding) = entry[8..].split_at(name.len());
        assert_eq!(text, name.as_bytes());
        assert_eq!(padding, vec![0; 56 - name.len()]);
    }
    assert_eq!(b.take(2), [0, 0]);
}

#[test]
fn what_is_no_register_or_of_another_width_is_refused() {
    use Width::{Byte, Double, Half, Word};
    let mut b = Bench::new();
    for (offset, width, write, why) in [
        (8, Half, false, Refusal::NoRegister),
        (8, Word, true, Refusal::Width),
        (8, Byte, true, Refusal::Width),
        (9, Byte, true, Refusal::Width),
        (9, Half, true, Refusal::Width),
        (10, Half, true, Refusal::NoRegister),
        (12, Word, false, Refusal::NoRegister),
        (2, Word, false, Refusal::Width),
        (4, Double, false, Refusal::Width),
        (16, Half, true, Refusal::Width),
        (16, Byte, true, Refusal::Width),
        (18, Word, true, Refusal::Width),
        (20, Double, true, Refusal::Width),
        (23, Byte, true, Refusal::Width),
        (24, Word, false, Refusal::NoRegister),
        (u64::MAX, Byte, true, Refusal::NoRegister),
    ] {
        let value = write.then_some(0);
        let answer = b.access(offset, width, value);
        assert_eq!(answer, Err(why), "{offset:#x} {width:?} {write}");
    }
    let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
    let other = Access {
        region: 1,
        ..Access::word(0)
    };
    assert_eq!(b.dev.read(&mut cx, other), Err(Refusal::NoRegister));
}

#[test]
fn operations_end_as_on_qemus_board() {
    let mut b = Bench::new();
    let to = RAM + 0x1000;
    assert_eq!(b.operate(select(0) | READ, 16, to), 0);
    assert_eq!(
        b.memory.bytes(to, 18),
        b"QEMU\0\0\0\0\0\0\0\0\0\0\0\0\xee\xee"
    );
    assert_eq!(b.operate(select(0) | SKIP, 2, 0), 0);
    assert_eq!(b.operate(READ, 4, to), 0);
    assert_eq!(b.memory.bytes(to, 4), b"MU\0\0");
    assert_eq!(b.operate(select(0) | SKIP, u32::MAX, 0), 0);
    assert_eq!(b.take(2), [0, 0], "skipped to the end");
    assert_eq!(b.operate(select(0) | WRITE, 4, RAM), ERROR, "read-only");
    assert_eq!(b.operate(select(0) | WRITE, 0, RAM), 0);
    assert_eq!(b.take(4), b"QEMU");
    // Read goes before write and skip.
    assert_eq!(b.operate(select(5) | READ | WRITE | SKIP, 2, to), 0);
    assert_eq!(b.memory.bytes(to, 2), [2, 0]);
    assert_eq!(b.operate(select(0x20), 5, 0), 0);
    assert_eq!(b.take(5), b"hello", "selected only");
    assert_eq!(b.operate(0xdead_0000, 5, 0), 0, "nothing asked");
    assert_eq!(b.operate(ERROR | 0x20, 5, 0), 0, "no operation");
    assert_eq!(b.operate(select(0x1234) | READ, 2, to), 0);
    assert_eq!(b.memory.bytes(to, 2), [0, 0], "no such item");
}

#[test]
fn the_address_is_written_whole_or_its_high_word_first() {
    let mut b = Bench::new();
    let at = RAM + 0x203;
    b.describe(at, select(5) | READ, 1, RAM);
    let swapped = at.swap_bytes();
    b.write(16, Width::Word, swapped & 0xffff_ffff);
    assert_eq!(b.memory.word(at), select(5) | READ, "not yet");
    b.write(20, Width::Word, swapped >> 32);
    assert_eq!((b.memory.word(at), b.memory.bytes(RAM, 1)), (0, vec![2]));
    // A high word that leads elsewhere is forgotten after the operation.
    b.describe(at, select(5) | READ, 1, RAM + 1);
    b.write(16, Width::Word, u64::from(7_u32.swap_bytes()));
    b.write(20, Width::Word, swapped >> 32);
    assert_eq!(
        b.memory.word(at),
        select(5) | READ,
        "nothing is at 0x7_4000_0203"
    );
    b.write(20, Width::Word, swapped >> 32);
    assert_eq!(
        (b.memory.word(at), b.memory.bytes(RAM + 1, 1)),
        (0, vec![2])
    );
}

#[test]
fn a_descriptor_at_a_bad_address_moves_nothing() {
    let mut b = Bench::new();
    for at in [
        0,
        1,
        RAM - 1,
        RAM - 15,
        RAM - 16,
        END,
        END - 3,
        END + 0x1000,
        0x0902_0000,
        0x0902_0010,
        u64::from(u32::MAX) - 3,
        1 << 32 | RAM,
        u64::MAX,
        u64::MAX - 15,
        u64::MAX - 16,
        1 << 63,
    ] {
        let before = b.memory.bytes(RAM, RAM_BYTES);
        b.start(at);
        assert_eq!(b.dev.deadline(), None, "{at:#x}");
        assert_eq!(b.memory.bytes(RAM, RAM_BYTES), before, "{at:#x}");
    }
    // RAM ends inside it, but holds its control word.
    for at in [END - 4, END - 15] {
        let word = (select(0) | READ).to_be_bytes();
        b.memory.write(Ipa(at), &word).expect("it is RAM");
        b.start(at);
        assert_eq!(b.memory.word(at), ERROR);
    }
    b.describe(END - 16, select(0) | READ, 4, RAM);
    b.start(END - 16);
    assert_eq!(
        (b.memory.word(END - 16), b.memory.bytes(RAM, 4)),
        (0, b"QEMU".to_vec())
    );
}

#[test]
fn an_address_outside_ram_is_an_error_and_the_pages_before_it_are_written() {
    let mut b = Bench::new();
    for to in [
        0,
        RAM - 1,
        END,
        0x0902_0000,
        u64::MAX,
        u64::MAX - 3,
        1 << 32 | RAM,
    ] {
        let before = b.memory.bytes(RAM + 0x1000, RAM_BYTES - 0x1000);
        assert_eq!(b.operate(select(0x20) | READ, 8, to), ERROR, "{to:#x}");
        assert_eq!(b.memory.bytes(RAM + 0x1000, RAM_BYTES - 0x1000), before);
        assert_eq!(b.operate(select(0x20) | READ, 0, to), 0, "nothing to move");
    }
    assert_eq!(b.operate(select(0x20) | READ, 11, END - 3), ERROR);
    assert_eq!(b.memory.bytes(END - 4, 4), b"\xeehel");
    // As long as a length can be: it ends where RAM does.
    assert_eq!(
        b.operate(select(0x22) | READ, u32::MAX, RAM + 0x1003),
        ERROR
    );
    let mut expected = long();
    expected.resize(RAM_BYTES - 0x1003, 0);
    assert_eq!(b.memory.bytes(RAM + 0x1003, RAM_BYTES - 0x1003), expected);
}

#[test]
fn reads_of_random_length_place_and_address_are_those_of_a_model() {
    let mut b = Bench::new();
    let mut random = Random(77);
    let keys = [
        0, 1, 5, 0x19, 0x20, 0x21, 0x22, 0x22, 0x22, 0x23, 0x8020, 0x4022,
    ];
    for round in 0..3000 {
        let key = keys[random.below(keys.len())];
        let item = device().items.get(key).to_vec();
        let skip = random.below(if round % 2 == 0 { 30_000 } else { 30 });
        let limit = [20, 600, 4200, 20_000][random.below(4)];
        let length = random.below(limit);
        // The descriptor is in the first page; the last bytes may go beyond the end.
        let to = RAM + 0x1000 + random.below(RAM_BYTES - 0x0f00) as u64;
        b.memory.ram.borrow_mut()[0x1000..].fill(0xee);
        assert_eq!(b.operate(select(key) | SKIP, skip as u32, 0), 0);
        let control = b.operate(READ, length as u32, to);

        let mut ram = vec![0xee; RAM_BYTES];
        let mut failed = false;
        for n in 0..length {
            let byte = item.get(skip + n).copied().unwrap_or(0);
            match ram.get_mut((to - RAM) as usize + n) {
                Some(slot) => *slot = byte,
                None => failed = true,
            }
        }
        assert_eq!(
            control,
            u32::from(failed),
            "{key:#x} {skip} {length} {to:#x}"
        );
        assert_eq!(
            b.memory.bytes(RAM + 0x1000, RAM_BYTES - 0x1000),
            ram[0x1000..]
        );
        if !failed {
            let next = item.get(skip + length).copied().unwrap_or(0);
            assert_eq!(b.take(1), [next], "the place it is read on from");
        }
    }
}

#[test]
fn a_long_read_is_in_progress_until_its_last_step() {
    let mut b = Bench::new();
    let (at, to) = (RAM + 0x100, RAM + 0x1000);
    b.describe(at, select(0x22) | READ, 4096, to);
    b.start(at);
    assert_eq!(
        (b.memory.word(at), b.dev.deadline()),
        (0, None),
        "4 KiB at once"
    );

    b.describe(at, select(0x22) | READ, 10_000, to);
    b.start(at);
    assert_eq!(b.memory.copied.get(), 4096);
    assert_eq!(b.memory.word(at), select(0x22) | READ);
    assert_eq!(b.dev.deadline(), Some(Instant(STEP_NS)));
    // Another operation meanwhile is refused.
    b.describe(at + 0x20, select(0) | READ, 4, RAM);
    b.start(at + 0x20);
    assert_eq!(
        (b.memory.word(at + 0x20), b.memory.bytes(RAM, 1)),
        (ERROR, vec![0xee])
    );
    // However late it is, one call is one step.
    b.now = 100 * STEP_NS;
    b.advance();
    assert_eq!(b.memory.copied.get(), 4096);
    assert_eq!(b.dev.deadline(), Some(Instant(101 * STEP_NS)));
    b.finish();
    assert_eq!(b.memory.word(at), 0);
    assert_eq!(b.memory.bytes(to, 10_000), long()[..10_000]);
}

#[test]
fn a_transfer_survives_save_and_load_and_ends_at_a_reset() {
    let mut b = Bench::new();
    let (at, to) = (RAM + 0x100, RAM + 0x1000);
    b.describe(at, select(0x22) | READ, 10_000, to);
    b.start(at);
    let mut out = Writer::default();
    b.dev.save(&mut out);
    let saved = out.into_bytes();
    for cut in 0..saved.len() {
        let mut dev = device();
        assert_eq!(
            dev.load(&mut Reader::new(&saved[..cut])),
            Err(Refusal::BadState)
        );
        assert_eq!(dev.deadline(), None, "as after a reset");
    }
    b.dev.reset(Reset::Warm);
    assert_eq!(b.dev.deadline(), None);
    b.dev.load(&mut Reader::new(&saved)).expect("its own state");
    b.finish();
    assert_eq!(b.memory.word(at), 0);
    assert_eq!(b.memory.bytes(to, 10_000), long()[..10_000]);
    // A place beyond the item's end is no state of this device.
    let mut odd = vec![0, 0, 5, 0, 0, 0];
    odd.extend_from_slice(&[0; 5]);
    assert_eq!(b.dev.load(&mut Reader::new(&odd)), Err(Refusal::BadState));
    assert_eq!(b.take(4), b"QEMU");
}

#[test]
fn files_that_are_too_many_too_large_or_badly_named_are_refused() {
    let named =
        |names: &[String]| Items::new(1, names.iter().map(|n| file(n, vec![1])).collect()).err();
    let many = |count: usize| named(&(0..count).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(many(FILES_MAX), None);
    assert_eq!(many(FILES_MAX + 1), Some(Unfit::TooMany));
    let sized = |bytes: usize| {
        let files = vec![
            file("a", vec![0; bytes / 2]),
            file("b", vec![0; bytes - bytes / 2]),
        ];
        Items::new(1, files).err()
    };
    assert_eq!(sized(BYTES_MAX), None);
    assert_eq!(sized(BYTES_MAX + 1), Some(Unfit::TooLarge));
    let second = |name: String| named(&["a".to_owned(), name]);
    assert_eq!(second("x".repeat(NAME_MAX)), None);
    for name in [
        String::new(),
        "x".repeat(NAME_MAX + 1),
        "\u{e9}".to_owned(),
        "a\0".to_owned(),
    ] {
        assert_eq!(second(name), Some(Unfit::Name(1)));
    }
    assert_eq!(second("a".to_owned()), Some(Unfit::Twice(1)));
}

#[test]
fn no_access_panics_and_saved_state_is_all_of_it() {
    let offsets = [0, 2, 4, 8, 10, 16, 18, 20, 22, 24];
    for seed in 1..5 {
        random_walk::walk(device, &offsets, seed, 2000);
    }
}
