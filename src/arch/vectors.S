// EL2's vectors. A guest's exception saves X0 to X30, ELR and SPSR where TPIDR_EL2 points (core_area.rs:
// Saved; the core's area is told behind them), calls Rust on the core's stack, and goes back with what is
// saved where it points then. EL2 itself runs with interrupts masked.

    .section .text.vectors, "ax"
    .balign 2048
    .global el2_vectors
el2_vectors:
    .macro  own kind
    .balign 128
    mov     x30, #\kind                 // fatal: X30 is worth less than the kind
    b       own_exception
    .endm

    .macro  guest target
    .balign 128
    stp     x0, x1, [sp, #-16]!
    mrs     x0, tpidr_el2
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0, #0]
    b       \target
    .endm

    own 0                               // current EL with SP_EL0: never used
    own 1
    own 2
    own 3
    own 4                               // current EL with SP_EL2
    own 5
    own 6
    own 7
    guest sync_exit                     // lower EL, AArch64
    guest irq_exit
    guest fiq_exit
    guest serror_exit
    guest sync_exit                     // lower EL, AArch32
    guest irq_exit
    guest fiq_exit
    guest serror_exit

    .macro  save_rest
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    mrs     x1, elr_el2
    stp     x30, x1, [x0, #240]
    mrs     x2, spsr_el2
    str     x2, [x0, #256]
    ldr     x0, [x0, {area}]
    mov     x29, xzr
    .endm

irq_exit:
    save_rest
    bl      guest_irq
    b       resume
fiq_exit:
    save_rest
    bl      guest_fiq
    b       resume
serror_exit:
    save_rest
    mrs     x1, esr_el2
    bl      guest_serror
    b       resume

sync_exit:
    save_rest
    mrs     x1, esr_el2
    bl      guest_sync
resume:
    mrs     x0, tpidr_el2
    ldp     x30, x1, [x0, #240]
    msr     elr_el2, x1
    ldr     x2, [x0, #256]
    msr     spsr_el2, x2
    ldp     x28, x29, [x0, #224]
    ldp     x26, x27, [x0, #208]
    ldp     x24, x25, [x0, #192]
    ldp     x22, x23, [x0, #176]
    ldp     x20, x21, [x0, #160]
    ldp     x18, x19, [x0, #144]
    ldp     x16, x17, [x0, #128]
    ldp     x14, x15, [x0, #112]
    ldp     x12, x13, [x0, #96]
    ldp     x10, x11, [x0, #80]
    ldp     x8, x9, [x0, #64]
    ldp     x6, x7, [x0, #48]
    ldp     x4, x5, [x0, #32]
    ldp     x2, x3, [x0, #16]
    ldp     x0, x1, [x0, #0]
    eret

// Leaves whatever the core's stack held, and asks on it, from its top, who is next.
    .global enter_next
enter_next:
    mrs     x0, tpidr_el2
    ldr     x0, [x0, {area}]
    ldr     x1, ={stack_bottom}
    add     x1, x0, x1
    ldr     x2, ={stack_size}
    add     sp, x1, x2
    mov     x29, xzr
    bl      next_guest
    b       resume

// An exception of the hypervisor itself. The stack may be what broke (its guard page), so the
// frame goes to the core's emergency stack. SP_EL0 is the guest's, and the guest is lost.
own_exception:
    msr     sp_el0, x0
    mrs     x0, tpidr_el2
    ldr     x0, [x0, {area}]
    str     x1, [x0, {scratch}]
    mov     x1, sp
    str     x1, [x0, {scratch} + 8]
    ldr     x1, ={emergency_bottom}
    add     x1, x0, x1
    add     sp, x1, #{emergency_size}
    sub     sp, sp, #272
    ldr     x1, [x0, {scratch}]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    mrs     x2, sp_el0
    stp     x2, x1, [sp, #0]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    ldr     x1, [x0, {scratch} + 8]
    stp     x30, x1, [sp, #240]         // the kind, and the stack pointer that was
    mov     x0, sp
    bl      own_exception_report
1:  wfe
    b       1b
    .ltorg
