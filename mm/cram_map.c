// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the memory of a device.
 *
 * It is mapped here and not by the driver, as it may have to stay for longer. Each
 * page has the device as its zone_device_data, for as long as there may be a copy
 * on it.
 */
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "cram.h"

/* What is in a page is lost, and nothing is ever stored there again. */
void cram_poison(struct cram_node *node, struct page *page)
{
	if (!TestSetPageHWPoison(page))
		cram_count(node, CRAM_POISONED, 1);
}

/* Nobody maps the pages: it is enough to remember, for the next load. */
static int cram_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			       unsigned long nr_pages, int mf_flags)
{
	for (; nr_pages; nr_pages--, pfn++)
		cram_poison(pgmap->owner, pfn_to_page(pfn));

	return 0;
}

static const struct dev_pagemap_ops cram_pagemap_ops = {
	.memory_failure = cram_memory_failure,
};

static void cram_release_regions(struct cram_node *node, int nr)
{
	while (nr--)
		release_mem_region(node->ranges[nr].start, range_len(&node->ranges[nr]));
}

static int cram_request_regions(struct cram_node *node)
{
	for (int i = 0; i < node->nr_ranges; i++) {
		struct range *range = &node->ranges[i];

		if (!request_mem_region(range->start, range_len(range), node->name)) {
			cram_release_regions(node, i);
			return -EBUSY;
		}
	}

	return 0;
}

static struct dev_pagemap *cram_pagemap_alloc(struct cram_node *node)
{
	int nr_ranges = node->nr_ranges;
	struct dev_pagemap *pgmap;

	pgmap = kzalloc(struct_size(pgmap, ranges, nr_ranges - 1), GFP_KERNEL);
	if (!pgmap)
		return NULL;

	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->ops = &cram_pagemap_ops;
	pgmap->owner = node;
	pgmap->nr_range = nr_ranges;
	for (int i = 0; i < nr_ranges; i++)
		pgmap->ranges[i] = node->ranges[i];

	return pgmap;
}

/**
 * cram_map - Map the memory of a device.
 * @node: the device.
 *
 * Context: May sleep.
 * Return: 0; -EBUSY if somebody else has some of it; -ENOMEM; or what
 * memremap_pages() returns.
 */
int cram_map(struct cram_node *node)
{
	void *addr;
	int err;

	err = cram_request_regions(node);
	if (err)
		return err;

	node->pgmap = cram_pagemap_alloc(node);
	if (!node->pgmap) {
		err = -ENOMEM;
		goto release;
	}
	addr = memremap_pages(node->pgmap, node->nid);
	if (IS_ERR(addr)) {
		err = PTR_ERR(addr);
		goto free;
	}

	for (unsigned long i = 0; i < node->nr_pages; i++) {
		cram_index_page(node, i)->zone_device_data = node;
		cond_resched();
	}
	static_branch_inc(&cram_present);
	return 0;

free:
	kfree(node->pgmap);
	node->pgmap = NULL;
release:
	cram_release_regions(node, node->nr_ranges);
	return err;
}

/* Nothing is stored there any more. */
void cram_unmap(struct cram_node *node)
{
	if (!node->pgmap)
		return;

	static_branch_dec(&cram_present);
	memunmap_pages(node->pgmap);
	kfree(node->pgmap);
	node->pgmap = NULL;
	cram_release_regions(node, node->nr_ranges);
}

/**
 * cram_set_poisoned - Report pages that have failed.
 * @node: the device.
 * @range: the memory; what of it is none of the device's does not matter.
 *
 * For what a driver learns from the device, as the list that it keeps of what it has
 * lost; what the machine finds comes here by itself. Who reads what was there gets an
 * error, and nothing is stored there again.
 *
 * Context: Any.
 */
void cram_set_poisoned(struct cram_node *node, const struct range *range)
{
	for (int i = 0; i < node->nr_ranges; i++) {
		u64 start = max(range->start, node->ranges[i].start);
		u64 end = min(range->end, node->ranges[i].end);

		for (; start <= end; start = PAGE_ALIGN(start + 1))
			cram_poison(node, pfn_to_page(PHYS_PFN(start)));
	}
}
EXPORT_SYMBOL_GPL(cram_set_poisoned);
