/* SPDX-License-Identifier: GPL-2.0 */
/*
 * zswap's internals: what mm/zswap*.c share, and what zswap asks of the slots
 * that its entries are stored under.
 */
#ifndef _MM_ZSWAP_H
#define _MM_ZSWAP_H

#include <linux/swap_ops.h>
#include <linux/types.h>
#include <linux/zswap.h>
#include "cram_store.h"
#include "swap.h"

struct list_lru;
struct obj_cgroup;
struct shrinker;
struct zswap_pool;

/*
 * struct zswap_entry
 *
 * This structure contains the metadata for tracking a single compressed
 * page within zswap.
 *
 * swpentry - associated swap entry, the slot that the entry is stored under
 * length - the length in bytes of the compressed page data.  Needed during
 *          decompression. For a direct entry, what the page is charged with.
 * referenced - true if the entry recently entered the zswap pool. Unset by the
 *              writeback logic. The entry is only reclaimed by the writeback
 *              logic if referenced is unset. See comments in the shrinker
 *              section for context.
 * direct - true if the data is a page of compressed RAM
 * pool - the zswap_pool the entry's data is in
 * sum - that of a direct entry's data, see struct cram_copy
 * handle - zsmalloc allocation handle that stores the compressed page data
 * page - the page of compressed RAM of a direct entry, see cram_store_pages()
 * objcg - the obj_cgroup that the compressed memory is charged to
 * lru - handle to the pool's lru used to evict pages.
 */
struct zswap_entry {
	swp_entry_t swpentry;
	unsigned int length;
	bool referenced;
	bool direct;
	union {
		struct zswap_pool *pool;
		u32 sum;
	};
	union {
		unsigned long handle;
		struct page *page;
	};
	struct obj_cgroup *objcg;
	struct list_head lru;
};

static inline bool zswap_entry_is_direct(const struct zswap_entry *entry)
{
	return cram_is_present() && entry->direct;
}

/*
 * Slots. With CONFIG_VSWAP, entries back virtual slots: mm/vswap_backing.c. Else
 * the slot of an entry is that of a device, and it is found in an xarray:
 * mm/zswap_tree.c. An entry does not go away while the folio in the swap cache
 * under its slot is locked, but by whoever has locked it.
 */

/**
 * zswap_slot_store - Store an entry under a slot.
 * @swp: the slot's swap entry.
 * @entry: the zswap entry that holds the data from now on.
 * @old: returns the zswap entry that it replaces, NULL if there is none.
 *
 * A physical slot that backed @swp is freed.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep, the caller owns @old.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int zswap_slot_store(swp_entry_t swp, struct zswap_entry *entry,
		     struct zswap_entry **old);

/**
 * zswap_slot_load - Find the entry that is stored under a slot.
 * @swp: swap entry, may be one that zswap never holds anything of.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * Return: The zswap entry, NULL if there is none.
 */
struct zswap_entry *zswap_slot_load(swp_entry_t swp);

/**
 * zswap_slot_erase - Take away the entry that is stored under a slot.
 * @swp: swap entry, may be one that zswap never holds anything of.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp
 * and sees to it that the folio is dirty, or the cluster lock of a slot that
 * is being freed. The caller owns what is returned.
 * Return: The zswap entry, NULL if there was none.
 */
struct zswap_entry *zswap_slot_erase(swp_entry_t swp);

#ifdef CONFIG_VSWAP

/* Each entry holds a slot of a device, which it can be written back to */
#define ZSWAP_HOLDS_SLOTS	false

static inline bool zswap_slot_may_hold(swp_entry_t swp)
{
	return swap_entry_is_virtual(swp);
}

/**
 * zswap_slot_poison - Record that the data of an entry is lost.
 * @swp: swap entry of the slot that it is stored under.
 *
 * Reading the slot is an error from now on, until it is freed.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp. It
 * owns the zswap entry from now on.
 */
void zswap_slot_poison(swp_entry_t swp);

/**
 * zswap_slot_mark_failed - Record that an entry could not be decompressed.
 * @swp: swap entry of the slot that it is stored under.
 *
 * The page is not read into a large folio again.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 */
void zswap_slot_mark_failed(swp_entry_t swp);

/**
 * zswap_slot_reserve_phys - Allocate a slot on a device for writing an entry back.
 * @swp: swap entry of the slot that it is stored under.
 * @slot: returns the slot of the device, which nothing names yet.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep.
 * Return: 0; -ENOSPC if there is no slot, -EDQUOT if the cgroup that owns @swp is
 * at its memory.swap.max.
 */
int zswap_slot_reserve_phys(swp_entry_t swp, swp_entry_t *slot);

/**
 * zswap_slot_cancel_phys - Free a slot that has been reserved.
 * @swp: swap entry of the slot that the entry is stored under.
 * @slot: from zswap_slot_reserve_phys().
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 */
void zswap_slot_cancel_phys(swp_entry_t swp, swp_entry_t slot);

