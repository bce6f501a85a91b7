/* SPDX-License-Identifier: GPL-2.0 */
/* Memory of which every byte is known. */
#ifndef _VSWAP_TORTURE_REGION_H
#define _VSWAP_TORTURE_REGION_H

#include "torture.h"

enum region_kind {
	KIND_SMALL,		/* private anonymous, small pages */
	KIND_HUGE,		/* private anonymous, as large as they come */
	KIND_KSM,		/* private anonymous, many pages the same */
	KIND_UFFD,		/* private anonymous, with userfaultfd */
	KIND_SHARED,		/* shared anonymous */
	KIND_MEMFD,
	KIND_TMPFS,
	NR_KINDS
};

/* Some of them */
enum region_kinds {
	KSM_KIND = 1 << KIND_KSM,
	UFFD_KIND = 1 << KIND_UFFD,
	FILE_KINDS = 1 << KIND_MEMFD | 1 << KIND_TMPFS,
	SHARED_KINDS = 1 << KIND_SHARED | FILE_KINDS,
	ALL_KINDS = (1 << NR_KINDS) - 1,
	PRIVATE_KINDS = ALL_KINDS & ~SHARED_KINDS,
};

/* What a page has to contain. */
struct page_state {
	uint32_t gen;		/* generation, 0 for zeroes */
	uint32_t index;		/* where it was written, before UFFDIO_MOVE */
	uint16_t cut;		/* zeroes from this byte on, if not 0 */
	uint8_t either;		/* or zeroes: MADV_FREE, failed operations */
	uint8_t any;		/* unknown: a write did not succeed */
	uint32_t epoch, losses;	/* when it was written */
};

struct region {
	enum region_kind kind;
	char *p;
	size_t nr;		/* pages */
	int fd;			/* of the file, or of userfaultfd; or -1 */
	unsigned long seed;
	enum pattern pattern;
	struct page_state *state;
};

extern struct region regions[NR_REGIONS];
/* A child of a worker: what is shared belongs to the worker. */
extern bool in_child;

static inline bool is_private(const struct region *r)
{
	return PRIVATE_KINDS >> r->kind & 1;
}

static inline char *page_at(const struct region *r, size_t i)
{
	return r->p + i * page_size;
}

/* SIGBUS ends one access, not the process, if this is on. */
void bus_handle(bool on);
/* Memory of this process that is in no region is locked from now on. */
void bus_locked(void);
/* The kernel tells of this page when it finds it bad, whoever accesses it or not. */
void bus_bad_page(void *p);
bool guarded_copy(void *to, const void *from, size_t size);

bool region_create(struct region *r, enum region_kind kind, size_t nr);
void region_destroy(struct region *r);
/* Tell others where it is. */
void region_publish(const struct region *r);

void page_expect(const struct region *r, size_t i, void *buf);
/* Pages now have new content, or zeroes, or perhaps zeroes. */
void state_written(struct region *r, size_t i, uint32_t gen);
void state_dropped(struct region *r, size_t i, size_t nr);
void state_either(struct region *r, size_t i, size_t nr);

void region_write(struct region *r, size_t i, size_t nr);
/* The same by write() */
void region_write_file(struct region *r, size_t i, size_t nr);
/* Write what is there already. */
void region_touch(struct region *r, size_t i, size_t nr);
void region_drop(struct region *r, size_t i, size_t nr);

/* Verify; false if a page is wrong, which has been reported. */
bool region_verify(struct region *r, size_t i, size_t nr);
/* The same by read() */
bool region_verify_file(struct region *r, size_t i, size_t nr);
/* ... with everything at rest: what can't be read has to be legally lost. */
bool region_verify_last(struct region *r);

uint32_t new_gen(struct region *r);

/* torture_uffd.c */
int uffd_open(char *p, size_t size);
void uffd_fill(struct region *r, size_t i, size_t nr);
void uffd_move(struct region *r);
void uffd_end(struct region *r);

/* torture_work.c: run something in a child, and look how it ends */
void run_child(void (*run)(void));

/* torture_ops.c */
struct op {
	const char *name;
	unsigned int weight;
	unsigned int kinds;	/* of regions that there is something to do with */
	void (*run)(struct region *r, size_t i, size_t nr);
};

extern const struct op ops[];

#endif
