use super::registers::{
    ADDRESS_ERROR, BLOCK_LEN_ERROR, ERASE_RESET, ERASE_SEQ_ERROR, ILLEGAL_COMMAND, OUT_OF_RANGE,
    WP_VIOLATION, crc7,
};
use super::*;
use crate::emul::state::{Reader, Writer};
use crate::memory::{BoardMemory, StoreId, Unbacked};
use crate::units::Ipa;
use std::cell::RefCell;
use std::vec::Vec;

/// A board that has nothing but the card's medium.
pub(in crate::emul) struct Medium(pub RefCell<Vec<u8>>);

impl Medium {
    /// Of which every byte tells its place.
    pub fn new(bytes: u64) -> Self {
        let bytes = (0..bytes).map(|at| (at ^ at >> 9) as u8);
        Self(RefCell::new(bytes.collect()))
    }
    pub fn cx(&self, now: u64) -> Cx<'_> {
        Cx::new(Instant(now), self, Some(StoreId(0)))
    }
    pub fn bytes(&self, at: usize, length: usize) -> Vec<u8> {
        self.0.borrow()[at..at + length].to_vec()
    }
}

impl BoardMemory for Medium {
    fn read(&self, _: Ipa, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn write(&self, _: Ipa, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_read(&self, _: StoreId, offset: u64, into: &mut [u8]) -> Result<(), Unbacked> {
        let from = offset as usize;
        let bytes = self.0.borrow();
        into.copy_from_slice(bytes.get(from..from + into.len()).ok_or(Unbacked)?);
        Ok(())
    }
    fn store_write(&self, _: StoreId, offset: u64, from: &[u8]) -> Result<(), Unbacked> {
        let to = offset as usize;
        let mut bytes = self.0.borrow_mut();
        let to = bytes.get_mut(to..to + from.len()).ok_or(Unbacked)?;
        to.copy_from_slice(from);
        Ok(())
    }
}

struct Bench {
    card: SdCard,
    medium: Medium,
    now: u64,
}

const MIB: u64 = 1 << 20;

impl Bench {
    fn new(bytes: u64, high_capacity: bool, read_only: bool) -> Self {
        let config = Config::holding(bytes, high_capacity, read_only).unwrap();
        Self {
            card: SdCard::new(config),
            medium: Medium::new(config.bytes()),
            now: 0,
        }
    }
    /// Selected, in the transfer state.
    fn selected(bytes: u64, high_capacity: bool, read_only: bool) -> Self {
        let mut bench = Self::new(bytes, high_capacity, read_only);
        bench.identify();
        bench
    }
    fn identify(&mut self) -> u32 {
        self.command(0, 0);
        assert_eq!(self.short(8, 0x1aa), 0x1aa);
        let ocr = self.application(0, 41, 0x40ff_8000);
        assert_ne!(ocr & 1 << 31, 0);
        assert!(matches!(self.command(2, 0), Response::Long(_)));
        let rca = self.short(3, 0) & 0xffff_0000;
        self.short(7, rca);
        rca
    }
    fn command(&mut self, index: u8, argument: u32) -> Response {
        self.card
            .command(&self.medium.cx(self.now), index, argument)
    }
    fn short(&mut self, index: u8, argument: u32) -> u32 {
        match self.command(index, argument) {
            Response::Short { content, .. } => content,
            other => panic!("CMD{index}: {other:?}"),
        }
    }
    fn application(&mut self, rca: u32, index: u8, argument: u32) -> u32 {
        assert_ne!(self.short(55, rca) & 1 << 5, 0);
        self.short(index, argument)
    }
    fn state(&mut self) -> u32 {
        self.short(13, 0x4567_0000) >> 9 & 0xf
    }
    fn take(&mut self, n: usize) -> Vec<u8> {
        let cx = self.medium.cx(self.now);
        (0..n).map_while(|_| self.card.sent(&cx)).collect()
    }
    fn give(&mut self, bytes: &[u8]) -> Vec<bool> {
        let cx = self.medium.cx(self.now);
        bytes
            .iter()
            .filter_map(|byte| self.card.receive(&cx, *byte))
            .collect()
    }
}

#[test]
fn sizes_are_rounded_up_to_what_a_csd_can_say() {
    let bytes = |bytes, high| Config::holding(bytes, high, false).map(Config::bytes);
    assert_eq!(bytes(0, false), Err(Unfit::Empty));
    assert_eq!(bytes(1, false), Ok(2048));
    assert_eq!(bytes(8 * MIB, false), Ok(8 * MIB));
    assert_eq!(bytes(8 * MIB + 1, false), Ok(8 * MIB + 4096));
    assert_eq!(bytes(1024 * MIB, false), Ok(1024 * MIB));
    assert_eq!(bytes(1024 * MIB + 1, false), Ok(1024 * MIB + 512 * 1024));
    assert_eq!(bytes(2048 * MIB + 1, false), Ok(2048 * MIB + 512 * 1024));
    assert_eq!(bytes(1, true), Ok(512 * 1024));
    assert_eq!(bytes(33 << 30, false), Err(Unfit::TooLarge));
}

/// PLSS 4.5 gives these two as examples.
#[test]
fn crc7_is_that_of_the_specifications_examples() {
    assert_eq!(crc7(&[0x40, 0, 0, 0, 0]), 0x4a);
    assert_eq!(crc7(&[0x51, 0, 0, 0, 0]), 0x2a);
}

#[test]
fn the_csd_tells_the_size() {
    let field = |words: [u32; 4], high: u32, low: u32| {
        let all = words
            .iter()
            .fold(0_u128, |all, word| all << 32 | u128::from(*word));
        (all >> low) as u64 & ((1 << (high - low + 1)) - 1)
    };
    for (bytes, high) in [
        (2048, false),
        (8 * MIB, false),
        (100 * MIB, false),
        (2048 * MIB, false),
        (64 * MIB, true),
        (4096 * MIB, true),
    ] {
        let config = Config::holding(bytes, high, false).unwrap();
        let csd = registers::csd(config);
        let told = if field(csd, 127, 126) == 1 {
            (field(csd, 69, 48) + 1) << 19
        } else {
            (field(csd, 73, 62) + 1) << (field(csd, 49, 47) + 2 + field(csd, 83, 80))
        };
        assert_eq!(told, config.bytes());
        assert_eq!(told, bytes);
        assert_eq!(csd[3] & 1, 1);
    }
}

#[test]
fn a_card_is_identified_from_idle_to_transfer() {
    let mut bench = Bench::new(MIB, false, false);
    assert_eq!(bench.command(0, 0), Response::None);
    assert_eq!(bench.command(8, 0x2aa), Response::None, "1.8 V");
    assert_eq!(bench.short(8, 0x15a), 0x15a);
    // CMD55 in idle tells state 0, ready, APP_CMD.
    assert_eq!(bench.short(55, 0), 0x120);
    assert_eq!(
        bench.command(41, 0),
        Response::Short {
            index: 0x3f,
            content: 0x00ff_8000,
            crc: false
        },
        "an inquiry changes nothing"
    );
    assert_eq!(bench.application(0, 41, 0x10_0000), 0x80ff_8000);
    assert!(matches!(bench.command(2, 0), Response::Long(_)));
    // R6: the RCA, and the state before the command.
    assert_eq!(bench.short(3, 0), 0x4567_0500);
    assert_eq!(bench.short(3, 0), 0x4568_0700, "another RCA on request");
    assert_eq!(bench.command(9, 0x4567_0000), Response::None);
    assert!(matches!(bench.command(9, 0x4568_0000), Response::Long(_)));
    assert!(matches!(bench.command(10, 0x4568_0000), Response::Long(_)));
    assert_eq!(bench.short(7, 0x4568_0000), 0x700);
    assert_eq!(bench.short(13, 0x4568_0000), 0x900);
    assert_eq!(bench.command(7, 0), Response::None, "deselected");
    assert_eq!(bench.short(13, 0x4568_0000), 0x700);
    bench.command(15, 0x4568_0000);
    assert_eq!(bench.command(0, 0), Response::None);
    assert_eq!(bench.command(8, 0x1aa), Response::None, "inactive for good");
}

#[test]
fn a_high_capacity_card_waits_for_a_host_that_knows_of_it() {
    let mut bench = Bench::new(MIB, true, false);
    assert_eq!(bench.application(0, 41, 0x40ff_8000), 0x00ff_8000);
    bench.short(8, 0x1aa);
    assert_eq!(bench.application(0, 41, 0x00ff_8000), 0x00ff_8000);
    assert_eq!(bench.application(0, 41, 0x40ff_8000), 0xc0ff_8000);
}

#[test]
fn a_card_without_the_hosts_voltage_becomes_inactive() {
    let mut bench = Bench::new(MIB, false, false);
    bench.short(55, 0);
    assert_eq!(bench.command(41, 0x80), Response::None);
    assert_eq!(bench.command(8, 0x1aa), Response::None);
}

#[test]
fn an_illegal_command_is_told_by_the_next_response_and_only_there() {
    let mut bench = Bench::selected(MIB, false, false);
    for illegal in [1, 2, 5, 8, 11, 20, 23, 28, 42, 52, 63] {
        assert_eq!(bench.command(illegal, 0), Response::None, "CMD{illegal}");
        assert_ne!(bench.short(13, 0x4567_0000) & ILLEGAL_COMMAND, 0);
        assert_eq!(bench.short(13, 0x4567_0000) & ILLEGAL_COMMAND, 0);
    }
}

#[test]
fn a_block_is_read_by_byte_address_or_by_block_number() {
    for (high, argument) in [(false, 1024), (true, 2)] {
        let mut bench = Bench::selected(MIB, high, false);
        assert_eq!(bench.short(17, argument), 0x900);
        assert_eq!(bench.card.sending(), Some(512));
        assert_eq!(bench.state(), 5);
        assert_eq!(bench.take(600), bench.medium.bytes(1024, 512));
        assert_eq!(bench.state(), 4);
    }
}

#[test]
fn blocks_follow_each_other_until_they_are_stopped() {
    let mut bench = Bench::selected(MIB, false, false);
    bench.short(18, 512);
    assert_eq!(bench.take(1300), bench.medium.bytes(512, 1300));
    assert_eq!(bench.short(12, 0), 0xb00);
    assert_eq!((bench.card.sending(), bench.state()), (None, 4));
    assert_eq!(bench.command(12, 0), Response::None, "nothing to stop");
}

#[test]
fn a_read_behind_the_end_goes_on_as_silence() {
    let mut bench = Bench::selected(2048, false, false);
    bench.short(18, 1536);
    assert_eq!(bench.take(600).len(), 512);
    assert_eq!(bench.short(12, 0) & OUT_OF_RANGE, 0);
    assert_eq!(bench.short(17, 2048), OUT_OF_RANGE | 0x900);
    assert_eq!(bench.state(), 4);
}

#[test]
fn a_standard_card_reads_parts_of_blocks_and_no_block_across_two() {
    let mut bench = Bench::selected(MIB, false, false);
    assert_eq!(bench.short(16, 16), 0x900);
    bench.short(17, 528);
    assert_eq!(bench.take(600), bench.medium.bytes(528, 16));
    assert_eq!(bench.short(17, 1020), ADDRESS_ERROR | 0x900);
    assert_eq!(bench.short(16, 513), BLOCK_LEN_ERROR | 0x900);
    assert_eq!(bench.short(16, 0), BLOCK_LEN_ERROR | 0x900);
    assert_eq!(bench.short(24, 512), BLOCK_LEN_ERROR | 0x900);
    let mut high = Bench::selected(MIB, true, false);
    assert_eq!(high.short(16, 16), 0x900);
    high.short(17, 0);
    assert_eq!(high.card.sending(), Some(512), "always");
}

#[test]
fn blocks_are_written_and_counted() {
    let mut bench = Bench::selected(MIB, false, false);
    bench.short(24, 512);
    assert_eq!(bench.state(), 6);
    assert_eq!(bench.give(&[0xa5; 512]), [true]);
    assert_eq!(bench.state(), 4);
    assert_eq!(bench.medium.bytes(511, 514)[..2], [0xff, 0xa5]);
    bench.application(0x4567_0000, 23, 2);
    bench.short(25, 4096);
    assert_eq!(bench.give(&[0x5a; 1024 + 7]), [true, true]);
    bench.short(12, 0);
    assert_eq!(bench.medium.bytes(4096, 1024), [0x5a; 1024]);
    assert_ne!(bench.medium.bytes(5120, 1), [0x5a], "half a block is none");
    bench.application(0x4567_0000, 22, 0);
    assert_eq!(bench.take(8), [0, 0, 0, 2]);
}

#[test]
fn a_write_is_refused_where_it_cannot_be() {
    let mut bench = Bench::selected(MIB, false, false);
    assert_eq!(bench.short(24, 513), ADDRESS_ERROR | 0x900);
    assert_eq!(bench.short(24, 1 << 20), OUT_OF_RANGE | 0x900);
    bench.short(25, (1 << 20) - 512);
    assert_eq!(bench.give(&[1; 1024]), [true, false]);
    assert_eq!(bench.short(12, 0) & OUT_OF_RANGE, OUT_OF_RANGE);
    let mut locked = Bench::selected(MIB, false, true);
    assert!(locked.card.is_protected());
    assert_eq!(locked.short(24, 0), WP_VIOLATION | 0x900);
    locked.short(32, 0);
    locked.short(33, 0);
    assert_eq!(locked.short(38, 0), WP_VIOLATION | 0x900);
}

#[test]
fn a_store_that_fails_is_no_acknowledgement() {
    let mut bench = Bench::selected(MIB, false, false);
    bench.medium.0.borrow_mut().truncate(1024);
    bench.short(24, 4096);
    assert_eq!(bench.give(&[1; 512]), [false]);
    assert_ne!(bench.short(13, 0x4567_0000) & registers::ERROR, 0);
    assert_eq!(bench.short(17, 4096), registers::ERROR | 0x900);
    assert_eq!((bench.card.sending(), bench.state()), (None, 4));
}

#[test]
fn an_erase_takes_its_time_and_leaves_zeroes() {
    let mut bench = Bench::selected(MIB, false, false);
    bench.short(32, 512);
    bench.short(33, 8192);
    assert_eq!(bench.short(38, 0), 0x900);
    assert_eq!(bench.short(13, 0x4567_0000), 7 << 9, "not ready");
    assert_eq!(bench.card.deadline(), Some(Instant(1000)));
    for now in [1000, 1999, 2000] {
        bench.card.advance(&bench.medium.cx(now));
    }
    assert_eq!((bench.card.deadline(), bench.state()), (None, 4));
    assert_eq!(bench.medium.bytes(512, 8192), [0; 8192]);
    assert_eq!(bench.medium.bytes(511, 1), [0xff]);
    assert_eq!(bench.medium.bytes(8705, 1), [0x10]);
    assert_eq!(bench.short(38, 0), ERASE_SEQ_ERROR | 0x900);
    bench.short(32, 0);
    bench.short(16, 512);
    assert_eq!(
        bench.short(33, 0) & (ERASE_RESET | ERASE_SEQ_ERROR),
        ERASE_SEQ_ERROR
    );
}

#[test]
fn the_registers_of_an_application_come_as_blocks() {
    let mut bench = Bench::selected(MIB, false, false);
    let rca = 0x4567_0000;
    assert_eq!(bench.application(rca, 51, 0), 0x920);
    assert_eq!(bench.take(9), [2, 5, 0, 0, 0, 0, 0, 0]);
    bench.application(rca, 6, 2);
    assert!(bench.card.is_wide());
    bench.application(rca, 13, 0);
    let status = bench.take(65);
    assert_eq!((status.len(), status[0]), (64, 0x80));
    bench.short(6, 0x00ff_fff1);
    let status = bench.take(65);
    assert_eq!((status.len(), status[13], status[16]), (64, 1, 0x0f));
    bench.short(6, 0x80ff_fff0);
    assert_eq!(bench.take(65)[1], 100);
}

#[test]
fn saved_state_comes_back_in_the_middle_of_a_block() {
    let mut bench = Bench::selected(MIB, false, false);
    bench.short(18, 0);
    bench.take(700);
    let mut out = Writer::default();
    bench.card.save(&mut out);
    let saved = out.into_bytes();
    let mut copy = SdCard::new(bench.card.config);
    let mut from = Reader::new(&saved);
    copy.load(&mut from).unwrap();
    from.end().unwrap();
    bench.card = copy;
    assert_eq!(bench.take(700), bench.medium.bytes(700, 700));
    // A state of which a part is not one, and a short one.
    let mut damaged = saved.clone();
    damaged[0] = 10;
    assert!(bench.card.load(&mut Reader::new(&damaged)).is_err());
    assert!(bench.card.load(&mut Reader::new(&saved[1..])).is_err());
    assert_eq!(bench.card.state, State::Idle);
}
