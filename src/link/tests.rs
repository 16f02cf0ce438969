use super::*;
use crate::random::Random;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

impl Random {
    /// Text that is dense in what frames are made of.
    fn hostile(&mut self, size: usize) -> Vec<u8> {
        let pieces: [&[u8]; 8] = [
            b"\x1b",
            b"_",
            b"\\",
            b"R",
            b"AQAA",
            b"\x1b_R",
            b"\x1b\\",
            b"\x1b[31m\xe2\x82\xac",
        ];
        let mut out = vec![];
        while out.len() < size {
            out.extend_from_slice(pieces[self.below(pieces.len())]);
        }
        out
    }

    fn plain(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| b' ' + self.below(95) as u8).collect()
    }
}

/// All that a decoder told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    text: BTreeMap<Channel, Vec<u8>>,
    frames: BTreeMap<Channel, Vec<u8>>,
    acks: Vec<Ack>,
    damages: Vec<Damage>,
    starts: usize,
    joins: usize,
}

impl Told {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text { channel, bytes } => self.text.entry(channel).or_default().extend(bytes),
            Event::Frame { channel, bytes } => {
                self.frames.entry(channel).or_default().extend(bytes);
            }
            Event::Ack(ack) => self.acks.push(ack),
            Event::Start => self.starts += 1,
            Event::Joined { .. } => self.joins += 1,
            Event::Damage(damage) => self.damages.push(damage),
        }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut told = Self::default();
        Decoder::new().feed(bytes, &mut |event| told.take(event));
        told
    }

    fn text_of(&self, channel: Channel) -> &[u8] {
        self.text.get(&channel).map_or(&[], Vec::as_slice)
    }
}

/// An encoder, started, and what it sent.
struct Line {
    encoder: Encoder,
    sent: Vec<u8>,
}

impl Line {
    fn new() -> Self {
        let mut line = Self {
            encoder: Encoder::new(),
            sent: vec![],
        };
        line.encoder.start(&mut |byte| line.sent.push(byte));
        line
    }

    fn text(&mut self, channel: Channel, bytes: &[u8]) {
        self.encoder
            .text(channel, bytes, &mut |byte| self.sent.push(byte));
    }

    fn flush(&mut self) {
        self.encoder.flush(&mut |byte| self.sent.push(byte));
    }
}

/// What a terminal that ignores APC strings shows.
fn on_a_plain_terminal(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        if rest.starts_with(b"\x1b_") {
            let end = rest.windows(2).position(|pair| pair == b"\x1b\\").unwrap();
            rest = &rest[end + 2..];
        } else {
            out.push(*byte);
            rest = behind;
        }
    }
    out
}

const CONSOLE: Channel = Channel::Console(0);
const OTHER: Channel = Channel::Console(1);

/// A session with a bit of everything; the offsets at which it was flushed.
fn session(random: &mut Random) -> (Vec<u8>, Vec<usize>) {
    let mut line = Line::new();
    let mut flushes = vec![];
    for _ in 0..12 {
        let size = random.below(500);
        let text = if random.below(2) == 0 {
            random.plain(size)
        } else {
            random.hostile(size)
        };
        let channel = [CONSOLE, OTHER, Channel::Monitor, Channel::Trace][random.below(4)];
        line.text(channel, &text);
        if random.below(3) == 0 {
            line.flush();
            flushes.push(line.sent.len());
        }
    }
    line.flush();
    (line.sent, flushes)
}

#[test]
fn every_channel_arrives_whole_whatever_the_chunks() {
    let mut random = Random(1);
    for _ in 0..50 {
        let (sent, _) = session(&mut random);
        let whole = Told::of(&sent);
        assert_eq!((whole.starts, &whole.damages), (1, &vec![]));
        let mut told = Told::default();
        let mut decoder = Decoder::new();
        let mut rest = sent.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(1 + random.below(rest.len().min(40)));
            decoder.feed(now, &mut |event| told.take(event));
            rest = later;
        }
        assert_eq!(told, whole);
    }
}

