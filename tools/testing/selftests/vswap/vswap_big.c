// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM of many pages, of a device as tools/testing/cram/cram_sim.c simulates
 * it. The kernel command line leaves 4 GB for it:
 *
 *	memmap=4G$ADDRESS cram_big=ADDRESS
 *
 * Where the kernel has the tracer preemptoff, the longest time with preemption off is
 * told, of what can be seen of the machine's clock.
 */
#include <sys/mount.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sim.h"

#define BYTES	(4UL << 30)
#define PAGES	((long)(BYTES / page_size))
#define TRACING	"/sys/kernel/tracing/"

FIXTURE(vswap_big) {
	char cgroup[128];
	long slots;
};

FIXTURE_VARIANT(vswap_big) {
	long nr;	/* pages that are swapped out */
};

FIXTURE_VARIANT_ADD(vswap_big, pages_65536) {
	.nr = 65536,
};

FIXTURE_VARIANT_ADD(vswap_big, pages_262144) {
	.nr = 262144,
};

FIXTURE_SETUP(vswap_big)
{
	const char *missing = vswap_missing();
	unsigned long start;
	char cmdline[4096], params[128], *p = NULL;

	if (missing)
		SKIP(return, "%s", missing);
	if (read_file("/proc/cmdline", cmdline, sizeof(cmdline)) > 0)
		p = strstr(cmdline, "cram_big=");
	if (!p || sscanf(p, "cram_big=%li", &start) != 1)
		SKIP(return, "no memory is left for it, see cram_big= on the command line");
	snprintf(params, sizeof(params), "start=%lu size=%lu nid=0 ratio=1", start, BYTES);
	ASSERT_EQ(sim_insert(params), 0);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_big", &self->slots), 0);
}

FIXTURE_TEARDOWN(vswap_big)
{
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	EXPECT_EQ(read_sim(1, "violations"), 0);
	EXPECT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_EQ(syscall(SYS_delete_module, "cram_sim", 0), 0);
	EXPECT_EQ(vswap_validate(), 0);
	cgroup_leave(self->cgroup);
}

static void trace(const char *tracer)
{
	if (!access(TRACING, F_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	write_file(TRACING "current_tracer", tracer);
	write_file(TRACING "tracing_max_latency", "0");
}

/* Microseconds, -1 if there is no such tracer. */
static long longest(void)
{
	return read_num(TRACING "tracing_max_latency");
}

/* Blank, filled, half of it moved elsewhere, and given up. */
VSWAP_TEST(vswap_big, all)
{
	const long nr = variant->nr;
	char *p = map_region(nr, false);
	long start = now_ms(), used;

	ASSERT_EQ(sim_wait_blank(0, BYTES), 0);
	TH_LOG("blank after %ld ms", now_ms() - start);
	EXPECT_EQ(read_node(0, "advertised_bytes"), BYTES);
	start = now_ms();
	fill_region(p, nr, PATTERN_QUARTER, 1);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(read_node(0, "stored_pages"), nr);
	TH_LOG("filled and out after %ld ms", now_ms() - start);

	used = read_usage(0, "used_bytes");
	start = now_ms();
	trace("preemptoff");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	EXPECT_LE(wait_node(0, "used_bytes", used / 2), used / 2);
	TH_LOG("half of it elsewhere after %ld ms, %ld us without preemption",
	       now_ms() - start, longest());
	EXPECT_GE(read_node(0, "evicted"), nr * 9 / 20);
	EXPECT_EQ(check_region(p, nr / 8, PATTERN_QUARTER, 1), nr / 8);

	start = now_ms();
	trace("preemptoff");
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	TH_LOG("given up after %ld ms, %ld us without preemption", now_ms() - start, longest());
	trace("nop");
	EXPECT_TRUE(wait_gone(0));
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 1), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	ASSERT_EQ(write_sim(1, "registered", 1), 0);
}

TEST_HARNESS_MAIN
