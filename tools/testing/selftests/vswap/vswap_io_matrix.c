// SPDX-License-Identifier: GPL-2.0
/*
 * Failing I/O of virtual slots, wherever it can hit: {read, write} x {where in a
 * group of pages} x {what is behind its neighbours} x {who does it} x {for once,
 * or for good} x {order 0, 64 kB, 2 MB}. In each cell exactly the pages that could
 * not be read are lost, all else is right, and nothing is left behind. Where a page is
 * in its group says something of its slot for private memory and for whole folios.
 *
 * A choice runs in which each pair of values occurs, once for what is read at one go
 * and once for all else. VSWAP_ALL=1 has all of it.
 */
#include "../kselftest_harness.h"
#include "dm.h"
#include "fault.h"
#include "knobs.h"
#include "place.h"

enum { FIRST, MIDDLE, LAST, WHOLE, NR_PIECES };
enum { BY_ZSWAP, BY_ZERO, BY_OTHER, BY_POISON, NR_BESIDE };
enum { FAULT, SHMEM, READAHEAD, WRITEBACK, SWAPOFF, PUNCH, TRUNCATE, NR_PATHS };
enum { PASSING, LASTING, NR_ERRORS };
enum { SMALL, LARGE, HUGE, NR_SIZES };
enum { READING, WRITING, NR_OPS };

#define NR_AXES	6

static const int axis_len[NR_AXES] = {
	NR_OPS, NR_PIECES, NR_BESIDE, NR_PATHS, NR_ERRORS, NR_SIZES,
};

static const char * const axis_text[NR_AXES][8] = {
	{ "read", "write" },
	{ "first", "middle", "last", "whole" },
	{ "zswap", "zero", "other device", "poison" },
	{ "fault", "shmem", "readahead", "zswap writeback", "swapoff", "punch hole",
	  "truncate" },
	{ "passing", "lasting" },
	{ "order 0", "64 kB", "2 MB" },
};

#define MAX_PTES_SWAP	THP "khugepaged/max_ptes_swap"

#define MOST	512		/* pages of a group */
#define FEW	(2 * GROUP)	/* others' pages, for zswap to have more than it may */

union cell {
	struct {
		int op, piece, beside, path, error, size;
	};
	int axis[NR_AXES];
};

static int group(const union cell *cell)
{
	return cell->size == HUGE ? MOST : GROUP;
}

/* The pages whose blocks are bad: so many from there on. */
static int piece_first(const union cell *cell)
{
	switch (cell->piece) {
	case MIDDLE:
		return group(cell) / 2 - 1;
	case LAST:
		return group(cell) - 1;
	default:
		return 0;
	}
}

static int piece_nr(const union cell *cell)
{
	return cell->piece == WHOLE ? group(cell) : cell->piece == MIDDLE ? 2 : 1;
}

static bool in_piece(const union cell *cell, int i)
{
	return i >= piece_first(cell) && i < piece_first(cell) + piece_nr(cell);
}

static bool is_shared(const union cell *cell)
{
	return cell->path == SHMEM || cell->path == PUNCH || cell->path == TRUNCATE;
}

/*
 * Is the group one folio when it goes out? Groups of 64 kB that are read are not: what
 * is behind their pages can be chosen one by one, and they are read as one.
 */
static bool goes_whole(const union cell *cell)
{
	return cell->size == HUGE ||
	       (cell->size == LARGE && (cell->op == WRITING || is_shared(cell)));
}

/* Are its pages swapped out one by one, and is it about those of the piece? */
static bool goes_by_piece(const union cell *cell)
{
	return cell->op == WRITING && !goes_whole(cell);
}

/* Are the disks as fast as memory, so that it may be read at one go? */
static bool is_fast(const union cell *cell)
{
	return cell->op == READING && cell->size != SMALL &&
	       (cell->path == FAULT || cell->path == SHMEM);
}

