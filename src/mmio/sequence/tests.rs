use super::oracle::of_line;
use super::*;
use crate::mmio::instruction::Class;
use crate::random::Random;
use crate::vcpu::{it_state, mode, with_it_state};

/// Every line of a table of what QEMU did.
fn replays(state: State, table: &str) {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let (case, after) = of_line(state, line);
        let mut cpu = case.before();
        let done = step(state, case.word, case.length(), &mut cpu);
        assert_eq!((done, &cpu), (Ok(()), &after), "{line}");
        count += 1;
    }
    assert!(count > 1800, "{count}");
}

#[test]
fn a64_does_what_qemu_does() {
    replays(State::A64, include_str!("tests/a64.txt"));
}

#[test]
fn a32_does_what_qemu_does() {
    replays(State::A32, include_str!("tests/a32.txt"));
}

#[test]
fn t32_does_what_qemu_does() {
    replays(State::T32, include_str!("tests/t32.txt"));
}

fn cpu(state: State) -> Vcpu {
    Vcpu {
        spsr: match state {
            State::A64 => psr::EL1H,
            State::A32 => mode::SVC,
            State::T32 => mode::SVC | psr::T,
        },
        pc: 0x8000,
        ..Vcpu::default()
    }
}

/// Executes one instruction; its length is as its word has it.
fn after(state: State, word: u32, before: &Vcpu) -> Result<Vcpu, NotSimple> {
    let mut cpu = before.clone();
    let length = if state == State::T32 && word >> 16 == 0 {
        2
    } else {
        4
    };
    step(state, word, length, &mut cpu).map(|()| cpu)
}

#[test]
fn any_word_is_done_or_changes_nothing() {
    let mut random = Random(7);
    for state in [State::A64, State::A32, State::T32] {
        let mut done = 0;
        for i in 0..400_000 {
            let mut before = cpu(state);
            before.x = core::array::from_fn(|_| random.next());
            before.spsr |= random.next() & NZCV;
            if state != State::A64 {
                before.x = before.x.map(|x| x & 0xffff_ffff);
            }
            if state == State::T32 && i & 1 != 0 {
                before.spsr = with_it_state(before.spsr, random.next());
            }
            // All of T16, then 32 bits at random.
            let (word, length) = match state {
                State::T32 if i < 0x20000 => (i >> 1, 2),
                _ => (random.next() as u32, 4),
            };
            let mut cpu = before.clone();
            match step(state, word, length, &mut cpu) {
                Ok(()) => {
                    done += 1;
                    assert_eq!(cpu.mode(), before.mode());
                    assert_eq!(cpu.is_thumb(), before.is_thumb());
                }
                Err(NotSimple) => assert_eq!(cpu, before, "{state:?} {word:x}"),
            }
        }
        assert!(done > 50_000, "{state:?} {done}");
    }
}

#[test]
fn a_length_that_is_not_the_words_is_refused() {
    let before = cpu(State::T32);
    for (word, length) in [(0x4408, 4), (0xea4f_0001, 2), (0xe000, 4), (0xea4f, 2)] {
        assert_eq!(
            step(State::T32, word, length, &mut before.clone()),
            Err(NotSimple),
            "{word:x}"
        );
    }
}

#[test]
fn what_is_not_simple_is_refused() {
    for (state, words) in [
        (
            State::A64,
            &[
                0x9100_43ff, // add sp, sp, #16
                0x8b22_63e1, // add x1, sp, x2
                0x9240_001f, // and sp, x0, #1
                0x9400_0001, // bl
                0xd65f_03c0, // ret
                0xd61f_0000, // br x0
                0xd400_0001, // svc
                0xd503_205f, // wfe
                0xd503_207f, // wfi
                0xd503_209f, // sev
                0xd503_233f, // paciasp
                0xd503_305f, // clrex
                0xd538_d081, // mrs x1, tpidr_el1
                0x885f_7c01, // ldxr
                0x1ac2_0821, // udiv
                0x0b02_8021, // add w1, w1, w2, lsl #32
                0x0bc2_0421, // add w1, w1, w2, ror #1
                0x1240_0021, // and w1, w1, with N
                0x5340_0021, // ubfm w1 with N
                0x5280_0001 | 2 << 21,
                0x0000_0000,
            ][..],
        ),
        (
            State::A32,
            &[
                0xe1a0_f00e, // mov pc, lr
                0xe08f_f001, // add pc, pc, r1
                0xe0f0_0f91, // long multiply
                0xeb00_0000, // bl
                0xfa00_0000, // blx
                0xe12f_ff1e, // bx lr
                0xef00_0000, // svc
                0xe10f_0000, // mrs
                0xe328_f102, // msr
                0xe320_f002, // wfe
                0xe320_f003, // wfi
                0xf57f_f01f, // clrex
                0xe590_1000, // ldr
                0xe190_1f9f, // ldrex
                0xe1a0_0f1f, // mov r0, pc, lsl pc
                0xe153_1002, // cmp with an Rd
                0xe1a3_1002, // mov with an Rn
                0xe7cf_0f11, // bfi of nothing
                0xe650_0f91, // uadd8
                0xe7f0_00f0, // udf
            ],
        ),
        (
            State::T32,
            &[
                0x4770,      // bx lr
                0x46f7,      // mov pc, lr
                0x4487,      // add pc, r0
                0x4508,      // cmp r0, r1, in the form of high registers
                0xde00,      // udf
                0xdf00,      // svc
                0xbe00,      // bkpt
                0xbf20,      // wfe
                0xbfec,      // it al, with an "else"
                0xb500,      // push
                0xf000_f800, // bl
                0xf3bf_8f2f, // clrex
                0xf3af_8002, // wfe
                0xf04f_1100, // mov r1, 0 twice
                0xea4f_010f, // mov r1, pc
                0xea40_8101, // orr with bit 15
                0xfa90_f181, // rev of two registers
                0xe850_1f00, // ldrex
            ],
        ),
    ] {
        for &word in words {
            let refused = after(state, word, &cpu(state));
            assert_eq!(refused, Err(NotSimple), "{state:?} {word:x}");
        }
    }
}

