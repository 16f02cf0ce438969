//! A PL180 with a card, played as a guest that follows the specification would: the card is
//! identified and selected, then blocks are written and read back. The order of it, and what is
//! between, are random.
//!
//! Not played: what the cards say of themselves (CID, CSD, SCR, OCR), for they are two makers';
//! a command that is not answered, and an erase, which take time here; the bus of four lines, whose width
//! does not matter in QEMU's.

use super::pl18x::{INTERFACE, last};
use crate::compare;
use crate::play::Random;
use crate::target::{ALL, Done, Known, Never, Target, Values};

/// The card's RCA, as it is first told.
const RCA: u64 = 0x4567 << 16;
const ENABLE: u64 = 1 << 10;
const RESPONSE: u64 = 1 << 6;
const BLOCK: u64 = 512;
/// How many blocks are used: few, so that what is written is read.
const BLOCKS: u64 = 4;
/// Words that are taken after a look at MCIStatus: half the FIFO.
const BURST: u64 = 8;

/// What a card does (PLSS 4.1), as far as it is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Ready,
    Identification,
    Standby,
    Transfer,
    Sends(Data),
    Takes(Data),
}

/// What data is on the card's lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    /// The SD status.
    Status,
    Block,
    /// Blocks until CMD12.
    Blocks,
}

/// What a guest knows.
struct Guest {
    state: State,
    /// CMD55 has come.
    application: bool,
    argument: u64,
    length: u64,
    /// The data path was enabled for the data.
    begun: bool,
    /// Words that are still to pass MCIFIFO.
    words: u64,
    /// Words that have passed since MCIStatus was read.
    unseen: u64,
}

impl Guest {
    /// After what was done.
    fn after(done: &[Done]) -> Self {
        let mut guest = Self {
            state: State::Idle,
            application: false,
            argument: 0,
            length: 0,
            begun: false,
            words: 0,
            unseen: 0,
        };
        for it in done {
            guest.next(it);
        }
        guest
    }

    fn next(&mut self, done: &Done) {
        match (done.register, done.write) {
            ("MCIStatus", false) => self.unseen = 0,
            ("MCIFIFO", write) if self.words > 0 && write != self.takes_from_card() => {
                self.unseen += 1;
                self.words -= 1;
                if self.words == 0 {
                    self.data_ends();
                }
            }
            ("MCIArgument", true) => self.argument = done.value,
            ("MCIDataLength", true) => self.length = done.value,
            ("MCIDataCtrl", true) if done.value & 1 != 0 => {
                self.begun = true;
                self.words = self.length / 4;
            }
            ("MCICommand", true) if done.value & ENABLE != 0 => self.command(done.value & 0x3f),
            _ => {}
        }
    }

    fn takes_from_card(&self) -> bool {
        matches!(self.state, State::Sends(_))
    }

    fn data_ends(&mut self) {
        if let State::Sends(data) | State::Takes(data) = self.state
            && data != Data::Blocks
        {
            self.state = State::Transfer;
        }
    }

    /// A command is sent: only those of [`Self::commands`] are.
    fn command(&mut self, index: u64) {
        let application = std::mem::take(&mut self.application);
        self.state = match index {
            0 => State::Idle,
            2 => State::Identification,
            7 if self.state == State::Standby => State::Transfer,
            3 | 7 => State::Standby,
            12 => State::Transfer,
            13 if application => State::Sends(Data::Status),
            17 => State::Sends(Data::Block),
            18 => State::Sends(Data::Blocks),
            24 => State::Takes(Data::Block),
            25 => State::Takes(Data::Blocks),
            41 => State::Ready,
            _ => self.state,
        };
        self.application = index == 55;
        self.begun = false;
    }

    /// An argument of use.
    fn argument(&self, random: &mut Random) -> u64 {
        match (self.state, random.below(8)) {
            (State::Idle, _) if self.application => 0x00ff_8000,
            (State::Idle, 0) => 0x1aa,
            (State::Idle, _) => 0,
            (State::Ready | State::Identification, _) => random.value(),
            (State::Transfer, 1..) => random.below(BLOCKS) * BLOCK,
            _ => RCA,
        }
    }

