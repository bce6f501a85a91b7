// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: does all that is recorded of the slots agree?
 *
 * What is known of a swapped out page is recorded in many places: the word
 * in the swap table, its count and zero flag, the backing word, the reverse map
 * of the physical slot, the id of the owner and its charge, the folio in the
 * swap cache, the zswap entry, and the counters of all of them. Each is kept
 * under rules of its own, see Documentation/mm/vswap.rst. The validator, for
 * debug kernels only, walks all clusters of all devices and compares.
 *
 * It can run at any time, beside swapping. There are three kinds of checks, by
 * what makes them certain:
 *
 * - What one cluster lock protects is compared under it. If there is a folio,
 *   its lock protects the backing word and the dirty flag. The folio lock comes
 *   before the cluster lock, so it is only tried, and what is behind a busy
 *   folio is not checked.
 *
 * - What is in two clusters is compared under both locks, virtual before
 *   physical. A reverse map is read first, all locks are dropped, and with both
 *   locks held it is looked at again.
 *
 * - Totals and lists are compared only while the system is quiet: two walks in
 *   a row have found the same words and the same counters. If something does
 *   not agree, it takes some more of them.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu-refcount.h>
#include <linux/seq_buf.h>
#include <linux/seq_file.h>
#include <linux/vswap.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "slab.h"
#include "vswap_internal.h"
#include "vswap_table.h"
#include "zswap.h"

/* Inconsistencies that are printed, the others are only counted. */
#define VSWAP_CHECK_LINES	32
/* Room for all that is printed */
#define VSWAP_CHECK_SIZE	((VSWAP_CHECK_LINES + 1) * 256UL)

/* How often to look whether the system is quiet, with a pause in between. */
#define VSWAP_CHECK_ROUNDS	10
#define VSWAP_CHECK_PAUSE_MS	20
/* Totals that disagree are reported if nothing has changed so many times. */
#define VSWAP_CHECK_SURE	3

/* A device: what was found, and what it says itself. */
struct vswap_device_census {
	bool there;
	bool writable;
	unsigned long pages;			/* its size */
	unsigned long used, used_said;		/* slots in use */
	unsigned long rmaps, rmaps_said;	/* of these, physical ones */
	unsigned long flagged[CLUSTER_FLAG_MAX];/* clusters by their flags */
	unsigned long listed[CLUSTER_FLAG_MAX];	/* clusters on lists, by list */
	unsigned long misplaced;		/* those on a list for others */
};

/* A cgroup, by its id. */
struct vswap_charge {
	unsigned long slots;	/* of devices that it owns */
	unsigned long said;	/* that it is charged for, with its subtree */
};

/* Numbers of zswap entries */
struct vswap_zswap_counts {
	unsigned long stored;		/* compressed */
	unsigned long incompressible;	/* of these */
	unsigned long direct;		/* besides them, on compressed RAM */
};

/* What one walk has found; the system is quiet if the next finds the same. */
struct vswap_census {
	struct vswap_device_census device[MAX_SWAPFILES];
	struct vswap_zswap_counts zswap, zswap_said;
	long nr_swap_pages;
	unsigned long clusters, slots;
	unsigned long busy;		/* could not be checked */
	unsigned long sum;		/* of all words */
};

struct vswap_check {
	struct seq_buf *report;
	unsigned long errors;
	bool sure;			/* report totals that disagree */
	struct vswap_charge *charges;	/* NULL if there are none */
	struct vswap_census now, before;
	unsigned long words[SWAPFILE_CLUSTER];	/* of one physical cluster */
};

/* A slot of a cluster that is locked. */
struct vswap_slot {
	struct swap_info_struct *si;
	struct swap_cluster_info *ci;
	unsigned int ci_off;
	swp_entry_t entry;
	unsigned long swp_tb;		/* word in the swap table */
	unsigned long word;		/* backing word, for a virtual slot */
	unsigned short id;		/* of its owner */
};

/*
 * Reports
 */

static __printf(2, 3) void vswap_report(struct vswap_check *c,
					const char *fmt, ...)
{
	va_list args;

	if (++c->errors > VSWAP_CHECK_LINES)
		return;

	va_start(args, fmt);
	seq_buf_vprintf(c->report, fmt, args);
	va_end(args);
	seq_buf_putc(c->report, '\n');
}

