// SPDX-License-Identifier: GPL-2.0
/*
 * What compressed RAM has of a cgroup: seen and limited apart from its memory.
 * Simulated by tools/testing/cram/cram_sim.c. Nodes 1 and 2 have to be possible ones.
 */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sim.h"

#define NR		1024
#define LIMIT		(256L << 10)	/* bytes */

FIXTURE(vswap_cram_memcg) {
	char parent[128];
	char child[2][160];
	long slots, killed;
	struct disk disk;
};

FIXTURE_SETUP(vswap_cram_memcg)
{
	const char *missing = vswap_sim_missing();

	self->disk.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_blank(1, 2), 0);
	/* Counted is nothing but what the tests have swapped out */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	snprintf(self->parent, sizeof(self->parent), CGROUP "/vswap_cram_memcg_%d", getpid());
	ASSERT_EQ(mkdir(self->parent, 0755), 0);
	ASSERT_EQ(cgroup_write(self->parent, "cgroup.subtree_control", "+memory"), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(self->child[i], sizeof(self->child[i]), "%s/%d", self->parent, i);
		ASSERT_EQ(mkdir(self->child[i], 0755), 0);
	}
	ASSERT_EQ(cgroup_move(self->child[0]), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
	self->killed = vm_events("oom_kill");
}

FIXTURE_TEARDOWN(vswap_cram_memcg)
{
	EXPECT_EQ(vm_events("oom_kill"), self->killed);
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->disk);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	EXPECT_EQ(read_sim(1, "violations"), 0);
	EXPECT_EQ(sim_unload(), 0);
	for (int i = 0; i < 2; i++) {
		if (!access(self->child[i], F_OK))
			cgroup_leave(self->child[i]);
	}
	EXPECT_EQ(rmdir(self->parent), 0);
}

static long stat_of(const char *cgroup, const char *key)
{
	return cgroup_read_key(cgroup, "memory.stat", key);
}

/* Wait until two figures add up to that: of small changes readers hear after two seconds. */
static long wait_sum(const char *cgroup, const char *key, const char *other, long value)
{
	long now = -1;

	for (int i = 0; i < 60; i++) {
		now = stat_of(cgroup, key) + (other ? stat_of(cgroup, other) : 0);
		if (now == value)
			break;
		usleep(50000);
	}
	return now;
}

static long wait_stat(const char *cgroup, const char *key, long value)
{
	return wait_sum(cgroup, key, NULL, value);
}

/* All that has been swapped out and is not on a device. */
static long wait_out(const char *cgroup, long value)
{
	return wait_sum(cgroup, "cram_stored", "zswapped", value);
}

/* The same of a node, 0 if that is not shown. */
static long numa_stat_of(const char *cgroup, const char *key, int node)
{
	char path[256], line[512], name[16], *p;
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/memory.numa_stat", cgroup);
	snprintf(name, sizeof(name), " N%d=", node);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) || line[strlen(key)] != ' ')
			continue;
		p = strstr(line, name);
		value = p ? atol(p + strlen(name)) : 0;
	}
	if (file)
		fclose(file);
	return value;
}

static char *fill_and_swap_out(size_t nr, enum pattern pattern, unsigned long seed)
{
	char *p = map_region(nr, false);

	fill_region(p, nr, pattern, seed);
	return swap_out(p, nr) == nr ? p : NULL;
}

