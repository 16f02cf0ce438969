//! The registers (DDI 0205B, table 3-1), their fields, and what they are called.

use crate::emul::describe::{
    Allowed, Bound, Description, Field, Register as Named, bit, field, register,
};
use crate::emul::primecell;

/// The registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Power,
    Clock,
    Argument,
    Command,
    RespCmd,
    /// MCIResponse0 to 3.
    Response(usize),
    DataTimer,
    DataLength,
    DataCtrl,
    DataCnt,
    Status,
    Clear,
    /// MCIMask0 and 1.
    Mask(usize),
    Select,
    FifoCnt,
    Fifo,
    /// MCIPeriphID0 and on, by the offset from it.
    Identity(u64),
    Reserved,
}

impl Register {
    pub(super) const fn at(offset: u64) -> Self {
        match offset {
            0x00 => Self::Power,
            0x04 => Self::Clock,
            0x08 => Self::Argument,
            0x0c => Self::Command,
            0x10 => Self::RespCmd,
            0x14 => Self::Response(0),
            0x18 => Self::Response(1),
            0x1c => Self::Response(2),
            0x20 => Self::Response(3),
            0x24 => Self::DataTimer,
            0x28 => Self::DataLength,
            0x2c => Self::DataCtrl,
            0x30 => Self::DataCnt,
            0x34 => Self::Status,
            0x38 => Self::Clear,
            0x3c => Self::Mask(0),
            0x40 => Self::Mask(1),
            0x44 => Self::Select,
            0x48 => Self::FifoCnt,
            0x80..=0xbc => Self::Fifo,
            0xfe0..=0xffc => Self::Identity(offset.wrapping_sub(0xfe0)),
            _ => Self::Reserved,
        }
    }
}

// MCIPower.
pub(super) const POWER_BITS: u32 = 0xff;
pub(super) const POWER_CTRL: u32 = 3;
pub(super) const POWER_OFF: u32 = 0;
pub(super) const POWER_ON: u32 = 3;
// MCIClock.
pub(super) const CLOCK_BITS: u32 = 0xfff;
pub(super) const CLOCK_DIV: u32 = 0xff;
pub(super) const CLOCK_ENABLE: u32 = 1 << 8;
pub(super) const CLOCK_BYPASS: u32 = 1 << 10;
pub(super) const CLOCK_WIDE_BUS: u32 = 1 << 11;
// MCICommand.
pub(super) const COMMAND_BITS: u32 = 0x7ff;
pub(super) const COMMAND_INDEX: u32 = 0x3f;
pub(super) const COMMAND_RESPONSE: u32 = 1 << 6;
pub(super) const COMMAND_LONG_RSP: u32 = 1 << 7;
pub(super) const COMMAND_INTERRUPT: u32 = 1 << 8;
pub(super) const COMMAND_PENDING: u32 = 1 << 9;
pub(super) const COMMAND_ENABLE: u32 = 1 << 10;
// MCIDataCtrl.
pub(super) const DATA_BITS: u32 = 0xff;
pub(super) const DATA_ENABLE: u32 = 1;
pub(super) const DATA_FROM_CARD: u32 = 1 << 1;
pub(super) const DATA_STREAM: u32 = 1 << 2;
pub(super) const DATA_DMA_ENABLE: u32 = 1 << 3;
// MCIStatus. Bits 0 to 10 stay until MCIClear, the others follow what goes on.
pub(super) const CMD_CRC_FAIL: u32 = 1;
pub(super) const DATA_CRC_FAIL: u32 = 1 << 1;
pub(super) const CMD_TIME_OUT: u32 = 1 << 2;
pub(super) const DATA_TIME_OUT: u32 = 1 << 3;
pub(super) const CMD_RESP_END: u32 = 1 << 6;
pub(super) const CMD_SENT: u32 = 1 << 7;
pub(super) const DATA_END: u32 = 1 << 8;
pub(super) const START_BIT_ERR: u32 = 1 << 9;
pub(super) const DATA_BLOCK_END: u32 = 1 << 10;
pub(super) const STATIC_BITS: u32 = 0x7ff;
pub(super) const CMD_ACTIVE: u32 = 1 << 11;
pub(super) const TX_ACTIVE: u32 = 1 << 12;
pub(super) const RX_ACTIVE: u32 = 1 << 13;
pub(super) const TX_FIFO_HALF_EMPTY: u32 = 1 << 14;
pub(super) const RX_FIFO_HALF_FULL: u32 = 1 << 15;
pub(super) const TX_FIFO_FULL: u32 = 1 << 16;
pub(super) const RX_FIFO_FULL: u32 = 1 << 17;
pub(super) const TX_FIFO_EMPTY: u32 = 1 << 18;
pub(super) const RX_FIFO_EMPTY: u32 = 1 << 19;
pub(super) const TX_DATA_AVLBL: u32 = 1 << 20;
pub(super) const RX_DATA_AVLBL: u32 = 1 << 21;
pub(super) const MASK_BITS: u32 = 0x3f_ffff;
pub(super) const SELECT_BITS: u32 = 0xf;

