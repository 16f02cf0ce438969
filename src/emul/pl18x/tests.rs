use super::registers::{
    DATA_BLOCK_END, DATA_CRC_FAIL, DATA_END, DATA_TIME_OUT, RX_ACTIVE, RX_DATA_AVLBL, RX_FIFO_FULL,
    RX_FIFO_HALF_FULL, START_BIT_ERR, TX_ACTIVE, TX_FIFO_EMPTY, TX_FIFO_HALF_EMPTY,
};
use super::*;
use crate::access::Width;
use crate::emul::random_walk::walk;
use crate::emul::sd_card::tests::Medium;
use crate::memory::NoMemory;
use std::vec::Vec;

struct Bench {
    mci: Pl18x,
    medium: Medium,
    now: u64,
}

fn config(card: Option<u64>) -> Config {
    Config {
        part: Part::Pl180,
        mclk: 24_000_000,
        card: card.map(|bytes| sd_card::Config::holding(bytes, false, false).unwrap()),
    }
}

const POWER: u64 = 0x00;
const CLOCK: u64 = 0x04;
const STATUS: u64 = 0x34;
const CLEAR: u64 = 0x38;
const FIFO: u64 = 0x80;

impl Bench {
    /// Switched on, with MCICLK at 12 MHz.
    fn on(card: Option<u64>) -> Self {
        let mut bench = Self {
            mci: Pl18x::new(config(card)),
            medium: Medium::new(card.unwrap_or(0)),
            now: 0,
        };
        bench.write(POWER, 3);
        bench.write(CLOCK, 0x100);
        bench
    }
    /// With its card in the transfer state.
    fn selected() -> Self {
        let mut bench = Self::on(Some(1 << 20));
        bench.command(0, 0, 0);
        bench.command(8, 0x1aa, 0x40);
        bench.command(55, 0, 0x40);
        bench.command(41, 0x40ff_8000, 0x40);
        bench.command(2, 0, 0xc0);
        bench.command(3, 0, 0x40);
        assert_eq!(bench.read(0x14) >> 16, 0x4567);
        bench.command(7, 0x4567_0000, 0x40);
        bench
    }
    fn read(&mut self, offset: u64) -> u32 {
        let mut cx = self.medium.cx(self.now);
        self.mci.read(&mut cx, Access::word(offset)).unwrap() as u32
    }
    fn write(&mut self, offset: u64, value: u32) {
        let mut cx = self.medium.cx(self.now);
        self.mci
            .write(&mut cx, Access::word(offset), value.into())
            .unwrap();
    }
    /// Gives a command; the static bits of the status that it leaves, cleared.
    fn command(&mut self, index: u32, argument: u32, how: u32) -> u32 {
        self.write(0x08, argument);
        self.write(0x0c, index | how | COMMAND_ENABLE);
        self.news()
    }
    fn news(&mut self) -> u32 {
        let status = self.read(STATUS) & STATIC_BITS;
        self.write(CLEAR, status);
        status
    }
    fn data(&mut self, length: u32, control: u32) {
        self.write(0x24, 1000);
        self.write(0x28, length);
        self.write(0x2c, control);
    }
    fn advance(&mut self, now: u64) {
        self.now = now;
        self.mci.advance(&mut self.medium.cx(now));
    }
}

#[test]
fn registers_reset_to_the_manuals_values() {
    for (part, id) in [(Part::Pl180, 0x80), (Part::Pl181, 0x81)] {
        let mut mci = Pl18x::new(Config {
            part,
            ..config(None)
        });
        for offset in (0..0x1000).step_by(4) {
            let want = match offset {
                0xfe0 => id,
                0xfe4 => 0x11,
                0xfe8 => 0x04,
                0xff0 => 0x0d,
                0xff4 => 0xf0,
                0xff8 => 0x05,
                0xffc => 0xb1,
                _ => 0,
            };
            let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
            assert_eq!(
                mci.read(&mut cx, Access::word(offset)),
                Ok(want),
                "{offset:#x}"
            );
        }
    }
}

