/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual swap space: what the swap layer asks of it, see
 * Documentation/mm/vswap.rst. Included by mm/swap.h.
 */
#ifndef _MM_VSWAP_H
#define _MM_VSWAP_H

#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/writeback.h>
#include <linux/zswap.h>

struct seq_buf;
struct swap_cluster_info;
struct zswap_entry;

/* Things that happen to virtual slots, shown in debugfs. */
enum vswap_event {
	VSWAP_GROW,		/* a page of clusters was added */
	VSWAP_GROW_FAIL,	/* ... could not be added */
	VSWAP_SHRINK,		/* a page of clusters was given back */
	VSWAP_ALLOC_FAIL,	/* no virtual slots for a folio that wanted them */
	VSWAP_TABLE_FAIL,	/* no memory for a backing table */
	VSWAP_DECLINED,		/* no backend took a folio, it stays in memory */
	VSWAP_GIVE_UP,		/* ... so many that reclaim is told to stop */
	VSWAP_LOST,		/* a slot without data was read: a bug */
	VSWAP_SLOTS_TAKEN,	/* a range of slots was taken for a folio */
	VSWAP_SLOTS_SPLIT,	/* ... or single slots, for lack of a range */
	VSWAP_SLOTS_FAIL,	/* ... or there were none */
	VSWAP_WRITE_ERROR,	/* a folio, or a run of its pages, could not be written */
	VSWAP_READ_ERROR,	/* ... could not be read */
	VSWAP_UNUSED,		/* swapoff moved a page off a device, or gave it up */
	NR_VSWAP_EVENTS,
};

/* What is behind a page of a folio in the swap cache. */
enum vswap_backed {
	VSWAP_BACKED_NOT,	/* nothing, it can't be read */
	VSWAP_BACKED_ZERO,	/* it is zero-filled */
	VSWAP_BACKED_ZSWAP,	/* zswap holds it */
	VSWAP_BACKED_SLOT,	/* it is in a physical slot */
};

/* Numbers of zswap entries, for mm/vswap_validate.c */
struct zswap_counts {
	unsigned long stored;		/* compressed */
	unsigned long incompressible;	/* of these */
	unsigned long direct;		/* besides them, on compressed RAM */
};

#ifdef CONFIG_ZSWAP
unsigned long zswap_max_pages(void);
const char *zswap_check_entry(const struct zswap_entry *entry, swp_entry_t swp,
			      struct zswap_counts *counts);
void zswap_read_counts(struct zswap_counts *counts);
#else
static inline unsigned long zswap_max_pages(void)
{
	return 0;
}

static inline const char *zswap_check_entry(const struct zswap_entry *entry,
					    swp_entry_t swp,
					    struct zswap_counts *counts)
{
	return "a zswap entry without zswap";
}

static inline void zswap_read_counts(struct zswap_counts *counts) {}
#endif

/*
 * So many clusters with too little room in one piece are tried for a large folio before
 * it gets a new one. Preemption is off meanwhile.
 */
#define VSWAP_MAX_TRIES	16

#ifdef CONFIG_VSWAP

enum vswap_mode {
	VSWAP_AUTO,	/* virtual slots for what zswap may take */
	VSWAP_ALWAYS,	/* virtual slots for every folio */
	VSWAP_NEVER,	/* plain slots only */
	NR_VSWAP_MODES,
};

/* What there is, counted by vswap_count(). */
struct vswap_counts {
	unsigned long slots_used;	/* slots in use, one page each */
	unsigned long slots_cached;	/* data only in the swap cache */
	unsigned long slots_zero;	/* known to be zero-filled */
	unsigned long slots_zswap;	/* stored in zswap */
	unsigned long slots_device;	/* in a physical slot */
	unsigned long slots_poison;	/* lost, reading them is an error */
	unsigned long clusters;		/* clusters that exist */
	unsigned long clusters_used;	/* clusters with a swap table */
	unsigned long backing_tables;	/* clusters with a backing table */
	unsigned long memory;		/* bytes that all of it takes */
};

/* Physical slots that follow each other in a cluster */
struct vswap_run {
	swp_entry_t slot;
	unsigned int nr;
};

extern struct swap_info_struct *vswap_info;

/*
 * The virtual device has the last swap type, whatever number of real devices
 * there is: the loops over real devices never come across it.
 */
