// memcpy, which the compiler calls for whatever is copied whole: registers of a vCPU at a switch, RAM at
// a reset. Where both ends are multiples of 8, 32 bytes a round in pairs of registers; of 4, a word a
// round; byte by byte otherwise. No SIMD: those registers are the guest's.
//
// (X0: to, X1: from, X2: bytes) -> X0; the ranges do not overlap.

    .section .text.memcpy, "ax"
    .balign 16
    .global memcpy
memcpy:
    mov     x3, x0
    orr     x4, x0, x1
    tst     x4, #7
    b.ne    8f
    subs    x2, x2, #32
    b.lo    2f
1:  ldp     x4, x5, [x1], #16
    ldp     x6, x7, [x1], #16
    stp     x4, x5, [x3], #16
    stp     x6, x7, [x3], #16
    subs    x2, x2, #32
    b.hs    1b
2:  tbz     x2, #4, 3f                  // X2 is 32 too small, which changes no bit below
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
3:  tbz     x2, #3, 4f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
4:  and     x2, x2, #7
5:  cbz     x2, 7f
6:  ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    subs    x2, x2, #1
    b.ne    6b
7:  ret
8:  tst     x4, #3
    b.ne    5b
9:  subs    x2, x2, #4
    b.lo    10f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
    b       9b
10: and     x2, x2, #3
    b       5b
