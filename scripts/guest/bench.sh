#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What swapping costs on this kernel; see tools/testing/selftests/vswap/bench.c.
echo 0 >/proc/sys/kernel/randomize_va_space
mkswap /dev/vda >/dev/null && /tests/vswap/bench /dev/vda
