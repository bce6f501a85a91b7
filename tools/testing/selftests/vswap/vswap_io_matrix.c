// SPDX-License-Identifier: GPL-2.0
/*
 * Failing I/O of virtual slots, wherever it can hit: {read, write} x {where in a
 * group of pages} x {what is behind its neighbours} x {who does it} x {for once,
 * or for good} x {order 0, 64 kB}. In each cell exactly the pages that could not
 * be read are lost, all else is right, and nothing is left behind.
 *
 * A choice runs in which each pair of values occurs. VSWAP_ALL=1 has all of it.
 */
#include "../kselftest_harness.h"
#include <sys/syscall.h>
#include "dm.h"
#include "fault.h"
#include "knobs.h"
#include "place.h"

enum { FIRST, MIDDLE, LAST, WHOLE, NR_PIECES };
enum { BY_ZSWAP, BY_ZERO, BY_OTHER, BY_POISON, NR_BESIDE };
enum { FAULT, SHMEM, READAHEAD, WRITEBACK, SWAPOFF, PUNCH, NR_PATHS };
enum { PASSING, LASTING, NR_ERRORS };
enum { SMALL, LARGE, NR_SIZES };
enum { READING, WRITING, NR_OPS };

#define NR_AXES	6

static const int axis_len[NR_AXES] = {
	NR_OPS, NR_PIECES, NR_BESIDE, NR_PATHS, NR_ERRORS, NR_SIZES,
};

static const char * const axis_text[NR_AXES][8] = {
	{ "read", "write" },
	{ "first", "middle", "last", "whole" },
	{ "zswap", "zero", "other device", "poison" },
	{ "fault", "shmem", "readahead", "zswap writeback", "swapoff", "punch hole" },
	{ "passing", "lasting" },
	{ "order 0", "64 kB" },
};

union cell {
	struct {
		int op, piece, beside, path, error, size;
	};
	int axis[NR_AXES];
};

/* The pages whose blocks are bad: so many from there on. */
static const struct {
	int first, nr;
} pieces[NR_PIECES] = {
	[FIRST] = { 0, 1 }, [MIDDLE] = { 7, 2 }, [LAST] = { GROUP - 1, 1 },
	[WHOLE] = { 0, GROUP },
};

/* Why a cell can't occur, NULL if it can. */
static const char *impossible(const union cell *cell)
{
	if (cell->piece == WHOLE && cell->beside != BY_ZSWAP)
		return "a whole group has no neighbours; one run is enough";
	if (cell->op == READING) {
		if (cell->path == WRITEBACK)
			return "zswap reads nothing, see vswap_decompress";
		if ((cell->path == SHMEM || cell->path == PUNCH) && cell->size == LARGE)
			return "a large folio of shmem has all pages in one place when it goes out";
		if ((cell->path == READAHEAD || cell->path == SWAPOFF) && cell->size == LARGE)
			return "both read single pages";
		if (cell->size == LARGE && cell->beside == BY_POISON)
			return "what is lost is not read together with others";
		if (cell->size == LARGE && access(FAIL_REQUEST, F_OK))
			return "what is as fast as memory, and read at one go, does not fail";
		return NULL;
	}
	if (cell->path == READAHEAD || cell->path == SWAPOFF || cell->path == PUNCH)
		return "writes nothing";
	if (cell->path == WRITEBACK && cell->size == LARGE)
		return "zswap writes back single pages";
	if (cell->piece != WHOLE && cell->beside != BY_OTHER)
		return "what is written is written as a whole, to devices";
	return NULL;
}

struct matrix {
	char cgroup[128];
	long slots;
	struct disk bad, below, before, after;
	bool has_before, has_after;
	bool fast;			/* all of them are as fast as memory */
	bool running;			/* a cell, which has these */
	int fd;				/* of shared memory */
	char *p;
};

static void set_large(const char *when)
{
	write_file(FOLIO_64K "enabled", when);
	write_file(FOLIO_64K "shmem_enabled", when);
}

FIXTURE(vswap_io_matrix) {
	struct matrix m;
};

