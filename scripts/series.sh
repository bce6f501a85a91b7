# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Reading patches/series: one line a step, the patch and behind it the new
# files that come with it. A step without edits of existing files has a patch
# with a changelog only.

# The patches in order
series_patches()
{
	sed 's/#.*//' "$top/patches/series" | awk 'NF { print $1 }'
}

# The new files of one patch, or of all
series_new_files()
{
	sed 's/#.*//' "$top/patches/series" |
		awk -v p="${1:-}" 'NF && (p == "" || $1 == p) {
			for (i = 2; i <= NF; i++) print $i }'
}

# A hash of each file that the series consists of, and its name
series_sums()
{
	(cd "$top" && sha256sum patches/series patches/*.patch $(series_new_files) 2>/dev/null) || :
}

# Where the working tree that is the current directory keeps these sums, as they were
# when it and what is here were the same
series_record()
{
	git rev-parse --git-path vswap-series
}

# The existing files that one patch edits, or all
series_edited_files()
{
	local p

	for p in ${1:-$(series_patches)}; do
		sed -n 's,^--- a/,,p' "$top/patches/$p"
	done | sort -u
}

# Apply the edits of a patch in the current directory. git must not find the
# repository around it: there, it would skip what lies outside the directory.
series_apply_patch()
{
	if grep -q '^--- a/' "$top/patches/$1"; then
		GIT_CEILING_DIRECTORIES=$(dirname "$PWD") git apply --whitespace=error-all "$top/patches/$1"
	fi
}

# Commits that nobody is to see need no identity: a new machine has none
series_identity()
{
	git var GIT_COMMITTER_IDENT >/dev/null 2>&1 || export \
		GIT_COMMITTER_NAME=vswap GIT_COMMITTER_EMAIL=vswap@localhost \
		GIT_AUTHOR_NAME=vswap GIT_AUTHOR_EMAIL=vswap@localhost
}

# Make a git repository in $1 that holds the files the series is about, as they
# are in the pristine tree, and commit the steps of the series on top.
series_repository()
{
	local dir=$1 p f

	series_identity
	mkdir -p "$dir"
	cd "$dir"
	git init -q .
	for f in $(series_edited_files); do
		mkdir -p "$(dirname "$f")"
		cp "$build/pristine/$f" "$f"
	done
	git add -f -A
	git commit -q -m base
	git tag base
	series_commit
}

# Commit the steps of the series in the repository that is the current directory
series_commit()
{
	local p

	for p in $(series_patches); do
		series_commit_step "$p"
	done
}

series_commit_step()
{
	local p=$1 f

	series_apply_patch "$p"
	for f in $(series_new_files "$p"); do
		mkdir -p "$(dirname "$f")"
		cp "$top/$f" "$f"
	done
	git add -f -A
	GIT_AUTHOR_NAME=$(git mailinfo /dev/null /dev/null <"$top/patches/$p" | sed -n 's/^Author: //p') \
	GIT_AUTHOR_EMAIL=$(git mailinfo /dev/null /dev/null <"$top/patches/$p" | sed -n 's/^Email: //p') \
	GIT_AUTHOR_DATE=$(git mailinfo /dev/null /dev/null <"$top/patches/$p" | sed -n 's/^Date: //p') \
		git commit -q --allow-empty -F <(series_changelog "$p")
}

# Subject and changelog of a patch
series_changelog()
{
	local msg

	msg=$(mktemp)
	git mailinfo -k "$msg" /dev/null <"$top/patches/$1" |
		sed -n 's/^Subject: \(\[PATCH[^]]*\] \)\?//p'
	echo
	cat "$msg"
	rm -f "$msg"
}
