/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests of the validator, included by mm/vswap_validate.c: each plants
 * one inconsistency, sees it found, and takes it back. They run on the virtual
 * device of the system, at boot, when nobody else uses it.
 */

#include <kunit/static_stub.h>
#include "vswap_folio_kunit.h"

/* A type that no device has, as real ones are numbered from 0 on. */
#define VSWAP_TEST_TYPE		(SWP_TYPE_VSWAP - 1)

/* What the validator says, and the number of inconsistencies. */
static const char *vswap_test_run(struct kunit *test, int *errors)
{
	char *text = kunit_kzalloc(test, VSWAP_CHECK_SIZE, GFP_KERNEL);
	struct seq_buf report;

	KUNIT_ASSERT_NOT_NULL(test, text);
	seq_buf_init(&report, text, VSWAP_CHECK_SIZE);
	*errors = vswap_validate(&report);
	KUNIT_ASSERT_GE(test, *errors, 0);
	KUNIT_EXPECT_FALSE(test, seq_buf_has_overflowed(&report));
	return seq_buf_str(&report);
}

/* It has to say @what, for the reason that something is wrong. */
static void vswap_test_found(struct kunit *test, const char *what)
{
	int errors;
	const char *text = vswap_test_run(test, &errors);

	if (!errors || !strstr(text, what))
		KUNIT_FAIL(test, "\"%s\" is not found:\n%s", what, text);
}

/* Nothing is wrong, and the system is quiet, so that all has been checked. */
static void vswap_test_sane(struct kunit *test)
{
	int errors;
	const char *text = vswap_test_run(test, &errors);

	if (errors || !strstr(text, " busy 0 quiet 1 errors 0\n"))
		KUNIT_FAIL(test, "found where nothing is wrong:\n%s", text);
}

/* Nothing is wrong as far as it can be checked. */
static void vswap_test_busy(struct kunit *test)
{
	int errors;
	const char *text = vswap_test_run(test, &errors);

	if (errors || !strstr(text, " quiet 0 errors 0\n") ||
	    strstr(text, " busy 0 "))
		KUNIT_FAIL(test, "found in a busy system:\n%s", text);
}

static void vswap_test_expect(struct kunit *test, const char *what)
{
	if (what)
		vswap_test_found(test, what);
	else
		vswap_test_sane(test);
}

/* A folio as it is in the swap cache after reclaim has looked at it. */
static struct folio *vswap_test_cached(struct kunit *test, unsigned int order)
{
	struct folio *folio = vswap_test_folio(test, order);

	folio_mark_dirty(folio);
	folio_unlock(folio);
	return folio;
}

static void vswap_test_drop(struct folio *folio)
{
	folio_lock(folio);
	vswap_test_free(folio);
}

static struct swap_cluster_info *vswap_test_lock(swp_entry_t swp)
{
	return swap_cluster_lock(__swap_entry_to_info(swp), swp_offset(swp));
}

static unsigned long vswap_test_get(swp_entry_t swp)
{
	return swap_table_get(__swap_entry_to_cluster(swp), swp_cluster_offset(swp));
}

static void vswap_test_set(swp_entry_t swp, unsigned long swp_tb)
{
	struct swap_cluster_info *ci = vswap_test_lock(swp);

	__swap_table_set(ci, swp_cluster_offset(swp), swp_tb);
	swap_cluster_unlock(ci);
}

/* Have a word of a swap table be @swp_tb for a moment. */
static void vswap_test_plant(struct kunit *test, swp_entry_t swp,
			     unsigned long swp_tb, const char *what)
{
	unsigned long old = vswap_test_get(swp);

	vswap_test_set(swp, swp_tb);
	vswap_test_expect(test, what);
	vswap_test_set(swp, old);
}

/* The same with a backing word. */
static void vswap_test_plant_backing(struct kunit *test, swp_entry_t swp,
				     unsigned long word, const char *what)
{
	unsigned long old = vswap_test_set_word(test, swp, word);

	vswap_test_expect(test, what);
	vswap_test_set_word(test, swp, old);
}