FIXTURE_SETUP(vswap_io_matrix)
{
	const char *missing = vswap_missing();

	if (!missing && write_file(FOLIO_64K "enabled", "never"))
		missing = "no large folios of 64 kB";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->m.cgroup, sizeof(self->m.cgroup),
			       "vswap_io_matrix"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	/* Its own stack and data are not to be among what is swapped out, and counted */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->m.slots = vswap_stat("slots_used");
}

/* What is behind the pages: 'd' for the bad disk, 'o' for others. */
static void cell_places(const union cell *cell, char *where)
{
	static const char beside[NR_BESIDE] = { 'z', '0', 'o', 'o' };

	memset(where, beside[cell->beside], GROUP);
	memset(where + pieces[cell->piece].first, 'd', pieces[cell->piece].nr);
	/* Poison comes from the device before */
	if (cell->piece != FIRST && cell->beside == BY_POISON)
		memset(where + pieces[cell->piece].first + pieces[cell->piece].nr, 'z',
		       GROUP - pieces[cell->piece].first - pieces[cell->piece].nr);
	where[GROUP] = 0;
}

/*
 * The disks of a cell, with as many slots as there are pages for each, so that
 * each is full when the next one's turn comes: one before, the bad one, one after.
 */
static const char *cell_disks(struct matrix *m,
			      const union cell *cell)
{
	const int first = pieces[cell->piece].first, nr = pieces[cell->piece].nr;
	const bool others = cell->beside >= BY_OTHER && cell->piece != WHOLE;
	const int nr_before = cell->piece == FIRST ? GROUP - nr : first;
	const int nr_after = GROUP - first - nr;
	const char *missing;

	m->running = true;
	m->fast = cell->op == READING && cell->size == LARGE;
	m->has_before = others && nr_before;
	m->has_after = others && cell->beside == BY_OTHER &&
			  cell->piece == MIDDLE && nr_after;
	missing = m->fast ? ram_setup(&m->bad, 1, nr) :
		  null_setup(&m->bad, nr,
			     cell->error == PASSING ? "badblocks_once" : "memory_backed");
	if (!missing && m->has_before)
		missing = m->fast ? ram_setup(&m->before, 0, nr_before) :
			  disk_setup(&m->below, 0, nr_before) ?:
			  dm_setup(&m->before, &m->below);
	if (!missing && m->has_after)
		missing = ram_setup(&m->after, 2, nr_after);
	if (missing)
		return missing;
	if (disk_on(&m->bad, 20) ||
	    (m->has_before && disk_on(&m->before, cell->piece == FIRST ? 10 : 30)) ||
	    (m->has_after && disk_on(&m->after, 10)))
		return "a disk can't be switched on";
	return NULL;
}

/* Let the pages of the piece fail, or be good again. */
static int cell_fail(struct matrix *m, const union cell *cell, bool bad)
{
	if (m->fast)
		return fail_requests(&m->bad, bad ? "100" : "0",
				     cell->error == PASSING ? "1" : "-1");
	return null_bad(1, pieces[cell->piece].nr, bad);
}

static int cell_disks_remove(struct matrix *m)
{
	int err;

	m->running = false;
	if (m->fast)
		fail_requests(&m->bad, "0", "-1");
	err = disk_remove(&m->bad);
	if (!m->fast)
		err = null_remove() ?: err;
	if (m->has_before && m->fast) {
		err = disk_remove(&m->before) ?: err;
	} else if (m->has_before) {
		err = dm_table(&m->below, NULL) ?: err;
		err = dm_remove(&m->before) ?: err;
		err = disk_remove(&m->below) ?: err;
	}
	if (m->has_after)
		err = disk_remove(&m->after) ?: err;
	return err;
}

FIXTURE_TEARDOWN(vswap_io_matrix)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	if (self->m.running)
		EXPECT_EQ(cell_disks_remove(&self->m), 0);
	write_file(ZSWAP_PARAM "enabled", "1");
	write_file(VSWAP_MODE, "auto");
	set_large("never");
	cgroup_leave(self->m.cgroup);
}

