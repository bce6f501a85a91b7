/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compressed RAM: memory of a node that the device compresses by itself, so that
 * it takes more pages than it has room for uncompressed ones.
 *
 * How much fits is known at run time only, and what is stored beyond that is lost.
 * So nobody maps such memory, nor does the page allocator have it: pages are
 * copied to it, when the device says that there is room, see mm/cram_store.c.
 */
#ifndef _LINUX_CRAM_H
#define _LINUX_CRAM_H

#include <linux/range.h>
#include <linux/types.h>

struct cram_node;
struct module;
struct page;

/**
 * struct cram_usage - What a device has, and how much of it is in use.
 * @capacity: bytes that it can hold of compressed data.
 * @used: bytes of these that are in use.
 * @lag: bytes that have been written and may not be part of @used yet, as they
 *	were before they are compressed: those of the pages that &cram_ops.written
 *	was called for before and that the device has not got to. 0 if there are
 *	none.
 */
struct cram_usage {
	u64 capacity;
	u64 used;
	u64 lag;
};

/**
 * struct cram_ops - What a driver of compressed RAM provides.
 *
 * All of them are optional, are called with the @priv of cram_register(), and may
 * be called on several CPUs at once unless they say otherwise. All may sleep, but
 * are called while memory is reclaimed: what they allocate must not wait for
 * that, and they should not take longer than it takes to compress their pages.
 *
 * @owner: the module, which stays as long as the device is registered.
 * @may_store: May @page be written now? It is free. 0 if it may, which is a promise until
 *	@written is called for it, as it is then in any case; up to %CRAM_STORE_PAGES are
 *	asked for before the first one is written. -ENOSPC if there is no room, which has
 *	pages moved elsewhere until there may be some; any other error if it may not for
 *	another reason, and those that have not been refused come first.
 * @copy: Have the device copy @nr pages by itself, each of @from to that of @to, all of
 *	which may be written, up to %CRAM_STORE_PAGES. 0 if all of them could be read and are
 *	copied, as a CPU would see it: that none has older bytes of @to in its caches is the
 *	driver's to see to. After an error, when nothing is under way any more, or without
 *	this, the CPU copies them.
 * @written: @page has been written, and with @get_usage is not in a cache of the
 *	CPU any more, where the architecture can see to that. From now on it counts as much as
 *	@get_usage says, in @used or @lag.
 * @stored_size: How many bytes @page, which has just been written, really takes,
 *	0 if the device does not say. Then, and without this, the mean of the pages
 *	that are stored is used, or a whole page if there is no @get_usage either.
 *	What takes more than 7/8 of a page, as this says, is not kept.
 * @get_usage: How much is in use. One call at a time. If the capacity shrinks, or
 *	the use grows without a store, the driver has to call
 *	cram_usage_changed(). An error has the node take nothing until a later call
 *	succeeds. Without this, each page takes as much as there is in it.
 * @trim: What is in @ranges, whole pages, is not needed any more: have the device
 *	discard it. Nothing is stored there before this returns 0; after an error
 *	it is called again, later. That there is more room then should be known to
 *	@get_usage within a second, lest more is moved elsewhere than has to be.
 *	One call at a time, up to %CRAM_TRIM_RANGES, and not while memory is
 *	reclaimed. When a device is registered it is called for all of it. Without
 *	this, pages are overwritten with zeroes.
 */
struct cram_ops {
	struct module *owner;
	int (*may_store)(void *priv, struct page *page);
	int (*copy)(void *priv, struct page *const *to, struct page *const *from, int nr);
	void (*written)(void *priv, struct page *page);
	unsigned int (*stored_size)(void *priv, struct page *page);
	int (*get_usage)(void *priv, struct cram_usage *usage);
	int (*trim)(void *priv, const struct range *ranges, int nr_ranges);
};

/* The most pages that are stored at a time */
#define CRAM_STORE_PAGES	16

/* The most that are trimmed at a time */
#define CRAM_TRIM_RANGES	128

#ifdef CONFIG_CRAM

struct cram_node *cram_register(int nid, const char *name, const struct range *ranges,
				int nr_ranges, u64 capacity, const struct cram_ops *ops,
				void *priv);
int cram_unregister(struct cram_node *node);
void cram_usage_changed(struct cram_node *node);
void cram_set_stopped(struct cram_node *node, bool stopped);
int cram_set_capacity(struct cram_node *node, u64 bytes);
void cram_set_poisoned(struct cram_node *node, const struct range *range);
void cram_set_gone(struct cram_node *node);
void cram_set_gone_range(const struct range *range);

#endif

#endif /* _LINUX_CRAM_H */
