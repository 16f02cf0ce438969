//! Links the metal half: its own layout, position-independent.

fn main() {
    println!("cargo:rerun-if-changed=src/arch/image.ld");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
        for argument in [
            &format!("-T{root}/src/arch/image.ld"),
            "-pie",
            "--no-dynamic-linker",
            // Relocations are applied before the MMU makes anything read-only.
            "-znotext",
            "-znorelro",
        ] {
            println!("cargo:rustc-link-arg-bin=reliquary-el2={argument}");
        }
    }
}
