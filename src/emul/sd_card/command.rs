//! Commands (PLSS 4.7.4), and the states in which each is legal (PLSS 4.8).

use super::registers::{
    self, ADDRESS_ERROR, APP_CMD, BLOCK_LEN_ERROR, ERASE_PARAM, ERASE_RESET, ERASE_SEQ_ERROR,
    ILLEGAL_COMMAND, OCR_CCS, OCR_READY, OUT_OF_RANGE, READY_FOR_DATA, VOLTAGES, WP_VIOLATION,
};
use super::{BLOCK, Data, ERASE_STEP_NS, Erase, Response, SdCard, State};
use crate::emul::Cx;

/// The RCA that the card publishes first.
const RCA: u16 = 0x4567;

impl State {
    /// CURRENT_STATE.
    const fn number(self) -> u32 {
        match self {
            Self::Idle => 0,
            Self::Ready => 1,
            Self::Identification => 2,
            Self::Standby => 3,
            Self::Transfer => 4,
            Self::Sending => 5,
            Self::Receiving => 6,
            Self::Programming => 7,
            Self::Disconnect => 8,
            Self::Inactive => 15,
        }
    }

    /// Whether the card has been identified: it listens to its own RCA.
    const fn is_identified(self) -> bool {
        matches!(
            self,
            Self::Standby
                | Self::Transfer
                | Self::Sending
                | Self::Receiving
                | Self::Programming
                | Self::Disconnect
        )
    }
}

impl SdCard {
    /// A command arrives, and is answered.
    pub fn command(&mut self, cx: &Cx<'_>, index: u8, argument: u32) -> Response {
        if self.state == State::Inactive {
            return Response::None;
        }
        let application = core::mem::take(&mut self.application);
        let was = self.state;
        // Between CMD32 and CMD38 only CMD13 and what belongs to an erase may come; anything else
        // ends the sequence, and is told so (ERASE_RESET).
        let of_erase = !application && matches!(index, 13 | 32 | 33 | 38);
        if !of_erase && (self.erase_start.is_some() || self.erase_end.is_some()) {
            self.errors |= ERASE_RESET;
            (self.erase_start, self.erase_end) = (None, None);
        }
        let response = match (application, index) {
            (true, 6 | 13 | 22 | 23 | 41 | 42 | 51) => self.of_application(index, argument),
            _ => self.plain(cx, index, argument),
        };
        let status = |card: &mut Self| {
            let errors = core::mem::take(&mut card.errors);
            let ready = !matches!(was, State::Programming | State::Disconnect);
            errors
                | was.number().wrapping_shl(9)
                | if ready { READY_FOR_DATA } else { 0 }
                | if application || card.application {
                    APP_CMD
                } else {
                    0
                }
        };
        let short = |content| Response::Short {
            index,
            content,
            crc: true,
        };
        match response {
            Answer::Illegal => {
                self.errors |= ILLEGAL_COMMAND;
                Response::None
            }
            Answer::Silence => Response::None,
            Answer::R1 => short(status(self)),
            Answer::Long(words) => {
                self.errors &= !ILLEGAL_COMMAND;
                Response::Long(words)
            }
            Answer::Ocr(content) => {
                self.errors &= !ILLEGAL_COMMAND;
                Response::Short {
                    index: 0x3f,
                    content,
                    crc: false,
                }
            }
            Answer::R6 => {
                let status = status(self);
                let low = status >> 8 & 0xc000 | status >> 6 & 0x2000 | status & 0x1fff;
                short(u32::from(self.rca) << 16 | low)
            }
            Answer::R7(content) => {
                self.errors &= !ILLEGAL_COMMAND;
                short(content)
            }
        }
    }