static void vswap_report_slot(struct vswap_check *c, const struct vswap_slot *s,
			      const char *what)
{
	vswap_report(c, "slot %u:%lu table %lx backing %lx owner %u: %s",
		     swp_type(s->entry), swp_offset(s->entry), s->swp_tb,
		     s->word, s->id, what);
}

static void vswap_report_cluster(struct vswap_check *c,
				 struct swap_info_struct *si,
				 struct swap_cluster_info *ci, const char *what,
				 unsigned long found)
{
	vswap_report(c, "cluster %u:%lu count %u flags %u order %u: %s %lu",
		     si->type, (ci - si->cluster_info) * SWAPFILE_CLUSTER,
		     ci->count, ci->flags, ci->order, what, found);
}

/*
 * Compare a total, which may be off while things go on. @whose is the number of
 * the device or cgroup that it belongs to, or -1.
 */
static bool vswap_check_total(struct vswap_check *c, const char *what,
			      int whose, long said, long found)
{
	char number[16] = "";

	if (said == found)
		return true;
	if (whose >= 0)
		snprintf(number, sizeof(number), " %d", whose);
	if (c->sure)
		vswap_report(c, "%s%s: %ld, but there are %ld", what, number,
			     said, found);
	return false;
}

/* Note a word, in order to see whether any has changed. */
static void vswap_sum(struct vswap_check *c, unsigned long word)
{
	c->now.sum = (c->now.sum ^ word) * GOLDEN_RATIO_64;
}

/*
 * Owners
 */

#ifdef CONFIG_MEMCG
/* With the memory+swap counter of cgroup v1, a page in memory has none. */
static bool vswap_slots_have_owners(void)
{
	return !mem_cgroup_disabled() &&
	       cgroup_subsys_on_dfl(memory_cgrp_subsys);
}

/* Note what a cgroup is charged for, and whether that was noted before. */
static bool vswap_read_charge(struct vswap_check *c, struct mem_cgroup *memcg)
{
	struct vswap_charge *charge = &c->charges[mem_cgroup_private_id(memcg)];
	unsigned long before = charge->said;

	charge->said = page_counter_read(&memcg->swap);
	if (charge->said)
		vswap_sum(c, charge->said);
	return charge->said == before;
}

/* Slots pin the id of their owner, so whoever has no id any more is the owner of none. */
static bool vswap_may_own(struct mem_cgroup *memcg)
{
	return !mem_cgroup_is_root(memcg) && mem_cgroup_private_id(memcg);
}

static bool vswap_read_charges(struct vswap_check *c)
{
	struct mem_cgroup *memcg = NULL;
	bool same = true;

	if (!c->charges)
		return true;

	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		if (vswap_may_own(memcg))
			same &= vswap_read_charge(c, memcg);
	}

	return same;
}

/* Does a cgroup have as many slots of devices as it is charged for? */
static bool vswap_check_charge(struct vswap_check *c, struct mem_cgroup *memcg,
			       unsigned long found)
{
	unsigned short id = mem_cgroup_private_id(memcg);

	return vswap_check_total(c, "swap charge of cgroup id", id,
				 c->charges[id].said, found);
}

/* The charge of a cgroup covers its subtree. */
static bool vswap_compare_charges(struct vswap_check *c)
{
	struct mem_cgroup *memcg = NULL, *below;
	bool agree = true;

	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		unsigned long found = 0;

		if (!vswap_may_own(memcg))
			continue;
		below = NULL;
		while ((below = mem_cgroup_iter(memcg, below, NULL)))
			found += c->charges[mem_cgroup_private_id(below)].slots;
		agree &= vswap_check_charge(c, memcg, found);
		cond_resched();
	}

	return agree;
}

static bool vswap_check_charges(struct vswap_check *c)
{
	bool sure = c->sure, agree;

	if (!c->charges)
		return true;

	/* Those of a cgroup that has gone since they were counted are nobody's fault */
	c->sure = false;
	agree = vswap_compare_charges(c);
	c->sure = sure;
	if (agree || !sure)
		return agree;
	if (!vswap_read_charges(c)) {
		c->sure = false;
		return false;
	}

	return vswap_compare_charges(c);
}
#else
static bool vswap_slots_have_owners(void)
{
	return false;
}

static bool vswap_read_charges(struct vswap_check *c)
{
	return true;
}

