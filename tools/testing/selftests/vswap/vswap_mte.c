// SPDX-License-Identifier: GPL-2.0
/*
 * Memory tags, as arm64 has them, of pages that go to compressed RAM and on from there:
 * they stay with their page, and with nobody else's. Simulated by
 * tools/testing/cram/cram_sim.c, on node 0.
 */
#include "../kselftest_harness.h"

#define NO_TAGS		"no memory tags, which arm64 may have"

#ifdef __aarch64__
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include "knobs.h"
#include "sim.h"

/* More than half of a device's pages: two regions, one after the other, have some of them */
#define RANGE		(2UL << 20)
#define NR		400

#define GRANULE		16	/* bytes, which have one tag */
#define TAG_SHIFT	56	/* in an address */
#define TAG_MASK	15

/* What may be left on the device when it is told to have no more room */
#define LEFT		16

enum where {
	ON_DEVICE,
	IN_SOFTWARE,	/* the device has refused */
	EVICTED,	/* from the device, and compressed again */
	ON_DISK,	/* evicted, and there is a disk */
};

struct place {
	enum where where;
	struct disk disk;
	long slots;		/* before the test */
};

FIXTURE(vswap_mte) {
	char cgroup[128];
	bool loaded;
	struct place place;
};

FIXTURE_VARIANT(vswap_mte) {
	enum where where;
	const char *verify;	/* checksums */
};

FIXTURE_VARIANT_ADD(vswap_mte, device) { .where = ON_DEVICE, .verify = "1" };
FIXTURE_VARIANT_ADD(vswap_mte, unverified) { .where = ON_DEVICE, .verify = "0" };
FIXTURE_VARIANT_ADD(vswap_mte, software) { .where = IN_SOFTWARE, .verify = "1" };
FIXTURE_VARIANT_ADD(vswap_mte, evicted) { .where = EVICTED, .verify = "1" };
FIXTURE_VARIANT_ADD(vswap_mte, evicted_unverified) { .where = EVICTED, .verify = "0" };
FIXTURE_VARIANT_ADD(vswap_mte, disk) { .where = ON_DISK, .verify = "1" };

FIXTURE_SETUP(vswap_mte)
{
	const char *missing = vswap_missing();

	self->place.where = variant->where;
	self->place.disk.fd = -1;
	if (!(getauxval(AT_HWCAP2) & HWCAP2_MTE))
		missing = NO_TAGS;
	if (!missing)
		missing = sim_missing();
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_with(0, 0, RANGE, "ratio=1"), 0);
	self->loaded = true;
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(0, RANGE), 0);
	ASSERT_EQ(write_node(0, "verify", variant->verify), 0);
	if (variant->where == ON_DISK) {
		ASSERT_EQ(disk_setup(&self->place.disk, 0, 4 * NR), NULL);
		ASSERT_EQ(disk_on(&self->place.disk, 10), 0);
	}
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_mte",
			      &self->place.slots), 0);
}

FIXTURE_TEARDOWN(vswap_mte)
{
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->place.disk);
	if (self->loaded) {
		EXPECT_EQ(read_sim(1, "lost_writes"), 0);
		EXPECT_EQ(sim_unload(), 0);
	}
	cgroup_leave(self->cgroup);
}

static int map_tags(char *p)
{
	return mprotect(p, NR * page_size, PROT_READ | PROT_WRITE | PROT_MTE) ? -errno : 0;
}

static char *with_tag(const char *p, unsigned long tag)
{
	return (char *)((unsigned long)p | tag << TAG_SHIFT);
}

static void set_tag(char *p, unsigned long tag)
{
	asm volatile(".arch armv8.5-a+memtag\n\tstg %0, [%0]" :: "r" (with_tag(p, tag)) : "memory");
}

static unsigned long get_tag(const char *p)
{
	unsigned long address = (unsigned long)p;

	asm volatile(".arch armv8.5-a+memtag\n\tldg %0, [%0]" : "+r" (address) :: "memory");
	return address >> TAG_SHIFT & TAG_MASK;
}

/* That of a granule, counted through a region, differs from region to region. */
static unsigned long tag_of(unsigned long seed, size_t granule)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ULL + granule * 0xd1342543de82ef95ULL + 1;

	return pattern_next(&state) >> 32 & TAG_MASK;
}

