#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot a flavour's kernel in QEMU and run one job in it.
# usage: guest.sh [-m MEM] [-c CPUS] [-t SECONDS] [-a APPEND] [-d DISK_MB]... [-f FILE] [-e FILE]... [-x] [-n] [-i] [-o] FLAVOR JOB
#
# FLAVOR	a kernel that is there, see make kernel
# JOB		shell, kselftest or another one of scripts/guest/
# -m MEM	memory, 512M by default; a number without a unit is in MB
# -c CPUS	how many CPUs, 2 by default
# -t SECONDS	after which it is ended, 600 by default
# -a APPEND	to the kernel command line; what a job takes there its file tells
# -d DISK_MB	an empty disk
# -f FILE	a file as a disk; it is kept
# -e FILE	a file that the guest finds in /tests
# -x		a CXL host bridge with two windows, for nodes 1 and 2, and a memory device;
#		on x86 only
# -n		two NUMA nodes, each with half of the memory and of the CPUs; on x86 only
# -i		a nanosecond of the guest is an instruction; for one CPU
# -o		the guest may go off in the middle of the job
#
# Output and exit status are as run_job() of job.sh says, the console goes to a log
# that is named after flavour, job and what the job is told to do, and after the process,
# too, while another guest has that name.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/job.sh
. "$top/scripts/job.sh"

usage()
{
	show_head >&2
	exit 2
}

mem=512M cpus=2 limit=600 append='' disks=() files=() extra=() cxl='' numa='' icount=() off=''
while getopts m:c:t:a:d:f:e:xnio opt; do
	case $opt in
	m) mem=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	a) append=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	f) files+=("$OPTARG") ;;
	e) extra+=("$OPTARG") ;;
	x) cxl=1 ;;
	n) numa=1 ;;
	i) icount=(-icount "shift=0,align=off,sleep=off") ;;
	o) off=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || usage
flavor=$1 job=$2
[ "$job" = shell ] || [ -f "$top/scripts/guest/$job.sh" ] ||
	wrong "$job is no job: $(cd "$top/scripts/guest" && printf '%s ' *.sh | sed 's/\.sh//g')shell"
set_machine "$flavor"
[ -f "$build/$flavor/$image" ] ||
	wrong "no kernel of FLAVOR=$flavor is there, see scripts/prepare.sh; flavours: $(flavors | paste -sd ' ')"
[ -f "$initramfs" ] || wrong "no files for guests are there, see scripts/prepare.sh"
[ "$machine" = x86 ] || [ -z "$cxl$numa" ] || wrong "-x and -n are not for FLAVOR=$flavor"
[ "$job" != shell ] || [ -t 0 ] || wrong "the shell is for a terminal"

dir=$(mktemp -d "$build/guest.XXXXXX")
trap 'end_machine; rm -rf "$dir"' EXIT
mkdir -p "$build/log"