/* Who has what is seen, by cgroup and node, and is no memory; also when a cgroup goes. */
VSWAP_TEST(vswap_cram_memcg, figures)
{
	const long bytes = NR * page_size;
	char *p = map_region(NR, false), *q;
	long before, now;

	fill_region(p, NR, PATTERN_QUARTER, 1);
	before = cgroup_read(self->child[0], "memory.current");
	ASSERT_EQ(swap_out(p, NR), NR);
	now = cgroup_read(self->child[0], "memory.current");
	EXPECT_LE(now, before - bytes * 15 / 16);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", bytes), bytes);
	now = stat_of(self->child[0], "cram");
	EXPECT_GE(now, bytes / 5);
	EXPECT_LE(now, bytes / 2);
	EXPECT_EQ(cgroup_read(self->child[0], "memory.cram.current"), now);
	EXPECT_EQ(wait_stat(self->child[0], "zswap", 0), 0);
	EXPECT_EQ(wait_stat(self->child[0], "zswapped", 0), 0);
	EXPECT_EQ(cgroup_read(self->child[0], "memory.zswap.current"), 0);
	EXPECT_LE(read_key("/proc/meminfo", "Zswapped:") * 1024, OWN_PAGES * (long)page_size);
	EXPECT_EQ(numa_stat_of(self->child[0], "cram_stored", 1), bytes);
	EXPECT_EQ(numa_stat_of(self->child[0], "cram_stored", 2), 0);

	/* Another one, on the other device; their parent has both */
	ASSERT_EQ(write_sim(1, "refuse", 1), 0);
	ASSERT_EQ(cgroup_move(self->child[1]), 0);
	q = fill_and_swap_out(NR / 2, PATTERN_QUARTER, 2);
	ASSERT_NE(q, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", bytes), bytes);
	EXPECT_EQ(wait_stat(self->child[1], "cram_stored", bytes / 2), bytes / 2);
	EXPECT_EQ(numa_stat_of(self->child[1], "cram_stored", 1), 0);
	EXPECT_EQ(numa_stat_of(self->child[1], "cram_stored", 2), bytes / 2);
	EXPECT_EQ(wait_stat(self->parent, "cram_stored", bytes * 3 / 2), bytes * 3 / 2);
	EXPECT_EQ(numa_stat_of(self->parent, "cram_stored", 1), bytes);
	EXPECT_EQ(numa_stat_of(self->parent, "cram_stored", 2), bytes / 2);
	/* Machine-wide, where others may have some, too */
	EXPECT_GE(numa_stat_of(CGROUP, "cram_stored", 1), bytes);
	EXPECT_GE(stat_of(CGROUP, "cram_stored"), bytes * 3 / 2);

	/* A cgroup goes, and its pages stay */
	ASSERT_EQ(cgroup_move(self->child[0]), 0);
	ASSERT_EQ(rmdir(self->child[1]), 0);
	EXPECT_EQ(wait_stat(self->parent, "cram_stored", bytes * 3 / 2), bytes * 3 / 2);
	EXPECT_EQ(numa_stat_of(self->parent, "cram_stored", 2), bytes / 2);
	EXPECT_EQ(check_region(q, NR / 2, PATTERN_QUARTER, 2), NR / 2);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_QUARTER, 1), NR / 2);
	EXPECT_EQ(wait_stat(self->parent, "cram_stored", bytes / 2), bytes / 2);
	EXPECT_EQ(numa_stat_of(self->parent, "cram_stored", 2), 0);
	munmap(p, bytes);
	munmap(q, bytes / 2);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(wait_stat(self->parent, "cram_stored", 0), 0);
	EXPECT_EQ(wait_stat(self->parent, "cram", 0), 0);
}

/* A device that does not say what a page takes: the mean is charged. */
VSWAP_TEST(vswap_cram_memcg, silent)
{
	const long bytes = NR * page_size;
	char *p;

	ASSERT_EQ(write_sim(1, "silent", 1), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 3);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", bytes), bytes);
	EXPECT_GE(cgroup_read(self->child[0], "memory.cram.current"), bytes / 5);
	EXPECT_LE(cgroup_read(self->child[0], "memory.cram.current"), bytes * 3 / 4);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 3), NR);
	munmap(p, bytes);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(wait_stat(self->child[0], "cram", 0), 0);
}

