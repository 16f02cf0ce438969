//! The link to the outside, over the host's UART or virtio console: the VMs' consoles, the log, the reports, the
//! monitor's commands and answers.
//!
//! Lock order: the tap's lock is taken before [`LINK`]. Nothing is called with [`LINK`] held but the link's
//! own encoder and decoder, the UART, [`KEPT`]'s reader, a wire that leads outside and an [`Input`]; a wire's
//! lock and an [`Input`]'s are taken last.

use super::core_area::{self, CORES_MAX};
use super::guest::Guest;
use super::mailbox::{self, Mail};
use super::port::Port;
use super::{counter, gic, monitor, tap, wires};
use alloc::collections::VecDeque;
use core::fmt::{self, Write};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use reliquary::board::Board;
use reliquary::link::{Channel, Decoder, Encoder, Event, PAYLOAD_LIMIT};
use reliquary::monitor::Kept;
use reliquary::monitor::show::in_units;
use reliquary::units::Instant;
use spin::{Mutex, MutexGuard};

/// The most VMs of a system: a console each.
pub const CONSOLES: usize = reliquary::bundle::VM_LIMIT;

/// Set when the hypervisor itself failed: nobody prints any more but who reported it.
pub static MACHINE_STOPPED: AtomicBool = AtomicBool::new(false);

/// Bytes on their way to the UART. A guest's UART keeps what does not fit.
const OUT_BYTES: usize = 16 * 1024;
/// Room that a guest's byte must find: its frame, with what the log may need beside it.
const OUT_RESERVE: usize = 4 * 1024;

struct Link {
    port: Option<Port>,
    encoder: Encoder,
    decoder: Decoder,
    out: Ring<OUT_BYTES>,
    lost: usize,
}

static LINK: Mutex<Link> = Mutex::new(Link {
    port: None,
    encoder: Encoder::new(),
    decoder: Decoder::new(),
    out: Ring::new(),
    lost: 0,
});

/// The port's INTID, once it is known.
static INTERRUPT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// The VM whose console has the focus.
static FOCUS: AtomicUsize = AtomicUsize::new(0);

/// Bytes typed for each VM's console.
pub static INPUT: [Input; CONSOLES] = [const { Input::new() }; CONSOLES];

/// The log's last lines.
static KEPT: Mutex<Kept<64>> = Mutex::new(Kept::new());

/// Opens the link over `port`.
pub fn open(port: Port) {
    let mut link = LINK.lock();
    link.port = Some(port);
    link.encode(|encoder, mut sink| encoder.start(&mut sink));
    drop(link);
    let _ = log::set_logger(&LOG);
    log::set_max_level(log::LevelFilter::Info);
}

/// Received bytes and, where bytes wait to be sent, room for them come by interrupt `intid`.
pub fn listen(intid: u32, mpidr: u64) {
    INTERRUPT.store(intid as usize, Ordering::Relaxed);
    gic::route(intid, 0, mpidr);
    gic::enable(intid);
    if let Some(port) = &mut LINK.lock().port {
        port.enable_interrupts();
    }
}

/// Where the encoder puts its bytes.
type Sink<'a> = &'a mut dyn FnMut(u8);

impl Link {
    /// Lets the encoder write into the ring, then moves to the UART what it takes.
    fn encode(&mut self, with: impl FnOnce(&mut Encoder, Sink<'_>)) {
        let Self {
            port,
            encoder,
            out,
            lost,
            ..
        } = self;
        with(encoder, &mut |byte| {
            if out.push(byte) {
                return;
            }
            // The ring is full: wait for the port, for as long as it moves.
            if let Some(port) = port {
                for _ in 0..1_000_000 {
                    if send(port, out) && out.push(byte) {
                        return;
                    }
                }
            }
            *lost += 1; // the other end's count will differ, and tell
        });
        self.pump();
    }

    /// As many recorded bytes as a frame takes.
    fn record(&mut self, channel: Channel, bytes: &mut VecDeque<u8>) {
        let mut piece = [0; PAYLOAD_LIMIT];
        let size = bytes.len().min(piece.len());
        for (to, from) in piece.iter_mut().zip(bytes.drain(..size)) {
            *to = from;
        }
        self.encode(|encoder, mut sink| {
            encoder.data(channel, &piece[..size], &mut sink);
        });
    }

    /// What a VM's console has sent, as long as there is room.
    fn take(&mut self, vm: usize, board: &mut Board, now: Instant) -> Drained {
        let mut taken = Drained::Nothing;
        while let Some(byte) = board.console_sent(now) {
            self.encode(|encoder, mut sink| {
                encoder.text(Channel::Console(vm as u8), &[byte], &mut sink);
            });
            if self.out.room() < OUT_RESERVE {
                return Drained::Some;
            }
            taken = Drained::All;
        }
        taken
    }

    fn pump(&mut self) {
        let Self {
            port: Some(port),
            out,
            ..
        } = self
        else {
            return;
        };
        loop {
            while send(port, out) {}
            if !port.settle(!out.is_empty()) {
                break;
            }
        }
    }
}

/// Moves one byte; false if there is none or no room.
fn send(port: &mut Port, out: &mut Ring<OUT_BYTES>) -> bool {
    let Some(byte) = out.peek() else { return false };
    if port.try_send(byte) {
        out.pop();
        true
    } else {
        false
    }
}

/// What [`drain`] took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// There was nothing.
    Nothing,
    /// What the link had room for, or nothing because another core had it; there may be more.
    Some,
    /// All there was.
    All,
}

