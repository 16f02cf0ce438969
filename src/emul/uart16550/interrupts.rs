//! Levels, and the interrupts that they make (PC16550D, 8.6, 8.7, and "FIFO interrupt mode").

use super::bits::{fcr, ier, iir, mcr, msr};
use super::{DEPTH, Uart};

impl Uart {
    /// The level at which received data are available.
    const fn receive_trigger(&self) -> usize {
        if !self.fifos() {
            return 1;
        }
        match self.fcr >> 6 {
            0 => 1,
            1 => DEPTH / 4,
            2 => DEPTH / 2,
            _ => DEPTH.saturating_sub(2),
        }
    }

    /// Whether the transmit FIFO's level is programmable, and programmed (DesignWare: IER's
    /// PTIME).
    pub(super) const fn has_transmit_level(&self) -> bool {
        self.fifos() && self.ier & ier::PTIME != 0
    }

    /// The level down to which the transmit FIFO must drain.
    pub(super) const fn transmit_level(&self) -> usize {
        if !self.has_transmit_level() {
            return 0;
        }
        match self.fcr >> 4 & 3 {
            0 => 0,
            1 => 2,
            2 => DEPTH / 4,
            _ => DEPTH / 2,
        }
    }

    /// The source of the highest priority, in IIR's bits.
    const fn source(&self) -> u8 {
        let received = self.receiver.level() >= self.receive_trigger();
        let flow = if self.mcr & mcr::AFCE != 0 {
            msr::DCTS
        } else {
            0
        };
        if self.ier & ier::ELSI != 0 && self.receiver.has_errors() {
            iir::LINE
        } else if self.ier & ier::ERBFI != 0 && received {
            iir::RECEIVED
        } else if self.ier & ier::ERBFI != 0 && self.receiver.is_timed_out() {
            iir::TIMEOUT
        } else if self.ier & ier::ETBEI != 0 && self.thre {
            iir::THRE
        } else if self.ier & ier::EDSSI != 0 && self.deltas & !flow != 0 {
            iir::MODEM
        } else if self.busy_detect {
            iir::BUSY
        } else {
            iir::NONE
        }
    }

    /// IIR, and whether reading it ends the source that it shows.
    pub(super) const fn identification(&self) -> (u8, bool) {
        let source = self.source();
        let fifos = if self.fifos() { iir::FIFOS } else { 0 };
        (source | fifos, source == iir::THRE)
    }

    /// INTR.
    pub(super) const fn interrupts(&self) -> bool {
        self.source() != iir::NONE
    }

    /// Brings what depends on levels and inputs up to date.
    pub(super) const fn settle(&mut self) {
        let (waiting, received) = self.levels();
        let low = waiting <= self.transmit_level();
        self.thre = low && (self.thre || !self.low);
        self.low = low;

        let reached = received >= self.receive_trigger();
        self.rxrdy = received > 0 && (self.rxrdy || reached || self.receiver.is_timed_out());
        self.txrdy = waiting == 0 || self.txrdy && waiting < DEPTH;
        self.held = received > 0 && (self.held || reached);

        self.see_modem();
    }

    const fn is_dma_mode_1(&self) -> bool {
        self.fcr & (fcr::ENABLE | fcr::DMA_MODE) == fcr::ENABLE | fcr::DMA_MODE
    }

    /// RXRDY.
    pub(super) const fn receive_ready(&self) -> bool {
        if self.is_dma_mode_1() {
            self.rxrdy
        } else {
            self.receiver.level() > 0
        }
    }

    /// TXRDY.
    pub(super) const fn transmit_ready(&self) -> bool {
        if self.is_dma_mode_1() {
            self.txrdy
        } else {
            self.sender.level() == 0
        }
    }
}
