//! The data path and its FIFO of 16 words (DDI 0205B, 2.4.3 and 2.4.4).

use super::registers::{
    DATA_BITS, DATA_BLOCK_END, DATA_CRC_FAIL, DATA_DMA_ENABLE, DATA_ENABLE, DATA_END,
    DATA_FROM_CARD, DATA_STREAM, DATA_TIME_OUT, RX_ACTIVE, RX_DATA_AVLBL, RX_FIFO_EMPTY,
    RX_FIFO_FULL, RX_FIFO_HALF_FULL, START_BIT_ERR, TX_ACTIVE, TX_DATA_AVLBL, TX_FIFO_EMPTY,
    TX_FIFO_FULL, TX_FIFO_HALF_EMPTY,
};
use crate::access::Refusal;
use crate::emul::Cx;
use crate::emul::sd_card::{BLOCK, SdCard};
use crate::emul::state::{Reader, Writer};
use crate::units::Instant;

/// Words of the FIFO.
const WORDS: usize = 16;

/// What the data path does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Idle,
    /// To the card: TxActive.
    Sends,
    /// From the card: RxActive.
    Receives,
}

const fn set(on: bool, bit: u32) -> u32 {
    if on { bit } else { 0 }
}

/// How it stands with the card, after a step.
enum Step {
    /// More can be done at once.
    Again,
    /// The FIFO is what it waits for.
    Fifo,
    /// The card is.
    Card,
    /// It ends, and this is set.
    Ends(u32),
}

/// The data path.
pub(super) struct DataPath {
    /// MCIDataTimer.
    pub timer: u32,
    /// MCIDataLength.
    pub length: u16,
    /// MCIDataCtrl.
    pub control: u32,
    /// MCIDataCnt.
    pub count: u16,
    path: Path,
    /// Bytes of the present block that have passed.
    in_block: u16,
    /// When the card's silence is a timeout.
    due: Option<u64>,
    fifo: [u32; WORDS],
    first: u8,
    words: u8,
}

impl DataPath {
    pub(super) const fn new() -> Self {
        Self {
            timer: 0,
            length: 0,
            control: 0,
            count: 0,
            path: Path::Idle,
            in_block: 0,
            due: None,
            fifo: [0; WORDS],
            first: 0,
            words: 0,
        }
    }

    /// MCIDataCtrl is written; the static bits of MCIStatus that rise by it.
    pub(super) fn start(&mut self, control: u32) -> u32 {
        let enabled = control & DATA_ENABLE != 0;
        let was = self.control & DATA_ENABLE != 0 && self.path != Path::Idle;
        self.control = control;
        if enabled && was {
            return 0;
        }
        (self.first, self.words, self.in_block, self.due) = (0, 0, 0, None);
        self.path = match (enabled, control & DATA_FROM_CARD != 0) {
            (false, _) => Path::Idle,
            (true, true) => Path::Receives,
            (true, false) => Path::Sends,
        };
        if enabled {
            self.count = self.length;
        }
        set(enabled && self.length == 0, DATA_END)
    }

    /// MCICLK stands, and with it the data timer.
    pub(super) fn stand(&mut self) {
        self.due = None;
    }

    /// Whether data is to come or to go.
    pub(super) const fn is_moving(&self) -> bool {
        !matches!(self.path, Path::Idle) && self.count != 0
    }

    pub(super) const fn is_receiving(&self) -> bool {
        matches!(self.path, Path::Receives)
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.due.map(Instant)
    }

    /// MCIStatus's bits that follow the FIFO. Those of the direction that is not active are low.
    pub(super) const fn status(&self) -> u32 {
        let (empty, full) = (self.words == 0, self.words as usize == WORDS);
        let half = WORDS / 2;
        match self.path {
            Path::Idle => 0,
            Path::Sends => {
                TX_ACTIVE
                    | set(self.words as usize <= half, TX_FIFO_HALF_EMPTY)
                    | set(full, TX_FIFO_FULL)
                    | set(empty, TX_FIFO_EMPTY)
                    | set(!empty, TX_DATA_AVLBL)
            }
            Path::Receives => {
                RX_ACTIVE
                    | set(self.words as usize >= half, RX_FIFO_HALF_FULL)
                    | set(full, RX_FIFO_FULL)
                    | set(empty, RX_FIFO_EMPTY)
                    | set(!empty, RX_DATA_AVLBL)
            }
        }
    }

