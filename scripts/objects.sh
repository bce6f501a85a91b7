# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# The objects that the series, or a step of it, touches.

# objects_of FILE...: objects of the C files among them; for a header, the files
# that are most likely to notice
objects_of()
{
	local f

	for f in "$@"; do
		case $f in
		tools/* | Documentation/*) ;;
		# No kernel here has a GPU
		drivers/gpu/*) ;;
		# The tests of a file are included there; what they share has no file
		mm/tests/*_kunit.h)
			f=mm/${f##*/}
			[ ! -f "${f%_kunit.h}.c" ] || echo "${f%_kunit.h}.o" ;;
		mm/tests/*) ;;
		*.c) echo "${f%.c}.o" ;;
		mm/*.h | include/*.h)
			echo mm/swapfile.o mm/swap_state.o mm/page_io.o mm/memcontrol.o \
				mm/vmscan.o mm/shmem.o mm/memory.o | tr ' ' '\n' ;;
		esac
	done | sort -u
}
