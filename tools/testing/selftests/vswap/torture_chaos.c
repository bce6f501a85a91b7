// SPDX-License-Identifier: GPL-2.0
/* Torture: what changes under the workers. */
#define _GNU_SOURCE
#include <dirent.h>
#include "../kselftest.h"
#include "torture.h"
#include "fault.h"

#define MM	"/sys/kernel/mm/"
#define VM	"/proc/sys/vm/"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

struct knob {
	const char *path;
	const char *values[8];
};

/* The first value is the one to leave behind. */
static const struct knob knobs[] = {
	{ VSWAP_MODE, { "auto", "always", "never", "auto" } },
	{ VSWAP_MODE, { "auto", "always" } },
	{ ZSWAP_PARAM "enabled", { "1", "0", "1", "1" } },
	{ ZSWAP_PARAM "compressor", { "lz4", "lzo", "zstd", "lzo-rle", "deflate" } },
	{ ZSWAP_PARAM "max_pool_percent", { "20", "1", "5", "40", "0", "60" } },
	{ ZSWAP_PARAM "max_pool_percent", { "20", "1", "2" } },
	{ ZSWAP_PARAM "max_pool_percent", { "20", "0" } },
	{ ZSWAP_PARAM "accept_threshold_percent", { "90", "50", "100" } },
	{ ZSWAP_PARAM "shrinker_enabled", { "0", "1" } },
	{ VM "swappiness", { "60", "0", "100", "200" } },
	{ VM "page-cluster", { "3", "0", "5" } },
	{ VM "watermark_scale_factor", { "10", "200" } },
	{ VM "overcommit_memory", { "0", "1" } },
	{ MM "lru_gen/enabled", { "0", "7", "0", "3" } },
	{ MM "ksm/run", { "1", "0", "1", "1", "2" } },
	{ MM "ksm/pages_to_scan", { "100", "1000", "4000" } },
	{ MM "ksm/use_zero_pages", { "0", "1" } },
	{ THP "enabled", { "madvise", "always", "never", "madvise" } },
	{ THP "defrag", { "madvise", "always", "never", "defer" } },
	{ THP "shmem_enabled", { "never", "always", "advise", "within_size" } },
	{ THP "khugepaged/defrag", { "1", "0" } },
	{ THP "khugepaged/scan_sleep_millisecs", { "10000", "100", "1000" } },
	{ THP "khugepaged/pages_to_scan", { "4096", "512" } },
	{ THP "khugepaged/max_ptes_swap", { "64", "0", "511" } },
	{ THP "khugepaged/max_ptes_none", { "511", "0", "64" } },
	{ THP "hugepages-16kB/enabled", { "never", "always", "inherit" } },
	{ THP "hugepages-64kB/enabled", { "never", "always", "madvise", "inherit" } },
	{ THP "hugepages-512kB/enabled", { "never", "always", "madvise" } },
	{ THP "hugepages-2048kB/enabled", { "inherit", "never", "always", "madvise" } },
	{ THP "hugepages-64kB/shmem_enabled", { "never", "always", "within_size", "inherit" } },
	{ THP "hugepages-2048kB/shmem_enabled", { "inherit", "never", "always" } },
};

/* What they were before */
static char knob_values[ARRAY_SIZE(knobs)][64];

static void set_knob(const struct knob *knob, unsigned int n)
{
	write_file(knob->path, knob->values[n]);
}

static void run_knobs(void)
{
	while (doze(choose(1000), "knobs")) {
		const struct knob *knob = &pick(knobs);
		unsigned int nr = 0;

		while (nr < 8 && knob->values[nr])
			nr++;
		step(strrchr(knob->path, '/') + 1);
		set_knob(knob, choose(nr));
		count(COUNT_KNOBS, 1);
	}
}

static void end_knobs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		set_knob(&knobs[i], 0);
	/* What has been merged stays so, to be looked at */
	write_file(MM "ksm/run", "0");
}

