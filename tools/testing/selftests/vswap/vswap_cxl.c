// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM from end to end: the volatile memory of a CXL device becomes a
 * region, a DAX device, a node of compressed RAM, and holds pages.
 */
#include "../kselftest_harness.h"
#include "cxl.h"
#include "knobs.h"
#include "sim.h"

#define NR		1024

FIXTURE(vswap_cxl) {
	char cgroup[128];
	char dax[32];		/* the DAX device */
	int node;		/* of its memory */
	long slots;
	struct disk disk;
};

FIXTURE_SETUP(vswap_cxl)
{
	const char *missing = vswap_missing();

	self->disk.fd = -1;
	if (!missing)
		missing = cxl_setup(self->dax, sizeof(self->dax), &self->node);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_GE(self->node, 0);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cxl"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
	ASSERT_EQ(dax_bind(self->dax), 0);
	ASSERT_EQ(read_node(self->node, "stored_pages"), 0);
}

FIXTURE_TEARDOWN(vswap_cxl)
{
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->disk);
	/* What a test may have left behind */
	sim_unload();
	kmem_off(self->dax);
	dax_unbind(self->dax);
	dax_forget(self->dax);
	cgroup_leave(self->cgroup);
}

/* Out to the device and in again, small pages and huge ones. */
VSWAP_TEST(vswap_cxl, store)
{
	size_t nr = (2UL << 20) / page_size;
	char *p = map_region(NR, false), *q = map_region(nr, true);
	long out = read_num(FOLIO_2M "stats/zswpout");

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	EXPECT_EQ(read_node(self->node, "capacity_bytes"),
		  read_node(self->node, "advertised_bytes"));
	fill_region(p, NR, PATTERN_QUARTER, 1);
	fill_region(q, nr, PATTERN_RANDOM, 1);
	ASSERT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"), nr * page_size);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(swap_out(q, nr), nr);
	EXPECT_EQ(read_num(FOLIO_2M "stats/zswpout"), out + 1);
	EXPECT_GE(read_node(self->node, "stored_pages"), NR + nr);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	EXPECT_EQ(check_region(q, nr, PATTERN_RANDOM, 1), nr);
	EXPECT_GE(read_node(self->node, "loaded"), NR + nr);
	munmap(p, NR * page_size);
	munmap(q, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_LE(read_node(self->node, "stored_pages"), OWN_PAGES);
}

/* From the device to a disk, and in again. */
VSWAP_TEST(vswap_cxl, writeback)
{
	char *p = map_region(NR, false);
	long in;

	ASSERT_EQ(disk_setup(&self->disk, 0, 8 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	fill_region(p, NR, PATTERN_RANDOM, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(self->node, "stored_pages"), NR);
	/* Nobody knows what the device saves */
	EXPECT_GE(cgroup_read(self->cgroup, "memory.cram.current"),
		  NR * (long)page_size * 15 / 16);
	EXPECT_EQ(disk_used(&self->disk), 0);
	/* The limit makes those go that are there */
	limit_write_back(self->cgroup, "memory.cram.max", NR / 2);
	EXPECT_GE(disk_used(&self->disk), NR / 2);
	/* From there, not from the swap cache */
	wait_writeback();
	drop_swap_cache(self->cgroup, NR);
	in = vm_events("pswpin");
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
	EXPECT_GE(vm_events("pswpin"), in + NR / 4);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* The driver is unbound under load, and bound again. */
VSWAP_TEST(vswap_cxl, unbind)
{
	int go_on = fork_load(3, 1, NR / 2, PATTERN_ANY);
	char *p = map_region(NR, false);

	ASSERT_GE(go_on, 0);
	fill_region(p, NR, PATTERN_RANDOM, 3);
	for (int i = 0; i < debug_few(3, 2); i++) {
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_GT(read_node(self->node, "stored_pages"), 0);
		EXPECT_EQ(dax_unbind(self->dax), 0);
		EXPECT_EQ(read_node(self->node, "stored_pages"), -1);
		EXPECT_EQ(direct_pages(), 0);
		EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 3), NR);
		ASSERT_EQ(dax_bind(self->dax), 0);
	}
	EXPECT_EQ(wait_load(go_on, 3), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* A device that goes too early keeps its pages until it is back. */
VSWAP_TEST(vswap_cxl, unbind_no_room)
{
	const size_t nr = 384;
	char *p = map_region(nr, false), text[32];
	long capacity;

	fill_region(p, nr, PATTERN_RANDOM, 4);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(cgroup_no_room(self->cgroup), 0);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "0"), 0);
	EXPECT_EQ(dax_unbind(self->dax), 0);
	EXPECT_TRUE(node_is(self->node, "orphan"));
	EXPECT_GT(read_node(self->node, "stored_pages"), 0);
	/* Nobody else gets it meanwhile */
	EXPECT_NE(kmem_on(self->dax), 0);
	/* What is known of it stays known */
	capacity = read_node(self->node, "advertised_bytes") / 2;
	snprintf(text, sizeof(text), "%ld", capacity);
	EXPECT_EQ(write_node(self->node, "capacity_bytes", text), 0);
	ASSERT_EQ(dax_bind(self->dax), 0);
	EXPECT_TRUE(node_is(self->node, "online"));
	EXPECT_EQ(read_node(self->node, "capacity_bytes"), capacity);
	EXPECT_GT(read_node(self->node, "stored_pages"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 4), nr);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(dax_unbind(self->dax), 0);
	EXPECT_EQ(read_node(self->node, "stored_pages"), -1);
}

/* How much there really is can be set; each page counts in full, freed or not. */
VSWAP_TEST(vswap_cxl, capacity)
{
	const long room = NR / 2;
	char *p = map_region(NR, false), text[32];

	/* An emulated device takes minutes to be overwritten where all is checked */
	if (!debug_few(1, 0))
		SKIP(return, "only with VSWAP_ALL=1");
	snprintf(text, sizeof(text), "%ld", room * (long)page_size);
	ASSERT_EQ(write_node(self->node, "capacity_bytes", "x"), -EINVAL);
	ASSERT_EQ(write_node(self->node, "capacity_bytes", text), 0);
	EXPECT_EQ(read_node(self->node, "capacity_bytes"), room * (long)page_size);
	/* All of what was there before has to be overwritten first */
	for (int i = 0; i < 20 && wait_node(self->node, "used_bytes", 0) > 0; i++)
		;
	EXPECT_EQ(read_usage(self->node, "used_bytes"), 0);
	for (int i = 0; i < 3; i++) {
		fill_region(p, NR, PATTERN_WORD, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_LE(read_node(self->node, "used_bytes"), room * (long)page_size);
		EXPECT_LE(read_node(self->node, "stored_pages"), room);
		EXPECT_GE(read_node(self->node, "stored"), room * 9 / 10);
		EXPECT_EQ(check_region(p, NR, PATTERN_WORD, i), NR);
	}
	/* With half of the room, half of the pages go */
	wait_node(self->node, "used_bytes", OWN_PAGES * page_size);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GT(read_node(self->node, "stored_pages"), room / 2);
	snprintf(text, sizeof(text), "%ld", room / 2 * (long)page_size);
	ASSERT_EQ(write_node(self->node, "capacity_bytes", text), 0);
	EXPECT_LE(wait_node(self->node, "stored_pages", room / 2), room / 2);
	EXPECT_LE(read_usage(self->node, "used_bytes"), room / 2 * (long)page_size);
	EXPECT_EQ(check_region(p, NR, PATTERN_WORD, 2), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A node may have several devices, which take turns. */
VSWAP_TEST(vswap_cxl, second_device)
{
	const int node = self->node, other = node == 1 ? 2 : 1;
	char *p = map_region(NR, false), path[128];
	const char *missing = sim_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load(node, other), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	snprintf(path, sizeof(path), CRAM_NODE "%d.1/trimmed", node);
	for (int i = 0; i < 600 && read_num(path) < SIM_RANGE / page_size; i++)
		usleep(50000);
	snprintf(path, sizeof(path), CRAM_NODE "%d.1/stored_pages", node);
	EXPECT_EQ(read_num(path), 0);
	EXPECT_NE(read_node(node, "advertised_bytes"), SIM_RANGE);
	fill_region(p, NR, PATTERN_QUARTER, 5);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(node, "stored_pages"), NR / 3);
	EXPECT_GE(read_num(path), NR / 3);
	EXPECT_EQ(read_node(other, "stored_pages"), 0);

	/* One of them goes, and only what is on it */
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_EQ(read_num(path), -1);
	EXPECT_GE(read_node(node, "stored_pages"), NR / 3);
	EXPECT_TRUE(tier_has(0, 63, node));
	ASSERT_EQ(sim_unload(), 0);
	EXPECT_TRUE(tier_has(0, 63, node));
	ASSERT_EQ(dax_unbind(self->dax), 0);
	EXPECT_FALSE(tier_has(0, 63, node));
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 5), NR);
	munmap(p, NR * page_size);
}

/*
 * A node may have system memory as well, here that of the CXL device. Whichever of
 * the two comes first and goes first, the node stays in its memory tier until both
 * are gone.
 */
VSWAP_TEST(vswap_cxl, shared_node)
{
	const int node = self->node, other = node == 1 ? 2 : 1;
	const char *missing = sim_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(dax_unbind(self->dax), 0);
	dax_forget(self->dax);
	ASSERT_FALSE(tier_has(0, 63, node));
	for (int order = 0; order < 4; order++) {
		const bool kmem_first = order & 1, kmem_leaves = order & 2;

		if (kmem_first)
			ASSERT_EQ(kmem_on(self->dax), 0);
		ASSERT_EQ(sim_load(node, other), 0);
		if (!kmem_first)
			ASSERT_EQ(kmem_on(self->dax), 0);
		EXPECT_TRUE(tier_has(0, 63, node));
		EXPECT_TRUE(tier_has(0, 63, other));

		if (kmem_leaves) {
			ASSERT_EQ(kmem_off(self->dax), 0);
			EXPECT_TRUE(tier_has(0, 63, node));
			ASSERT_EQ(sim_unload(), 0);
		} else {
			ASSERT_EQ(sim_unload(), 0);
			EXPECT_TRUE(tier_has(0, 63, node));
			ASSERT_EQ(kmem_off(self->dax), 0);
		}
		EXPECT_FALSE(tier_has(0, 63, node));
		EXPECT_FALSE(tier_has(0, 63, other));
	}
}

TEST_HARNESS_MAIN
