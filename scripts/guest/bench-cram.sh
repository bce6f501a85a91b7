#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What zswap costs with and without compressed RAM, as bench.sh.
echo 0 >/proc/sys/kernel/randomize_va_space
/tests/vswap/bench cram
