// SPDX-License-Identifier: GPL-2.0
/* Torture: what is left when everybody has gone. */
#include <ftw.h>
#include <linux/kernel-page-flags.h>
#include "torture.h"
#include "vswap_util.h"

#define MAX_SHOWN	20
#define PATIENCE	30	/* seconds; reclaim may have given zswap up for some */

static const struct {
	int bit;
	const char *name;
} flags[] = {
	{ KPF_LOCKED, "locked" },
	{ KPF_REFERENCED, "referenced" },
	{ KPF_UPTODATE, "uptodate" },
	{ KPF_DIRTY, "dirty" },
	{ KPF_LRU, "lru" },
	{ KPF_ACTIVE, "active" },
	{ KPF_WRITEBACK, "writeback" },
	{ KPF_RECLAIM, "reclaim" },
	{ KPF_ANON, "anon" },
	{ KPF_COMPOUND_HEAD, "head" },
	{ KPF_COMPOUND_TAIL, "tail" },
	{ KPF_UNEVICTABLE, "unevictable" },
	{ KPF_HWPOISON, "hwpoison" },
	{ KPF_KSM, "ksm" },
	{ 0, NULL },
};

static uint64_t of_page(int fd, unsigned long pfn)
{
	uint64_t v = 0;

	return pread(fd, &v, sizeof(v), pfn * sizeof(v)) == sizeof(v) ? v : 0;
}

/* Pages that are in the swap cache and in no page table. */
static void show_cached(void)
{
	int page_flags = open("/proc/kpageflags", O_RDONLY);
	int mapped = open("/proc/kpagecount", O_RDONLY);
	int cgroup = open("/proc/kpagecgroup", O_RDONLY);
	unsigned long pfn = 0, shown = 0;
	static uint64_t all[4096];
	ssize_t len;

	while (shown < MAX_SHOWN && (len = read(page_flags, all, sizeof(all))) > 0) {
		for (size_t i = 0; i < len / sizeof(all[0]); i++, pfn++) {
			char text[256] = "";

			if (!(all[i] >> KPF_SWAPCACHE & 1) || of_page(mapped, pfn) ||
			    shown++ >= MAX_SHOWN)
				continue;
			for (size_t n = 0; flags[n].name; n++) {
				if (all[i] >> flags[n].bit & 1)
					snprintf(text + strlen(text),
						 sizeof(text) - strlen(text), " %s",
						 flags[n].name);
			}
			say("cached: pfn %lx, cgroup %lu:%s", pfn,
			    (unsigned long)of_page(cgroup, pfn), text);
		}
	}
	close(page_flags);
	close(mapped);
	close(cgroup);
}

/* The root may be a tmpfs: what is out of its files comes back when they are read. */
static int read_root_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char buf[65536];
	int fd = type == FTW_F && S_ISREG(st->st_mode) ? open(path, O_RDONLY) : -1;

	if (fd < 0)
		return 0;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	return 0;
}

long dying_cgroups(void)
{
	return read_key(CGROUP "/cgroup.stat", "nr_dying_subsys_memory");
}

/* Each slot that is in use holds its cgroup's id, and nothing else is to. */
bool cgroups_left(long expected)
{
	long left;

	for (int i = 0; i < PATIENCE; i++) {
		write_file("/proc/sys/vm/drop_caches", "3");
		left = dying_cgroups() - expected;
		if (left <= 0)
			return false;
		sleep(1);
	}
	say("cgroups that do not go: %ld", left);
	return true;
}

/* What was being written when its owner went is kept until reclaim finds it. */
bool slots_left(long expected, size_t nr_pages)
{
	long left;

	for (int i = 0; i < PATIENCE; i++) {
		drop_swap_cache(TORTURE_CGROUP, nr_pages);
		nftw("/", read_root_file, 20, FTW_MOUNT | FTW_PHYS);
		left = vswap_stat("slots_used") - expected;
		if (left <= 0) {
			if (i)
				say("slots left for some %d s", i);
			return false;
		}
		if (!i)
			show_cached();
		sleep(1);
	}
	say("slots: %ld too many, %ld cached, %ld zero, %ld in zswap, %ld on devices", left,
	    vswap_stat("slots_cached"), vswap_stat("slots_zero"),
	    vswap_stat("slots_zswap"), vswap_stat("slots_device"));
	show_cached();
	return true;
}