/* A slot that is swapped out and backed by nothing but its zero flag. */
static swp_entry_t vswap_test_swapped(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);
	swp_entry_t swp = folio->swap;
	struct swap_cluster_info *ci;

	KUNIT_ASSERT_EQ(test, folio_dup_swap(folio, NULL), 0);
	ci = vswap_test_lock(swp);
	__swap_table_set_zero(ci, swp_cluster_offset(swp));
	swap_cluster_unlock(ci);
	vswap_test_free(folio);
	return swp;
}

static void vswap_test_put(swp_entry_t swp)
{
	swap_put_entries_direct(swp, 1);
}

/* A slot of the same cluster that is free. */
static swp_entry_t vswap_test_free_slot(struct kunit *test, swp_entry_t swp)
{
	swp.val = round_down(swp.val, SWAPFILE_CLUSTER);
	for (int i = 0; i < SWAPFILE_CLUSTER; i++, swp.val++) {
		if (swp_tb_is_null(vswap_test_get(swp)))
			return swp;
	}
	KUNIT_FAIL_AND_ABORT(test, "no free slot");
}

/* Nothing is wrong with what is right. */
static void vswap_test_valid(struct kunit *test)
{
	struct folio *folio, *large = NULL;
	swp_entry_t swp;

	vswap_test_sane(test);
	folio = vswap_test_cached(test, 0);
	if (IS_ENABLED(CONFIG_THP_SWAP))
		large = vswap_test_cached(test, 4);
	swp = vswap_test_swapped(test);
	vswap_test_sane(test);

	/* What is behind a folio that is locked is not known */
	folio_lock(folio);
	folio_clear_dirty(folio);
	vswap_test_busy(test);
	folio_mark_dirty(folio);
	folio_unlock(folio);
	vswap_test_sane(test);

	/* Lost for good, and known to be */
	folio_clear_uptodate(folio);
	vswap_test_plant_backing(test, folio->swap, VSWAP_TB_POISON, NULL);
	folio_mark_uptodate(folio);

	vswap_test_put(swp);
	vswap_test_drop(folio);
	if (large)
		vswap_test_drop(large);
	vswap_test_sane(test);
}

/* Words of a slot whose page is swapped out, one of them wrong. */
static void vswap_test_swapped_slot(struct kunit *test)
{
	swp_entry_t swp = vswap_test_swapped(test);
	unsigned long swp_tb = vswap_test_get(swp);
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned int ci_off = swp_cluster_offset(swp);

	vswap_test_sane(test);
	vswap_test_plant(test, swp, __swp_tb_mk_count(swp_tb, 0),
			 "in use without a count");
	vswap_test_plant(test, swp, backref_to_swp_tb(swp), "a word of no type");
	vswap_test_plant(test, swp, SWP_TB_BAD, "a word of no type");
	vswap_test_plant(test, swp, SWP_TB_NULL, "count is wrong");

	/* More than fits into the word, or less, and the table for it */
	vswap_test_plant(test, swp, __swp_tb_mk_count(swp_tb, SWP_TB_COUNT_MAX),
			 "count and extend table disagree");
	ci->extend_table = kcalloc(SWAPFILE_CLUSTER, sizeof(*ci->extend_table),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ci->extend_table);
	ci->extend_table[ci_off] = SWP_TB_COUNT_MAX;
	vswap_test_found(test, "count and extend table disagree");
	vswap_test_plant(test, swp, __swp_tb_mk_count(swp_tb, SWP_TB_COUNT_MAX),
			 NULL);
	kfree(ci->extend_table);
	ci->extend_table = NULL;

	vswap_test_plant_backing(test, swp, VSWAP_TB_POISON, "zero, but backed");
	ci = vswap_test_lock(swp);
	__swap_table_clear_zero(ci, ci_off);
	swap_cluster_unlock(ci);
	vswap_test_found(test, "nothing holds its data");
	vswap_test_plant_backing(test, swp, VSWAP_TB_POISON, NULL);
	/* What a failed mark does to a slot that has no backing */
	vswap_test_plant_backing(test, swp, VSWAP_TB_PHYS_FAILED,
				 "a backing of no type");
	vswap_test_plant_backing(test, swp, zswap_to_vswap_tb((void *)test),
				 "no zswap entry");
	vswap_test_plant_backing(test, swp, 0xdead0001UL, "no zswap entry");
	vswap_test_plant_backing(test, swp,
				 phys_to_vswap_tb(swp_entry(VSWAP_TEST_TYPE, 1)),
				 "the slot behind it is on no device");
	vswap_test_plant_backing(test, swp, phys_to_vswap_tb(swp),
				 "the slot behind it is on no device");
	ci = vswap_test_lock(swp);
	__swap_table_set_zero(ci, ci_off);
	swap_cluster_unlock(ci);

	vswap_test_put(swp);
	vswap_test_sane(test);
}

