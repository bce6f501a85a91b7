/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual swap space: what the rest of mm asks of it, see
 * Documentation/mm/vswap.rst. Included by mm/swap.h.
 */
#ifndef _MM_VSWAP_H
#define _MM_VSWAP_H

#include <linux/swap.h>
#include <linux/swapops.h>

struct swap_cluster_info;

/* Event counters, shown in debugfs. */
enum vswap_event {
	VSWAP_GROW,		/* a page of clusters was added */
	VSWAP_GROW_FAIL,	/* ... could not be added */
	VSWAP_ALLOC_FAIL,	/* no virtual slots for a folio that wanted them */
	VSWAP_TABLE_FAIL,	/* no memory for a backing table */
	VSWAP_REJECT,		/* no backend took a folio, it stays in memory */
	VSWAP_GIVE_UP,		/* ... so many that reclaim is told to stop */
	VSWAP_LOST,		/* a slot without data was read: a bug */
	VSWAP_PHYS_ALLOC,	/* physical slots were allocated for a folio */
	VSWAP_PHYS_ALLOC_SPLIT,	/* ... single ones, for lack of a range */
	VSWAP_PHYS_ALLOC_FAIL,	/* ... or there were none */
	VSWAP_WRITE_ERROR,	/* a folio, or a run of its pages, could not be written */
	VSWAP_READ_ERROR,	/* ... could not be read */
	VSWAP_EVACUATE,		/* swapoff moved a page off a device, or gave it up */
	NR_VSWAP_EVENTS,
};

/*
 * So many clusters with too little room in one piece are tried for a large folio before
 * it gets a new one. Preemption is off meanwhile.
 */
#define VSWAP_MAX_TRIES	16

#ifdef CONFIG_VSWAP

extern struct swap_info_struct *vswap_info;

/*
 * The virtual device has the last swap type, whatever number of real devices
 * there is: the loops over real devices never come across it.
 */
#define SWP_NR_VSWAP	1
#define SWP_TYPE_VSWAP	(MAX_SWAPFILES - SWP_NR_VSWAP)

/* Is this the virtual device? */
static inline bool swap_is_virtual(const struct swap_info_struct *si)
{
	return si->flags & SWP_VIRTUAL;
}

/* Does this entry name a virtual slot? */
static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return swp_type(entry) == SWP_TYPE_VSWAP;
}

/* The device and its clusters: mm/vswap.c */
unsigned long vswap_next_offset(unsigned int order);
void vswap_set_next_offset(unsigned int order, unsigned long offset);
void vswap_add_device(struct swap_info_struct *si);
void vswap_remove_device(struct swap_info_struct *si);

/* Which folios get virtual slots, what reclaim may count on: mm/vswap_policy.c */
bool vswap_is_wanted(struct folio *folio);
bool vswap_plain_is_allowed(struct folio *folio);
bool vswap_is_alone(void);
bool vswap_is_rejecting(struct folio *folio);
void vswap_mark_starved(struct folio *folio);
long vswap_headroom(struct mem_cgroup *memcg, int nid);
long vswap_device_headroom(struct mem_cgroup *memcg);
bool vswap_fits_devices(struct folio *folio);
void vswap_count_incompressible(struct folio *folio, unsigned int nr_pages);
bool vswap_settle_headroom(struct mem_cgroup *memcg, gfp_t gfp);
gfp_t vswap_charge_gfp(struct mem_cgroup *memcg, gfp_t gfp);
void vswap_oom_victim_gone(struct task_struct *victim);

/* What backs a slot: mm/vswap_backing.c, mm/vswap_phys.c */
void vswap_free_table(struct swap_cluster_info *ci);
swp_entry_t vswap_peek_phys(swp_entry_t swp);
swp_entry_t vswap_phys_owner(swp_entry_t slot);
int vswap_reclaim_phys(swp_entry_t slot, unsigned long swp_tb);
bool vswap_is_synchronous(swp_entry_t swp);
bool vswap_folio_is_synchronous(struct folio *folio);

/* Reading and splitting folios: mm/vswap_io.c, mm/vswap_split.c, mm/vswap_unuse.c */
bool vswap_can_read_range(struct swap_cluster_info *ci, unsigned int ci_off,
			  unsigned int nr);
bool vswap_drop_unread(struct folio *folio);
vm_fault_t vswap_fault_read_error(struct folio *folio);
bool vswap_can_split(struct folio *folio);
int vswap_unuse(struct swap_info_struct *si);

/* Statistics: mm/vswap_stat.c */
void vswap_count_events(enum vswap_event event, unsigned long nr);
unsigned long vswap_owned_zeroes(struct mem_cgroup *root);

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

static inline bool swap_is_virtual(const struct swap_info_struct *si)
{
	return false;
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return false;
}

static inline unsigned long vswap_next_offset(unsigned int order)
{
	return 0;
}

static inline void vswap_set_next_offset(unsigned int order,
					 unsigned long offset)
{
}

static inline void vswap_add_device(struct swap_info_struct *si)
{
}

static inline void vswap_remove_device(struct swap_info_struct *si)
{
}

static inline bool vswap_is_wanted(struct folio *folio)
{
	return false;
}

static inline bool vswap_plain_is_allowed(struct folio *folio)
{
	return true;
}

static inline bool vswap_is_alone(void)
{
	return false;
}

static inline bool vswap_is_rejecting(struct folio *folio)
{
	return false;
}

static inline void vswap_mark_starved(struct folio *folio)
{
}

static inline long vswap_headroom(struct mem_cgroup *memcg, int nid)
{
	return 0;
}

static inline bool vswap_settle_headroom(struct mem_cgroup *memcg, gfp_t gfp)
{
	return false;
}

static inline gfp_t vswap_charge_gfp(struct mem_cgroup *memcg, gfp_t gfp)
{
	return gfp;
}

static inline void vswap_oom_victim_gone(struct task_struct *victim)
{
}

static inline void vswap_free_table(struct swap_cluster_info *ci)
{
}

static inline swp_entry_t vswap_peek_phys(swp_entry_t swp)
{
	return swp;
}

static inline swp_entry_t vswap_phys_owner(swp_entry_t slot)
{
	return slot;
}

static inline int vswap_reclaim_phys(swp_entry_t slot, unsigned long swp_tb)
{
	return 0;
}

static inline bool vswap_is_synchronous(swp_entry_t swp)
{
	return false;
}

static inline bool vswap_folio_is_synchronous(struct folio *folio)
{
	return false;
}

static inline bool vswap_can_read_range(struct swap_cluster_info *ci,
					unsigned int ci_off, unsigned int nr)
{
	return true;
}

static inline bool vswap_drop_unread(struct folio *folio)
{
	return false;
}

static inline vm_fault_t vswap_fault_read_error(struct folio *folio)
{
	return VM_FAULT_SIGBUS;
}

static inline bool vswap_can_split(struct folio *folio)
{
	return false;
}

static inline int vswap_unuse(struct swap_info_struct *si)
{
	return 0;
}

static inline void vswap_count_events(enum vswap_event event, unsigned long nr)
{
}

static inline void vswap_assert_backed(struct swap_cluster_info *ci,
				       swp_entry_t entry, unsigned int nr)
{
}

#endif /* CONFIG_VSWAP */

static inline void vswap_count_event(enum vswap_event event)
{
	vswap_count_events(event, 1);
}

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

/* Does the folio, in the swap cache, have virtual slots? */
static inline bool folio_swap_is_virtual(const struct folio *folio)
{
	return swap_entry_is_virtual(folio->swap);
}

#endif /* _MM_VSWAP_H */