/* Data, and a tag for each granule. Nobody looks at tags, unless read_with() does. */
static void fill_tagged(char *p, unsigned long seed)
{
	fill_region(p, NR, PATTERN_QUARTER, seed);
	for (size_t i = 0; i < NR * page_size / GRANULE; i++)
		set_tag(p + i * GRANULE, tag_of(seed, i));
}

/* How many granules have another tag? */
static size_t wrong_tags(const char *p, unsigned long seed)
{
	size_t n = 0;

	for (size_t i = 0; i < NR * page_size / GRANULE; i++)
		n += get_tag(p + i * GRANULE) != tag_of(seed, i);
	return n;
}

static size_t any_tags(const char *p)
{
	size_t n = 0;

	for (size_t i = 0; i < NR * page_size / GRANULE; i++)
		n += get_tag(p + i * GRANULE) != 0;
	return n;
}

static void get_byte(const char *p)
{
	unsigned int byte;

	asm volatile("ldrb %w0, [%1]" : "=r" (byte) : "r" (p) : "memory");
}

static sigjmp_buf segv;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	siglongjmp(segv, info->si_code);
}

/* How reading a byte through an address with that tag ends: 0, or the code of the signal. */
static int read_with(const char *p, unsigned long tag)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	int code;

	if (prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE | PR_MTE_TCF_SYNC, 0, 0, 0))
		return -errno;
	sigaction(SIGSEGV, &action, NULL);
	code = sigsetjmp(segv, 1);
	if (!code)
		get_byte(with_tag(p, tag));
	signal(SIGSEGV, SIG_DFL);
	prctl(PR_SET_TAGGED_ADDR_CTRL, 0, 0, 0, 0);
	return code;
}

/* Have a region paged out to where it is to be, false if it does not get there. */
static bool try_move_out(struct place *place, char *p,
			 size_t (*count)(const char *p, size_t nr))
{
	enum where where = place->where;
	long stored;

	/* What was freed can be used once it is trimmed */
	write_sim(1, "capacity_bytes", RANGE);
	write_sim(1, "refuse", where == IN_SOFTWARE);
	if (wait_node(0, "used_bytes", LEFT * page_size) > LEFT * page_size)
		return false;

	if (page_out_all(p, NR, count) != NR)
		return false;
	wait_writeback();
	if (vswap_validate())
		return false;
	if (where == IN_SOFTWARE)
		return read_node(0, "stored_pages") <= OWN_PAGES &&
		       vswap_stat("slots_zswap") >= NR;
	stored = read_node(0, "stored_pages");
	/* What was on a disk may be written there again */
	if (where == ON_DISK)
		stored += disk_used(&place->disk);
	if (stored < NR)
		return false;
	if (where == ON_DEVICE)
		return true;

	write_sim(1, "capacity_bytes", 4 * page_size);
	if (wait_node(0, "stored_pages", LEFT) > LEFT)
		return false;
	wait_writeback();
	if (where == ON_DISK)
		return disk_used(&place->disk) >= NR - LEFT;
	return vswap_stat("slots_zswap") >= NR;
}

static bool move_out(struct place *place, char *p, size_t (*count)(const char *p, size_t nr))
{
	if (try_move_out(place, p, count))
		return true;
	printf("# %zu of %d are out: %ld on the device, %ld in zswap with these, %ld on the disk\n",
	       count(p, NR), NR, read_node(0, "stored_pages"), vswap_stat("slots_zswap"),
	       disk_used(&place->disk));
	return false;
}

