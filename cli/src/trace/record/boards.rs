//! QEMU's own models of the boards that Reliquary has maps of.

/// A board as QEMU has it.
#[derive(Debug)]
pub struct Model {
    /// The map's name in platforms/.
    pub board: &'static str,
    /// QEMU's program.
    pub program: &'static str,
    /// What chooses the machine and its CPU.
    pub machine: &'static [&'static str],
    /// Its CPUs are 64-bit ones.
    pub wide: bool,
}

const ARM: &str = "qemu-system-arm";
const ARM64: &str = "qemu-system-aarch64";

const fn model(
    board: &'static str,
    program: &'static str,
    machine: &'static [&'static str],
) -> Model {
    let wide = program.len() == ARM64.len();
    Model {
        board,
        program,
        machine,
        wide,
    }
}

/// All of them.
pub const MODELS: &[Model] = &[
    model("vexpress-a9", ARM, &["-M", "vexpress-a9"]),
    model("vexpress-a15", ARM, &["-M", "vexpress-a15"]),
    model("versatilepb", ARM, &["-M", "versatilepb"]),
    model("realview-pb-a8", ARM, &["-M", "realview-pb-a8"]),
    model("virt-v7", ARM, &["-M", "virt,gic-version=2"]),
    model(
        "virt-v8",
        ARM64,
        &["-M", "virt,gic-version=2", "-cpu", "cortex-a57"],
    ),
];
