// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: which folios get virtual slots, what reclaim may count on.
 *
 * Anonymous pages of a cgroup can go to zswap as long as its pool and
 * memory.zswap.max leave room, and to swap devices as long as one has free
 * slots, memory.swap.max leaves some of them, and memory.zswap.writeback allows
 * it. What reclaim is told here and what swapping out a page then does have to
 * agree: if reclaim is told too little, tasks are OOM-killed beside free room; if
 * too much, it scans and compresses for nothing before the OOM killer comes.
 *
 * Room in the pool does not help with pages that can't be compressed. Whether
 * this is so is found out by trying, for each cgroup and node by itself: once as
 * many pages have been rejected as there are, with hardly any taken in between,
 * reclaim of this cgroup on this node is told that zswap has no room for a while,
 * or until there are more of them, or one of its tasks was OOM-killed, see struct
 * vswap_trial. What others do has no part in it. Before the OOM killer is called,
 * all is tried once more: the pages that have been rejected may be a few that were
 * tried over and over, and others have come since.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vswap.h>
#include <linux/zswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap.h"
#include "vswap_internal.h"
#include "zswap.h"

/*
 * How much a mapping may count on zswap to compress its data. Common compressors
 * take memory of processes to a half or a third of its size; the better case counts,
 * as only what is obviously too large is to be refused.
 */
#define VSWAP_OVERCOMMIT_RATIO	3

/*
 * zswap is given up for as long as it has taken to find out that it takes nothing,
 * within these limits, so that at most half of the time goes to trying, unless trying
 * takes longer than the longest. If it was the last trial before the OOM killer, for
 * some times as long: others may still be at it, or be tried meanwhile, and the victim
 * may take a while to go. Not for much longer, as nobody may have to be killed, if
 * memory is freed, and what it is used for next may compress.
 */
#define VSWAP_GIVE_UP_MIN	HZ
#define VSWAP_GIVE_UP_MAX	(10 * HZ)
#define VSWAP_GIVE_UP_LAST	4

/*
 * Hot pages have their turn when the others are tried for the second time, but the OOM
 * killer is not kept waiting until so many of them are.
 */
#define VSWAP_LAST_TURN		((unsigned long)SZ_512M >> PAGE_SHIFT)

/* A page that is taken makes up for this many that can't be compressed. */
#define VSWAP_TAKEN_WEIGHT	16

/*
 * So many pages are allowed for that are on no LRU list, as they are in the hands
 * of reclaim or of others, like MADV_PAGEOUT, which takes a page table's worth at a
 * time. Where that is more, base pages are large, and a small cgroup has few of them.
 */
#define VSWAP_OFF_LRU		min_t(unsigned long, PTRS_PER_PTE, 512)

/*
 * Kernel memory may be needed under a lock for which the whole machine waits: cgroup_mutex
 * by who makes a cgroup, rtnl_lock. And a page that is read back is charged to the cgroup
 * whose page it was, whoever needs it. So for a cgroup as long is waited in these cases as
 * a fast device takes to make room, in all tries one after the other, and that is saved up
 * again in this many times as long. All cgroups together have what so many of them would
 * have, so that one may find nothing left because of others. If there is no room then,
 * tasks are killed.
 */
#define VSWAP_SHORT_WAIT	(HZ / 5)
#define VSWAP_SHORT_SHARE	16
#define VSWAP_SHORT_CGROUPS	4

/*
 * What a last trial has found out is no reason to kill another one: how many times
 * memory of the OOM killer's victims has become free since the system was booted, and
 * one. A cgroup notes what the count was the last time in it or below: kills elsewhere
 * do not matter to it.
 */
static unsigned long vswap_victims = 1;
static DEFINE_SPINLOCK(vswap_victims_lock);	/* has them noted in their order */

/* jiffies: when all that has been waited in short for any cgroup is saved up again */
static unsigned long vswap_all_short_waits;

static enum vswap_mode vswap_mode __read_mostly = VSWAP_AUTO;

/* Has zswap rejected a page for which there was no device, since boot? */
bool vswap_has_rejected __read_mostly;

enum vswap_mode vswap_get_mode(void)
{
	return READ_ONCE(vswap_mode);
}

/**
 * vswap_set_mode - Choose which folios get virtual slots from now on.
 * @mode: the mode.
 *
 * Slots that are in use stay what they are until they are freed.
 *
 * Context: Any.
 */
