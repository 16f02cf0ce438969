//! The hypervisor's addresses turned into functions, files and lines.
use addr2line::Context;
use gimli::{EndianRcSlice, RunTimeEndian};
use object::{Object, ObjectSection, ObjectSymbol};
use std::path::Path;
use std::rc::Rc;

/// The symbols of one hypervisor.
pub struct Symbols {
    context: Option<Context<EndianRcSlice<RunTimeEndian>>>,
    /// Functions by address, for code without debug information.
    functions: Vec<(u64, u64, String)>,
}

/// What the hypervisor's backtraces begin with (src/arch/fault.rs).
const SIGN: &str = "reliquary-el2 backtrace: ";

impl Symbols {
    /// Those of an ELF file; none if it cannot be read.
    pub fn of_elf(elf: &Path) -> Self {
        let bytes = std::fs::read(elf).unwrap_or_default();
        let Ok(file) = object::File::parse(bytes.as_slice()) else {
            return Self {
                context: None,
                functions: Vec::new(),
            };
        };
        let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            let data = file
                .section_by_name(id.name())
                .and_then(|section| section.uncompressed_data().ok());
            Ok(EndianRcSlice::new(
                Rc::from(data.unwrap_or_default().as_ref()),
                RunTimeEndian::Little,
            ))
        };
        let dwarf = gimli::Dwarf::load(section);
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == object::SymbolKind::Text)
            .filter_map(|symbol| {
                Some((
                    symbol.address(),
                    symbol.size(),
                    symbol.name().ok()?.to_owned(),
                ))
            })
            .collect();
        Self {
            context: dwarf.ok().and_then(|dwarf| Context::from_dwarf(dwarf).ok()),
            functions,
        }
    }

    /// The lines of a backtrace, if `line` is the hypervisor's: innermost call first, inlined
    /// ones too.
    pub fn backtrace(&self, line: &str) -> Option<Vec<String>> {
        let addresses = line.split_once(SIGN)?.1;
        let addresses = addresses
            .split_once("image at")
            .and_then(|(_, rest)| rest.split_once(": "))
            .map_or(addresses, |(_, rest)| rest);
        let addresses = addresses
            .split_whitespace()
            .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        let mut lines = Vec::new();
        for (depth, address) in addresses.enumerate() {
            // A return address is behind its call.
            let call = if depth == 0 {
                address
            } else {
                address.saturating_sub(4)
            };
            lines.push(format!(
                "  {depth:2}: {address:#x} {}",
                self.name(call).join(", in ")
            ));
        }
        Some(lines)
    }

    /// The function that an address of the image is in, without those that were inlined into it.
    pub fn function(&self, address: u64) -> String {
        let found = self
            .functions
            .iter()
            .find(|(at, size, _)| (*at..at + size.max(&1)).contains(&address));
        found.map_or_else(|| "?".to_owned(), |(_, _, name)| demangled(name))
    }

    fn name(&self, address: u64) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(Ok(mut frames)) = self
            .context
            .as_ref()
            .map(|context| context.find_frames(address).skip_all_loads())
        {
            while let Ok(Some(frame)) = frames.next() {
                let function = frame
                    .function
                    .as_ref()
                    .and_then(|name| name.raw_name().ok().map(|name| demangled(&name)));
                let function = function.unwrap_or_else(|| "?".to_owned());
                let place = frame
                    .location
                    .and_then(|location| Some((location.file?.to_owned(), location.line?)));
                names.push(match place {
                    Some((file, line)) => format!("{function} ({file}:{line})"),
                    None => function,
                });
            }
        }
        if names.is_empty() {
            names.push(self.function(address));
        }
        names
    }
}

impl std::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Symbols of {} functions", self.functions.len())
    }
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_known_by_its_sign_and_lists_every_address() {
        let symbols = Symbols::of_elf(Path::new("/nowhere"));
        let line = "reliquary-el2 backtrace: image at 0x40200000: 0x1000 0x2000";
        let lines = symbols.backtrace(line).unwrap();
        assert_eq!(lines, ["   0: 0x1000 ?", "   1: 0x2000 ?"]);
        assert!(symbols.backtrace("[    0.1] Backtrace:").is_none());
    }

    #[test]
    fn an_address_of_this_very_program_has_a_function_and_a_line() {
        // Any ELF file with debug information will do; the test's own is at hand.
        let own = std::env::current_exe().unwrap();
        let bytes = std::fs::read(&own).unwrap();
        let file = object::File::parse(bytes.as_slice()).unwrap();
        let sign = "an_address_of_this_very_program";
        let here = file
            .symbols()
            .filter(|symbol| symbol.kind() == object::SymbolKind::Text)
            .find(|symbol| symbol.name().is_ok_and(|name| name.contains(sign)));
        let here = here.expect("this function has a symbol").address();
        let names = Symbols::of_elf(&own).name(here);
        assert!(
            names
                .iter()
                .any(|name| name.contains(sign) && name.contains("symbols.rs:")),
            "{names:?}"
        );
    }
}
