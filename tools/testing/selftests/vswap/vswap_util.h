/* SPDX-License-Identifier: GPL-2.0 */
/* What the vswap tests share: regions of pages, counters, cgroups. */
#ifndef _VSWAP_UTIL_H
#define _VSWAP_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "pattern.h"

#define VSWAP_MODE	"/sys/kernel/mm/vswap/mode"
#define VSWAP_STATS	"/sys/kernel/debug/vswap/stats"
#define VSWAP_VALIDATE	"/sys/kernel/debug/vswap/validate"
#define ZSWAP_PARAM	"/sys/module/zswap/parameters/"
#define ZSWAP_DEBUG	"/sys/kernel/debug/zswap/"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define CGROUP		"/sys/fs/cgroup"
#define CPU		"/sys/devices/system/cpu/cpu"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* So many slots a test's own stack and data may take when its cgroup is reclaimed */
#define OWN_PAGES	64

#define PM_SWAP		((uint64_t)1 << 62)

static size_t page_size;

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static inline int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t ret;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (ret = read(fd, buf + len, size - 1 - len)) > 0)
		len += ret;
	close(fd);
	buf[len] = 0;
	return len;
}

/* What @knob is set to, "" if it can't be read. */
static inline void read_knob(const char *knob, char *value, size_t size)
{
	char text[128] = "", *start;

	if (read_file(knob, text, sizeof(text)) <= 0)
		text[0] = 0;
	/* Of several words, the one in brackets */
	start = strchr(text, '[');
	start = start ? start + 1 : text;
	start[strcspn(start, "]\n")] = 0;
	snprintf(value, size, "%s", start);
}

/* The number behind @key at the start of a line of @path, -1 if it is not there. */
static inline long read_key(const char *path, const char *key)
{
	static char buf[65536];
	size_t len = strlen(key);
	char *line, *save = NULL;

	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, key, len) &&
		    (line[len] == ' ' || line[len] == ':' || line[len] == '\t'))
			return strtol(line + len + 1, NULL, 10);
	}
	return -1;
}

static inline long read_num(const char *path)
{
	char buf[64];

	return read_file(path, buf, sizeof(buf)) > 0 ? strtol(buf, NULL, 10) : -1;
}

static inline long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a process has ended with, as waitpid() tells it. */
static inline int wait_child(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Stop a process: it needs no memory from now on. */
static inline bool stop_child(pid_t pid)
{
	int status;

	return !kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid &&
	       WIFSTOPPED(status);
}

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define FOLIO_64K THP "hugepages-64kB/"
#define FOLIO_2M THP "hugepages-2048kB/"

static inline long vswap_stat(const char *key)
{
	return read_key(VSWAP_STATS, key);
}

/* Have the kernel check its records of slots; @quiet: did that include all totals? */
static inline long validate_once(bool *quiet)
{
	static char buf[65536];
	char *line, *save = NULL, *errors = NULL;
	long n;

	if (read_file(VSWAP_VALIDATE, buf, sizeof(buf)) > 0)
		errors = strstr(buf, " errors ");
	n = errors ? strtol(errors + strlen(" errors "), NULL, 10) : -1;
	*quiet = strstr(buf, " quiet 1 ");
	if (!n)
		return 0;

	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		printf("# validate: %s\n", line);
	return n;
}

/*
 * Have the kernel check that all that it has recorded of slots agrees. Returns how
 * much does not, which is printed; 0 if the kernel can't check, without
 * CONFIG_DEBUG_VM.
 */
static inline long vswap_validate(void)
{
	bool quiet;

	return access(VSWAP_VALIDATE, R_OK) ? 0 : validate_once(&quiet);
}

/* Processes stand still, and the kernel itself has to before long. */
static inline long validate_until_quiet(bool *quiet)
{
	long n = 0;

	*quiet = false;
	for (int i = 0; i < 20 && !n && !*quiet; i++) {
		if (i)
			usleep(100000);
		n = validate_once(quiet);
	}
	return n;
}

/* The same as vswap_validate() where nobody swaps, which takes in totals, lists, charges. */
static inline long vswap_validate_quiet(void)
{
	bool quiet;
	long n;

	if (access(VSWAP_VALIDATE, R_OK))
		return 0;
	n = validate_until_quiet(&quiet);
	if (n || quiet)
		return n;
	printf("# validate: it is not quiet\n");
	return -1;
}

/* Is the kernel configured with @option? Not if it does not tell. */
static inline bool kernel_has(const char *option)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "zcat /proc/config.gz 2>/dev/null | grep -q '^CONFIG_%s=y$'", option);
	return !system(command);
}

/*
 * Is there a swap device? -1 if a test has left it: hardly anybody else swaps to loop
 * devices and RAM disks.
 */
