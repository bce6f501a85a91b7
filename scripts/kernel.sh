#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the kernel of a flavour: $build/FLAVOR/arch/x86/boot/bzImage
# usage: kernel.sh FLAVOR [make goal...]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/config.sh
. "$top/scripts/config.sh"

flavor=$1
shift
check_flavor "$flavor"
fragment=$top/configs/$flavor.config
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
# what has an unmet dependency.
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
			"$top/configs/guest.config" "$fragment" &&
		kmake olddefconfig &&
		check_config "$top/configs/guest.config" "$fragment"
}

lock_build
want=$(config_key "$src" "$(cat "$top/configs/guest.config" "$fragment" "$0")")
if [ "$(cat "$out/config.state" 2>/dev/null)" != "$want" ]; then
	step "kernel $flavor: configure" "$build/log/config-$flavor.log" \
		cached_config "$out" "$want" configure
	echo "$want" >"$out/config.state"
fi
step "kernel $flavor: build" "$build/log/kernel-$flavor.log" kmake "${@:-bzImage}"
