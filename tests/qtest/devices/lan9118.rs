use crate::compare;
use crate::play::Random;
use crate::target::{ALL, Done, Known, Never, Target, VEXPRESS_A9};

const OTHER: &str = "the other target plays it";
const NO_RXE: &str = "QEMU's raises no RXE for a read of an empty one (3.13.5)";
const TIME: &str = "it depends on time";
const READ_ONLY: &str = "it is only read (5.3)";

/// The parts of both targets that are the same.
const LAN9118: Target = Target {
    compatible: "smsc,lan9118",
    device: "ethernet@3,02000000",
    // A network with nobody else on it: the link is up, nothing comes.
    machine: &[
        "-M",
        "vexpress-a9",
        "-net",
        "nic,model=lan9118,netdev=wire",
        "-netdev",
        "hubport,id=wire,hubid=0",
    ],
    never: NEVER,
    ..VEXPRESS_A9
};

/// The EEPROM is erased first: behind the address QEMU's holds zeros, and a blank part has ones.
const ENABLE: (&str, u64) = ("E2P_CMD", BUSY | 2 << 28);
const ERASE: (&str, u64) = ("E2P_CMD", BUSY | 6 << 28);

/// All registers, and no frame.
const CONTROL: Target = Target {
    leave_out: &[
        ("FREE_RUN", TIME),
        ("RX_STATUS_FIFO", NO_RXE),
        ("TX_DATA_FIFO", OTHER),
    ],
    first: &[ENABLE, ERASE],
    values: control,
    known: &[
        TDFA,
        RESERVED_SOURCES,
        RESERVED_LEVEL,
        Known::ours("INT_STS", GPIO, "its pins are pulled up (5.3.14)"),
        Known::ours("GPIO_CFG", GPIO, "as above"),
        Known::ours("RX_CFG", 0xf0, "reserved (5.3.7)"),
        Known::ours(
            "HW_CFG",
            0x003c_c300,
            "QEMU's mask has lost a digit (5.3.9)",
        ),
        Known::ours("MAC_CSR_DATA", ALL, "a soft reset sets ADDRL (5.4.3)").mine(0xffff_ffff),
        Known::ours("MAC_CSR_DATA", ALL, "and ADDRH (5.4.2)").mine(0xffff),
    ],
    ..LAN9118
};

/// Frames that are sent, with the transmitter on throughout.
const SENDING: Target = Target {
    leave_out: &[
        ("HW_CFG", "a reset stops the transmitter, but not QEMU's"),
        ("RX_STATUS_FIFO", NO_RXE),
        ("RX_CFG", OTHER),
        ("RX_DP_CTRL", OTHER),
        ("PMT_CTRL", OTHER),
        ("GPIO_CFG", OTHER),
        ("GPT_CFG", OTHER),
        ("GPT_CNT", OTHER),
        ("WORD_SWAP", OTHER),
        ("FREE_RUN", TIME),
        ("MAC_CSR_CMD", OTHER),
        ("MAC_CSR_DATA", OTHER),
        ("AFC_CFG", OTHER),
        ("E2P_CMD", OTHER),
        ("E2P_DATA", OTHER),
    ],
    first: &[
        ("TX_CFG", TX_ON),
        ("MAC_CSR_DATA", FDPX | TXEN),
        ("MAC_CSR_CMD", BUSY | MAC_CR),
    ],
    often: |random| match random.below(8) {
        0..=2 => Some("TX_DATA_FIFO"),
        3 => Some("TX_STATUS_FIFO"),
        _ => None,
    },
    values: sending,
    known: &[
        TDFA,
        RESERVED_SOURCES,
        RESERVED_LEVEL,
        Known::ours("INT_STS", 1 << 7, "TSFL comes by its level (5.3.6)"),
        Known::ours(
            "TX_FIFO_INF",
            0x1fff,
            "QEMU counts words as octets (5.3.12)",
        ),
        Known::both("TX_STATUS_FIFO", ALL, "nothing is said of an empty one").mine(0),
        Known::both("TX_STATUS_FIFO_PEEK", ALL, "as above").mine(0),
    ],
    ..LAN9118
};

const BUSY: u64 = 1 << 31;
const READ: u64 = 1 << 30;
const SW_INT: u64 = 1 << 31;
const TX_ON: u64 = 1 << 1;
const TXD_DUMP: u64 = 1 << 14;
const FDPX: u64 = 1 << 20;
const TXEN: u64 = 1 << 3;
const SRST: u64 = 1;
const TX_IOC: u64 = 1 << 21;

