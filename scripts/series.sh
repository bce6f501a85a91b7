# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Reading the series: patches/NNNN-*.patch, complete as git format-patch writes them. The
# new files of the kernel lie here a second time, open, as they are in the end.

# Where the patches are; refresh.sh looks at some that are not here yet
patches=$top/patches

# The patches in order
series_patches()
{
	(cd "$patches" && printf '%s\n' [0-9]*.patch)
}

# git must not find the repository around a directory: there, it would skip what lies
# outside of that.
series_git_apply()
{
	GIT_CEILING_DIRECTORIES=$(dirname "$PWD") git apply "$@"
}

# series_files [PATCH]: all files that a patch touches, or all do
series_files()
{
	# shellcheck disable=SC2086
	(cd "$patches" && series_git_apply --numstat ${1:-[0-9]*.patch}) | cut -f 3 | sort -u
}

# The files that one patch adds, or all do that are there in the end
series_new_files()
{
	# shellcheck disable=SC2086
	(cd "$patches" && series_git_apply --summary ${1:-[0-9]*.patch}) | awk '
		$1 == "create" { if (!seen[$4]++) names[++n] = $4; there[$4] = 1 }
		$1 == "delete" { there[$4] = 0 }
		END { for (i = 1; i <= n; i++) if (there[names[i]]) print names[i] }'
}

# The files of the kernel that the series edits: not those that a patch adds, even if a
# later one removes them
series_edited_files()
{
	local added

	added=$(cd "$patches" && series_git_apply --summary [0-9]*.patch | awk '$1 == "create" { print $4 }')
	series_files | grep -vxF "$added"
}

# What lies open in the directory of this repository and is not what the kernel tree $1
# has; nothing if all is
series_open_files()
{
	local f

	for f in $(series_new_files); do
		cmp -s "$top/$f" "$1/$f" || echo "$f"
	done
}

# A hash of each file that the series consists of, and its name
series_sums()
{
	(cd "$top" && sha256sum patches/*.patch $(series_new_files) 2>/dev/null) || :
}

# Where the working tree that is the current directory keeps these sums, as they were
# when it and what is here were the same
series_record()
{
	git rev-parse --git-path vswap-series
}

# Apply a patch in the current directory
series_apply_patch()
{
	series_git_apply --whitespace=error-all "$patches/$1"
}

# Commits that nobody is to see need no identity: a new machine has none
series_identity()
{
	git var GIT_COMMITTER_IDENT >/dev/null 2>&1 || export \
		GIT_COMMITTER_NAME=vswap GIT_COMMITTER_EMAIL=vswap@localhost \
		GIT_AUTHOR_NAME=vswap GIT_AUTHOR_EMAIL=vswap@localhost
}

# Make a git repository in $1 that holds the files the series edits, as they are in $2,
# the pristine tree, and commit the series on top.
series_repository()
{
	local dir=$1 pristine=${2:-$build/pristine} f

	series_identity
	mkdir -p "$dir"
	cd "$dir"
	git init -q .
	for f in $(series_edited_files); do
		mkdir -p "$(dirname "$f")"
		cp "$pristine/$f" "$f"
	done
	git add -f -A
	git commit -q --allow-empty -m base
	git tag base
	series_commit
}

# Commit the series in the repository that is the current directory
series_commit()
{
	git am -q -k --keep-cr --whitespace=error-all "$patches"/[0-9]*.patch
}