/* What is left of a slot that is free. */
static void vswap_test_free_remains(struct kunit *test)
{
	swp_entry_t swp = vswap_test_swapped(test), other;
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);

	other = vswap_test_free_slot(test, swp);
	vswap_test_plant_backing(test, other, VSWAP_TB_PHYS_FAILED,
				 "free, but backed");

	ci->extend_table = kcalloc(SWAPFILE_CLUSTER, sizeof(*ci->extend_table),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ci->extend_table);
	vswap_test_sane(test);
	ci->extend_table[swp_cluster_offset(other)] = 1;
	vswap_test_found(test, "free, but it has a count");
	kfree(ci->extend_table);
	ci->extend_table = NULL;

	/* A slot that is in use, but was not counted */
	vswap_test_plant(test, other, vswap_test_get(swp), "count is wrong");

	vswap_test_put(swp);
	vswap_test_sane(test);
}

#ifdef CONFIG_MEMCG
/* Have the owner of a slot be another one for a moment. */
static void vswap_test_plant_owner(struct kunit *test, swp_entry_t swp,
				   unsigned short owner, const char *what)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned short *id = &ci->memcg_table->id[swp_cluster_offset(swp)];

	swap(*id, owner);
	vswap_test_expect(test, what);
	*id = owner;
}

/* Owners that are not there. */
static void vswap_test_owner(struct kunit *test)
{
	unsigned short root = mem_cgroup_private_id(root_mem_cgroup);
	struct folio *folio;
	swp_entry_t swp;

	if (!vswap_slots_have_owners())
		kunit_skip(test, "slots have no owners");

	swp = vswap_test_swapped(test);
	vswap_test_plant_owner(test, swp, root, NULL);
	vswap_test_plant_owner(test, swp, 0, "it has no owner");
	vswap_test_plant_owner(test, swp, USHRT_MAX, "its owner does not exist");
	vswap_test_plant_owner(test, vswap_test_free_slot(test, swp), root,
			       "free, but it has an owner");
	vswap_test_put(swp);

	folio = vswap_test_cached(test, 0);
	vswap_test_plant_owner(test, folio->swap, 0, "it has no owner");
	vswap_test_plant_owner(test, folio->swap, USHRT_MAX,
			       "its owner does not exist");
	vswap_test_drop(folio);
	vswap_test_sane(test);
}