/// Registers of the MAC.
const MAC_CR: u64 = 1;
const MII_ACC: u64 = 6;
const FLOW: u64 = 8;
/// Of FLOW.
const FCPASS: u64 = 1 << 2;
const FCEN: u64 = 1 << 1;
const FCBSY: u64 = 1;

const NEVER: &[Never] = &[
    Never::written("RX_DATA_FIFO", READ_ONLY),
    Never::written("RX_STATUS_FIFO_PEEK", READ_ONLY),
    Never::written("TX_STATUS_FIFO", READ_ONLY),
    Never::written("TX_STATUS_FIFO_PEEK", READ_ONLY),
    Never::new("IRQ_CFG", 0xff00_0000, TIME),
    Never::new(
        "INT_EN",
        TXSTOP | LEVELS | GPIO,
        "QEMU's has no such source: the IRQ pin is compared for the others",
    ),
    Never::new("TX_CFG", 1, "QEMU's does not stop (5.3.8)"),
    Never::new(
        "RX_DP_CTRL",
        ALL,
        "QEMU's skips where no frame is (3.13.1.1)",
    ),
    Never::new("PMT_CTRL", 3 << 12, "QEMU's does not sleep (3.10)"),
    Never::new("GPT_CFG", 1 << 29, TIME),
];

const TXSTOP: u64 = 1 << 25;
/// TDFA, TSFF, TSFL, RSFF, RSFL.
const LEVELS: u64 = 1 << 9 | 1 << 8 | 1 << 7 | 1 << 4 | 1 << 3;
const GPIO: u64 = 7;

const TDFA: Known = Known::ours("INT_STS", 1 << 9, "TDFA comes by its level (5.3.6)");
const RESERVED_SOURCES: Known = Known::ours("INT_EN", 0x0040_0820, "reserved (5.3.4)");
const RESERVED_LEVEL: Known = Known::ours("FIFO_INT", 0xff00, "reserved (5.3.6)");

/// The last write of a register, if it was written.
fn last(register: &str, done: &[Done]) -> Option<u64> {
    let mut writes = done.iter().rev().filter(|it| it.write);
    Some(writes.find(|it| it.register == register)?.value)
}

/// What MAC_CSR_DATA holds, if it was written since a command of the MAC changed it.
fn csr_data(done: &[Done]) -> Option<u64> {
    let changes = |it: &Done| {
        let reads = it.register == "MAC_CSR_CMD" && it.value & (BUSY | READ) == BUSY | READ;
        reads || it.register == "HW_CFG"
    };
    let mut writes = done.iter().rev().filter(|it| it.write);
    let last = writes.find(|it| it.register == "MAC_CSR_DATA" || changes(it))?;
    (!changes(last)).then_some(last.value)
}

/// QEMU's interrupt comes with each write of a one, the manual's with the edge (5.3.4).
fn sources(random: &mut Random, done: &[Done]) -> u64 {
    let on = last("INT_EN", done).is_some_and(|value| value & SW_INT != 0);
    random.value() & !(if on { SW_INT } else { 0 })
}

fn control(register: &str, random: &mut Random, done: &[Done]) -> Option<u64> {
    Some(match register {
        "INT_EN" => sources(random, done),
        // QEMU's FIFOs have one size.
        "HW_CFG" => {
            let reset = u64::from(random.below(16) == 0);
            random.value() & !0x000f_0001 | 0x0005_0000 | reset
        }
        // Half of them may be a transaction with the PHY.
        "MAC_CSR_DATA" if random.below(2) == 0 => {
            1 << 11 | random.below(5) << 6 | random.below(2) << 1
        }
        "MAC_CSR_CMD" => mac_command(random, done),
        "E2P_CMD" => eeprom_command(random, done),
        // What says that the EEPROM holds an address, if it is written to the first byte.
        "E2P_DATA" if random.below(2) == 0 => 0xa5,
        _ => return None,
    })
}