/// Takes what a VM's console has sent, as long as the link has room. A link that another core has is not
/// waited for: that may be for as long as the host's UART takes.
pub fn drain(vm: usize, board: &mut Board, now: Instant) -> Drained {
    owes_flush().store(true, Ordering::Relaxed);
    match LINK.try_lock() {
        Some(mut link) => link.take(vm, board, now),
        None => Drained::Some,
    }
}

/// The same before a VM ends: what it said last is what one wants to read.
pub fn drain_all(guest: &mut Guest) {
    let number = guest.number;
    let now = guest.vm.now(&guest.hardware);
    let board = guest.vm.board();
    owes_flush().store(true, Ordering::Relaxed);
    for _ in 0..1000 {
        if LINK.lock().take(number, board, now) == Drained::Nothing {
            break;
        }
    }
}

/// Recorded bytes that the link takes at an exit.
const RECORD_AT_ONCE: usize = 8 * PAYLOAD_LIMIT;

/// Sends recorded bytes, as long as the link has room beside the consoles.
pub fn record(channel: Channel, bytes: &mut VecDeque<u8>) {
    let mut link = LINK.lock();
    owes_flush().store(true, Ordering::Relaxed);
    for _ in 0..RECORD_AT_ONCE / PAYLOAD_LIMIT {
        if bytes.is_empty() || link.out.room() < 2 * OUT_RESERVE {
            break;
        }
        link.record(channel, bytes);
    }
}

/// Sends all of them, and waits for the UART while it moves.
pub fn record_all(channel: Channel, bytes: &mut VecDeque<u8>) {
    let mut link = LINK.lock();
    owes_flush().store(true, Ordering::Relaxed);
    while !bytes.is_empty() {
        link.record(channel, bytes);
    }
}

/// Sends what `fill` gives of a channel that no terminal shows, a few bytes. False: the link has no room,
/// or another core has it, which is not waited for.
pub fn data(channel: Channel, fill: impl FnOnce(&mut [u8; 64]) -> usize) -> bool {
    owes_flush().store(true, Ordering::Relaxed);
    let Some(mut link) = LINK
        .try_lock()
        .filter(|link| link.out.room() >= OUT_RESERVE)
    else {
        return false;
    };
    let mut bytes = [0; 64];
    let count = fill(&mut bytes).min(bytes.len());
    link.encode(|encoder, mut sink| encoder.data(channel, &bytes[..count], &mut sink));
    true
}

/// Whether the link has room for an answer of the monitor's, or a few lines of the log.
pub fn has_room() -> bool {
    LINK.lock().out.room() >= OUT_RESERVE
}

/// Sends an answer of the monitor's.
pub fn answer(write: impl FnOnce(&mut dyn Write) -> fmt::Result) {
    let mut out = Text {
        link: LINK.lock(),
        channel: Channel::Monitor,
    };
    let _ = write(&mut out);
}

/// The numbers of the oldest line of the log that is kept, and of the next one to come.
pub fn kept_range() -> (u64, u64) {
    KEPT.lock().range()
}

/// Writes lines of the log, those that are still kept.
pub fn kept(lines: Range<u64>, out: &mut dyn Write) -> fmt::Result {
    let kept = KEPT.lock();
    lines
        .filter_map(|number| kept.get(number))
        .try_for_each(|line| writeln!(out, "{line}"))
}

