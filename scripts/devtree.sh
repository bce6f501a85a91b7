#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Make a working kernel tree, $build/tree, with the series applied as commits on
# top of the pristine kernel (tag "base"). Edit there, build with SRC=$build/tree
# if you like, amend or rebase the commits, then "make refresh" brings it back.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"

dir=$(realpath -m "${TREE:-$build/tree}")
if git -C "$dir" rev-parse -q --verify 'base^{commit}' >/dev/null 2>&1; then
	wrong "$dir exists; bring it back with make refresh, then remove it"
fi
[ ! -e "$dir" ] || wrong "$dir is no working tree; choose another TREE"
[ -d "${dir%/*}" ] || wrong "${dir%/*}, where the tree would be, is no directory"
lock_build
"$top/scripts/packages.sh" build
"$top/scripts/source.sh"

make_tree()
{
	rm -rf "$dir.part"
	# No links: an editor that writes in place would change the pristine source
	cp -a --reflink=auto "$(readlink -f "$build/pristine")" "$dir.part"
	cd "$dir.part"
	series_identity
	git init -q .
	# Not in the background, beside what is built next
	git config gc.auto 0
	series_sums >"$(series_record)"
	git add -f -A
	git commit -q -m "Linux, pristine"
	git tag base
	series_commit
	mv "$dir.part" "$dir"
}

step "kernel tree with the series as commits" "$build/log/devtree.log" make_tree
echo "The tree is in $dir"
