//! Boards with UARTs of every family, by their bindings.

use super::*;

/// A board whose console is the UART at 0x3000, with SPI 5.
fn console(compatible: &str, properties: Build<'_>) -> Board {
    board(&|fdt| {
        node(fdt, "serial@3000", compatible, &[0x3000, 0x1000], &|fdt| {
            fdt.property_array_u32("interrupts", &[0, 5, 4])?;
            properties(fdt)
        })?;
        node(fdt, "chosen", "", &[], &|fdt| {
            fdt.property_string("stdout-path", "/serial@3000")
        })
    })
}

fn sent(board: &mut Board) -> Vec<u8> {
    let console = board.console().expect("it has one");
    core::iter::from_fn(|| console.transmitted()).collect()
}

fn access(board: &mut Board, at: u64, width: Width, value: Option<u64>) -> u64 {
    let reply = match value {
        None => board.read(&now(0), Ipa(at), cpu(width)),
        Some(value) => board.write(&now(0), Ipa(at), cpu(width), value),
    };
    match reply {
        Ok(Reply::Value(value)) => value,
        Ok(Reply::Done) => 0,
        other => panic!("{at:#x}: {other:?}"),
    }
}

#[test]
fn an_8250_hangs_on_its_board_as_its_binding_says() {
    for compatible in ["ns8250", "ns16450", "ns16550", "ns16550a"] {
        for (shift, io_width, offset, width) in [
            (0, 1, 0, Width::Byte),
            (2, 1, 0, Width::Byte),
            (2, 4, 0x100, Width::Word),
        ] {
            let mut board = console(compatible, &|fdt| {
                fdt.property_u32("clock-frequency", 24_000_000)?;
                fdt.property_u32("reg-shift", shift)?;
                fdt.property_u32("reg-io-width", io_width)?;
                fdt.property_u32("reg-offset", offset)
            });
            let at = |register: u64| 0x3000 + u64::from(offset) + (register << shift);
            access(&mut board, at(3), width, Some(0x03));
            access(&mut board, at(1), width, Some(0x01));
            access(&mut board, at(0), width, Some(b'x'.into()));
            assert_eq!(sent(&mut board), b"x");
            assert!(board.console_receive(&now(0), b'y'));
            assert_eq!(read(&mut board, 0x1204) & 1 << 5, 1 << 5, "GICD_ISPENDR1");
            assert_eq!(access(&mut board, at(0), width, None), b'y'.into());
            assert_eq!(read(&mut board, 0x1204) & 1 << 5, 0);
        }
    }
}

#[test]
fn a_designware_uart_is_a_console() {
    let mut board = console("snps,dw-apb-uart", &|fdt| {
        fdt.property_u32("reg-shift", 2)?;
        fdt.property_u32("reg-io-width", 4)
    });
    assert_eq!(read(&mut board, 0x30fc), 0x4457_0110);
    write(&mut board, 0x300c, 0x03);
    write(&mut board, 0x3000, b'x'.into());
    assert_eq!(sent(&mut board), b"x");
}

#[test]
fn a_uart_that_is_paced_sends_at_its_rate() {
    for (compatible, setup) in [
        (
            "arm,pl011",
            [(0x24, 13), (0x28, 1), (0x2c, 0x70), (0x30, 0x301)],
        ),
        (
            "snps,dw-apb-uart",
            [(0x0c, 0x83), (0x00, 13), (0x04, 0), (0x0c, 0x03)],
        ),
    ] {
        let mut board = console(compatible, &|fdt| {
            fdt.property_u32("clock-frequency", 24_000_000)?;
            fdt.property_null("reliquary,baud-paced")
        });
        for (offset, value) in setup {
            write(&mut board, 0x3000 + offset, value);
        }
        write(&mut board, 0x3000, b'x'.into());
        assert_eq!(sent(&mut board), b"", "{compatible}");
        let due = board.deadline().expect("a character's end");
        assert!((86_000..88_000).contains(&due.0), "{due:?}");
        board.advance(&now(due.0));
        assert_eq!(sent(&mut board), b"x", "{compatible}");
    }
}

#[test]
fn a_uart_that_nothing_emulates_as_its_binding_says_is_refused() {
    for (compatible, property, value, what) in [
        ("ns16550a", "reg-shift", 9, "it is above 8"),
        ("ns16550a", "reg-io-width", 8, "it is above 4"),
        ("snps,dw-apb-uart", "reg-shift", 0, "a word apart"),
    ] {
        let map = map(&|fdt| {
            node(fdt, "a", compatible, &[0x3000, 0x1000], &|fdt| {
                fdt.property_u32(property, value)
            })
        });
        let plan = Plan::read(&map).expect("the map is sound");
        let Err(error) = Board::build(&plan) else {
            panic!("it is built");
        };
        assert_eq!(error.node, "/a");
        assert_eq!(error.property.as_deref(), Some(property));
        assert!(error.to_string().contains(what), "{error}");
    }
}