/* A cgroup that is charged for other than what it has. */
static void vswap_test_charge(struct kunit *test)
{
	struct mem_cgroup *memcg = kunit_kzalloc(test, sizeof(*memcg), GFP_KERNEL);
	char text[256];
	struct seq_buf report;
	struct vswap_charge charge = {};
	struct vswap_check *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memcg);
	KUNIT_ASSERT_NOT_NULL(test, c);
	seq_buf_init(&report, text, sizeof(text));
	c->report = &report;
	c->charges = &charge;	/* that of id 0 */
	page_counter_init(&memcg->swap, NULL, false);
	page_counter_charge(&memcg->swap, 5);
	KUNIT_EXPECT_FALSE(test, vswap_read_charge(c, memcg));
	KUNIT_EXPECT_TRUE(test, vswap_read_charge(c, memcg));

	KUNIT_EXPECT_TRUE(test, vswap_check_charge(c, memcg, 5));
	KUNIT_EXPECT_FALSE(test, vswap_check_charge(c, memcg, 4));
	KUNIT_EXPECT_EQ(test, c->errors, 0);
	c->sure = true;
	KUNIT_EXPECT_TRUE(test, vswap_check_charge(c, memcg, 5));
	KUNIT_EXPECT_EQ(test, c->errors, 0);
	KUNIT_EXPECT_FALSE(test, vswap_check_charge(c, memcg, 4));
	KUNIT_EXPECT_EQ(test, c->errors, 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(seq_buf_str(&report),
					   "swap charge of cgroup id 0: 5, but there are 4"));
}
#endif

/* A folio in the swap cache that is not what the table says. */
static void vswap_test_cached_slot(struct kunit *test)
{
	struct folio *folio = vswap_test_cached(test, 0), *other;
	swp_entry_t swp = folio->swap;

	vswap_test_sane(test);
	folio_clear_dirty(folio);
	vswap_test_found(test, "nothing holds its data");
	folio_mark_dirty(folio);

	vswap_test_plant(test, swp, __swp_tb_mk_count(vswap_test_get(swp),
						      SWP_TB_COUNT_MAX),
			 "count and extend table disagree");
	vswap_test_plant_backing(test, swp, VSWAP_TB_POISON, "lost, but in memory");
	vswap_test_plant_backing(test, swp, 8, "a backing of no type");

	folio->swap.val++;
	vswap_test_found(test, "its folio is in another place");
	folio->swap = swp;
	folio_clear_swapcache(folio);
	vswap_test_found(test, "its folio is in another place");
	folio_set_swapcache(folio);

	other = vswap_test_cached(test, 0);
	vswap_test_plant(test, swp, folio_to_swp_tb(other, 0),
			 "its folio is in another place");
	vswap_test_drop(other);
	vswap_test_plant(test, swp, pfn_to_swp_tb(BIT(SWAP_CACHE_PFN_BITS) - 1, 0),
			 "its folio is in another place");

	vswap_test_drop(folio);
	vswap_test_sane(test);
}

/* ... or a large one. */
static void vswap_test_cached_large(struct kunit *test)
{
	struct folio *folio = vswap_test_cached(test, 2), *other;
	swp_entry_t swp = folio->swap;

	vswap_test_sane(test);
	swp.val += 2;
	other = vswap_test_cached(test, 0);
	vswap_test_plant(test, swp, folio_to_swp_tb(other, 0),
			 "its folio is another one");
	vswap_test_plant(test, swp, pfn_to_swp_tb(folio_pfn(folio) + 2, 0),
			 "its folio is another one");
	vswap_test_plant_backing(test, swp, 8, "a backing of no type");
	vswap_test_drop(other);

	/* It can't be in two clusters */
	swp = folio->swap;
	folio->swap.val = round_up(swp.val + 1, SWAPFILE_CLUSTER) - 1;
	vswap_test_plant(test, folio->swap, folio_to_swp_tb(folio, 0),
			 "its folio is too large");
	folio->swap = swp;
	vswap_test_drop(folio);
	vswap_test_sane(test);
}