static bool vswap_check_charges(struct vswap_check *c)
{
	return true;
}
#endif /* CONFIG_MEMCG */

/* The owner of a slot in use; @needed: not just about to get one. */
static void vswap_check_owner(struct vswap_check *c, const struct vswap_slot *s,
			      bool needed)
{
	bool there;

	if (!s->id) {
		if (needed && vswap_slots_have_owners())
			vswap_report_slot(c, s, "it has no owner");
		return;
	}

	rcu_read_lock();
	there = mem_cgroup_from_private_id(s->id);
	rcu_read_unlock();
	if (!there)
		vswap_report_slot(c, s, "its owner does not exist");
}

/* A slot of a device is charged to its owner. */
static void vswap_note_charge(struct vswap_check *c, const struct vswap_slot *s)
{
	if (c->charges && s->id)
		c->charges[s->id].slots++;
}

/*
 * Slots
 */

static void vswap_get_slot(struct vswap_slot *s, struct swap_info_struct *si,
			   struct swap_cluster_info *ci, unsigned int ci_off)
{
	unsigned long offset = (ci - si->cluster_info) * SWAPFILE_CLUSTER;

	*s = (struct vswap_slot) {
		.si = si,
		.ci = ci,
		.ci_off = ci_off,
		.entry = swp_entry(si->type, offset + ci_off),
		.swp_tb = __swap_table_get(ci, ci_off),
		.id = __swap_cgroup_get(ci, ci_off),
		.word = __vswap_tb_get(ci, ci_off),
	};
}

/* A free slot: nothing may be left of what it was used for. */
static void vswap_check_free(struct vswap_check *c, const struct vswap_slot *s)
{
	if (s->word)
		vswap_report_slot(c, s, "free, but backed");
	if (s->id)
		vswap_report_slot(c, s, "free, but it has an owner");
	if (s->ci->extend_table && s->ci->extend_table[s->ci_off])
		vswap_report_slot(c, s, "free, but it has a count");
}

static void vswap_check_count(struct vswap_check *c, const struct vswap_slot *s)
{
	unsigned int count = __swp_tb_get_count(s->swp_tb), extended = 0;

	if (s->ci->extend_table)
		extended = s->ci->extend_table[s->ci_off];
	if (count == SWP_TB_COUNT_MAX ? extended < SWP_TB_COUNT_MAX : extended)
		vswap_report_slot(c, s, "count and extend table disagree");
	if (!count && !swp_tb_is_folio(s->swp_tb))
		vswap_report_slot(c, s, "in use without a count");
}

/* The device of an entry, if it is in use; put with percpu_ref_put(). */
static struct swap_info_struct *vswap_get_device(swp_entry_t slot)
{
	struct swap_info_struct *si;

	si = swp_type(slot) < MAX_SWAPFILES ?
	     READ_ONCE(swap_info[swp_type(slot)]) : NULL;
	return si && percpu_ref_tryget_live(&si->users) ? si : NULL;
}

/* Does the physical slot behind a virtual one know that it is? */
static void vswap_check_physical(struct vswap_check *c,
				 const struct vswap_slot *s)
{
	swp_entry_t slot = vswap_tb_to_phys(s->word);
	struct swap_info_struct *si = vswap_get_device(slot);
	unsigned long rmap = null_to_swp_tb();
	struct swap_cluster_info *ci;

	if (!si || swap_is_virtual(si) || swp_offset(slot) >= si->max) {
		vswap_report_slot(c, s, "the slot behind it is on no device");
		goto put;
	}

	ci = swap_cluster_lock(si, swp_offset(slot));
	if (rcu_access_pointer(ci->table))
		rmap = __swap_table_get(ci, swp_cluster_offset(slot));
	swap_cluster_unlock(ci);
	if ((rmap & ~SWP_TB_BACKREF_HINT) != backref_to_swp_tb(s->entry))
		vswap_report_slot(c, s, "the slot behind it names another one");
	vswap_note_charge(c, s);
put:
	if (si)
		percpu_ref_put(&si->users);
}

/* Does @entry, which may be anything, point to an entry? */
static bool vswap_is_zswap_entry(const struct zswap_entry *entry)
{
	struct slab *slab;

	if (!virt_addr_valid(entry))
		return false;

	slab = virt_to_slab(entry);
	if (!slab || slab->slab_cache != zswap_entry_cache)
		return false;

	return is_kfence_address(entry) ||
	       nearest_obj(zswap_entry_cache, slab, (void *)entry) == entry;
}

