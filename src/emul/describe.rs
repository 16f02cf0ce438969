//! What people call a device's registers, and what a trace of one cannot pin: for traces,
//! reports and the fidelity table.
//!
//! A description stands in its device's file, beside the registers' decode. The hypervisor's
//! image never asks for one, so none is in it.

/// What is known of a device, beside what its model does.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The manual: its number, and its edition.
    pub manual: &'static str,
    /// The registers; those that have no name in the manual are left out.
    pub registers: &'static [Register],
    /// Names of the output lines, from line 0 on.
    pub lines: &'static [&'static str],
    /// What a recorded value may differ in, and why.
    pub bounds: &'static [Bound],
    /// Within how many nanoseconds of a recorded change of an output line ours must come.
    pub line_within_ns: u64,
    /// The known deviations from the manual, each a short sentence: those of the file's header.
    pub deviations: &'static [&'static str],
}

impl Description {
    /// Of a device that is described by its manual alone.
    #[must_use]
    pub const fn of(manual: &'static str, registers: &'static [Register]) -> Self {
        Self {
            manual,
            registers,
            lines: &[],
            bounds: &[],
            line_within_ns: 0,
            deviations: &[],
        }
    }

    /// With names of the output lines.
    #[must_use]
    pub const fn lines(mut self, names: &'static [&'static str]) -> Self {
        self.lines = names;
        self
    }

    /// With what a trace cannot pin.
    #[must_use]
    pub const fn bounds(mut self, bounds: &'static [Bound]) -> Self {
        self.bounds = bounds;
        self
    }

    /// With output lines that may change so much earlier or later than recorded.
    #[must_use]
    pub const fn line_within_ns(mut self, ns: u64) -> Self {
        self.line_within_ns = ns;
        self
    }

    /// With the known deviations.
    #[must_use]
    pub const fn deviations(mut self, deviations: &'static [&'static str]) -> Self {
        self.deviations = deviations;
        self
    }

    /// The register at `offset` of register block `region`, and its index if it is one of many.
    #[must_use]
    pub fn register(&self, region: u8, offset: u64) -> Option<(&'static Register, u64)> {
        self.registers
            .iter()
            .find_map(|register| Some((register, register.index(region, offset)?)))
    }
}

/// A register, or as many equal ones as follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// The manual's name, in its spelling.
    pub name: &'static str,
    /// The register block: the index in the node's `reg`.
    pub region: u8,
    /// Bytes from the block's start.
    pub offset: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many there are, each behind the other.
    pub count: u64,
    /// Bytes from one of them to the next.
    pub stride: u64,
    /// Its fields, as far as it has any that are named.
    pub fields: &'static [Field],
}

impl Register {
    /// Of so many.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Of so many, not one behind the other but `stride` bytes apart.
    #[must_use]
    pub const fn every(mut self, stride: u64, count: u64) -> Self {
        self.stride = stride;
        self.count = count;
        self
    }

    /// In another register block than the first.
    #[must_use]
    pub const fn region(mut self, region: u8) -> Self {
        self.region = region;
        self
    }

    /// Of another size than 4 bytes.
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self.stride = bytes;
        self
    }

    /// With fields.
    #[must_use]
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }

    /// Which of them has its first byte or a later one at `offset`, if any.
    #[must_use]
    pub fn index(&self, region: u8, offset: u64) -> Option<u64> {
        let into = offset.checked_sub(self.offset)?;
        let index = into.checked_div(self.stride.max(1))?;
        let inside = into.checked_rem(self.stride.max(1))?;
        (region == self.region && index < self.count && inside < self.bytes).then_some(index)
    }
}

/// A register of 4 bytes in the first block.
#[must_use]
pub const fn register(offset: u64, name: &'static str) -> Register {
    Register {
        name,
        region: 0,
        offset,
        bytes: 4,
        count: 1,
        stride: 4,
        fields: &[],
    }
}

/// A field of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The manual's name.
    pub name: &'static str,
    /// Its lowest bit.
    pub low: u8,
    /// How many bits it has, 1 to 64.
    pub bits: u8,
}

impl Field {
    /// Its bits of a register's value, from bit 0 on.
    #[must_use]
    pub const fn of(self, value: u64) -> u64 {
        let mask = u64::MAX.wrapping_shr(64u32.wrapping_sub(self.bits as u32));
        value.wrapping_shr(self.low as u32) & mask
    }
}

/// A field from bit `high` down to bit `low`, as manuals write it.
#[must_use]
pub const fn field(name: &'static str, high: u8, low: u8) -> Field {
    Field {
        name,
        low,
        bits: high.wrapping_sub(low).wrapping_add(1),
    }
}

/// One bit.
#[must_use]
pub const fn bit(name: &'static str, at: u8) -> Field {
    field(name, at, at)
}

/// What a recorded value of a register may differ in.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The register's name in the description.
    pub register: &'static str,
    /// The field; without one, the whole register.
    pub field: Option<&'static str>,
    /// By how much.
    pub allowed: Allowed,
    /// Why.
    pub reason: &'static str,
}

/// By how much a recorded value may differ from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// So many ticks of a counter more or less than the one computed from the record's time,
    /// modulo the field's width.
    Ticks(u64),
    /// The source has known bits where the manual has others, and we follow the manual: only
    /// these stand for each other.
    Instead {
        /// Of which source: how the trace's `source` begins.
        source: &'static str,
        /// Which bits of the field.
        mask: u64,
        /// What was recorded in them.
        theirs: u64,
        /// What is in ours.
        ours: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERS: &[Register] = &[
        register(0x00, "DATA").fields(&[bit("BUSY", 31), field("BYTE", 7, 0)]),
        register(0x10, "SLOT").every(16, 4),
        register(0x0, "WIDE").region(1).bytes(8).times(2),
    ];

    #[test]
    fn an_offset_finds_its_register_and_which_of_many() {
        let described = Description::of("none", REGISTERS);
        let at = |region, offset| {
            let (register, index) = described.register(region, offset)?;
            Some((register.name, index))
        };
        assert_eq!(at(0, 0x0), Some(("DATA", 0)));
        assert_eq!(at(0, 0x3), Some(("DATA", 0)));
        assert_eq!(at(0, 0x4), None);
        assert_eq!(at(0, 0x30), Some(("SLOT", 2)));
        assert_eq!(at(0, 0x34), None);
        assert_eq!(at(0, 0x50), None);
        assert_eq!(at(1, 0xc), Some(("WIDE", 1)));
    }

    #[test]
    fn a_field_is_cut_out_of_its_register() {
        assert_eq!(bit("BUSY", 31).of(0x8000_0001), 1);
        assert_eq!(field("BYTE", 7, 0).of(0x1234), 0x34);
        assert_eq!(field("ALL", 63, 0).of(u64::MAX), u64::MAX);
    }
}
