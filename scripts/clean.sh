#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Remove all that has been built.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

lock_build
# Without the lock, for which others may be waiting
find "$build" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
rm -rf "$top/out"