/* Clusters: flags, lists, and what is counted for each of them. */
static void vswap_test_clusters(struct kunit *test)
{
	swp_entry_t swp = vswap_test_swapped(test);
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	u8 flags = ci->flags, order = ci->order;

	ci->count++;
	vswap_test_found(test, "count is wrong");
	ci->count--;

	ci->flags = CLUSTER_FLAG_FULL;
	vswap_test_found(test, "flags do not fit");
	ci->flags = CLUSTER_FLAG_DISCARD;
	vswap_test_found(test, "flags do not fit");
	ci->flags = CLUSTER_FLAG_MAX;
	vswap_test_found(test, "flags do not fit");
	/* These fit, but tell of another list than it is on */
	ci->flags = flags == CLUSTER_FLAG_FRAG ? CLUSTER_FLAG_NONFULL :
						 CLUSTER_FLAG_FRAG;
	vswap_test_found(test, "clusters on the wrong list, device");
	ci->flags = CLUSTER_FLAG_NONE;
	vswap_test_found(test, "clusters on no list, device");
	ci->flags = flags;
	ci->order++;
	vswap_test_found(test, "clusters on the wrong list, device");
	ci->order = order;
	vswap_test_sane(test);

	spin_lock(&vswap_info->lock);
	list_del_init(&ci->list);
	spin_unlock(&vswap_info->lock);
	vswap_test_found(test, "clusters that are not on their lists, device");
	spin_lock(&vswap_info->lock);
	list_add(&ci->list, flags == CLUSTER_FLAG_FRAG ?
			    &vswap_info->frag_clusters[order] :
			    &vswap_info->nonfull_clusters[order]);
	spin_unlock(&vswap_info->lock);
	vswap_test_sane(test);

	/* One that is free; in the same page, so that it is not unmapped */
	ci += offset_in_page(ci) < PAGE_SIZE / 2 ? 1 : -1;
	KUNIT_ASSERT_EQ(test, ci->flags, CLUSTER_FLAG_FREE);
	ci->backing = vswap_alloc_table();
	KUNIT_ASSERT_NOT_NULL(test, ci->backing);
	vswap_test_found(test, "no table, but others");
	vswap_free_table(ci);
	ci->count = 1;
	vswap_test_found(test, "no table, in use");
	ci->count = 0;
#ifdef CONFIG_MEMCG
	ci->memcg_table = kzalloc_obj(*ci->memcg_table);
	KUNIT_ASSERT_NOT_NULL(test, ci->memcg_table);
	vswap_test_found(test, "no table, but owners");
	kfree(ci->memcg_table);
	ci->memcg_table = NULL;
#endif

	vswap_test_put(swp);
	vswap_test_sane(test);
}

/* Counters that went wrong somewhere. */
static void vswap_test_totals(struct kunit *test)
{
	atomic_long_inc(&vswap_info->inuse_pages);
	vswap_test_found(test, "slots in use, device");
	atomic_long_dec(&vswap_info->inuse_pages);

	atomic_long_inc(&vswap_info->phys_slots);
	vswap_test_found(test, "physical slots, device");
	atomic_long_dec(&vswap_info->phys_slots);

	atomic_long_inc(&nr_swap_pages);
	vswap_test_found(test, "free slots, all devices");
	atomic_long_dec(&nr_swap_pages);

	if (IS_ENABLED(CONFIG_ZSWAP)) {
		atomic_long_inc(&zswap_stored_pages);
		vswap_test_found(test, "zswap stored pages");
		atomic_long_dec(&zswap_stored_pages);
	}
	vswap_test_sane(test);
}

