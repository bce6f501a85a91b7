// SPDX-License-Identifier: GPL-2.0
/*
 * What swapping costs, in nanoseconds a page; in an emulator that counts a
 * nanosecond for an instruction, in instructions a page. Runs on kernels without
 * virtual swap space, too, to compare them.
 *
 * usage: bench DEVICE
 *
 * DEVICE is a disk of 128 MB at least whose contents are lost.
 */
#include <sys/swap.h>
#include <time.h>
#include "vswap_util.h"

#define NR	8192UL		/* 32 MB */

static char cgroup[128];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void report(const char *leg, const char *what, double ns)
{
	printf("%s, %s: %.0f\n", leg, what, ns / NR);
	fflush(stdout);
}

static void must_write(const char *path, const char *text)
{
	if (write_file(path, text))
		die(path);
}

/* Pages stay in the swap cache when they have been written: have them dropped. */
static void drop_swap_cache(void)
{
	for (int i = 0; i < 20; i++)
		cgroup_write(cgroup, "memory.reclaim", "4M");
}

static char *swapped_out(enum pattern pattern, const char *leg)
{
	char *p = map_region(NR, false);
	double start;

	if (!p)
		die("mmap");
	fill_region(p, NR, pattern, 1);
	start = now();
	if (swap_out(p, NR) != NR)
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

static void leave(char *p, const char *leg)
{
	double start = now();

	munmap(p, NR * page_size);
	report(leg, "free while out", now() - start);
}

/* Out, in, out again, freed. */
static void round_trip(const char *leg, enum pattern pattern)
{
	char *p;

	p = swapped_out(pattern, leg);
	drop_swap_cache();
	in(p, leg);
	if (check_region(p, NR, pattern, 1) != NR)
		die("contents");
	munmap(p, NR * page_size);
	p = swapped_out(pattern, NULL);
	drop_swap_cache();
	leave(p, leg);
}

/* swapoff of a disk with 32 MB on it that so many processes share. */
static void swap_off(const char *device, int nr_procs)
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
	drop_swap_cache();
	start = now();
	if (swapoff(device))
		die("swapoff");
	snprintf(leg, sizeof(leg), "disk, %d processes", nr_procs);
	report(leg, "swapoff", now() - start);
	close(go[1]);
	while (wait(&status) > 0)
		;
	if (check_region(p, NR, PATTERN_RANDOM, 1) != NR)
		die("contents");
	munmap(p, NR * page_size);
	close(go[0]);
	if (swapon(device, 0))
		die("swapon");
}

int main(int argc, char **argv)
{
	bool vswap = !access(VSWAP_MODE, W_OK);

	if (argc != 2) {
		fprintf(stderr, "usage: bench DEVICE\n");
		return 2;
	}
	page_size = sysconf(_SC_PAGESIZE);
	if (swapon(argv[1], 0))
		die("swapon");
	if (cgroup_enter(cgroup, sizeof(cgroup), "bench"))
		die("cgroup");

	must_write(ZSWAP_PARAM "enabled", "1");
	round_trip("zswap, zero", PATTERN_ZERO);
	round_trip("zswap, same word", PATTERN_WORD);
	round_trip("zswap, 25 % random", PATTERN_QUARTER);
	must_write(ZSWAP_PARAM "enabled", "0");
	if (vswap)
		must_write(VSWAP_MODE, "auto");
	round_trip("disk", PATTERN_RANDOM);
	if (vswap)
		must_write(VSWAP_MODE, "always");
	swap_off(argv[1], 1);
	swap_off(argv[1], 32);
	cgroup_leave(cgroup);
	return 0;
}
