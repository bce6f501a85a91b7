/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual swap space: what its files, mm/vswap*.c, share. What others call is in
 * mm/vswap.h.
 */
#ifndef _MM_VSWAP_INTERNAL_H
#define _MM_VSWAP_INTERNAL_H

#include <linux/types.h>
#include "swap.h"

struct seq_buf;
struct swap_io_ctx;
struct swap_ops;

enum vswap_mode {
	VSWAP_AUTO,	/* virtual slots for what zswap may take */
	VSWAP_ALWAYS,	/* virtual slots for every folio */
	VSWAP_NEVER,	/* plain slots only */
	NR_VSWAP_MODES,
};

/* Backing of a virtual slot */
enum vswap_backing {
	VSWAP_NONE,	/* it can't be read */
	VSWAP_ZERO,	/* the zero flag: it is zero-filled */
	VSWAP_ZSWAP,	/* a zswap entry */
	VSWAP_PHYS,	/* a physical slot */
};

/* Consecutive physical slots in a cluster */
struct vswap_run {
	swp_entry_t slot;
	unsigned int nr;
};

/* A snapshot taken by vswap_collect_stats() */
struct vswap_stats {
	unsigned long slots_used;	/* slots in use, one page each */
	unsigned long slots_cached;	/* data only in the swap cache */
	unsigned long slots_zero;	/* known to be zero-filled */
	unsigned long slots_zswap;	/* stored in zswap */
	unsigned long slots_phys;	/* in a physical slot */
	unsigned long slots_poison;	/* lost, reading them is an error */
	unsigned long clusters;		/* clusters that exist */
	unsigned long clusters_used;	/* clusters with a swap table */
	unsigned long backing_tables;	/* clusters with a backing table */
	unsigned long memory;		/* bytes that all of it takes */
};

/* mm/vswap.c */
bool vswap_grow(bool contended);
unsigned long vswap_used_pages(void);
unsigned long vswap_max_slots(void);
unsigned long vswap_array_bytes(void);

/* mm/vswap_backing.c */
void vswap_backing_init(void);
struct vswap_table *vswap_alloc_table(void);
struct swap_cluster_info *vswap_alloc_backing(swp_entry_t swp);
unsigned long vswap_get_word(swp_entry_t swp);
void vswap_free_slots(struct swap_cluster_info *ci, unsigned int ci_off,
		      unsigned int nr);
void vswap_drop_backing(struct folio *folio);
void vswap_poison(struct swap_cluster_info *ci, unsigned int ci_off);
int vswap_back_folio(struct folio *folio);
bool vswap_has_phys(struct folio *folio);
unsigned int vswap_phys_run(struct swap_cluster_info *ci, unsigned int ci_off,
			    unsigned int nr);
unsigned int vswap_detach_phys(struct swap_cluster_info *ci, unsigned int ci_off,
			       unsigned int nr, struct vswap_run *run);
void vswap_mark_failed(struct folio *folio, unsigned int first, unsigned int nr,
		       int rw);
bool vswap_test_clear_alone(swp_entry_t swp);

/* mm/vswap_phys.c */
swp_entry_t vswap_phys_alloc(swp_entry_t owner, unsigned int order);
void vswap_phys_free(swp_entry_t slot, unsigned int nr);
bool vswap_phys_available(void);
unsigned int vswap_phys_in_extent(swp_entry_t slot, unsigned int nr);
int vswap_phys_charge(unsigned short id, unsigned int nr, bool events);
void vswap_phys_uncharge(unsigned short id, unsigned int nr);
bool vswap_merge_runs(struct vswap_run *run, const struct vswap_run *next);
void vswap_free_run(const struct vswap_run *run);
bool vswap_phys_is_synchronous(swp_entry_t slot);
void vswap_mark_idle(struct swap_cluster_info *ci, swp_entry_t swp);

/* mm/vswap_io.c */
extern const struct swap_ops vswap_ops, vswap_nofs_ops;
int vswap_io_init(void);
bool vswap_folio_is_droppable(struct folio *folio);

/* mm/vswap_policy.c */
enum vswap_mode vswap_get_mode(void);
void vswap_set_mode(enum vswap_mode mode);
long vswap_folio_headroom(struct folio *folio);
void __vswap_count_accepted(struct folio *folio, unsigned int nr_pages);

extern bool vswap_has_rejected;

/**
 * vswap_count_accepted - Count pages that were swapped out without a device.
 * @folio: the folio, in the swap cache.
 * @nr_pages: number of its pages.
 *
 * Context: The caller holds the folio lock.
 */
static inline void vswap_count_accepted(struct folio *folio, unsigned int nr_pages)
{
	/* Where nothing was rejected, there is nothing to make up for */
	if (unlikely(READ_ONCE(vswap_has_rejected)))
		__vswap_count_accepted(folio, nr_pages);
}

/* mm/vswap_split.c */
bool vswap_only_parts_can_leave(struct folio *folio);
int vswap_keep_rejected(struct folio *folio, struct list_head *folio_list);

/* mm/vswap_stat.c */
void vswap_collect_stats(struct vswap_stats *stats);
unsigned long vswap_read_event(enum vswap_event event);

/* mm/vswap_validate.c, CONFIG_DEBUG_VM only */
int vswap_validate(struct seq_buf *report);

#endif /* _MM_VSWAP_INTERNAL_H */