/*
 * Check that an entry is what it is taken for, and count it. @entry is what the
 * backing word of @swp names, and may be anything. Returns what is wrong.
 */
static const char *vswap_check_zswap(const struct zswap_entry *entry, swp_entry_t swp,
				     struct vswap_zswap_counts *counts)
{
	if (!IS_ENABLED(CONFIG_ZSWAP) || !vswap_is_zswap_entry(entry))
		return "no zswap entry";
	if (entry->swpentry.val != swp.val)
		return "the zswap entry of another slot";
	if (entry->length > PAGE_SIZE)
		return "the zswap entry is too long";
	if (entry->length && list_empty(&entry->lru))
		return "the zswap entry is on no LRU list";

	if (zswap_entry_is_direct(entry)) {
		counts->direct++;
		return NULL;
	}
	counts->stored++;
	if (entry->length == PAGE_SIZE)
		counts->incompressible++;
	if (!entry->pool)
		return "the zswap entry is in no pool";

	return NULL;
}

/* How many entries there should be. */
static void vswap_read_zswap_counts(struct vswap_zswap_counts *counts)
{
	if (!IS_ENABLED(CONFIG_ZSWAP))
		return;

	counts->stored = atomic_long_read(&zswap_stored_pages);
	counts->incompressible = atomic_long_read(&zswap_stored_incompressible_pages);
	if (IS_ENABLED(CONFIG_CRAM))
		counts->direct = atomic_long_read(&zswap_stored_direct_pages);
}

/*
 * What backs a virtual slot; see the table of its states in the documentation.
 * If there is a folio, it is locked.
 */
static void vswap_check_backing(struct vswap_check *c,
				const struct vswap_slot *s, struct folio *folio)
{
	bool zero = __swap_table_test_zero(s->ci, s->ci_off);
	const char *wrong;

	if (vswap_tb_is_null(s->word)) {
		/* hwpoison has a folio without data stay in the swap cache */
		if (!zero && !(folio && (folio_test_dirty(folio) ||
					 folio_contain_hwpoisoned_page(folio))))
			vswap_report_slot(c, s, "nothing holds its data");
		return;
	}
	if (zero)
		vswap_report_slot(c, s, "zero, but backed");

	if (vswap_tb_is_zswap(s->word)) {
		wrong = vswap_check_zswap(vswap_tb_to_zswap(s->word), s->entry,
					  &c->now.zswap);
		if (wrong)
			vswap_report_slot(c, s, wrong);
	} else if (vswap_tb_is_phys(s->word)) {
		vswap_check_physical(c, s);
	} else if (vswap_tb_is_poison(s->word)) {
		if (folio && folio_test_uptodate(folio))
			vswap_report_slot(c, s, "lost, but in memory");
	} else {
		vswap_report_slot(c, s, "a backing of no type");
	}
}

/* The folio that a word names, NULL if it can't be one that is in the swap cache. */
static struct folio *vswap_named_folio(unsigned long swp_tb)
{
	unsigned long pfn = (swp_tb & ~SWP_TB_FLAGS_MASK) >> SWAP_CACHE_PFN_MARK_BITS;
	struct folio *folio = pfn_valid(pfn) ? pfn_folio(pfn) : NULL;

	return folio && folio_pfn(folio) == pfn && folio_test_swapcache(folio) ?
	       folio : NULL;
}

/*
 * The slots of a folio in the swap cache, of which @s is the first. The cluster
 * lock keeps it there, and as large as it is. Returns how many slots it has.
 */
static unsigned int vswap_check_cached(struct vswap_check *c,
				       struct vswap_slot *s)
{
	bool virtual = swap_is_virtual(s->si), locked;
	unsigned int ci_off = s->ci_off, i, nr;
	unsigned long swp_tb = s->swp_tb;
	struct folio *folio;

	folio = vswap_named_folio(swp_tb);
	if (!folio || folio->swap.val != s->entry.val) {
		vswap_report_slot(c, s, "its folio is in another place");
		return 1;
	}