#[test]
fn registers_keep_their_defined_bits() {
    let mut bench = Bench::on(None);
    for (offset, want) in [
        (0x00, 0xff),
        (0x04, 0xfff),
        (0x08, 0xffff_ffff),
        (0x10, 0),
        (0x14, 0),
        (0x24, 0xffff_ffff),
        (0x28, 0xffff),
        (0x3c, 0x3f_ffff),
        (0x40, 0x3f_ffff),
        (0x44, 0xf),
        (0x0c, 0x7ff),
        (0x2c, 0xff),
        (0x30, 0xffff),
        (0x48, 0x4000),
    ] {
        bench.write(offset, 0xffff_ffff);
        assert_eq!(bench.read(offset), want, "{offset:#x}");
    }
}

#[test]
fn a_command_without_response_is_sent() {
    let mut bench = Bench::on(None);
    assert_eq!(bench.command(0, 0, 0), CMD_SENT);
}

#[test]
fn an_empty_slot_times_out_after_64_periods_behind_the_commands_48() {
    let mut bench = Bench::on(None);
    assert_eq!(bench.mci.lines(), Lines(0));
    bench.write(0x3c, CMD_TIME_OUT);
    bench.command(8, 0x1aa, 0x40);
    assert_eq!(bench.read(STATUS), CMD_ACTIVE);
    // 112 periods of 4 ticks of 24 MHz: MCICLK is MCLK / 2.
    let due = 112 * 2 * 1000 / 24;
    assert_eq!(bench.mci.deadline(), Some(Instant(due)));
    bench.advance(due - 1);
    assert!(!bench.mci.lines().is_high(0));
    bench.advance(due);
    assert_eq!(bench.read(STATUS), CMD_TIME_OUT);
    assert!(bench.mci.lines().is_high(0));
    assert_eq!(bench.news(), CMD_TIME_OUT);
    assert!(!bench.mci.lines().is_high(0));
}

#[test]
fn an_interrupt_command_waits_until_it_is_given_up() {
    let mut bench = Bench::on(None);
    bench.command(40, 0, COMMAND_RESPONSE | COMMAND_INTERRUPT);
    assert_eq!(
        (bench.mci.deadline(), bench.read(STATUS)),
        (None, CMD_ACTIVE)
    );
    bench.write(0x0c, 0);
    assert_eq!(bench.read(STATUS), 0);
}

#[test]
fn a_command_waits_for_the_clock() {
    let mut bench = Bench::on(Some(4096));
    bench.write(CLOCK, 0);
    assert_eq!(bench.command(8, 0x1aa, 0x40), 0);
    assert_eq!(bench.read(STATUS), CMD_ACTIVE);
    bench.write(CLOCK, 0x100);
    assert_eq!(bench.news(), CMD_RESP_END);
    assert_eq!((bench.read(0x10), bench.read(0x14)), (8, 0x1aa));
}

#[test]
fn a_response_is_checked_by_its_crc_and_length() {
    let mut bench = Bench::on(Some(4096));
    assert_eq!(bench.command(55, 0, 0x40), CMD_RESP_END);
    assert_eq!(bench.read(0x14), 0x120);
    // R3 has ones for its CRC.
    assert_eq!(bench.command(41, 0x40ff_8000, 0x40), CMD_CRC_FAIL);
    assert_eq!((bench.read(0x10), bench.read(0x14)), (0x3f, 0x80ff_8000));
    assert_eq!(bench.command(2, 0, 0xc0), CMD_RESP_END);
    assert_eq!(bench.read(0x14), 0x0052_5152);
    assert_eq!(bench.read(0x20) & 1, 0, "MCIResponse3's bit 0");
    assert_eq!(bench.command(3, 0, 0xc0), CMD_CRC_FAIL, "no long one");
}

#[test]
fn a_block_comes_through_the_fifo() {
    let mut bench = Bench::selected();
    bench.write(0x40, RX_FIFO_HALF_FULL);
    bench.data(512, 0x93);
    assert_eq!(bench.read(STATUS) & RX_ACTIVE, RX_ACTIVE);
    assert_eq!(bench.command(17, 1024, 0x40), CMD_RESP_END);
    let status = bench.read(STATUS);
    assert_eq!(
        status,
        RX_ACTIVE | RX_FIFO_HALF_FULL | RX_FIFO_FULL | RX_DATA_AVLBL
    );
    assert!(bench.mci.lines().is_high(1));
    assert_eq!((bench.read(0x30), bench.read(0x48)), (448, 112));
    let words: Vec<u8> = (0..128)
        .flat_map(|n| bench.read(FIFO + n % 16 * 4).to_le_bytes())
        .collect();
    assert_eq!(words, bench.medium.bytes(1024, 512));
    assert_eq!(bench.read(STATUS), DATA_END | DATA_BLOCK_END);
    assert!(!bench.mci.lines().is_high(1));
    assert_eq!(bench.read(FIFO), 0, "empty");
}