/* A limit, of the cgroup or above it: what is beyond is compressed. */
VSWAP_TEST(vswap_cram_memcg, limit)
{
	const long bytes = NR * page_size;
	char *p;

	EXPECT_EQ(cgroup_write(self->parent, "memory.cram.max", "256K"), 0);
	EXPECT_EQ(cgroup_write(self->parent, "memory.cram.max", "1x"), -EINVAL);
	EXPECT_EQ(cgroup_read(self->parent, "memory.cram.max"), LIMIT);
	for (int i = 0; i < 2; i++) {
		p = fill_and_swap_out(NR, PATTERN_QUARTER, 4);
		ASSERT_NE(p, NULL);
		EXPECT_GE(cgroup_read(self->parent, "memory.cram.current"), LIMIT * 3 / 4);
		EXPECT_LE(cgroup_read(self->parent, "memory.cram.current"),
			  LIMIT + (long)page_size);
		EXPECT_EQ(wait_out(self->parent, bytes), bytes);
		EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 4), NR);
		munmap(p, bytes);
		EXPECT_LE(wait_slots(self->slots), self->slots);
		EXPECT_EQ(cgroup_write(self->parent, "memory.cram.max", "max"), 0);
		EXPECT_EQ(cgroup_write(self->child[0], "memory.cram.max", "256K"), 0);
	}

	/* None */
	EXPECT_EQ(cgroup_write(self->child[0], "memory.cram.max", "0"), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 5);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", 0), 0);
	EXPECT_EQ(wait_stat(self->child[0], "zswapped", bytes), bytes);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 5), NR);
	munmap(p, bytes);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* With a swap device the first ones make room for the others. */
VSWAP_TEST(vswap_cram_memcg, limit_device)
{
	const long bytes = NR * page_size;
	long current, written;
	char *p;

	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	EXPECT_EQ(cgroup_write(self->child[0], "memory.cram.max", "256K"), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 6);
	ASSERT_NE(p, NULL);
	wait_writeback();
	current = cgroup_read(self->child[0], "memory.cram.current");
	EXPECT_GT(current, 0);
	EXPECT_LE(current, LIMIT + (long)page_size);
	/* An entry has a second chance: a few are compressed meanwhile */
	written = cgroup_read(self->child[0], "memory.swap.current");
	EXPECT_GE(written, bytes / 4);
	EXPECT_EQ(wait_out(self->child[0], bytes - written), bytes - written);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);
	munmap(p, bytes);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Huge pages do not get ahead of it, nor do they of memory.zswap.max, and where the limit
 * is 0 nothing more comes in.
 */
VSWAP_TEST(vswap_cram_memcg, limit_huge)
{
	const size_t huge = (2UL << 20) / page_size, nr = debug_few(12, 6) * huge;
	static const char * const limits[] = { "memory.cram.max", "memory.zswap.max" };
	static const char * const currents[] = { "memory.cram.current", "memory.zswap.current" };
	const long most = LIMIT + (long)(huge * page_size) / 2;
	long stored;
	char *p;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	write_file(THP "defrag", "madvise");
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * nr), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(cgroup_write(self->child[0], limits[i], "256K"), 0);
		/* Only zswap then */
		for (int node = 1; node <= 2; node++)
			ASSERT_EQ(write_sim(node, "refuse", i), 0);
		p = map_region(nr, true);
		for (int round = 0; round < 2; round++) {
			fill_region(p, nr, PATTERN_QUARTER, 13 + round);
			EXPECT_GE(stat_of(self->child[0], "anon_thp"),
				  (long)(nr * page_size) / 2);
			ASSERT_EQ(swap_out(p, nr), nr);
			EXPECT_LE(cgroup_read(self->child[0], currents[i]), most);
			EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 13 + round), nr);
			munmap(p, nr * page_size);
			p = map_region(nr, true);
		}
		munmap(p, nr * page_size);
		EXPECT_LE(wait_slots(self->slots), self->slots);
		EXPECT_EQ(cgroup_write(self->child[0], limits[i], "max"), 0);
	}

	/* What is there goes, if anything */
	for (int node = 1; node <= 2; node++)
		ASSERT_EQ(write_sim(node, "refuse", 0), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 15);
	ASSERT_NE(p, NULL);
	stored = stat_of(self->child[0], "cram_stored");
	EXPECT_EQ(stored, NR * (long)page_size);
	EXPECT_EQ(cgroup_write(self->parent, "memory.cram.max", "0"), 0);
	for (int i = 0; i < 4; i++) {
		char *q = fill_and_swap_out(NR, PATTERN_QUARTER, 16 + i);
		long now = stat_of(self->child[0], "cram_stored");

		ASSERT_NE(q, NULL);
		EXPECT_LE(now, stored);
		stored = now;
		EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 16 + i), NR);
		munmap(q, NR * page_size);
	}
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 15), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* memory.zswap.max is for what zswap has compressed, or for all where it is 0. */
VSWAP_TEST(vswap_cram_memcg, zswap_limit)
{
	const long bytes = NR * page_size;
	long written;
	char *p, *q;

	EXPECT_EQ(cgroup_write(self->child[0], "memory.zswap.max", "256K"), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 7);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", bytes), bytes);
	EXPECT_EQ(cgroup_read(self->child[0], "memory.zswap.current"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 7), NR);
	munmap(p, bytes);

	/* Only zswap is left, which may not have all of them */
	ASSERT_EQ(write_sim(1, "refuse", 1), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	p = map_region(NR, false);
	fill_region(p, NR, PATTERN_QUARTER, 8);
	try_swap_out(p, NR);
	EXPECT_LE(cgroup_read(self->child[0], "memory.zswap.current"),
		  LIMIT + (long)page_size);
	EXPECT_LE(stat_of(self->child[0], "zswapped"), bytes / 2);

	/* For what does not go there nothing has to leave it, although it could */
	ASSERT_EQ(write_sim(1, "refuse", 0), 0);
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	written = vm_events("zswpwb");
	q = fill_and_swap_out(NR, PATTERN_QUARTER, 12);
	ASSERT_NE(q, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", bytes), bytes);
	EXPECT_EQ(vm_events("zswpwb"), written);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 8), NR);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 12), NR);
	munmap(p, bytes);
	munmap(q, bytes);

	/* Neither: all of it to the disk */
	EXPECT_EQ(cgroup_write(self->child[0], "memory.zswap.max", "0"), 0);
	p = fill_and_swap_out(NR, PATTERN_QUARTER, 9);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(wait_stat(self->child[0], "cram_stored", 0), 0);
	EXPECT_GE(disk_used(&self->disk), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 9), NR);
	munmap(p, bytes);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Nor may what has to leave a device, and is compressed, go beyond it. */
