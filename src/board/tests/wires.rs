//! Two boards and the wires between them.

use super::*;
use crate::board::Carried;
use crate::wire::Side;
use crate::wire::pins::{Pin, PinWire};
use crate::wire::serial::{Counts, SerialWire};
use core::cell::RefCell;

/// UARTDR, UARTRSR, UARTFR.
const DR: u64 = 0x3000;
const RSR: u64 = 0x3004;
const FR: u64 = 0x3018;

/// A board with a PL011 at 0x3000 that nobody's console is: 115,200 baud, FIFOs on.
fn uart_board(lcr_h: u64) -> Board {
    let mut board = board(&|fdt| {
        node(fdt, "serial@3000", "arm,pl011", &[0x3000, 0x1000], &|fdt| {
            fdt.property_u32("clock-frequency", 24_000_000)?;
            fdt.property_null("reliquary,baud-paced")
        })
    });
    for (offset, value) in [(0x24, 13), (0x28, 1), (0x2c, lcr_h), (0x30, 0x301)] {
        write(&mut board, DR + offset, value);
    }
    let device = uart(&board);
    assert!(board.take_serial(device));
    board
}

fn uart(board: &Board) -> usize {
    let devices = board.plan().devices.iter();
    let mut uarts = devices
        .enumerate()
        .filter(|(_, d)| d.compatible == "arm,pl011");
    uarts.next().expect("it has one").0
}

/// 8N1 with FIFOs.
const USUAL: u64 = 0x70;

/// A board whose program sends a counted stream of bytes, and checks the one that it gets.
struct Talker {
    board: Board,
    side: Side,
    sent: u64,
    got: u64,
    /// Characters that came out of order: what is before them was lost.
    gaps: u64,
    overruns: u64,
    errors: u64,
}

const BYTES: u64 = 10_000;

impl Talker {
    fn new(side: Side, lcr_h: u64) -> Self {
        Self {
            board: uart_board(lcr_h),
            side,
            sent: 0,
            got: 0,
            gaps: 0,
            overruns: 0,
            errors: 0,
        }
    }

    fn at(&mut self, at: u64, now: u64, value: Option<u64>) -> u64 {
        let (world, how) = (self::now(now), cpu(Width::Word));
        match value {
            None => match self.board.read(&world, Ipa(at), how) {
                Ok(Reply::Value(value)) => value,
                other => panic!("{other:?}"),
            },
            Some(value) => {
                self.board.write(&world, Ipa(at), how, value).unwrap();
                0
            }
        }
    }

    /// What happens to it from `now` on, until nothing more does at that moment.
    fn runs(&mut self, now: u64, wire: &RefCell<SerialWire>) -> Carried {
        let device = uart(&self.board);
        self.board.advance(&self::now(now));
        let carried = self
            .board
            .carry_serial(&self::now(now), device, wire, self.side);
        while self.at(FR, now, None) & 1 << 4 == 0 {
            let word = self.at(DR, now, None);
            self.errors += u64::from(word & 0x700 != 0);
            if self.at(RSR, now, None) & 8 != 0 {
                self.overruns += 1;
                self.at(RSR, now, Some(0));
            }
            let expected = self.got % 251;
            if word & 0xff != expected {
                self.gaps += 1;
                self.got += (word + 251 - expected) % 251;
            }
            self.got += 1;
        }
        while self.sent < BYTES && self.at(FR, now, None) & 1 << 5 == 0 {
            self.at(DR, now, Some(self.sent % 251));
            self.sent += 1;
        }
        carried
    }
}

/// Both talk until both have heard everything or `until`; each runs in its slots only. When each
/// had heard all.
fn talk(boards: &mut [Talker; 2], wire: &RefCell<SerialWire>, slot: u64, until: u64) -> u64 {
    let mut now = 0;
    let busy = |board: &Talker| board.got < BYTES || board.sent < BYTES;
    while now < until && boards.iter().any(busy) {
        let turn = now.checked_div(slot).map(|slot| slot as usize % 2);
        for (number, board) in boards.iter_mut().enumerate() {
            if turn.is_none_or(|turn| turn == number) {
                board.runs(now, wire);
            }
        }
        now += 20_000;
    }
    now
}

#[test]
fn paced_bytes_cross_a_wire_at_their_rate_and_none_is_lost() {
    let wire = RefCell::new(SerialWire::new(false));
    let mut boards = [Side::First, Side::Second].map(|side| Talker::new(side, USUAL));
    let took = talk(&mut boards, &wire, 0, 2_000_000_000);
    for board in &boards {
        assert_eq!((board.got, board.gaps, board.errors), (BYTES, 0, 0));
    }
    // 10 bits of 8.677 us.
    assert!((867_000_000..870_000_000).contains(&took), "{took}");
}

#[test]
fn bytes_for_a_board_out_of_its_slot_wait_and_arrive_paced() {
    let wire = RefCell::new(SerialWire::new(false));
    let mut boards = [Side::First, Side::Second].map(|side| Talker::new(side, USUAL));
    talk(&mut boards, &wire, 10_000_000, 10_000_000_000);
    for board in &boards {
        assert_eq!(board.got, BYTES);
        assert_eq!((board.gaps, board.errors, board.overruns), (0, 0, 0));
    }
    let counts = wire.borrow().counts(Side::First);
    let all = Counts {
        sent: BYTES,
        ..Counts::default()
    };
    assert_eq!(counts, all);
}

