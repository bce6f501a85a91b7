// SPDX-License-Identifier: GPL-2.0
/* Torture: what is left when everybody has gone. */
#include <dirent.h>
#include <ftw.h>
#include <linux/kernel-page-flags.h>
#include "../kselftest.h"
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

static void flag_names(uint64_t of, char *text, size_t size)
{
	text[0] = 0;
	for (size_t n = 0; flags[n].name; n++) {
		if (of >> flags[n].bit & 1)
			snprintf(text + strlen(text), size - strlen(text), " %s", flags[n].name);
	}
}

/* Let @show have the number and the flags of each page frame, until it has seen enough. */
static void each_page(bool (*show)(unsigned long pfn, uint64_t of))
{
	int fd = open("/proc/kpageflags", O_RDONLY);
	static uint64_t all[4096];
	unsigned long pfn = 0;
	bool more = true;
	ssize_t len;

	while (more && (len = read(fd, all, sizeof(all))) > 0) {
		for (size_t i = 0; i < len / sizeof(all[0]) && more; i++)
			more = show(pfn++, all[i]);
	}
	close(fd);
}

static int mapped = -1, cgroups = -1;
static unsigned int shown;

static bool show_cached_page(unsigned long pfn, uint64_t of)
{
	char text[256];

	if (!(of >> KPF_SWAPCACHE & 1) || of_page(mapped, pfn))
		return true;
	flag_names(of, text, sizeof(text));
	say("cached: pfn %lx, cgroup %lu:%s", pfn, (unsigned long)of_page(cgroups, pfn), text);
	return ++shown < MAX_SHOWN;
}

/* Pages that are in the swap cache and in no page table. */
static void show_cached(void)
{
	mapped = open("/proc/kpagecount", O_RDONLY);
	cgroups = open("/proc/kpagecgroup", O_RDONLY);
	shown = 0;
	each_page(show_cached_page);
	close(mapped);
	close(cgroups);
}

/* Cgroups that there are, by inode number. */
static uint64_t live[256];
static size_t nr_live;

static int note_cgroup(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_D && nr_live < ARRAY_SIZE(live))
		live[nr_live++] = st->st_ino;
	return 0;
}

static bool show_charged_page(unsigned long pfn, uint64_t of)
{
	uint64_t owner = of_page(cgroups, pfn);
	char text[256];

	for (size_t i = 0; i < nr_live; i++) {
		if (owner == live[i])
			return true;
	}
	if (!owner)
		return true;
	flag_names(of, text, sizeof(text));
	say("charged: pfn %lx, cgroup %lu:%s", pfn, (unsigned long)owner, text);
	return ++shown < MAX_SHOWN;
}

/* Pages that cgroups have which are no longer there. */
static void show_charged(void)
{
	nr_live = 0;
	nftw(CGROUP, note_cgroup, 20, FTW_MOUNT | FTW_PHYS);
	cgroups = open("/proc/kpagecgroup", O_RDONLY);
	shown = 0;
	each_page(show_charged_page);
	close(cgroups);
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

static int show_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_F)
		say("file %s, %ld kB", path, (long)(st->st_size / 1024));
	return 0;
}

/*
 * CPUs hold on to cgroups that they have charged in advance, even when nothing of that is
 * left. When a cgroup goes of which something is left, they let go of all that they have.
 */
static void drain_cpus(void)
{
	static const char path[] = TORTURE_CGROUP "_drain";

	mkdir(path, 0755);
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		pid_t pid = fork();

		if (!pid) {
			go_to_cpu(cpu);
			cgroup_write(path, "cgroup.procs", "0");
			memset(map_region(1, false), 1, page_size);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	rmdir(path);
}

/*
 * Pages that are swapped out of those that are still there, this process and the shells
 * it comes from; with @show, tell who has how many.
 */
static long others_slots(bool show)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[512], stat[64];
	long pages = 0;

	while (dir && (entry = readdir(dir))) {
		long kb;

		snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
		kb = atoi(entry->d_name) ? read_key(path, "VmSwap") : -1;
		if (kb < 0)
			continue;
		pages += kb * 1024 / page_size;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (show && read_file(path, stat, sizeof(stat)) > 0)
			say("process with %ld kB swapped out: %s", kb, stat);
	}
	if (dir)
		closedir(dir);
	return pages;
}