void vswap_set_mode(enum vswap_mode mode)
{
	WRITE_ONCE(vswap_mode, mode);
}

/**
 * vswap_is_usable - Can pages be swapped out without a real device?
 *
 * Context: Any.
 * Return: true if virtual slots are handed out and zswap is there to fill them,
 * whether or not it has room at the moment.
 */
bool vswap_is_usable(void)
{
	return vswap_info && vswap_get_mode() != VSWAP_NEVER &&
	       zswap_is_enabled();
}

/**
 * vswap_is_alone - Is there no device that pages could be swapped out to?
 *
 * That none can have what zswap does not take is the rule then, and no failure to be
 * counted: what it has rejected is counted as such.
 *
 * Context: Any.
 * Return: true if pages can be swapped out without a device and there is none.
 */
bool vswap_is_alone(void)
{
	return !total_swap_pages && vswap_is_usable();
}

/*
 * What zswap has taken and rejected
 */

#ifdef CONFIG_MEMCG
static struct vswap_trial vswap_trials[MAX_NUMNODES];	/* memcg=disabled */

static struct vswap_trial *vswap_trial(struct mem_cgroup *memcg, int nid)
{
	if (mem_cgroup_disabled())
		return &vswap_trials[nid];
	return memcg ? &memcg->nodeinfo[nid]->vswap_trial : NULL;
}

static struct mem_cgroup *vswap_task_memcg(struct task_struct *task)
{
	return mem_cgroup_disabled() ? NULL : mem_cgroup_from_task(task);
}

static unsigned long vswap_last_victim(struct mem_cgroup *memcg)
{
	return memcg ? READ_ONCE(memcg->vswap_last_victim) : READ_ONCE(vswap_victims);
}

static unsigned long *vswap_memcg_waits(struct mem_cgroup *memcg)
{
	return memcg ? &memcg->vswap_short_waits : NULL;
}

/**
 * vswap_charge_gfp - Let reclaim know for whom it is not to wait for long.
 * @memcg: the cgroup that would be over its limit, and is going to be reclaimed from.
 * @gfp: flags of the allocation that is charged to it.
 *
 * Kernel memory has __GFP_ACCOUNT, see VSWAP_SHORT_WAIT. What a task needs that is not in
 * the cgroup, a page that it reads back, is treated as such: others may need it, too.
 *
 * Context: Process context.
 * Return: @gfp, with __GFP_ACCOUNT if that is so.
 */
gfp_t vswap_charge_gfp(struct mem_cgroup *memcg, gfp_t gfp)
{
	rcu_read_lock();
	if (!mem_cgroup_is_descendant(mem_cgroup_from_task(current), memcg))
		gfp |= __GFP_ACCOUNT;
	rcu_read_unlock();

	return gfp;
}

static void vswap_note_victim(struct mem_cgroup *memcg)
{
	unsigned long nr;

	spin_lock(&vswap_victims_lock);
	nr = vswap_victims + 1;
	for (; memcg; memcg = parent_mem_cgroup(memcg))
		WRITE_ONCE(memcg->vswap_last_victim, nr);
	/* At last: what is given up meanwhile is rather tried once more */
	WRITE_ONCE(vswap_victims, nr);
	spin_unlock(&vswap_victims_lock);
}

static bool vswap_has_children(struct mem_cgroup *memcg)
{
	return !memcg || css_has_online_children(&memcg->css);
}

/* Can so little be charged to a cgroup that it is as good as at its limit? */
static bool vswap_is_at_max(struct mem_cgroup *memcg)
{
	return !memcg || page_counter_read(&memcg->memory) + MEMCG_CHARGE_BATCH >=
			 READ_ONCE(memcg->memory.max);
}
#else
static struct vswap_trial vswap_trials[MAX_NUMNODES];

static struct vswap_trial *vswap_trial(struct mem_cgroup *memcg, int nid)
{
	return &vswap_trials[nid];
}

static struct mem_cgroup *vswap_task_memcg(struct task_struct *task)
{
	return NULL;
}

static unsigned long vswap_last_victim(struct mem_cgroup *memcg)
{
	return READ_ONCE(vswap_victims);
}

static unsigned long *vswap_memcg_waits(struct mem_cgroup *memcg)
{
	return NULL;
}

