//! A VM's board: its resource map, with as many CPUs and as much RAM as the VM has.
use super::{System, Vm, memory, wires};
use crate::fault::{Fault, Faults, Result, did_you_mean};
use crate::tree::{Region, Tree, source};
use crate::workspace;
use reliquary::board::{Board, MapError, Plan};
use std::path::{Path, PathBuf};

/// A board as one VM has it.
#[derive(Debug)]
pub struct VmBoard {
    /// The resource map's file.
    pub file: PathBuf,
    /// The map, with the VM's CPUs and RAM.
    pub map: Tree,
    /// The board of that map.
    pub plan: Plan,
    /// Whether its CPUs are 64-bit ones.
    pub wide: bool,
    /// Its RAM.
    pub ram: Vec<Region>,
    /// Its flashes: what a VM can start from.
    pub flashes: Vec<Region>,
}

/// The names of all boards: platforms/*.dts but hosts.
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(workspace::root().join("platforms"));
    let files = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".dts")?;
            (!name.starts_with("host-")).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// The map's file of a board that is given by name, or by a path relative to `folder`.
pub fn find(board: &str, folder: &Path) -> std::result::Result<PathBuf, Fault> {
    let is_path = Path::new(board)
        .extension()
        .is_some_and(|extension| extension == "dts" || extension == "dtb");
    if is_path {
        let file = folder.join(board);
        if file.is_file() {
            return Ok(file);
        }
        return Err(Fault::new(format!(
            "there is no file {}",
            workspace::shown(&file).display()
        ))
        .mend("write the map's path relative to the system file, or a board's name"));
    }
    let file = workspace::root().join(format!("platforms/{board}.dts"));
    if file.is_file() {
        return Ok(file);
    }
    let names = names();
    let near = did_you_mean(board, names.iter().map(String::as_str));
    let mend = near.map_or_else(
        || format!("known boards: {}", names.join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    Err(Fault::new(format!("the board \"{board}\" is not known")).mend(mend))
}

/// What is wrong with a map, with the lines of its source.
pub fn map_faults(file: &Path, errors: Vec<MapError>) -> Faults {
    let shown = workspace::shown(file);
    let faults = errors.into_iter().map(|error| {
        let what = match &error.property {
            Some(property) => format!("{}: {property}: {}", error.node, error.what),
            None => format!("{}: {}", error.node, error.what),
        };
        let fault = Fault::new(what);
        let fault = match source::place_of_node(file, &error.node) {
            Some((file, line)) => fault.at(workspace::shown(&file), line),
            None => fault.in_file(&shown),
        };
        if error.mend.is_empty() {
            fault
        } else {
            fault.mend(error.mend)
        }
    });
    Faults(faults.collect())
}

/// A cycle among interrupt controllers, as the fault of the first of them.
pub fn circle(map: &Tree) -> Option<MapError> {
    let circle = map.circle_of_controllers()?;
    let (first, others) = circle.split_first()?;
    Some(MapError {
        node: first.clone(),
        property: Some("interrupts".to_owned()),
        what: format!(
            "a cycle in the interrupt wiring, through {}",
            others.join(", ")
        ),
        mend: "a controller's output may not lead back to its input".to_owned(),
    })
}

impl VmBoard {
    /// The board of a VM.
    pub fn of(system: &System, vm: &Vm) -> Result<Self> {
        let folder = system.file.parent().unwrap_or(Path::new("."));
        let file =
            find(&vm.board.value, folder).map_err(|fault| fault.at(&system.file, vm.board.line))?;
        let mut map = Tree::of_file(&file)?;
        // As it is written first: the VM's share of it cannot hide what is wrong with it.
        // A device may refuse its node, too.
        let plan = Plan::read(&map.write())
            .and_then(|plan| {
                let built = Board::build(&plan).map_err(|error| vec![error]);
                built.map(|_| plan)
            })
            .map_err(|errors| map_faults(&file, errors))?;
        if let Some(error) = circle(&map) {
            return Err(map_faults(&file, vec![error]));
        }
        wires::fit(system, &vm.name.value, &plan, &mut map);
        let mut faults = Vec::new();
        let cpus = map.cpus();
        if vm.cores.value.len() > cpus.len() {
            let what = format!(
                "the board has {} CPUs, and the VM {} cores",
                cpus.len(),
                vm.cores.value.len()
            );
            faults.push(
                Fault::new(what)
                    .at(&system.file, vm.cores.line)
                    .mend("take cores from the list"),
            );
        }
        map.keep_cpus(vm.cores.value.len());
        let most: u64 = map.memory().iter().map(|region| region.size).sum();
        if let Some(memory) = &vm.memory {
            let mend = if memory.value > most {
                Some(format!("the board has room for {} MiB of RAM", most >> 20))
            } else if memory.value == 0 || memory.value % (2 << 20) != 0 {
                Some("give it a multiple of 2 MiB".to_owned())
            } else {
                None
            };
            if let Some(mend) = mend {
                let what = format!("the board cannot have {} of RAM", bytes(memory.value));
                faults.push(Fault::new(what).at(&system.file, memory.line).mend(mend));
            } else {
                map.set_memory(memory.value);
            }
        }
        let read =
            |map: &Tree| Plan::read(&map.write()).map_err(|errors| map_faults(&file, errors));
        let mut plan = read(&map)?;
        if faults.is_empty() && !system.memories.is_empty() {
            faults.extend(memory::fit(system, &vm.name.value, &plan, &mut map));
            plan = read(&map)?;
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let nodes = map.walk();
        let flashes = nodes
            .iter()
            .filter(|(_, node, _)| node.is_compatible("cfi-flash"))
            .filter(|(_, node, _)| {
                node.text("status")
                    .is_none_or(|status| status.starts_with("ok"))
            })
            .flat_map(|(_, _, regions)| regions.clone())
            .collect();
        let wide = cpus.first().is_some_and(|cpu| is_wide(cpu));
        Ok(Self {
            file,
            ram: map.memory(),
            flashes,
            wide,
            plan,
            map,
        })
    }
}

/// A number of bytes as a user writes it.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "0 bytes".to_owned(),
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes if bytes % 1024 == 0 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// Whether a CPU's `compatible` is that of a 64-bit one: Armv8-A and later, less those that
/// have no AArch64 state (Cortex-A32).
pub fn is_wide(cpu: &str) -> bool {
    let armv7 = ["a5", "a7", "a8", "a9", "a12", "a15", "a17", "a32"];
    let narrow = armv7
        .iter()
        .any(|model| cpu == format!("arm,cortex-{model}"));
    let older = [
        "arm,arm9",
        "arm,arm11",
        "qcom,scorpion",
        "qcom,krait",
        "marvell,pj4",
    ];
    !narrow && !older.iter().any(|start| cpu.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::is_wide;

    #[test]
    fn a_cpus_width_is_known_by_its_compatible() {
        assert!(!is_wide("arm,cortex-a9"));
        assert!(!is_wide("arm,cortex-a15"));
        assert!(is_wide("arm,cortex-a57"));
        assert!(is_wide("arm,cortex-a53"));
    }
}