/* ... of zswap, which has them to itself. */
static void vswap_test_zswap_totals(struct kunit *test)
{
	struct vswap_check *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct seq_buf report;
	char text[512];

	KUNIT_ASSERT_NOT_NULL(test, c);
	seq_buf_init(&report, text, sizeof(text));
	c->report = &report;
	c->now.zswap = (struct vswap_zswap_counts) { 30, 20, 10 };
	c->now.zswap_said = c->now.zswap;
	KUNIT_EXPECT_TRUE(test, vswap_check_totals(c));
	c->now.zswap_said = (struct vswap_zswap_counts) { 31, 22, 13 };
	KUNIT_EXPECT_FALSE(test, vswap_check_totals(c));
	KUNIT_EXPECT_EQ(test, c->errors, 0);
	c->sure = true;
	KUNIT_EXPECT_FALSE(test, vswap_check_totals(c));
	KUNIT_EXPECT_EQ(test, c->errors, 3);
	KUNIT_EXPECT_STREQ(test, seq_buf_str(&report),
			   "zswap stored pages: 31, but there are 30\n"
			   "zswap incompressible pages: 22, but there are 20\n"
			   "zswap direct pages: 13, but there are 10\n");
}

/* Entries of zswap, stored as for any page. */
static void vswap_test_zswap(struct kunit *test)
{
	struct folio *folios[2];
	unsigned long word[2];

	if (!zswap_is_enabled())
		kunit_skip(test, "needs zswap.enabled=1");

	for (int i = 0; i < 2; i++) {
		folios[i] = vswap_test_folio(test, 0);
		folio_zero_range(folios[i], 0, PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, zswap_store(folios[i]), 0);
		folio_unlock(folios[i]);
		word[i] = vswap_get_word(folios[i]->swap);
	}
	vswap_test_sane(test);

	/* What marking the wrong page of a folio as failed has done once */
	vswap_test_plant_backing(test, folios[0]->swap,
				 word[0] ^ VSWAP_TB_PHYS_FAILED, "no zswap entry");

	vswap_test_set_word(test, folios[0]->swap, word[1]);
	vswap_test_set_word(test, folios[1]->swap, word[0]);
	vswap_test_found(test, "the zswap entry of another slot");
	vswap_test_set_word(test, folios[0]->swap, word[0]);
	vswap_test_set_word(test, folios[1]->swap, word[1]);

	/* Forgotten */
	folio_mark_dirty(folios[0]);
	vswap_test_plant_backing(test, folios[0]->swap, VSWAP_TB_NULL,
				 "zswap stored pages");
	for (int i = 0; i < 2; i++)
		vswap_test_drop(folios[i]);
	vswap_test_sane(test);
}

/* Physical slots, on a device of which only the swap table is there. */

static struct vswap_test_device {
	struct swap_info_struct si;
	struct swap_cluster_info ci;
} vswap_test_device;

static void vswap_test_users(struct percpu_ref *ref)
{
}

static void vswap_test_device_on(struct kunit *test)
{
	struct swap_info_struct *si = &vswap_test_device.si;
	struct swap_cluster_info *ci = &vswap_test_device.ci;

	KUNIT_ASSERT_NULL(test, swap_info[VSWAP_TEST_TYPE]);
	memset(&vswap_test_device, 0, sizeof(vswap_test_device));
	KUNIT_ASSERT_EQ(test, percpu_ref_init(&si->users, vswap_test_users,
					      PERCPU_REF_INIT_ATOMIC,
					      GFP_KERNEL), 0);
	spin_lock_init(&si->lock);
	swap_init_cluster_lists(si);
	si->type = VSWAP_TEST_TYPE;
	si->flags = SWP_USED | SWP_WRITEOK;
	si->max = SWAPFILE_CLUSTER;
	si->cluster_info = ci;

	spin_lock_init(&ci->lock);
	ci->table = (atomic_long_t __rcu *)swap_table_alloc(swap_table_cachep, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)ci->table);
	/* The header and one physical slot; nr_swap_pages does not know */
	ci->count = 2;
	ci->flags = CLUSTER_FLAG_NONFULL;
	list_add(&ci->list, &si->nonfull_clusters[0]);
	si->pages = 1;
	atomic_long_set(&si->inuse_pages, 1);
	atomic_long_set(&si->phys_slots, 1);
	/* As in alloc_swap_info(): initialized before it can be found */
	smp_store_release(&swap_info[VSWAP_TEST_TYPE], si);
	vswap_test_set(swp_entry(VSWAP_TEST_TYPE, 0), SWP_TB_BAD);
}

