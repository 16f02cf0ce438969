//! What the page is told beside the records: the header, and the names of devices, registers,
//! lines and ports.
use crate::trace::view::View;
use reliquary::trace::record::{Port, RegisterAccess, Way};
use serde::Serialize;

/// The registers, lines and ports of each device that occur, in the order of their first record.
#[derive(Default)]
pub struct Index(Vec<Places>);

#[derive(Default, Clone)]
struct Places {
    /// Register block, offset and width.
    registers: Vec<(u8, u64, u8)>,
    lines: Vec<(Way, u16)>,
    ports: Vec<(Way, Port)>,
}

impl Index {
    pub fn register(&mut self, device: usize, access: &RegisterAccess) -> u32 {
        let bytes = access.width.bytes() as u8;
        let place = (access.region, access.offset, bytes);
        enter(&mut self.places(device).registers, place)
    }

    pub fn line(&mut self, device: usize, way: Way, line: u16) -> u32 {
        enter(&mut self.places(device).lines, (way, line))
    }

    pub fn port(&mut self, device: usize, way: Way, port: Port) -> u32 {
        enter(&mut self.places(device).ports, (way, port))
    }

    fn places(&mut self, device: usize) -> &mut Places {
        if device >= self.0.len() {
            self.0.resize(device + 1, Places::default());
        }
        &mut self.0[device]
    }
}

fn enter<T: PartialEq>(places: &mut Vec<T>, place: T) -> u32 {
    let known = places.iter().position(|known| *known == place);
    let place = known.unwrap_or_else(|| {
        places.push(place);
        places.len() - 1
    });
    place as u32
}

/// The facts, as `model.js` reads them.
#[derive(Serialize)]
pub struct Facts {
    file: String,
    board: String,
    model: String,
    source: String,
    image: Option<String>,
    security: &'static str,
    cpus: Option<u8>,
    observed: Vec<&'static str>,
    notes: Vec<String>,
    lost: u64,
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct Device {
    name: String,
    compatible: String,
    summary: &'static str,
    manual: &'static str,
    touched: bool,
    observed: bool,
    registers: Vec<Register>,
    /// Of those with a name, how many the device has.
    named: u64,
    lines: Vec<Line>,
    ports: Vec<Named>,
}

#[derive(Serialize)]
struct Register {
    name: String,
    region: u8,
    offset: u64,
    width: u8,
    fields: Vec<(&'static str, u8, u8)>,
    /// Whether what is written there is sent as text.
    text: bool,
}

#[derive(Serialize)]
struct Line {
    name: String,
    out: bool,
    number: u16,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    out: bool,
    text: bool,
}

/// The facts of a trace whose records are in `index`.
pub fn of(view: &View, file: &str, index: &Index) -> Facts {
    let header = &view.header;
    let observed = [
        ("lines", header.observed.lines),
        ("CPU lines", header.observed.cpu_lines),
        ("ports", header.observed.ports),
        ("memory", header.observed.memory),
        ("deadlines", header.observed.deadlines),
    ];
    let none = Places::default();
    let devices = view.devices.iter().enumerate();
    Facts {
        file: file.to_owned(),
        board: header.board.clone(),
        model: view.model.clone(),
        source: header.source.clone(),
        image: header.image.clone(),
        security: match header.security {
            reliquary::access::Security::Secure => "Secure",
            reliquary::access::Security::NonSecure => "Non-secure",
        },
        cpus: header.cpus,
        observed: observed
            .into_iter()
            .filter_map(|(word, seen)| seen.then_some(word))
            .collect(),
        notes: header.notes.clone(),
        lost: view.lost,
        devices: devices
            .map(|(place, device)| facts_of(device, index.0.get(place).unwrap_or(&none)))
            .collect(),
    }
}

fn facts_of(device: &crate::trace::view::Device, places: &Places) -> Device {
    let described = device.described;
    Device {
        name: device.name.clone(),
        compatible: device.compatible.clone(),
        summary: device.summary,
        manual: described.map_or("", |d| d.manual),
        touched: device.touched,
        observed: device.observed,
        named: described.map_or(0, |d| d.registers.iter().map(|r| r.count).sum()),
        registers: places
            .registers
            .iter()
            .map(|(region, offset, width)| {
                let fields = device.fields(*region, *offset).iter();
                Register {
                    // The PL011's UARTDR.
                    text: device.compatible == "arm,pl011" && (*region, *offset) == (0, 0),
                    name: device.register(*region, *offset),
                    region: *region,
                    offset: *offset,
                    width: *width,
                    fields: fields.map(|f| (f.name, f.low, f.bits)).collect(),
                }
            })
            .collect(),
        lines: places
            .lines
            .iter()
            .map(|(way, line)| Line {
                name: device.line(*way, *line),
                out: *way == Way::Out,
                number: *line,
            })
            .collect(),
        ports: places
            .ports
            .iter()
            .map(|(way, port)| Named {
                name: port.word(*way),
                out: *way == Way::Out,
                text: *port == Port::Serial,
            })
            .collect(),
    }
}