static void vswap_note_victim(struct mem_cgroup *memcg)
{
	spin_lock(&vswap_victims_lock);
	WRITE_ONCE(vswap_victims, vswap_victims + 1);
	spin_unlock(&vswap_victims_lock);
}

static bool vswap_has_children(struct mem_cgroup *memcg)
{
	return false;
}

static bool vswap_is_at_max(struct mem_cgroup *memcg)
{
	return true;
}
#endif

/* MGLRU counts in generations, and for the machine as a whole, but not for a cgroup. */
static unsigned long vswap_nr_anon_gens(struct lruvec *lruvec)
{
	unsigned long nr = 0;

#ifdef CONFIG_LRU_GEN
	for (int gen = 0; gen < MAX_NR_GENS; gen++) {
		for (int zone = 0; zone < MAX_NR_ZONES; zone++)
			nr += max(READ_ONCE(lruvec->lrugen.nr_pages[gen][LRU_GEN_ANON][zone]), 0L);
	}
#endif
	return nr;
}

/* What there is to try, less what is isolated. */
static unsigned long vswap_nr_anon(struct mem_cgroup *memcg, int nid)
{
	struct lruvec *lruvec = mem_cgroup_lruvec(memcg, NODE_DATA(nid));
	unsigned long nr = lruvec_lru_size(lruvec, LRU_INACTIVE_ANON, MAX_NR_ZONES - 1) +
			   lruvec_lru_size(lruvec, LRU_ACTIVE_ANON, MAX_NR_ZONES - 1);

	return mem_cgroup_disabled() ? nr : nr + vswap_nr_anon_gens(lruvec);
}

/* For a while, or until much of what there is to try has not been tried. */
static noinline bool vswap_still_given_up(struct vswap_trial *trial,
					  struct mem_cgroup *memcg, int nid)
{
	unsigned long size;

	if (!time_before(jiffies, READ_ONCE(trial->until)))
		return false;

	size = READ_ONCE(trial->size);
	return vswap_nr_anon(memcg, nid) <= size + max(size / 4, VSWAP_OFF_LRU);
}

/* Asked for each page that is swapped out: it hardly ever is */
static inline bool vswap_gave_up(struct mem_cgroup *memcg, int nid)
{
	struct vswap_trial *trial = vswap_trial(memcg, nid);

	return trial && unlikely(READ_ONCE(trial->until)) &&
	       vswap_still_given_up(trial, memcg, nid);
}

/*
 * Is it the last trial before the OOM killer? It was restarted for that, and a task in
 * need does not pause: @restarted is when it has last been seen to go on, or 0. When it
 * has failed, @given_up is vswap_victims as it was at its begin, and it is 0 after any
 * other trial.
 */
static bool vswap_is_last_trial(struct vswap_trial *trial, unsigned long now)
{
	unsigned long restarted = READ_ONCE(trial->restarted);
	/* Somebody else may have seen it later than @now */
	bool last = restarted && time_in_range(now, restarted - VSWAP_GIVE_UP_MIN,
					       restarted + VSWAP_GIVE_UP_MIN);

	if (restarted)
		WRITE_ONCE(trial->restarted, last ? now ?: 1 : 0);
	return last;
}

static void vswap_try_failed(struct mem_cgroup *memcg, int nid,
			     unsigned int nr_pages)
{
	struct vswap_trial *trial = vswap_trial(memcg, nid);
	unsigned long size, all, now = jiffies, took, pause, victims;
	long rejected;
	bool last;

	if (!trial)
		return;

	if (!READ_ONCE(vswap_has_rejected))
		WRITE_ONCE(vswap_has_rejected, true);
	last = vswap_is_last_trial(trial, now);

	rejected = atomic_long_add_return(nr_pages, &trial->rejected);
	if (rejected == nr_pages) {
		WRITE_ONCE(trial->since, now);
		WRITE_ONCE(trial->victims, READ_ONCE(vswap_victims));
	}
	if (rejected < VSWAP_OFF_LRU)
		return;
	size = vswap_nr_anon(memcg, nid);
	/* Others may have begun the next trial meanwhile */
	took = max((long)(now - READ_ONCE(trial->since)), 0L);
	victims = READ_ONCE(trial->victims);
	all = last ? size + min(size, VSWAP_LAST_TURN) : size;
	/* Others may have seen enough of them, too: it is for one to tell */
	do {
		if (rejected < all + VSWAP_OFF_LRU)
			return;
	} while (!atomic_long_try_cmpxchg(&trial->rejected, &rejected, 0));

	pause = clamp(last ? VSWAP_GIVE_UP_LAST * took : took, (unsigned long)VSWAP_GIVE_UP_MIN,
		      (unsigned long)VSWAP_GIVE_UP_MAX);
	WRITE_ONCE(trial->size, size);
	WRITE_ONCE(trial->restarted, 0);
	WRITE_ONCE(trial->given_up, last ? victims : 0);
	WRITE_ONCE(trial->until, (now + pause) ?: 1);
	vswap_count_event(VSWAP_GIVE_UP);
}

