//! What is typed, on its way to the machine: over the link, so that a lost byte is told.
//!
//! Nothing is sent twice: a guest may have acted on a line that arrived damaged, and would
//! act on it again.
use reliquary::link::{Ack, Channel, Delivery, Encoder, Sent};
use std::fmt;
use std::io::Write;

/// Bytes to the machine.
pub struct Keyboard {
    to: Box<dyn Write>,
    encoder: Encoder,
    sent: Sent,
    /// The other end was told that counting begins.
    started: bool,
    /// The other end has answered.
    answered: bool,
    /// Raw bytes that no acknowledgement covers yet.
    waiting: u32,
}

impl fmt::Debug for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyboard").finish_non_exhaustive()
    }
}

impl Keyboard {
    /// A keyboard at the machine's input.
    pub fn new(to: impl Write + 'static) -> Self {
        Self {
            to: Box::new(to),
            encoder: Encoder::new(),
            sent: Sent::default(),
            started: false,
            answered: false,
            waiting: 0,
        }
    }

    /// Types a burst at a console: as it is at the first one, which has the focus at the
    /// machine's end; in frames at the others, at the monitor and at wires' outside ends.
    pub fn type_at(&mut self, console: Channel, bytes: &[u8]) {
        let mut out = Vec::new();
        let mut sink = |byte| out.push(byte);
        if !self.started {
            self.started = true;
            self.encoder.start(&mut sink);
        }
        if matches!(console, Channel::Console(_)) {
            self.encoder.text(console, bytes, &mut sink);
        } else {
            self.encoder.data(console, bytes, &mut sink);
        }
        self.encoder.flush(&mut sink);
        if console == self.encoder.in_focus() {
            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.waiting = self.waiting.saturating_add(size);
        }
        // A machine that is gone is told by its closed output.
        let _ = self.to.write_all(&out).and_then(|()| self.to.flush());
    }

    /// The machine says what it received. Gives words for what was lost.
    pub fn heard(&mut self, ack: Ack) -> Option<String> {
        self.answered = true;
        match self.sent.acknowledged(&self.encoder, ack) {
            Delivery::Arrived => {
                self.waiting = 0;
                None
            }
            Delivery::Waiting(waiting) => {
                self.waiting = waiting;
                None
            }
            Delivery::Damaged { times, at } => {
                self.waiting = 0;
                let times = if times == 1 {
                    "once".to_owned()
                } else {
                    format!("{times} times")
                };
                Some(format!(
                    "what was typed was lost or damaged on the way to the machine, {times}, \
                     before byte {at} of the input: type it again"
                ))
            }
        }
    }

    /// The machine's end of the link started. If it had answered before, it started anew and
    /// knows nothing of what was counted.
    pub fn machine_started(&mut self) {
        if self.answered {
            (self.started, self.answered, self.waiting) = (false, false, 0);
            self.sent = Sent::default();
        }
    }

    /// At the end: words for what the machine never acknowledged, if it acknowledges at all.
    pub fn unheard(&self) -> Option<String> {
        (self.answered && self.waiting > 0).then(|| {
            format!(
                "{} typed bytes were never acknowledged by the machine",
                self.waiting
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reliquary::link::{Decoder, Event};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// The machine's end: what came, and what it says to it.
    #[derive(Clone, Default)]
    struct Line(Rc<RefCell<Vec<u8>>>);

    impl Write for Line {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Line {
        fn take(&self) -> Vec<u8> {
            self.0.take()
        }
    }

    fn receive(decoder: &mut Decoder, bytes: &[u8]) -> Vec<(Channel, Vec<u8>)> {
        let mut came = Vec::new();
        decoder.feed(bytes, &mut |event| {
            if let Event::Text { channel, bytes } | Event::Frame { channel, bytes } = event {
                came.push((channel, bytes.to_vec()));
            }
        });
        came
    }

    const FIRST: Channel = Channel::Console(0);
    const SECOND: Channel = Channel::Console(1);

    #[test]
    fn each_console_gets_what_was_typed_at_it_and_all_is_acknowledged() {
        let (line, mut machine) = (Line::default(), Decoder::new());
        let mut keyboard = Keyboard::new(line.clone());
        keyboard.type_at(FIRST, b"ls\r");
        keyboard.type_at(SECOND, b"q");
        let came = receive(&mut machine, &line.take());
        assert_eq!(came, [(FIRST, b"ls\r".to_vec()), (SECOND, b"q".to_vec())]);
        assert_eq!(keyboard.heard(machine.ack()), None);
        assert_eq!(keyboard.unheard(), None);
    }

    #[test]
    fn the_monitor_gets_its_commands_in_frames_and_no_console_sees_them() {
        let (line, mut machine) = (Line::default(), Decoder::new());
        let mut keyboard = Keyboard::new(line.clone());
        keyboard.type_at(Channel::Monitor, b"vms\r");
        let bytes = line.take();
        assert!(!bytes.windows(3).any(|window| window == b"vms"));
        let came = receive(&mut machine, &bytes);
        assert_eq!(came, [(Channel::Monitor, b"vms\r".to_vec())]);
        assert_eq!(keyboard.heard(machine.ack()), None);
    }

    #[test]
    fn a_typed_byte_that_was_lost_is_told_with_its_place() {
        let (line, mut machine) = (Line::default(), Decoder::new());
        let mut keyboard = Keyboard::new(line.clone());
        keyboard.type_at(FIRST, b"one\r");
        receive(&mut machine, &line.take());
        assert_eq!(keyboard.heard(machine.ack()), None);
        keyboard.type_at(FIRST, b"two\r");
        let mut bytes = line.take();
        bytes.remove(1);
        receive(&mut machine, &bytes);
        let told = keyboard.heard(machine.ack()).unwrap();
        assert!(told.contains("once, before byte 8"), "{told}");
        // The next burst is sound again.
        keyboard.type_at(FIRST, b"three\r");
        receive(&mut machine, &line.take());
        assert_eq!(keyboard.heard(machine.ack()), None);
    }

    #[test]
    fn a_burst_that_never_came_is_told_at_the_end() {
        let (line, mut machine) = (Line::default(), Decoder::new());
        let mut keyboard = Keyboard::new(line.clone());
        keyboard.type_at(FIRST, b"one\r");
        receive(&mut machine, &line.take());
        keyboard.heard(machine.ack());
        keyboard.type_at(FIRST, b"two\r");
        let told = keyboard.unheard().unwrap();
        assert!(told.starts_with("4 typed bytes"), "{told}");
    }

    #[test]
    fn a_machine_that_restarts_counts_anew() {
        let (line, mut machine) = (Line::default(), Decoder::new());
        let mut keyboard = Keyboard::new(line.clone());
        keyboard.machine_started();
        keyboard.type_at(FIRST, b"reboot\r");
        receive(&mut machine, &line.take());
        keyboard.heard(machine.ack());
        machine = Decoder::new();
        keyboard.machine_started();
        keyboard.type_at(FIRST, b"ls\r");
        receive(&mut machine, &line.take());
        assert_eq!(keyboard.heard(machine.ack()), None);
        assert_eq!(keyboard.unheard(), None);
    }
}