static inline int have_swap_devices(void)
{
	static const char * const tests[] = {
		"/dev/loop", "/dev/ram", "/dev/vswap_test", "/tmp/vswap_", NULL
	};
	static char buf[65536];

	if (read_key("/proc/meminfo", "SwapTotal") == 0)
		return 0;
	if (read_file("/proc/swaps", buf, sizeof(buf)) < 0)
		return 1;
	for (int i = 0; tests[i]; i++) {
		if (!strstr(buf, tests[i]))
			continue;
		printf("# %s is in use for swap, perhaps left by a test\n", tests[i]);
		return -1;
	}
	return 1;
}

/* Why the tests can't run here, NULL if they can. */
static inline const char *vswap_missing(void)
{
	page_size = sysconf(_SC_PAGESIZE);
	if (geteuid())
		return "needs root";
	if (access(VSWAP_MODE, W_OK))
		return "no " VSWAP_MODE ", the kernel has no CONFIG_VSWAP";
	if (access(VSWAP_STATS, R_OK))
		return "no " VSWAP_STATS ", debugfs is not mounted";
	if (write_file(ZSWAP_PARAM "enabled", "1"))
		return "zswap can't be enabled";
	return NULL;
}

/* Anonymous memory, small pages unless asked otherwise. */
static inline char *map_region(size_t nr, bool huge)
{
	size_t align = 2UL << 20, size = nr * page_size;
	char *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *start;

	if (p == MAP_FAILED)
		return NULL;
	start = (char *)(((unsigned long)p + align - 1) & ~(align - 1));
	if (start != p)
		munmap(p, start - p);
	munmap(start + size, p + align - start);
	/* The kernel starts with them off where there is little memory */
	if (huge)
		write_file(THP "enabled", "madvise");
	madvise(start, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return start;
}

/* Events since boot. */
static inline long vm_events(const char *name)
{
	return read_key("/proc/vmstat", name);
}

static inline void fill_region(char *p, size_t nr, enum pattern pattern,
			       unsigned long seed)
{
	for (size_t i = 0; i < nr; i++)
		pattern_fill(p + i * page_size, page_size, pattern, seed, i);
}

/* The first page that is not what it should be, @nr if all are. */
static inline size_t check_region(const char *p, size_t nr,
				  enum pattern pattern, unsigned long seed)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!pattern_check(p + i * page_size, page_size, pattern, seed, i))
			break;
	return i;
}

/* The slot of a page that is swapped out, -1 if it is not. */
static inline long page_slot(const char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t off = (unsigned long)p / page_size * sizeof(uint64_t);
	uint64_t v = 0;
	ssize_t ret = pread(fd, &v, sizeof(v), off);

	close(fd);
	if (ret != sizeof(v) || !(v & PM_SWAP))
		return -1;
	return (v >> 5) & ((1UL << 50) - 1);
}

/* How many pages of a region are swapped out? */
static inline size_t count_swapped(const char *p, size_t nr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t first = (unsigned long)p / page_size, n = 0;
	uint64_t v[512];
	ssize_t len;

	for (size_t i = 0; i < nr; i += len / sizeof(v[0])) {
		size_t most = nr - i < 512 ? nr - i : 512;

		len = pread(fd, v, most * sizeof(v[0]), (first + i) * sizeof(v[0]));
		if (len < (ssize_t)sizeof(v[0]))
			break;
		for (size_t j = 0; j < len / sizeof(v[0]); j++)
			n += !!(v[j] & PM_SWAP);
	}
	close(fd);
	return n;
}

/*
 * Wait until nothing is being written. What is unmapped meanwhile keeps its slot
 * until reclaim takes it out of the swap cache. CPUs have counts of their own, which
 * have to be brought together first.
 */
static inline void wait_writeback(void)
{
	for (int i = 0; i < 1000; i++) {
		write_file("/proc/sys/vm/stat_refresh", "1");
		if (vm_events("nr_writeback") <= 0)
			break;
		usleep(10000);
	}
}

/*
 * Stay on one CPU. Pages may wait in its batch for the LRU lists, which only who is
 * there empties: who tries to page out goes from one to the next.
 */