/// Of the MAC's registers QEMU has the first eight, and of the PHY's the first few: what a write
/// carries is in MAC_CSR_DATA, so that says which may be written.
fn mac_command(random: &mut Random, done: &[Done]) -> u64 {
    let register = 1 + random.below(8);
    let writable = csr_data(done).is_some_and(|data| match register {
        MII_ACC => data >> 11 & 0x1f == 1 && data & 2 == 0 && data >> 6 & 0x1f < 5,
        // QEMU keeps the pause time alone (5.4.8).
        FLOW => data & (FCPASS | FCEN | FCBSY) == 0,
        _ => true,
    });
    let read = if writable {
        random.below(2) * READ
    } else {
        READ
    };
    let busy = random.below(8).min(1) * BUSY;
    busy | read | register
}

/// QEMU's begins at once, whatever EPC_BUSY says, and what it writes only clears bits: a cell is
/// erased first. Its reset takes the permission to write away.
fn eeprom_command(random: &mut Random, done: &[Done]) -> u64 {
    let place = random.below(8);
    let before = || done.iter().rev().filter(|it| it.write);
    let commands = || {
        before()
            .filter(|it| it.register == "E2P_CMD")
            .map(|it| (it.value >> 28 & 7, it.value & 0x7f))
    };
    let known = before()
        .find_map(|it| match it.register {
            "HW_CFG" if it.value & SRST != 0 => Some(false),
            "E2P_CMD" if matches!(it.value >> 28 & 7, 1 | 2) => Some(true),
            _ => None,
        })
        .unwrap_or(false);
    // The last that changed the cell: a write, or one that erased it.
    let erased = commands()
        .find(|(command, at)| *command == 6 || matches!(command, 3 | 5) && *at == place)
        .is_some_and(|(command, _)| command != 3);
    let command = match random.below(7) {
        3 if !(known && erased) => 0,
        // Before one byte is written to all, all would have to be erased.
        4 => 7,
        5 | 6 if !known => 0,
        command => command,
    };
    BUSY | command << 28 | place
}

fn sending(register: &str, random: &mut Random, done: &[Done]) -> Option<u64> {
    Some(match register {
        // QEMU's pin takes no notice of TX_IOC until another register is written.
        "INT_EN" => sources(random, done) & !TX_IOC,
        "TX_CFG" => random.value() | TX_ON,
        "TX_DATA_FIFO" => word(random, done),
        _ => return None,
    })
}

/// TX command A and B. Bit 15 tells data from them here, and bit 21 a command B.
const FIRST: u64 = 1 << 13;
const LAST: u64 = 1 << 12;
const DATA: u64 = 1 << 15;
const COMMAND_B: u64 = 1 << 21;

/// The next word of a frame of one buffer or of two. QEMU's buffers have no end alignment, and no
/// frame may be longer than command B says.
fn word(random: &mut Random, done: &[Done]) -> u64 {
    // The words since the last command A, the last one first.
    let mut behind: Vec<u64> = Vec::new();
    for it in done.iter().rev().filter(|it| it.write) {
        match it.register {
            "TX_CFG" if it.value & TXD_DUMP != 0 => break,
            "TX_DATA_FIFO" if it.value & (DATA | COMMAND_B) != 0 => behind.push(it.value),
            "TX_DATA_FIFO" => return next(random, it.value, &behind),
            _ => {}
        }
    }
    start(random)
}

/// The command A of a frame.
fn start(random: &mut Random) -> u64 {
    let (last, length) = (random.below(2) * LAST, 1 + random.below(24));
    begin(random, FIRST | last, length)
}

/// A command A.
fn begin(random: &mut Random, of: u64, length: u64) -> u64 {
    random.below(2) << 31 | random.below(16) << 16 | of | length
}

/// What follows a command A and so many words.
fn next(random: &mut Random, a: u64, behind: &[u64]) -> u64 {
    let (offset, length) = (a >> 16 & 0x1f, a & 0x7ff);
    let words = 1 + (offset + length).div_ceil(4);
    if behind.is_empty() {
        let more = if a & LAST == 0 {
            1 + random.below(8)
        } else {
            0
        };
        return random.next() & 0xffff_0000 | COMMAND_B | (length + more);
    }
    if (behind.len() as u64) < words {
        return random.next() | DATA;
    }
    if a & LAST == 0 {
        let whole = behind.last().map_or(0, |b| b & 0x7ff);
        return begin(random, LAST, whole - length);
    }
    start(random)
}

#[test]
fn lan9118_control() {
    compare(&CONTROL);
}

#[test]
fn lan9118_sending() {
    compare(&SENDING);
}
