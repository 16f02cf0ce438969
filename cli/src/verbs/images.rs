//! `cargo reliquary images`.
use crate::fault::Result;
use crate::images::Manifest;
use clap::{Args, Subcommand};

/// List or fetch the legacy images that systems refer to as `image:NAME`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo reliquary images list
  cargo reliquary images fetch                     all of them
  cargo reliquary images fetch vmlinuz-armmp       this one
  cargo reliquary images fetch --again             newer ones, if Debian has any

Images are kept in .cache/images of the workspace, or below $RELIQUARY_CACHE.")]
pub struct Images {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List what is known, and what of it is here.
    #[command(after_help = "\
Example:
  cargo reliquary images list")]
    List,
    /// Fetch what is not here yet, from Debian's packages.
    #[command(after_help = "\
Examples:
  cargo reliquary images fetch                     all of them
  cargo reliquary images fetch u-boot-qemu-arm     this one
  cargo reliquary images fetch --again             newer ones, if Debian has any")]
    Fetch {
        /// Which ones; without names, all.
        names: Vec<String>,
        /// Fetch again what is here.
        #[arg(long)]
        again: bool,
    },
}

impl Images {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        let manifest = Manifest::read()?;
        match &self.verb {
            Verb::List => {
                let listed = manifest.list();
                for image in &listed {
                    let here = match (image.bytes, image.as_seen) {
                        (None, _) => "not here".to_owned(),
                        (Some(bytes), Some(false)) => format!("{} KiB, a new one", bytes / 1024),
                        (Some(bytes), _) => format!("{} KiB", bytes / 1024),
                    };
                    anstream::println!("{:27} {here:>20}  {}", image.name, image.what);
                }
                let here = listed.iter().filter(|image| image.bytes.is_some()).count();
                anstream::println!("{} images, {here} here", listed.len());
                Ok(())
            }
            Verb::Fetch { names, again } => {
                let all: Vec<&str> = manifest.names().collect();
                let named: Vec<&str> = names.iter().map(String::as_str).collect();
                let names = if named.is_empty() { all } else { named };
                manifest.fetch(&names, *again)?;
                anstream::println!("{} images here", names.len());
                Ok(())
            }
        }
    }
}