#[test]
fn a_faithful_wire_overruns_a_board_out_of_its_slot_and_both_count_it() {
    let wire = RefCell::new(SerialWire::new(true));
    let mut boards = [Side::First, Side::Second].map(|side| Talker::new(side, USUAL));
    talk(&mut boards, &wire, 10_000_000, 2_500_000_000);
    for board in &boards {
        let counts = wire.borrow().counts(board.side);
        // Its last may still be in the sender's FIFO.
        assert!(counts.sent >= BYTES - 17, "{counts:?}");
        assert_eq!((counts.flawed, counts.lost), (0, 0));
        // A slot's worth is 115 characters, of which the FIFO holds 16.
        assert!(counts.overruns > 7_000, "{counts:?}");
        assert!(board.overruns > 80, "one OE a slot: {}", board.overruns);
        assert!(board.gaps >= board.overruns - 1);
    }
}

#[test]
fn parities_that_disagree_are_errors_at_both_ends() {
    let wire = RefCell::new(SerialWire::new(false));
    // PEN, and PEN with EPS.
    let mut boards = [
        Talker::new(Side::First, USUAL | 2),
        Talker::new(Side::Second, USUAL | 6),
    ];
    talk(&mut boards, &wire, 0, 2_000_000_000);
    for board in &boards {
        assert_eq!((board.got, board.errors), (BYTES, BYTES));
        assert_eq!(wire.borrow().counts(board.side).flawed, BYTES);
    }
}

#[test]
fn a_port_that_sends_is_news_only_if_someone_takes_it() {
    let mut taken = uart_board(USUAL);
    let mut board = board(&|fdt| {
        node(fdt, "serial@3000", "arm,pl011", &[0x3000, 0x1000], &|fdt| {
            fdt.property_u32("clock-frequency", 24_000_000)
        })
    });
    write(&mut board, DR + 0x30, 0x301);
    write(&mut board, DR, 1);
    let device = uart(&board);
    let _ = board.take_news();
    write(&mut board, DR, 2);
    assert!(!board.take_news().has(News::SERIAL));
    assert!(board.take_serial(device));
    assert!(board.take_news().has(News::SERIAL), "what is there already");
    assert!(!board.take_serial(usize::MAX) && !board.take_serial(0));

    write(&mut taken, DR, 1);
    let _ = taken.take_news();
    taken.advance(&now(90_000));
    assert!(taken.take_news().has(News::SERIAL));
}

#[test]
fn what_a_record_cannot_hold_counts_as_lost_in_it() {
    let mut board = uart_board(USUAL);
    let device = uart(&board);
    board.observe(Some(Observer::new(Kinds::BYTES, 8)));
    let good = crate::emul::serial::Received::from(1);
    board.serial_receive(&now(5), device, good, false);
    assert!(board.observer().unwrap().take().is_some());
    assert_eq!(board.observer().unwrap().take_lost(), None);
    board.serial_receive(&now(7), device, crate::emul::serial::Received::BREAK, false);
    assert_eq!(board.observer().unwrap().take_lost(), Some((Instant(7), 1)));
}

#[test]
fn a_pin_drives_another_boards_pin_and_its_interrupt() {
    let gpio = || {
        board(&|fdt| {
            node(
                fdt,
                "gpio@3000",
                "arm,pl061",
                &[0x3000, 0x1000],
                &|_| Ok(()),
            )
        })
    };
    let mut boards = [gpio(), gpio()];
    let device = |board: &Board| {
        let devices = board.plan().devices.iter();
        devices
            .enumerate()
            .find(|(_, d)| d.compatible == "arm,pl061")
            .unwrap()
            .0
    };
    let pin = |pin| Pin {
        output: Some(9 + pin),
        enable: Some(17 + pin),
        input: Some(pin),
    };
    let wire = RefCell::new(PinWire::new());
    let [press, panel] = &mut boards;
    press.watch_outputs(device(press), Lines(1 << (9 + 3) | 1 << (17 + 3)));
    let _ = press.take_news();
    // GPIODIR of pin 3; the other looks for rising edges of pin 5.
    write(press, 0x3400, 1 << 3);
    assert!(press.take_news().has(News::OUTPUTS));
    write(panel, 0x340c, 1 << 5);
    write(panel, 0x3410, 1 << 5);
    let carry = |press: &mut Board, panel: &mut Board| {
        let tell = press.carry_pin(&now(0), device(press), pin(3), &wire, Side::First);
        panel.carry_pin(&now(0), device(panel), pin(5), &wire, Side::Second);
        tell
    };
    assert!(!carry(press, panel), "it drives low");
    write(press, 0x3000 + (1 << 3 << 2), 1 << 3);
    assert!(press.take_news().has(News::OUTPUTS));
    assert!(carry(press, panel));
    assert_eq!(read(panel, 0x3000 + (1 << 5 << 2)), 1 << 5, "GPIODATA");
    assert_eq!(read(panel, 0x3418), 1 << 5, "GPIOMIS");
    write(press, 0x3400, 0);
    assert!(carry(press, panel), "it lets go");
    assert_eq!(read(panel, 0x3000 + (1 << 5 << 2)), 0);
}