static void vswap_restart_trial(struct vswap_trial *trial)
{
	atomic_long_set(&trial->rejected, 0);
	WRITE_ONCE(trial->starved, 0);
	WRITE_ONCE(trial->restarted, jiffies ?: 1);
	WRITE_ONCE(trial->until, 0);
}

/*
 * Is all to be tried where zswap was given up? Where that was by a last trial, only after
 * memory of a victim has become free, the last one's of these being @last. Where it is not
 * given up, but there was no memory to try more, that is not to be spared any more.
 */
static bool vswap_is_worth_trying(struct vswap_trial *trial, unsigned long last)
{
	unsigned long until = READ_ONCE(trial->until), given_up = READ_ONCE(trial->given_up);

	if (until && (!given_up || last > given_up))
		return true;
	return READ_ONCE(trial->starved) && (!until || !time_before(jiffies, until));
}

/* Before the OOM killer is called for @root, have tried again what is worth it. */
static void vswap_try_again(struct mem_cgroup *root)
{
	unsigned long last = vswap_last_victim(root);
	struct mem_cgroup *memcg;
	struct vswap_trial *trial;
	int nid;

	if (!READ_ONCE(vswap_has_rejected))
		return;

	memcg = mem_cgroup_iter(root, NULL, NULL);
	do {
		for_each_node_state(nid, N_MEMORY) {
			trial = vswap_trial(memcg, nid);
			if (!trial)
				continue;
			if (vswap_is_worth_trying(trial, last))
				vswap_restart_trial(trial);
		}
		cond_resched();
	} while ((memcg = mem_cgroup_iter(root, memcg, NULL)));
}

/* See vswap_count_accepted(). */
void __vswap_count_accepted(struct folio *folio, unsigned int nr_pages)
{
	struct vswap_trial *trial;
	long rejected;

	/* See vswap_count_incompressible() */
	if (!current->reclaim_state)
		return;

	rcu_read_lock();
	trial = vswap_trial(folio_memcg(folio), folio_nid(folio));
	/* Usually there is nothing to make up for, and no cache line to share */
	rejected = trial ? atomic_long_read(&trial->rejected) : 0;
	while (rejected &&
	       !atomic_long_try_cmpxchg(&trial->rejected, &rejected,
					max(rejected - VSWAP_TAKEN_WEIGHT * (long)nr_pages, 0L)))
		;
	rcu_read_unlock();
}

/* What zswap has room for, if the pages are as good or bad as those of late. */
static unsigned long vswap_zswap_headroom(struct mem_cgroup *memcg, int nid)
{
	if (vswap_gave_up(memcg, nid))
		return 0;

	return zswap_headroom_pages(memcg);
}

/**
 * vswap_count_incompressible - Note that zswap can't compress pages of a folio.
 * @folio: the folio, in the swap cache.
 * @nr_pages: number of its pages that zswap has tried and does not take.
 *
 * Other reasons for which it may not take a page say nothing about the next one:
 * that there is no room left reclaim is told right away, and memory that zswap
 * could not have at the moment somebody else may have used up. A folio that fits on
 * devices goes there. And a task that pages out what it has mapped, rather than
 * reclaim, may be of another cgroup.
 *
 * Context: The caller holds the folio lock.
 */
void vswap_count_incompressible(struct folio *folio, unsigned int nr_pages)
{
	int nid = folio_nid(folio);
	struct mem_cgroup *memcg;

	if (!current->reclaim_state || vswap_fits_devices(folio))
		return;

	rcu_read_lock();
	memcg = folio_memcg(folio);
	if (!vswap_gave_up(memcg, nid))
		vswap_try_failed(memcg, nid, nr_pages);
	rcu_read_unlock();
}

