//! A capture of an Ethernet wire: pcapng, an interface for each end, times in nanoseconds.
use super::Told;
use crate::fault::{Doing, Fault, Result};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use reliquary::emul::frames::FRAME_MAX;
use reliquary::units::Instant;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `if_tsresol`: 10 to the power of minus this.
const NANOSECONDS: u8 = 9;
/// `epb_flags`: the frame ends with a frame check sequence of four octets.
const FCS: u32 = 4 << 5;

/// A capture file in the making.
pub struct Capture {
    /// The file.
    pub file: PathBuf,
    /// The wire's number.
    pub wire: usize,
    /// The end that is the first interface.
    first: u16,
    writer: PcapNgWriter<BufWriter<File>>,
    frames: u64,
    last: Instant,
    /// Why the file was given up.
    failed: Option<String>,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn cannot(file: &Path, why: impl fmt::Display) -> Fault {
    Fault::new(format!("cannot write the capture: {why}"))
        .in_file(file)
        .mend("give a file in a folder that is there, that you may write to, and that has room")
}

impl Capture {
    /// Makes the file; `ends` are the wire's, in their order.
    pub fn begin<'n>(
        file: &Path,
        wire: usize,
        ends: impl Iterator<Item = (u16, &'n str)>,
    ) -> Result<Self> {
        let cannot = |why: &dyn fmt::Display| cannot(file, why);
        let made = File::create(file).map_err(|error| cannot(&error))?;
        let mut writer = PcapNgWriter::new(BufWriter::new(made)).map_err(|error| cannot(&error))?;
        let mut first = None;
        for (number, name) in ends {
            first.get_or_insert(number);
            let mut interface =
                InterfaceDescriptionBlock::new(DataLink::ETHERNET, FRAME_MAX as u32);
            interface.options = vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ];
            let written = writer.write_pcapng_block(interface);
            written.map_err(|error| cannot(&error))?;
        }
        let flushed = writer.get_mut().flush();
        flushed.map_err(|error| cannot(&error))?;
        Ok(Self {
            file: file.to_path_buf(),
            wire,
            first: first.unwrap_or(0),
            writer,
            frames: 0,
            last: Instant::ZERO,
            failed: None,
        })
    }

    /// A frame entered the wire at the end of this number.
    pub fn frame(&mut self, end: u16, at: Instant, octets: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let block = EnhancedPacketBlock {
            interface_id: u32::from(end.saturating_sub(self.first)),
            timestamp: Duration::from_nanos(at.0),
            original_len: u32::try_from(octets.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(octets),
            options: vec![EnhancedPacketOption::Flags(FCS)],
        };
        match self.writer.write_pcapng_block(block) {
            Ok(_) => (self.frames, self.last) = (self.frames + 1, at),
            // The machine goes on; it is told at the end.
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// Closes the file; `lost` were lost on the way to it, or to another wire's.
    pub fn close(mut self, lost: u64) -> Result<Told> {
        if lost > 0 && self.failed.is_none() {
            let statistics = InterfaceStatisticsBlock {
                interface_id: 0,
                timestamp: self.last.0,
                options: vec![
                    InterfaceStatisticsOption::Comment(Cow::Borrowed(
                        "lost between the hypervisor and the tool, of all tapped wires together",
                    )),
                    InterfaceStatisticsOption::IsbOsDrop(lost),
                ],
            };
            let written = self.writer.write_pcapng_block(statistics);
            self.failed = written.err().map(|error| error.to_string());
        }
        if let Some(why) = self.failed {
            return Err(cannot(&self.file, why).into());
        }
        let flushed = self.writer.into_inner().into_inner().doing(String::new);
        flushed.map_err(|fault| cannot(&self.file, fault.what.trim_start_matches(": ")))?;
        Ok(Told {
            file: self.file,
            what: "frames",
            count: self.frames,
            lost,
        })
    }
}

/// The frames of a capture that [`Capture`] wrote: interface, nanoseconds, octets. For tests.
///
/// # Panics
///
/// If the file is none, or damaged.
#[doc(hidden)]
pub fn read(file: &Path) -> Vec<(String, u64, Vec<u8>)> {
    let file = File::open(file).expect("the capture is there");
    let mut reader = pcap_file::pcapng::PcapNgReader::new(file).expect("it is pcapng");
    let (mut names, mut frames) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.expect("it is whole") {
            pcap_file::pcapng::Block::InterfaceDescription(interface) => {
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                names.push(name.expect("each has one"));
            }
            pcap_file::pcapng::Block::EnhancedPacket(packet) => {
                let name = names[packet.interface_id as usize].clone();
                let ns = u64::try_from(packet.timestamp.as_nanos()).expect("64 bits");
                frames.push((name, ns, packet.data.into_owned()));
            }
            _ => {}
        }
    }
    frames
}