	nr = folio_nr_pages(folio);
	if (nr > SWAPFILE_CLUSTER - ci_off) {
		vswap_report_slot(c, s, "its folio is too large");
		return 1;
	}

	locked = folio_trylock(folio);
	for (i = 0; i < nr; i++) {
		vswap_get_slot(s, s->si, s->ci, ci_off + i);
		vswap_sum(c, s->swp_tb);
		vswap_sum(c, s->word);
		if ((s->swp_tb ^ swp_tb) & ~SWP_TB_FLAGS_MASK) {
			vswap_report_slot(c, s, "its folio is another one");
			break;
		}
		vswap_check_count(c, s);
		vswap_check_owner(c, s, virtual && locked);
		if (!locked)
			c->now.busy++;
		else if (virtual)
			vswap_check_backing(c, s, folio);
		else
			vswap_note_charge(c, s);
	}
	if (locked)
		folio_unlock(folio);

	return i;
}

/*
 * Is a physical slot behind the virtual one that its reverse map names? No lock
 * is held, so @rmap may be out of date. What counts is what is there now.
 */
static void vswap_check_rmap(struct vswap_check *c, struct swap_info_struct *si,
			     swp_entry_t slot, unsigned long rmap)
{
	swp_entry_t swp = swp_tb_to_backref(rmap);
	struct swap_cluster_info *ci, *phys;
	struct folio *folio = NULL;
	struct vswap_slot s = {};
	unsigned long now;

	/* It may name anything */
	ci = swp_offset(swp) < vswap_max_slots() ?
	     swap_cluster_lock(vswap_info, swp_offset(swp)) : NULL;
	if (ci && rcu_access_pointer(ci->table)) {
		s.swp_tb = __swap_table_get(ci, swp_cluster_offset(swp));
		if (swp_tb_is_folio(s.swp_tb)) {
			folio = vswap_named_folio(s.swp_tb);
			if (folio && !folio_trylock(folio)) {
				c->now.busy++;
				goto unlock;
			}
		}
		vswap_get_slot(&s, vswap_info, ci, swp_cluster_offset(swp));
		if ((s.word & ~VSWAP_TB_PHYS_MASK) == phys_to_vswap_tb(slot))
			goto unlock_folio;
	}

	/* swapoff frees slots some time after it has cut them off */
	phys = swap_cluster_lock(si, swp_offset(slot));
	now = rcu_access_pointer(phys->table) ?
	      __swap_table_get(phys, swp_cluster_offset(slot)) :
	      null_to_swp_tb();
	if ((now ^ rmap) & ~SWP_TB_BACKREF_HINT || !(si->flags & SWP_WRITEOK))
		c->now.busy++;
	else
		vswap_report(c, "slot %u:%lu table %lx: not behind slot %lu table %lx backing %lx",
			     swp_type(slot), swp_offset(slot), now,
			     swp_offset(swp), s.swp_tb, s.word);
	swap_cluster_unlock(phys);
unlock_folio:
	if (folio)
		folio_unlock(folio);
unlock:
	if (ci)
		swap_cluster_unlock(ci);
}

/*
 * Clusters
 */

/* Check a slot by its kind; returns the number of slots done, in use or not. */
static unsigned int vswap_check_slot(struct vswap_check *c,
				     struct vswap_device_census *d,
				     struct vswap_slot *s)
{
	bool virtual = swap_is_virtual(s->si);
	unsigned int nr;

	if (swp_tb_is_folio(s->swp_tb)) {
		nr = vswap_check_cached(c, s);
		d->used += nr;
		return nr;
	}

	vswap_sum(c, s->swp_tb);
	vswap_sum(c, s->word);
	if (swp_tb_is_null(s->swp_tb)) {
		vswap_check_free(c, s);
		return 1;
	}

	if (!virtual && swp_tb_is_bad(s->swp_tb))
		return 1;

	d->used++;
	if (swp_tb_is_shadow(s->swp_tb)) {
		vswap_check_count(c, s);
		/* Hibernation has plain slots that nobody owns */
		vswap_check_owner(c, s, virtual);
		if (virtual)
			vswap_check_backing(c, s, NULL);
		else
			vswap_note_charge(c, s);
	} else if (!virtual && swp_tb_is_backref(s->swp_tb)) {
		d->rmaps++;
		c->words[s->ci_off] = s->swp_tb;
		if (!swap_entry_is_virtual(swp_tb_to_backref(s->swp_tb)))
			vswap_report_slot(c, s, "reverse map of no virtual slot");
		if (s->id)
			vswap_report_slot(c, s, "physical, but it has an owner");
	} else {
		vswap_report_slot(c, s, "a word of no type");
	}