/// Sends a report.
pub fn report(_vm: usize, report: &dyn fmt::Display) {
    let mut out = Text {
        link: LINK.lock(),
        channel: Channel::Report,
    };
    let _ = writeln!(out, "{report}");
}

/// How long text may go unchecked, or a background console's text be held, in milliseconds.
const FLUSH_AFTER_MS: u64 = 10;

/// Whether the link owes a flush for what this core put there. Each core sees to its own: a VM that
/// prints nothing is not interrupted for others that do.
static OWES_FLUSH: [AtomicBool; CORES_MAX] = [const { AtomicBool::new(false) }; CORES_MAX];

/// This core's.
#[inline]
fn owes_flush() -> &'static AtomicBool {
    &OWES_FLUSH[core_area::index() % CORES_MAX] // no check is left of it
}

/// [`FLUSH_AFTER_MS`] from now, at the latest, this core comes to what rests meanwhile: a flush, too, goes on with that.
pub fn come_back() {
    owes_flush().store(true, Ordering::Relaxed);
}

/// In how many counter ticks [`flush_some`] should be called; None if nothing waits.
#[inline]
pub fn flush_due(hz: u64) -> Option<u64> {
    owes_flush()
        .load(Ordering::Relaxed)
        .then_some(hz / 1000 * FLUSH_AFTER_MS)
}

/// Sends what waits for more to come, when there is time.
pub fn flush_some() {
    if owes_flush().swap(false, Ordering::Relaxed) {
        tap::pour();
        wires::go_on();
        LINK.lock()
            .encode(|encoder, mut sink| encoder.flush(&mut sink));
    }
}

/// The same on behalf of a VM, which does not wait for another core: it comes to it later.
#[cold]
#[inline(never)]
pub fn flush_if_free() {
    if owes_flush().swap(false, Ordering::Relaxed) {
        tap::pour();
        wires::go_on();
        match LINK.try_lock() {
            Some(mut link) => link.encode(|encoder, mut sink| encoder.flush(&mut sink)),
            None => owes_flush().store(true, Ordering::Relaxed),
        }
    }
}

/// Sends everything, and waits until the UART has it.
pub fn flush() {
    let mut link = LINK.lock();
    link.encode(|encoder, mut sink| encoder.flush(&mut sink));
    for _ in 0..10_000_000 {
        if link.out.is_empty() {
            break;
        }
        link.pump();
    }
}

/// Serves an interrupt that is no guest's; false if it is not the UART's.
pub fn interrupt(intid: u32) -> bool {
    if intid as usize != INTERRUPT.load(Ordering::Relaxed) {
        return false;
    }
    let mut link = LINK.lock();
    if let Some(port) = &mut link.port {
        port.acknowledge();
    }
    let mut wake = [false; CONSOLES];
    let mut lost = [0_usize; CONSOLES];
    let (mut dropped, mut outside) = ([0; 2], 0_u32);
    for _ in 0..256 {
        let Some(byte) = link.port.as_mut().and_then(Port::try_receive) else {
            break;
        };
        let focus = FOCUS.load(Ordering::Relaxed);
        let mut put = |vm: usize, bytes: &[u8]| {
            let taken = INPUT[vm].put(bytes);
            wake[vm] |= taken > 0;
            lost[vm] += bytes.len() - taken;
        };
        link.decoder.feed(&[byte], &mut |event| match event {
            Event::Text { bytes, .. } => put(focus, bytes),
            Event::Frame {
                channel: Channel::Console(vm),
                bytes,
            } => put(usize::from(vm), bytes),
            Event::Frame {
                channel: Channel::Monitor,
                bytes,
            } => dropped[0] += bytes.len() - monitor::typed(bytes),
            Event::Frame {
                channel: Channel::Outside(wire),
                bytes,
            } => {
                dropped[1] += bytes.len() - wires::typed(wire, bytes);
                outside |= 1 << (wire & 31);
            }
            _ => {}
        });
    }
    let ack = link.decoder.ack();
    link.encode(|encoder, mut sink| encoder.acknowledge(ack, &mut sink));
    drop(link);
    monitor::room();
    (0..32)
        .filter(|wire| outside & 1 << wire != 0)
        .for_each(wires::wake);
    let [dropped, out] = dropped;
    if dropped > 0 {
        log::warn!("monitor: {dropped} typed bytes lost, it has not read those before them");
    }
    if out > 0 {
        log::warn!("wires: {out} bytes from outside lost, there is no such end, or no room");
    }
    for (vm, lost) in lost.iter().enumerate().filter(|(_, lost)| **lost > 0) {
        log::warn!("console of VM {vm}: {lost} typed bytes lost, its UART does not take them");
    }
    for (vm, wake) in wake.iter().enumerate() {
        if *wake {
            mailbox::post(vm, Mail::INPUT);
        }
    }
    true
}