initrd=$initramfs
if [ ${#extra[@]} -gt 0 ]; then
	mkdir "$dir/tests"
	cp "${extra[@]}" "$dir/tests"
	initrd=$dir/initramfs.cpio
	{ cat "$initramfs"
	  cd "$dir" && find tests | cpio -o -H newc -R 0:0 --quiet; } >"$initrd"
fi

# What it is, what kernel and job talk on, and what the kernel is told of it. TCG unless
# asked otherwise: KVM may be there and still not work.
if [ "$machine" = arm64 ]; then
	qemu=qemu-system-aarch64 accel=tcg,thread=multi console=ttyAMA0
	# There is one serial line
	job_line=(-device virtio-serial -chardev "file,id=job,path=$dir/job"
		-device "virtconsole,chardev=job")
	tell="JOB_LINE=hvc0"
else
	qemu=qemu-system-x86_64 accel=${VSWAP_ACCEL:-tcg,thread=multi} console=ttyS0
	job_line=(-serial "file:$dir/job")
	# While the clock is still jiffies, the clocksource watchdog waits for another CPU with
	# interrupts off and so without a timeout. That is for ever if this CPU waits in
	# stop_machine(), for a better clock to be switched to; seen in boots on a busy host.
	# Without the HPET there is no watchdog before that; later on it is needed, as a busy
	# host may also have the TSC calibrated wrong. The timer works, though it may not seem
	# so when the host has no time for ten ticks.
	tell="hpet=disable no_timer_check"
fi
# Instructions are counted one after the other, which no other accelerator can
[ ${#icount[@]} -eq 0 ] || accel=tcg
args=(-accel "$accel" -smp "$cpus" -m "$mem"
	-no-reboot -nographic -nodefaults "${icount[@]}"
	-kernel "$build/$flavor/$image" -initrd "$initrd")

# No 5-level page tables: an interrupt while the kernel identifies the CPU, when la57 is
# unknown for a moment, makes KASAN take the direct map for wild addresses.
cpu=max,la57=off
# Of the instructions for strings, the emulator takes each byte for itself. Where nobody
# counts instructions, the kernel had better use words.
[ ${#icount[@]} -gt 0 ] || cpu+=,erms=off,fsrm=off
cpu=${VSWAP_CPU:-$cpu}
if [ "$machine" = arm64 ]; then
	args+=(-machine "virt,mte=on" -cpu max)
elif [ -n "$numa" ]; then
	case $mem in *[0-9]) mem+=M ;; esac
	half=$(($(numfmt --from=iec "$mem") / 2))
	args+=(-machine q35 -cpu "$cpu" -smp "$cpus,sockets=2")
	for i in 0 1; do
		args+=(-object "memory-backend-ram,id=mem$i,size=$half"
			-numa "node,nodeid=$i,memdev=mem$i" -numa "cpu,node-id=$i,socket-id=$i")
	done
	args+=(-numa "dist,src=0,dst=1,val=21")
elif [ -z "$cxl" ]; then
	args+=(-machine q35 -cpu "$cpu")
else
	# The kernel sets up no region if it is told of a hypervisor, and no nodes
	# for the windows if there is no table of nodes
	args+=(-machine "q35,cxl=on" -cpu "$cpu,-hypervisor"
		-object "memory-backend-ram,id=mem0,size=$mem" -numa "node,memdev=mem0"
		-device "pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1"
		-device "cxl-rp,port=0,bus=cxl.1,id=rp0,chassis=0,slot=2"
		-M "cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G,cxl-fmw.1.targets.0=cxl.1,cxl-fmw.1.size=4G")
	if qemu-system-x86_64 -device cxl-type3,help | grep -q volatile-memdev; then
		args+=(-object "memory-backend-ram,id=vmem0,share=on,size=256M"
			-device "cxl-type3,bus=rp0,volatile-memdev=vmem0,id=cxl-vmem0")
	fi
fi
for i in "${!disks[@]}"; do
	truncate -s "${disks[$i]}M" "$dir/disk$i"
	files+=("$dir/disk$i")
done
for i in "${!files[@]}"; do
	# Another bus may be the first one, for CXL
	args+=(-drive "file=${files[$i]},if=none,id=disk$i,format=raw,cache=unsafe"
		-device "virtio-blk-pci,drive=disk$i,bus=pcie.0")
done
# KUnit tests would run in every boot of a kernel that has them.
[ "$job" = kunit ] || append="kunit.enable=0 $append"
append="$tell console=$console panic=-1 oops=panic softlockup_panic=0 job=$job $(job_environment) $append"

if [ "$job" = shell ]; then
	"$qemu" "${args[@]}" -serial mon:stdio -append "$append"
	exit
fi

# Another guest of this name may be running, which has its log locked
log=$build/log/guest-$flavor-$job$(log_suffix "$append").log
exec 5>>"$log"
flock -n 5 || log=${log%.log}-$$.log

run_job "$limit" "$log" "$off" "$qemu" "${args[@]}" \
	-serial "file:$log" "${job_line[@]}" -append "$append loglevel=7"