#define SWP_NR_VSWAP	1
#define SWP_TYPE_VSWAP	(MAX_SWAPFILES - SWP_NR_VSWAP)

/* Is this the virtual device? */
static inline bool swap_is_vswap(const struct swap_info_struct *si)
{
	return si->type == SWP_TYPE_VSWAP;
}

/* Does this entry name a virtual slot? */
static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return swp_type(entry) == SWP_TYPE_VSWAP;
}

/* Which folios get virtual slots, what reclaim may count on: mm/vswap_policy.c */
bool vswap_wanted(struct folio *folio);
bool vswap_plain_allowed(struct folio *folio);
bool vswap_is_alone(void);
long vswap_device_room(struct mem_cgroup *memcg);
long vswap_folio_room(struct folio *folio);
bool vswap_fits_devices(struct folio *folio);
long vswap_headroom(struct mem_cgroup *memcg, int nid);
gfp_t vswap_charge_gfp(struct mem_cgroup *memcg, gfp_t gfp);
bool vswap_settle_headroom(struct mem_cgroup *memcg, gfp_t gfp);
bool vswap_declines(struct folio *folio);
void vswap_note_starved(struct folio *folio);
void vswap_oom_victim_gone(struct task_struct *victim);
void __vswap_note_taken(struct folio *folio, unsigned int nr_pages);
void vswap_note_incompressible(struct folio *folio, unsigned int nr_pages);
enum vswap_mode vswap_get_mode(void);
void vswap_set_mode(enum vswap_mode mode);

extern bool vswap_has_declined;

/**
 * vswap_note_taken - Note that pages of a folio were swapped out without a device.
 * @folio: the folio, in the swap cache.
 * @nr_pages: number of its pages.
 *
 * Context: The caller holds the folio lock.
 */
static inline void vswap_note_taken(struct folio *folio, unsigned int nr_pages)
{
	/* Where nothing was declined, there is nothing to make up for */
	if (unlikely(READ_ONCE(vswap_has_declined)))
		__vswap_note_taken(folio, nr_pages);
}

/* Large folios that zswap takes in part: mm/vswap_split.c */
bool vswap_split_helps(struct folio *folio);
bool vswap_only_parts_leave(struct folio *folio);
int vswap_keep(struct folio *folio, struct list_head *folio_list);

/* The swap layer's side: mm/vswap.c */
bool vswap_grow(bool contended);
void vswap_note_device(struct swap_info_struct *si);
void vswap_forget_device(struct swap_info_struct *si);
void vswap_cluster_freed(struct swap_info_struct *si,
			 struct swap_cluster_info *ci);
unsigned long vswap_used_pages(void);
unsigned long vswap_next_offset(unsigned int order);
void vswap_set_next_offset(unsigned int order, unsigned long offset);
void vswap_count(struct vswap_counts *counts);
unsigned long vswap_owned_zeroes(struct mem_cgroup *root);
unsigned long vswap_event_count(enum vswap_event event);
void vswap_count_events(enum vswap_event event, unsigned long nr);

/* Where the data is: mm/vswap_backing.c */
void vswap_backing_init(void);
struct swap_table *vswap_alloc_backing_table(void);
void vswap_free_backing_table(struct swap_cluster_info *ci);
void vswap_release_slots(struct swap_info_struct *si, unsigned long offset,
			 unsigned int nr);
void vswap_release_folio(struct folio *folio);
enum vswap_backed vswap_page_backing(struct folio *folio, unsigned int first,
				     swp_entry_t *slot, unsigned int *nr);
bool vswap_read_lost(struct folio *folio);
bool vswap_reads_apart(struct swap_cluster_info *ci, unsigned int ci_off,
		       unsigned int nr);
bool vswap_reads_alone(struct folio *folio);
void vswap_load_failed(swp_entry_t swp);
bool vswap_drop_unread(struct folio *folio);
vm_fault_t vswap_fault_unread(struct folio *folio);
atomic_long_t *vswap_get_backing_words(swp_entry_t swp);
unsigned long vswap_get_backing(swp_entry_t swp);
int vswap_store_zswap(swp_entry_t swp, struct zswap_entry *entry,
		      struct zswap_entry **old);
struct zswap_entry *vswap_load_zswap(swp_entry_t swp);
struct zswap_entry *vswap_erase_zswap(swp_entry_t swp);
void vswap_lose_zswap(swp_entry_t swp);

