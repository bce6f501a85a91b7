// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM on a machine with two nodes, each with a device of its own, as
 * tools/testing/cram/cram_sim.c simulates them: pages go to the one that is near.
 */
#include <sys/syscall.h>
#include <linux/mempolicy.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sim.h"

#define NR		1024

FIXTURE(vswap_numa) {
	char cgroup[128];
	long slots;
	bool loaded;
};

FIXTURE_SETUP(vswap_numa)
{
	const char *missing = vswap_sim_missing();

	if (!missing && access("/sys/devices/system/node/node1/meminfo", F_OK))
		missing = "one node only";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_blank(0, 1), 0);
	self->loaded = true;
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_numa"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_numa)
{
	EXPECT_EQ(vswap_validate(), 0);
	if (self->loaded)
		EXPECT_EQ(sim_unload(), 0);
	cgroup_leave(self->cgroup);
}

/* A region whose pages are on a node. */
static char *map_on(size_t nr, int node)
{
	unsigned long mask = 1UL << node;
	char *p = map_region(nr, false);

	if (syscall(SYS_mbind, p, nr * page_size, MPOL_BIND, &mask, 8 * sizeof(mask), 0))
		return NULL;
	return p;
}

/* The near one has almost all, until it does not want any: then the far one does. */
VSWAP_TEST(vswap_numa, near_first)
{
	for (int node = 0; node < 2; node++) {
		char *p = map_on(NR, node);
		long near = read_node(node, "stored"), far = read_node(!node, "stored");

		ASSERT_NE(p, NULL);
		fill_region(p, NR, PATTERN_QUARTER, node);
		ASSERT_EQ(swap_out(p, NR), NR);
		near = read_node(node, "stored") - near;
		far = read_node(!node, "stored") - far;
		TH_LOG("pages of node %d: %ld near, %ld far", node, near, far);
		EXPECT_GE(near, NR * 95 / 100);
		EXPECT_GE(near, (near + far) * 95 / 100);
		EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, node), NR);

		/* The devices of the simulation are numbered from 1 on */
		ASSERT_EQ(write_sim(node + 1, "refuse", 1), 0);
		far = read_node(!node, "stored");
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_GE(read_node(!node, "stored"), far + NR * 95 / 100);
		EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, node), NR);
		ASSERT_EQ(write_sim(node + 1, "refuse", 0), 0);
		munmap(p, NR * page_size);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