#[test]
fn a_plain_terminal_reads_the_console_in_focus_with_the_monitor_on_lines_of_its_own() {
    let mut line = Line::new();
    line.text(CONSOLE, b"login: ");
    line.text(OTHER, b"not for this screen\r\n");
    line.text(Channel::Monitor, b"press: stopped\r\n");
    line.text(CONSOLE, b"root\r\n");
    line.text(Channel::Report, b"PC 0x8000\r\n");
    line.flush();
    let screen = String::from_utf8(on_a_plain_terminal(&line.sent)).unwrap();
    assert_eq!(screen, "login: \r\npress: stopped\r\nroot\r\nPC 0x8000\r\n");

    let told = Told::of(&line.sent);
    assert_eq!(told.text_of(CONSOLE), b"login: root\r\n");
    assert_eq!(told.text_of(Channel::Monitor), b"press: stopped\r\n");
    assert_eq!(told.text_of(Channel::Report), b"PC 0x8000\r\n");
    assert_eq!(told.frames[&OTHER], b"not for this screen\r\n");
    assert_eq!(told.damages, []);
}

#[test]
fn a_guest_cannot_forge_a_frame() {
    // The frames of a true session, printed by a guest.
    let mut forged = Line::new();
    forged.text(Channel::Trace, b"forged");
    forged.flush();
    forged.text(Channel::Monitor, b"forged");
    forged.flush();
    let mut random = Random(2);
    for _ in 0..200 {
        let mut text = forged.sent.clone();
        let size = random.below(2000);
        text.splice(0..0, random.hostile(size));
        let mut line = Line::new();
        for chunk in text.chunks(1 + random.below(50)) {
            line.text(CONSOLE, chunk);
            if random.below(4) == 0 {
                line.flush();
            }
        }
        line.flush();
        let told = Told::of(&line.sent);
        assert_eq!(told.text_of(CONSOLE), text);
        let rest = Told {
            text: BTreeMap::new(),
            ..told
        };
        assert_eq!(
            rest,
            Told {
                starts: 1,
                ..Told::default()
            }
        );
    }
}

#[test]
fn a_check_follows_at_least_every_256_raw_bytes() {
    for text in [
        Random(3).plain(5000),
        b"\x1b[".repeat(2500),
        b"\xe2\x82\xac".repeat(1700),
    ] {
        let mut line = Line::new();
        line.text(CONSOLE, &text);
        let between = line
            .sent
            .split(|byte| *byte == b'R')
            .map(<[u8]>::len)
            .max()
            .unwrap();
        assert!(line.sent.len() > text.len() + text.len() / 256 * 29);
        assert!(between < 300, "{between}");
        // And the checks cost less than a sixth of the text.
        assert!(line.sent.len() < text.len() * 7 / 6 + 60);
    }
}

#[test]
fn checks_do_not_tear_escape_sequences_and_characters_apart() {
    for piece in [
        "\x1b[1;31m".as_bytes(),
        "\u{20ac}".as_bytes(),
        "\u{1f600}".as_bytes(),
        b"\x1b(B",
    ] {
        let mut line = Line::new();
        line.text(CONSOLE, &piece.repeat(1000));
        let mut rest = line.sent.as_slice();
        while let Some(at) = rest.windows(3).position(|three| three == b"\x1b_R") {
            assert_eq!(at % piece.len(), 0, "{piece:?}");
            let end = at
                + rest[at..]
                    .windows(2)
                    .position(|pair| pair == b"\x1b\\")
                    .unwrap()
                + 2;
            rest = &rest[end..];
        }
    }
}

#[test]
fn an_idle_line_owes_nothing() {
    let mut line = Line::new();
    assert!(!line.encoder.owes_flush());
    line.text(OTHER, b"x");
    assert!(line.encoder.owes_flush());
    line.flush();
    line.text(Channel::Monitor, b"x\r\n");
    assert!(line.encoder.owes_flush());
    line.flush();
    assert!(!line.encoder.owes_flush());
    let size = line.sent.len();
    line.flush();
    assert_eq!(line.sent.len(), size);
}

