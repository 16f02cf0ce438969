//! The registers' bits (PC16550D, table 2).

/// IER.
pub(in crate::emul) mod ier {
    pub const ERBFI: u8 = 1 << 0;
    pub const ETBEI: u8 = 1 << 1;
    pub const ELSI: u8 = 1 << 2;
    pub const EDSSI: u8 = 1 << 3;
    /// Of the DesignWare: the transmit FIFO's level is programmable.
    pub const PTIME: u8 = 1 << 7;
}

/// IIR's identification.
pub(in crate::emul) mod iir {
    pub const MODEM: u8 = 0x0;
    pub const NONE: u8 = 0x1;
    pub const THRE: u8 = 0x2;
    pub const RECEIVED: u8 = 0x4;
    pub const LINE: u8 = 0x6;
    /// Of the DesignWare.
    pub const BUSY: u8 = 0x7;
    pub const TIMEOUT: u8 = 0xc;
    pub const FIFOS: u8 = 0xc0;
}

/// FCR.
pub(in crate::emul) mod fcr {
    pub const ENABLE: u8 = 1 << 0;
    pub const CLEAR_RECEIVE: u8 = 1 << 1;
    pub const CLEAR_TRANSMIT: u8 = 1 << 2;
    pub const DMA_MODE: u8 = 1 << 3;
    /// Of the DesignWare.
    pub const TRANSMIT_TRIGGER: u8 = 0x30;
    pub const TRIGGER: u8 = 0xc0;
}

/// LCR.
pub(in crate::emul) mod lcr {
    pub const WORD_LENGTH: u8 = 3;
    pub const STB: u8 = 1 << 2;
    pub const PEN: u8 = 1 << 3;
    pub const EPS: u8 = 1 << 4;
    pub const STICK: u8 = 1 << 5;
    pub const BREAK: u8 = 1 << 6;
    pub const DLAB: u8 = 1 << 7;
}

/// MCR.
pub(in crate::emul) mod mcr {
    pub const DTR: u8 = 1 << 0;
    pub const RTS: u8 = 1 << 1;
    pub const OUT1: u8 = 1 << 2;
    pub const OUT2: u8 = 1 << 3;
    pub const LOOP: u8 = 1 << 4;
    /// Of the DesignWare.
    pub const AFCE: u8 = 1 << 5;
}

/// LSR.
pub(in crate::emul) mod lsr {
    pub const DR: u8 = 1 << 0;
    pub const OE: u8 = 1 << 1;
    pub const PE: u8 = 1 << 2;
    pub const FE: u8 = 1 << 3;
    pub const BI: u8 = 1 << 4;
    pub const THRE: u8 = 1 << 5;
    pub const TEMT: u8 = 1 << 6;
    pub const FIFO_ERROR: u8 = 1 << 7;
}

/// MSR. The changes are four bits below their inputs.
pub(in crate::emul) mod msr {
    pub const DCTS: u8 = 1 << 0;
    pub const TERI: u8 = 1 << 2;
    pub const CTS: u8 = 1 << 4;
    pub const DSR: u8 = 1 << 5;
    pub const RI: u8 = 1 << 6;
    pub const DCD: u8 = 1 << 7;
}