/* Is it read at one go? What is lost is not read with others, nor 2 MB but of a file. */
static bool comes_whole(const union cell *cell)
{
	return is_fast(cell) && cell->beside != BY_POISON &&
	       (cell->size == LARGE || cell->path == SHMEM);
}

/* Why a cell can't occur, NULL if it can. */
static const char *impossible(const union cell *cell)
{
	const bool whole = cell->piece == WHOLE;

	if (whole && cell->beside != BY_ZSWAP)
		return "a whole group has no neighbours; one run is enough";
	if (cell->size == HUGE && access(FOLIO_2M "enabled", W_OK))
		return "there are no folios of 2 MB";
	if (cell->op == READING && cell->path == WRITEBACK)
		return "zswap reads nothing, see vswap_decompress";
	if (cell->op == WRITING && cell->path >= READAHEAD && cell->path != WRITEBACK)
		return "writes nothing";
	if (is_fast(cell) && access(FAIL_REQUEST, F_OK))
		return "what is as fast as memory, and read at one go, does not fail";
	if (goes_whole(cell) && cell->beside == BY_ZERO)
		return "a folio is known to be zero as a whole";
	if (goes_whole(cell) && (cell->op == READING || cell->path == WRITEBACK) && !whole &&
	    cell->piece != FIRST && cell->beside == BY_ZSWAP)
		return "left out: zswap writes back the first pages of a folio first";
	if (cell->op == READING || !goes_whole(cell))
		return NULL;
	if (cell->path == WRITEBACK && cell->beside >= BY_OTHER)
		return "zswap has all of a folio, or none of it";
	if (cell->path != WRITEBACK && !whole && cell->beside != BY_OTHER)
		return "a folio is written as a whole, to devices";
	return NULL;
}

struct matrix {
	char cgroup[128];
	long slots;
	struct disk bad, below, before, after;
	bool has_before, has_below, has_after;
	bool fast;			/* they are as fast as memory */
	bool running;			/* a cell, which has these */
	int fd;				/* of shared memory */
	char *p;
	char where[MOST + 1];		/* what is behind its pages, see cell_places() */
	bool lost;			/* it is, where that is to be */
};

static void set_large(const char *when, const char *when_huge)
{
	write_file(FOLIO_64K "enabled", when);
	write_file(FOLIO_64K "shmem_enabled", when);
	write_file(FOLIO_2M "enabled", when_huge);
	write_file(FOLIO_2M "shmem_enabled", when_huge);
}

/* Have folios of the cell's size from now on, for those who ask for large ones. */
static void cell_set_large(const union cell *cell)
{
	set_large(cell->size == LARGE ? "always" : "never",
		  cell->size == HUGE ? "always" : "never");
}

FIXTURE(vswap_io_matrix) {
	struct matrix m;
};

FIXTURE_SETUP(vswap_io_matrix)
{
	const char *missing = vswap_missing();

	if (!missing && write_file(FOLIO_64K "enabled", "never"))
		missing = "no large folios of 64 kB";
	if (!missing && have_swap_devices())
		missing = "there are swap devices";
	if (!missing && page_size != 4096)
		missing = "needs pages of 4 kB";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->m.cgroup, sizeof(self->m.cgroup),
			       "vswap_io_matrix"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	/* khugepaged is not to read it first */
	write_file(MAX_PTES_SWAP, "0");
	/* Its own stack and data are not to be among what is swapped out, and counted */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->m.slots = vswap_stat("slots_used");
}

/*
 * What is behind the pages: 'd' for the bad disk, 'o' for others, 'z' for zswap,
 * '0' for nothing, as they are zeroes, and 'p' for those that are lost.
 */
static void cell_places(const union cell *cell, char *where)
{
	static const char beside[NR_BESIDE] = { 'z', '0', 'o', 'p' };
	const int end = piece_first(cell) + piece_nr(cell);

	memset(where, beside[cell->beside], group(cell));
	memset(where + piece_first(cell), 'd', piece_nr(cell));
	/* Poison comes from the device before */
	if (cell->piece != FIRST && cell->beside == BY_POISON && !goes_by_piece(cell))
		memset(where + end, goes_whole(cell) ? 'o' : 'z', group(cell) - end);
	where[group(cell)] = 0;
}

