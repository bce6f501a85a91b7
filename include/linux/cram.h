/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compressed RAM: memory of a node that the device compresses by itself, so that
 * it takes more pages than it has room for uncompressed ones.
 *
 * How much fits is known at run time only, and what is stored beyond that is lost.
 * So nobody maps such memory, nor does the page allocator have it: pages are
 * copied to it one by one, when the device says that there is room, see
 * mt_store_page().
 */
#ifndef _LINUX_CRAM_H
#define _LINUX_CRAM_H

#include <linux/range.h>
#include <linux/types.h>

struct cram_node;
struct dev_pagemap;
struct page;

/**
 * struct cram_usage - What a device has, and how much of it is in use.
 * @capacity: bytes that it can hold of compressed data.
 * @used: bytes of these that are in use.
 */
struct cram_usage {
	u64 capacity;
	u64 used;
};

/**
 * struct cram_ops - What a driver of compressed RAM provides.
 *
 * All of them are optional, are called with the @priv of cram_register(), may be
 * called on several CPUs at once and must not sleep.
 *
 * @may_store: May @page be written now? It is free, and it is written if this
 *	returns true. A driver may refuse at any time.
 * @released: What is in @page is not needed any more. The device may be told to
 *	discard it at once, or it can be overwritten with zeroes, which take no
 *	room; not if the page has failed, see PageHWPoison(). It may be written
 *	again as soon as this returns.
 * @stored_size: How many bytes @page, which has just been written, really takes,
 *	0 if the device does not say. Then, and without this, the mean of the pages
 *	that are stored is used.
 * @get_usage: How much is in use, of all that has been copied to the device. It
 *	may be more than there really is; if it is less, as caches of the CPUs or
 *	the device have not got to some of it, pages may be stored beyond the
 *	capacity. If the capacity shrinks, or the use grows without a store, the
 *	driver has to call cram_usage_changed(). Without this, each page takes as
 *	much as there is in it.
 */
struct cram_ops {
	bool (*may_store)(void *priv, struct page *page);
	void (*released)(void *priv, struct page *page);
	unsigned int (*stored_size)(void *priv, struct page *page);
	void (*get_usage)(void *priv, struct cram_usage *usage);
};

#ifdef CONFIG_CRAM

struct cram_node *cram_register(int nid, const struct range *ranges, int nr_ranges,
				const struct cram_ops *ops, void *priv);
int cram_unregister(struct cram_node *node);
void cram_usage_changed(struct cram_node *node);
int cram_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			unsigned long nr_pages, int mf_flags);

/* For zswap */
int cram_load(struct page *page, struct page *to);
void cram_free(struct page *page);
bool cram_page_is_on(struct page *page, struct cram_node *node);
unsigned long cram_free_pages(void);

#else

static inline int cram_load(struct page *page, struct page *to)
{
	return -EIO;
}

static inline void cram_free(struct page *page)
{
}

static inline bool cram_page_is_on(struct page *page, struct cram_node *node)
{
	return false;
}

static inline unsigned long cram_free_pages(void)
{
	return 0;
}

#endif

#endif /* _LINUX_CRAM_H */
