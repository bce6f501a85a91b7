// SPDX-License-Identifier: GPL-2.0
/*
 * Torture: operations of a worker on a range of a region. Each leaves behind a
 * state of the pages that can be verified, whether it succeeds or not.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/uio.h>
#include "torture_region.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* Pages that are taken out of use never come back. */
#define MAX_POISONED		64

static void op_write(struct region *r, size_t i, size_t nr)
{
	region_write(r, i, nr);
}

static void op_touch(struct region *r, size_t i, size_t nr)
{
	region_touch(r, i, nr);
}

static void op_verify(struct region *r, size_t i, size_t nr)
{
	region_verify(r, i, nr);
}

/* Advice that changes no data. */
static void op_advise(struct region *r, size_t i, size_t nr)
{
	static const int advice[] = {
		MADV_PAGEOUT, MADV_PAGEOUT, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED,
		MADV_WILLNEED, MADV_COLLAPSE, MADV_POPULATE_READ, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_NORMAL,
	};

	madvise(page_at(r, i), nr * page_size, pick(advice));
}

/* All of it, as far as it goes, then back. */
static void op_cycle(struct region *r, size_t i, size_t nr)
{
	if (one_in(2))
		region_write(r, i, nr);
	madvise(page_at(r, i), nr * page_size, MADV_PAGEOUT);
	if (one_in(3))
		madvise(page_at(r, i), nr * page_size, MADV_WILLNEED);
	region_verify(r, i, nr);
}

static void op_drop(struct region *r, size_t i, size_t nr)
{
	region_drop(r, i, nr);
	if (one_in(2))
		region_verify(r, i, nr);
}

static void op_free(struct region *r, size_t i, size_t nr)
{
	/* Also if it fails: what came before is free */
	state_either(r, i, nr);
	madvise(page_at(r, i), nr * page_size, MADV_FREE);
}

/* What leaves a shared mapping is still in the file. */
static void op_unmap_shared(struct region *r, size_t i, size_t nr)
{
	madvise(page_at(r, i), nr * page_size, MADV_DONTNEED);
	if (one_in(2))
		region_verify(r, i, nr);
}

static void op_protect(struct region *r, size_t i, size_t nr)
{
	char *p = page_at(r, i);

	/* If it fails, for a part of the range it may not have */
	if (!mprotect(p, nr * page_size, one_in(4) ? PROT_NONE : PROT_READ) && one_in(2))
		madvise(p, nr * page_size, MADV_PAGEOUT);
	while (mprotect(p, nr * page_size, PROT_READ | PROT_WRITE))
		usleep(1000);
	region_verify(r, i, nr);
}

static void op_lock(struct region *r, size_t i, size_t nr)
{
	char *p = page_at(r, i);

	if (nr > 128)
		nr = 128;
	mlock(p, nr * page_size);
	madvise(p, nr * page_size, MADV_PAGEOUT);
	region_verify(r, i, nr);
	while (munlock(p, nr * page_size) && errno != ENOMEM)
		usleep(1000);
}

/* Somewhere else, by itself, as large pages may not like it. */
static void op_move(struct region *r, size_t i, size_t nr)
{
	size_t size = r->nr * page_size, gap = (1 + choose(16)) * page_size;
	char *to, *p;
	unsigned char present;

	to = mmap(NULL, size + gap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to == MAP_FAILED)
		return;
	p = mremap(r->p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to + gap);
	if (p != MAP_FAILED) {
		munmap(to, gap);
		r->p = p;
		region_publish(r);
		region_verify(r, i, nr);
		return;
	}
	munmap(to, size + gap);
	/* It may be in several pieces, of which some have gone with that */
	for (size_t n = 0; n < r->nr; n++) {
		if (!mincore(page_at(r, n), page_size, &present))
			continue;
		if (mmap(page_at(r, n), page_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			_exit(0);
		state_dropped(r, n, 1);
	}
}

/* Gone with all that is swapped out, and something else in its place. */
static void op_remap(struct region *r, size_t i, size_t nr)
{
	enum region_kind kind;
	size_t size = r->nr;

	region_destroy(r);
	do {
		kind = choose(NR_KINDS);
	} while (kind == KIND_UFFD);
	while (!region_create(r, kind, size)) {
		kind = KIND_SMALL;
		usleep(10000);
	}
	region_write(r, i, nr);
}

static void op_huge(struct region *r, size_t i, size_t nr)
{
	static const int advice[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE };

	madvise(r->p, r->nr * page_size, pick(advice));
	if (one_in(2))
		madvise(page_at(r, i), nr * page_size, MADV_COLLAPSE);
}

static void op_merge(struct region *r, size_t i, size_t nr)
{
	madvise(r->p, r->nr * page_size, one_in(4) ? MADV_UNMERGEABLE : MADV_MERGEABLE);
	region_verify(r, i, nr);
}

static void op_punch(struct region *r, size_t i, size_t nr)
{
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      i * page_size, nr * page_size))
		state_either(r, i, nr);
	else
		state_dropped(r, i, nr);
	if (one_in(4))
		fallocate(r->fd, 0, i * page_size, nr * page_size);
	region_verify(r, i, nr);
}