/* Moving data off a device: mm/vswap_unuse.c */
int vswap_unuse(struct swap_info_struct *si);
bool vswap_folio_unused(struct folio *folio);

/* Physical slots: mm/vswap_slots.c */
bool vswap_has_slots(struct folio *folio);
bool vswap_back_folio(struct folio *folio);
bool vswap_may_write(struct folio *folio, bool allowed);
swp_entry_t vswap_backing_range(struct folio *folio, unsigned int first,
				unsigned int *nr);
unsigned int vswap_cut_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			     unsigned int nr, struct vswap_run *run);
bool vswap_join_runs(struct vswap_run *run, const struct vswap_run *next);
void vswap_free_run(const struct vswap_run *run);
unsigned int vswap_free_slots(struct swap_cluster_info *ci,
			      unsigned int ci_off, unsigned int nr);
void vswap_free_slot(swp_entry_t swp, unsigned long word);
swp_entry_t vswap_peek_slot(swp_entry_t swp);
bool vswap_slot_is_synchronous(swp_entry_t slot);
bool vswap_is_synchronous(swp_entry_t swp);
bool vswap_folio_is_synchronous(struct folio *folio);
swp_entry_t vswap_slot_owner(swp_entry_t slot);
void vswap_hint_unused(struct swap_cluster_info *ci, swp_entry_t swp);
int vswap_reclaim_slot(swp_entry_t slot, unsigned long swp_tb);
int vswap_reserve_slot(swp_entry_t swp, swp_entry_t *slot);
void vswap_cancel_slot(swp_entry_t swp, swp_entry_t slot);
void vswap_use_slot(swp_entry_t swp, swp_entry_t slot);
void vswap_io_failed(struct folio *folio, unsigned int first, unsigned int nr,
		     int rw);

/* Looking for inconsistencies, CONFIG_DEBUG_VM only: mm/vswap_validate.c */
int vswap_validate(struct seq_buf *report);

#ifdef CONFIG_DEBUG_VM
void vswap_assert_backed(struct swap_cluster_info *ci, swp_entry_t entry,
			 unsigned int nr);
#else
static inline void vswap_assert_backed(struct swap_cluster_info *ci,
				       swp_entry_t entry, unsigned int nr)
{
}
#endif

#else /* CONFIG_VSWAP */

#define SWP_NR_VSWAP	0
#define vswap_info	((struct swap_info_struct *)NULL)

static inline bool swap_is_vswap(const struct swap_info_struct *si)
{
	return false;
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return false;
}

static inline bool vswap_wanted(struct folio *folio)
{
	return false;
}

static inline long vswap_headroom(struct mem_cgroup *memcg, int nid)
{
	return 0;
}

static inline gfp_t vswap_charge_gfp(struct mem_cgroup *memcg, gfp_t gfp)
{
	return gfp;
}

static inline bool vswap_settle_headroom(struct mem_cgroup *memcg, gfp_t gfp)
{
	return false;
}

static inline bool vswap_declines(struct folio *folio)
{
	return false;
}

static inline void vswap_note_starved(struct folio *folio)
{
}

static inline void vswap_oom_victim_gone(struct task_struct *victim)
{
}

static inline bool vswap_is_alone(void)
{
	return false;
}

static inline bool vswap_plain_allowed(struct folio *folio)
{
	return true;
}

static inline void vswap_note_taken(struct folio *folio, unsigned int nr_pages)
{
}

static inline bool vswap_split_helps(struct folio *folio)
{
	return false;
}

static inline bool vswap_only_parts_leave(struct folio *folio)
{
	return false;
}

static inline int vswap_keep(struct folio *folio, struct list_head *folio_list)
{
	folio_mark_dirty(folio);
	return AOP_WRITEPAGE_ACTIVATE;
}

static inline bool vswap_grow(bool contended)
{
	return false;
}

static inline void vswap_note_device(struct swap_info_struct *si)
{
}

static inline void vswap_forget_device(struct swap_info_struct *si)
{
}

static inline void vswap_cluster_freed(struct swap_info_struct *si,
				       struct swap_cluster_info *ci)
{
}

static inline unsigned long vswap_next_offset(unsigned int order)
{
	return 0;
}

static inline void vswap_set_next_offset(unsigned int order,
					 unsigned long offset)
{
}

