#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# KTAP results for jobs in the guest, to be sourced; fail is 1 if one was bad.
n=0 fail=0

# ok TEXT GOOD DETAILS: one result; GOOD is 1 if it is
# shellcheck disable=SC2034 # fail is for who sources this
ok()
{
	n=$((n + 1))
	if [ "$2" = 1 ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1: $3"
		fail=1
	fi
}
