//! What a script does at a console: wait for text, type a line, in the order given.
use crate::fault::Fault;
use crate::outside::Outside;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use reliquary::link::Channel;
use std::collections::{BTreeMap, VecDeque};

/// One step. `@NAME:` before the text names a VM's console, a wire's outside end, the monitor or the
/// reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait until a console, or the named channel, has shown this text.
    Expect(String),
    /// Type this and Enter, at the named console or the monitor, or where the last text was seen.
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
                "Wait until a VM's console has printed this text; repeatable, in order. \
                 @NAME:TEXT waits for it on the console of the VM NAME; @monitor:TEXT in what \
                 the hypervisor says, @report:TEXT in its reports",
            ))
            .arg(text(
                "send",
                "Type this and Enter; repeatable, in order with --expect. It goes to the console \
                 where the last text was seen, @NAME:TEXT to that of the VM NAME, and \
                 @monitor:COMMAND to the monitor (@monitor:help)",
            ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A step, its channel looked up.
#[derive(Debug)]
enum Planned {
    /// On this channel, or on any console.
    Expect(Option<Channel>, String),
    /// At this console, or where the last text was seen.
    Send(Option<Channel>, String),
}

/// A script that is being played.
#[derive(Debug)]
pub struct Play {
    left: VecDeque<Planned>,
    /// What each channel printed and nothing has matched yet.
    unseen: BTreeMap<Channel, Vec<u8>>,
    /// Where the last expected text was seen.
    seen_on: Channel,
}

impl Play {
    /// At its beginning, with the VMs of these names, and these ends of wires.
    pub fn new(script: &Script, vms: &[String], outside: &[Outside]) -> Result<Self, Fault> {
        let planned = script.0.iter().map(|step| {
            Ok(match step {
                Step::Expect(text) => {
                    let (channel, text) = named(text, vms, outside)?;
                    Planned::Expect(channel, text)
                }
                Step::Send(text) => {
                    let (channel, text) = named(text, vms, outside)?;
                    if channel == Some(Channel::Report) {
                        let what = "--send types at consoles, and at the monitor";
                        return Err(Fault::new(what).mend(known(vms, outside)));
                    }
                    Planned::Send(channel, text)
                }
            })
        });
        Ok(Self {
            left: planned.collect::<Result<_, Fault>>()?,
            unseen: BTreeMap::new(),
            seen_on: Channel::Console(0),
        })
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
                Planned::Send(channel, text) => {
                    let typed = (channel.unwrap_or(self.seen_on), text.clone());
                    self.left.pop_front();
                    return Some(typed);
                }
                Planned::Expect(wanted, text) => {
                    let text = text.as_bytes();
                    let found = self
                        .unseen
                        .iter()
                        .filter(|(channel, _)| looked_at(*wanted, **channel))
                        .find_map(|(channel, unseen)| Some((*channel, find(unseen, text)?)));
                    let Some((found, end)) = found else {
                        // Only a tail shorter than the text can still become a part of it.
                        for (channel, unseen) in &mut self.unseen {
                            if looked_at(*wanted, *channel) {
                                let keep = text.len().saturating_sub(1);
                                unseen.drain(..unseen.len().saturating_sub(keep));
                            }
                        }
                        return None;
                    };
                    // What was seen is behind us: the same prompt must come again to be seen
                    // again.
                    self.unseen.entry(found).or_default().drain(..end);
                    if let Channel::Console(_) = found {
                        self.seen_on = found;
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
            Planned::Expect(_, text) => Some(text.as_str()),
            Planned::Send(..) => None,
        })
    }
}

/// Whether a text that is wanted there may be found here.
fn looked_at(wanted: Option<Channel>, here: Channel) -> bool {
    match wanted {
        Some(channel) => channel == here,
        None => matches!(here, Channel::Console(_)),
    }
}

/// Takes `@NAME:` off a text.
fn named(
    text: &str,
    vms: &[String],
    outside: &[Outside],
) -> Result<(Option<Channel>, String), Fault> {
    let Some((name, rest)) = text.strip_prefix('@').and_then(|text| text.split_once(':')) else {
        return Ok((None, text.to_owned()));
    };
    let vm = vms.iter().position(|vm| vm == name);
    let channel = match (vm, name) {
        (Some(vm), _) => u8::try_from(vm).ok().map(Channel::Console),
        (None, "monitor") => Some(Channel::Monitor),
        (None, "report") => Some(Channel::Report),
        (None, _) => {
            let mut ends = outside.iter();
            ends.find(|end| end.name == name).map(Outside::channel)
        }
    };
    match channel {
        Some(channel) => Ok((Some(channel), rest.to_owned())),
        None => Err(
            Fault::new(format!("\"{text}\": no channel is called \"{name}\""))
                .mend(known(vms, outside)),
        ),
    }
}

fn known(vms: &[String], outside: &[Outside]) -> String {
    let names = vms.iter().chain(outside.iter().map(|end| &end.name));
    let vms: Vec<String> = names.map(|name| format!("@{name}:")).collect();
    format!(
        "write {} or @monitor:, or @report: with --expect",
        vms.join(" or ")
    )
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

    fn begun(arguments: &[&str]) -> Play {
        Play::new(
            &script(arguments),
            &["left", "right"].map(str::to_owned),
            &[],
        )
        .unwrap()
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
        let mut play = begun(&["--expect", "/ #", "--send", "ls", "--expect", "/ #"]);
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
        let mut play = begun(&["--expect", "=> ", "--expect", "=> "]);
        play.printed(HERE, b"=> ");
        assert_eq!(play.to_type(), None);
        assert!(!play.is_done());
    }

    #[test]
    fn two_texts_that_came_at_once_are_both_seen_in_order() {
        let mut play = begun(&["--expect", "one", "--expect", "two"]);
        play.printed(HERE, b"one two");
        play.to_type();
        assert!(play.is_done());
        let mut play = begun(&["--expect", "two", "--expect", "one"]);
        play.printed(HERE, b"one two");
        play.to_type();
        assert_eq!(play.missing(), Some("one"));
    }

    #[test]
    fn a_line_is_typed_at_the_console_that_asked_for_it() {
        let mut play = begun(&["--expect", "=> ", "--send", "help"]);
        play.printed(HERE, b"=");
        play.printed(Channel::Console(1), b"=> ");
        play.printed(HERE, b"> ");
        assert_eq!(play.to_type(), Some((HERE, "help".to_owned())));
        let mut play = begun(&["--expect", "=> ", "--send", "help"]);
        play.printed(HERE, b"=");
        play.printed(Channel::Console(1), b"=> ");
        assert_eq!(
            play.to_type(),
            Some((Channel::Console(1), "help".to_owned()))
        );
    }

    #[test]
    fn what_the_hypervisor_says_is_not_a_console() {
        let mut play = begun(&["--expect", "hello"]);
        play.printed(Channel::Monitor, b"system hello");
        play.printed(Channel::Report, b"vm hello stopped");
        assert_eq!(play.to_type(), None);
        assert_eq!(play.missing(), Some("hello"));
        play.printed(Channel::Console(1), b"hello");
        play.to_type();
        assert!(play.is_done());
    }

    #[test]
    fn a_named_channel_is_the_only_one_that_is_looked_at() {
        let mut play = begun(&[
            "--expect",
            "@right:hi",
            "--expect",
            "@monitor:hi",
            "--send",
            "@left:x",
        ]);
        play.printed(HERE, b"hi");
        assert_eq!(play.to_type(), None);
        play.printed(Channel::Console(1), b"hi");
        assert_eq!(play.to_type(), None);
        play.printed(Channel::Monitor, b"hi");
        assert_eq!(play.to_type(), Some((HERE, "x".to_owned())));
    }

    #[test]
    fn a_command_goes_to_the_monitor_and_its_answer_is_waited_for_there() {
        let mut play = begun(&["--send", "@monitor:vms", "--expect", "@monitor:running"]);
        assert_eq!(play.to_type(), Some((Channel::Monitor, "vms".to_owned())));
        play.printed(HERE, b"running");
        assert_eq!(play.to_type(), None);
        assert!(!play.is_done());
        play.printed(Channel::Monitor, b"left  running");
        play.to_type();
        assert!(play.is_done());
    }

    #[test]
    fn an_unknown_channel_is_told_with_those_that_there_are() {
        let vms = ["left".to_owned()];
        for bad in [["--expect", "@rigth:hi"], ["--send", "@report:hi"]] {
            let fault = Play::new(&script(&bad), &vms, &[]).unwrap_err();
            assert!(fault.mend.unwrap().contains("@left:"), "{}", fault.what);
        }
        // An address is no channel.
        assert!(Play::new(&script(&["--expect", "pc @ 0x10: b"]), &vms, &[]).is_ok());
    }
}