static inline void vswap_count_events(enum vswap_event event, unsigned long nr)
{
}

static inline void vswap_free_backing_table(struct swap_cluster_info *ci)
{
}

/* Without virtual slots, zswap is the one who may hold data of any slot. */
static inline void vswap_release_slots(struct swap_info_struct *si,
				       unsigned long offset, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		zswap_invalidate(swp_entry(si->type, offset + i));
}

static inline void vswap_release_folio(struct folio *folio)
{
}

static inline enum vswap_backed vswap_page_backing(struct folio *folio,
						   unsigned int first,
						   swp_entry_t *slot,
						   unsigned int *nr)
{
	return VSWAP_BACKED_NOT;
}

static inline bool vswap_read_lost(struct folio *folio)
{
	return false;
}

static inline bool vswap_reads_apart(struct swap_cluster_info *ci,
				     unsigned int ci_off, unsigned int nr)
{
	return false;
}

static inline bool vswap_reads_alone(struct folio *folio)
{
	return false;
}

static inline bool vswap_drop_unread(struct folio *folio)
{
	return false;
}

static inline vm_fault_t vswap_fault_unread(struct folio *folio)
{
	return VM_FAULT_SIGBUS;
}

static inline bool vswap_may_write(struct folio *folio, bool allowed)
{
	return allowed;
}

static inline swp_entry_t vswap_backing_range(struct folio *folio,
					      unsigned int first,
					      unsigned int *nr)
{
	return (swp_entry_t) {};
}

static inline int vswap_unuse(struct swap_info_struct *si)
{
	return 0;
}

static inline swp_entry_t vswap_peek_slot(swp_entry_t swp)
{
	return swp;
}

static inline bool vswap_is_synchronous(swp_entry_t swp)
{
	return false;
}

static inline bool vswap_folio_is_synchronous(struct folio *folio)
{
	return false;
}

static inline swp_entry_t vswap_slot_owner(swp_entry_t slot)
{
	return slot;
}

static inline void vswap_hint_unused(struct swap_cluster_info *ci,
				     swp_entry_t swp)
{
}

static inline int vswap_reclaim_slot(swp_entry_t slot, unsigned long swp_tb)
{
	return 0;
}

static inline void vswap_io_failed(struct folio *folio, unsigned int first,
				   unsigned int nr, int rw)
{
}

static inline void vswap_assert_backed(struct swap_cluster_info *ci,
				       swp_entry_t entry, unsigned int nr)
{
}

#endif /* CONFIG_VSWAP */

/*
 * How many pages of @memcg on @nid can be swapped out? Of all if it is NULL. An
 * estimate: more than 0 if reclaim should try.
 */
static inline long swap_headroom(struct mem_cgroup *memcg, int nid)
{
	if (IS_ENABLED(CONFIG_VSWAP))
		return vswap_headroom(memcg, nid);
	return memcg ? mem_cgroup_get_nr_swap_pages(memcg) : get_nr_swap_pages();
}

#if defined(CONFIG_MEMCG) && defined(CONFIG_ZSWAP)
void mem_cgroup_settle_zswap(struct mem_cgroup *memcg);
#else
static inline void mem_cgroup_settle_zswap(struct mem_cgroup *memcg)
{
}
#endif

static inline void vswap_count_event(enum vswap_event event)
{
	vswap_count_events(event, 1);
}

/* Does the folio, in the swap cache, have virtual slots? */
static inline bool folio_swap_is_virtual(const struct folio *folio)
{
	return swap_entry_is_virtual(folio->swap);
}

/**
 * vswap_slot_range - Where a part of a folio is on a device.
 * @folio: folio in the swap cache.
 * @first: page of the folio to start with.
 * @nr: returns the number of pages from there on whose slots follow each other.
 *
 * Context: The caller holds the folio lock. A folio with virtual slots has a physical
 * slot behind each of the pages that are asked for.
 * Return: The slot of page @first on its device.
 */
static inline swp_entry_t vswap_slot_range(struct folio *folio,
					   unsigned int first, unsigned int *nr)
{
	if (folio_swap_is_virtual(folio))
		return vswap_backing_range(folio, first, nr);

	*nr = folio_nr_pages(folio) - first;
	return swp_entry(swp_type(folio->swap), swp_offset(folio->swap) + first);
}

#endif /* _MM_VSWAP_H */
