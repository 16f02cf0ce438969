//! The PL011's registers and their bits (DDI 0183G, chapter 3).

/// DDI 0183G, table 3-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub(super) enum Register {
    Uartdr,
    /// UARTRSR to read, UARTECR to write.
    Uartrsr,
    Uartfr,
    Uartilpr,
    Uartibrd,
    Uartfbrd,
    Uartlcr_h,
    Uartcr,
    Uartifls,
    Uartimsc,
    Uartris,
    Uartmis,
    Uarticr,
    Uartdmacr,
    Uarttcr,
    Uartitip,
    Uartitop,
    Uarttdr,
    /// UARTPeriphID0 and on, by the offset from it.
    Identity(u64),
    /// Reserved.
    Reserved,
}

impl Register {
    #[allow(clippy::inline_always)] // every access passes here; for size it would be a call
    #[inline(always)]
    pub(super) const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Uartdr,
            0x04 => Self::Uartrsr,
            0x18 => Self::Uartfr,
            0x20 => Self::Uartilpr,
            0x24 => Self::Uartibrd,
            0x28 => Self::Uartfbrd,
            0x2c => Self::Uartlcr_h,
            0x30 => Self::Uartcr,
            0x34 => Self::Uartifls,
            0x38 => Self::Uartimsc,
            0x3c => Self::Uartris,
            0x40 => Self::Uartmis,
            0x44 => Self::Uarticr,
            0x48 => Self::Uartdmacr,
            0x80 => Self::Uarttcr,
            0x84 => Self::Uartitip,
            0x88 => Self::Uartitop,
            0x8c => Self::Uarttdr,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

/// UARTDR's error bits (3.3.1).
pub(super) mod dr {
    pub const FE: u16 = 1 << 8;
    pub const PE: u16 = 1 << 9;
    pub const BE: u16 = 1 << 10;
    pub const OE: u16 = 1 << 11;
}

/// UARTFR (3.3.3). The modem bits are complements of the pins: 1 is asserted.
pub(super) mod fr {
    pub const CTS: u16 = 1 << 0;
    pub const DSR: u16 = 1 << 1;
    pub const DCD: u16 = 1 << 2;
    pub const BUSY: u16 = 1 << 3;
    pub const RXFE: u16 = 1 << 4;
    pub const TXFF: u16 = 1 << 5;
    pub const RXFF: u16 = 1 << 6;
    pub const TXFE: u16 = 1 << 7;
    pub const RI: u16 = 1 << 8;
    pub const MODEM: u16 = CTS | DSR | DCD | RI;
}

/// UARTLCR_H (3.3.7).
pub(super) mod lcr_h {
    pub const BRK: u8 = 1 << 0;
    pub const PEN: u8 = 1 << 1;
    pub const EPS: u8 = 1 << 2;
    pub const STP2: u8 = 1 << 3;
    pub const FEN: u8 = 1 << 4;
    pub const WLEN_SHIFT: u32 = 5;
    pub const WLEN_8: u8 = 3 << WLEN_SHIFT;
    pub const SPS: u8 = 1 << 7;
}

/// UARTCR (3.3.8).
pub(super) mod cr {
    pub const UARTEN: u16 = 1 << 0;
    pub const LBE: u16 = 1 << 7;
    pub const TXE: u16 = 1 << 8;
    pub const RXE: u16 = 1 << 9;
    pub const DTR: u16 = 1 << 10;
    pub const RTS: u16 = 1 << 11;
    pub const OUT1: u16 = 1 << 12;
    pub const OUT2: u16 = 1 << 13;
    pub const RTSEN: u16 = 1 << 14;
    pub const CTSEN: u16 = 1 << 15;
    /// All but the reserved bits 6 to 3, which read as 0.
    pub const DEFINED: u16 = 0xff87;
}

/// UARTDMACR (3.3.14).
pub(super) mod dmacr {
    pub const RXDMAE: u8 = 1 << 0;
    pub const TXDMAE: u8 = 1 << 1;
    pub const DMAONERR: u8 = 1 << 2;
}

/// UARTIMSC, UARTRIS, UARTMIS, UARTICR (3.3.10 to 3.3.13).
pub(super) mod int {
    pub const RI: u16 = 1 << 0;
    pub const CTS: u16 = 1 << 1;
    pub const DCD: u16 = 1 << 2;
    pub const DSR: u16 = 1 << 3;
    pub const RX: u16 = 1 << 4;
    pub const TX: u16 = 1 << 5;
    pub const RT: u16 = 1 << 6;
    pub const FE: u16 = 1 << 7;
    pub const PE: u16 = 1 << 8;
    pub const BE: u16 = 1 << 9;
    pub const OE: u16 = 1 << 10;
    pub const MODEM: u16 = RI | CTS | DCD | DSR;
    pub const ERROR: u16 = FE | PE | BE | OE;
    pub const ALL: u16 = 0x7ff;
}

/// The level that a field of UARTIFLS (3.3.9) selects in a FIFO of `depth`.
pub(super) const fn trigger(select: u8, depth: usize) -> usize {
    let eighths = match select & 7 {
        0 => 1,
        1 => 2,
        2 => 4,
        3 => 6,
        _ => 7,
    };
    depth.saturating_mul(eighths) / 8
}
