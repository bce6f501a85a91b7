# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# What the user may ask for, checked before anything is installed or built; common.sh
# sources this.

# Say in one line what can't be meant
wrong()
{
	echo "$*" >&2
	exit 2
}

# check_number NAME LEAST [MOST]: a variable, which may be empty
check_number()
{
	local value=${!1:-} most=${3:+to $3}

	[ -n "$value" ] || return 0
	if ! [[ $value =~ ^(0|[1-9][0-9]{0,17})$ ]] || [ "$value" -lt "$2" ] ||
			[ "$value" -gt "${3:-$value}" ]; then
		wrong "$1=$value is not a number from $2 ${most:-on}"
	fi
}

# flavors [SYMBOL]: those that a guest can boot, which the other configurations are not;
# of these the ones that have SYMBOL
flavors()
{
	cd "$top/configs" && grep -l "${1:+^$1=y}" -- *.config |
		sed -E '/^(bisect|guest|uml)\.config$/d; s/\.config$//'
}

# check_flavor FLAVOR [SYMBOL]
check_flavor()
{
	local known

	known=$(flavors "${2:-}")
	grep -qxF -e "$1" <<<"$known" || wrong "FLAVOR=$1 is none of: ${known//$'\n'/ }"
}

# What torture is told to do
check_torture()
{
	local least=2 part parts="devices errors cgroups knobs cpus memory poison alloc"

	check_number TIME 1
	check_number SEED 0
	# The first CPU stays where it is
	case ",${WITHOUT:-}," in *,cpus,*) least=1 ;; esac
	[ "${CPUS:-}" != 1 ] || [ $least -eq 1 ] || wrong "CPUS=1 takes WITHOUT=cpus"
	check_number CPUS $least 8
	for part in $(tr , ' ' <<<"${WITHOUT:-}"); do
		case " $parts " in *" $part "*) ;; *) wrong "WITHOUT=$part is none of: $parts" ;; esac
	done
}

check_number JOBS 1
if [ -n "${SRC:-}" ]; then
	[ -f "$SRC/mm/Kconfig" ] || wrong "SRC=$SRC is no kernel tree"
	SRC=$(cd "$SRC" && pwd)
fi
if [ -n "${KERNEL_SOURCE:-}" ]; then
	[ -f "$KERNEL_SOURCE" ] || wrong "KERNEL_SOURCE=$KERNEL_SOURCE: no such file"
fi