/* Swap out shared pages, which page tables don't know, one by one. */
static bool place_shared(char *p, const char *where, unsigned long seed)
{
	for (int i = 0; i < GROUP; i++) {
		long used = vswap_stat("slots_used");
		char *page = p + i * page_size;

		pattern_fill(page, page_size, place_pattern(where, i), seed, i);
		write_file(ZSWAP_PARAM "enabled", where[i] == 'z' ? "1" : "0");
		for (int n = 0; n < 100 && vswap_stat("slots_used") <= used; n++) {
			madvise(page, page_size, MADV_PAGEOUT);
			usleep(1000);
		}
		if (vswap_stat("slots_used") <= used)
			return false;
	}
	write_file(ZSWAP_PARAM "enabled", "1");
	wait_writeback();
	return true;
}

static bool is_shared(const union cell *cell)
{
	return cell->path == SHMEM || cell->path == PUNCH;
}

static bool cell_map_shared(struct matrix *m)
{
	char *p = map_region(GROUP, false);

	m->fd = syscall(SYS_memfd_create, "vswap_io_matrix", 0);
	if (m->fd < 0 || ftruncate(m->fd, GROUP * page_size))
		return false;
	m->p = mmap(p, GROUP * page_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, m->fd, 0);
	return m->p != MAP_FAILED;
}

static bool cell_place(struct matrix *m,
		       const union cell *cell, const char *where,
		       unsigned long seed)
{
	if (!is_shared(cell)) {
		m->p = place_region(1, where, seed);
		return m->p;
	}
	return cell_map_shared(m) && place_shared(m->p, where, seed);
}

static bool in_piece(const union cell *cell, int i)
{
	return i >= pieces[cell->piece].first &&
	       i < pieces[cell->piece].first + pieces[cell->piece].nr;
}

static const char *cell_text(const union cell *cell)
{
	static char text[256];
	int len = 0;

	for (int i = 0; i < NR_AXES; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s",
				i ? ", " : "", axis_text[i][cell->axis[i]]);
	return text;
}

/* Do the pages end as they should? @lost: those of the piece are, too. */
static void cell_expect(struct __test_metadata *_metadata,
			struct matrix *m,
			const union cell *cell, const char *where,
			unsigned long seed, bool lost)
{
	for (int i = 0; i < GROUP; i++) {
		bool poison = cell->beside == BY_POISON && where[i] == 'o';
		int want = poison || (lost && in_piece(cell, i)) ? SIGBUS : 0;

		EXPECT_EQ(read_page(m->p, where, seed, i), want) {
			TH_LOG("page %d, %s", i, cell_text(cell));
		}
	}
}

/* How often that has happened with folios of 64 kB */
static long large_stat(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), FOLIO_64K "stats/%s", name);
	return read_num(path);
}

