// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the pages of a node.
 *
 * A page that is freed still has its data, which takes room of the device, and the
 * next owner may not get to see it. So a page is *freed* until the device has
 * discarded what is there, and *blank* then. Trimming takes long, and is done by the
 * node's worker, for many pages at a time. Those that were never used are not in a
 * list: all of them from @fresh on, of which those below @fresh_end are blank. Those
 * that the driver has refused are blank, too, and their turn comes after all others'.
 *
 * cram_node::slots has a word for each page that is, or was, in use: the swap entry
 * whose data it has, or the next page in a list.
 */
#include <linux/highmem.h>
#include <linux/libnvdimm.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include "cram.h"

/* A page in a list, or between lists. No swap entry has this bit. */
#define CRAM_LISTED	BIT(BITS_PER_LONG - 1)
/* ... and the last one */
#define CRAM_END	(CRAM_LISTED - 1)

/* So many times are pages trimmed until somebody else may have a say. */
#define CRAM_TRIM_BATCHES	64

/* Pages that were never used are trimmed so many at a time, and zeroed so many. */
#define CRAM_TRIM_FRESH	(SZ_256M >> PAGE_SHIFT)
#define CRAM_ZERO_FRESH	(SZ_2M >> PAGE_SHIFT)

/* What the worker needs to trim, see cram_node::trimming. */
struct cram_trimming {
	unsigned int nr_pages;
	unsigned long pages[CRAM_TRIM_RANGES];
	struct range ranges[CRAM_TRIM_RANGES];
};

/* Pages are numbered through all ranges. */
struct page *cram_index_page(struct cram_node *node, unsigned long index)
{
	for (int i = 0; i < node->nr_ranges; i++) {
		unsigned long nr = range_len(&node->ranges[i]) >> PAGE_SHIFT;

		if (index < nr)
			return pfn_to_page(PHYS_PFN(node->ranges[i].start) + index);
		index -= nr;
	}

	return NULL;
}

unsigned long cram_page_index(struct cram_node *node, struct page *page)
{
	phys_addr_t addr = page_to_phys(page);
	unsigned long index = 0;

	for (int i = 0; i < node->nr_ranges; i++) {
		struct range *range = &node->ranges[i];

		if (addr >= range->start && addr <= range->end)
			return index + ((addr - range->start) >> PAGE_SHIFT);
		index += range_len(range) >> PAGE_SHIFT;
	}

	WARN_ON_ONCE(1);
	return 0;
}

static void __cram_push(struct cram_node *node, struct cram_list *list,
			unsigned long index)
{
	unsigned long next = list->nr ? list->first : CRAM_END;

	WRITE_ONCE(node->slots[index], CRAM_LISTED | next);
	if (!list->nr)
		list->last = index;
	list->first = index;
	WRITE_ONCE(list->nr, list->nr + 1);
}

/* The caller has looked that there is one. */
static unsigned long __cram_pop(struct cram_node *node, struct cram_list *list)
{
	unsigned long index = list->first;

	list->first = node->slots[index] & ~CRAM_LISTED;
	WRITE_ONCE(list->nr, list->nr - 1);
	return index;
}

/* Move all of a list to the front of another one. */
static void __cram_splice(struct cram_node *node, struct cram_list *from,
			  struct cram_list *to)
{
	if (!from->nr)
		return;

	WRITE_ONCE(node->slots[from->last],
		   CRAM_LISTED | (to->nr ? to->first : CRAM_END));
	if (!to->nr)
		to->last = from->last;
	to->first = from->first;
	WRITE_ONCE(to->nr, to->nr + from->nr);
	WRITE_ONCE(from->nr, 0);
}

/* Pages that can be written. */
unsigned long cram_blank_pages(struct cram_node *node)
{
	return READ_ONCE(node->blank.nr) + READ_ONCE(node->refused.nr) +
	       READ_ONCE(node->fresh_end) - READ_ONCE(node->fresh);
}

/* Pages whose data takes room, as far as is known: all that are not blank. */
unsigned long cram_data_pages(struct cram_node *node)
{
	unsigned long nr = READ_ONCE(node->nr_taken);

	if (node->trims)
		nr = node->nr_pages - cram_blank_pages(node);

	return nr - READ_ONCE(node->nr_retired);
}

