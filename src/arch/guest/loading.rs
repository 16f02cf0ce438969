//! A VM's memory at a reset: cleared and loaded anew, piece by piece.
//!
//! The core that has the VM's first vCPU does a piece each time that the scheduler gives it the core, so
//! that others there have their slots, and their priority, meanwhile. The vCPUs are off until the last
//! piece; then the board begins anew.

use super::windows::Place;
use super::{Guest, Phase, Seat, calls};
use crate::arch::counter;
use crate::arch::guest_memory::forget_code;
use reliquary::memory::Unbacked;
use reliquary::units::Ipa;

/// Bytes of a piece on a core that others share, whose slots wait for one at most.
const PIECE_SHARED: u64 = 4 * 1024;
/// The same on a core that is the VM's own.
const PIECE_OWN: u64 = 64 * 1024;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// RAM that is cleared, in bytes from the first window on.
    cleared: u64,
    /// The image that is next, and what of it is there.
    image: usize,
    copied: u64,
}

/// What resets cost, in ticks of the host's counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resets {
    /// When there was a cause for the one that is under way.
    since: Option<u64>,
    /// Since when its memory is loaded, and then how long that took.
    loading: u64,
    /// How many there were.
    pub count: u32,
    /// The longest, from its cause to the first vCPU's entry, without its loading.
    pub longest: u64,
    /// The longest loading.
    pub longest_loading: u64,
}

impl Resets {
    /// Something asks for a reset: a deadline of the board, if one has just been met.
    pub fn asked(&mut self, deadline: Option<u64>) {
        let now = counter::now();
        self.since = Some(deadline.map_or(now, |at| at.min(now)));
        self.loading = 0;
    }

    /// None is under way any more: the VM stays down.
    pub fn forget(&mut self) {
        self.since = None;
    }

    fn loads(&mut self) {
        self.loading = counter::now();
    }

    fn loaded(&mut self) {
        self.loading = counter::now().saturating_sub(self.loading);
    }

    /// The first vCPU is about to be entered.
    pub fn done(&mut self) {
        let Some(since) = self.since.take() else {
            return;
        };
        let took = counter::now().saturating_sub(since + self.loading);
        self.count += 1;
        self.longest = self.longest.max(took);
        self.longest_loading = self.longest_loading.max(self.loading);
    }
}

impl Guest {
    /// Begins to load, with all vCPUs still.
    pub(super) fn reset_board(&mut self) {
        self.resets.loads();
        self.life += 1;
        (self.online, self.parked) = (0, 0);
        self.starts.fill(None);
        self.wires.connect(false);
        self.connect_channels(false);
        self.phase = Phase::Loading(Loading::default());
        self.call_all();
    }

    /// Loads a piece, if that is what the VM is at.
    pub(super) fn load_on(&mut self, seat: &mut Seat) {
        let Phase::Loading(mut loading) = self.phase else {
            return;
        };
        let piece = if seat.shares { PIECE_SHARED } else { PIECE_OWN };
        match self.load_piece(&mut loading, piece) {
            Ok(false) => {
                self.phase = Phase::Loading(loading);
                self.acknowledge(seat);
                calls::call(seat.vm, seat.cpu);
            }
            Ok(true) => {
                self.resets.loaded();
                self.begin_anew();
            }
            Err(Unbacked) => self.end(Phase::Crashed, "its images do not fit its memory"),
        }
    }

    /// Whether all is loaded.
    fn load_piece(&self, loading: &mut Loading, piece: u64) -> Result<bool, Unbacked> {
        let memory = &self.hardware.memory;
        let cleared = memory.clear_piece(loading.cleared, piece);
        loading.cleared += cleared;
        if cleared != 0 {
            return Ok(false);
        }
        while let Some(image) = self.images.get(loading.image) {
            let rest = image.bytes.get(loading.copied as usize..).unwrap_or(&[]);
            if let Place::Memory(at) = image.to
                && !rest.is_empty()
            {
                let part = &rest[..rest.len().min(piece as usize)];
                memory.load_piece(Ipa(at.0 + loading.copied), part)?;
                loading.copied += part.len() as u64;
                return Ok(false);
            }
            (loading.image, loading.copied) = (loading.image + 1, 0);
        }
        forget_code();
        Ok(true)
    }
}
