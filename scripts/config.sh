# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Configurations of the kernel, kept for other checkouts; to be sourced.

# config_key SRC TEXT...: a digest of all that a configuration comes from: Kconfig and
# what it asks the compiler, the configurations that come with the kernel, and TEXT
config_key()
{
	(
		cd "$1"
		printf '%s\n' "${@:2}"
		gcc --version
		cat Makefile
		find . -name .git -prune -o \( -name 'Kconfig*' -o -path '*/configs/*' \) -type f -print0 | sort -z | xargs -0 cat
	) | digest
}

# cached_config DIR KEY COMMAND...: have the configuration in DIR that COMMAND makes
# there. Make asks no question about it afterwards, as the same compiler has made it.
cached_config()
{
	local config=$1/.config saved=$cache/config/$2
	shift 2

	if [ ! -f "$saved" ]; then
		"$@" || return 1
		mkdir -p "$cache/config"
		cp "$config" "$saved.$$"
		mv "$saved.$$" "$saved"
	fi
	cmp -s "$saved" "$config" || cp "$saved" "$config"
}
