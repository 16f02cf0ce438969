// Entry of the hypervisor: the arm64 Linux boot protocol (Documentation/arch/arm64/booting):
// EL2, MMU off, X0 = physical address of the host's device tree.

    .section .head, "ax"
    .global _start
_start:
    b       primary
    .long   0
    .quad   0                           // text_offset
    .quad   __image_end - _start        // image_size; the host tool adds bundle and arena
    .quad   0b1010                      // little-endian, 4 KiB pages, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

primary:
    msr     daifset, #0xf
    mrs     x9, CurrentEL
    cmp     x9, #(2 << 2)
    b.ne    park                        // no console is known yet, and nothing can be trapped
    mov     x19, x0

    // Relocate: every entry is R_AARCH64_RELATIVE (type 1027): *(base + offset) = base + addend.
    adrp    x20, _start
    adrp    x1, __rela_start
    add     x1, x1, :lo12:__rela_start
    adrp    x2, __rela_end
    add     x2, x2, :lo12:__rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     w4, #1027
    b.ne    park
    add     x5, x5, x20
    str     x5, [x20, x3]
    b       1b

2:  adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __image_end
    add     x2, x2, :lo12:__image_end
3:  cmp     x1, x2
    b.hs    4f
    stp     xzr, xzr, [x1, #16]
    stp     xzr, xzr, [x1, #32]
    stp     xzr, xzr, [x1, #48]
    stp     xzr, xzr, [x1], #64
    b       3b

    // Core 0's area and stack; then Rust, which builds the tables with the MMU still off.
4:  bl      clear_el2_state
    adrp    x0, CORE_AREAS
    add     x0, x0, :lo12:CORE_AREAS
    msr     tpidr_el2, x0
    str     x0, [x0, {area}]
    ldr     x1, ={stack_bottom}
    add     x1, x0, x1
    ldr     x2, ={stack_size}
    add     sp, x1, x2
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x20
    bl      build_own_tables            // x0: image base; returns TTBR0_EL2's value

    // What was written with the caches off must not be hidden by older cache lines.
    adrp    x1, __rodata_start
    adrp    x2, __image_end
    add     x2, x2, :lo12:__image_end
5:  dc      ivac, x1
    add     x1, x1, #64
    cmp     x1, x2
    b.lo    5b
    dsb     sy
    bl      mmu_on
    mov     x0, x20
    mov     x1, x19
    bl      primary_start
park:
    wfe
    b       park

// PSCI CPU_ON enters here with X0 = the core's area (its context ID).
    .global secondary
secondary:
    msr     daifset, #0xf
    mov     x19, x0
    msr     tpidr_el2, x0
    bl      clear_el2_state
    adrp    x0, OWN_TTBR0
    ldr     x0, [x0, :lo12:OWN_TTBR0]
    bl      mmu_on
    ldr     x1, ={stack_bottom}
    add     x1, x19, x1
    ldr     x2, ={stack_size}
    add     sp, x1, x2
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    bl      secondary_start
    b       park

// Nothing that firmware left in the trap registers may act before it is set on purpose.
clear_el2_state:
    msr     vttbr_el2, xzr
    msr     cptr_el2, xzr
    msr     hstr_el2, xzr
    mov     x9, #(1 << 31)              // HCR_EL2.RW: no guest yet
    msr     hcr_el2, x9
    isb
    ret

// X0 = TTBR0_EL2. Turns on stage 1, caches and W^X (SCTLR_EL2.WXN). Runs where VA = PA.
mmu_on:
    ldr     x1, ={mair}
    msr     mair_el2, x1
    mrs     x2, id_aa64mmfr0_el1
    and     x2, x2, #0xf                // PARange
    cmp     x2, #5
    b.ls    1f
    mov     x2, #5                      // 48 bits: what 4 KiB tables without LPA2 reach
1:  ldr     x1, ={tcr}
    orr     x1, x1, x2, lsl #16         // PS
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    adrp    x1, el2_vectors
    add     x1, x1, :lo12:el2_vectors
    msr     vbar_el2, x1
    dsb     sy
    isb
    tlbi    alle2
    ic      iallu
    dsb     sy
    isb
    ldr     x1, ={sctlr}
    msr     sctlr_el2, x1
    isb
    ret
    .ltorg