/// Bytes typed for one console, until its UART takes them.
pub struct Input(Mutex<Ring<1024>>);

impl Input {
    /// An empty queue.
    pub const fn new() -> Self {
        Self(Mutex::new(Ring::new()))
    }

    /// How many were put in. What does not fit is lost, as on a line without handshake.
    pub fn put(&self, bytes: &[u8]) -> usize {
        let mut ring = self.0.lock();
        bytes.iter().take_while(|byte| ring.push(**byte)).count()
    }

    /// Takes the oldest byte.
    pub fn take(&self) -> Option<u8> {
        let mut ring = self.0.lock();
        let byte = ring.peek();
        ring.pop();
        byte
    }

    /// Gives the bytes to `take`, until it refuses one; says whether it did.
    pub fn drain(&self, mut take: impl FnMut(u8) -> bool) -> bool {
        let mut ring = self.0.lock();
        while let Some(byte) = ring.peek() {
            if !take(byte) {
                return true;
            }
            ring.pop();
        }
        false
    }
}

/// A bounded queue of bytes; N is a power of two.
struct Ring<const N: usize> {
    bytes: [u8; N],
    first: usize,
    count: usize,
}

impl<const N: usize> Ring<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            first: 0,
            count: 0,
        }
    }
    fn is_empty(&self) -> bool {
        self.count == 0
    }
    fn room(&self) -> usize {
        N - self.count
    }
    fn push(&mut self, byte: u8) -> bool {
        if self.count == N {
            return false;
        }
        self.bytes[(self.first + self.count) % N] = byte;
        self.count += 1;
        true
    }
    fn peek(&self) -> Option<u8> {
        (self.count > 0).then(|| self.bytes[self.first])
    }
    fn pop(&mut self) {
        if self.count > 0 {
            self.first = (self.first + 1) % N;
            self.count -= 1;
        }
    }
}

/// Formatted text to a channel, lines ended for a terminal.
struct Text<'a> {
    link: MutexGuard<'a, Link>,
    channel: Channel,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let channel = self.channel;
        for part in text.split_inclusive('\n') {
            self.link
                .encode(|encoder, mut sink| match part.strip_suffix('\n') {
                    None => encoder.text(channel, part.as_bytes(), &mut sink),
                    Some(line) => {
                        encoder.text(channel, line.as_bytes(), &mut sink);
                        encoder.text(channel, b"\r\n", &mut sink);
                    }
                });
        }
        Ok(())
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        self.link
            .encode(|encoder, mut sink| encoder.flush(&mut sink));
    }
}

struct Log;
static LOG: Log = Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        !MACHINE_STOPPED.load(Ordering::Relaxed)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                log::Level::Error => "error: ",
                log::Level::Warn => "warning: ",
                _ => "",
            };
            let ms = in_units(counter::now(), counter::hz(), 1000);
            KEPT.lock()
                .keep(ms, format_args!("{level}{}", record.args()));
            let mut out = Text {
                link: LINK.lock(),
                channel: Channel::Monitor,
            };
            let _ = writeln!(out, "reliquary: {level}{}", record.args());
        }
    }

    fn flush(&self) {}
}

/// The link in the hands of a failing core: the lock is broken if its holder does not let go.
pub struct Emergency(Text<'static>);

impl Emergency {
    /// Takes the link over.
    pub fn begin() -> Self {
        for _ in 0..1_000_000 {
            if let Some(link) = LINK.try_lock() {
                return Self(Text {
                    link,
                    channel: Channel::Monitor,
                });
            }
            core::hint::spin_loop();
        }
        // SAFETY: the holder is this core, which will not come back to it, or one that has
        // been stuck in it for longer than any use takes; what it leaves is bytes in a ring.
        unsafe { LINK.force_unlock() };
        let _ = core_area::index();
        Self(Text {
            link: LINK.lock(),
            channel: Channel::Monitor,
        })
    }
}

impl Write for Emergency {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }
}

impl Drop for Emergency {
    fn drop(&mut self) {
        for _ in 0..10_000_000 {
            if self.0.link.out.is_empty() {
                break;
            }
            self.0.link.pump();
        }
    }
}