/* Cut in the middle, perhaps of a page, and grow again. */
static void op_truncate(struct region *r, size_t i, size_t nr)
{
	size_t size = r->nr * page_size, cut = one_in(2) ? 0 : choose(page_size);
	int err;

	err = ftruncate(r->fd, i * page_size + cut);
	if (err) {
		state_either(r, i, r->nr - i);
		r->state[i].any = 1;
	} else {
		if (cut && (!r->state[i].cut || r->state[i].cut > cut))
			r->state[i].cut = cut;
		state_dropped(r, i + !!cut, r->nr - i - !!cut);
	}
	while (ftruncate(r->fd, size))
		usleep(1000);
	region_verify(r, i, nr);
}

static void op_file_write(struct region *r, size_t i, size_t nr)
{
	region_write_file(r, i, nr);
}

static void op_file_read(struct region *r, size_t i, size_t nr)
{
	region_verify_file(r, i, nr);
}

/* Advice for another worker. */
static void op_remote(struct region *r, size_t i, size_t nr)
{
	static const int advice[] = { MADV_PAGEOUT, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED,
				      MADV_COLLAPSE };
	struct actor *other = &torture->worker[choose(torture->nr_workers)];
	int n = choose(NR_REGIONS), fd;
	struct iovec vec = {
		.iov_base = (void *)other->area[n].addr,
		.iov_len = other->area[n].size,
	};

	fd = syscall(SYS_pidfd_open, other->pid, 0);
	if (fd < 0)
		return;
	if (vec.iov_len)
		syscall(SYS_process_madvise, fd, &vec, 1, pick(advice), 0);
	close(fd);
}

static void op_uffd(struct region *r, size_t i, size_t nr)
{
	if (one_in(4))
		uffd_fill(r, i, nr);
	else
		uffd_move(r);
	region_verify(r, i, nr);
}

/* May a page be taken out of use? The more have been, the less often. */
static bool may_poison(void)
{
	unsigned long gone = __atomic_load_n(&torture->count[COUNT_POISONED],
					     __ATOMIC_RELAXED);

	return (parts & PART_POISON) && gone < MAX_POISONED && one_in(1 + gone / 8);
}

/* The page moves away from a page frame that is about to fail. */
static void op_soft_offline(struct region *r, size_t i, size_t nr)
{
	if (!may_poison())
		return;
	if (!madvise(page_at(r, i), page_size, MADV_SOFT_OFFLINE))
		count(COUNT_POISONED, 1);
	region_verify(r, i, 1);
}

/*
 * A page frame fails that only a child of ours has. It is lost unless it was clean in
 * the swap cache, and nothing else is.
 */
static void poison_own(void)
{
	static char buf[65536];
	const size_t nr = 16, bad = 1;
	unsigned long seed = choose(1000);
	char *p = map_region(nr, false);
	unsigned int epoch = epoch_now();

	if (!p)
		_exit(0);
	fill_region(p, nr, PATTERN_ANY, seed);
	if (one_in(2)) {
		madvise(p, nr * page_size, MADV_PAGEOUT);
		madvise(p, nr * page_size, MADV_POPULATE_READ);
	}
	bus_bad_page(p + bad * page_size);
	if (madvise(p + bad * page_size, page_size, MADV_HWPOISON))
		_exit(0);
	count(COUNT_POISONED, 1);
	for (size_t i = 0; i < nr; i++) {
		if (!guarded_copy(buf, p + i * page_size, page_size)) {
			if (i == bad || (epoch & 1) || epoch_now() != epoch)
				continue;
			complain("poison: SIGBUS for page %zu beside page %zu", i, bad);
		} else if (!pattern_check(buf, page_size, PATTERN_ANY, seed, i)) {
			complain("poison: page %zu is wrong after page %zu", i, bad);
		}
	}
	_exit(0);
}

static void op_poison(struct region *r, size_t i, size_t nr)
{
	if (may_poison())
		run_child(poison_own);
}

/* A thread has the file of userfaultfd: such regions stay where they are. */
const struct op ops[] = {
	{ "write", 12, ALL_KINDS, op_write },
	{ "touch", 8, ALL_KINDS, op_touch },
	{ "verify", 12, ALL_KINDS, op_verify },
	{ "advise", 20, ALL_KINDS, op_advise },
	{ "cycle", 20, ALL_KINDS, op_cycle },
	{ "drop", 4, ALL_KINDS, op_drop },
	{ "free", 2, PRIVATE_KINDS, op_free },
	{ "unmap shared", 2, SHARED_KINDS, op_unmap_shared },
	{ "protect", 3, ALL_KINDS, op_protect },
	{ "lock", 2, ALL_KINDS, op_lock },
	{ "mremap", 2, PRIVATE_KINDS & ~UFFD_KIND, op_move },
	{ "map again", 2, ALL_KINDS & ~UFFD_KIND, op_remap },
	{ "huge", 2, ALL_KINDS, op_huge },
	{ "merge", 2, KSM_KIND, op_merge },
	{ "punch", 2, FILE_KINDS, op_punch },
	{ "truncate", 2, FILE_KINDS, op_truncate },
	{ "file write", 2, FILE_KINDS, op_file_write },
	{ "file read", 2, FILE_KINDS, op_file_read },
	{ "remote advice", 4, ALL_KINDS, op_remote },
	{ "userfaultfd", 10, UFFD_KIND, op_uffd },
	{ "soft offline", 3, ALL_KINDS, op_soft_offline },
	{ "poison", 3, ALL_KINDS, op_poison },
	{}
};