/**
 * vswap_is_rejecting - Has zswap rejected most of late of what is where a folio is?
 * @folio: folio that is about to be swapped out.
 *
 * Slots for what is rejected stay, with their tables, until somebody touches the page,
 * and no memory is gained by them.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 * Return: true if so, of the folio's cgroup and node.
 */
bool vswap_is_rejecting(struct folio *folio)
{
	struct vswap_trial *trial;
	bool rejecting;

	rcu_read_lock();
	trial = vswap_trial(folio_memcg(folio), folio_nid(folio));
	rejecting = trial && atomic_long_read(&trial->rejected) >= VSWAP_OFF_LRU;
	rcu_read_unlock();

	return rejecting;
}

/**
 * vswap_mark_starved - Note that there was no memory for slots, as reserves are spared.
 * @folio: folio that was to get them.
 *
 * Before the OOM killer is called they are not.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 */
void vswap_mark_starved(struct folio *folio)
{
	struct vswap_trial *trial;

	rcu_read_lock();
	trial = vswap_trial(folio_memcg(folio), folio_nid(folio));
	if (trial)
		WRITE_ONCE(trial->starved, 1);
	rcu_read_unlock();
}

/**
 * vswap_oom_victim_gone - Note that memory of the OOM killer's victim has become free.
 * @victim: the task that was killed.
 *
 * Whoever needs memory next in its cgroup has other pages, which zswap may take. What
 * others have may have changed, too: they are tried again when there is need.
 *
 * Context: Process context, of the victim at its exit or of the OOM reaper.
 */
void vswap_oom_victim_gone(struct task_struct *victim)
{
	struct mem_cgroup *memcg;
	struct vswap_trial *trial;
	int nid;

	rcu_read_lock();
	memcg = vswap_task_memcg(victim);
	vswap_note_victim(memcg);
	for_each_node_state(nid, N_MEMORY) {
		trial = vswap_trial(memcg, nid);
		if (trial)
			vswap_restart_trial(trial);
	}
	rcu_read_unlock();
}

/*
 * What reclaim may count on
 */

/**
 * vswap_headroom_pages - Estimate how much more virtual slots can take.
 *
 * The room that zswap's pool and compressed RAM have left, as if no page could be
 * compressed. This is for decisions about reclaim, it is no capacity to be shown to
 * users.
 *
 * Context: Any but interrupts.
 * Return: Number of pages; 0 if pages can't be swapped out without a device, or there
 * is no room for any.
 */
unsigned long vswap_headroom_pages(void)
{
	return vswap_is_usable() ? zswap_headroom_pages(NULL) : 0;
}
EXPORT_SYMBOL_GPL(vswap_headroom_pages);

/**
 * vswap_offdevice_pages - The number of pages that are out but on no device.
 *
 * Context: Any.
 * Return: Number of virtual slots in use without a physical slot.
 */
unsigned long vswap_offdevice_pages(void)
{
	long pages = vswap_used_pages();

	/* A device that is not in use has none */
	for (int type = 0; type < SWP_TYPE_VSWAP; type++) {
		struct swap_info_struct *si = READ_ONCE(swap_info[type]);

		if (si)
			pages -= atomic_long_read(&si->phys_slots);
	}

	/* All of them move while they are read */
	return max(pages, 0L);
}

/**
 * vswap_overcommit_pages - By how much zswap extends memory at its best.
 *
 * For the heuristic that refuses mappings which are obviously too large. A full
 * pool is taken to hold VSWAP_OVERCOMMIT_RATIO times its size, and takes the
 * place of once its size. If the pool may take all of the memory, that makes as
 * many times the memory in all.
 *
 * Context: Any.
 * Return: Number of pages, 0 if no page can be swapped out without a device.
 */
unsigned long vswap_overcommit_pages(void)
{
	if (!vswap_is_usable())
		return 0;

	return zswap_max_pages() * (VSWAP_OVERCOMMIT_RATIO - 1);
}

/**
 * vswap_device_headroom - How many slots of devices may a cgroup take?
 * @memcg: the cgroup, NULL for none.
 *
 * Context: Any but interrupts, the caller makes sure that @memcg stays.
 * Return: Number of slots, 0 if no device has one; not more than a cluster has.
 */