	return 1;
}

/* Is @ci what its flags say? @used: slots that are neither free nor bad. */
static void vswap_check_flags(struct vswap_check *c,
			      struct swap_info_struct *si,
			      struct swap_cluster_info *ci, unsigned int used)
{
	bool table = rcu_access_pointer(ci->table), right = true;

	switch (ci->flags) {
	case CLUSTER_FLAG_NONE:
	case CLUSTER_FLAG_POPULATE:
		/* Somebody allocates from it, or looks for idle slots */
		break;
	case CLUSTER_FLAG_FREE:
		right = !ci->count && !table;
		break;
	case CLUSTER_FLAG_NONFULL:
	case CLUSTER_FLAG_FRAG:
		/* A cluster of bad slots is on the list of those with room */
		right = ci->count && table &&
			(ci->count < SWAPFILE_CLUSTER || !used);
		break;
	case CLUSTER_FLAG_FULL:
		right = ci->count == SWAPFILE_CLUSTER && table;
		break;
	case CLUSTER_FLAG_DISCARD:
		right = !ci->count && table && !swap_is_virtual(si);
		break;
	default:
		right = false;
	}

	if (!right)
		vswap_report_cluster(c, si, ci, "flags do not fit, in use", used);
}

/* A cluster without a swap table has nothing else either. */
static void vswap_check_unused(struct vswap_check *c,
			       struct swap_info_struct *si,
			       struct swap_cluster_info *ci)
{
	if (ci->count)
		vswap_report_cluster(c, si, ci, "no table, in use", ci->count);
	if (ci->extend_table || ci->backing)
		vswap_report_cluster(c, si, ci, "no table, but others",
				     !!ci->extend_table + !!ci->backing);
#ifdef CONFIG_MEMCG
	/* The one for owners comes first, without the lock */
	if (ci->flags != CLUSTER_FLAG_NONE && ci->flags != CLUSTER_FLAG_POPULATE &&
	    ci->memcg_table)
		vswap_report_cluster(c, si, ci, "no table, but owners", 1);
#endif
}

static void vswap_check_cluster(struct vswap_check *c,
				struct vswap_device_census *d,
				struct swap_info_struct *si,
				unsigned long offset)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);
	unsigned long used = d->used, rmaps = d->rmaps;
	unsigned int ci_off, nr_words = 0, nr;
	struct vswap_slot s;

	vswap_sum(c, ci->flags);
	vswap_sum(c, ci->count);
	if (ci->flags < CLUSTER_FLAG_MAX)
		d->flagged[ci->flags]++;
	if (!rcu_access_pointer(ci->table)) {
		vswap_check_unused(c, si, ci);
		goto check_flags;
	}

	c->now.clusters++;
	if (ci->backing && !swap_is_virtual(si))
		vswap_report_cluster(c, si, ci, "backing table of a device",
				     si->type);
	for (ci_off = 0; ci_off < SWAPFILE_CLUSTER; ci_off += nr) {
		vswap_get_slot(&s, si, ci, ci_off);
		if (swp_tb_is_null(s.swp_tb))
			nr_words--;
		nr = vswap_check_slot(c, d, &s);
		nr_words += nr;
	}
	if (ci->count != nr_words)
		vswap_report_cluster(c, si, ci, "count is wrong, in use", nr_words);
check_flags:
	vswap_check_flags(c, si, ci, d->used - used);
	swap_cluster_unlock(ci);
	c->now.slots += d->used - used;

	for (ci_off = 0; rmaps < d->rmaps && ci_off < SWAPFILE_CLUSTER; ci_off++) {
		unsigned long rmap = c->words[ci_off];

		if (!rmap)
			continue;
		c->words[ci_off] = 0;
		rmaps++;
		if (swap_entry_is_virtual(swp_tb_to_backref(rmap)))
			vswap_check_rmap(c, si, swp_entry(si->type,
							  offset + ci_off), rmap);
	}
}

/*
 * Devices
 */

