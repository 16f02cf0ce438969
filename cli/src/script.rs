//! What a script does at a console: wait for text, type a line, in the order given.
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use reliquary::link::Channel;
use std::collections::{BTreeMap, VecDeque};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait until the consoles have shown this text.
    Expect(String),
    /// Type this and Enter.
    Send(String),
}

/// `--expect` and `--send`, in the order of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script(pub Vec<Step>);

impl FromArgMatches for Script {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (name, step) in [
            ("expect", Step::Expect as fn(String) -> Step),
            ("send", Step::Send),
        ] {
            let texts = matches
                .get_many::<String>(name)
                .into_iter()
                .flatten()
                .cloned();
            let places = matches.indices_of(name).into_iter().flatten();
            steps.extend(places.zip(texts.map(step)));
        }
        steps.sort_by_key(|(place, _)| *place);
        Ok(Self(steps.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Script {
    fn augment_args(command: Command) -> Command {
        let text = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name("TEXT")
                .help(help)
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
        };
        command
            .arg(text(
                "expect",
                "Wait until this text was printed; repeatable, in order",
            ))
            .arg(text(
                "send",
                "Type this and Enter; repeatable, in order with --expect",
            ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A script that is being played.
#[derive(Debug)]
pub struct Play {
    left: VecDeque<Step>,
    /// What each channel printed and nothing has matched yet.
    unseen: BTreeMap<Channel, Vec<u8>>,
    /// Where the last expected text was seen.
    seen_on: Channel,
}

impl Play {
    /// At its beginning.
    pub fn new(script: &Script) -> Self {
        Self {
            left: script.0.iter().cloned().collect(),
            unseen: BTreeMap::new(),
            seen_on: Channel::Console(0),
        }
    }

    /// Takes in what was printed. Channels are looked at one by one: VMs that print at the
    /// same time do not tear each other's text.
    pub fn printed(&mut self, channel: Channel, bytes: &[u8]) {
        if !self.left.is_empty() {
            self.unseen
                .entry(channel)
                .or_default()
                .extend_from_slice(bytes);
        }
    }

    /// The next line to type, and at which console, if everything before it was seen. To be
    /// asked until it says `None`.
    pub fn to_type(&mut self) -> Option<(Channel, String)> {
        while let Some(step) = self.left.front() {
            match step {
                Step::Send(text) => {
                    let text = text.clone();
                    self.left.pop_front();
                    return Some((self.seen_on, text));
                }
                Step::Expect(text) => {
                    let text = text.as_bytes();
                    let found = self
                        .unseen
                        .iter()
                        .find_map(|(channel, unseen)| Some((*channel, find(unseen, text)?)));
                    let Some((channel, end)) = found else {
                        // Only a tail shorter than the text can still become a part of it.
                        for unseen in self.unseen.values_mut() {
                            let keep = text.len().saturating_sub(1);
                            let drop = unseen.len().saturating_sub(keep);
                            unseen.drain(..drop);
                        }
                        return None;
                    };
                    // What was seen is behind us: the same prompt must come again to be seen
                    // again.
                    self.unseen.entry(channel).or_default().drain(..end);
                    if let Channel::Console(_) = channel {
                        self.seen_on = channel;
                    }
                    self.left.pop_front();
                }
            }
        }
        None
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The text that is waited for.
    pub fn missing(&self) -> Option<&str> {
        self.left.iter().find_map(|step| match step {
            Step::Expect(text) => Some(text.as_str()),
            Step::Send(_) => None,
        })
    }
}

/// The end of the first occurrence.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    bytes
        .windows(text.len())
        .position(|window| window == text)
        .map(|at| at + text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const HERE: Channel = Channel::Console(0);

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        script: Script,
    }

    fn script(arguments: &[&str]) -> Script {
        Line::parse_from(std::iter::once("run").chain(arguments.iter().copied())).script
    }

    #[test]
    fn steps_are_in_the_order_of_the_command_line() {
        let script = script(&["--expect", "a", "--send", "-b", "--send=c", "--expect", "d"]);
        let [a, b, c, d] = ["a", "-b", "c", "d"].map(str::to_owned);
        assert_eq!(
            script.0,
            [
                Step::Expect(a),
                Step::Send(b),
                Step::Send(c),
                Step::Expect(d)
            ]
        );
    }

    #[test]
    fn a_line_is_typed_only_when_its_prompt_was_seen() {
        let mut play = Play::new(&script(&[
            "--expect", "/ #", "--send", "ls", "--expect", "/ #",
        ]));
        assert_eq!(play.to_type(), None);
        play.printed(HERE, b"booting\n/ ");
        assert_eq!(play.to_type(), None);
        play.printed(HERE, b"# ");
        assert_eq!(play.to_type(), Some((HERE, "ls".to_owned())));
        assert_eq!(play.to_type(), None);
        assert!(!play.is_done());
        assert_eq!(play.missing(), Some("/ #"));
        play.printed(HERE, b"ls\r\nbin\r\n/ # ");
        assert_eq!(play.to_type(), None);
        assert!(play.is_done());
    }

    #[test]
    fn one_prompt_does_not_satisfy_two_expectations() {
        let mut play = Play::new(&script(&["--expect", "=> ", "--expect", "=> "]));
        play.printed(HERE, b"=> ");
        assert_eq!(play.to_type(), None);
        assert!(!play.is_done());
    }

    #[test]
    fn two_texts_that_came_at_once_are_both_seen_in_order() {
        let mut play = Play::new(&script(&["--expect", "one", "--expect", "two"]));
        play.printed(HERE, b"one two");
        play.to_type();
        assert!(play.is_done());
        let mut play = Play::new(&script(&["--expect", "two", "--expect", "one"]));
        play.printed(HERE, b"one two");
        play.to_type();
        assert_eq!(play.missing(), Some("one"));
    }

    #[test]
    fn a_line_is_typed_at_the_console_that_asked_for_it() {
        let mut play = Play::new(&script(&["--expect", "=> ", "--send", "help"]));
        play.printed(HERE, b"=");
        play.printed(Channel::Console(1), b"=> ");
        play.printed(HERE, b"> ");
        assert_eq!(play.to_type(), Some((HERE, "help".to_owned())));
        let mut play = Play::new(&script(&["--expect", "=> ", "--send", "help"]));
        play.printed(HERE, b"=");
        play.printed(Channel::Console(1), b"=> ");
        assert_eq!(
            play.to_type(),
            Some((Channel::Console(1), "help".to_owned()))
        );
    }
}
