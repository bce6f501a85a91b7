/* SPDX-License-Identifier: GPL-2.0 */
/* Compressed RAM: what mm/cram.c shares with the files beside it. */
#ifndef _MM_CRAM_H
#define _MM_CRAM_H

#include <linux/cram.h>
#include <linux/kobject.h>
#include <linux/memory-tiers.h>
#include <linux/sbitmap.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

/* Events on a node since it was registered. */
enum cram_event {
	CRAM_STORED,		/* pages stored */
	CRAM_LOADED,		/* pages loaded */
	CRAM_REFUSED,		/* pages not stored, for want of room or by the driver */
	CRAM_POISONED,		/* pages that turned out to be lost */
	CRAM_EVICTED,		/* pages moved elsewhere for the low watermark */
	NR_CRAM_EVENTS,
};

/* The memory of one node. */
struct cram_node {
	struct mt_direct direct;	/* its place among the memory tiers */
	const struct cram_ops *ops;
	void *priv;
	struct kobject kobj;
	struct list_head list;

	/* Pages, counted through all ranges */
	unsigned long nr_pages;
	struct sbitmap pages;		/* those in use, and those retired */
	swp_entry_t *owners;		/* whose data a page has, 0 for none yet */
	atomic_long_t stored;
	atomic_long_t retired;

	spinlock_t lock;		/* for what follows, up to closed */
	unsigned int in_flight;		/* pages that are being stored */
	struct cram_usage usage;	/* as the driver said last */
	unsigned int mean_size;		/* bytes a page took then, 0 if not known */
	u64 bound;			/* bytes that are in use at the most */
	unsigned int high, low;		/* watermarks, percent of the capacity */
	bool full;			/* above high, and not yet below low */
	bool closed;			/* being emptied, takes no pages */

	struct delayed_work evict_work;
	atomic_long_t events[NR_CRAM_EVENTS];

	int nr_ranges;
	struct range ranges[] __counted_by(nr_ranges);
};

void cram_refresh(struct cram_node *node, struct cram_usage *usage);
int cram_set_watermark(struct cram_node *node, unsigned int *mark,
		       unsigned int percent);
void cram_node_free(struct cram_node *node);
void cram_sysfs_init(struct cram_node *node);
int cram_sysfs_add(struct cram_node *node);
void cram_sysfs_remove(struct cram_node *node);

#endif /* _MM_CRAM_H */
