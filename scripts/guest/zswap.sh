#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the kernel's own cgroup/test_zswap, with a swap device as it expects.
#
# It is run twice, the second time with real-time priority on the one processor that
# there is, which test_zswap_writeback_* need: a cgroup counts a task that has exited
# until it is scheduled for the last time, but its parent is told before. If the parent
# comes first, it can't write cgroup.subtree_control. Others need kswapd to come.
echo 1 >/sys/module/zswap/parameters/enabled
mkswap /dev/vda >/dev/null && swapon /dev/vda || exit 1
/tests/cgroup/test_zswap >/tmp/zswap
# Linked dynamically, see test-zswap.sh
/tests/ld-linux-x86-64.so.2 --library-path /tests /tests/chrt -f 1 \
	/tests/cgroup/test_zswap >/tmp/zswap.fifo

# What a test has printed comes before its result
pick()
{
	awk -v wanted="$1" '
		/^(TAP|1\.\.|# Totals)/ { next }
		{ text = text $0 "\n" }
		/^(ok|not ok) / {
			if (($0 ~ /test_zswap_writeback_/) == wanted) printf "%s", text
			text = ""
		}' "$2"
}
{ pick 0 /tmp/zswap; pick 1 /tmp/zswap.fifo; } >/tmp/picked
echo "TAP version 13"
echo "1..$(grep -c '^ok \|^not ok ' /tmp/picked)"
cat /tmp/picked
! grep -q '^not ok ' /tmp/picked && [ "$(grep -c '^ok ' /tmp/picked)" -ge 8 ]