#[test]
fn a_condition_that_fails_keeps_anything_from_being_done() {
    // bxne lr
    let mut a32 = cpu(State::A32);
    a32.spsr |= psr::Z;
    let done = after(State::A32, 0x112f_ff1e, &a32).unwrap();
    assert_eq!(done, Vcpu { pc: 0x8004, ..a32 });

    let mut t32 = cpu(State::T32);
    // IT NE, and Z.
    t32.spsr = with_it_state(t32.spsr | psr::Z, 0x18);
    let done = after(State::T32, 0x4770, &t32).unwrap();
    assert_eq!((done.pc, done.spsr), (0x8002, mode::SVC | psr::T | psr::Z));
    for unconditional in [0xbe00, 0xbf18, 0xd001, 0xde00, 0xf000_8000, 0xf7f0_a000] {
        assert_eq!(after(State::T32, unconditional, &t32), Err(NotSimple));
    }
}

#[test]
fn a_branch_to_itself_is_done_once() {
    for (state, word) in [
        (State::A64, 0x1400_0000),
        (State::A32, 0xeaff_fffe),
        (State::T32, 0xe7fe),
        (State::T32, 0xf7ff_bffe),
    ] {
        let before = cpu(state);
        assert_eq!(after(state, word, &before).unwrap(), before, "{word:x}");
    }
}

#[test]
fn a_banked_register_is_its_modes_own() {
    let mut fiq = cpu(State::A32);
    fiq.spsr = mode::FIQ;
    fiq.x[24] = 5;
    fiq.x[8] = 1000;
    // add r9, r8, #1
    let done = after(State::A32, 0xe288_9001, &fiq).unwrap();
    assert_eq!((done.x[25], done.x[9]), (6, 0));
}

#[test]
fn the_branch_type_is_gone_after_an_instruction() {
    let mut before = cpu(State::A64);
    before.spsr |= psr::BTYPE;
    assert_eq!(
        after(State::A64, 0xd503_201f, &before).unwrap().spsr,
        psr::EL1H
    );
}

#[test]
fn the_last_word_of_four_gigabytes_is_followed_by_the_first() {
    let mut before = cpu(State::A32);
    before.pc = 0xffff_fffc;
    assert_eq!(after(State::A32, 0xe320_f000, &before).unwrap().pc, 0);
    assert_eq!(after(State::A32, 0xea00_0000, &before).unwrap().pc, 4);
}

/// The walk from behind the first of `code`, a load-exclusive, over words or halfwords at 0x8000.
/// What ended it, and where.
fn walk(mut cpu: Vcpu, code: &[u32]) -> (End, u64, Vcpu) {
    let thumb = cpu.is_thumb();
    let fetch = |cpu: &Vcpu| {
        let at = cpu.pc.checked_sub(0x8000)?;
        if !thumb {
            return Some((*code.get((at / 4) as usize)?, 4));
        }
        let first = *code.get((at / 2) as usize)?;
        if first >> 11 < 0b11101 {
            return Some((first, 2));
        }
        Some((first << 16 | code.get((at / 2 + 1) as usize)?, 4))
    };
    cpu.pc = 0x8004;
    let end = carry_out(&mut cpu, &mut { fetch });
    (end, cpu.pc - 0x8000, cpu)
}

#[test]
fn an_atomic_addition_comes_to_its_store() {
    let mut a64 = cpu(State::A64);
    (a64.x[1], a64.x[2]) = (40, 2);
    // ldxr w1, [x0]; add w1, w1, w2; stxr w3, w1, [x0]; cbnz w3, .-12
    let (end, at, cpu64) = walk(a64, &[0x885f7c01, 0x0b020021, 0x88037c01, 0x35ffffa3]);
    assert_eq!((at, cpu64.x[1]), (8, 42));
    let End::Store { store, length: 4 } = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        (store.first, store.class),
        (1, Class::StoreExclusive { status: 3 })
    );

    let mut a32 = cpu(State::A32);
    (a32.x[1], a32.x[2]) = (40, 2);
    let (end, at, cpu32) = walk(a32, &[0xe1901f9f, 0xe0811002, 0xe1803f91]);
    assert!(matches!(end, End::Store { length: 4, .. }));
    assert_eq!((at, cpu32.x[1]), (8, 42));

    let mut t32 = cpu(State::T32);
    t32.x[1] = 41;
    let (end, at, cpu32) = walk(t32, &[0xe850, 0x1f00, 0x3101, 0xe840, 0x1300]);
    assert!(matches!(end, End::Store { length: 4, .. }));
    assert_eq!((at, cpu32.x[1]), (6, 42));
}

