#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the kselftests in the guest, one after the other, as KTAP. On the command
# line, only=PATTERN picks some, shard=I/N the I-th of N shares of the files, and
# skip=NAME,... leaves some out; of a file, test=NAME is the one to be run, or
# variant=NAME all of these.
only=$(sed -n 's/.*\bonly=\([^ ]*\).*/\1/p' /proc/cmdline)
shard=$(sed -n 's/.*\bshard=\([0-9]*\/[0-9]*\).*/\1/p' /proc/cmdline)
skip=$(sed -n 's/.*\bskip=\([^ ]*\).*/\1/p' /proc/cmdline)
one=$(sed -n 's/.*\btest=\([^ ]*\).*/\1/p' /proc/cmdline)
variant=$(sed -n 's/.*\bvariant=\([^ ]*\).*/\1/p' /proc/cmdline)
nr=0 rc=0

run()
{
	# shellcheck disable=SC2254
	case ${1%.sh} in ${only:-*}) ;; *) return 0 ;; esac
	case ",$skip," in *",${1%.sh},"*) return 0 ;; esac
	nr=$((nr + 1))
	[ -z "$shard" ] || [ $((nr % ${shard#*/})) -eq $((${shard%/*} % ${shard#*/})) ] || return 0
	echo "# vswap: $1"
	start=$(date +%s)
	"./$1" ${one:+-t "$one"} ${variant:+-v "$variant"}
	status=$?
	echo "# ${1%.sh}: $(($(date +%s) - start)) s"
	case $status in
	0 | 4) ;;
	*) echo "# vswap: $1: exit status $status"; rc=1 ;;
	esac
}

# What lies around must not be a leak; only the debug kernel can tell.
scan_for_leaks()
{
	[ -w /sys/kernel/debug/kmemleak ] || return 0
	for _ in 1 2; do
		sleep 6
		echo scan >/sys/kernel/debug/kmemleak
	done
	if [ -s /sys/kernel/debug/kmemleak ]; then
		cat /sys/kernel/debug/kmemleak >/dev/kmsg
		echo "not ok leaks"
		rc=1
	else
		echo "ok no leaks"
	fi
}

# All that is recorded of slots has to agree; only the debug kernel can tell.
validate()
{
	[ -r /sys/kernel/debug/vswap/validate ] || return 0
	cat /sys/kernel/debug/vswap/validate >/tmp/validate
	if grep -q ' errors 0$' /tmp/validate; then
		echo "ok slots are consistent # $(cat /tmp/validate)"
	else
		sed 's/^/# /' /tmp/validate
		echo "not ok slots are consistent"
		rc=1
	fi
}

echo 1 >/sys/module/zswap/parameters/enabled
cd /tests/vswap || exit 1
for t in vswap_*; do
	# It takes all of the memory: a guest of its own, with little of it
	if [ "$t" != vswap_oom.sh ] || [ "$only" = vswap_oom ]; then
		run "$t"
	fi
done
validate
[ "$only" = vswap_oom ] || scan_for_leaks
exit $rc