long vswap_device_headroom(struct mem_cgroup *memcg)
{
	long nr = swap_nr_free_slots(SWAPFILE_CLUSTER);

	if (!nr || !mem_cgroup_zswap_writeback_enabled(memcg))
		return 0;

	return max(mem_cgroup_swap_margin(memcg, nr), 0L);
}

/**
 * vswap_folio_headroom - How many slots of devices may a folio take?
 * @folio: folio, locked.
 *
 * Context: The caller holds the folio lock.
 * Return: See vswap_device_headroom().
 */
long vswap_folio_headroom(struct folio *folio)
{
	long room;

	rcu_read_lock();
	room = vswap_device_headroom(folio_memcg(folio));
	rcu_read_unlock();

	return room;
}

/**
 * vswap_fits_devices - Can all of a folio go to devices?
 * @folio: folio in the swap cache with virtual slots.
 *
 * Context: The caller holds the folio lock.
 * Return: true if there is room for all of it, or it has its slots already.
 */
bool vswap_fits_devices(struct folio *folio)
{
	struct mem_cgroup *memcg;
	bool fits;

	rcu_read_lock();
	memcg = folio_memcg(folio);
	fits = vswap_device_headroom(memcg) >= folio_nr_pages(folio) ||
	       (mem_cgroup_zswap_writeback_enabled(memcg) && vswap_has_phys(folio));
	rcu_read_unlock();

	return fits;
}

/**
 * vswap_headroom - Can pages of a cgroup be swapped out?
 * @memcg: the cgroup, NULL for all.
 * @nid: the node that the pages are on.
 *
 * With zswap, how many is not known: as many as compress to the room that it has. And
 * while a device is being switched off, as many as others have free slots. It only
 * matters whether there are some. MGLRU leaves anonymous memory alone for less than a
 * batch, so where there is room, there is enough of it.
 *
 * Context: Any, the caller makes sure that @memcg stays.
 * Return: 0 if reclaim need not try, else a number of pages that is enough to try.
 */
long vswap_headroom(struct mem_cgroup *memcg, int nid)
{
	long room = vswap_device_headroom(memcg);

	if (!vswap_is_usable() && get_nr_swap_pages() > 0)
		return room;

	return room || (vswap_is_usable() && vswap_zswap_headroom(memcg, nid)) ?
	       SWAPFILE_CLUSTER : 0;
}

/*
 * Does nothing help any more but the OOM killer, or that the allocation fails though
 * all was to be tried before (__GFP_RETRY_MAYFAIL)?
 */
static bool vswap_near_oom(struct mem_cgroup *memcg, gfp_t gfp)
{
	/* memory.high slows down, and does not kill */
	return gfp && !(gfp & __GFP_NORETRY) && vswap_is_at_max(memcg);
}

/*
 * A task that makes room, or holds locks which that takes, is not to wait for it. Nor is
 * one that can do without.
 */
static bool vswap_may_wait(gfp_t gfp)
{
	return gfp_has_io_fs(gfp) && !(gfp & (__GFP_NOFAIL | __GFP_RETRY_MAYFAIL)) &&
	       !(current->flags & PF_WQ_WORKER) && !current_is_kswapd();
}

/* What may be waited, in jiffies, where all is saved up again at @saved, of @nr cgroups. */
static long vswap_short_wait_left(unsigned long saved, unsigned long now, int nr)
{
	return nr * VSWAP_SHORT_WAIT - DIV_ROUND_UP((saved - now) * nr, VSWAP_SHORT_SHARE);
}

/* Never backwards: who has begun earlier may have waited longer, and noted it before. */
static void vswap_note_saved(unsigned long *waits, unsigned long saved)
{
	unsigned long old = READ_ONCE(*waits);

	do {
		if (!time_before(old, saved))
			return;
	} while (!try_cmpxchg(waits, &old, saved));
}

static unsigned long vswap_saved(unsigned long *waits, unsigned long now)
{
	unsigned long saved = READ_ONCE(*waits);

	return time_before(saved, now) ? now : saved;
}