    /// The commands of use with the argument there is, and whether each is answered in a way that
    /// is compared.
    fn commands(&self) -> &'static [(u64, bool)] {
        let block = self.argument < BLOCKS * BLOCK && self.argument.is_multiple_of(BLOCK);
        match (self.state, self.argument) {
            (State::Idle, 0x00ff_8000) if self.application => &[(41, false)],
            (State::Idle, 0) if !self.application => &[(0, false), (55, true), (55, true)],
            (State::Idle, 0x1aa) if !self.application => &[(8, true)],
            (State::Ready, _) => &[(2, false)],
            (State::Identification, _) => &[(3, true)],
            (State::Standby, RCA) if self.application => &[(7, true)],
            (State::Standby, RCA) => &[(7, true), (7, true), (13, true), (55, true)],
            (State::Transfer, _) if self.application => &[(13, true)],
            // CMD5 is an SDIO card's: it is illegal, and the next response says so.
            (State::Transfer, RCA) => &[(5, false), (13, true), (13, true), (55, true)],
            (State::Transfer, 0) => &[(0, false), (7, false), (17, true), (25, true)],
            (State::Transfer, BLOCK) => &[(16, true), (17, true), (18, true), (24, true)],
            (State::Transfer, _) if block => &[(17, true), (18, true), (24, true), (25, true)],
            // Not CMD13: QEMU's card forgets by it what the data is.
            (State::Sends(Data::Blocks) | State::Takes(Data::Blocks), _) if self.words == 0 => {
                &[(12, true)]
            }
            _ => &[],
        }
    }

    /// A length of use.
    fn length(&self, random: &mut Random) -> Option<u64> {
        match self.state {
            State::Sends(data) | State::Takes(data) => Some(match data {
                Data::Status => 64,
                Data::Block => BLOCK,
                Data::Blocks => BLOCK * (1 + random.below(2)),
            }),
            _ => None,
        }
    }

    /// MCIDataCtrl's value that begins what is to begin.
    fn begin(&self) -> Option<u64> {
        let (data, from_card) = match self.state {
            State::Sends(data) => (data, 2),
            State::Takes(data) => (data, 0),
            _ => return None,
        };
        let (fits, block) = match data {
            Data::Status => (self.length == 64, 6),
            Data::Block => (self.length == BLOCK, 9),
            Data::Blocks => ([BLOCK, 2 * BLOCK].contains(&self.length), 9),
        };
        (fits && !self.begun).then_some(1 | from_card | block << 4)
    }
}

const VALUES: Values = |register, random, done| {
    let value = random.value();
    Some(match register {
        "MCIPower" => value | 3,
        "MCIClock" => value & !0x800 | 0x100,
        "MCIDataTimer" => value | 1 << 16,
        "MCIArgument" => Guest::after(done).argument(random),
        "MCICommand" => {
            let commands = Guest::after(done).commands();
            match commands.get(random.below(commands.len() as u64) as usize) {
                Some((index, true)) => index | ENABLE | RESPONSE,
                Some((index, false)) => index | ENABLE,
                None => value & !ENABLE,
            }
        }
        "MCIDataLength" => Guest::after(done).length(random).unwrap_or(value),
        "MCIDataCtrl" => match Guest::after(done).begin() {
            Some(begins) if last("MCIDataCtrl", done) & 1 == 0 => begins,
            _ => value & !1,
        },
        _ => value,
    })
};

/// What is accessed half of the time.
fn often(random: &mut Random) -> Option<&'static str> {
    Some(match random.below(24) {
        0..2 => "MCIArgument",
        2..5 => "MCICommand",
        5 => "MCIDataLength",
        6..8 => "MCIDataCtrl",
        8..12 => "MCIStatus",
        12..22 => "MCIFIFO",
        _ => return None,
    })
}

/// A guest lets a transfer go on, and takes what it has seen.
fn plays(register: &str, write: bool, done: &[Done]) -> bool {
    match (register, write) {
        ("MCIDataCtrl", true) => {
            let guest = Guest::after(done);
            guest.words == 0 && guest.unseen == 0
        }
        ("MCIFIFO", _) => {
            let guest = Guest::after(done);
            guest.words == 0 || write != guest.takes_from_card() && (write || guest.unseen < BURST)
        }
        _ => true,
    }
}

const CARD: Target = Target {
    card: Some(1 << 20),
    often,
    values: VALUES,
    plays,
    leave_out: &[
        ("MCIClock", "compared with an empty slot"),
        ("MCISelect", "as above"),
        ("PeriphID", "as above"),
    ],
    never: &[
        Never::new("MCIMask0", 0xffc2_0500, "MCIStatus differs in these, below"),
        Never::new("MCIMask1", 0xffc2_0500, "as above"),
        Never::new(
            "MCICommand",
            0xffff_f800,
            "reserved: compared with an empty slot",
        ),
    ],
    known: &[
        Known::ours(
            "MCICommand",
            0x400,
            "QEMU's Enable clears itself (DDI 0205B, MCICommand)",
        ),
        Known::ours(
            "MCIDataCtrl",
            1,
            "QEMU's Enable clears itself (DDI 0205B, MCIDataCtrl)",
        ),
        Known::ours("MCIRespCmd", 0x3f, "QEMU does not have it"),
        Known::ours(
            "MCIStatus",
            0x500,
            "QEMU ends data that is not there with each command, and has one block for all (DDI 0205B, MCIStatus)",
        ),
        Known::ours(
            "MCIStatus",
            0x2_0000,
            "QEMU's FIFO is not filled until MCIStatus is read (DDI 0205B, 2.4.4)",
        ),
        Known::ours("MCIDataCnt", ALL, "as above: a burst of 8 words at most").within(32),
        Known::ours("MCIFifoCnt", ALL, "as above").within(8),
    ],
    ..INTERFACE
};

#[test]
fn sd_card_in_a_pl180() {
    compare(&CARD);
}