/// MCIClear, MCIStatus and the masks have the same bits.
const STATUS: &[Field] = &[
    bit("CmdCrcFail", 0),
    bit("DataCrcFail", 1),
    bit("CmdTimeOut", 2),
    bit("DataTimeOut", 3),
    bit("TxUnderrun", 4),
    bit("RxOverrun", 5),
    bit("CmdRespEnd", 6),
    bit("CmdSent", 7),
    bit("DataEnd", 8),
    bit("StartBitErr", 9),
    bit("DataBlockEnd", 10),
    bit("CmdActive", 11),
    bit("TxActive", 12),
    bit("RxActive", 13),
    bit("TxFifoHalfEmpty", 14),
    bit("RxFifoHalfFull", 15),
    bit("TxFifoFull", 16),
    bit("RxFifoFull", 17),
    bit("TxFifoEmpty", 18),
    bit("RxFifoEmpty", 19),
    bit("TxDataAvlbl", 20),
    bit("RxDataAvlbl", 21),
];

const REGISTERS: &[Named] = &[
    register(0x00, "MCIPower").fields(&[
        field("Ctrl", 1, 0),
        field("Voltage", 5, 2),
        bit("OpenDrain", 6),
        bit("Rod", 7),
    ]),
    register(0x04, "MCIClock").fields(&[
        field("ClkDiv", 7, 0),
        bit("Enable", 8),
        bit("PwrSave", 9),
        bit("Bypass", 10),
        bit("WideBus", 11),
    ]),
    register(0x08, "MCIArgument"),
    register(0x0c, "MCICommand").fields(&[
        field("CmdIndex", 5, 0),
        bit("Response", 6),
        bit("LongRsp", 7),
        bit("Interrupt", 8),
        bit("Pending", 9),
        bit("Enable", 10),
    ]),
    register(0x10, "MCIRespCmd").fields(&[field("RespCmd", 5, 0)]),
    register(0x14, "MCIResponse").times(4),
    register(0x24, "MCIDataTimer"),
    register(0x28, "MCIDataLength").fields(&[field("DataLength", 15, 0)]),
    register(0x2c, "MCIDataCtrl").fields(&[
        bit("Enable", 0),
        bit("Direction", 1),
        bit("Mode", 2),
        bit("DMAEnable", 3),
        field("BlockSize", 7, 4),
    ]),
    register(0x30, "MCIDataCnt").fields(&[field("DataCount", 15, 0)]),
    register(0x34, "MCIStatus").fields(STATUS),
    register(0x38, "MCIClear").fields(STATUS),
    register(0x3c, "MCIMask0").fields(STATUS),
    register(0x40, "MCIMask1").fields(STATUS),
    register(0x44, "MCISelect").fields(&[field("SDCard", 3, 0)]),
    register(0x48, "MCIFifoCnt").fields(&[field("DataCount", 14, 0)]),
    register(0x80, "MCIFIFO").times(16),
    primecell::PERIPH_ID,
    primecell::PCELL_ID_REGISTERS,
];

/// What its registers are called, and what is known to deviate.
pub static DESCRIPTION: Description = Description::of("DDI 0172A, DDI 0205B", REGISTERS)
    .lines(&[
        "MCIINTR0",
        "MCIINTR1",
        "CARDIN",
        "WPROT",
        "MCIDMASREQ",
        "MCIDMABREQ",
        "MCIDMALSREQ",
        "MCIDMALBREQ",
    ])
    .bounds(&[Bound {
        register: primecell::PERIPH_ID.name,
        field: None,
        allowed: Allowed::Instead {
            source: "qemu-",
            mask: u64::MAX,
            theirs: 0x81,
            ours: 0x80,
        },
        reason: "a Versatile Express has a PL180 (DUI 0447, 4.1); QEMU's a PL181",
    }])
    .deviations(&[
        "a response and data come at once; only what does not come takes its time",
        "MCICLK waits for the FIFO: no underrun, no overrun",
        "a card's data waits for the data path, and data for a card that takes none in the FIFO",
        "stream mode moves an SD card's blocks",
        "the DMA requests are levels; MCIDMACLR is not looked at",
    ]);