/* Count what is on a list, with the lock held for as long as that takes. */
static void vswap_check_list(struct vswap_device_census *d,
			     struct swap_info_struct *si,
			     struct list_head *list,
			     enum swap_cluster_flags flags, int order)
{
	unsigned long max = si->max / SWAPFILE_CLUSTER + 1;
	struct swap_cluster_info *ci;

	spin_lock(&si->lock);
	list_for_each_entry(ci, list, list) {
		d->listed[flags]++;
		/* Without their locks, which come first: may be out of date */
		if (READ_ONCE(ci->flags) != flags ||
		    (order >= 0 && READ_ONCE(ci->order) != order))
			d->misplaced++;
		if (!max--)
			break;
	}
	spin_unlock(&si->lock);
	cond_resched();
}

static unsigned long vswap_used_said(struct swap_info_struct *si)
{
	return atomic_long_read(&si->inuse_pages) & SWAP_USAGE_COUNTER_MASK;
}

static void vswap_check_device(struct vswap_check *c,
			       struct swap_info_struct *si)
{
	struct vswap_device_census *d = &c->now.device[si->type];
	unsigned long offset;

	d->there = true;
	d->writable = READ_ONCE(si->flags) & SWP_WRITEOK;
	d->pages = si->pages;
	d->used_said = vswap_used_said(si);
	d->rmaps_said = atomic_long_read(&si->phys_slots);
	/* Pairs with vswap_grow_array() */
	for (offset = 0; offset < smp_load_acquire(&si->max); offset += SWAPFILE_CLUSTER) {
		vswap_check_cluster(c, d, si, offset);
		cond_resched();
	}
	if (d->used_said != vswap_used_said(si) ||
	    d->rmaps_said != atomic_long_read(&si->phys_slots))
		c->now.busy++;

	vswap_check_list(d, si, &si->free_clusters, CLUSTER_FLAG_FREE, -1);
	vswap_check_list(d, si, &si->full_clusters, CLUSTER_FLAG_FULL, -1);
	vswap_check_list(d, si, &si->discard_clusters, CLUSTER_FLAG_DISCARD, -1);
	for (int order = 0; order < SWAP_NR_ORDERS; order++) {
		vswap_check_list(d, si, &si->nonfull_clusters[order],
				 CLUSTER_FLAG_NONFULL, order);
		vswap_check_list(d, si, &si->frag_clusters[order],
				 CLUSTER_FLAG_FRAG, order);
	}

	/* One that is being populated or discarded is on no list */
	c->now.busy += d->flagged[CLUSTER_FLAG_POPULATE];
	if (d->listed[CLUSTER_FLAG_DISCARD] + d->misplaced < d->flagged[CLUSTER_FLAG_DISCARD])
		c->now.busy++;
}

static bool vswap_check_lists(struct vswap_check *c, int type)
{
	struct vswap_device_census *d = &c->now.device[type];
	bool agree = true;

	for (int i = CLUSTER_FLAG_FREE; i < CLUSTER_FLAG_DISCARD; i++)
		agree &= vswap_check_total(c, "clusters that are not on their lists, device",
					   type, d->listed[i], d->flagged[i]);
	agree &= vswap_check_total(c, "clusters on the wrong list, device", type,
				   d->misplaced, 0);
	/* Cluster 0 of the virtual device is not used */
	agree &= vswap_check_total(c, "clusters on no list, device", type,
				   d->flagged[CLUSTER_FLAG_NONE],
				   type == SWP_TYPE_VSWAP && vswap_info->max ? 1 : 0);
	return agree;
}

/*
 * Totals
 */

static bool vswap_check_totals(struct vswap_check *c)
{
	bool agree = vswap_check_charges(c), swapoff = false;
	struct vswap_zswap_counts *said = &c->now.zswap_said, *found = &c->now.zswap;
	long nr_free = 0;

	agree &= vswap_check_total(c, "zswap stored pages", -1,
				   said->stored, found->stored);
	agree &= vswap_check_total(c, "zswap incompressible pages", -1,
				   said->incompressible, found->incompressible);
	agree &= vswap_check_total(c, "zswap direct pages", -1,
				   said->direct, found->direct);

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		struct vswap_device_census *d = &c->now.device[type];

		if (!d->there)
			continue;
		agree &= vswap_check_total(c, "slots in use, device", type,
					   d->used_said, d->used);
		agree &= vswap_check_total(c, "physical slots, device", type,
					   d->rmaps_said, d->rmaps);
		agree &= vswap_check_lists(c, type);
		if (type == SWP_TYPE_VSWAP)
			continue;
		nr_free += d->pages - d->used;
		swapoff |= !d->writable;
	}

	/* swapoff takes off all slots of the device first, used or not */
	if (!swapoff)
		agree &= vswap_check_total(c, "free slots, all devices", -1,
					   c->now.nr_swap_pages, nr_free);

	return agree;
}