/* A page that can be written, NULL if there is none. Those that have failed are retired. */
struct page *__cram_take_page(struct cram_node *node)
{
	lockdep_assert_held(&node->lock);

	while (cram_blank_pages(node)) {
		unsigned long index;
		struct page *page;

		if (!node->blank.nr && node->fresh == node->fresh_end)
			__cram_splice(node, &node->refused, &node->blank);
		if (node->blank.nr) {
			index = __cram_pop(node, &node->blank);
		} else {
			index = node->fresh;
			WRITE_ONCE(node->fresh, node->fresh + 1);
		}
		WRITE_ONCE(node->nr_taken, node->nr_taken + 1);
		page = cram_index_page(node, index);
		if (!PageHWPoison(page)) {
			WRITE_ONCE(node->slots[index], 0);
			return page;
		}
		WRITE_ONCE(node->nr_retired, node->nr_retired + 1);
	}

	return NULL;
}

/*
 * A page is not in use any more, and goes to list @to unless it has failed: @freed if it
 * was written. Returns true if it is the first one to be trimmed.
 */
bool __cram_put_page(struct cram_node *node, struct page *page, struct cram_list *to)
{
	unsigned long index = cram_page_index(node, page);

	lockdep_assert_held(&node->lock);

	if (PageHWPoison(page)) {
		WRITE_ONCE(node->slots[index], 0);
		WRITE_ONCE(node->nr_retired, node->nr_retired + 1);
		return false;
	}

	WRITE_ONCE(node->nr_taken, node->nr_taken - 1);
	if (to == &node->freed && !node->trims)
		to = &node->blank;
	__cram_push(node, to, index);
	return to == &node->freed && to->nr == 1;
}

/* Whose data a page has. May be anybody's who had it lately, if it is just freed. */
swp_entry_t cram_owner(struct cram_node *node, unsigned long index)
{
	unsigned long word = READ_ONCE(node->slots[index]);

	return (swp_entry_t) { word & CRAM_LISTED ? 0 : word };
}

void cram_set_owner(struct cram_node *node, struct page *page, swp_entry_t entry)
{
	WRITE_ONCE(node->slots[cram_page_index(node, page)], entry.val);
}

/* Have what was written to pages leave the caches of the CPUs, where that is possible. */
void cram_write_back(struct page *const *pages, int nr)
{
	while (nr--) {
		void *addr = kmap_local_page(*pages++);

		arch_wb_cache_pmem(addr, PAGE_SIZE);
		kunmap_local(addr);
	}
	pmem_wmb();
}

/* Have some more of the pages forgotten that were never used. Returns how many. */
static unsigned long cram_fresh_range(struct cram_node *node, struct range *to)
{
	unsigned long index = node->fresh_end, nr = 0, most = CRAM_ZERO_FRESH;

	if (node->ops && node->ops->trim)
		most = CRAM_TRIM_FRESH;
	for (int i = 0; i < node->nr_ranges; i++) {
		struct range *range = &node->ranges[i];

		nr = range_len(range) >> PAGE_SHIFT;
		if (index < nr) {
			nr = min(nr - index, most);
			*to = DEFINE_RANGE(range->start + PFN_PHYS(index),
					   range->start + PFN_PHYS(index + nr) - 1);
			return nr;
		}
		index -= nr;
	}

	return 0;
}

