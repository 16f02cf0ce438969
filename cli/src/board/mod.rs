//! The verbs of `cargo reliquary board`: what a resource map describes, and where it comes from.
pub mod check;
pub mod fate;
pub mod import;
pub mod list;
pub mod write;

#[cfg(test)]
mod tests {
    use crate::workspace;
    use reliquary::board::{Board, Plan};

    #[test]
    fn every_board_in_platforms_checks_and_the_librarys_test_data_is_made_of_them() {
        let root = workspace::root();
        let host = crate::tree::source::blob_of_file(&root.join("platforms/host-qemu-virt.dts"))
            .expect("it compiles");
        for name in crate::system::board::names() {
            let file = root.join(format!("platforms/{name}.dts"));
            let blob = crate::tree::source::blob_of_file(&file).expect("it compiles");
            let mut plan = Plan::read(&blob).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            Board::build(&plan).expect("it builds");
            plan.bind_host(&host)
                .expect("the host has what is passed through");
            if let Ok(data) = std::fs::read(root.join(format!("tests/data/{name}.dtb"))) {
                assert!(
                    data == blob,
                    "tests/data/{name}.dtb: compile platforms/{name}.dts anew"
                );
            }
        }
    }
}
