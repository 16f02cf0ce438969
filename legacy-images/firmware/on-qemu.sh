#!/usr/bin/env bash
# Builds the programs and runs each on QEMU's own model of its board: the oracle for what they
# expect. The programs that must die there (SMC) or live there (the other die-*) do.
# Usage: ./on-qemu.sh [PROGRAM...]; output of each under target/on-qemu/.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p target/on-qemu
failed=0

# run MACHINE ARCH PROGRAM EXPECTED-LAST-LINE [TYPED]
run() {
    local machine=$1 arch=$2 program=$3 expected=$4 typed=${5-}
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $program "* ]]; then return; fi
    local qemu=qemu-system-arm target=armv7a-none-eabi log=target/on-qemu/$program.log memory=256
    local network="-nic none"
    if [[ $program == ethernet-* ]]; then
        network="-net nic,model=lan9118"
    fi
    if [ "$arch" = a64 ]; then
        qemu="qemu-system-aarch64 -cpu cortex-a57" target=aarch64-unknown-none-softfloat
    fi
    # Every extension, and RAM where the board of these has windows, with nothing behind it.
    if [[ $program == loadstore-* ]]; then
        qemu="${qemu%% *} -cpu max" memory=32
    fi
    local drive=
    if [[ $program == sd-* ]]; then
        # Each word is its number times 0x9e3779b1.
        perl -e 'print pack("V*", map { $_ * 0x9e3779b1 & 0xffffffff } 0 .. 262143)' >target/on-qemu/card.img
        drive="-drive if=sd,format=raw,file=target/on-qemu/card.img"
    fi
    # On a board that a program cannot turn off it waits at its end.
    local seconds=30
    case $machine in versatilepb* | realview*) seconds=6 ;; esac
    cargo build --quiet --release --bin "$program" --target "$target"
    # shellcheck disable=SC2086
    { sleep 1.5; printf '%s' "$typed"; sleep 1; } | timeout $seconds $qemu -M $machine -m $memory \
        -audiodev none,id=none $network -display none -monitor none -serial stdio $drive \
        -kernel "target/$target/release/$program" >"$log" 2>"$log.err" || true
    local last
    last=$(tr -d '\r' <"$log" | tail -n 1)
    if [ "$last" = "$expected" ]; then
        echo "ok   $program: $last"
    else
        echo "BAD  $program: '$last', due '$expected' ($log)"
        failed=1
    fi
}

wanted=("$@")
run virt a64 hello64 'PASS hello64' 'hello q'
run virt,gic-version=3 a64 gicv3 'PASS gicv3'
run virt a64 passthrough64-virt 'PASS passthrough64-virt'
run vexpress-a9 a32 cpu-a9 'PASS cpu-a9'
run vexpress-a15 a32 cpu-a15 'PASS cpu-a15'
run vexpress-a9 a32 secure-gic 'PASS secure-gic'
run vexpress-a9 a32 sd-a9 'PASS sd-a9'
run vexpress-a15 a32 bigendian 'PASS bigendian'
run vexpress-a9 a32 ethernet-a9 'PASS ethernet-a9'
run virt a64 loadstore-a64 'PASS loadstore-a64'
run virt a32 loadstore-a32 'PASS loadstore-a32'
run virt a32 loadstore-t32 'PASS loadstore-t32'
# The program is ARMv7 code, so the board runs with another CPU than its own.
run "versatilepb -cpu cortex-a8" a32 versatilepb 'PASS versatilepb'
run realview-pb-a8 a32 realview-pb-a8 'PASS realview-pb-a8'
run vexpress-a9 a32 die-smc 'an SMC'
run vexpress-a9 a32 die-monitor 'FAIL die-monitor: the VM is stopped'
run vexpress-a15 a32 die-unclaimed 'FAIL die-unclaimed: the VM is stopped'
exit $failed