    /// MCIDMASREQ, MCIDMABREQ, MCIDMALSREQ, MCIDMALBREQ from bit 0 on: a burst is half the FIFO.
    pub(super) fn dma_requests(&self) -> u8 {
        if self.control & DATA_DMA_ENABLE == 0 {
            return 0;
        }
        let words = usize::from(self.words);
        let half = WORDS / 2;
        let to_move = usize::from(self.count).div_ceil(4);
        // The words that software can move now, and those that it will have to in all.
        let (now, all) = match self.path {
            Path::Idle => return 0,
            Path::Sends => {
                let left = to_move.saturating_sub(words);
                (WORDS.saturating_sub(words).min(left), left)
            }
            Path::Receives => (words, words.saturating_add(to_move)),
        };
        match now {
            0 => 0,
            _ if now >= half && all == half => 8,
            _ if now >= half => 2,
            _ if all == 1 => 4,
            _ => 1,
        }
    }

    /// MCIFIFO is read.
    pub(super) fn pop(&mut self) -> u32 {
        if self.path == Path::Receives {
            self.take().unwrap_or(0)
        } else {
            0
        }
    }

    /// MCIFIFO is written.
    pub(super) fn push(&mut self, word: u32) {
        if self.path == Path::Sends {
            self.put(word);
        }
    }

    fn put(&mut self, word: u32) {
        let place = usize::from(self.first.wrapping_add(self.words)) & WORDS.wrapping_sub(1);
        if usize::from(self.words) < WORDS
            && let Some(slot) = self.fifo.get_mut(place)
        {
            *slot = word;
            self.words = self.words.wrapping_add(1);
        }
    }

    fn take(&mut self) -> Option<u32> {
        if self.words == 0 {
            return None;
        }
        let word = self.fifo.get(usize::from(self.first)).copied();
        self.first = self.first.wrapping_add(1) & (WORDS as u8).wrapping_sub(1);
        self.words = self.words.wrapping_sub(1);
        word
    }

    fn is_stream(&self) -> bool {
        self.control & DATA_STREAM != 0
    }

    /// MCIDataCtrl.BlockSize in bytes.
    fn block(&self) -> u16 {
        1_u16.wrapping_shl(self.control >> 4 & 0xf)
    }

    /// Moves what can be moved; the static bits of MCIStatus that rise by it. `timeout` is
    /// MCIDataTimer's time.
    pub(super) fn run(
        &mut self,
        cx: &Cx<'_>,
        mut card: Option<&mut SdCard>,
        wide: bool,
        timeout: u64,
    ) -> u32 {
        let mut rose = 0;
        // A step moves a word, or ends a block: no more than both for each word of the FIFO.
        for _ in 0..=2 * WORDS {
            let step = match self.path {
                Path::Idle => break,
                Path::Sends => self.send(cx, card.as_deref_mut(), wide, &mut rose),
                Path::Receives => self.receive(cx, card.as_deref_mut(), wide, &mut rose),
            };
            match step {
                Step::Again => self.due = None,
                Step::Fifo => {
                    self.due = None;
                    break;
                }
                Step::Card => {
                    let due = *self
                        .due
                        .get_or_insert_with(|| cx.now.0.saturating_add(timeout));
                    if due <= cx.now.0 {
                        self.end();
                        rose |= DATA_TIME_OUT;
                    }
                    break;
                }
                Step::Ends(why) => {
                    self.end();
                    rose |= why;
                }
            }
        }
        rose
    }

    fn end(&mut self) {
        self.path = Path::Idle;
        (self.first, self.words, self.in_block, self.due) = (0, 0, 0, None);
    }