    fn plain(&mut self, cx: &Cx<'_>, index: u8, argument: u32) -> Answer {
        let mine = argument >> 16 == u32::from(self.rca);
        let state = self.state;
        match index {
            0 => {
                self.power_off();
                Answer::Silence
            }
            2 if state == State::Ready => {
                self.state = State::Identification;
                Answer::Long(registers::cid())
            }
            3 if matches!(state, State::Identification | State::Standby) => {
                self.rca = match self.rca {
                    0 => RCA,
                    rca => rca.wrapping_add(1).max(1),
                };
                self.state = State::Standby;
                Answer::R6
            }
            // There is no DSR: CSD says so.
            4 if state == State::Standby => Answer::Silence,
            6 if state == State::Transfer => self.send(&registers::switch_status(argument)),
            7 if state.is_identified() => self.select(mine),
            8 if state == State::Idle => {
                if argument >> 8 & 0xf != 1 {
                    return Answer::Silence;
                }
                self.interface_known = true;
                Answer::R7(argument & 0xfff)
            }
            9 | 10 | 13 | 15 if state.is_identified() && !mine => Answer::Silence,
            9 if state == State::Standby => Answer::Long(registers::csd(self.config)),
            10 if state == State::Standby => Answer::Long(registers::cid()),
            12 if matches!(state, State::Sending | State::Receiving) => {
                self.stop();
                Answer::R1
            }
            13 if state.is_identified() => Answer::R1,
            15 if state.is_identified() => {
                self.state = State::Inactive;
                Answer::Silence
            }
            16 if state == State::Transfer => {
                let length = u16::try_from(argument).unwrap_or(0);
                if !(1..=BLOCK as u16).contains(&length) {
                    self.errors |= BLOCK_LEN_ERROR;
                } else if !self.config.high_capacity {
                    self.block_length = length;
                }
                Answer::R1
            }
            17 | 18 if state == State::Transfer => self.read(cx, argument, index == 18),
            24 | 25 if state == State::Transfer => self.write(argument, index == 25),
            32 | 33 if state == State::Transfer => self.erase_bound(argument, index == 33),
            38 if state == State::Transfer => self.erase(cx),
            55 if state == State::Idle && argument >> 16 == 0 || state.is_identified() && mine => {
                self.application = true;
                Answer::R1
            }
            55 if state == State::Idle || state.is_identified() => Answer::Silence,
            _ => Answer::Illegal,
        }
    }

    fn of_application(&mut self, index: u8, argument: u32) -> Answer {
        match index {
            41 if self.state == State::Idle => self.operating_condition(argument),
            _ if self.state != State::Transfer => Answer::Illegal,
            6 => {
                match argument & 3 {
                    0 => self.wide = false,
                    2 => self.wide = true,
                    _ => self.errors |= registers::ERROR,
                }
                Answer::R1
            }
            13 => self.send(&registers::sd_status(self.wide)),
            22 => self.send(&self.well_written.to_be_bytes()),
            // Pre-erase is a hint; the pull-up of DAT3 is not looked at.
            23 | 42 => Answer::R1,
            51 => self.send(&registers::SCR),
            _ => Answer::Illegal,
        }
    }

    /// ACMD41 (PLSS 4.2.3).
    fn operating_condition(&mut self, argument: u32) -> Answer {
        let inquiry = argument << 8 == 0;
        if !inquiry && argument & VOLTAGES == 0 {
            self.state = State::Inactive;
            return Answer::Silence;
        }
        let supported =
            !self.config.high_capacity || self.interface_known && argument & OCR_CCS != 0;
        if inquiry || !supported {
            return Answer::Ocr(VOLTAGES);
        }
        self.state = State::Ready;
        let capacity = if self.config.high_capacity {
            OCR_CCS
        } else {
            0
        };
        Answer::Ocr(VOLTAGES | OCR_READY | capacity)
    }