/**
 * zswap_slot_replace - Replace an entry by a slot that has been reserved.
 * @swp: swap entry of the slot that it is stored under.
 * @slot: from zswap_slot_reserve_phys().
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp
 * and goes on to write it. It owns the zswap entry from now on.
 */
void zswap_slot_replace(swp_entry_t swp, swp_entry_t slot);

/* Is there a device that pages of @memcg can be written back to? */
static inline bool zswap_can_write_back(struct mem_cgroup *memcg)
{
	return vswap_device_headroom(memcg) > 0;
}

/* Can all of a folio go to devices? */
static inline bool zswap_has_other_place(struct folio *folio)
{
	return vswap_fits_devices(folio);
}

static inline void zswap_count_incompressible(struct folio *folio, unsigned int nr_pages)
{
	vswap_count_incompressible(folio, nr_pages);
}

#else /* CONFIG_VSWAP */

#define ZSWAP_HOLDS_SLOTS	true

static inline bool zswap_slot_may_hold(swp_entry_t swp)
{
	return true;
}

static inline void zswap_slot_poison(swp_entry_t swp)
{
}

static inline void zswap_slot_mark_failed(swp_entry_t swp)
{
}

static inline int zswap_slot_reserve_phys(swp_entry_t swp, swp_entry_t *slot)
{
	return 0;
}

static inline void zswap_slot_cancel_phys(swp_entry_t swp, swp_entry_t slot)
{
}

static inline void zswap_slot_replace(swp_entry_t swp, swp_entry_t slot)
{
	zswap_slot_erase(swp);
}

static inline bool zswap_can_write_back(struct mem_cgroup *memcg)
{
	return mem_cgroup_zswap_writeback_enabled(memcg);
}

static inline bool zswap_has_other_place(struct folio *folio)
{
	return true;
}

static inline void zswap_count_incompressible(struct folio *folio, unsigned int nr_pages)
{
}

#endif /* CONFIG_VSWAP */

/*
 * mm/zswap.c
 */

/* Entries that are written back one after the other */
struct zswap_writeback {
	struct swap_io_ctx io;	/* submitted by the caller, at the end */
	bool no_memory;		/* reclaim did not help to get a page */
};

extern struct kmem_cache *zswap_entry_cache;
extern struct list_lru zswap_list_lru;
extern atomic_long_t zswap_stored_incompressible_pages;
extern u64 zswap_reject_reclaim_fail;

#ifdef CONFIG_ZSWAP
unsigned long zswap_max_pages(void);
bool zswap_is_full(void);
void zswap_entry_free(struct zswap_entry *entry);
void zswap_entry_cache_free(struct zswap_entry *entry);
void zswap_lru_del(struct zswap_entry *entry, struct list_lru *lru, int nid);
int zswap_read(struct zswap_entry *entry, struct folio *folio, unsigned int index);
int zswap_compress_folio(struct folio *folio, struct obj_cgroup *objcg);
struct folio *zswap_writeback_begin(struct zswap_entry *entry, swp_entry_t swpentry,
				    struct zswap_writeback *wb);
int zswap_writeback_folio(struct zswap_entry *entry, struct folio *folio,
			  struct zswap_writeback *wb);
void zswap_writeback_cancel(struct folio *folio);
bool zswap_make_room(struct obj_cgroup *objcg, struct list_lru *lru,
		     bool (*may)(struct obj_cgroup *objcg), long nr_pages);
#else
static inline unsigned long zswap_max_pages(void)
{
	return 0;
}

static inline void zswap_entry_free(struct zswap_entry *entry)
{
}
#endif

/*
 * Direct entries: mm/zswap_cram.c
 */

/* Copies on compressed RAM of some pages of a folio, made together. */
struct zswap_copies {
	struct cram_copy copy[CRAM_STORE_PAGES];
	long first, nr;
};

extern struct list_lru zswap_direct_lru;
extern atomic_long_t zswap_stored_direct_pages;

int zswap_direct_init(struct shrinker *shrinker);
void zswap_direct_debugfs_init(struct dentry *root);
bool zswap_may_direct(struct obj_cgroup *objcg, long nr_pages);
struct cram_copy *zswap_get_copy(struct zswap_copies *copies, struct folio *folio,
				 long index);
void zswap_drop_copies(struct zswap_copies *copies);
int zswap_store_direct(struct zswap_entry *entry, struct cram_copy *copy);
int zswap_read_direct(struct zswap_entry *entry, struct folio *folio,
		      unsigned int index);
void zswap_poison_direct(struct zswap_entry *entry, swp_entry_t swp, int err);
void zswap_free_direct(struct zswap_entry *entry);
unsigned long zswap_evict_direct(struct cram_node *node, int nid, unsigned long nr);
void zswap_leave_direct(struct folio *folio);

#endif /* _MM_ZSWAP_H */