static void vswap_test_device_off(struct kunit *test)
{
	struct swap_info_struct *si = &vswap_test_device.si;

	WRITE_ONCE(swap_info[VSWAP_TEST_TYPE], NULL);
	percpu_ref_kill(&si->users);
	synchronize_rcu();
	percpu_ref_exit(&si->users);
	swap_table_free(swap_table_cachep,
			(struct swap_table __force *)vswap_test_device.ci.table);
}

static void vswap_test_device_list(struct kunit *test, struct list_head *list,
				   enum swap_cluster_flags flags)
{
	struct swap_info_struct *si = &vswap_test_device.si;
	struct swap_cluster_info *ci = &vswap_test_device.ci;

	ci->flags = flags;
	vswap_test_found(test, flags == CLUSTER_FLAG_DISCARD ?
			 "clusters on the wrong list, device" :
			 "clusters that are not on their lists, device");
	spin_lock(&si->lock);
	list_move(&ci->list, list);
	spin_unlock(&si->lock);
	vswap_test_sane(test);
}

/* Lists that the virtual device has nothing on. */
static void vswap_test_device_lists(struct kunit *test)
{
	struct swap_info_struct *si = &vswap_test_device.si;
	struct swap_cluster_info *ci = &vswap_test_device.ci;

	si->pages = 0;
	atomic_long_set(&si->inuse_pages, 0);
	atomic_long_set(&si->phys_slots, 0);

	ci->count = SWAPFILE_CLUSTER;
	for (int i = 0; i < SWAPFILE_CLUSTER; i++)
		vswap_test_set(swp_entry(VSWAP_TEST_TYPE, i), SWP_TB_BAD);
	vswap_test_sane(test);
	vswap_test_device_list(test, &si->full_clusters, CLUSTER_FLAG_FULL);

	ci->count = 0;
	for (int i = 0; i < SWAPFILE_CLUSTER; i++)
		vswap_test_set(swp_entry(VSWAP_TEST_TYPE, i), SWP_TB_NULL);
	vswap_test_device_list(test, &si->discard_clusters, CLUSTER_FLAG_DISCARD);
	/* One that is being discarded, or gets its tables, is on no list */
	spin_lock(&si->lock);
	list_del_init(&ci->list);
	spin_unlock(&si->lock);
	vswap_test_busy(test);
	ci->flags = CLUSTER_FLAG_POPULATE;
	vswap_test_busy(test);
}