    /// CMD7: the selected card answers, a deselected one does not.
    fn select(&mut self, mine: bool) -> Answer {
        match (self.state, mine) {
            (State::Standby, true) => self.state = State::Transfer,
            (State::Disconnect, true) => self.state = State::Programming,
            (State::Transfer | State::Sending, false) => {
                self.data = Data::Nothing;
                self.state = State::Standby;
            }
            (State::Programming, false) => self.state = State::Disconnect,
            (_, true) => return Answer::Illegal,
            (_, false) => {}
        }
        if mine { Answer::R1 } else { Answer::Silence }
    }

    fn read(&mut self, cx: &Cx<'_>, argument: u32, multiple: bool) -> Answer {
        let next = self.config.address(argument);
        let length = u64::from(self.block_length);
        let inside = next & (BLOCK as u64).wrapping_sub(1);
        if next >= self.config.bytes {
            self.errors |= OUT_OF_RANGE;
        } else if inside.wrapping_add(length) > BLOCK as u64 {
            // READ_BLK_MISALIGN is 0: no block lies across two of the medium.
            self.errors |= ADDRESS_ERROR;
        } else {
            self.state = State::Sending;
            self.data = Data::Read { next, multiple };
            self.fill(cx);
        }
        Answer::R1
    }

    fn write(&mut self, argument: u32, multiple: bool) -> Answer {
        let next = self.config.address(argument);
        if next >= self.config.bytes {
            self.errors |= OUT_OF_RANGE;
        } else if next & (BLOCK as u64).wrapping_sub(1) != 0 {
            self.errors |= ADDRESS_ERROR;
        } else if usize::from(self.block_length) != BLOCK {
            // WRITE_BL_PARTIAL is 0.
            self.errors |= BLOCK_LEN_ERROR;
        } else if self.config.read_only {
            self.errors |= WP_VIOLATION;
        } else {
            self.state = State::Receiving;
            self.data = Data::Write { next, multiple };
            (self.length, self.at) = (BLOCK as u16, 0);
            self.well_written = 0;
        }
        Answer::R1
    }

    /// CMD32 and CMD33.
    fn erase_bound(&mut self, argument: u32, end: bool) -> Answer {
        let at = self.config.address(argument) & !(BLOCK as u64).wrapping_sub(1);
        if end && self.erase_start.is_none() {
            self.errors |= ERASE_SEQ_ERROR;
        } else if at >= self.config.bytes {
            self.errors |= OUT_OF_RANGE;
            (self.erase_start, self.erase_end) = (None, None);
        } else if end {
            self.erase_end = Some(at);
        } else {
            (self.erase_start, self.erase_end) = (Some(at), None);
        }
        Answer::R1
    }

    fn erase(&mut self, cx: &Cx<'_>) -> Answer {
        let bounds = (self.erase_start.take(), self.erase_end.take());
        match bounds {
            (Some(_), Some(_)) if self.config.read_only => self.errors |= WP_VIOLATION,
            (Some(start), Some(last)) if start <= last => {
                self.state = State::Programming;
                self.erase = Some(Erase {
                    next: start,
                    end: last.wrapping_add(BLOCK as u64),
                    due: cx.now.0.saturating_add(ERASE_STEP_NS),
                });
            }
            (Some(_), Some(_)) => self.errors |= ERASE_PARAM,
            _ => self.errors |= ERASE_SEQ_ERROR,
        }
        Answer::R1
    }

    /// A register of at most [`BLOCK`] bytes goes out as one block.
    fn send(&mut self, register: &[u8]) -> Answer {
        for (to, from) in self.buffer.iter_mut().zip(register) {
            *to = *from;
        }
        (self.length, self.at) = (register.len() as u16, 0);
        self.state = State::Sending;
        self.data = Data::Register;
        Answer::R1
    }
}

/// How a command is answered (PLSS 4.9); the errors and the status are filled in.
enum Answer {
    /// No response, and ILLEGAL_COMMAND in the next.
    Illegal,
    /// No response.
    Silence,
    R1,
    /// R2.
    Long([u32; 4]),
    /// R3.
    Ocr(u32),
    R6,
    R7(u32),
}
