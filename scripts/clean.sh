#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Remove all that has been built, not the tree of make tree, which others have worked on.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

lock_build
# The lock stays, too, as others may be waiting for it
find "$build" -mindepth 1 -maxdepth 1 ! -name lock ! -name tree -exec rm -rf {} +
rm -rf "$top/out"