/// Feeds `damaged`, then a tail of its own, and asserts that the damage was told, and that the
/// tail's second half is whole: at most one frame was needed to agree again.
fn assert_told_and_resynchronized(what: &str, encoder_sent: &[u8], damaged: &[u8]) {
    let mut told = Told::default();
    let mut decoder = Decoder::new();
    decoder.feed(damaged, &mut |event| told.take(event));
    // The tail is what the same session would go on with.
    let mut line = replay_to_the_end(encoder_sent);
    let mark = line.sent.len();
    line.text(CONSOLE, b"lost perhaps");
    line.flush();
    let first = line.sent.split_off(mark);
    decoder.feed(&first, &mut |event| told.take(event));
    assert!(told.damages.len() + told.joins > 0, "{what}: not told");

    let so_far = (told.damages.len(), told.joins);
    told.text.clear();
    told.frames.clear();
    line.sent.clear();
    line.text(CONSOLE, b"whole again");
    line.text(OTHER, b"here too");
    line.flush();
    decoder.feed(&line.sent, &mut |event| told.take(event));
    assert_eq!(
        (told.damages.len(), told.joins),
        so_far,
        "{what}: not resynchronized"
    );
    assert_eq!(told.text_of(CONSOLE), b"whole again", "{what}");
    assert_eq!(told.frames[&OTHER], b"here too", "{what}");
}

/// The fixed session of the damage tests, whose encoder can go on.
fn fixed_session() -> Line {
    let mut random = Random(77);
    let mut line = Line::new();
    line.text(CONSOLE, &random.plain(400));
    line.text(OTHER, b"in a frame");
    line.text(CONSOLE, &random.hostile(60));
    line.text(Channel::Monitor, b"a line of the monitor\r\n");
    line.text(CONSOLE, b"a\x1b[0mb\r\n");
    line.flush();
    line
}

fn replay_to_the_end(sent: &[u8]) -> Line {
    let line = fixed_session();
    assert_eq!(line.sent, sent);
    line
}

#[test]
fn any_flipped_bit_is_told() {
    let sent = fixed_session().sent;
    for at in 0..sent.len() {
        for bit in 0..8 {
            let mut damaged = sent.clone();
            damaged[at] ^= 1 << bit;
            assert_told_and_resynchronized(&format!("bit {bit} of byte {at}"), &sent, &damaged);
        }
    }
}

#[test]
fn any_dropped_run_of_bytes_is_told() {
    let sent = fixed_session().sent;
    for size in [1, 2, 3, 7, 29, 30, 64, 100, 300] {
        for at in 0..sent.len().saturating_sub(size) {
            let mut damaged = sent.clone();
            damaged.drain(at..at + size);
            assert_told_and_resynchronized(&format!("{size} dropped at {at}"), &sent, &damaged);
        }
    }
}

#[test]
fn any_doubled_run_of_bytes_is_told() {
    let sent = fixed_session().sent;
    for size in [1, 2, 5, 29, 64] {
        // A start that comes twice, whole, is a start: the first frame is not doubled here.
        for at in 29..sent.len() - size {
            let mut damaged = sent[..at + size].to_vec();
            damaged.extend_from_slice(&sent[at..]);
            assert_told_and_resynchronized(&format!("{size} doubled at {at}"), &sent, &damaged);
        }
    }
}

#[test]
fn random_noise_is_told_and_neither_end_panics() {
    let mut random = Random(11);
    let sent = fixed_session().sent;
    for round in 0..500 {
        let mut damaged = sent.clone();
        for _ in 0..=random.below(20) {
            let at = random.below(damaged.len());
            match random.below(3) {
                0 => damaged[at] ^= 1 + random.below(255) as u8,
                1 => drop(damaged.remove(at)),
                _ => damaged.insert(at, random.next() as u8),
            }
        }
        if damaged != sent {
            assert_told_and_resynchronized(&format!("round {round}"), &sent, &damaged);
        }
    }
    let noise: Vec<u8> = (0..100_000).map(|_| random.next() as u8).collect();
    let frames = Told::of(&noise).frames;
    assert!(frames.is_empty());
}

#[test]
fn damage_is_told_with_its_place_and_count() {
    let mut line = Line::new();
    line.text(CONSOLE, b"0123456789");
    line.flush();
    let from = line.sent.len();
    line.text(CONSOLE, b"abcdefghij");
    line.flush();
    line.sent.drain(from + 2..from + 5);
    let told = Told::of(&line.sent);
    let expected = Damage::Text {
        channel: CONSOLE,
        after: 10,
        sent: 10,
        received: 7,
    };
    assert_eq!(told.damages, [expected]);
    assert_eq!(
        format!("{expected}"),
        "console of VM 0: 10 bytes were sent behind byte 10 of the link's text, 7 arrived"
    );
}