static void vswap_test_physical(struct kunit *test)
{
	swp_entry_t slot = swp_entry(VSWAP_TEST_TYPE, 7), next = { slot.val + 1 };
	struct swap_cluster_info *ci = &vswap_test_device.ci;
	struct swap_info_struct *si = &vswap_test_device.si;
	struct folio *folio;
	unsigned long backref;
	swp_entry_t swp;

	vswap_test_device_on(test);
	folio = vswap_test_cached(test, 0);
	swp = folio->swap;
	backref = backref_to_swp_tb(swp);
	vswap_test_set(slot, backref);
	vswap_test_set_word(test, swp, phys_to_vswap_tb(slot));
	vswap_test_sane(test);

	/* Both may have a mark */
	vswap_test_plant(test, slot, backref | SWP_TB_BACKREF_HINT, NULL);
	vswap_test_plant_backing(test, swp, phys_to_vswap_tb(slot) |
				 VSWAP_TB_PHYS_FAILED, NULL);
	/* Neither has to name another one, or nobody */
	vswap_test_plant_backing(test, swp, phys_to_vswap_tb(next),
				 "the slot behind it names another one");
	vswap_test_plant_backing(test, swp, phys_to_vswap_tb(next),
				 "not behind slot");
	vswap_test_plant_backing(test, swp, VSWAP_TB_NULL, "not behind slot");
	vswap_test_plant_backing(test, swp,
				 phys_to_vswap_tb(swp_entry(VSWAP_TEST_TYPE, SWAPFILE_CLUSTER)),
				 "the slot behind it is on no device");
	vswap_test_plant(test, slot, backref_to_swp_tb((swp_entry_t){ swp.val + 1 }),
			 "the slot behind it names another one");
	vswap_test_plant(test, slot, backref_to_swp_tb(next),
			 "reverse map of no virtual slot");
	vswap_test_plant(test, slot, backref_to_swp_tb(swp_entry(SWP_TYPE_VSWAP,
								 vswap_info->max)),
			 "not behind slot");
	vswap_test_plant(test, slot, SWP_TB_NULL, "count is wrong");
	/* Two for one, and none for one that is free */
	vswap_test_plant(test, next, backref, "not behind slot");
	vswap_test_plant(test, next, 0xf0UL, "a word of no type");
	/* It has what a device's cluster does not have */
	ci->backing = vswap_alloc_table();
	KUNIT_ASSERT_NOT_NULL(test, ci->backing);
	vswap_test_found(test, "backing table of a device");
	vswap_free_table(ci);
#ifdef CONFIG_MEMCG
	ci->memcg_table = kzalloc_obj(*ci->memcg_table);
	KUNIT_ASSERT_NOT_NULL(test, ci->memcg_table);
	vswap_test_sane(test);
	ci->memcg_table->id[swp_cluster_offset(slot)] = 1;
	vswap_test_found(test, "physical, but it has an owner");
	kfree(ci->memcg_table);
	ci->memcg_table = NULL;
#endif

	atomic_long_inc(&si->phys_slots);
	vswap_test_found(test, "physical slots, device");
	atomic_long_dec(&si->phys_slots);
	atomic_long_inc(&si->inuse_pages);
	vswap_test_found(test, "slots in use, device");
	atomic_long_dec(&si->inuse_pages);

	/* While a device is switched off, slots that are cut off stay a while */
	si->flags &= ~SWP_WRITEOK;
	vswap_test_set_word(test, swp, VSWAP_TB_NULL);
	vswap_test_busy(test);
	/* ... and free slots are counted in another way */
	vswap_test_set_word(test, swp, phys_to_vswap_tb(slot));
	atomic_long_inc(&nr_swap_pages);
	vswap_test_sane(test);
	atomic_long_dec(&nr_swap_pages);
	si->flags |= SWP_WRITEOK;

	/* Nor is it known what goes on behind a folio that is locked */
	vswap_test_set_word(test, swp, VSWAP_TB_NULL);
	folio_lock(folio);
	vswap_test_busy(test);
	folio_unlock(folio);
	vswap_test_found(test, "not behind slot");

	vswap_test_set(slot, SWP_TB_NULL);
	vswap_test_drop(folio);
	vswap_test_device_lists(test);
	vswap_test_device_off(test);
	vswap_test_sane(test);
}

static struct kunit_case vswap_validate_test_cases[] = {
	KUNIT_CASE(vswap_test_valid),
	KUNIT_CASE(vswap_test_swapped_slot),
	KUNIT_CASE(vswap_test_free_remains),
#ifdef CONFIG_MEMCG
	KUNIT_CASE(vswap_test_owner),
	KUNIT_CASE(vswap_test_charge),
#endif
	KUNIT_CASE(vswap_test_cached_slot),
	KUNIT_CASE(vswap_test_cached_large),
	KUNIT_CASE(vswap_test_clusters),
	KUNIT_CASE(vswap_test_totals),
	KUNIT_CASE(vswap_test_zswap_totals),
	KUNIT_CASE(vswap_test_zswap),
	KUNIT_CASE(vswap_test_physical),
	{}
};

static struct kunit_suite vswap_validate_test_suite = {
	.name = "vswap_validate",
	.test_cases = vswap_validate_test_cases,
};

kunit_test_suite(vswap_validate_test_suite);