/*
 * The disks of a cell, with as many slots as there are pages for each, so that each is
 * full when the next one's turn comes: one before, the bad one, one after. If the
 * neighbours are out before the turn of the bad one comes, all are on the one before.
 */
static const char *cell_disks(struct matrix *m, const union cell *cell)
{
	const int first = piece_first(cell), nr = piece_nr(cell);
	const bool others = cell->beside >= BY_OTHER && cell->piece != WHOLE;
	const bool all_before = cell->piece == FIRST || goes_by_piece(cell);
	const int nr_before = all_before ? group(cell) - nr : first;
	const int nr_after = group(cell) - first - nr;
	const int prio = cell->piece == FIRST && !goes_by_piece(cell) ? 10 : 30;
	const bool sound = is_fast(cell) && cell->beside != BY_POISON;
	const struct disk none = { .fd = -1 };
	const char *missing;

	m->bad = none;
	m->before = none;
	m->below = none;
	m->after = none;
	m->has_before = false;
	m->has_below = false;
	m->has_after = false;
	m->fast = is_fast(cell);
	m->running = true;
	missing = m->fast ? ram_setup(&m->bad, 1, nr) :
		  null_setup(&m->bad, nr,
			     cell->error == PASSING ? "badblocks_once" : "memory_backed");
	if (!missing && others && nr_before) {
		missing = sound ? ram_setup(&m->before, 0, nr_before) :
			  disk_setup(&m->below, 0, nr_before) ?:
			  dm_setup(&m->before, &m->below);
		m->has_before = !missing;
		m->has_below = !missing && !sound;
	}
	if (!missing && others && cell->piece == MIDDLE && !all_before &&
	    m->where[group(cell) - 1] == 'o') {
		missing = ram_setup(&m->after, 2, nr_after);
		m->has_after = !missing;
	}
	if (missing)
		return missing;
	if (disk_on(&m->bad, 20) || (m->has_before && disk_on(&m->before, prio)) ||
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
	return null_bad(1, piece_nr(cell), bad);
}

static int cell_disks_remove(struct matrix *m)
{
	int err;

	m->running = false;
	/* After a failed assertion it may still be bad */
	if (m->fast)
		fail_requests(&m->bad, "0", "-1");
	else
		null_bad(1, m->bad.pages, false);
	err = disk_remove(&m->bad);
	if (!m->fast)
		err = null_remove() ?: err;
	if (m->has_below) {
		err = dm_table(&m->below, NULL) ?: err;
		err = dm_remove(&m->before) ?: err;
		err = disk_remove(&m->below) ?: err;
	} else if (m->has_before) {
		err = disk_remove(&m->before) ?: err;
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
	cgroup_leave(self->m.cgroup);
}

/* Pages of mine, or of a file, that may become a folio of the cell's size. */
static bool cell_map(struct matrix *m, const union cell *cell)
{
	const size_t size = group(cell) * page_size;

	m->p = map_region(group(cell), goes_whole(cell));
	if (!is_shared(cell))
		return m->p;
	m->fd = memfd_create("vswap_io_matrix", 0);
	if (m->fd < 0 || ftruncate(m->fd, size) ||
	    mmap(m->p, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->fd, 0) != m->p)
		return false;
	madvise(m->p, size, goes_whole(cell) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return true;
}

/* How often that has happened with folios of the cell's size */
static long large_stat(const union cell *cell, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%sstats/%s", cell->size == HUGE ? FOLIO_2M : FOLIO_64K,
		 name);
	return read_num(path);
}

static void cell_unmap(struct matrix *m, const union cell *cell)
{
	if (m->p)
		munmap(m->p, group(cell) * page_size);
	if (m->fd >= 0)
		close(m->fd);
	m->p = NULL;
	m->fd = -1;
}

/* The group as one folio. Memory may be in too small pieces at first. */
static bool fill_whole(struct matrix *m, const union cell *cell, unsigned long seed)
{
	const char *stat = is_shared(cell) ? "shmem_alloc" : "anon_fault_alloc";

	cell_set_large(cell);
	for (int i = 0; i < 10; i++) {
		long large = large_stat(cell, stat);

		if (i)
			write_file("/proc/sys/vm/compact_memory", "1");
		if (!cell_map(m, cell))
			return false;
		fill_region(m->p, group(cell), PATTERN_QUARTER, seed);
		if (large_stat(cell, stat) > large)
			return true;
		cell_unmap(m, cell);
	}
	return false;
}

/* Swap out so many pages. Page tables don't tell of those of a file. */
static bool out(const union cell *cell, char *p, size_t nr)
{
	long used = vswap_stat("slots_used");

	for (int n = 0; n < 100; n++) {
		if (n)
			usleep(1000);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		if (is_shared(cell) ? vswap_stat("slots_used") >= used + (long)nr :
				      count_swapped(p, nr) == nr)
			return true;
	}
	return false;
}

enum { PIECE = 1, OTHERS = 2 };

/* Fill and swap out @which pages one by one, if they are not lost. */
static bool place_pages(struct matrix *m, const union cell *cell, int which,
			unsigned long seed)
{
	bool to_zswap = cell->path == WRITEBACK;	/* at first */

	for (int i = 0; i < group(cell); i++) {
		char *page = m->p + i * page_size, where = m->where[i];
		bool zswap = strchr("z0", where) || (where == 'd' && to_zswap);

		if (!(which & (in_piece(cell, i) ? PIECE : OTHERS)) || (m->lost && where == 'p'))
			continue;
		/* It may still have a slot of a disk, which the next one is to get */
		madvise(page, page_size, is_shared(cell) ? MADV_REMOVE : MADV_DONTNEED);
		pattern_fill(page, page_size, place_pattern(m->where, i), seed, i);
		/* For zeroes, there may be no device */
		write_file(ZSWAP_PARAM "enabled", zswap ? "1" : "0");
		if (!out(cell, page, 1))
			return false;
	}
	write_file(ZSWAP_PARAM "enabled", "1");
	wait_writeback();
	return true;
}

/*
 * More for zswap than the cgroup may have there: what came first is written back. It is
 * less than what zswap looks at in one go, so that what it has spared once comes again.
 */
static void squeeze(struct matrix *m, unsigned long seed)
{
	char *more = map_region(FEW, false);

	cgroup_write(m->cgroup, "memory.zswap.max", "16K");
	fill_region(more, FEW, PATTERN_QUARTER, seed);
	try_swap_out(more, FEW);
	cgroup_write(m->cgroup, "memory.zswap.max", "max");
	wait_writeback();
	munmap(more, FEW * page_size);
}

/* The pages of a folio, which goes to zswap and leaves it in part, or to the disks. */
static bool place_whole(struct matrix *m, const union cell *cell, unsigned long seed)
{
	bool direct = cell->beside >= BY_OTHER || cell->piece == WHOLE;

	if (!fill_whole(m, cell, seed))
		return false;
	write_file(ZSWAP_PARAM "enabled", direct ? "0" : "1");
	if (!out(cell, m->p, group(cell)))
		return false;
	write_file(ZSWAP_PARAM "enabled", "1");
	wait_writeback();
	for (int i = 0; i < 50 && disk_used(&m->bad) < piece_nr(cell); i++)
		squeeze(m, seed + 1);
	return true;
}

static bool cell_place(struct matrix *m, const union cell *cell, unsigned long seed)
{
	if (goes_whole(cell))
		return place_whole(m, cell, seed);
	if (!is_shared(cell)) {
		m->p = place_region(1, m->where, seed);
		return m->p;
	}
	return cell_map(m, cell) && place_pages(m, cell, PIECE | OTHERS, seed);
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

/* Is the page lost with its block? Not if it was cut off before. */
static bool is_lost(const union cell *cell, int i)
{
	return in_piece(cell, i) && (cell->path != TRUNCATE || i == piece_first(cell));
}

/* Do the pages end as they should? @lost: those of the piece are, too. */
static void cell_expect(struct __test_metadata *_metadata, struct matrix *m,
			const union cell *cell, unsigned long seed, bool lost)
{
	for (int i = 0; i < group(cell); i++) {
		int want = m->where[i] == 'p' || (lost && is_lost(cell, i)) ? SIGBUS : 0;

		EXPECT_EQ(read_page(m->p, m->where, seed, i), want) {
			TH_LOG("page %d, %s", i, cell_text(cell));
		}
	}
}

/* What is on the disk before can't be read any more. Returns how much that is. */
static long cell_lose(struct __test_metadata *_metadata, struct matrix *m,
		      const union cell *cell)
{
	long nr = 0;

	if (!m->has_before || cell->beside != BY_POISON)
		return 0;
	for (int i = 0; i < group(cell); i++)
		nr += m->where[i] == 'p';
	EXPECT_EQ(dm_table(&m->below, "error_reads"), 0);
	EXPECT_EQ(disk_off(&m->before), 0);
	EXPECT_EQ(vswap_stat("slots_poison"), nr) {
		TH_LOG("%s", cell_text(cell));
	}
	m->lost = true;
	return nr;
}

/* Cut inside of the first bad page, which has to be read for it. */
static void cell_cut(struct __test_metadata *_metadata, struct matrix *m,
		     const union cell *cell, unsigned long seed)
{
	const int first = piece_first(cell);
	const size_t start = first * page_size, cut = 100;
	size_t end = cut + 8;
	char page[page_size], now[page_size];

	if (cell->path == PUNCH) {
		EXPECT_EQ(fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    start + cut, end - cut), 0);
	} else {
		end = page_size;
		EXPECT_EQ(ftruncate(m->fd, start + cut), 0);
		EXPECT_EQ(ftruncate(m->fd, group(cell) * page_size), 0);
		memset(m->where + first + 1, '0', group(cell) - first - 1);
	}
	if (cell->error == LASTING)
		return;
	pattern_fill(page, page_size, place_pattern(m->where, first), seed, first);
	memset(page + cut, 0, end - cut);
	EXPECT_EQ(pread(m->fd, now, page_size, start), page_size);
	EXPECT_EQ(memcmp(now, page, page_size), 0) {
		TH_LOG("%s", cell_text(cell));
	}
	/* Fill the hole, for what comes after this */
	pattern_fill(page, page_size, place_pattern(m->where, first), seed, first);
	EXPECT_EQ(pwrite(m->fd, page, page_size, start), page_size);
}

static void cell_read(struct __test_metadata *_metadata, struct matrix *m,
		      const union cell *cell, unsigned long seed)
{
	const int first = piece_first(cell), nr = piece_nr(cell);
	const bool lasting = cell->error == LASTING;
	long errors, poison;

	ASSERT_TRUE(cell_place(m, cell, seed)) {
		TH_LOG("%s", cell_text(cell));
	}
	ASSERT_EQ(disk_used(&m->bad), nr) {
		TH_LOG("%s", cell_text(cell));
	}
	drop_swap_cache(m->cgroup, group(cell));
	poison = cell_lose(_metadata, m, cell);
	errors = vswap_stat("read_error");
	cell_set_large(cell);
	if (cell->size != SMALL && !is_shared(cell))
		madvise(m->p, group(cell) * page_size, MADV_HUGEPAGE);

	ASSERT_EQ(cell_fail(m, cell, true), 0);
	if (cell->path == READAHEAD) {
		madvise(m->p, group(cell) * page_size, MADV_WILLNEED);
		EXPECT_TRUE(wait_read_error(errors)) {
			TH_LOG("%s", cell_text(cell));
		}
	} else if (cell->path == SWAPOFF) {
		EXPECT_EQ(disk_off(&m->bad), 0);
		EXPECT_EQ(vswap_stat("slots_poison"), poison + lasting * nr) {
			TH_LOG("%s", cell_text(cell));
		}
	} else if (cell->path == PUNCH || cell->path == TRUNCATE) {
		cell_cut(_metadata, m, cell, seed);
	} else if (comes_whole(cell) && cell->piece != WHOLE) {
		/* Another page of the folio is needed, and the bad ones are read with it */
		int other = first ? 0 : group(cell) - 1;

		EXPECT_EQ(read_page(m->p, m->where, seed, other), 0);
		EXPECT_EQ(vswap_stat("read_error"), errors + 1) {
			TH_LOG("%s", cell_text(cell));
		}
	}
	cell_expect(_metadata, m, cell, seed, lasting);
	/* Of a large folio, it is one request for all, and then each page by itself */
	errors = vswap_stat("read_error") - errors;
	EXPECT_TRUE(comes_whole(cell) ? errors == 1 + lasting * nr : errors > 0) {
		TH_LOG("%ld errors, %s", errors, cell_text(cell));
	}

	/* The disk is well again; what has been given up for good is not */
	ASSERT_EQ(cell_fail(m, cell, false), 0);
	cell_expect(_metadata, m, cell, seed,
		    lasting && (is_shared(cell) || cell->path == SWAPOFF));
}

/* All but what is to be written to the bad disk is where it should be. */
static bool place_for_write(struct matrix *m, const union cell *cell, unsigned long seed)
{
	if (goes_whole(cell)) {
		if (m->p)
			fill_region(m->p, group(cell), PATTERN_QUARTER, seed);
		else if (!fill_whole(m, cell, seed))
			return false;
		return cell->path != WRITEBACK || out(cell, m->p, group(cell));
	}
	return (m->p || cell_map(m, cell)) &&
	       (cell->path != WRITEBACK || place_pages(m, cell, PIECE, seed)) &&
	       place_pages(m, cell, OTHERS, seed);
}

/*
 * Has the write failed that is to fail? What zswap has no room for goes to the disk
 * directly, which is another one.
 */
static bool has_failed(const union cell *cell, long errors, long written)
{
	return vswap_stat("write_error") > errors &&
	       (cell->path != WRITEBACK || vm_events("zswpwb") > written);
}

/* Have the pages written to the disk, until one can't be if it is bad, or it is full. */
static void write_pages(struct matrix *m, const union cell *cell, unsigned long seed, bool bad)
{
	const int first = goes_whole(cell) ? 0 : piece_first(cell);
	const int nr = goes_whole(cell) ? group(cell) : piece_nr(cell);
	const bool writeback = cell->path == WRITEBACK;
	long written = vm_events("zswpwb"), errors;

	if (!writeback)
		write_file(ZSWAP_PARAM "enabled", "0");
	for (int i = 0; i < 50; i++) {
		/* Again, as another write may have been what fails for once */
		if (bad)
			cell_fail(m, cell, true);
		errors = vswap_stat("write_error");
		if (writeback)
			squeeze(m, seed + 1);
		else
			try_swap_out(m->p + first * page_size, nr);
		if (bad ? has_failed(cell, errors, written) :
			  disk_used(&m->bad) >= piece_nr(cell))
			break;
	}
	write_file(ZSWAP_PARAM "enabled", "1");
}

static void fill_piece(struct matrix *m, const union cell *cell, unsigned long seed)
{
	for (int i = 0; i < group(cell); i++) {
		if (in_piece(cell, i))
			pattern_fill(m->p + i * page_size, page_size, PATTERN_QUARTER, seed, i);
	}
}

static void cell_write(struct __test_metadata *_metadata, struct matrix *m,
		       const union cell *cell, unsigned long seed)
{
	const bool writeback = cell->path == WRITEBACK;
	long errors, written, writes, reads, back;

	if (goes_by_piece(cell))
		EXPECT_EQ(disk_off(&m->bad), 0);
	ASSERT_TRUE(place_for_write(m, cell, seed)) {
		TH_LOG("%s", cell_text(cell));
	}
	if (cell->beside == BY_POISON)
		drop_swap_cache(m->cgroup, group(cell));
	cell_lose(_metadata, m, cell);
	if (goes_by_piece(cell)) {
		if (!writeback)
			fill_piece(m, cell, seed);
		EXPECT_EQ(disk_on(&m->bad, 20), 0);
	}

	errors = vswap_stat("write_error");
	written = large_stat(cell, "swpout");
	back = vm_events("zswpwb");
	write_pages(m, cell, seed + 1, true);
	EXPECT_EQ(vm_events("zswpwb") > back, writeback) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_GT(vswap_stat("write_error"), errors) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(large_stat(cell, "swpout") > written, goes_whole(cell) && !writeback) {
		TH_LOG("%s", cell_text(cell));
	}
	cell_expect(_metadata, m, cell, seed, false);

	/* The disk is well again, and used: there are just as many slots as pages */
	ASSERT_EQ(cell_fail(m, cell, false), 0);
	ASSERT_TRUE(place_for_write(m, cell, seed + 2)) {
		TH_LOG("again, %s", cell_text(cell));
	}
	if (goes_by_piece(cell) && !writeback)
		fill_piece(m, cell, seed + 2);
	errors = vswap_stat("write_error");
	writes = vm_events("pswpout");
	write_pages(m, cell, seed + 3, false);
	EXPECT_GT(vm_events("pswpout"), writes) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("write_error"), errors) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(disk_used(&m->bad), piece_nr(cell)) {
		TH_LOG("%s", cell_text(cell));
	}
	drop_swap_cache(m->cgroup, group(cell));
	reads = disk_stat(&m->bad, DISK_STAT_READS);
	cell_expect(_metadata, m, cell, seed + 2, false);
	EXPECT_GT(disk_stat(&m->bad, DISK_STAT_READS), reads) {
		TH_LOG("%s", cell_text(cell));
	}
}

static void cell_run(struct __test_metadata *_metadata, struct matrix *m,
		     const union cell *cell, unsigned long seed)
{
	const char *missing;

	m->fd = -1;
	m->p = NULL;
	m->lost = false;
	set_large("never", "never");
	cell_places(cell, m->where);
	missing = cell_disks(m, cell);
	ASSERT_EQ(missing, NULL) {
		TH_LOG("%s: %s", cell_text(cell), missing);
	}
	if (cell->op == READING)
		cell_read(_metadata, m, cell, seed);
	else
		cell_write(_metadata, m, cell, seed);
	EXPECT_EQ(vswap_validate(), 0) {
		TH_LOG("%s", cell_text(cell));
	}

	cell_unmap(m, cell);
	EXPECT_LE(wait_slots(m->slots), m->slots) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("slots_phys") + vswap_stat("slots_poison"), 0) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(cell_disks_remove(m), 0) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* Does a cell have a pair of values that none before it of its kind had? Notes them. */
static bool new_pairs(const union cell *cell)
{
	static bool seen[2][NR_AXES][NR_AXES][8][8];
	bool any = false;

	for (int i = 0; i < NR_AXES; i++) {
		for (int j = 0; j < i; j++) {
			bool *pair = &seen[comes_whole(cell)][i][j][cell->axis[i]][cell->axis[j]];

			any |= !*pair;
			*pair = true;
		}
	}
	return any;
}

TEST_F_TIMEOUT(vswap_io_matrix, cells, 3000)
{
	int nr = 1, run = 0, none = 0;

	for (int i = 0; i < NR_AXES; i++)
		nr *= axis_len[i];
	for (int n = 0; n < nr; n++) {
		/* All of them, as 389 has no factor in common with it, but mixed */
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