/* Out and in: data and tags are as they were, and an address with another tag is none. */
static void check_kept(struct __test_metadata *_metadata, struct place *place, char *p,
		       size_t (*count)(const char *p, size_t nr))
{
	const char *last = p + (NR - 1) * page_size;
	size_t granule = (last - p) / GRANULE;

	ASSERT_EQ(map_tags(p), 0);
	fill_tagged(p, 1);
	ASSERT_EQ(wrong_tags(p, 1), 0);
	ASSERT_TRUE(move_out(place, p, count));
	/* Before anything else has brought it in */
	EXPECT_EQ(read_with(p, tag_of(1, 0) ^ 1), SEGV_MTESERR);
	EXPECT_EQ(read_with(last, tag_of(1, granule)), 0);
	EXPECT_EQ(wrong_tags(p, 1), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	EXPECT_EQ(read_with(p, tag_of(1, 0)), 0);
	EXPECT_EQ(read_with(last, tag_of(1, granule) ^ 8), SEGV_MTESERR);

	/* The same pages again, with other tags */
	fill_tagged(p, 2);
	ASSERT_TRUE(move_out(place, p, count));
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 2), NR);
	EXPECT_EQ(wrong_tags(p, 2), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(place->slots), place->slots);
}

VSWAP_TEST(vswap_mte, kept)
{
	check_kept(_metadata, &self->place, map_region(NR, false), count_swapped);
}

VSWAP_TEST(vswap_mte, kept_large)
{
	long folios = read_num(FOLIO_64K "stats/nr_anon");
	char *p = map_region(NR, false);

	ASSERT_EQ(write_file(FOLIO_64K "enabled", "always"), 0);
	madvise(p, NR * page_size, MADV_HUGEPAGE);
	fill_region(p, NR, PATTERN_QUARTER, 0);
	EXPECT_GT(read_num(FOLIO_64K "stats/nr_anon"), folios);
	check_kept(_metadata, &self->place, p, count_swapped);
}

/*
 * How much of a shared region is out? What is not may have been unmapped for it, and would
 * be passed by the next time.
 */
static size_t count_shared(const char *p, size_t nr)
{
	size_t n = 0;

	for (size_t i = 0; i < nr; i++) {
		if (count_out(p + i * page_size, 1))
			n++;
		else
			get_byte(p + i * page_size);
	}
	return n;
}

VSWAP_TEST(vswap_mte, kept_shmem)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(p, MAP_FAILED);
	check_kept(_metadata, &self->place, p, count_shared);
}

/* Who comes to where somebody's tags have been does not get to see them. */
VSWAP_TEST(vswap_mte, reused)
{
	for (int i = 0; i < 2; i++) {
		char *p = map_region(NR, false), *q = map_region(NR, false);

		ASSERT_EQ(map_tags(p), 0);
		fill_tagged(p, i);
		ASSERT_TRUE(move_out(&self->place, p, count_swapped));
		/* They are freed where they are, or when they have been read back */
		if (i)
			EXPECT_EQ(wrong_tags(p, i), 0);
		munmap(p, NR * page_size);

		fill_region(q, NR, PATTERN_QUARTER, 10 + i);
		ASSERT_TRUE(move_out(&self->place, q, count_swapped));
		/* Tags can be asked for before they come back, or later */
		if (i)
			ASSERT_EQ(map_tags(q), 0);
		EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 10 + i), NR);
		ASSERT_EQ(map_tags(q), 0);
		EXPECT_EQ(any_tags(q), 0);
		EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 10 + i), NR);
		munmap(q, NR * page_size);
		EXPECT_LE(wait_slots(self->place.slots), self->place.slots);
	}
}

/* Parent and child have the same, until one of them changes it. */
VSWAP_TEST(vswap_mte, forked)
{
	char *p = map_region(NR, false);
	pid_t pid;

	ASSERT_EQ(map_tags(p), 0);
	fill_tagged(p, 1);
	ASSERT_TRUE(move_out(&self->place, p, count_swapped));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bool right = !wrong_tags(p, 1) &&
			     check_region(p, NR, PATTERN_QUARTER, 1) == NR;

		fill_tagged(p, 2);
		_exit(right && !wrong_tags(p, 2) ? 0 : 1);
	}
	EXPECT_EQ(wrong_tags(p, 1), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	EXPECT_EQ(wait_child(pid), 0);

	/* The other one's pages are gone */
	EXPECT_EQ(wrong_tags(p, 1), 0);
	ASSERT_TRUE(move_out(&self->place, p, count_swapped));
	EXPECT_EQ(wrong_tags(p, 1), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->place.slots), self->place.slots);
}

#else

TEST(vswap_mte)
{
	SKIP(return, NO_TAGS);
}

#endif

TEST_HARNESS_MAIN
