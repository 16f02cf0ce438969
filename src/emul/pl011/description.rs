//! What its registers are called, and what is known to deviate.

use crate::emul::describe::{Allowed, Bound, Description, Register, bit, field, register};
use crate::emul::primecell;

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0183G", REGISTERS)
    .lines(&[
        "UARTINTR",
        "UARTMSINTR",
        "UARTRXINTR",
        "UARTTXINTR",
        "UARTRTINTR",
        "UARTEINTR",
        "nUARTRTS",
        "nUARTDTR",
        "nUARTOut1",
        "nUARTOut2",
        "UARTTXDMASREQ",
        "UARTTXDMABREQ",
        "UARTRXDMASREQ",
        "UARTRXDMABREQ",
    ])
    // What QEMU tells by UARTRXINTR, we tell by UARTRTINTR, 32 bit periods of 115,200 baud later.
    .line_within_ns(277_778)
    .bounds(BOUNDS)
    .deviations(&[
        "unless the map paces it, a character leaves as it is written and may raise UARTTXINTR then, and one comes when the board gives it",
        "IrDA: UARTILPR, SIREN, SIRLP and SIRTEST are kept; what is sent goes to the same port",
        "the receive timeout begins with the last character's arrival, or with its mask",
        "a break has BE, and not FE beside it",
        "UARTITOP's UARTTXD and nSIROUT, and UARTITIP's serial inputs, move nothing",
        "a reserved level of UARTIFLS counts as 7/8",
    ]);

/// QEMU 7.2 raises UARTRXINTR for the first character, whatever UARTIFLS says (3.3.9).
const fn from_the_first(register: &'static str, field: &'static str) -> Bound {
    Bound {
        register,
        field: Some(field),
        allowed: Allowed::Instead {
            source: "qemu",
            theirs: 1,
            ours: 0,
            mask: 1,
        },
        reason: "QEMU's receive trigger level is always 1; UARTIFLS selects it (3.3.9)",
    }
}

const BOUNDS: &[Bound] = &[
    from_the_first("UARTRIS", "RXRIS"),
    from_the_first("UARTMIS", "RXMIS"),
];

const REGISTERS: &[Register] = &[
    register(0x00, "UARTDR").fields(&[
        bit("OE", 11),
        bit("BE", 10),
        bit("PE", 9),
        bit("FE", 8),
        field("DATA", 7, 0),
    ]),
    register(0x04, "UARTRSR").fields(&[bit("OE", 3), bit("BE", 2), bit("PE", 1), bit("FE", 0)]),
    register(0x18, "UARTFR").fields(&[
        bit("RI", 8),
        bit("TXFE", 7),
        bit("RXFF", 6),
        bit("TXFF", 5),
        bit("RXFE", 4),
        bit("BUSY", 3),
        bit("DCD", 2),
        bit("DSR", 1),
        bit("CTS", 0),
    ]),
    register(0x20, "UARTILPR").fields(&[field("ILPDVSR", 7, 0)]),
    register(0x24, "UARTIBRD").fields(&[field("BAUD DIVINT", 15, 0)]),
    register(0x28, "UARTFBRD").fields(&[field("BAUD DIVFRAC", 5, 0)]),
    register(0x2c, "UARTLCR_H").fields(&[
        bit("SPS", 7),
        field("WLEN", 6, 5),
        bit("FEN", 4),
        bit("STP2", 3),
        bit("EPS", 2),
        bit("PEN", 1),
        bit("BRK", 0),
    ]),
    register(0x30, "UARTCR").fields(&[
        bit("CTSEn", 15),
        bit("RTSEn", 14),
        bit("Out2", 13),
        bit("Out1", 12),
        bit("RTS", 11),
        bit("DTR", 10),
        bit("RXE", 9),
        bit("TXE", 8),
        bit("LBE", 7),
        bit("SIRLP", 2),
        bit("SIREN", 1),
        bit("UARTEN", 0),
    ]),
    register(0x34, "UARTIFLS").fields(&[field("RXIFLSEL", 5, 3), field("TXIFLSEL", 2, 0)]),
    register(0x38, "UARTIMSC").fields(&[
        bit("OEIM", 10),
        bit("BEIM", 9),
        bit("PEIM", 8),
        bit("FEIM", 7),
        bit("RTIM", 6),
        bit("TXIM", 5),
        bit("RXIM", 4),
        bit("DSRMIM", 3),
        bit("DCDMIM", 2),
        bit("CTSMIM", 1),
        bit("RIMIM", 0),
    ]),
    register(0x3c, "UARTRIS").fields(&[
        bit("OERIS", 10),
        bit("BERIS", 9),
        bit("PERIS", 8),
        bit("FERIS", 7),
        bit("RTRIS", 6),
        bit("TXRIS", 5),
        bit("RXRIS", 4),
        bit("DSRRMIS", 3),
        bit("DCDRMIS", 2),
        bit("CTSRMIS", 1),
        bit("RIRMIS", 0),
    ]),
    register(0x40, "UARTMIS").fields(&[
        bit("OEMIS", 10),
        bit("BEMIS", 9),
        bit("PEMIS", 8),
        bit("FEMIS", 7),
        bit("RTMIS", 6),
        bit("TXMIS", 5),
        bit("RXMIS", 4),
        bit("DSRMMIS", 3),
        bit("DCDMMIS", 2),
        bit("CTSMMIS", 1),
        bit("RIMMIS", 0),
    ]),
    register(0x44, "UARTICR").fields(&[
        bit("OEIC", 10),
        bit("BEIC", 9),
        bit("PEIC", 8),
        bit("FEIC", 7),
        bit("RTIC", 6),
        bit("TXIC", 5),
        bit("RXIC", 4),
        bit("DSRMIC", 3),
        bit("DCDMIC", 2),
        bit("CTSMIC", 1),
        bit("RIMIC", 0),
    ]),
    register(0x48, "UARTDMACR").fields(&[bit("DMAONERR", 2), bit("TXDMAE", 1), bit("RXDMAE", 0)]),
    register(0x80, "UARTTCR").fields(&[bit("SIRTEST", 2), bit("TESTFIFO", 1), bit("ITEN", 0)]),
    register(0x84, "UARTITIP").fields(&[
        bit("UARTTXDMACLR", 7),
        bit("UARTRXDMACLR", 6),
        bit("nUARTRI", 5),
        bit("nUARTDCD", 4),
        bit("nUARTCTS", 3),
        bit("nUARTDSR", 2),
        bit("SIRIN", 1),
        bit("UARTRXD", 0),
    ]),
    register(0x88, "UARTITOP").fields(&[
        bit("UARTTXDMASREQ", 15),
        bit("UARTTXDMABREQ", 14),
        bit("UARTRXDMASREQ", 13),
        bit("UARTRXDMABREQ", 12),
        bit("UARTMSINTR", 11),
        bit("UARTRXINTR", 10),
        bit("UARTTXINTR", 9),
        bit("UARTRTINTR", 8),
        bit("UARTEINTR", 7),
        bit("UARTINTR", 6),
        bit("nUARTOut2", 5),
        bit("nUARTOut1", 4),
        bit("nUARTRTS", 3),
        bit("nUARTDTR", 2),
        bit("nSIROUT", 1),
        bit("UARTTXD", 0),
    ]),
    register(0x8c, "UARTTDR").fields(&[field("DATA", 10, 0)]),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];