static void cell_read(struct __test_metadata *_metadata,
		      struct matrix *m,
		      const union cell *cell, unsigned long seed)
{
	const int first = pieces[cell->piece].first, nr = pieces[cell->piece].nr;
	long errors = vswap_stat("read_error"), poison = 0;
	bool lasting = cell->error == LASTING;
	char where[GROUP + 1], page[page_size];
	const char *missing;

	cell_places(cell, where);
	missing = cell_disks(m, cell);
	ASSERT_EQ(missing, NULL) {
		TH_LOG("%s: %s", cell_text(cell), missing);
	}
	ASSERT_TRUE(cell_place(m, cell, where, seed)) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(disk_used(&m->bad), nr);
	drop_swap_cache(m->cgroup, GROUP);
	if (m->has_before && cell->beside == BY_POISON) {
		ASSERT_EQ(dm_table(&m->below, "error_reads"), 0);
		ASSERT_EQ(disk_off(&m->before), 0);
		for (int i = 0; i < GROUP; i++)
			poison += where[i] == 'o';
		EXPECT_EQ(vswap_stat("slots_poison"), poison);
		errors = vswap_stat("read_error");
	}
	if (cell->size == LARGE) {
		set_large("always");
		madvise(m->p, GROUP * page_size, MADV_HUGEPAGE);
	}

	ASSERT_EQ(cell_fail(m, cell, true), 0);
	if (cell->path == READAHEAD) {
		madvise(m->p, GROUP * page_size, MADV_WILLNEED);
		EXPECT_TRUE(wait_read_error(errors)) {
			TH_LOG("%s", cell_text(cell));
		}
	} else if (cell->path == SWAPOFF) {
		EXPECT_EQ(disk_off(&m->bad), 0);
		EXPECT_EQ(vswap_stat("slots_poison"), poison + lasting * nr) {
			TH_LOG("%s", cell_text(cell));
		}
	} else if (cell->size == LARGE && cell->piece != WHOLE) {
		/* Another page of the folio is needed, and the bad ones are read with it */
		int other = first ? 0 : GROUP - 1;

		EXPECT_EQ(read_page(m->p, where, seed, other), 0);
		EXPECT_EQ(vswap_stat("read_error"), errors + 1) {
			TH_LOG("%s", cell_text(cell));
		}
	} else if (cell->path == PUNCH) {
		/* A part of the first bad page, which has to be read for it */
		EXPECT_EQ(fallocate(m->fd, 3, first * page_size + 100, 8), 0);
		if (!lasting) {
			char byte = 1;

			EXPECT_EQ(pread(m->fd, &byte, 1, first * page_size + 100), 1);
			EXPECT_EQ(byte, 0);
			/* ... and fill the hole, for what comes below */
			pattern_fill(page, page_size, place_pattern(where, first),
				     seed, first);
			EXPECT_EQ(pwrite(m->fd, page + 100, 8,
					 first * page_size + 100), 8);
		}
	}
	cell_expect(_metadata, m, cell, where, seed, lasting);
	/* Of a large folio, it is one request for all, and then each page by itself */
	errors = vswap_stat("read_error") - errors;
	EXPECT_TRUE(cell->size == LARGE ? errors == 1 + lasting * nr : errors > 0) {
		TH_LOG("%ld errors, %s", errors, cell_text(cell));
	}

	/* The disk is well again; what has been given up for good is not */
	ASSERT_EQ(cell_fail(m, cell, false), 0);
	cell_expect(_metadata, m, cell, where, seed,
		    lasting && (is_shared(cell) || cell->path == SWAPOFF));
}

/* Have the pages written to the disks, if they fail until @errors have been counted. */
static void cell_write_once(struct matrix *m, const union cell *cell, unsigned long seed,
			    long errors)
{
	if (cell->path == WRITEBACK) {
		char *more = map_region(2 * GROUP, false);

		try_swap_out(m->p, GROUP);
		cgroup_write(m->cgroup, "memory.zswap.max", "32K");
		fill_region(more, 2 * GROUP, PATTERN_QUARTER, seed);
		try_swap_out(more, 2 * GROUP);
		cgroup_write(m->cgroup, "memory.zswap.max", "max");
		wait_writeback();
		munmap(more, 2 * GROUP * page_size);
		return;
	}
	write_file(ZSWAP_PARAM "enabled", "0");
	for (int i = 0; i < 10 && vswap_stat("write_error") == errors; i++)
		try_swap_out(m->p, GROUP);
	write_file(ZSWAP_PARAM "enabled", "1");
}