static inline void go_to_cpu(int n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(n % sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* Why @cpu can't be switched off, if it can't. */
static inline const char *cpu_missing(int cpu)
{
	char path[64];

	snprintf(path, sizeof(path), CPU "%d/online", cpu);
	return access(path, W_OK) || read_num(path) != 1 ?
	       "no CPU that can be switched off" : NULL;
}

static inline int switch_cpu(int cpu, bool on)
{
	char path[64];

	snprintf(path, sizeof(path), CPU "%d/online", cpu);
	return write_file(path, on ? "1" : "0");
}

/* Pages of a shared mapping that are not in memory. */
static inline size_t count_out(const char *p, size_t nr)
{
	unsigned char *vec = calloc(nr, 1);
	size_t n = 0;

	mincore((void *)p, nr * page_size, vec);
	for (size_t i = 0; i < nr; i++)
		n += !(vec[i] & 1);
	free(vec);
	return n;
}

/*
 * Have a region paged out, of which @count says how much is. Pages may be busy for a
 * moment, and vswap may have given up for a second on what could not be compressed, so
 * try some times.
 */
static inline size_t page_out_all(char *p, size_t nr, size_t (*count)(const char *p, size_t nr))
{
	cpu_set_t all;
	size_t n = 0;

	sched_getaffinity(0, sizeof(all), &all);
	for (int i = 0; i < 300 && n < nr; i++) {
		if (i) {
			go_to_cpu(i);
			usleep(10000);
		}
		madvise(p, nr * page_size, MADV_PAGEOUT);
		n = count(p, nr);
	}
	sched_setaffinity(0, sizeof(all), &all);
	return n;
}

static inline size_t start_swap_out(char *p, size_t nr)
{
	return page_out_all(p, nr, count_swapped);
}

/*
 * ... and wait until it is written where it goes. 0 if what the kernel has recorded
 * of it does not agree.
 */
static inline size_t swap_out(char *p, size_t nr)
{
	size_t n = start_swap_out(p, nr);

	wait_writeback();
	return vswap_validate() ? 0 : n;
}

/*
 * From now on, pages with virtual slots are written to devices at once, or not. zswap
 * keeps for a time even what it can't compress.
 */
static inline void past_zswap(bool past)
{
	write_file(VSWAP_MODE, past ? "always" : "auto");
	write_file(ZSWAP_PARAM "enabled", past ? "0" : "1");
}

/* Swap out a region to a device, whatever its contents. */
static inline size_t swap_out_past_zswap(char *p, size_t nr)
{
	size_t n;

	past_zswap(true);
	n = swap_out(p, nr);
	past_zswap(false);
	return n;
}

/* Try to swap out a region, which need not be possible. */
static inline void try_swap_out(char *p, size_t nr)
{
	madvise(p, nr * page_size, MADV_PAGEOUT);
	wait_writeback();
}

/* VSWAP_ALL=1 in the environment: run what is left out as too long otherwise. */
static inline bool run_all(void)
{
	const char *all = getenv("VSWAP_ALL");

	return all && atoi(all);
}

/*
 * How many, or how often: @few where there are all checkers, which make everything take
 * ten times as long, unless asked for all.
 */
static inline int debug_few(int all, int few)
{
	static int slow = -1;

	if (slow < 0)
		slow = !run_all() && !access(KMEMLEAK, F_OK);
	return slow ? few : all;
}

static inline void set_zswap(const char *param, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), ZSWAP_PARAM "%s", param);
	write_file(path, value);
}

/* Pages of this process that are out, its stack and data if it has no others. */
static inline long own_pages(void)
{
	return read_key("/proc/self/status", "VmSwap") * 1024 / page_size;
}

/*
 * Wait until no more slots are in use than @limit, without those for pages of this
 * process itself. Exiting processes free theirs later than wait() returns.
 */
static inline long wait_slots(long limit)
{
	long used = 0;

	for (int i = 0; i < 200; i++) {
		used = vswap_stat("slots_used") - own_pages();
		if (used <= limit)
			return used;
		usleep(20000);
	}

	/* Whose are they, and where? */
	printf("# slots: %ld cached, %ld zero, %ld in zswap, %ld on devices; own %ld\n",
	       vswap_stat("slots_cached"), vswap_stat("slots_zero"),
	       vswap_stat("slots_zswap"), vswap_stat("slots_phys"), own_pages());
	printf("# swap cache: %ld kB\n", read_key("/proc/meminfo", "SwapCached"));
	return used;
}

/* Have all that a process has out read back. */
static inline void read_memory(int pid)
{
	unsigned long start, end;
	char path[32], access[8], c;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	while (maps && fscanf(maps, "%lx-%lx %7s%*[^\n]", &start, &end, access) == 3) {
		for (; access[0] == 'r' && start < end; start += page_size) {
			if (pread(mem, &c, 1, start) != 1)
				break;
		}
	}
	close(mem);
	if (maps)
		fclose(maps);
}

/*
 * After all of the machine was reclaimed: what others have out, files of a root in tmpfs,
 * too, is taken for a test's own. 0 if all is read.
 */
static inline int read_others_back(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		if (atoi(entry->d_name))
			read_memory(atoi(entry->d_name));
	}
	if (proc)
		closedir(proc);
	return system("find / -xdev -type f -exec cat {} + >/dev/null 2>&1");
}