static int cram_compare(const void *a, const void *b)
{
	unsigned long x = *(unsigned long *)a, y = *(unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Take pages that are freed out of their list. */
static void cram_take_freed(struct cram_node *node)
{
	struct cram_trimming *trimming = node->trimming;

	trimming->nr_pages = 0;
	spin_lock(&node->lock);
	while (node->freed.nr && trimming->nr_pages < CRAM_TRIM_RANGES)
		trimming->pages[trimming->nr_pages++] = __cram_pop(node, &node->freed);
	spin_unlock(&node->lock);
	sort(trimming->pages, trimming->nr_pages, sizeof(trimming->pages[0]),
	     cram_compare, NULL);
}

/* ... and put them where they belong then. */
static void cram_put_trimmed(struct cram_node *node, bool trimmed)
{
	struct cram_trimming *trimming = node->trimming;

	spin_lock(&node->lock);
	for (unsigned int i = 0; i < trimming->nr_pages; i++)
		__cram_push(node, trimmed ? &node->blank : &node->freed,
			    trimming->pages[i]);
	spin_unlock(&node->lock);
}

static int cram_freed_ranges(struct cram_node *node)
{
	struct cram_trimming *trimming = node->trimming;
	int nr = 0;

	for (unsigned int i = 0; i < trimming->nr_pages; i++) {
		struct page *page = cram_index_page(node, trimming->pages[i]);
		phys_addr_t start = page_to_phys(page);

		if (nr && trimming->ranges[nr - 1].end + 1 == start)
			trimming->ranges[nr - 1].end += PAGE_SIZE;
		else
			trimming->ranges[nr++] =
				DEFINE_RANGE(start, start + PAGE_SIZE - 1);
	}

	return nr;
}

/* Zeroes take next to no room. What has failed is not written to. */
static void cram_zero(const struct range *range)
{
	unsigned long pfn = PHYS_PFN(range->start);
	unsigned long end = PHYS_PFN(range->end + 1);

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!PageHWPoison(page)) {
			memzero_page(page, 0, PAGE_SIZE);
			cram_write_back(&page, 1);
		}
		cond_resched();
	}
}

static int cram_discard(struct cram_node *node, const struct range *ranges, int nr)
{
	if (node->ops && node->ops->trim)
		return node->ops->trim(node->priv, ranges, nr);

	while (nr--)
		cram_zero(ranges++);
	return 0;
}

static bool __cram_trim(struct cram_node *node)
{
	struct cram_trimming *trimming = node->trimming;
	unsigned long nr;
	int err;

	/* Those that were freed first, of which there are few */
	for (int i = 0; READ_ONCE(node->freed.nr) && i < CRAM_TRIM_BATCHES; i++) {
		cram_take_freed(node);
		err = cram_discard(node, trimming->ranges, cram_freed_ranges(node));
		cram_put_trimmed(node, !err);
		if (err)
			return false;
		cram_count(node, CRAM_TRIMMED, trimming->nr_pages);
		cond_resched();
	}

	nr = READ_ONCE(node->freed.nr) ? 0 : cram_fresh_range(node, trimming->ranges);
	if (!nr)
		return true;
	if (cram_discard(node, trimming->ranges, 1))
		return false;
	cram_count(node, CRAM_TRIMMED, nr);
	spin_lock(&node->lock);
	WRITE_ONCE(node->fresh_end, node->fresh_end + nr);
	spin_unlock(&node->lock);
	return true;
}

/**
 * cram_trim - Have the device discard what is in pages that are not in use.
 * @node: the node.
 *
 * For the node's worker.
 *
 * Context: May sleep.
 * Return: true if that is done; false if it is not, or not yet, and is gone on with later.
 */
bool cram_trim(struct cram_node *node)
{
	bool trimmed, left;

	if (READ_ONCE(node->gone))
		return true;
	if (cram_backoff_delay(&node->trim_backoff))
		return false;

	trimmed = __cram_trim(node);
	cram_backoff(&node->trim_backoff, !trimmed);
	left = READ_ONCE(node->freed.nr) || node->fresh_end < node->nr_pages;
	if (trimmed && left)
		cram_wake(node, 0);
	return trimmed && !left;
}

/* Returns 0 or -ENOMEM. */
int cram_pages_init(struct cram_node *node)
{
	for (int i = 0; i < node->nr_ranges; i++)
		node->nr_pages += range_len(&node->ranges[i]) >> PAGE_SHIFT;

	node->trimming = kzalloc_obj(*node->trimming);
	node->slots = __vcalloc(node->nr_pages, sizeof(*node->slots),
				GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	return node->trimming && node->slots ? 0 : -ENOMEM;
}

/*
 * There is another driver, or what did not matter does now: nothing is known of what is
 * in pages that are not in use. Nobody trims meanwhile.
 */
void __cram_pages_renew(struct cram_node *node)
{
	lockdep_assert_held(&node->lock);
	__cram_splice(node, &node->refused, &node->blank);
	if (node->trims) {
		WRITE_ONCE(node->fresh_end, node->fresh);
		__cram_splice(node, &node->blank, &node->freed);
	} else {
		WRITE_ONCE(node->fresh_end, node->nr_pages);
		__cram_splice(node, &node->freed, &node->blank);
	}
}

void cram_pages_destroy(struct cram_node *node)
{
	kfree(node->trimming);
	vfree(node->slots);
}