static void cell_write(struct __test_metadata *_metadata,
		       struct matrix *m,
		       const union cell *cell, unsigned long seed)
{
	const char *stat = is_shared(cell) ? "shmem_alloc" : "anon_fault_alloc";
	long errors = vswap_stat("write_error"), large = large_stat(stat);
	long written = large_stat("swpout"), writes, reads = 0;
	char where[GROUP + 1];
	const char *missing;

	cell_places(cell, where);
	missing = cell_disks(m, cell);
	ASSERT_EQ(missing, NULL) {
		TH_LOG("%s: %s", cell_text(cell), missing);
	}
	m->p = map_region(GROUP, false);
	if (is_shared(cell)) {
		munmap(m->p, GROUP * page_size);
		ASSERT_TRUE(cell_map_shared(m));
	}
	if (cell->size == LARGE) {
		set_large("always");
		madvise(m->p, GROUP * page_size, MADV_HUGEPAGE);
	}
	fill_region(m->p, GROUP, PATTERN_QUARTER, seed);
	EXPECT_EQ(large_stat(stat), large + (cell->size == LARGE)) {
		TH_LOG("%s", cell_text(cell));
	}

	ASSERT_EQ(cell_fail(m, cell, true), 0);
	cell_write_once(m, cell, seed + 1, errors);
	EXPECT_GT(vswap_stat("write_error"), errors) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(large_stat("swpout") > written, cell->size == LARGE) {
		TH_LOG("%s", cell_text(cell));
	}
	cell_expect(_metadata, m, cell, where, seed, false);

	/* The disk is well again, and used: there are just as many slots as pages */
	ASSERT_EQ(cell_fail(m, cell, false), 0);
	fill_region(m->p, GROUP, PATTERN_QUARTER, seed + 2);
	errors = vswap_stat("write_error");
	writes = vm_events("pswpout");
	cell_write_once(m, cell, seed + 3, errors);
	EXPECT_GT(vm_events("pswpout"), writes) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("write_error"), errors) {
		TH_LOG("%s", cell_text(cell));
	}
	if (cell->path != WRITEBACK) {
		EXPECT_EQ(disk_used(&m->bad), pieces[cell->piece].nr) {
			TH_LOG("%s", cell_text(cell));
		}
		drop_swap_cache(m->cgroup, GROUP);
		reads = vm_events("pswpin");
	}
	cell_expect(_metadata, m, cell, where, seed + 2, false);
	if (cell->path != WRITEBACK) {
		EXPECT_GT(vm_events("pswpin"), reads) {
			TH_LOG("%s", cell_text(cell));
		}
	}
}

static void cell_run(struct __test_metadata *_metadata,
		     struct matrix *m,
		     const union cell *cell, unsigned long seed)
{
	m->fd = -1;
	m->p = NULL;
	if (cell->op == READING)
		cell_read(_metadata, m, cell, seed);
	else
		cell_write(_metadata, m, cell, seed);
	EXPECT_EQ(vswap_validate(), 0) {
		TH_LOG("%s", cell_text(cell));
	}

	if (m->p)
		munmap(m->p, GROUP * page_size);
	if (m->fd >= 0)
		close(m->fd);
	set_large("never");
	write_file(ZSWAP_PARAM "enabled", "1");
	EXPECT_LE(wait_slots(m->slots), m->slots) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("slots_device") + vswap_stat("slots_poison"), 0) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(cell_disks_remove(m), 0) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* Does a cell have a pair of values that none before it had? Notes them. */
static bool new_pairs(const union cell *cell)
{
	static bool seen[NR_AXES][NR_AXES][8][8];
	bool any = false;

	for (int i = 0; i < NR_AXES; i++) {
		for (int j = 0; j < i; j++) {
			bool *pair = &seen[i][j][cell->axis[i]][cell->axis[j]];

			any |= !*pair;
			*pair = true;
		}
	}
	return any;
}

VSWAP_TEST(vswap_io_matrix, cells)
{
	int nr = 1, run = 0, none = 0;

	for (int i = 0; i < NR_AXES; i++)
		nr *= axis_len[i];
	for (int n = 0; n < nr; n++) {
		/* Step so that neighbours differ on all axes; 389 is prime */
		int rest = (long)n * 389 % nr;
		const char *why;
		union cell cell;

		for (int i = 0; i < NR_AXES; i++) {
			cell.axis[i] = rest % axis_len[i];
			rest /= axis_len[i];
		}
		why = impossible(&cell);
		if (why) {
			none++;
			if (run_all())
				printf("# can't occur: %s: %s\n", cell_text(&cell), why);
			continue;
		}
		if (!new_pairs(&cell) && !run_all())
			continue;
		cell_run(_metadata, &self->m, &cell, 1000 + n);
		run++;
	}
	TH_LOG("%d cells, %d run, %d can't occur", nr, run, none);
	EXPECT_GT(run, 0);
}

TEST_HARNESS_MAIN
