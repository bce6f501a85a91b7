/* SPDX-License-Identifier: GPL-2.0 */
/* Compressed RAM: what the files mm/cram*.c share. */
#ifndef _MM_CRAM_H
#define _MM_CRAM_H

#include <linux/cram.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "cram_store.h"

/* Events on a node since it was registered. */
enum cram_event {
	CRAM_STORED,		/* pages stored */
	CRAM_LOADED,		/* pages loaded */
	CRAM_REFUSED,		/* pages not stored, for want of room or by the driver */
	CRAM_POISONED,		/* pages that turned out to be lost */
	CRAM_EVICTED,		/* pages moved elsewhere for the low watermark */
	CRAM_TRIMMED,		/* pages that the device has discarded */
	CRAM_DROPPED,		/* pages that were not what had been stored */
	NR_CRAM_EVENTS,
};

/* Where a device is between being registered and being forgotten, under cram_mutex. */
enum cram_state {
	CRAM_JOINING,
	CRAM_ONLINE,
	CRAM_LEAVING,
	CRAM_ORPHAN,		/* without a driver, and not empty */
};

/* A list of pages that are not in use, see mm/cram_pages.c. */
struct cram_list {
	unsigned long first, last;
	unsigned long nr;
};

/* What has been tried in vain, and until when it is not tried again, in jiffies. */
struct cram_backoff {
	unsigned long until;
	unsigned int delay;
};

/* A device: memory of one node. */
struct cram_node {
	int nid;
	int adistance;			/* of the node, as its memory tier has it */
	struct list_head store_list;	/* of those that take copies, the nearest first */
	const struct cram_ops *ops;
	void *priv;
	struct kobject kobj;
	struct list_head list;
	struct rcu_head rcu;
	const char *name;
	int instance;			/* its number among those of the node */
	enum cram_state state;
	bool gone;			/* nothing can be read there any more */
	bool compresses;		/* what it takes is what the driver says */
	bool trims;			/* pages have to be trimmed before they are used again */
	struct dev_pagemap *pgmap;
	bool verify;			/* sum what is stored, and compare */
	unsigned long nr_pages;		/* numbered through all ranges */
	atomic_long_t stored;

	spinlock_t lock;		/* for what follows, up to closed */
	unsigned long *slots;		/* a word a page: owner, or place in a list */
	struct cram_list blank;		/* ... those that can be written */
	struct cram_list refused;	/* ... the same, when there are no others */
	struct cram_list freed;		/* ... those that have to be trimmed before */
	unsigned long fresh, fresh_end;	/* pages never used, blank up to the latter */
	unsigned long nr_taken;		/* pages in use, or retired */
	unsigned long nr_retired;
	struct cram_usage usage;	/* as the driver said last */
	unsigned long usage_time;	/* ... in jiffies */
	unsigned int usage_seq;		/* ... and how often it did */
	bool usage_stale;		/* ... which can't be relied on any more */
	unsigned int mean_size;		/* bytes a page took then, 0 if not known */
	u64 reserved;			/* bytes of pages that were ever to be written */
	u64 written;			/* ... and are */
	u64 bound;			/* bytes that are in use at the most */
	unsigned int in_flight;		/* pages that are being stored */
	unsigned int high, low;		/* watermarks, percent of the capacity */
	unsigned int wanted;		/* pages to be moved elsewhere for the driver */
	u64 capacity;			/* bytes, of a device that does not say what is in use */
	u64 evict_used;			/* bytes in use when pages were moved elsewhere */
	unsigned long evict_time;	/* ... and when that was, in jiffies */
	bool full;			/* above high, and not yet below low */
	unsigned long full_time;	/* ... since then, in jiffies */
	bool stopped;			/* the driver wants nothing for now */
	bool closed;			/* being emptied, takes no pages */

	struct mutex usage_lock;	/* to ask the driver; outside of lock */
	struct delayed_work work;	/* trims, and moves pages elsewhere */
	struct cram_backoff trim_backoff, evict_backoff;
	struct cram_trimming *trimming;	/* memory for the former */
	unsigned long leave_index;	/* page to go on with if it is an orphan */
	unsigned long leave_idle;	/* ... pages looked at in vain */
	atomic_long_t events[NR_CRAM_EVENTS];

	int nr_ranges;
	struct range ranges[] __counted_by(nr_ranges);
};

static inline void cram_count(struct cram_node *node, enum cram_event event, long nr)
{
	atomic_long_add(nr, &node->events[event]);
}

/* mm/cram.c */
void cram_node_free(struct cram_node *node);
void cram_wake(struct cram_node *node, unsigned long delay);
void cram_retry(struct cram_node *node);
void cram_set_state(struct cram_node *node, enum cram_state state);
void cram_set_orphan(struct cram_node *node);
bool cram_disown(struct cram_node *node);
void cram_remove(struct cram_node *node, bool worker);

/* mm/cram_store.c */
int cram_store_add(struct cram_node *node);
void cram_store_del(struct cram_node *node);

/* mm/cram_map.c */
int cram_map(struct cram_node *node);
void cram_unmap(struct cram_node *node);
void cram_poison(struct cram_node *node, struct page *page);

/* mm/cram_leave.c */
void cram_forget_driver(struct cram_node *node);
bool cram_leave(struct cram_node *node);

/* mm/cram_pages.c */
int cram_pages_init(struct cram_node *node);
void __cram_pages_renew(struct cram_node *node);
unsigned long cram_data_pages(struct cram_node *node);
unsigned long cram_blank_pages(struct cram_node *node);
void cram_pages_destroy(struct cram_node *node);
struct page *cram_index_page(struct cram_node *node, unsigned long index);
unsigned long cram_page_index(struct cram_node *node, struct page *page);
struct page *__cram_take_page(struct cram_node *node);
bool __cram_put_page(struct cram_node *node, struct page *page, struct cram_list *to);
swp_entry_t cram_owner(struct cram_node *node, unsigned long index);
void cram_set_owner(struct cram_node *node, struct page *page, swp_entry_t entry);
void cram_write_back(struct page *const *pages, int nr);
bool cram_trim(struct cram_node *node);

/* mm/cram_room.c */
void cram_backoff(struct cram_backoff *backoff, bool failed);
unsigned long cram_backoff_delay(const struct cram_backoff *backoff);
void cram_room_init(struct cram_node *node);
void cram_room_renew(struct cram_node *node);
int cram_reserve(struct cram_node *node, struct page **pages, int nr);
void cram_unreserve(struct cram_node *node, struct page *page, int err);
void cram_reserved(struct cram_node *node);
int cram_refresh(struct cram_node *node);
void cram_get_usage(struct cram_node *node, struct cram_usage *usage);
unsigned int cram_mean_size(struct cram_node *node);
unsigned long cram_room_pages(struct cram_node *node);
bool cram_is_overfull(struct cram_node *node);
void cram_make_room(struct cram_node *node);
void cram_close(struct cram_node *node);
void cram_open(struct cram_node *node);
int cram_set_watermark(struct cram_node *node, unsigned int *mark,
		       unsigned int percent);

/* mm/cram_sysfs.c */
void cram_sysfs_init(struct cram_node *node);
int cram_sysfs_add(struct cram_node *node, int instance);
void cram_sysfs_remove(struct cram_node *node);

#endif /* _MM_CRAM_H */
