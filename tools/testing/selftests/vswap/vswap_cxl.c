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
	EXPECT_EQ(disk_used(&self->disk), 0);
	/* The limit makes those go that are there */
	zswap_write_back(self->cgroup, NR / 2);
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
	char *p = map_region(nr, false);

	fill_region(p, nr, PATTERN_RANDOM, 4);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(cgroup_no_room(self->cgroup), 0);
	EXPECT_EQ(dax_unbind(self->dax), 0);
	EXPECT_GT(read_node(self->node, "stored_pages"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	ASSERT_EQ(dax_bind(self->dax), 0);
	EXPECT_GT(read_node(self->node, "stored_pages"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 4), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(dax_unbind(self->dax), 0);
	EXPECT_EQ(read_node(self->node, "stored_pages"), -1);
}

/* A node has one device: the second one is refused, until the first is gone. */
VSWAP_TEST(vswap_cxl, second_device)
{
	const int node = self->node, other = node == 1 ? 2 : 1;
	const char *missing = sim_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(dax_unbind(self->dax), 0);
	ASSERT_EQ(sim_load(node, other), 0);
	EXPECT_NE(dax_bind(self->dax), 0);
	EXPECT_EQ(read_node(node, "advertised_bytes"), SIM_RANGE);
	ASSERT_EQ(sim_unload(), 0);
	EXPECT_FALSE(tier_has(0, 63, node));
	ASSERT_EQ(dax_bind(self->dax), 0);
	EXPECT_NE(read_node(node, "advertised_bytes"), SIM_RANGE);
	EXPECT_NE(sim_load(node, other), 0);
	EXPECT_TRUE(tier_has(0, 63, node));
	EXPECT_FALSE(tier_has(0, 63, other));
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
