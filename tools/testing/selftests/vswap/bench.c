// SPDX-License-Identifier: GPL-2.0
/*
 * What swapping costs, in nanoseconds of the CPU a page; in an emulator that
 * counts a nanosecond for an instruction, in instructions a page. And how many
 * bytes of memory a page takes that is swapped out, beyond its compressed data.
 * Runs on kernels without virtual swap space, too, to compare them.
 *
 * usage: bench DEVICE
 *        bench cram
 *
 * DEVICE is a disk of 300 MB at least whose contents are lost. The machine has
 * one CPU. What it does while it waits for the disk does not count: a process
 * that runs when no other wants to takes that time, and it is subtracted.
 *
 * With "cram" it is about zswap with and without compressed RAM, and no disk.
 */
#include <glob.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include "cxl.h"

#define NR		8192UL		/* 32 MB */
#define NR_MEMORY	65536UL		/* 256 MB */

static char cgroup[128];
static pid_t idler;
static clockid_t idle_clock;

static double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* For what the CPU has been needed so far. */
static double now(void)
{
	return clock_ns(CLOCK_MONOTONIC) - clock_ns(idle_clock);
}

static void die(const char *what)
{
	perror(what);
	if (idler > 0)
		kill(idler, SIGKILL);
	exit(1);
}

static void start_idler(void)
{
	struct sched_param param = {};

	idler = fork();
	if (idler < 0)
		die("fork");
	if (!idler) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sched_setscheduler(0, SCHED_IDLE, &param))
			die("SCHED_IDLE");
		for (;;)
			;
	}
	errno = clock_getcpuclockid(idler, &idle_clock);
	if (errno)
		die("clock_getcpuclockid");
}

static void report(const char *leg, const char *what, double ns)
{
	printf("%s, %s: %.0f\n", leg, what, ns / NR);
	fflush(stdout);
}

/* The number behind @key, of something that is there for sure. */
static long must_read(const char *path, const char *key)
{
	long value = read_key(path, key);

	if (value < 0)
		die(path);
	return value;
}

static void must_write(const char *path, const char *text)
{
	if (write_file(path, text))
		die(path);
}

static char *swapped_out(enum pattern pattern, const char *leg)
{
	char *p = map_region(NR, false);
	double start;

	if (!p)
		die("mmap");
	fill_region(p, NR, pattern, 1);
	start = now();
	if (start_swap_out(p, NR) != NR)
		die("MADV_PAGEOUT");
	if (leg)
		report(leg, "page out", now() - start);
	return p;
}

static void in(char *p, const char *leg)
{
	double start = now();
	long sum = 0;

	for (unsigned long i = 0; i < NR; i++)
		sum += p[i * page_size];
	report(leg, sum == -1 ? "" : "swap in", now() - start);
}

static void leave(char *p, const char *leg, const char *what)
{
	double start = now();

	munmap(p, NR * page_size);
	report(leg, what, now() - start);
}

/* Out, in, out again, freed. */
static void round_trip(const char *leg, enum pattern pattern)
{
	char *p;

	p = swapped_out(pattern, leg);
	drop_swap_cache(cgroup, NR);
	in(p, leg);
	if (check_region(p, NR, pattern, 1) != NR)
		die("contents");
	leave(p, leg, "free when in");
	p = swapped_out(pattern, NULL);
	drop_swap_cache(cgroup, NR);
	leave(p, leg, "free while out");
}

/* The round trip on a device that has been set up unless something is missing. */
static void synchronous(const char *leg, enum pattern pattern,
			const char *missing, struct disk *disk)
{
	if (missing) {
		fprintf(stderr, "%s: %s\n", leg, missing);
		exit(1);
	}
	if (disk_on(disk, 10))
		die(leg);
	round_trip(leg, pattern);
	disk_remove(disk);
}

/*
 * swapoff of a disk with 32 MB on it that so many processes share. Written pages
 * are in the swap cache until reclaim takes them: with or without them there.
 */
static void swap_off(const char *device, int nr_procs, bool cached)
{
	char *p = swapped_out(PATTERN_RANDOM, NULL);
	int go[2], status;
	char leg[64], c;
	double start;

	if (pipe(go))
		die("pipe");
	for (int i = 1; i < nr_procs; i++) {
		if (fork())
			continue;
		close(go[1]);
		_exit(read(go[0], &c, 1));
	}
	if (!cached)
		drop_swap_cache(cgroup, NR);
	start = now();
	if (swapoff(device))
		die("swapoff");
	snprintf(leg, sizeof(leg), "disk, %d processes%s", nr_procs,
		 cached ? ", cached" : "");
	report(leg, "swapoff", now() - start);
	close(go[1]);
	for (int i = 1; i < nr_procs; i++)
		wait(&status);
	if (check_region(p, NR, PATTERN_RANDOM, 1) != NR)
		die("contents");
	munmap(p, NR * page_size);
	close(go[0]);
	if (swapon(device, 0))
		die("swapon");
}

/* Bytes of memory that nobody uses: those in the CPU's lists are free, too. */
static long free_memory(void)
{
	long pages = 0, count;
	char line[256];
	FILE *f = fopen("/proc/zoneinfo", "r");

	if (!f)
		die("zoneinfo");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " count: %ld", &count) == 1)
			pages += count;
	}
	fclose(f);
	return pages * page_size + must_read("/proc/meminfo", "MemFree") * 1024;
}

