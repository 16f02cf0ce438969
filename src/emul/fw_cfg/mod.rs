//! QEMU's firmware configuration device, memory-mapped, with its DMA interface.
//!
//! "QEMU Firmware Configuration (fw_cfg) Device", docs/specs/fw_cfg of QEMU 7.2. `compatible`:
//! `qemu,fw-cfg-mmio`. Region 0 holds the registers; there are no lines; its port has 64 bits.
//!
//! | offset | bytes | register | read | write |
//! |---|---|---|---|---|
//! | 0 | 8 | data | the next 1, 2, 4 or 8 bytes of the selected item, in the order of memory | ignored, as of QEMU 2.4 |
//! | 8 | 2 | selector, big-endian | refused | selects an item, from its first byte on |
//! | 16 | 8 | DMA address, big-endian | "QEMU CFG" | the high word is kept; the low word, or both at once, starts a transfer |
//!
//! After a reset the signature is selected. What the map makes of the device's items is in
//! docs/reference/board.md; no item can be written, and one that is not there reads as zeroes.
//!
//! The DMA interface ([`dma`]) carries out the whole of an operation of up to 4 KiB in the write
//! that starts it. A longer read goes on by 4 KiB every [`STEP_NS`], and its control word is
//! cleared when it is done: the specification lets a transfer be in progress, and drivers wait
//! for it (U-Boot's, Linux's, EDK2's do).
//!
//! Known deviations:
//!
//! - While a long transfer is on its way, an operation that is started ends with its error bit
//!   set; a selection, or a read of the data register, is of that same item and place, which
//!   the transfer goes on from. QEMU's is never in progress.
//! - A transfer and its descriptor reach RAM and ROM only. One in a device's registers is an
//!   error; QEMU would access the device. A descriptor lies in one memory of the board.
//! - Of the numbered items those are there that every board has: signature, revision, number of
//!   CPUs and file directory. QEMU's `virt` has no other either, but for files of its own making
//!   (ACPI tables, SMBIOS, boot order).
//! - The files are in the map's order in the directory; QEMU sorts its own by name.

mod dma;
mod items;
#[cfg(test)]
mod tests;

use super::describe::{Description, Register as Named, register};
use super::state::{Reader, Writer};
use super::{Cx, Device, Reset};
use crate::access::{Access, Refusal, Width};
use crate::units::Instant;
pub use dma::STEP_NS;
use dma::Transfer;
pub use items::{BYTES_MAX, FILES_MAX, File, Items, NAME_MAX, Unfit};

/// What the DMA address register reads: "QEMU CFG".
const SIGNATURE: u64 = 0x5145_4d55_2043_4647;

/// The device.
pub struct FwCfg {
    items: Items,
    selected: Selected,
    /// The high word of the DMA address.
    high: u32,
    transfer: Option<Transfer>,
}

/// The item that is selected, and how far it has been read.
#[derive(Clone, Copy, Default)]
struct Selected {
    key: u16,
    /// Never beyond the item's end.
    offset: usize,
}

impl Selected {
    const fn new(key: u16) -> Self {
        Self { key, offset: 0 }
    }

    /// What follows of the item.
    fn rest(self, items: &Items) -> &[u8] {
        items.get(self.key).get(self.offset..).unwrap_or_default()
    }

    fn skip(&mut self, items: &Items, bytes: usize) {
        let bytes = bytes.min(self.rest(items).len());
        self.offset = self.offset.saturating_add(bytes);
    }
}
/// What its registers are called.
pub static DESCRIPTION: Description = Description::of("docs/specs/fw_cfg of QEMU 7.2", REGISTERS)
    .deviations(&[
        "a DMA read of more than 4 KiB takes time",
        "transfers reach RAM and ROM only",
        "none of the files that QEMU makes itself",
    ]);

const REGISTERS: &[Named] = &[
    register(0x00, "data").bytes(8),
    register(0x08, "selector").bytes(2),
    register(0x10, "DMA address").bytes(8),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    Data,
    Selector,
    DmaAddress,
}

impl Register {
    fn at(access: Access) -> Result<Self, Refusal> {
        let register = match (access.region, access.offset) {
            (0, 0..8) => Self::Data,
            (0, 8..10) => Self::Selector,
            (0, 16..24) => Self::DmaAddress,
            _ => return Err(Refusal::NoRegister),
        };
        if access.offset & access.width.bytes().wrapping_sub(1) != 0 {
            return Err(Refusal::Width);
        }
        Ok(register)
    }
}

impl FwCfg {
    /// A device with these items.
    pub fn new(items: Items) -> Self {
        Self {
            items,
            selected: Selected::default(),
            high: 0,
            transfer: None,
        }
    }

    /// The next bytes of the item, zeroes behind its end: the first of them is the lowest.
    fn next(&mut self, width: Width) -> u64 {
        let bytes = width.bytes() as usize;
        let next = self.selected.rest(&self.items).iter().take(bytes);
        let value = next.rev().fold(0, |value, b| value << 8 | u64::from(*b));
        self.selected.skip(&self.items, bytes);
        value
    }
}

impl Device for FwCfg {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        match Register::at(access)? {
            Register::Data => Ok(self.next(access.width)),
            Register::Selector => Err(Refusal::NoRegister),
            Register::DmaAddress => {
                let lane = (access.offset as u32 & 7).wrapping_mul(8);
                Ok(SIGNATURE.swap_bytes().wrapping_shr(lane) & access.width.mask())
            }
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        match (Register::at(access)?, access.offset, access.width) {
            (Register::Data, ..) => {}
            (Register::Selector, 8, Width::Half) => {
                self.selected = Selected::new((value as u16).swap_bytes());
            }
            (Register::DmaAddress, 16, Width::Double) => self.operate(cx, value.swap_bytes()),
            (Register::DmaAddress, 16, Width::Word) => self.high = (value as u32).swap_bytes(),
            (Register::DmaAddress, 20, Width::Word) => {
                let low = (value as u32).swap_bytes();
                self.operate(cx, u64::from(self.high) << 32 | u64::from(low));
            }
            _ => return Err(Refusal::Width),
        }
        Ok(())
    }

    /// Goes on with a transfer by one step at most, however late it is.
    fn advance(&mut self, cx: &mut Cx<'_>) {
        if self.transfer.is_some_and(|t| t.due <= cx.now) {
            self.step(cx);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.transfer.map(|transfer| transfer.due)
    }

    /// A transfer that is on its way ends where it is.
    fn reset(&mut self, _: Reset) {
        (self.selected, self.high, self.transfer) = (Selected::default(), 0, None);
    }

    fn save(&self, out: &mut Writer) {
        out.u16(self.selected.key);
        out.u32(self.selected.offset as u32);
        out.u32(self.high);
        out.bool(self.transfer.is_some());
        if let Some(transfer) = &self.transfer {
            transfer.save(out);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.reset(Reset::Cold);
        let selected = Selected {
            key: from.u16()?,
            offset: from.u32()? as usize,
        };
        if selected.offset > self.items.get(selected.key).len() {
            return Err(Refusal::BadState);
        }
        let high = from.u32()?;
        let transfer = if from.bool()? {
            Some(Transfer::load(from)?)
        } else {
            None
        };
        (self.selected, self.high, self.transfer) = (selected, high, transfer);
        Ok(())
    }
}
