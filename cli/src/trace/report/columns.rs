//! The records, as columns of little-endian numbers: equal things stand beside each other, which
//! compresses well, and a script maps them as arrays without reading a text.
//!
//! `model.js` reads the same columns in the same order: 4-byte ones first, so that each is aligned.
use super::facts::Index;
use crate::trace::view::View;
use reliquary::access::Security;
use reliquary::trace::record::{Event, Way};

/// What a record is, in the column `kind`.
mod kind {
    pub const READ: u8 = 0;
    pub const WRITE: u8 = 1;
    pub const LINE_IN: u8 = 2;
    pub const LINE_OUT: u8 = 3;
    pub const PORT_IN: u8 = 4;
    pub const PORT_OUT: u8 = 5;
    pub const MEMORY_READ: u8 = 6;
    pub const MEMORY_WRITTEN: u8 = 7;
    pub const RESET: u8 = 8;
    pub const DUE: u8 = 9;
}

/// More about an access, in the column `flags`.
mod flag {
    pub const ABORT: u8 = 1;
    pub const USER: u8 = 2;
    pub const SECURE: u8 = 4;
    pub const NONSECURE: u8 = 8;
}

/// No CPU, or no device.
const NONE: u8 = 0xff;

#[derive(Default)]
struct Columns {
    words: [Vec<u32>; 8],
    device: Vec<u16>,
    bytes: [Vec<u8>; 3],
    blob: Vec<u8>,
}

/// One record's numbers, in the columns' order.
#[derive(Default)]
struct Row {
    /// The register, line or port, by its place in the device's table.
    what: u32,
    /// The value, the level, or where the bytes begin and how many they are.
    value: (u32, u32),
    times: u32,
    /// From the first to the last of a run.
    run: u64,
    kind: u8,
    flags: u8,
}

/// The columns of a trace's records; registers, lines and ports are entered into `index`.
pub fn pack(view: &View, index: &mut Index) -> Vec<u8> {
    let mut columns = Columns::default();
    let mut before = 0;
    for seen in &view.records {
        let record = &seen.record;
        let device = view.device(record);
        let row = columns.row(&record.event, record.at.0, device, index);
        let since = record.at.0 - before;
        before = record.at.0;
        let words = [
            since as u32,
            (since >> 32) as u32,
            row.what,
            row.value.0,
            row.value.1,
            row.times,
            row.run as u32,
            (row.run >> 32) as u32,
        ];
        for (column, word) in columns.words.iter_mut().zip(words) {
            column.push(word);
        }
        columns.device.push(
            device
                .and_then(|d| u16::try_from(d).ok())
                .unwrap_or(u16::MAX),
        );
        let bytes = [row.kind, record.cpu.unwrap_or(NONE), row.flags];
        for (column, byte) in columns.bytes.iter_mut().zip(bytes) {
            column.push(byte);
        }
    }
    columns.joined(view.records.len())
}

impl Columns {
    fn row(&mut self, event: &Event, at: u64, device: Option<usize>, index: &mut Index) -> Row {
        let device = device.unwrap_or(usize::MAX);
        match event {
            Event::Access(access) => {
                let mut flags = 0;
                for (set, flag) in [
                    (access.value.is_none(), flag::ABORT),
                    (!access.privileged, flag::USER),
                    (access.security == Some(Security::Secure), flag::SECURE),
                    (
                        access.security == Some(Security::NonSecure),
                        flag::NONSECURE,
                    ),
                ] {
                    flags |= if set { flag } else { 0 };
                }
                let value = access.value.unwrap_or(0);
                Row {
                    what: index.register(device, access),
                    value: (value as u32, (value >> 32) as u32),
                    times: access.times,
                    run: access.last.0.saturating_sub(at),
                    kind: if access.write {
                        kind::WRITE
                    } else {
                        kind::READ
                    },
                    flags,
                }
            }
            Event::Line { way, line, level } => Row {
                what: index.line(device, *way, *line),
                value: (u32::from(*level), 0),
                times: 1,
                kind: match way {
                    Way::In => kind::LINE_IN,
                    Way::Out => kind::LINE_OUT,
                },
                ..Row::default()
            },
            Event::Port { way, port, bytes } => Row {
                what: index.port(device, *way, *port),
                value: self.keep(bytes),
                times: 1,
                kind: match way {
                    Way::In => kind::PORT_IN,
                    Way::Out => kind::PORT_OUT,
                },
                ..Row::default()
            },
            Event::Memory { way, at, bytes } => Row {
                what: at.0 as u32,
                value: self.keep(bytes),
                times: 1,
                run: at.0 >> 32,
                kind: match way {
                    Way::In => kind::MEMORY_READ,
                    Way::Out => kind::MEMORY_WRITTEN,
                },
                flags: 0,
            },
            Event::Due => Row {
                times: 1,
                kind: kind::DUE,
                ..Row::default()
            },
            Event::Reset(reset) => Row {
                value: (u32::from(matches!(reset, reliquary::emul::Reset::Warm)), 0),
                times: 1,
                kind: kind::RESET,
                ..Row::default()
            },
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> (u32, u32) {
        let begin = self.blob.len() as u32;
        self.blob.extend_from_slice(bytes);
        (begin, bytes.len() as u32)
    }

    fn joined(self, records: usize) -> Vec<u8> {
        let mut out = (records as u32).to_le_bytes().to_vec();
        for column in &self.words {
            out.extend(column.iter().flat_map(|word| word.to_le_bytes()));
        }
        out.extend(self.device.iter().flat_map(|word| word.to_le_bytes()));
        for column in &self.bytes {
            out.extend_from_slice(column);
        }
        out.extend_from_slice(&self.blob);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::view::tests::view;

    #[test]
    fn columns_are_as_long_as_the_records_are_many() {
        let view = view();
        let packed = pack(&view, &mut Index::default());
        let records = view.records.len();
        // 8 words, a half word and 3 bytes of each record, and 3 bytes of ports.
        assert_eq!(packed.len(), 4 + records * (32 + 2 + 3) + 3);
        assert_eq!(packed[..4], (records as u32).to_le_bytes());
        assert_eq!(packed[packed.len() - 3..], *b"ab\n");
        // The time of the first record is from 0 on.
        assert_eq!(packed[4..8], 1000u32.to_le_bytes());
    }
}