/*
 * The cgroup that this process is in has been charged for what was read for swapoff when
 * the owner's had gone. Have that reclaimed: reclaim does not look at the swap cache of a
 * cgroup that may not swap.
 */
static void drop_own_cache(size_t nr_pages)
{
	char buf[96] = "", path[128];

	read_file("/proc/self/cgroup", buf, sizeof(buf));
	buf[strcspn(buf, "\n")] = 0;
	snprintf(path, sizeof(path), CGROUP "%s", strncmp(buf, "0::", 3) ? "" : buf + 3);
	cgroup_write(path, "memory.swap.max", "max");
	cgroup_write(path, "memory.zswap.max", "max");
	drop_swap_cache(path, nr_pages);
}

/* What was being written when its owner went is kept until reclaim finds it. */
bool slots_left(long expected, size_t nr_pages)
{
	long left;

	for (int i = 0; i < PATIENCE; i++) {
		drop_swap_cache(TORTURE_CGROUP, nr_pages);
		drop_own_cache(nr_pages);
		/*
		 * What zswap wrote back for a cgroup that had gone has been charged to the
		 * root cgroup; that takes everybody's pages, too.
		 */
		if (i)
			drop_swap_cache(CGROUP, nr_pages);
		nftw("/", read_root_file, 20, FTW_MOUNT | FTW_PHYS);
		left = vswap_stat("slots_used") - expected - others_slots(false);
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
	    vswap_stat("slots_zswap"), vswap_stat("slots_phys"));
	show_cached();
	others_slots(true);
	nftw(TORTURE_TMPFS, show_file, 20, FTW_PHYS);
	return true;
}

/* Each slot that is in use holds its cgroup's id, and nothing else is to. */
bool cgroups_left(long expected)
{
	long left = 0;

	for (int i = 0; i < PATIENCE; i++) {
		rmdir(TORTURE_CGROUP);
		drop_own_cache(1024);
		write_file("/proc/sys/vm/drop_caches", "3");
		left = dying_cgroups() - expected;
		if (left <= 0 && access(TORTURE_CGROUP, F_OK))
			return false;
		drain_cpus();
		sleep(1);
	}
	say("cgroups that do not go: %ld; %ld slots, %ld pages of others are out", left,
	    vswap_stat("slots_used"), others_slots(false));
	show_charged();
	show_cached();
	return true;
}

#define MAX_STUCK	64

struct waiting {
	pid_t pid;
	long switches;
};

/* Is a task where nothing ends its wait but what it waits for? How often has it run? */
static bool is_waiting(pid_t pid, struct waiting *w)
{
	char path[64], buf[2048];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return false;
	w->pid = pid;
	w->switches = read_key(path, "voluntary_ctxt_switches:");
	return strstr(buf, "\nState:\tD");
}

/*
 * Does any task wait all the time, of the kernel's too? The run may be too short for
 * the kernel to tell of it.
 */
bool anybody_stuck(void)
{
	struct waiting stuck[MAX_STUCK], now;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int nr = 0, left = 0;

	while (dir && nr < MAX_STUCK && (entry = readdir(dir))) {
		if (atoi(entry->d_name) > 0 && is_waiting(atoi(entry->d_name), &stuck[nr]))
			nr++;
	}
	if (dir)
		closedir(dir);
	for (int i = 0; i < PATIENCE && nr; i++) {
		sleep(1);
		left = 0;
		for (int n = 0; n < nr; n++) {
			if (is_waiting(stuck[n].pid, &now) && now.switches == stuck[n].switches)
				stuck[left++] = stuck[n];
		}
		nr = left;
	}
	for (int n = 0; n < nr; n++)
		say("process %d is stuck", stuck[n].pid);
	if (nr)
		write_file("/proc/sysrq-trigger", "w");
	return nr;
}
