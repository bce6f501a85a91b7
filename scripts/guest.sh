#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot a flavour's kernel in QEMU and run one job in it.
# usage: guest.sh [-m MEM] [-c CPUS] [-t SECONDS] [-a APPEND] [-d DISK_MB]... [-f FILE] [-i] [-o] FLAVOR JOB
#
# -d DISK_MB	an empty disk
# -f FILE	a file as a disk; it is kept
# -i		a nanosecond of the guest is an instruction; for one CPU
# -o		the guest may go off in the middle of the job
#
# Output and exit status are as run_job() of job.sh says, the console goes to a log.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/job.sh
. "$top/scripts/job.sh"

mem=512M cpus=2 limit=600 append='' disks=() files=() icount=() off=
while getopts m:c:t:a:d:f:io opt; do
	case $opt in
	m) mem=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	a) append=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	f) files+=("$OPTARG") ;;
	i) icount=(-icount "shift=0,align=off,sleep=off") ;;
	o) off=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
flavor=$1 job=$2

dir=$(mktemp -d "$build/guest.XXXXXX")
trap 'rm -rf "$dir"' EXIT
name=$(echo "$append" | sed -n 's/.*only=\([a-z_]*\).*/-\1/p')
log=$build/log/guest-$flavor-$job$name.log
mkdir -p "$build/log"

# TCG unless asked otherwise: KVM may be there and still not work. No 5-level
# page tables: an interrupt while the kernel identifies the CPU, when la57 is
# unknown for a moment, makes KASAN take the direct map for wild addresses.
args=(-accel "${VSWAP_ACCEL:-tcg,thread=multi}" -cpu "${VSWAP_CPU:-max,la57=off}"
	-machine q35 -smp "$cpus" -m "$mem" -no-reboot -nographic -nodefaults
	"${icount[@]}" -kernel "$build/$flavor/arch/x86/boot/bzImage"
	-initrd "$build/initramfs.gz")
for i in "${!disks[@]}"; do
	truncate -s "${disks[$i]}M" "$dir/disk$i"
	files+=("$dir/disk$i")
done
for f in "${files[@]}"; do
	args+=(-drive "file=$f,if=virtio,format=raw,cache=unsafe")
done
append="console=ttyS0 panic=-1 oops=panic softlockup_panic=0 job=$job $append"

if [ "$job" = shell ]; then
	qemu-system-x86_64 "${args[@]}" -serial mon:stdio -append "$append"
	exit
fi

run_job "$limit" "$log" "$off" qemu-system-x86_64 "${args[@]}" \
	-serial "file:$log" -serial "file:$dir/job" -append "$append loglevel=7"
