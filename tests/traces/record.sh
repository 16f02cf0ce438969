#!/usr/bin/env bash
# Records anew the golden traces that are recorded by the host tool. The result is the same every time,
# as long as QEMU and Debian's kernel are; a new kernel gives a new trace.
# Usage: tests/traces/record.sh [NAME...]
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=("$@")
record() {
    local name=$1
    shift
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
    cargo reliquary trace record -o "tests/traces/$name.trace.zst" "$@"
}

# What depends on time, and what each of two CPUs has of its own.
record vexpress-a9-timed --board vexpress-a9 --kernel firmware:timed-a9 --cpus 2 --image timed-a9

# Typed input: each byte is received, echoed, and read by the shell.
linux=(--kernel image:vmlinuz-armmp --initrd image:initramfs-armhf --append 'console=ttyAMA0,115200 quiet'
    --expect '/ # ' --type 'uname -a\n' --expect '/ # ' --type 'cat /proc/interrupts\n' --expect '/ # '
    --image linux-6.1-armmp)
record vexpress-a9-typed --board vexpress-a9 --dtb image:vexpress-v2p-ca9.dtb "${linux[@]}" -- -m 512
record vexpress-a15-typed --board vexpress-a15 --dtb image:vexpress-v2p-ca15-tc1.dtb "${linux[@]}" -- -m 512