/* Walk everything once. */
static void vswap_check_all(struct vswap_check *c)
{
	memset(&c->now, 0, sizeof(c->now));
	if (c->charges)
		memset(c->charges, 0, (USHRT_MAX + 1) * sizeof(*c->charges));
	vswap_read_charges(c);

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_info_struct *si = vswap_get_device(swp_entry(type, 0));

		if (!si)
			continue;
		vswap_check_device(c, si);
		percpu_ref_put(&si->users);
	}

	vswap_read_zswap_counts(&c->now.zswap_said);
	c->now.nr_swap_pages = atomic_long_read(&nr_swap_pages);
	if (!vswap_read_charges(c))
		c->now.busy++;
}

/**
 * vswap_validate - Check that all that is recorded of swap slots agrees.
 * @report: gets a line for each inconsistency, up to a number of them, and one
 *          with sums: clusters and slots in use; what could not be checked because
 *          it was busy, slots mostly; whether the system was quiet, so that totals
 *          were checked; inconsistencies.
 *
 * There are no false reports, whatever goes on in the system meanwhile.
 *
 * Context: May sleep. Takes the locks of the clusters one after the other.
 * Return: The number of inconsistencies, or -ENOMEM.
 */
int vswap_validate(struct seq_buf *report)
{
	struct vswap_check *c = kvzalloc_obj(*c);
	unsigned int same = 0;
	bool quiet = false;
	int errors;

	if (!c)
		return -ENOMEM;
	c->report = report;
	if (vswap_slots_have_owners()) {
		c->charges = kvcalloc(USHRT_MAX + 1, sizeof(*c->charges),
				      GFP_KERNEL);
		if (!c->charges) {
			kvfree(c);
			return -ENOMEM;
		}
	}

	for (int i = 0; i < VSWAP_CHECK_ROUNDS && !quiet; i++) {
		vswap_check_all(c);
		/* Totals would be wrong, too */
		if (c->errors)
			break;
		if (i && !c->now.busy && !memcmp(&c->now, &c->before, sizeof(c->now)))
			same++;
		else
			same = 0;
		c->sure = same >= VSWAP_CHECK_SURE;
		quiet = same && (vswap_check_totals(c) || c->sure);
		memcpy(&c->before, &c->now, sizeof(c->now));
		if (!quiet && i)
			msleep(VSWAP_CHECK_PAUSE_MS);
	}

	seq_buf_printf(report, "clusters %lu slots %lu busy %lu quiet %d errors %lu\n",
		       c->now.clusters, c->now.slots, c->now.busy, quiet,
		       c->errors);
	errors = min(c->errors, INT_MAX);
	kvfree(c->charges);
	kvfree(c);

	return errors;
}

/*
 * debugfs
 */

#ifdef CONFIG_DEBUG_FS
static int validate_show(struct seq_file *m, void *v)
{
	struct seq_buf report;
	char *text;
	size_t size = seq_get_buf(m, &text);
	int errors;

	seq_buf_init(&report, text, size);
	errors = vswap_validate(&report);
	if (errors < 0)
		return errors;

	seq_commit(m, seq_buf_used(&report));
	return 0;
}

static int validate_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, validate_show, NULL, VSWAP_CHECK_SIZE);
}

static const struct file_operations validate_fops = {
	.owner		= THIS_MODULE,
	.open		= validate_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* Comes after vswap_debugfs_init(), which makes the directory. */
static int __init vswap_validate_init(void)
{
	struct dentry *dir = debugfs_lookup("vswap", NULL);

	if (!dir)
		return 0;

	debugfs_create_file("validate", 0400, dir, NULL, &validate_fops);
	dput(dir);
	return 0;
}
late_initcall(vswap_validate_init);
#endif /* CONFIG_DEBUG_FS */

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_validate_kunit.h"
#endif