#[test]
fn a_compare_and_swap_stores_or_is_left() {
    // ldaxr w1, [x0]; cmp w1, w2; b.ne 2f; stlxr w3, w4, [x0]; cbnz w3, 1b; 2: cset w0, eq; ret
    let code = [
        0x885ffc01, 0x6b02003f, 0x54000061, 0x8803fc04, 0x35ffff83, 0x1a9f17e0, 0xd65f03c0,
    ];
    let mut equal = cpu(State::A64);
    (equal.x[1], equal.x[2]) = (7, 7);
    assert!(matches!(
        walk(equal.clone(), &code),
        (End::Store { .. }, 12, _)
    ));
    equal.x[2] = 8;
    equal.x[0] = 1;
    let (end, at, cpu64) = walk(equal, &code);
    assert_eq!((end, at, cpu64.x[0]), (End::Left, 24, 0));

    // ldrex r1, [r0]; mov r3, #0; teq r1, r2; strexeq r3, r4, [r0]
    let code = [0xe1901f9f, 0xe3a03000, 0xe1310002, 0x01803f94];
    let mut equal = cpu(State::A32);
    equal.x[3] = 9;
    assert!(matches!(
        walk(equal.clone(), &code),
        (End::Store { .. }, 12, _)
    ));
    equal.x[1] = 1;
    let (end, at, cpu32) = walk(equal, &code);
    assert_eq!((end, at, cpu32.x[3]), (End::Left, 16, 0));

    // ldrex r1, [r0]; teq r1, r2; ite eq; strexeq r3, r4, [r0]; movne r3, #1
    let code = [
        0xe850, 0x1f00, 0xea91, 0x0f02, 0xbf0c, 0xe840, 0x4300, 0x2301,
    ];
    let mut equal = cpu(State::T32);
    let (end, at, cpu32) = walk(equal.clone(), &code);
    assert!(matches!(end, End::Store { length: 4, .. }));
    assert_eq!((at, it_state(cpu32.spsr)), (10, 0x0c));
    equal.x[1] = 1;
    let (end, at, cpu32) = walk(equal, &code);
    assert_eq!((end, at, it_state(cpu32.spsr)), (End::Left, 14, 0x18));
}

#[test]
fn a_taken_lock_is_left_to_the_guest() {
    // ldrex r1, [r0]; teq r1, #0; wfene; strexeq r1, r2, [r0]
    let code = [0xe1901f9f, 0xe3310000, 0x1320f002, 0x01801f92];
    let mut lock = cpu(State::A32);
    assert!(matches!(
        walk(lock.clone(), &code),
        (End::Store { .. }, 12, _)
    ));
    lock.x[1] = 1;
    assert!(matches!(walk(lock, &code), (End::Left, 8, _)));
    // ldaxr w1, [x0]; cbnz w1, .-4: back at the load.
    let mut lock = cpu(State::A64);
    lock.x[1] = 1;
    assert!(matches!(
        walk(lock, &[0x885ffc01, 0x35ffffe1]),
        (End::Left, 0, _)
    ));
}

#[test]
fn a_sequence_that_is_too_long_or_does_more_is_lost() {
    const NOP: u32 = 0xd503_201f;
    let store = 0x8803_7c01;
    let of = |nops: usize| {
        let mut code = std::vec![0x885f_7c01];
        code.resize(nops + 1, NOP);
        code.push(store);
        code
    };
    let a64 = || cpu(State::A64);
    assert!(matches!(
        walk(a64(), &of(LIMIT - 1)),
        (End::Store { .. }, 64, _)
    ));
    assert!(matches!(walk(a64(), &of(LIMIT)), (End::Lost, 68, _)));
    // A load between, a call, another load-exclusive; and one that never comes to its end.
    for other in [0xb940_0001, 0x9400_0001, 0x885f_7c01] {
        let (end, at, _) = walk(a64(), &[0x885f_7c01, NOP, other, store]);
        assert_eq!((end, at), (End::Lost, 8), "{other:x}");
    }
    let (end, ..) = walk(a64(), &[0x885f_7c01, NOP, 0x17ff_ffff, store]);
    assert_eq!(end, End::Lost);
    // Nothing there to fetch.
    assert!(matches!(walk(a64(), &[0x885f_7c01]), (End::Lost, 4, _)));
    // PRFM moves nothing.
    let prefetch = [0x885f_7c01, 0xf980_0000, store];
    assert!(matches!(walk(a64(), &prefetch), (End::Store { .. }, 8, _)));
}