/* After all, when nobody needs one any more. */
void restore_knobs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		if (knob_values[i][0])
			write_file(knobs[i].path, knob_values[i]);
	}
}

static const char *setup_knobs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		read_knob(knobs[i].path, knob_values[i], sizeof(knob_values[i]));
	end_knobs();
	write_file(MM "ksm/run", "1");
	return NULL;
}

/* A limit of a cgroup: a part of what its worker has, now and then none. */
static void limit(const char *cgroup)
{
	static const char * const files[] = {
		"memory.max", "memory.high", "memory.swap.max", "memory.zswap.max",
		"memory.zswap.writeback", "memory.reclaim", "memory.swap.high",
		"memory.zswap.max",
	};
	size_t all = torture->worker_pages * page_size;
	const char *file = pick(files);
	char text[64] = "max";

	if (strstr(file, "writeback"))
		snprintf(text, sizeof(text), "%d", !one_in(3));
	else if (strstr(file, "reclaim"))
		snprintf(text, sizeof(text), "%lu%s", 1 + choose(all / 4),
			 one_in(2) ? " swappiness=max" : "");
	else if (strstr(file, "zswap") && one_in(2))	/* in compressed bytes */
		snprintf(text, sizeof(text), "%lu", one_in(3) ? 0 : choose(all / 8));
	else if (strstr(file, "swap") && one_in(2))
		snprintf(text, sizeof(text), "%lu", one_in(3) ? 0 : choose(all));
	else if (!strstr(file, "swap") && one_in(2))
		snprintf(text, sizeof(text), "%lu", all / 2 + choose(all));
	cgroup_write(cgroup, file, text);
	/* Not for long, or everybody is killed, or slowed down to nothing */
	if ((!strstr(file, "swap") || strstr(file, "high")) && !strstr(file, "reclaim") &&
	    strcmp(text, "max")) {
		doze(choose(1500), "limited");
		cgroup_write(cgroup, file, "max");
	}
}

static void run_limits(void)
{
	while (doze(choose(800), "limit")) {
		char cgroup[64];

		/* Somebody wants to have reclaimed what is in the way */
		if (time(NULL) - torture->lifted <= 1)
			continue;
		snprintf(cgroup, sizeof(cgroup), "%s",
			 torture->worker[choose(torture->nr_workers)].cgroup);
		if (cgroup[0])
			limit(cgroup);
	}
}

void each_cgroup(void (*visit)(const char *path))
{
	DIR *dir = opendir(TORTURE_CGROUP);
	struct dirent *entry;
	char path[96];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), TORTURE_CGROUP "/%.60s", entry->d_name);
		visit(path);
	}
	if (dir)
		closedir(dir);
}

