//! `cargo reliquary trace record`.
use crate::fault::Result;
use crate::trace::record::{self, Step};
use clap::{ArgMatches, Args, FromArgMatches};
use std::path::PathBuf;
use std::time::Duration;

/// Run an image on QEMU's own model of a board, and record what it does to the devices.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary trace record --board vexpress-a9 --kernel image:vmlinuz-armmp \\
      --dtb image:vexpress-v2p-ca9.dtb --initrd image:initramfs-armhf \\
      --append 'console=ttyAMA0,115200' --expect '/ # ' --type 'uname -a\\n' --expect '/ # ' \\
      -o typed.trace.zst -- -m 512
  cargo reliquary trace record --board vexpress-a9 --kernel firmware:timed-a9 --cpus 2 -o timed.trace

The run is deterministic: recorded twice, the file is the same. It ends a little after the last
text was seen or typed, or when the board is turned off, or when --for is over. In --type, \\n is
Enter and \\xHH a byte.")]
pub struct Record {
    /// The board: vexpress-a9, vexpress-a15, versatilepb, realview-pb-a8, virt-v7 or virt-v8.
    #[arg(long, value_name = "B")]
    board: String,
    /// The trace (.trace, or .trace.zst).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The kernel or ELF file: a path, image:NAME or firmware:NAME.
    #[arg(long, value_name = "IMAGE")]
    kernel: Option<String>,
    /// The device tree.
    #[arg(long, value_name = "IMAGE")]
    dtb: Option<String>,
    /// The initial RAM disk.
    #[arg(long, value_name = "IMAGE")]
    initrd: Option<String>,
    /// The firmware in flash.
    #[arg(long, value_name = "IMAGE")]
    bios: Option<String>,
    /// The kernel's arguments.
    #[arg(long, value_name = "TEXT")]
    append: Option<String>,
    #[command(flatten)]
    typing: Typing,
    /// How many CPUs the board has.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    cpus: u8,
    /// End after so many seconds of the board's time.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 600.0)]
    limit: f64,
    /// From the last text to the end, in seconds of the board's time.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.1)]
    settle: f64,
    /// Give up after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 300)]
    timeout: u64,
    /// An instruction takes 2 to the power of this nanoseconds.
    #[arg(long, default_value_t = 1)]
    shift: u8,
    /// What the software is called in the trace's header.
    #[arg(long)]
    image: Option<String>,
    /// A device of QEMU's that is left out; repeatable.
    #[arg(long, value_name = "NAME")]
    leave_out: Vec<String>,
    /// A remark for the trace's header; repeatable.
    #[arg(long, value_name = "TEXT")]
    note: Vec<String>,
    /// Further arguments of QEMU.
    #[arg(last = true, value_name = "QEMU ARGUMENTS")]
    qemu: Vec<String>,
}

/// What is waited for and typed, in the order of the command line.
#[derive(Debug, Default)]
struct Typing(Vec<Step>);

impl Args for Typing {
    fn augment_args(command: clap::Command) -> clap::Command {
        let option = |name: &'static str, help: &'static str| {
            clap::Arg::new(name)
                .long(name)
                .value_name("TEXT")
                .action(clap::ArgAction::Append)
                .help(help)
        };
        command
            .arg(option(
                "expect",
                "Wait until the console printed this; repeatable, in order with --type",
            ))
            .arg(option(
                "type",
                "Type this at the console; repeatable, in order with --expect",
            ))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Typing {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut steps = Vec::new();
        for (name, make) in [
            ("expect", Step::Expect as fn(String) -> Step),
            ("type", Step::Type),
        ] {
            let texts = matches.get_many::<String>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            steps.extend(places.zip(texts.map(|text| make(unescaped(text)))));
        }
        steps.sort_by_key(|(place, _)| *place);
        Ok(Self(steps.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `\n` is Enter (a carriage return, as a terminal sends it), `\xHH` a byte below 0x80.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let byte = behind
            .strip_prefix('x')
            .and_then(|digits| digits.get(..2))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(u8::is_ascii);
        if let Some(byte) = byte {
            out.push(byte.into());
            rest = &behind[3..];
        } else if let Some(behind) = behind.strip_prefix('n') {
            out.push('\r');
            rest = behind;
        } else {
            out.push('\\');
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

impl Record {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let images = [
            ("-kernel", &self.kernel),
            ("-dtb", &self.dtb),
            ("-initrd", &self.initrd),
            ("-bios", &self.bios),
        ];
        let record = record::Record {
            board: &self.board,
            images: images
                .into_iter()
                .filter_map(|(option, image)| Some((option, image.as_deref()?)))
                .collect(),
            append: self.append.as_deref(),
            cpus: self.cpus,
            steps: self.typing.0.clone(),
            limit_ns: nanoseconds(self.limit),
            settle_ns: nanoseconds(self.settle),
            timeout: Duration::from_secs(self.timeout),
            shift: self.shift,
            image: self.image.as_deref(),
            leave_out: &self.leave_out,
            notes: &self.note,
            qemu: &self.qemu,
        };
        let recorded = record.run(&self.output)?;
        for (name, count) in &recorded.left_out {
            anstream::println!("left out: {name}, {count} rows");
        }
        let records = recorded.records;
        anstream::println!("{}: {records} records", self.output.display());
        Ok(())
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |time| {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes_are_enter_and_bytes() {
        assert_eq!(unescaped(r"uname\n"), "uname\r");
        assert_eq!(unescaped(r"\x03q"), "\u{3}q");
        assert_eq!(unescaped(r"a\b\xzz\"), r"a\b\xzz\");
        assert_eq!(unescaped(r"\x7f"), "\u{7f}");
    }
}
