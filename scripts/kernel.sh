#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the kernel of a flavour: $build/FLAVOR/arch/x86/boot/bzImage, or what the
# architecture has in place of that
# usage: kernel.sh FLAVOR [make goal...]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/config.sh
. "$top/scripts/config.sh"

flavor=$1
shift
check_flavor "$flavor"
set_machine "$flavor"
fragments=("$top/configs/guest.config" "$top/configs/$flavor.config")
# Another machine has the series as the release flavour has it
[ "$machine" = x86 ] ||
	fragments=("$top/configs/guest.config" "$top/configs/vswap.config" "${fragments[1]}")
out=$build/$flavor
src=$applied
[ "$flavor" != base ] || src=$(readlink -f "$build/pristine")
mkdir -p "$out"

kmake()
{
	make -C "$src" O="$out" "${compilers[@]}" -j"$jobs" "$@"
}

# The lines of fragments, of those on the same symbol the last one
last_words()
{
	cat "$@" | tac | awk '/CONFIG_/ { name = $0; sub(/^# /, "", name); sub(/[ =].*/, "", name)
		if (!seen[name]++) print }'
}

# Each symbol of the fragments has to be what they say: Kconfig drops silently
# what has an unmet dependency. What two of them say goes by the later one.
check_config()
{
	local line name rc=0

	while read -r line; do
		case $line in
		"# CONFIG_"*" is not set") name=${line#\# }; name=${name%% *} ;;
		CONFIG_*=n) name=${line%=n} ;;
		CONFIG_*)
			grep -qxF "$line" "$out/.config" || { echo "not taken: $line"; rc=1; }
			continue ;;
		*) continue ;;
		esac
		! grep -q "^$name=" "$out/.config" || { echo "not taken: $line"; rc=1; }
	done < <(last_words "$@")
	return $rc
}

configure()
{
	rm -f "$out/.config"
	kmake tinyconfig &&
		"$src/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" \
			"${fragments[@]}" &&
		kmake olddefconfig &&
		check_config "${fragments[@]}"
}

lock_build
want=$(config_key "$src" "$(cat "${fragments[@]}" "$0")" "$("${cross}gcc" --version)")
if [ "$(cat "$out/config.state" 2>/dev/null)" != "$want" ]; then
	step "kernel $flavor: configure" "$build/log/config-$flavor.log" \
		cached_config "$out" "$want" configure
	echo "$want" >"$out/config.state"
fi
step "kernel $flavor: build" "$build/log/kernel-$flavor.log" kmake "${@:-$(basename "$image")}"