/* Bytes that zswap's data takes. */
static long pool_size(void)
{
	return read_num(ZSWAP_DEBUG "pool_total_size");
}

/* Have the kernel give back what others have left in caches of it. */
static void give_back(void)
{
	glob_t found;

	/* RCU, and what is freed a second later */
	sleep(3);
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		die("/sys/kernel/slab");
	for (size_t i = 0; i < found.gl_pathc; i++)
		must_write(found.gl_pathv[i], "1");
	globfree(&found);
}

/* Bytes for a page that is out, but for those of zswap's data. */
static double memory_of(enum pattern pattern)
{
	char *p = map_region(NR_MEMORY, false);
	long swapped, freed, pool;

	if (!p)
		die("mmap");
	fill_region(p, NR_MEMORY, pattern, 1);
	give_back();
	swapped = must_read("/proc/self/status", "VmSwap");
	pool = pool_size();
	freed = -free_memory();
	if (start_swap_out(p, NR_MEMORY) != NR_MEMORY)
		die("MADV_PAGEOUT");
	drop_swap_cache(cgroup, NR_MEMORY);
	give_back();
	freed += free_memory();
	swapped = (must_read("/proc/self/status", "VmSwap") - swapped) * 1024;
	pool = pool_size() - pool;
	munmap(p, NR_MEMORY * page_size);
	return (double)(swapped - freed - pool) * page_size / swapped;
}

static void report_memory(const char *leg, enum pattern pattern)
{
	kill(idler, SIGSTOP);
	/* Once before, for what stays: caches, and this process' own pages */
	memory_of(pattern);
	printf("%s, bytes of memory: %.1f\n", leg, memory_of(pattern));
	fflush(stdout);
	kill(idler, SIGCONT);
}

/* The memory of a CXL device, if the kernel can use it. */
static void bench_cram(void)
{
	const char *missing;
	char dax[32];
	int node;

	round_trip("zswap, zero", PATTERN_ZERO);
	round_trip("zswap, 25 % random", PATTERN_QUARTER);
	if (access("/sys/kernel/mm/cram", F_OK))
		return;
	missing = cxl_setup(dax, sizeof(dax), &node);
	if (missing) {
		fprintf(stderr, "%s\n", missing);
		exit(1);
	}
	if (dax_bind(dax))
		die(dax);
	round_trip("compressed RAM, 25 % random", PATTERN_QUARTER);
	if (read_node(node, "stored") < 2 * NR)
		die("stored");
	if (write_node(node, "verify", "0"))
		die("verify");
	round_trip("compressed RAM, no sums, 25 % random", PATTERN_QUARTER);
	if (read_node(node, "stored") < 4 * NR)
		die("stored");
	/* What it costs to be refused */
	if (write_node(node, "capacity_bytes", "0"))
		die("capacity_bytes");
	round_trip("compressed RAM without room, 25 % random", PATTERN_QUARTER);
	if (read_node(node, "refused") < 2 * NR)
		die("refused");
}

int main(int argc, char **argv)
{
	bool vswap = !access(VSWAP_MODE, W_OK);
	struct disk disk;
	int zram;

	if (argc != 2) {
		fprintf(stderr, "usage: bench DEVICE|cram\n");
		return 2;
	}
	page_size = sysconf(_SC_PAGESIZE);
	start_idler();
	if (cgroup_enter(cgroup, sizeof(cgroup), "bench"))
		die("cgroup");
	must_write(ZSWAP_PARAM "enabled", "1");
	if (!strcmp(argv[1], "cram")) {
		bench_cram();
		goto out;
	}

	if (swapon(argv[1], 0))
		die("swapon");
	round_trip("zswap, zero", PATTERN_ZERO);
	round_trip("zswap, same word", PATTERN_WORD);
	round_trip("zswap, 25 % random", PATTERN_QUARTER);
	report_memory("zswap, zero", PATTERN_ZERO);
	report_memory("zswap, same word", PATTERN_WORD);

	must_write(ZSWAP_PARAM "enabled", "0");
	if (vswap)
		must_write(VSWAP_MODE, "auto");
	round_trip("disk", PATTERN_RANDOM);
	report_memory("disk", PATTERN_RANDOM);
	if (swapoff(argv[1]))
		die("swapoff");
	synchronous("RAM disk", PATTERN_RANDOM, ram_setup(&disk, 0, NR + NR / 2), &disk);
	synchronous("zram, 25 % random", PATTERN_QUARTER,
		    zram_setup(&disk, &zram, NR + NR / 2), &disk);

	if (swapon(argv[1], 0))
		die("swapon");
	if (vswap)
		must_write(VSWAP_MODE, "always");
	report_memory("disk, mode always", PATTERN_RANDOM);
	for (int cached = 0; cached < 2; cached++) {
		swap_off(argv[1], 1, cached);
		swap_off(argv[1], 32, cached);
	}
out:
	cgroup_leave(cgroup);
	kill(idler, SIGKILL);
	return 0;
}
