#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the kselftests in the guest, one after the other, as KTAP with one test
# line for each program. only=NAME on the command line picks one.
only=$(sed -n 's/.*\bonly=\([a-z0-9_.-]*\).*/\1/p' /proc/cmdline)
rc=0

echo 1 >/sys/module/zswap/parameters/enabled
cd /tests/vswap || exit 1
for t in vswap_*; do
	[ -z "$only" ] || [ "$only" = "${t%.sh}" ] || continue
	echo "# vswap: $t"
	"./$t"
	status=$?
	case $status in
	0 | 4) ;;
	*) echo "# vswap: $t: exit status $status"; rc=1 ;;
	esac
done

# What lies around must not be a leak; only the debug kernel can tell.
if [ -w /sys/kernel/debug/kmemleak ]; then
	for i in 1 2; do
		echo scan >/sys/kernel/debug/kmemleak
		sleep 2
	done
	cat /sys/kernel/debug/kmemleak >/dev/kmsg
fi
exit $rc
