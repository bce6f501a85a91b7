#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the kernel's own cgroup/test_zswap, with a swap device as it expects.
echo 1 >/sys/module/zswap/parameters/enabled
mkswap /dev/vda >/dev/null && swapon /dev/vda || exit 1
/tests/cgroup/test_zswap
exit 0