VSWAP_TEST(vswap_cram_memcg, evict_limit)
{
	const long bytes = NR * page_size;
	long moved = read_num(ZSWAP_DEBUG "recompressed_pages"), left;
	char *p;

	p = fill_and_swap_out(NR, PATTERN_QUARTER, 10);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(cgroup_write(self->child[0], "memory.zswap.max", "256K"), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", read_usage(1, "used_bytes") / 8), 0);
	left = NR - LIMIT / (long)page_size;
	EXPECT_LE(wait_node(1, "stored_pages", left), left);
	usleep(500000);
	EXPECT_GT(read_num(ZSWAP_DEBUG "recompressed_pages"), moved);
	EXPECT_LE(cgroup_read(self->child[0], "memory.zswap.current"),
		  LIMIT + (long)page_size);
	EXPECT_GE(stat_of(self->child[0], "cram_stored"), bytes / 2);
	EXPECT_EQ(wait_out(self->child[0], bytes), bytes);
	EXPECT_EQ(count_swapped(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 10), NR);
	munmap(p, bytes);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* How a task ends that needs more memory than its cgroup has: 0, or the signal. */
static int need_memory(const char *cgroup, size_t nr)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		char *p;

		if (cgroup_move(cgroup))
			_exit(1);
		p = map_region(nr, false);
		fill_region(p, nr, PATTERN_QUARTER, 11);
		_exit(check_region(p, nr, PATTERN_QUARTER, 11) != nr);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reclaim relies on the room below the limit, and not on what is beyond it. */
VSWAP_TEST(vswap_cram_memcg, reclaim)
{
	const char *cgroup = self->child[1];

	EXPECT_EQ(cgroup_write(cgroup, "memory.max", "6M"), 0);
	EXPECT_EQ(cgroup_write(cgroup, "memory.zswap.max", "64K"), 0);
	EXPECT_EQ(need_memory(cgroup, 3 * NR), 0);
	EXPECT_EQ(cgroup_read_key(cgroup, "memory.events", "oom_kill"), 0);

	EXPECT_EQ(cgroup_write(cgroup, "memory.cram.max", "64K"), 0);
	EXPECT_EQ(need_memory(cgroup, 3 * NR), SIGKILL);
	EXPECT_EQ(cgroup_read_key(cgroup, "memory.events", "oom_kill"), 1);
	self->killed++;
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