/* A cgroup of this process' own, below the root. */
static inline int cgroup_enter(char *path, size_t size, const char *name)
{
	char file[256], pid[32];

	snprintf(path, size, CGROUP "/%s_%d", name, getpid());
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return write_file(file, pid);
}

static inline void cgroup_leave(const char *path)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(CGROUP "/cgroup.procs", pid);
	for (int i = 0; i < 50 && rmdir(path) && errno == EBUSY; i++)
		usleep(20000);
}

static inline int cgroup_write(const char *path, const char *file,
			       const char *text)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", path, file);
	return write_file(name, text);
}

static inline long cgroup_read(const char *path, const char *file)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", path, file);
	return read_num(name);
}

static inline long cgroup_read_key(const char *path, const char *file,
				   const char *key)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", path, file);
	return read_key(name, key);
}

/*
 * By its statistics reclaim decides whether to look at active pages. They are as old
 * as the last flush, some seconds; reading brings them up to date.
 */
static inline void cgroup_settle(const char *cgroup)
{
	cgroup_read_key(cgroup, "memory.stat", "anon");
}

/* Cgroups that have been removed, and which something holds on to. */
static inline long dying_cgroups(void)
{
	return read_key(CGROUP "/cgroup.stat", "nr_dying_subsys_memory");
}

/* Ask for @bytes, swapping only; 0 if they could be reclaimed. */
static inline int ask_reclaim(const char *cgroup, size_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu swappiness=max", bytes);
	cgroup_settle(cgroup);
	return cgroup_write(cgroup, "memory.reclaim", text);
}

/* Pages stay in the swap cache when they have been written: have them dropped. */
static inline void drop_swap_cache(const char *cgroup, size_t nr)
{
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%zu", nr * page_size);
	for (int i = 0; i < 4; i++) {
		cgroup_settle(cgroup);
		cgroup_write(cgroup, "memory.reclaim", bytes);
		write_file("/proc/sys/vm/stat_refresh", "1");
		if (vm_events("nr_swapcached") <= 0)
			break;
	}
}

/* What zswap may have, in bytes, with this share of the memory: it counts in pages. */
static inline long pool_bytes(int percent)
{
	return read_key("/proc/meminfo", "MemTotal:") * 1024 / page_size * percent / 100 *
	       page_size;
}

/*
 * How many pages of PATTERN_POOR, each of which takes a page of the pool, are half as much
 * again as zswap may have with one percent of the memory.
 */
static inline size_t poor_pages(void)
{
	return pool_bytes(1) / page_size * 3 / 2;
}

/*
 * Have written back until so many slots are on devices: with room for 1 MB below a
 * limit, each page that comes makes one leave.
 */
static inline void limit_write_back(const char *cgroup, const char *limit, long slots)
{
	const size_t nr = 128;

	cgroup_write(cgroup, limit, "1M");
	for (int i = 0; i < 100 && vswap_stat("slots_phys") < slots; i++) {
		char *p = map_region(nr, false);

		fill_region(p, nr, PATTERN_QUARTER, i);
		try_swap_out(p, nr);
		munmap(p, nr * page_size);
	}
	cgroup_write(cgroup, limit, "max");
}

static inline void zswap_write_back(const char *cgroup, long slots)
{
	limit_write_back(cgroup, "memory.zswap.max", slots);
}

/* Debug kernels in an emulator are slow. */
#define VSWAP_TEST(fixture, name) TEST_F_TIMEOUT(fixture, name, 600)

/*
 * What each test file starts from: a cgroup named after it, mode auto, slots counted.
 * What this process has so far stays in memory: it would be swapped out with the rest,
 * counted, and be in the swap cache after it has been read.
 */
static inline int vswap_start(char *cgroup, size_t size, const char *name, long *slots)
{
	int err = mlockall(MCL_CURRENT) ? -errno : 0;

	err = err ?: cgroup_enter(cgroup, size, name);
	err = err ?: write_file(VSWAP_MODE, "auto");
	*slots = vswap_stat("slots_used");
	return err;
}

#define VSWAP_FIXTURE(fixture)						\
FIXTURE(fixture) {							\
	char cgroup[128];						\
	long slots;							\
};									\
FIXTURE_SETUP(fixture)							\
{									\
	const char *missing = vswap_missing();				\
									\
	if (missing)							\
		SKIP(return, "%s", missing);				\
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup),	\
			      #fixture, &self->slots), 0);		\
}									\
FIXTURE_TEARDOWN(fixture)						\
{									\
	EXPECT_EQ(vswap_validate_quiet(), 0);				\
	cgroup_leave(self->cgroup);					\
}

#endif
