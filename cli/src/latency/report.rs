//! What was counted, in words.
use super::Measured;
use super::read::{Begins, Cpu, Ends, Longest, Table};
use std::fmt::{self, Display, Formatter};

/// Stretches that are shown of a table.
const SHOWN: usize = 4;
/// Functions that are named of a stretch.
const NAMED: usize = 5;

impl Display for Measured {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let note = "instructions at EL2, from each core's first instruction of a guest on";
        writeln!(f, "latency: {note}")?;
        for cpu in &self.cpus {
            self.cpu(f, cpu)?;
        }
        Ok(())
    }
}

impl Measured {
    fn cpu(&self, f: &mut Formatter<'_>, cpu: &Cpu) -> fmt::Result {
        let guests = self.guests.iter();
        let here = guests.filter(|guest| guest.cores.contains(&cpu.number));
        let here: Vec<_> = here.collect();
        let names: Vec<&str> = here.iter().map(|guest| guest.name.as_str()).collect();
        writeln!(f, "\ncore {} ({})", cpu.number, names.join(", "))?;
        for guest in here.iter().filter(|guest| guest.vectors.is_empty()) {
            let name = &guest.name;
            let lacks = "its interrupt vector is not known";
            writeln!(f, "  {name}: {lacks}; give it by --vector {name}=ADDRESS")?;
        }
        row(f, "interrupts are masked", &cpu.masked)?;
        row(f, "to the guest's vector", &cpu.delivery)?;
        row(f, "the same, with exceptions between", &cpu.chain)?;
        row(f, "for another core's lock", &cpu.wait)?;
        row(f, "for QEMU's timer", &cpu.poll)?;
        let bound = cpu.bound();
        writeln!(f, "  an interrupt is at the guest's vector after {bound}")?;
        for (what, table) in [
            ("masked", &cpu.masked),
            ("to the vector", &cpu.delivery),
            ("with exceptions between", &cpu.chain),
            ("for another core's lock", &cpu.wait),
        ] {
            if !table.longest.is_empty() {
                writeln!(f, "  the longest, {what}:")?;
            }
            for one in table.longest.iter().take(SHOWN) {
                self.longest(f, one)?;
            }
        }
        Ok(())
    }

    fn longest(&self, f: &mut Formatter<'_>, one: &Longest) -> fmt::Result {
        let (length, guest) = (one.length, one.guest);
        write!(f, "    {length:>7}  {} ", one.begins)?;
        write!(f, "(guest at {guest:#x}) to {}", one.ends)?;
        if one.stays > 1 {
            write!(f, ", {} exceptions", one.stays)?;
        }
        writeln!(f)?;
        let functions = self.functions(one);
        let shares: Vec<String> = functions
            .iter()
            .take(NAMED)
            .map(|(name, count)| format!("{} {count}", short(name)))
            .collect();
        writeln!(f, "             {}", shares.join(", "))
    }

    /// In which functions a stretch had how many instructions, the most first.
    pub fn functions(&self, one: &Longest) -> Vec<(String, u64)> {
        let mut functions: Vec<(String, u64)> = Vec::new();
        for (at, count) in &one.places {
            let name = self.symbols.function(*at);
            match functions.iter_mut().find(|known| known.0 == name) {
                Some(known) => known.1 += count,
                None => functions.push((name, *count)),
            }
        }
        functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        functions
    }
}

/// The last two parts of a function's path; of a method of a trait's, the type is the first of them.
fn short(name: &str) -> String {
    let name = match name
        .strip_prefix('<')
        .and_then(|rest| rest.split_once(" as "))
    {
        Some((of, rest)) => format!("{of}::{}", rest.rsplit("::").next().unwrap_or(rest)),
        None => name.replace("::{{closure}}", ""),
    };
    let mut parts = name.rsplit("::");
    let (last, before) = (parts.next().unwrap_or_default(), parts.next());
    // `<impl path::Type>::method`
    let before = before.map(|part| part.trim_end_matches('>'));
    before.map_or_else(|| last.to_owned(), |before| format!("{before}::{last}"))
}

fn row(f: &mut Formatter<'_>, what: &str, table: &Table) -> fmt::Result {
    let (most, count) = (table.most(), table.count);
    write!(f, "  {what:34} {most:>7} at most, {count} times")?;
    if count > 0 {
        let (half, most_of_all) = (table.all_but(count / 2), table.all_but(count / 1000));
        write!(f, "; half below {half}, 99.9 % below {most_of_all}")?;
    }
    writeln!(f)
}

impl Display for Begins {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap => f.write_str("from a trap"),
            Self::Interrupt => f.write_str("from an interrupt"),
            Self::SError => f.write_str("from a system error"),
            Self::Woken => f.write_str("from a WFI"),
            Self::Opened => f.write_str("from where interrupts were let in"),
            Self::Other(offset) => write!(f, "from the vector at {offset:#x}"),
        }
    }
}

impl Display for Ends {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "the guest",
            Self::Vector => "its interrupt vector",
            Self::Sleep => "a WFI",
            Self::Open => "where interrupts are let in",
            Self::Again => "the next exception",
            Self::Other(_) => "an end that is not known",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn functions_are_named_by_type_and_method() {
        for (name, due) in [
            ("guest_sync", "guest_sync"),
            ("reliquary::link::encoder::Encoder::raw", "Encoder::raw"),
            (
                "reliquary::board::machine::near::<impl reliquary::board::machine::Board>::write_near",
                "Board::write_near",
            ),
            (
                "<reliquary::emul::pl011::Pl011 as reliquary::emul::Device>::peek",
                "Pl011::peek",
            ),
            (
                "reliquary_el2::arch::console::Link::encode::{{closure}}",
                "Link::encode",
            ),
        ] {
            assert_eq!(short(name), due);
        }
    }
}
