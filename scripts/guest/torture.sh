#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Torture for so long and with such choices as the command line says. Files that
# this shell needs are kept in memory, so that no device can lose them; all others
# go, because they would be swapped out and be taken for a leak.
arg()
{
	sed -n "s/.*\btorture_$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

find /tests -type f ! -name torture -exec rm {} +

without=
for part in $(arg without | tr , ' '); do without="$without -x $part"; done
echo -1000 >/proc/self/oom_score_adj
# shellcheck disable=SC2086 # options
exec /tests/vswap/torture -t "$(arg time)" -s "$(arg seed)" -h "$(arg hang)" $without \
	/init /bin/busybox /bin/torture.sh /tests/vswap/torture