#[test]
fn data_that_comes_before_the_path_is_enabled_waits() {
    let mut bench = Bench::selected();
    bench.command(17, 512, 0x40);
    bench.data(512, 0x93);
    assert_eq!(bench.read(FIFO).to_le_bytes(), *bench.medium.bytes(512, 4));
}

#[test]
fn a_register_of_8_bytes_is_a_block() {
    let mut bench = Bench::selected();
    bench.command(55, 0x4567_0000, 0x40);
    bench.command(51, 0, 0x40);
    bench.data(8, 0x33);
    assert_eq!(bench.news(), DATA_END | DATA_BLOCK_END);
    assert_eq!((bench.read(FIFO), bench.read(FIFO)), (0x0502, 0));
    assert_eq!(bench.read(STATUS), 0);
}

#[test]
fn blocks_go_out_through_the_fifo() {
    let mut bench = Bench::selected();
    assert_eq!(bench.command(25, 2048, 0x40), CMD_RESP_END);
    bench.data(1024, 0x91);
    assert_eq!(
        bench.read(STATUS),
        TX_ACTIVE | TX_FIFO_HALF_EMPTY | TX_FIFO_EMPTY
    );
    for n in 0..128_u32 {
        bench.write(FIFO, n);
    }
    assert_eq!(bench.news(), DATA_BLOCK_END);
    for n in 128..256_u32 {
        bench.write(FIFO, n);
    }
    assert_eq!(bench.read(STATUS), DATA_END | DATA_BLOCK_END);
    let want: Vec<u8> = (0..256_u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(bench.medium.bytes(2048, 1024), want);
    bench.news();
    assert_eq!(bench.command(12, 0, 0x40), CMD_RESP_END);
    assert_eq!(bench.command(13, 0x4567_0000, 0x40), CMD_RESP_END);
    assert_eq!(bench.read(0x14), 0x900);
}

#[test]
fn data_that_does_not_come_times_out_after_the_data_timer() {
    let mut bench = Bench::selected();
    bench.data(512, 0x93);
    let due = 1000 * 2 * 1000 / 24;
    assert_eq!(bench.mci.deadline(), Some(Instant(due)));
    bench.advance(due);
    assert_eq!(bench.read(STATUS), DATA_TIME_OUT);
    bench.data(512, 0x91);
    assert_eq!(bench.mci.deadline(), None, "nothing to send yet");
    bench.write(FIFO, 1);
    bench.advance(2 * due);
    assert_eq!(bench.read(STATUS), DATA_TIME_OUT);
}

#[test]
fn a_block_of_another_length_or_width_fails() {
    let mut bench = Bench::selected();
    bench.command(17, 0, 0x40);
    bench.data(64, 0x63);
    assert_eq!(bench.news(), DATA_CRC_FAIL);
    bench.write(CLOCK, 0x100 | CLOCK_WIDE_BUS);
    bench.command(17, 0, 0x40);
    bench.data(512, 0x93);
    assert_eq!(bench.news(), START_BIT_ERR);
    bench.command(24, 0, 0x40);
    bench.data(512, 0x91);
    bench.write(FIFO, 1);
    assert_eq!(bench.news(), DATA_CRC_FAIL);
    bench.command(55, 0x4567_0000, 0x40);
    bench.command(6, 2, 0x40);
    bench.command(17, 0, 0x40);
    bench.data(512, 0x93);
    assert_eq!(bench.read(STATUS) & RX_DATA_AVLBL, RX_DATA_AVLBL);
}

#[test]
fn a_pending_command_follows_the_data() {
    let mut bench = Bench::selected();
    bench.command(18, 0, 0x40);
    bench.data(512, 0x93);
    assert_eq!(bench.command(12, 0, COMMAND_RESPONSE | COMMAND_PENDING), 0);
    for _ in 0..111 {
        bench.read(FIFO);
    }
    assert_eq!(bench.read(STATUS) & CMD_ACTIVE, CMD_ACTIVE);
    bench.read(FIFO);
    assert_eq!(
        bench.news(),
        CMD_RESP_END | DATA_END | DATA_BLOCK_END,
        "with the last word in the FIFO"
    );
}

#[test]
fn a_block_that_nobody_takes_goes_by() {
    let mut bench = Bench::selected();
    bench.command(17, 0, 0x40);
    assert_eq!(bench.command(17, 512, 0x40), CMD_RESP_END);
    bench.data(512, 0x93);
    assert_eq!(bench.read(FIFO).to_le_bytes(), *bench.medium.bytes(512, 4));
}

#[test]
fn the_card_loses_its_state_with_its_power() {
    let mut bench = Bench::selected();
    assert_eq!(bench.mci.lines(), Lines(1 << 2));
    bench.write(POWER, 0);
    bench.write(POWER, 3);
    assert_eq!(bench.command(8, 0x1aa, 0x40), CMD_RESP_END, "idle again");
}

#[test]
fn dma_requests_follow_the_fifo() {
    let mut bench = Bench::selected();
    let dma = |bench: &Bench| bench.mci.lines().0 >> 4;
    bench.command(17, 0, 0x40);
    bench.data(512, 0x9b);
    assert_eq!(dma(&bench), 2, "a burst");
    for _ in 0..120 {
        bench.read(FIFO);
    }
    assert_eq!(dma(&bench), 8, "the last burst");
    bench.read(FIFO);
    assert_eq!(dma(&bench), 1, "a word");
    for _ in 0..6 {
        bench.read(FIFO);
    }
    assert_eq!(dma(&bench), 4, "the last word");
    bench.read(FIFO);
    assert_eq!(dma(&bench), 0);
}

#[test]
fn a_locked_card_drives_its_line() {
    let card = sd_card::Config::holding(4096, false, true).unwrap();
    let mci = Pl18x::new(Config {
        card: Some(card),
        ..config(None)
    });
    assert_eq!(mci.lines(), Lines(0b1100));
}

#[test]
fn narrow_accesses_take_their_lanes() {
    let mut bench = Bench::on(None);
    let mut cx = bench.medium.cx(0);
    let read = bench
        .mci
        .read(&mut cx, Access::word(0xff4).sized(Width::Byte));
    assert_eq!(read, Ok(0xf0));
    assert!(bench.mci.read(&mut cx, Access::word(2)).is_err());
}

#[test]
fn saved_state_comes_back_in_the_middle_of_a_transfer() {
    let mut bench = Bench::selected();
    bench.command(18, 0, 0x40);
    bench.data(4096, 0x93);
    for _ in 0..300 {
        bench.read(FIFO);
    }
    let mut out = Writer::default();
    bench.mci.save(&mut out);
    let saved = out.into_bytes();
    let mut copy = Pl18x::new(bench.mci.config);
    copy.load(&mut Reader::new(&saved)).unwrap();
    bench.mci = copy;
    assert_eq!(bench.read(FIFO).to_le_bytes(), *bench.medium.bytes(1200, 4));
    let mut empty = Pl18x::new(config(None));
    assert!(empty.load(&mut Reader::new(&saved)).is_err(), "no card");
    assert!(bench.mci.load(&mut Reader::new(&saved[..9])).is_err());
    assert_eq!(bench.read(CLOCK), 0);
}

#[test]
fn nothing_happens_between_an_access_and_its_deadline() {
    let offsets: Vec<u64> = (0..0x4c).step_by(4).chain([0x80, 0x84, 0xfe0]).collect();
    // Mostly on, so that something happens.
    let on = |card| {
        let mut mci = Pl18x::new(config(card));
        let mut cx = Cx::new(Instant::ZERO, &NoMemory, None);
        for (offset, value) in [(POWER, 3), (CLOCK, 0x100), (0x24, 5000)] {
            mci.write(&mut cx, Access::word(offset), value).unwrap();
        }
        mci
    };
    for seed in 1..5 {
        walk(|| on(Some(1 << 20)), &offsets, seed, 20_000);
        walk(|| on(None), &offsets, seed, 5_000);
        walk(|| on(Some(1 << 20)), &offsets[2..], seed, 20_000);
    }
}