    /// One word from the card.
    fn receive(
        &mut self,
        cx: &Cx<'_>,
        card: Option<&mut SdCard>,
        wide: bool,
        rose: &mut u32,
    ) -> Step {
        if self.count == 0 {
            // WAIT_R is left once the FIFO is empty.
            return if self.words == 0 {
                Step::Ends(0)
            } else {
                Step::Fifo
            };
        }
        if usize::from(self.words) == WORDS {
            return Step::Fifo;
        }
        let Some(card) = card else {
            return Step::Card;
        };
        let Some(sends) = card.sending() else {
            return Step::Card;
        };
        let block = if self.is_stream() {
            sends
        } else {
            self.block()
        };
        if self.in_block == 0 && (block != sends || wide != card.is_wide()) {
            card.unheard(cx);
            // On four lines a start bit is looked for on each; a block of another length has its
            // CRC elsewhere.
            let lacks = wide && !card.is_wide();
            return Step::Ends(if lacks { START_BIT_ERR } else { DATA_CRC_FAIL });
        }
        let mut word = [0; 4];
        for byte in &mut word {
            if self.count == 0 || self.in_block == block {
                break;
            }
            let Some(sent) = card.sent(cx) else { break };
            *byte = sent;
            self.count = self.count.wrapping_sub(1);
            self.in_block = self.in_block.wrapping_add(1);
        }
        self.put(u32::from_le_bytes(word));
        if self.in_block >= block {
            self.in_block = 0;
            *rose |= set(!self.is_stream(), DATA_BLOCK_END);
        } else if self.count == 0 {
            card.unheard(cx);
        }
        if self.count == 0 {
            *rose |= DATA_END;
        }
        Step::Again
    }

    /// One word to the card.
    fn send(&mut self, cx: &Cx<'_>, card: Option<&mut SdCard>, wide: bool, rose: &mut u32) -> Step {
        if self.count == 0 {
            return Step::Ends(0);
        }
        if self.words == 0 {
            return Step::Fifo;
        }
        let Some(card) = card.filter(|card| card.is_receiving()) else {
            return Step::Card;
        };
        let block = if self.is_stream() {
            BLOCK as u16
        } else {
            self.block()
        };
        if usize::from(block) != BLOCK || wide != card.is_wide() {
            // The card finds another CRC, and says so.
            card.block_lost();
            return Step::Ends(DATA_CRC_FAIL);
        }
        let word = self.take().unwrap_or(0);
        for byte in word.to_le_bytes() {
            if self.count == 0 {
                break;
            }
            self.count = self.count.wrapping_sub(1);
            self.in_block = self.in_block.wrapping_add(1);
            match card.receive(cx, byte) {
                None => {}
                Some(false) => return Step::Ends(DATA_CRC_FAIL),
                Some(true) => {
                    self.in_block = 0;
                    *rose |= set(!self.is_stream(), DATA_BLOCK_END);
                }
            }
        }
        if self.count == 0 {
            if self.in_block != 0 {
                card.block_lost();
            }
            return Step::Ends(DATA_END);
        }
        Step::Again
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.timer);
        out.u16(self.length);
        out.u32(self.control);
        out.u16(self.count);
        out.u8(match self.path {
            Path::Idle => 0,
            Path::Sends => 1,
            Path::Receives => 2,
        });
        out.u16(self.in_block);
        out.bool(self.due.is_some());
        out.u64(self.due.unwrap_or(0));
        self.fifo.iter().for_each(|word| out.u32(*word));
        out.u8(self.first);
        out.u8(self.words);
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.timer = from.u32()?;
        self.length = from.u16()?;
        self.control = from.u32()?;
        self.count = from.u16()?;
        self.path = match from.u8()? {
            0 => Path::Idle,
            1 => Path::Sends,
            2 => Path::Receives,
            _ => return Err(Refusal::BadState),
        };
        self.in_block = from.u16()?;
        let (timed, due) = (from.bool()?, from.u64()?);
        self.due = timed.then_some(due);
        for word in &mut self.fifo {
            *word = from.u32()?;
        }
        (self.first, self.words) = (from.u8()?, from.u8()?);
        let sound = usize::from(self.first) < WORDS
            && usize::from(self.words) <= WORDS
            && self.control & !DATA_BITS == 0;
        if sound {
            Ok(())
        } else {
            Err(Refusal::BadState)
        }
    }
}