static void lift(const char *cgroup)
{
	static const char * const files[] = {
		"memory.max", "memory.high", "memory.swap.max", "memory.swap.high",
		"memory.zswap.max",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		cgroup_write(cgroup, files[i], "max");
	cgroup_write(cgroup, "memory.zswap.writeback", "1");
}

void lift_limits(void)
{
	torture->lifted = time(NULL);
	each_cgroup(lift);
}

static void run_cpus(void)
{
	int nr = sysconf(_SC_NPROCESSORS_CONF);

	while (doze(choose(4000), "CPU")) {
		int cpu = 1 + choose(nr - 1);

		count(COUNT_CPUS, !switch_cpu(cpu, false));
		doze(choose(2000), "CPU");
		switch_cpu(cpu, true);
	}
}

static const char *setup_cpus(void)
{
	return cpu_missing(1);
}

static void end_cpus(void)
{
	for (int cpu = sysconf(_SC_NPROCESSORS_CONF); cpu-- > 1;)
		switch_cpu(cpu, true);
}

/* More than there is, for a moment; the first to be killed. */
static int hog(void *arg)
{
	size_t nr = *(size_t *)arg;
	char *p = map_region(nr, one_in(2));

	write_file("/proc/self/oom_score_adj", "1000");
	/* It is not swapped out, so that it does not matter what is in there */
	if (!p || madvise(p, nr * page_size, MADV_POPULATE_WRITE))
		return 0;
	usleep(choose(1000000));
	return 0;
}

/* Look at everything that can be looked at. */
static int look(void *arg)
{
	static const char * const files[] = {
		VSWAP_STATS, "/proc/swaps", "/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo",
		TORTURE_CGROUP "/memory.stat", CGROUP "/memory.stat",
		"/proc/pressure/memory", "/proc/slabinfo",
	};
	static const char * const per_process[] = { "smaps", "smaps_rollup", "status", "oom_score",
						    "numa_maps" };
	char path[64], buf[4096];
	int fd;

	if (one_in(2))
		snprintf(path, sizeof(path), "/proc/%d/%s",
			 torture->worker[choose(torture->nr_workers)].pid, pick(per_process));
	else
		snprintf(path, sizeof(path), "%s", pick(files));
	fd = open(path, O_RDONLY);
	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	return 0;
}

static void run_memory(void)
{
	while (doze(choose(1500), "memory")) {
		size_t nr = choose(torture->worker_pages * torture->nr_workers / 2) + 1;
		char text[32];

		switch (choose(8)) {
		case 0:
			step("compact");
			write_file(VM "compact_memory", "1");
			break;
		case 1:
			step("drop caches");
			write_file(VM "drop_caches", one_in(2) ? "3" : "1");
			break;
		case 2:
		case 3:
			step("hog");
			in_child_process(hog, &nr);
			break;
		case 4:
			step("reclaim");
			/* Others bring back what it takes, so it may take long */
			snprintf(text, sizeof(text), "%zu", nr * page_size / 8);
			write_file(TORTURE_CGROUP "/memory.reclaim", text);
			break;
		default:
			step("look");
			in_child_process(look, NULL);
		}
	}
}

/* What counts down as allocations fail, and from where */
#define ALLOC_FAILURES	1000000000L

static const char * const alloc_dirs[] = { FAILSLAB, FAIL_PAGE };

/* Allocations of those who ask for it fail now and then. */
const char *alloc_setup(void)
{
	const char *missing = fault_setup();
	char path[128], times[32];

	if (missing)
		return missing;
	snprintf(times, sizeof(times), "%ld", ALLOC_FAILURES);
	for (int i = 0; i < 2; i++) {
		const char * const settings[][2] = {
			{ "task-filter", "Y" }, { "interval", "7" }, { "times", times },
			{ "probability", "15" },
		};

		for (int n = 0; n < 4; n++) {
			snprintf(path, sizeof(path), "%s%s", alloc_dirs[i], settings[n][0]);
			if (write_file(path, settings[n][1]))
				return "fault injection can't be set up";
		}
	}
	return NULL;
}

/* How many have failed since, @kind 0 of objects, 1 of pages */
long allocs_failed(int kind)
{
	char path[128];
	long left;

	snprintf(path, sizeof(path), "%stimes", alloc_dirs[kind]);
	left = read_num(path);
	return left < 0 ? 0 : ALLOC_FAILURES - left;
}

void alloc_fail(bool on)
{
	if (!(parts & PART_ALLOC))
		return;
	/* To switch it off takes allocations, too */
	while (write_file("/proc/self/make-it-fail", on ? "1" : "0") && !on)
		;
}

const struct chaos other_chaos[] = {
	{ .name = "knobs", .part = PART_KNOBS, .setup = setup_knobs, .run = run_knobs,
	  .end = end_knobs },
	{ .name = "limits", .part = PART_CGROUPS, .run = run_limits,
	  .end = lift_limits },
	{ .name = "CPUs", .part = PART_CPUS, .setup = setup_cpus, .run = run_cpus,
	  .end = end_cpus },
	{ .name = "memory", .part = PART_MEMORY, .run = run_memory },
	{}
};