#[test]
fn a_lost_check_alone_leaves_the_text_undisputed() {
    let mut line = Line::new();
    let from = line.sent.len();
    line.text(CONSOLE, b"0123456789");
    line.flush();
    line.sent.drain(from + 10..);
    line.text(CONSOLE, b"abc");
    line.flush();
    let told = Told::of(&line.sent);
    assert_eq!(told.damages, [Damage::Frames { due: 1, count: 1 }]);
    assert_eq!(told.text_of(CONSOLE), b"0123456789abc");
}

#[test]
fn a_reader_that_comes_later_joins_without_crying_damage() {
    let mut line = Line::new();
    line.text(CONSOLE, &Random(4).plain(1000));
    line.sent.drain(..500);
    line.flush();
    line.text(CONSOLE, b"seen");
    line.flush();
    let told = Told::of(&line.sent);
    assert_eq!((told.starts, told.joins, told.damages.len()), (0, 1, 0));
    assert!(told.text_of(CONSOLE).ends_with(b"seen"));
}

#[test]
fn a_hypervisor_that_starts_anew_is_no_damage() {
    let mut line = Line::new();
    line.text(CONSOLE, b"first life");
    line.encoder = Encoder::new();
    line.sent.extend_from_slice(b"firmware's own words\r\n");
    line.encoder.start(&mut |byte| line.sent.push(byte));
    line.text(CONSOLE, b"second life");
    line.flush();
    let told = Told::of(&line.sent);
    assert_eq!((told.starts, told.joins, told.damages.len()), (2, 0, 0));
}

#[test]
fn what_is_typed_at_a_plain_terminal_is_text() {
    // Alt and `_`, Alt and `\`, arrow keys, a lone escape before a letter.
    let typed = b"ls\r\x1b_x\x1b\\\x1b[A\x1bq\x1b_\x1b[B\x1b\x1b[C";
    let told = Told::of(typed);
    assert_eq!(told.text_of(CONSOLE), typed);
    assert_eq!(told.damages, []);
}

#[test]
fn lost_input_is_found_by_its_sender() {
    let mut tool = Line::new();
    let mut sent = Sent::default();
    let mut metal = Decoder::new();
    let mut received = Told::default();
    tool.text(CONSOLE, b"uname -m\r");
    metal.feed(&tool.sent, &mut |event| received.take(event));
    assert_eq!(
        sent.acknowledged(&tool.encoder, metal.ack()),
        Delivery::Arrived
    );

    tool.sent.clear();
    tool.text(CONSOLE, b"reboot\r");
    tool.sent.remove(3);
    metal.feed(&tool.sent, &mut |event| received.take(event));
    assert_eq!(
        sent.acknowledged(&tool.encoder, metal.ack()),
        Delivery::Waiting(1)
    );
    tool.sent.clear();
    tool.flush();
    metal.feed(&tool.sent, &mut |event| received.take(event));
    let delivery = sent.acknowledged(&tool.encoder, metal.ack());
    assert_eq!(delivery, Delivery::Damaged { times: 1, at: 16 });
    assert_eq!(
        sent.acknowledged(&tool.encoder, metal.ack()),
        Delivery::Arrived
    );

    tool.sent.clear();
    tool.text(CONSOLE, b"a");
    metal.feed(b"b", &mut |event| received.take(event));
    let delivery = sent.acknowledged(&tool.encoder, metal.ack());
    assert_eq!(delivery, Delivery::Damaged { times: 1, at: 17 });
}

#[test]
fn an_acknowledgement_travels_once() {
    let mut line = Line::new();
    let ack = Ack {
        total: 7,
        crc: 0x1234_5678,
        damages: 1,
    };
    for _ in 0..3 {
        line.encoder
            .acknowledge(ack, &mut |byte| line.sent.push(byte));
    }
    assert_eq!(Told::of(&line.sent).acks, [ack]);
}

#[test]
fn a_change_of_focus_carries_the_held_text_of_the_console_before_its_next() {
    let mut line = Line::new();
    line.text(OTHER, b"before ");
    line.encoder.focus(1, &mut |byte| line.sent.push(byte));
    line.text(OTHER, b"after");
    line.text(CONSOLE, b"now hidden");
    line.flush();
    assert_eq!(on_a_plain_terminal(&line.sent), b"after");
    let told = Told::of(&line.sent);
    assert_eq!(told.frames[&OTHER], b"before ");
    assert_eq!(told.text_of(OTHER), b"after");
    assert_eq!(told.frames[&CONSOLE], b"now hidden");
}
