//! The DMA interface: an operation that a descriptor in the board's RAM describes.
//!
//! The descriptor (FWCfgDmaAccess) is three big-endian fields: a control word, a length of 32
//! bits, an address of 64. When the operation is over its control word is 0, or the error bit.

use super::{FwCfg, Selected};
use crate::access::Refusal;
use crate::emul::state::{Reader, Writer};
use crate::emul::{Cx, TRANSFER_MAX};
use crate::units::{Instant, Ipa};
use core::sync::atomic::{Ordering, fence};

/// The time between two steps of a long transfer: 4 KiB in 4 us is 1 GB/s, and the guest's CPU
/// gets most of it.
pub const STEP_NS: u64 = 4000;

const ERROR: u32 = 1 << 0;
const READ: u32 = 1 << 1;
const SKIP: u32 = 1 << 2;
const SELECT: u32 = 1 << 3;
const WRITE: u32 = 1 << 4;

/// Bytes of a page: no copy crosses one, for the memory behind it may be another, or none.
const PAGE: u64 = 0x1000;

/// What an item reads as behind its end.
static ZEROES: [u8; 512] = [0; 512];

/// A read that is on its way.
#[derive(Clone, Copy)]
pub(super) struct Transfer {
    descriptor: u64,
    /// Where the next byte goes.
    address: u64,
    left: u32,
    /// When it goes on.
    pub(super) due: Instant,
}

impl Transfer {
    pub(super) fn save(&self, out: &mut Writer) {
        out.u64(self.descriptor);
        out.u64(self.address);
        out.u32(self.left);
        out.u64(self.due.0);
    }

    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            descriptor: from.u64()?,
            address: from.u64()?,
            left: from.u32()?,
            due: Instant(from.u64()?),
        })
    }
}

impl FwCfg {
    /// Starts the operation that the descriptor at `descriptor` describes. The DMA address is 0
    /// afterwards.
    pub(super) fn operate(&mut self, cx: &Cx<'_>, descriptor: u64) {
        self.high = 0;
        let Some([control, length, high, low]) = fields(cx, descriptor) else {
            return done(cx, descriptor, ERROR);
        };
        if self.transfer.is_some() {
            return done(cx, descriptor, ERROR);
        }
        if control & SELECT != 0 {
            self.selected = Selected::new((control >> 16) as u16);
        }
        if control & READ != 0 {
            self.transfer = Some(Transfer {
                descriptor,
                address: u64::from(high) << 32 | u64::from(low),
                left: length,
                due: cx.now,
            });
            return self.step(cx);
        }
        let mut outcome = 0;
        if control & WRITE != 0 {
            // No item is there to be written; nothing can be written to any.
            outcome = if length == 0 { 0 } else { ERROR };
        } else if control & SKIP != 0 {
            self.selected.skip(&self.items, length as usize);
        }
        done(cx, descriptor, outcome);
    }

    /// Moves at most 4 KiB, in pieces that end with the page, the item, or the zeroes at hand:
    /// not more than eleven.
    pub(super) fn step(&mut self, cx: &Cx<'_>) {
        let Some(mut t) = self.transfer.take() else {
            return;
        };
        let mut budget = TRANSFER_MAX.min(t.left as usize);
        while budget != 0 {
            let in_page = PAGE.wrapping_sub(t.address % PAGE) as usize;
            let rest = self.selected.rest(&self.items);
            let source = if rest.is_empty() { &ZEROES } else { rest };
            let bytes = budget.min(in_page).min(source.len());
            let wrote = cx.write(Ipa(t.address), source.get(..bytes).unwrap_or_default());
            self.selected.skip(&self.items, bytes);
            if wrote.is_err() {
                return done(cx, t.descriptor, ERROR);
            }
            t.address = t.address.wrapping_add(bytes as u64);
            t.left = t.left.wrapping_sub(bytes as u32);
            budget = budget.wrapping_sub(bytes);
        }
        if t.left == 0 {
            return done(cx, t.descriptor, 0);
        }
        t.due = Instant(cx.now.0.saturating_add(STEP_NS));
        self.transfer = Some(t);
    }
}

/// The descriptor's four words.
fn fields(cx: &Cx<'_>, at: u64) -> Option<[u32; 4]> {
    let mut bytes = [0; 16];
    cx.read(Ipa(at), &mut bytes).ok()?;
    let mut fields = [0; 4];
    for (field, bytes) in fields.iter_mut().zip(bytes.chunks_exact(4)) {
        *field = u32::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(fields)
}

/// Writes the descriptor's control word: the operation is over. If no RAM is there nobody can
/// be told.
fn done(cx: &Cx<'_>, descriptor: u64, control: u32) {
    // Another CPU that sees the word sees the data.
    fence(Ordering::Release);
    let _ = cx.write(Ipa(descriptor), &control.to_be_bytes());
}