/* Wait for zswap's worker, if others may have to wait as well for a share of the time only. */
static void vswap_wait_for_headroom(struct mem_cgroup *memcg, gfp_t gfp)
{
	unsigned long *waits = gfp & __GFP_ACCOUNT ? vswap_memcg_waits(memcg) : NULL;
	unsigned long saved, all_saved, waited, now = jiffies;
	long left;

	if (!waits) {
		zswap_wait_shrink(HZ);
		return;
	}

	saved = vswap_saved(waits, now);
	all_saved = vswap_saved(&vswap_all_short_waits, now);
	left = min(vswap_short_wait_left(saved, now, 1),
		   vswap_short_wait_left(all_saved, now, VSWAP_SHORT_CGROUPS));
	if (left <= 0)
		return;

	zswap_wait_shrink(left);
	/* A timer may end one jiffy later, but what is waited for a CPU then does not count */
	waited = min(jiffies - now, left + 1UL) * VSWAP_SHORT_SHARE;
	if (!waited)
		return;
	vswap_note_saved(waits, saved + waited);
	vswap_note_saved(&vswap_all_short_waits, all_saved + waited / VSWAP_SHORT_CGROUPS);
}

/* May the pages that reclaim has looked at need zswap? Those below it have limits. */
static bool vswap_needs_zswap(struct mem_cgroup *memcg)
{
	return vswap_has_children(memcg) || !vswap_device_headroom(memcg);
}

/**
 * vswap_settle_headroom - Give reclaim that failed a chance to find room.
 * @memcg: the cgroup of which nothing could be reclaimed, NULL for all.
 * @gfp: flags of an allocation that tries again and then has to give up, else 0.
 *
 * If the reason was that memory.zswap.max seemed to be reached and is not,
 * vswap_headroom() knows from now on. If it was that zswap has been given up, and
 * not for this need of memory, all is tried again. If it was that zswap is full,
 * there may be room when the worker has written back pages of others.
 *
 * Context: May sleep, for up to a second. The caller makes sure that @memcg stays.
 * Return: false if there is nothing that could have changed.
 */
bool vswap_settle_headroom(struct mem_cgroup *memcg, gfp_t gfp)
{
	if (!vswap_is_usable())
		return false;

	mem_cgroup_settle_zswap(memcg);
	if (!vswap_near_oom(memcg, gfp))
		return true;

	/* Before all is tried again: that is not to pause */
	if (vswap_may_wait(gfp) && vswap_needs_zswap(memcg) &&
	    mem_cgroup_zswap_headroom(memcg, 1))
		vswap_wait_for_headroom(memcg, gfp);
	vswap_try_again(memcg);
	return true;
}

/*
 * Which folios get virtual slots
 */

/**
 * vswap_is_wanted - Should a folio get virtual slots?
 * @folio: folio that is about to be swapped out.
 *
 * In mode auto, if its cgroup may use zswap and zswap has room or can make some
 * by writing to a device. If it turns out that zswap does not take the folio,
 * the device takes it instead. In mode always it should also if there is any
 * device, even a full one, as zero-filled pages need no room.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 * Return: true for virtual slots, false for plain ones.
 */
bool vswap_is_wanted(struct folio *folio)
{
	struct mem_cgroup *memcg;
	bool wanted;

	KUNIT_STATIC_STUB_REDIRECT(vswap_is_wanted, folio);

	if (!vswap_info || vswap_get_mode() == VSWAP_NEVER)
		return false;
	if (vswap_get_mode() == VSWAP_ALWAYS && total_swap_pages)
		return true;
	if (!zswap_is_enabled())
		return false;

	rcu_read_lock();
	memcg = folio_memcg(folio);
	if (vswap_device_headroom(memcg))
		wanted = mem_cgroup_zswap_allowed(memcg);
	else
		wanted = vswap_zswap_headroom(memcg, folio_nid(folio));
	rcu_read_unlock();

	return wanted;
}

/**
 * vswap_plain_is_allowed - May a folio get plain slots if it gets no virtual ones?
 * @folio: folio that is about to be swapped out.
 *
 * zswap takes nothing from plain slots. Where a cgroup's pages may not go to a
 * device either, they would stay in the swap cache and serve nobody there.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 * Return: true if it may.
 */
bool vswap_plain_is_allowed(struct folio *folio)
{
	bool allowed;

	rcu_read_lock();
	allowed = mem_cgroup_zswap_writeback_enabled(folio_memcg(folio));
	rcu_read_unlock();

	return allowed;
}
